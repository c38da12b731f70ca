"""Feeds: what they say of pages, what is read again, and what hostile ones may cost."""

import gzip
import json
import time
from collections.abc import Iterator

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from news_site import PARAGRAPH, Reader, Site, atom, json_feed, page, rdf, rss

from index.article import SetAside
from index.errors import SourceError
from index.fetching.entries import Entry
from index.fetching.feeds import feed_entries
from index.fetching.json_feeds import json_feed_entries

RSS = "application/rss+xml"
WHOLE = f"<p>{PARAGRAPH * 8}</p>"
BASE = "https://news.example.org/feeds/all.xml"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture
def reader() -> Reader:
    return Reader()


def entries(feed: str | bytes, charset: str | None = None) -> list[Entry]:
    return list(feed_entries(feed.encode() if isinstance(feed, str) else feed, BASE, charset))


# What a feed says


def test_fields_of_rss():
    [entry] = entries(
        rss(
            [{
                "title": "Ferry &amp; crew <b>safe</b>", "link": "/ferry?a=1&b=2", "guid": "tag:ferry",
                "pubDate": "Wed, 20 Aug 2025 15:07:00 -0400", "dc:creator": "Morag Sillitoe", "category": "Coast",
                "description": "<p>A ferry ran aground.</p>",
            }]
        )
    )  # fmt: skip
    assert entry.link == "https://news.example.org/ferry?a=1&b=2"
    assert entry.stated == {
        "title": "Ferry & crew safe", "url": entry.link, "published": "2025-08-20T15:07:00-04:00",
        "authors": ["Morag Sillitoe"], "summary": "A ferry ran aground.", "section": "Coast", "language": "en-gb",
        "source": "Harbour Wire",
    }  # fmt: skip
    assert (entry.day, entry.key, entry.text) == ("2025-08-20", "tag:ferry", {})


def test_fields_of_atom():
    [entry] = entries(
        atom(
            [{
                "title": "Ferry", "link": "../ferry", "id": "urn:1", "published": "2025-08-20T15:07:00+02:00",
                "updated": "2025-08-21T08:00:00+02:00", "author": "Morag Sillitoe", "content": WHOLE,
            }]
        )
    )  # fmt: skip
    assert entry.link == "https://news.example.org/ferry"
    assert entry.stated["published"] == "2025-08-20T15:07:00+02:00"
    assert entry.stated["updated"] == "2025-08-21T08:00:00+02:00"
    assert entry.stated["authors"] == ["Morag Sillitoe"]
    assert (entry.stamp, entry.day) == ("2025-08-21T08:00:00+02:00", "2025-08-21")
    assert WHOLE in entry.text["html"]


def test_fields_of_rdf():
    [entry] = entries(rdf([{"title": "Ferry", "link": "https://news.example.org/ferry", "dc:date": "2025-08-20"}]))
    assert (entry.link, entry.stated["updated"], entry.day) == (
        "https://news.example.org/ferry",
        "2025-08-20",
        "2025-08-20",
    )


def test_fields_of_json_feed():
    item = {
        "id": 7, "url": "/ferry", "title": "Ferry", "content_text": PARAGRAPH * 8,
        "date_published": "2025-08-20T15:07:00Z",
        "date_modified": "2025-08-21T08:00:00Z", "authors": [{"name": "Morag Sillitoe"}, {"url": "x"}],
        "tags": ["Coast"], "language": "en",
    }  # fmt: skip
    [entry] = json_feed_entries(json_feed([item, "no item"]).encode(), BASE)
    assert entry.link == "https://news.example.org/ferry"
    assert entry.stated == {
        "title": "Ferry", "url": entry.link, "published": "2025-08-20T15:07:00+00:00",
        "updated": "2025-08-21T08:00:00+00:00", "authors": ["Morag Sillitoe"], "section": "Coast", "language": "en",
        "source": "Harbour Wire",
    }  # fmt: skip
    assert (entry.stamp, entry.key, entry.text) == ("2025-08-21T08:00:00Z", "7", {"text": (PARAGRAPH * 8).strip()})


