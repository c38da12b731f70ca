import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.article import Article, content_hash, from_record, headline_of, make_article, tidy, to_record
from index.errors import SourceError

FULL = Article(
    id="ferry",
    title="Ferry runs aground",
    text="A ferry ran aground.\n\nNobody was hurt.",
    url="https://coast.example.org/ferry",
    published="2024-09-08",
    updated="2024-09-09T10:30:00+01:00",
    authors=("Morag Sillitoe", "Lyra Dunmore"),
    source="Coastline Press",
    language="en",
    section="Shipping",
    summary="A sandbank had moved.",
    extra={"rating": 4, "tags": ["sea", "ferry"], "place": {"name": "Gannet Spit"}},
)

RECORDS = st.fixed_dictionaries(
    {"text": st.text().filter(tidy)},
    optional={
        "id": st.text() | st.integers(0),
        "title": st.text(),
        "url": st.text(),
        "published": st.text() | st.dates(max_value=date(2025, 1, 1)).map(str),
        "updated": st.none() | st.datetimes().map(str),
        "authors": st.none() | st.text() | st.lists(st.text()),
        "source": st.none() | st.text(),
        "language": st.sampled_from(["en", "fr-CA"]),
        "section": st.text(),
        "summary": st.text(),
        "tags": st.lists(st.text()),
        "extra": st.none() | st.dictionaries(st.text(), st.integers() | st.text()),
    },
)


def test_id_comes_from_the_url_whatever_the_page_says():
    first = make_article("One text.", url="https://example.org/a")
    second = make_article("Another text.", title="Another title", url="HTTPS://Example.org:443/a#top")
    assert first.id == second.id


def test_id_of_an_article_without_url_comes_from_title_and_text():
    same = make_article("Some text.", title="Title", source="Wire")
    assert make_article("Some text.", title="Title").id == same.id
    assert make_article("Some text.", title="Other").id != same.id
    assert make_article("Other text.", title="Title").id != same.id


def test_ids_do_not_change_between_versions():
    assert make_article("Some text.", url="https://example.org/a").id == "b5b10dd0429e69ac7cfaf0a20b6901c1"
    assert make_article("Some text.", title="Title").id == "5ccff067cb0b03e0ba235515e2df361a"


def test_stated_id_is_kept():
    assert from_record({"id": "a-1", "text": "Text."}).id == "a-1"
    assert from_record({"id": 17, "text": "Text."}).id == "17"


def test_full_article_survives_its_record():
    record = json.loads(json.dumps(to_record(FULL)))
    assert from_record(record) == FULL


def test_record_leaves_out_what_is_unknown():
    assert to_record(Article(id="a", title="Title", text="Text.")) == {"id": "a", "title": "Title", "text": "Text."}


@settings(deadline=None)  # the first date loads a library
@given(RECORDS)
def test_article_of_any_record_survives_its_record(record):
    article = from_record(record)
    assert from_record(json.loads(json.dumps(to_record(article)))) == article


def test_unknown_keys_are_kept_beside_extra():
    article = from_record({"text": "Text.", "rating": 4, "extra": {"tags": ["sea"]}})
    assert article.extra == {"rating": 4, "tags": ["sea"]}


def test_date_that_cannot_be_read_is_kept_as_extra():
    article = from_record({"text": "Text.", "published": "the day before the storm"})
    assert article.published is None
    assert article.extra == {"published": "the day before the storm"}


def test_authors_are_tidied_and_counted_once():
    article = from_record({"text": "Text.", "authors": ["  Ada  Byron ", "Ada Byron", "", "Mary Shelley"]})
    assert article.authors == ("Ada Byron", "Mary Shelley")
    assert from_record({"text": "Text.", "authors": "Ada Byron"}).authors == ("Ada Byron",)


@pytest.mark.parametrize("key", ["title", "url", "id", "source", "language", "section", "summary"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, 1.5, True])
def test_wrong_type_of_a_text_field_is_refused_by_name(key, value):
    with pytest.raises(SourceError, match=f"'{key}'"):
        from_record({"text": "Text.", key: value})


@pytest.mark.parametrize(
    "wrong", [{"authors": 7}, {"authors": [7]}, {"authors": {"name": "Ada"}}, {"extra": ["a"]}, {"extra": "a"}]
)
def test_wrong_type_of_authors_or_extra_is_refused(wrong):
    with pytest.raises(SourceError, match=next(iter(wrong))):
        from_record({"text": "Text.", **wrong})


@pytest.mark.parametrize("record", [{}, {"text": None}, {"text": 5}, {"text": ""}, {"text": " \n\x00"}])
def test_record_without_text_is_refused(record):
    with pytest.raises(SourceError, match="no text"):
        from_record(record)


CHANGES = {
    "id": "other", "title": "Other", "text": "Other.", "url": None, "published": "2024-09-07", "updated": None,
    "authors": ("Morag Sillitoe",), "source": "Other", "language": "fr", "section": None, "summary": "Other.",
    "extra": {"rating": 5},
}  # fmt: skip


@pytest.mark.parametrize("field", Article.__dataclass_fields__)
def test_content_hash_changes_with_each_field(field):
    assert content_hash(replace(FULL, **{field: CHANGES[field]})) != content_hash(FULL)


def test_content_hash_ignores_the_order_of_extra():
    assert content_hash(replace(FULL, extra=dict(reversed(FULL.extra.items())))) == content_hash(FULL)


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n \t\n\n\nb", "a\n\nb"),
        ("  a  \n\tb ", "a\nb"),
        ("a\u2028b\u2029c", "a\nb\n\nc"),
        ("\ufeffa\x00b\x07", "ab"),
        ("\ud800a", "a"),
        ("\n \n", ""),
    ],
)
def test_tidy(text, tidied):
    assert tidy(text) == tidied


@given(st.text(st.characters() | st.sampled_from("\n\r \t\u2028\x00")))
def test_tidy_text_stays_as_it_is(text):
    assert tidy(tidy(text)) == tidy(text)


def test_headline_of_a_text_is_its_first_line():
    assert headline_of("Ferry runs aground\nNobody was hurt.") == "Ferry runs aground"
    assert make_article("Ferry runs aground\n\nNobody was hurt.").title == "Ferry runs aground"


@given(st.lists(st.sampled_from(["ferry", "aground,", "–", "sandbank"]), min_size=20).map(" ".join))
def test_long_headline_is_cut_after_a_word(line):
    headline = headline_of(line)
    assert len(headline) <= 121
    assert headline == line or (headline.endswith(("y…", "d…", "k…")) and line.startswith(headline[:-1]))


@pytest.mark.parametrize(("published", "day"), [("2025-08-20T23:07:00-04:00", "2025-08-20"), (None, None)])
def test_day_is_that_of_the_articles_own_zone(published, day):
    assert replace(FULL, published=published).day == day


def test_lines_of_an_article_are_lines_wherever_they_come_from():
    article = make_article(
        "Text.", title="A\xa0b\n c\x00", source=" S\t", authors=("A\u2003B", "A B", ""), section="\n"
    )
    assert (article.title, article.source, article.authors, article.section) == ("A b c", "S", ("A B",), None)
    assert from_record(to_record(article)) == article
