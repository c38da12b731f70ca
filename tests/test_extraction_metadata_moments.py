"""When an article was published and updated, of all the moments on its page. All pages are invented."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml.html import document_fromstring

from index.extraction.metadata import PageMetadata, read_metadata
from index.extraction.moments import moment

URL = "https://www.lantern.example/harbour/seals-return"


def read(head: str = "", body: str = "", url: str = URL, language: str = "en") -> PageMetadata:
    page = f'<html lang="{language}"><head>{head}</head><body>{body}</body></html>'
    return read_metadata(document_fromstring(page), url)


def story(**dates: str) -> str:
    return f'<script type="application/ld+json">{json.dumps({"@type": "NewsArticle", **dates})}</script>'


def tag(name: str, value: str) -> str:
    return f'<meta name="{name}" content="{value}">'


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-03-05T08:00:00Z", "2024-03-05T08:00:00+00:00"),
        ("2024-03-05T08:00:00.123+0100", "2024-03-05T08:00:00+01:00"),
        ("2024-03-05 08:00:00 +01:00", "2024-03-05T08:00:00+01:00"),
        ("2024-03-05 08:00", "2024-03-05T08:00:00"),
        ("2024/3/5", "2024-03-05"),
        ("20240305", "2024-03-05"),
        ("20240305080000", "2024-03-05T08:00:00"),
        ("1709625600", "2024-03-05T08:00:00+00:00"),
        ("1709625600000", "2024-03-05T08:00:00+00:00"),
        ("Tue, 05 Mar 2024 08:00:00 GMT", "2024-03-05T08:00:00+00:00"),
        ("March 5, 2024", "2024-03-05"),
        ("5. März 2024", "2024-03-05"),
        ("5.3.2024, 08:00 Uhr", "2024-03-05T08:00:00"),
        ("2024年3月5日 8時00分", "2024-03-05T08:00:00"),
        ("2024년 3월 5일", "2024-03-05"),
        ("13/03/2024", "2024-03-13"),
        ("03/13/2024", "2024-03-13"),
        ("2024-13-45", None),
        ("0000-00-00", None),
        ("1709-03-05", None),
        ("2999-01-01", None),
        ("99999999999", None),
        ("yesterday", None),
        ("4711", None),
        ("", None),
    ],
)
def test_moments_are_read_as_systems_write_them(value: str, iso: str | None) -> None:
    assert moment(value) == iso


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=20),
    st.sampled_from(["2024", " 5.3.2024 ", "March 5, 2024 ", "2024-03-05T", "年2024"]),
    st.text(max_size=20),
)
def test_no_text_with_a_date_in_it_is_too_odd(before: str, dated: str, after: str) -> None:
    found = moment(f"{before}{dated}{after}")
    assert found is None or datetime.fromisoformat(found)


def test_linked_data_goes_before_meta_tags_and_these_before_what_readers_see() -> None:
    tags = tag("article:published_time", "2024-03-06T08:00:00Z")
    shown = '<h1>Seals return</h1><time datetime="2024-03-07">7 March</time>'
    assert read(story(datePublished="2024-03-05") + tags, shown).published == "2024-03-05"
    assert read(tags, shown).published == "2024-03-06T08:00:00+00:00"
    assert read("", shown).published == "2024-03-07"


def test_a_change_is_no_publication() -> None:
    found = read(story(datePublished="2024-03-05T08:00:00Z", dateModified="2024-04-01T08:00:00Z"))
    assert (found.published, found.updated) == ("2024-03-05T08:00:00+00:00", "2024-04-01T08:00:00+00:00")


@pytest.mark.parametrize("modified", ["2024-03-05T08:00:00Z", "2024-03-05T07:59:50Z", "2024-03-05", "2023-01-01"])
def test_a_change_that_is_not_after_the_publication_is_none(modified: str) -> None:
    assert read(story(datePublished="2024-03-05T08:00:00Z", dateModified=modified)).updated is None


def test_a_change_is_the_publication_where_nothing_else_is_known() -> None:
    assert read(tag("article:modified_time", "2024-03-05")).published == "2024-03-05"


def test_a_moment_that_cannot_be_true_gives_way_to_one_that_can() -> None:
    ahead = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    assert read(story(datePublished=ahead) + tag("date", "2024-03-05")).published == "2024-03-05"
    assert read(story(datePublished="1509-03-05") + tag("pubdate", "2024-03-05")).published == "2024-03-05"


def test_the_day_in_the_address_unmasks_the_moment_of_the_last_change() -> None:
    head = story(datePublished="2024-06-01T08:00:00Z") + tag("date", "2024-03-05T08:00:00Z")
    assert read(head, url="https://lantern.example/2024/03/05/seals").published == "2024-03-05T08:00:00+00:00"
    assert read(head, url="https://lantern.example/2020/01/01/seals").published == "2024-06-01T08:00:00+00:00"


def test_the_day_in_the_address_is_better_than_nothing() -> None:
    assert read(url="https://lantern.example/2024/03/05/seals").published == "2024-03-05"
    assert read(url="https://lantern.example/2024-13-45-seals").published is None


@pytest.mark.parametrize(
    ("body", "iso"),
    [
        ('<h1>Seals</h1><div class="date">March 5, 2024</div>', "2024-03-05"),
        ("<h1>Seals</h1><p>Published: March 5, 2024 8:00 am</p>", "2024-03-05T08:00:00"),
        ("<h1>Seals</h1><div><span>5.3.2024</span>, <span>5 min</span></div>", "2024-03-05"),
        ('<span>March 5, 2024</span><h1>Seals</h1>', "2024-03-05"),
        ('<h1>Seals</h1><aside><p>March 5, 2024</p></aside>', "2024-03-05"),
        ('<time class="entry-date published" datetime="2024-03-05">5 March</time>', "2024-03-05"),
        ('<h1>Seals</h1><footer><time datetime="2024-03-05">5 March</time></footer>', None),
    ],
)  # fmt: skip
def test_a_date_near_the_headline_is_read(body: str, iso: str | None) -> None:
    assert read("", body).published == iso


def test_a_teaser_or_a_comment_dates_no_article() -> None:
    paragraphs = "<p>" + "The seals came back in the night of the storm. " * 4 + "</p>"
    comment = '<div class="comment"><time datetime="2024-03-09">9 March</time></div>'
    body = f'<h1>Seals return</h1><div class="date">March 5, 2024</div>{paragraphs * 4}{comment}'
    assert read("", body).published == "2024-03-05"


@pytest.mark.parametrize(("language", "iso"), [("en-US", "2024-04-03"), ("en-GB", "2024-03-04"), ("fr", "2024-03-04")])
def test_the_language_says_which_number_is_the_month(language: str, iso: str) -> None:
    assert read("", "<h1>Seals</h1><span class='date'>04/03/2024</span>", language=language).published == iso


def test_comments_and_pictures_do_not_date_an_article() -> None:
    picture = {"@type": "ImageObject", "datePublished": "2020-01-01"}
    node = {"@type": "NewsArticle", "headline": "Seals", "image": picture, "comment": {"datePublished": "2021-01-01"}}
    assert read(f'<script type="application/ld+json">{json.dumps([node, picture])}</script>').published is None


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["datePublished", "dateModified", "dateCreated"]),
        st.datetimes().map(str) | st.dates().map(str) | st.integers().map(str) | st.text(max_size=30),
    )
)
def test_nothing_is_published_in_the_future_or_before_newspapers(dates: dict[str, str]) -> None:
    found = read(story(**dates))
    for day in (found.published, found.updated):
        assert day is None or date(1800, 1, 1) <= date.fromisoformat(day[:10]) <= date.today() + timedelta(days=2)
    assert not (found.updated and found.published) or found.updated[:10] >= found.published[:10]