def test_mail_address_is_no_author():
    [entry] = entries(rss([{"title": "Ferry", "link": "/a", "author": "desk@news.example.org"}]))
    assert "authors" not in entry.stated


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Wed, 20 Aug 2025 15:07:00 EDT", "2025-08-20T15:07:00-04:00"),
        ("20 Aug 2025 15:07 +0200", "2025-08-20T15:07:00+02:00"),
        ("2025-08-20", "2025-08-20"),
        ("Wed, 20 Aug 2999 15:07:00 GMT", None),
        ("soon", None),
    ],
)
def test_dates_keep_their_zone(written, read):
    [entry] = entries(rss([{"title": "Ferry", "link": "/a", "pubDate": written}]))
    assert entry.stated.get("published") == read


def test_stamp_changes_with_title_or_teaser_where_the_feed_has_no_update_time():
    first, again, other = (
        entries(rss([{"title": title, "link": "/a", "description": "Aground."}]))[0].stamp
        for title in ("Ferry", "Ferry", "Ferry afloat")
    )
    assert first == again != other


def test_long_description_is_the_text_and_a_teaser_is_not():
    teaser, whole = entries(
        rss([{"link": "/a", "description": PARAGRAPH * 2}, {"link": "/b", "description": f"<p>{PARAGRAPH * 20}</p>"}])
    )
    assert (teaser.text, whole.stated.get("summary")) == ({}, None)
    assert PARAGRAPH in whole.text["html"]


# Damaged feeds


def test_common_damage_is_mended():
    feed = (
        "\n<!-- made by hand --><rss><channel><title>Harbour</title>"
        "<item><title>Fish & chips &eacute;t&eacute; &bogus;</title><link>https://a.example/1?x=1&y=2</link>"
        f"<content:encoded><![CDATA[{WHOLE}]]></content:encoded></item>"
        "<item><title>Second</title><link>https://a.example/2</link></item></chan"
    )
    first, second = entries(feed)
    assert first.stated["title"] == "Fish & chips été &bogus;"
    assert first.link == "https://a.example/1?x=1&y=2"
    assert WHOLE in first.text["html"]
    assert second.link == "https://a.example/2"


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [("utf-8", "", None), ("latin-1", "iso-8859-1", None), ("cp1251", "", "windows-1251"), ("utf-16", "utf-16", None),
     ("utf-8", "no-such-thing", "utf-8"), ("utf-8", "base64", "idna")],
)  # fmt: skip
def test_encodings_of_feeds(encoding, declared, charset):
    title = "Паром" if encoding == "cp1251" else "Été"
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    feed = (
        f"{declaration}<rss version='2.0'><channel><item><title>{title}</title><link>/a</link></item></channel></rss>"
    )
    [entry] = entries(feed.encode(encoding), charset)
    assert entry.stated["title"] == title


BOMB = '<!DOCTYPE rss [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "feed",
    [
        rss([{"link": "/a"}], before=BOMB).replace("<item>", "<item><title>&a11;</title>"),
        rss([{"link": "/a"}], before=f'<!DOCTYPE rss [<!ENTITY a "{"a" * 50_000}">]>').replace(
            "<item>", f"<item><title>{'&a;' * 15_000}</title>"
        ),
        rss([{"link": "/a"}], before='<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/hostname">]>').replace(
            "<item>", "<item><title>&a;</title>"
        ),
        rss([{"link": "/a"}], before='<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/x.dtd">').replace(
            "<item>", "<item><title>&a;</title>"
        ),
    ],
    ids=["billion laughs", "quadratic", "file", "dtd"],
)
def test_entities_are_not_expanded(feed):
    began = time.monotonic()
    [entry] = entries(feed)
    assert time.monotonic() - began < 2
    assert len(entry.stated.get("title", "")) <= 2_000
    assert "ha" not in entry.stated.get("title", "")


