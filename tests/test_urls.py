"""When two addresses are one article's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.article import make_article
from index.urls import normalised_url

STORY = "https://example.org/2025/08/ferry-aground"


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/2025/08/ferry-aground",
        "HTTPS://Example.ORG:443/2025/08/ferry-aground/",
        "https://www.example.org/2025/08/ferry-aground",
        "https://m.example.org/2025/08/ferry-aground",
        "https://mobile.example.org//2025/08/ferry-aground",
        "https://amp.example.org/2025/08/ferry-aground",
        "https://example.org/2025/08/ferry-aground/amp/",
        "https://example.org/2025/08/ferry-aground.amp",
        "https://example.org/amp/2025/08/ferry-aground",
        "https://example.org/2025/08/ferry-aground?amp",
        "https://example.org/2025/08/ferry-aground?outputType=amp",
        "https://www.google.com/amp/s/example.org/2025/08/ferry-aground/amp",
        "https://example-org.cdn.ampproject.org/c/s/example.org/2025/08/ferry-aground",
        "https://example.org/2025/08/ferry-aground/index.html",
        "https://example.org/2025/08/ferry-aground#comments",
        "https://example.org/2025/08/ferry-aground?utm_source=x&utm_medium=rss&fbclid=abc&at_medium=RSS",
        "https://example.org/2025/08/ferry-aground?cid=feeds_partner&ref=home",
        " https://reader:secret@example.org/2025/08/ferry%2Daground ",
    ],
)
def test_marks_of_the_way_taken_do_not_make_another_article(address):
    assert normalised_url(address) == STORY


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://example.org/?p=12", "https://example.org/?p=13"),
        ("https://example.org/story?cid=12", "https://example.org/story?cid=13"),
        ("https://example.org/show.php?gallery=4&id=1", "https://example.org/show.php?gallery=5&id=1"),
        ("https://example.org/Story", "https://example.org/story"),
        ("https://news.example.org/a", "https://sport.example.org/a"),
        ("https://example.org/amp", "https://example.org/volt"),
        ("https://m.de/a", "https://de/a"),
        ("https://example.org:80/a", "https://example.org/a"),
    ],
)
def test_what_may_name_the_article_stays(first, second):
    assert normalised_url(first) != normalised_url(second)


def test_the_order_of_parameters_does_not_matter():
    assert normalised_url("https://example.org/a?b=2&a=1") == normalised_url("https://example.org/a?a=1&b=2")


@pytest.mark.parametrize("text", ["", "urn:uuid:1", "mailto:ada@example.org", "http://[::1", "story 12", "http:///a"])
def test_what_is_no_web_address_stays_as_it_is(text):
    assert normalised_url(text) == text.strip()


@given(st.text(max_size=60) | st.text(max_size=60).map("https://example.org/".__add__))
def test_normalising_twice_changes_nothing_more(text):
    once = normalised_url(text)
    assert normalised_url(once) == once


def test_articles_of_one_address_have_one_id():
    ids = {make_article("Text.", url=url).id for url in (STORY, f"{STORY}?utm_source=x", "http://www." + STORY[8:])}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/amp/amp/story",
        "https://google.com/amp/s/google.com/amp/s/example.org/story",
        "https://example.org/story/amp.html/amp",
        "https://example.org/\ud800?q=\ud800",
        "http://" + "google.com/amp/" * 500,
        "http:/\n/x",
    ],
)
def test_marks_upon_marks_are_all_taken_off_at_once(url):
    once = normalised_url(url)
    assert normalised_url(once) == once


def test_what_is_too_long_for_an_address_stays_as_it_is():
    url = "https://example.org" + "/amp" * 100_000
    assert normalised_url(url) == url
