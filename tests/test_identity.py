"""Which version of an article stays, and with what times."""

import pytest

from index.article import make_article
from index.identity import has_derived_id, updated

URL = "https://example.org/ferry"


def article(**fields):
    return make_article("A ferry ran aground.", url=URL, **fields)


def test_an_id_is_derived_unless_somebody_gave_it():
    assert has_derived_id(article())
    assert not has_derived_id(article(id="wire-12"))


@pytest.mark.parametrize(("old", "new", "kept"), [("wire-12", None, "wire-12"), (None, "wire-12", "wire-12")])
def test_an_id_that_was_given_stays(old, new, kept):
    assert updated(article(id=old), article(id=new)).id == kept


@pytest.mark.parametrize(
    ("old", "new", "published", "changed"),
    [
        ("2025-08-20", "2025-08-22T10:00:00Z", "2025-08-20", "2025-08-22T10:00:00Z"),
        ("2025-08-20", None, "2025-08-20", None),
        (None, "2025-08-20", "2025-08-20", None),
        ("2025-08-20", "2025-08-20T15:07:00", "2025-08-20T15:07:00", None),
        ("2025-08-20T15:07:00", "2025-08-20", "2025-08-20T15:07:00", None),
        ("2025-08-20", "2025-08-19", "2025-08-19", None),
    ],
)
def test_an_article_is_published_once_and_a_later_time_is_when_it_changed(old, new, published, changed):
    merged = updated(article(published=old), article(published=new))
    assert (merged.published, merged.updated) == (published, changed)


def test_the_new_version_counts_in_everything_else():
    new = make_article("It was refloated.", url=URL, title="Refloated", updated="2025-08-23")
    merged = updated(article(title="Aground", updated="2025-08-21"), new)
    assert (merged.title, merged.text, merged.updated) == ("Refloated", "It was refloated.", "2025-08-23")