@pytest.mark.parametrize(
    "inside",
    [
        "<a " * 100_000, '<a b="' * 100_000, "<a>" * 100_000, "<item>" * 100_000, "<a/>" * 200_000, "<!--" * 100_000,
        "<a " + " ".join(f'b{n}="1"' for n in range(20_000)) + "/>", "<![CDATA[" * 100_000, "&" * 100_000,
        "<item><author>" + "a." * 100_000 + "</author></item>", "\n" * 200_000, ("<a " * 5000 + ">") * 20,
    ],
    ids=lambda inside: inside[:12].strip() or "blank",
)  # fmt: skip
@pytest.mark.parametrize("where", ["inside", "before"])
def test_hostile_feeds_take_bounded_time(inside, where):
    began = time.monotonic()
    try:
        list(entries(rss([], **{where: inside})))
    except SourceError as error:
        assert str(error) in ("a damaged feed", "a feed with too much markup")
    assert time.monotonic() - began < 4


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("<>&;!?[]/=\"'aré \n\0", max_size=300).map(str.encode)))
def test_any_bytes_give_entries_or_a_reason(data):
    feed = b"<rss version='2.0'><channel><item><title>" + data + b"</title><link>/a</link></item></channel></rss>"
    for reading in (feed_entries, json_feed_entries):
        for content in (data, feed):
            try:
                assert all(isinstance(entry, Entry) for entry in reading(content, BASE))
            except SourceError as error:
                assert str(error).startswith("a ")


def test_damaged_json_feed_is_a_reason():
    for data in (b"{", b"[]", b'{"items": 3}', b"[" * 100_000, b""):
        with pytest.raises(SourceError, match="a damaged JSON Feed"):
            list(json_feed_entries(data, BASE))


# From the feed to the pages


def test_pages_of_a_feed_carry_what_the_feed_says(site, reader):
    site.put("/a", page("A"))
    site.put("/feed.xml", rss([{"link": "/a", "title": "From the feed"}]), RSS)
    [document] = reader.read(site.url("/feed.xml")).documents
    assert document.kind == "html"
    assert document.stated["title"] == "From the feed"
    assert document.stated["source"] == "Harbour Wire"


@pytest.mark.parametrize("kind", ["rss", "atom", "rdf", "json"])
def test_second_run_of_an_unchanged_feed_is_one_request(site, reader, kind):
    links = [site.url(f"/{number}") for number in range(4)]
    for link in links:
        site.put(link.removeprefix(site.url("")), page(link))
    feed = {
        "rss": lambda: rss([{"link": link, "title": link} for link in links]),
        "atom": lambda: atom([{"link": link, "title": link} for link in links]),
        "rdf": lambda: rdf([{"link": link, "title": link} for link in links]),
        "json": lambda: json_feed([{"url": link, "title": link} for link in links]),
    }[kind]()
    site.put("/feed", feed, "text/html", etag='"1"')
    assert len(reader.read(site.url("/feed")).documents) == 4
    assert len(site.requests) == 6  # robots.txt, the feed, four pages
    site.requests.clear()
    assert reader.read(site.url("/feed")).items == []
    assert site.paths == ["/feed"]


def test_changed_feed_costs_its_new_and_changed_pages(site, reader):
    def publish(*items: tuple[str, str]) -> None:
        site.put("/feed", rss([{"link": link, "title": title} for link, title in items]), RSS)

    for path in ("/a", "/b", "/c", "/d"):
        site.put(path, page(path), etag=f'"{path}"')
    publish(("/a", "A"), ("/b", "B"), ("/c", "C"))
    reader.read(site.url("/feed"))
    site.requests.clear()
    site.put("/b", page("B, updated"), etag='"new"')
    publish(("/a", "A"), ("/b", "B, updated"), ("/c", "C, not really"), ("/d", "D"))
    outcome = reader.read(site.url("/feed"))
    assert outcome.paths == ["/b", "/d"]
    assert site.paths == ["/feed", "/b", "/c", "/d"]  # /c is said to have changed: a conditional request
    site.requests.clear()
    reader.read(site.url("/feed"))
    assert site.paths == ["/feed"]


def test_receipt_of_the_feed_comes_last(site, reader):
    for path in ("/a", "/b"):
        site.put(path, page(path))
    site.put("/feed", rss([{"link": "/a"}, {"link": "/b"}, {"link": "/gone"}]), RSS, etag='"1"')
    outcome = reader.read(site.url("/feed"))
    assert outcome.items[-1] == outcome.receipts[-1]
    assert (outcome.receipts[-1].url, outcome.receipts[-1].etag) == (site.url("/feed"), '"1"')
    assert outcome.reasons == ["not found (404)"]  # nothing that another run would mend


