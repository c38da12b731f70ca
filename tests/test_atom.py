"""Searches as Atom feeds, held against RFC 4287, and the description by which browsers search here."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sample import write_jsonl

from index.build import add, rebuild
from search.engine import Engine
from web.app import create_app
from web.feeds import FeedParameters, entry_name, feed_name, moment_of
from web.live import NotReady
from web.schemas import ErrorResponse

ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
STORY = " ".join(f"The captain told reporters about wave number {number} off the coast." for number in range(30))


@pytest.fixture
def client(root, load):
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client()


@pytest.fixture
def client_of(tmp_path, load):
    """Makes a client of an index of these records."""

    def client_of(*records):
        rebuild(tmp_path / "other", [str(write_jsonl(tmp_path / "other.jsonl", records))], load)
        engine = Engine.open(tmp_path / "other", load)
        return create_app(lambda: engine, tmp_path / "other").test_client()

    return client_of


def feed(client, query, **options):
    """A feed as a reader sees it, once it has passed the rules."""
    response = client.get("/feed.atom", query_string={"q": query, **options})
    assert response.status_code == 200
    assert response.content_type == "application/atom+xml; charset=utf-8"
    check_rules(response.data)
    parsed = feedparser.parse(response.data)
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    return parsed


def check_rules(document):
    """The main rules of RFC 4287, sections 4.1 and 4.2."""
    root = etree.fromstring(document)
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1, name
        assert element.find(f"{ATOM}title").text
        assert element.find(f"{ATOM}id").text.startswith("urn:uuid:")
        UUID(element.find(f"{ATOM}id").text.removeprefix("urn:uuid:"))
        assert element.findall(f"{ATOM}author")
        assert all(author.find(f"{ATOM}name").text.strip() for author in element.findall(f"{ATOM}author"))
        for name in ("updated", "published"):
            assert all(RFC_3339.fullmatch(moment.text) for moment in element.findall(f"{ATOM}{name}"))
        links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in element.findall(f"{ATOM}link")]
        assert len([link for link in links if link[0] == "alternate"]) == len({*links} - {None}) - 1
        assert all(re.fullmatch(r"https?://[!-~]+", link.get("href")) for link in element.findall(f"{ATOM}link"))
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self", "alternate"]
    names = [entry.find(f"{ATOM}id").text for entry in entries]
    assert len(names) == len(set(names))


def titles(parsed):
    return [entry.title for entry in parsed.entries]


def test_a_search_is_a_feed_of_its_matches_newest_first(client):
    parsed = feed(client, "ferry")
    assert titles(parsed) == ["Ferry crews call off strike", "Ferry runs aground off Gannet Spit"]
    assert parsed.feed.title == "ferry – Dateline"
    assert parsed.feed.updated == "2025-08-20T15:07:00Z"
    assert parsed.feed.link == "http://localhost/?q=ferry"
    assert "ferry" in parsed.feed.subtitle
    everything = feed(client, "after:1900")
    assert [entry.published[:10] for entry in everything.entries] == [
        "2025-08-20", "2025-03-04", "2025-01-15", "2024-09-08",
    ]  # fmt: skip


def test_an_entry_says_who_published_what_and_when_and_where_it_is(client):
    strike, ferry = feed(client, "ferry sandbank deckhands").entries
    assert [author.name for author in strike.authors] == ["Corin Adeyale", "Lyra Dunmore"]
    assert strike.source.title == "Harbour Wire"
    assert strike.published == strike.updated == "2025-08-20T15:07:00Z"
    related = "http://localhost/article/strike?q=ferry+sandbank+deckhands#p0"
    assert strike.link == related  # there is no other address
    assert ferry.link == "https://coast.example.org/ferry"
    assert [link.href for link in ferry.links if link.rel == "related"] == [related.replace("strike", "ferry")]


def test_a_summary_is_the_passage_after_the_sentence_that_answers(client):
    wages = feed(client, "wages rise per cent").entries[0].summary
    answer, passage = re.findall(r"<p>(.*?)</p>", wages, re.DOTALL)
    assert answer == "<b>Wages</b> <b>rise</b> by four <b>per</b> <b>cent</b> a year."
    assert passage.startswith("The union of ferry deckhands")
    assert len(re.findall("<p>", feed(client, "deckhands union").entries[0].summary)) == 1


def test_filters_are_told_and_obeyed(client):
    parsed = feed(client, 'ferry source:"Harbour Wire"', **{"from": "2025-01-01", "to": "2025-12-31", "language": "en"})
    assert titles(parsed) == ["Ferry crews call off strike"]
    assert (
        parsed.feed.subtitle
        == "Articles that match “ferry” (2025) of Harbour Wire in en – one entry a story, newest first."
    )
    assert feed(client, "after:2025 -strike").feed.subtitle.startswith(
        "All articles (since 1 January 2025) without strike"
    )


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2025-08-20", 1),
        ("2025-08-20T15:07", 1),
        ("2025-08-20T15:08Z", 0),
        ("2025-08-20T17:07+02:00", 1),
        ("2025-08-20T17:07 02:00", 1),  # a + that was not encoded
        ("2025-03-04T23:00", 2),  # of an article that tells only its day, the whole day counts
        ("2025-03-05", 1),
        ("", 4),
    ],
)
def test_since_leaves_out_what_is_older(client, since, expected):
    assert len(feed(client, "after:1900", since=since).entries) == expected


def test_since_goes_by_the_moment_not_by_the_day_of_another_zone(root, load, tmp_path):
    west = {"id": "west", "title": "Late in the west", "text": "A ferry.", "published": "2025-08-21T23:30:00-05:00"}
    add(root, [str(write_jsonl(tmp_path / "west.jsonl", [west]))], load)
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    assert titles(feed(client, "after:1900", since="2025-08-22")) == ["Late in the west"]
    assert titles(feed(client, "after:1900", since="2025-08-22T04:31Z")) == []


def test_size_bounds_the_entries(client):
    assert titles(feed(client, "after:1900", size=1)) == ["Ferry crews call off strike"]


def test_what_arrived_last_comes_first_if_that_is_asked_for(root, load, tmp_path):
    late = {"id": "late", "title": "Found in the attic", "text": "A ferry of old.", "published": "1950-05-01"}
    add(root, [str(write_jsonl(tmp_path / "late.jsonl", [late]))], load)
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    assert titles(feed(client, "after:1900", size=1, order="arrival")) == ["Found in the attic"]
    assert "latest arrival first" in feed(client, "ferry", order="arrival").feed.subtitle


def test_a_story_is_one_entry(client_of):
    copies = [
        {"id": f"copy{day}", "title": "Waves", "text": STORY, "published": f"2025-03-{day:02}",
         "source": f"Paper {day}", "url": f"https://paper{day}.example/waves"}
        for day in (1, 2, 3)
    ]  # fmt: skip
    client = client_of(*copies)
    for query in ("captain waves", "after:1900"):
        [entry] = feed(client, query).entries
        assert entry.link == "https://paper1.example/waves"


def test_moments_without_a_zone_or_a_time_are_in_utc_and_none_is_the_epoch(client_of):
    moments = {
        "2025-08-20": "2025-08-20T00:00:00Z",
        "2025-08-20T15:07:00": "2025-08-20T15:07:00Z",
        "2025-08-20T15:07:00-04:00": "2025-08-20T19:07:00Z",
        None: "1970-01-01T00:00:00Z",
    }
    client = client_of(
        *({"id": str(number), "title": f"Zeppelin {number}", "text": f"Zeppelin {number} landed.", "published": moment}
          for number, moment in enumerate(moments))
    )  # fmt: skip
    entries = feed(client, "zeppelin").entries
    assert {entry.title: entry.updated for entry in entries} == {
        f"Zeppelin {number}": moment for number, moment in enumerate(moments.values())
    }
    assert entries[-1].title == "Zeppelin 3"
    assert "published" not in entries[-1]


def test_an_article_that_was_updated_says_so(client_of):
    record = {"title": "Zeppelin", "text": "A zeppelin.", "published": "2025-01-01", "updated": "2025-01-02T10:00:00Z"}
    [entry] = feed(client_of(record | {"section": "Aviation", "language": "en"}), "zeppelin").entries
    assert (entry.published, entry.updated) == ("2025-01-01T00:00:00Z", "2025-01-02T10:00:00Z")
    assert [tag.term for tag in entry.tags] == ["Aviation"]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", 'https://example.org/a b"<>', "https://exämple.org/ü?q=ö", "http://[broken", "ftp://x/y"],
)
def test_links_are_addresses_whatever_an_article_gives(client_of, url):
    client = client_of({"id": "x", "title": "Zeppelin", "text": "A zeppelin.", "url": url})
    [entry] = feed(client, "zeppelin").entries
    assert entry.link.startswith("http")


def test_names_stay_the_same_on_every_host_and_in_every_generation(root, corpus, load):
    def names(host):
        engine = Engine.open(root, load)
        client = create_app(lambda: engine, root).test_client()
        parsed = feedparser.parse(client.get("/feed.atom?q=ferry", base_url=f"https://{host}").data)
        return parsed.feed.id, [entry.id for entry in parsed.entries]

    before = names("one.example")
    rebuild(root, [str(corpus)], load)
    assert names("two.example") == before
    # What readers have seen once must not be new to them after an upgrade.
    assert entry_name("strike") == "urn:uuid:d7d1619f-14dc-51f6-ba6f-02395abde588"
    assert feed_name(FeedParameters(q="ferry")) == feed_name(FeedParameters(q="ferry", size=5, since="2025-01-01"))
    assert feed_name(FeedParameters(q="ferry")) != feed_name(FeedParameters(q="ferry", source=["Harbour Wire"]))


def test_a_reader_that_has_the_feed_is_told_so_until_the_corpus_changes(root, load, tmp_path):
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    first = client.get("/feed.atom?q=ferry")
    seen = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/feed.atom?q=ferry", headers=seen)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert client.get("/feed.atom?q=strike", headers=seen).status_code == 200
    assert client.get("/feed.atom?q=ferry&size=1", headers=seen).status_code == 200
    assert client.get("/feed.atom?q=ferry", base_url="http://other.example", headers=seen).status_code == 200
    new = {"title": "New ferry", "text": "A new ferry arrived.", "published": "2025-09-01"}
    add(root, [str(write_jsonl(tmp_path / "new.jsonl", [new]))], load)
    engine.refresh(load)
    changed = client.get("/feed.atom?q=ferry", headers=seen)
    assert (changed.status_code, "New ferry" in changed.text) == (200, True)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("q=", "q"),
        ("", "q"),
        ("q=-ferry", "q"),
        ("q=ferry&since=yesterday", "since"),
        ("q=ferry&since=2025-02-30", "since"),
        ("q=ferry&order=best", "order"),
        ("q=ferry&size=101", "size"),
        ("q=ferry&from=soon", "from"),
    ],
)
def test_a_bad_search_is_an_error_in_the_shape_of_all(client, asked, field):
    response = client.get(f"/feed.atom?{asked}")
    assert response.status_code == 400
    assert ErrorResponse.model_validate(response.json).error.field == field


def test_before_the_index_is_open_readers_are_told_to_come_again(tmp_path):
    def engine():
        raise NotReady("The index is being opened.")

    response = create_app(engine, tmp_path).test_client().get("/feed.atom?q=x")
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)


def test_nothing_found_is_a_feed_without_entries(client):
    parsed = feed(client, '"purple walrus"')
    assert parsed.entries == []


def test_nothing_from_an_article_or_a_query_becomes_markup(client_of):
    attack = "</title><script>alert(1)</script>]]>&amp;\"'"
    record = {"id": f"x/{attack}", "title": attack, "source": attack, "authors": [attack], "section": attack,
              "text": f"Zeppelin {attack}.", "language": '"><x', "published": "2025-01-01"}  # fmt: skip
    [entry] = feed(client_of(record), f"zeppelin {attack}").entries
    assert entry.title_detail.value == attack
    assert "<script" not in entry.summary
    assert "&lt;<b>script</b>&gt;" in entry.summary


@settings(deadline=None)  # the first feed of a process imports what it is made with
@given(st.text(max_size=60))
def test_any_text_makes_a_feed_that_can_be_read(text):
    from flask import Flask

    from index.article import Article, Passage
    from search.hits import Hit
    from search.matches import Matches
    from search.query import Interpreted
    from web.feeds import feeds

    class Store:
        generation = "g.1"

    class Anything:
        """An engine that finds one article, whose every text is the one that is under test."""

        store = Store()

        def matches(self, request, **options):
            article = Article(text, text or "untitled", text, text, "2025-01-01", authors=(text,), source=text,
                              language=text, section=text)  # fmt: skip
            hit = Hit(1, 1.0, article, Passage(1, 1, 0, len(text)), text, ((0, len(text) // 2),), (0, len(text)), 0)
            return Matches(Interpreted(text), "g.1", iter([hit]))

    app = Flask("web.app")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(feeds)
    app.extensions["engine"] = Anything
    root = etree.fromstring(app.test_client().get("/feed.atom?q=x").data)
    assert len(root.findall(f"{ATOM}entry")) == 1


@given(st.datetimes(min_value=datetime(1800, 1, 2), timezones=st.none() | st.timezones()))
def test_every_moment_is_one_in_utc(moment):
    found = moment_of(moment.isoformat())
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("text", ["", None, "soon", "2025-13-01", "0001-01-01T00:00+10:00"])
def test_what_is_no_moment_is_none(text):
    assert moment_of(text) is None


def test_browsers_find_page_feed_and_suggestions(client):
    response = client.get("/opensearch.xml", base_url="https://news.example")
    assert response.content_type == "application/opensearchdescription+xml; charset=utf-8"
    root = etree.fromstring(response.data)
    assert root.tag == f"{OPENSEARCH}OpenSearchDescription"
    assert 0 < len(root.find(f"{OPENSEARCH}ShortName").text) <= 16
    assert len(root.find(f"{OPENSEARCH}Description").text) <= 1024
    templates = {url.get("type"): url.get("template") for url in root.findall(f"{OPENSEARCH}Url") if not url.get("rel")}
    assert templates == {
        "text/html": "https://news.example/?q={searchTerms}",
        "application/atom+xml": "https://news.example/feed.atom?q={searchTerms}",
        "application/x-suggestions+json": "https://news.example/suggest.json?q={searchTerms}",
    }
    for template in templates.values():
        assert (
            client.get(template.replace("{searchTerms}", "ferry").removeprefix("https://news.example")).status_code
            == 200
        )
    icon = root.find(f"{OPENSEARCH}Image").text.removeprefix("https://news.example")
    with client.get(icon) as found:
        assert found.status_code == 200


def test_suggestions_are_what_browsers_read(client):
    response = client.get("/suggest.json?q=harb")
    assert response.content_type == "application/x-suggestions+json"
    typed, searches, told = response.json
    assert typed == "harb"
    assert searches[0] == 'source:"Harbour Wire"'
    assert told[0] == "Harbour Wire (source)"
    assert client.get("/suggest.json").json[0] == ""


def test_the_addresses_in_the_documentation_answer(client):
    text = (Path(__file__).parent.parent / "docs" / "feeds.md").read_text("utf-8")
    addresses = re.findall(r"http://127\.0\.0\.1:8000(/[^\s\"]+)(?=[\s\"])", text)
    assert len(addresses) >= 7
    for address in addresses:
        found = address.replace("article-id", "strike").replace("$(date", "2025-08-20")
        assert client.get(found, base_url="http://127.0.0.1:8000").status_code == 200, address