def test_feed_is_read_again_while_a_page_may_still_come(site, reader):
    site.put("/a", status=503)
    site.put("/b", page("B"))
    site.put("/feed", rss([{"link": "/a"}, {"link": "/b"}]), RSS, etag='"1"')
    first = reader.read(site.url("/feed"))
    assert first.set_aside == [SetAside(site.url("/a"), "the server is not available (503)", site.url("/a"))]
    assert site.url("/feed") not in reader.receipts
    site.put("/a", page("A"))
    assert reader.read(site.url("/feed")).paths == ["/a"]
    assert site.url("/feed") in reader.receipts


def test_text_of_the_feed_stands_in_for_a_page_that_cannot_be_had(site, reader):
    site.put("/a", status=403)
    items = [
        {"link": "/a", "title": "Whole", "content:encoded": WHOLE, "guid": "1"},
        {"link": "/b", "title": "Teaser", "description": "Only this.", "guid": "2"},
    ]
    site.put("/feed", rss(items), RSS, etag='"1"')
    outcome = reader.read(site.url("/feed"))
    [document] = outcome.documents
    record = json.loads(document.data)
    assert (document.kind, document.source) == ("json", site.url("/a"))
    assert (record["url"], record["title"], record["source"]) == (site.url("/a"), "Whole", "Harbour Wire")
    assert WHOLE in record["html"]
    assert record["extra"] == {"text_from": site.url("/feed"), "page": "refused by the server (403)"}
    assert outcome.reasons == ["not found (404)"]
    site.requests.clear()
    site.put("/feed", rss(items, inside="<ttl>60</ttl>"), RSS)
    assert reader.read(site.url("/feed")).documents == []
    assert site.asked("/a") == 0


def test_feed_text_of_a_page_that_failed_in_passing_is_replaced_later(site, reader):
    site.put("/a", status=500)
    site.put("/feed", rss([{"link": "/a", "title": "A", "content:encoded": WHOLE}]), RSS, etag='"1"')
    assert [document.kind for document in reader.read(site.url("/feed")).documents] == ["json"]
    site.put("/a", page("A"))
    assert [document.kind for document in reader.read(site.url("/feed")).documents] == ["html"]


def test_entry_without_link_becomes_a_record(site, reader):
    items = [{"title": "No link", "guid": "urn:1", "content:encoded": WHOLE}, {"title": "Nothing", "guid": "urn:2"}]
    site.put("/feed", rss(items).replace("<guid>", '<guid isPermaLink="false">'), RSS)
    first = reader.read(site.url("/feed"))
    [document] = first.documents
    assert json.loads(document.data)["id"]
    assert first.reasons == ["no link and no text in the feed"]
    site.put("/feed", rss(items, inside="<ttl>60</ttl>").replace("<guid>", '<guid isPermaLink="false">'), RSS)
    assert reader.read(site.url("/feed")).documents == []


@pytest.mark.parametrize("link", ["data:text/html,<p>x</p>", "file:///etc/passwd", "ftp://127.0.0.1/a", "mailto:a@b.c"])
def test_links_that_are_no_web_address_are_refused(site, reader, link):
    site.put("/feed", rss([{"title": "A", "link": link}]), RSS)
    [aside] = reader.read(site.url("/feed")).set_aside
    assert aside.reason.startswith(f"no web address ({link[:5]}")
    assert aside.origin == site.url("/feed")


def test_feed_that_names_itself_or_another_feed_does_not_go_round(site, reader):
    site.put("/other", rss([{"link": "/feed"}]), RSS)
    site.put("/feed", rss([{"link": "/feed"}, {"link": "/other"}]), RSS)
    assert reader.read(site.url("/feed")).reasons == [
        "the feed or sitemap names itself", "a feed or sitemap, not a page",
    ]  # fmt: skip
    assert len(site.requests) == 3


def test_feed_that_is_redirected_to_a_file_is_refused(site, reader):
    site.put("/feed", status=302, headers={"Location": "file:///etc/passwd"})
    assert reader.read(site.url("/feed")).reasons == ["redirects to what is no web address (file:///etc/passwd)"]


def test_links_are_relative_to_where_the_feed_was_found(site, reader):
    site.put("/old/feed", status=301, headers={"Location": "/new/feed"})
    site.put("/new/feed", rss([{"link": "story"}]), RSS, etag='"1"')
    site.put("/new/story", page("A"))
    assert reader.read(site.url("/old/feed")).paths == ["/new/story"]
    site.requests.clear()
    assert reader.read(site.url("/old/feed")).documents == []
    assert site.paths == ["/old/feed", "/new/feed"]


def test_two_feeds_that_name_one_page_fetch_it_once(site, reader):
    site.put("/a", page("A"))
    for path in ("/1", "/2"):
        site.put(path, rss([{"link": "/a"}]), RSS)
    outcome = reader.read(site.url("/1"), site.url("/2"))
    assert (outcome.paths, site.asked("/a")) == (["/a"], 1)
    assert {site.url("/1"), site.url("/2")} <= reader.receipts.keys()


def test_entries_from_before_a_day_are_passed_over_until_they_are_wanted(site, reader):
    for path in ("/new", "/old", "/undated", "/updated"):
        site.put(path, page(path))
    site.put(
        "/feed",
        atom([
            {"link": "/new", "published": "2025-08-20T10:00:00Z"}, {"link": "/old", "published": "2025-07-01"},
            {"link": "/undated"}, {"link": "/updated", "published": "2024-01-01", "updated": "2025-08-21T00:00:00Z"},
        ]),
        etag='"1"',
    )  # fmt: skip
    assert reader.read(site.url("/feed"), since="2025-08-01").paths == ["/new", "/undated", "/updated"]
    site.requests.clear()
    assert reader.read(site.url("/feed"), since="2025-08-15").documents == []
    assert site.paths == ["/feed"]
    assert reader.read(site.url("/feed")).paths == ["/old"]  # the receipt stood for a part only
    site.requests.clear()
    assert reader.read(site.url("/feed"), since="2025-08-01").documents == []


def test_feed_may_be_a_gzip_file(site, reader):
    site.put("/a", page("A"))
    packed = gzip.compress(rss([{"link": "/a"}]).encode())
    site.put("/feed.gz", packed, "application/octet-stream")
    site.put("/cut.gz", packed[:-20], "application/octet-stream")
    site.put("/bomb.gz", gzip.compress(b"<rss>" + b" " * 17 * 2**20), "application/gzip")
    outcome = reader.read(*(site.url(path) for path in ("/feed.gz", "/cut.gz", "/bomb.gz")))
    assert (outcome.paths, outcome.reasons) == (["/a"], ["a damaged gzip file", "larger than 16 MiB"])


def test_defect_of_a_parser_costs_one_feed(site, reader, monkeypatch):
    def broken(*arguments: object, **options: object) -> None:
        raise KeyError("oh")

    site.put("/feed", rss([{"link": "/a"}]), RSS, etag='"1"')
    site.put("/b", page("B"))
    monkeypatch.setattr(feedparser, "parse", broken)
    outcome = reader.read(site.url("/feed"), site.url("/b"))
    assert (outcome.paths, outcome.reasons) == (["/b"], ["a damaged feed (KeyError in feedparser)"])
    assert site.url("/feed") not in reader.receipts


def test_page_that_is_a_pdf_is_set_aside_or_read_from_the_feed(site, reader):
    site.put("/a.pdf", b"%PDF-1.7", "application/pdf")
    site.put("/feed", rss([{"link": "/a.pdf", "title": "A"}]), RSS)
    assert reader.read(site.url("/feed")).reasons == ["not a page (application/pdf)"]


def test_reference_to_no_character_costs_a_feed_nothing_more():
    [entry] = entries(
        "<rss><channel><item><title>A&#xd800;b & c</title><link>https://e.org/a</link></item></channel></rss>"
    )
    assert entry.stated["title"] == "A\ufffdb & c"


def test_feed_that_feedparser_stumbles_over_is_damaged():
    nested = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><link rel='alternate' x=''><item><link>a</link></item></link>"
    )
    with pytest.raises(SourceError, match="a damaged feed"):
        entries(f"{nested}</entry></feed>")
