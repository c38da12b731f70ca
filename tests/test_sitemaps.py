"""Sitemaps: pages out of them, indexes of them, and a million addresses in flat memory."""

import gzip
import io
import random
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from news_site import Reader, Site, news_sitemap, page, rss, sitemap, sitemap_index

from index.errors import SourceError
from index.fetching import sitemaps as sitemaps_module
from index.fetching.entries import Entry, Part, vouching
from index.fetching.sitemaps import listed_entries, sitemap_entries

BASE = "https://news.example.org/sitemap.xml"
LONG_AGO = "2025-01-02T03:04:05Z"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture
def reader() -> Reader:
    return Reader()


def entries(content: str | bytes) -> list[Entry | Part]:
    return list(sitemap_entries(io.BytesIO(content.encode() if isinstance(content, str) else content), BASE))


# What a sitemap says


def test_fields_of_a_news_sitemap():
    [entry] = entries(
        news_sitemap(
            [
                {
                    "loc": "https://news.example.org/a?x=1&y=2",
                    "title": "Ferry & crew",
                    "published": "2025-08-20T10:00:00+02:00",
                }
            ]
        )
    )
    assert entry.link == "https://news.example.org/a?x=1&y=2"  # and not the picture's
    assert entry.stated == {
        "title": "Ferry & crew", "source": "Harbour Wire", "language": "en", "published": "2025-08-20T10:00:00+02:00",
        "url": entry.link,
    }  # fmt: skip
    assert entry.day == "2025-08-20"
    assert entry.stamp


def test_fields_of_a_sitemap_and_of_an_index():
    assert entries(sitemap([{"loc": "/a", "lastmod": LONG_AGO}, "/b"])) == [
        Entry("https://news.example.org/a", LONG_AGO, "2025-01-02", {"url": "https://news.example.org/a"}),
        Entry("https://news.example.org/b", stated={"url": "https://news.example.org/b"}),
    ]
    assert entries(sitemap_index([{"loc": "/1.xml", "lastmod": "2025-01-02"}])) == [
        Part("https://news.example.org/1.xml", "2025-01-02", "2025-01-02")
    ]


def test_common_damage_is_mended():
    first, second = "<url><loc>/a?x=1&y=2</loc></url>", "<url><loc><![CDATA[/b?x=1&y=2]]></loc></url>"
    found = entries(
        f"<urlset>{first}{second}<url><loc>\n/c\n</loc><lastmod/></url><url><loc>/d</loc></url><url><loc>/e"
    )
    assert [entry.link.removeprefix("https://news.example.org") for entry in found[:4]] == [
        "/a?x=1&y=2", "/b?x=1&y=2", "/c", "/d",
    ]  # fmt: skip


@pytest.mark.parametrize("length", range(sitemaps_module._CHUNK_BYTES - 12, sitemaps_module._CHUNK_BYTES + 12, 3))
def test_reference_that_is_cut_between_two_chunks_is_whole(length):
    before = "<urlset><!--"
    [entry] = entries(
        f"{before}{'x' * (length - len(before) - 20)}--><url><loc>/a?é=1&amp;b=2&c=3</loc></url></urlset>"
    )
    assert entry.link == "https://news.example.org/a?é=1&b=2&c=3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "base64"])
def test_encodings_of_sitemaps(encoding):
    text = news_sitemap([{"loc": "/a", "title": "Été", "published": "2025-08-20"}])
    declared, encoding = encoding.removesuffix("-sig"), "utf-8" if encoding == "base64" else encoding
    [entry] = entries(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding))
    assert entry.stated["title"] == "Été"


def test_entities_are_not_expanded():
    bomb = '<!DOCTYPE urlset [<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    ) + '<!ENTITY file SYSTEM "file:///etc/hostname">]>'  # fmt: skip
    for encoding in ("utf-8", "utf-16"):
        began = time.monotonic()
        text = f"{bomb}<urlset><url><loc>/a&a11;&file;</loc></url></urlset>"
        [entry] = entries(text.encode(encoding))
        assert time.monotonic() - began < 1
        assert "haha" not in entry.link
        assert len(entry.link) < 60


@pytest.mark.parametrize(
    "inside",
    ["<a " * 100_000, '<a b="' * 100_000, "<url>" * 100_000, "<!--" * 100_000, "<url/>" * 100_000, "&" * 300_000,
     ("<a " * 5000 + ">") * 20, "<loc>" + "x" * 300_000, "<url><loc>" + "x>" * 300_000, "<a b='1'" * 50_000 + ">"],
    ids=lambda inside: inside[:12],
)  # fmt: skip
def test_hostile_sitemaps_take_bounded_time(inside):
    began = time.monotonic()
    try:
        entries(f"<urlset>{inside}</urlset>")
    except SourceError as error:
        assert str(error) == "a damaged sitemap"
    assert time.monotonic() - began < 3


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("<>&;!?[]/=\"'uré \n\0", max_size=300).map(str.encode)))
def test_any_bytes_give_entries_or_a_reason(data):
    for content in (data, b"<urlset><url><loc>" + data + b"</loc></url></urlset>", b"\x1f\x8b" + data):
        for reading in (sitemap_entries, listed_entries):
            try:
                assert all(isinstance(entry, (Entry, Part)) for entry in reading(io.BytesIO(content), BASE))
            except SourceError as error:
                assert "damaged" in str(error)


def test_gzip_bomb_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(sitemaps_module, "MAX_SITEMAP_BYTES", 2**18)
    bomb = gzip.compress(b"<urlset>" + b"<url><loc>/a</loc></url>" * 20_000)
    found = sitemap_entries(io.BytesIO(bomb), BASE)
    with pytest.raises(SourceError, match="a sitemap larger than"):
        list(found)


def test_memory_is_flat_whatever_the_length():
    def peak(count: int) -> int:
        with tempfile.TemporaryFile() as file:
            file.write(b"<urlset>")
            for number in range(count):
                file.write(b"<url><loc>https://a.example/story/%d</loc><lastmod>2025-01-01</lastmod></url>" % number)
            file.write(b"</urlset>")
            tracemalloc.start()
            assert sum(1 for _ in sitemap_entries(file, BASE)) == count
            top = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return top

    peak(100)
    assert peak(4_000) < 1.2 * peak(1_000)


# From the sitemap to the pages


def test_pages_of_a_news_sitemap_carry_what_it_says(site, reader):
    site.put("/a", page("A"))
    site.put("/news.xml", news_sitemap([{"loc": site.url("/a"), "title": "Ferry", "published": LONG_AGO}]), "text/xml")
    [document] = reader.read(site.url("/news.xml")).documents
    assert document.stated["title"] == "Ferry"
    assert document.stated["published"] == "2025-01-02T03:04:05+00:00"


def test_index_is_followed_to_its_sitemaps_packed_or_not(site, reader):
    for path in ("/a", "/b", "/c", "/d"):
        site.put(path, page(path))
    site.put(
        "/index.xml",
        sitemap_index([site.url(path) for path in ("/1.xml.gz", "/2.xml", "/3.txt", "/4.rss")]),
        "text/xml",
    )
    site.put("/1.xml.gz", gzip.compress(sitemap([site.url("/a")]).encode()), "application/x-gzip")
    site.put(
        "/2.xml", gzip.compress(sitemap([site.url("/b")]).encode()), "text/xml", headers={"Content-Encoding": "gzip"}
    )
    site.put("/3.txt", site.url("/c") + "\n", "text/plain")
    site.put("/4.rss", rss([{"link": "/d"}]), "application/rss+xml")
    assert reader.read(site.url("/index.xml")).paths == ["/a", "/b", "/c", "/d"]


def test_second_run_of_an_index_that_dates_its_sitemaps_is_one_request(site, reader):
    site.put("/a", page("A"))
    site.put("/1.xml", sitemap([{"loc": site.url("/a"), "lastmod": LONG_AGO}]), "text/xml")
    index = sitemap_index([{"loc": site.url("/1.xml"), "lastmod": LONG_AGO}])
    site.put("/index.xml", index, "text/xml", etag='"1"')
    outcome = reader.read(site.url("/index.xml"))
    assert [receipt.url for receipt in outcome.receipts[-2:]] == [site.url("/1.xml"), site.url("/index.xml")]
    site.requests.clear()
    assert reader.read(site.url("/index.xml")).items == []
    assert site.paths == ["/index.xml"]


def test_index_that_changed_costs_only_sitemaps_that_changed(site, reader):
    def publish(second: str) -> None:
        parts = [{"loc": site.url("/1.xml"), "lastmod": LONG_AGO}, {"loc": site.url("/2.xml"), "lastmod": second}]
        site.put("/index.xml", sitemap_index(parts), "text/xml")

    for path in ("/a", "/b", "/c"):
        site.put(path, page(path))
    site.put("/1.xml", sitemap([{"loc": site.url("/a"), "lastmod": LONG_AGO}]), "text/xml")
    site.put("/2.xml", sitemap([{"loc": site.url("/b"), "lastmod": LONG_AGO}]), "text/xml")
    publish("2025-01-03")
    reader.read(site.url("/index.xml"))
    site.requests.clear()
    urls = [{"loc": site.url(path), "lastmod": LONG_AGO} for path in ("/b", "/c")]
    site.put("/2.xml", sitemap(urls), "text/xml")
    publish("2025-01-04")
    assert reader.read(site.url("/index.xml")).paths == ["/c"]
    assert site.paths == ["/index.xml", "/2.xml", "/c"]


def test_index_that_does_not_date_its_sitemaps_is_looked_into_each_time(site, reader):
    for path in ("/a", "/b"):
        site.put(path, page(path))
    site.put("/index.xml", sitemap_index([site.url("/1.xml")]), "text/xml", etag='"i"')
    site.put("/1.xml", sitemap([site.url("/a")]), "text/xml", etag='"1"')
    reader.read(site.url("/index.xml"))
    site.requests.clear()
    assert reader.read(site.url("/index.xml")).documents == []
    assert site.paths == ["/index.xml", "/1.xml"]  # and 304 for the second
    site.put("/1.xml", sitemap([site.url("/a"), site.url("/b")]), "text/xml", etag='"2"')
    assert reader.read(site.url("/index.xml")).paths == ["/b"]


def test_page_is_fetched_again_when_its_lastmod_changes(site, reader):
    site.put("/a", page("A"), etag='"1"')
    for lastmod, requests in [(LONG_AGO, 1), (LONG_AGO, 1), ("2025-02-01T00:00:00Z", 2)]:
        site.put("/1.xml", sitemap([{"loc": site.url("/a"), "lastmod": lastmod}]) + " " * requests, "text/xml")
        reader.read(site.url("/1.xml"))
        assert site.asked("/a") == requests


def test_day_that_is_not_over_vouches_for_nothing():
    noon = datetime(2025, 8, 20, 13, tzinfo=UTC).timestamp()
    assert vouching("2025-08-20", noon) is None
    assert vouching("2025-08-19", noon) == "2025-08-19"  # over on the last island, at noon in Greenwich
    assert vouching("2025-08-19", noon - 2 * 3600) is None
    assert vouching("2025-08-20T12:00:00Z", noon) == "2025-08-20T12:00:00Z"


def test_page_that_changed_today_is_asked_again_today(site, reader):
    today = datetime.now(UTC).date().isoformat()
    site.put("/a", page("A"), etag='"1"')
    site.put("/1.xml", sitemap([{"loc": site.url("/a"), "lastmod": today}]), "text/xml")
    reader.read(site.url("/1.xml"))
    site.put("/1.xml", sitemap([{"loc": site.url("/a"), "lastmod": today}]) + " ", "text/xml")
    site.put("/a", page("A, updated"), etag='"2"')
    assert reader.read(site.url("/1.xml")).paths == ["/a"]


def test_since_passes_over_old_sitemaps_and_old_entries(site, reader):
    for path in ("/a", "/b", "/c"):
        site.put(path, page(path))
    parts = [
        {"loc": site.url("/old.xml"), "lastmod": "2024-12-31"},
        {"loc": site.url("/new.xml"), "lastmod": "2025-08-01"},
    ]
    site.put("/index.xml", sitemap_index(parts), "text/xml")
    site.put("/old.xml", sitemap([site.url("/c")]), "text/xml")
    urls = [{"loc": site.url("/a"), "lastmod": "2025-07-01"}, {"loc": site.url("/b"), "lastmod": "2025-01-01"}]
    site.put("/new.xml", sitemap(urls), "text/xml")
    assert reader.read(site.url("/index.xml"), since="2025-06-01").paths == ["/a"]
    assert site.asked("/old.xml") == 0
    assert reader.read(site.url("/index.xml")).paths == ["/c", "/b"]


def test_index_that_names_itself_does_not_go_round(site, reader):
    site.put("/index.xml", sitemap_index([site.url("/index.xml"), site.url("/other.xml")]), "text/xml")
    site.put("/other.xml", sitemap_index([site.url("/index.xml")]), "text/xml")
    assert reader.read(site.url("/index.xml")).reasons == ["the sitemap index names itself"] * 2
    assert len(site.requests) == 3


def test_indexes_within_indexes_end_somewhere(site, reader):
    for number in range(10):
        site.put(f"/{number}.xml", sitemap_index([site.url(f"/{number + 1}.xml")]), "text/xml")
    assert reader.read(site.url("/0.xml")).reasons == ["more than 3 sitemap indexes above it"]


def test_page_that_an_index_names_is_no_sitemap(site, reader):
    site.put("/index.xml", sitemap_index([site.url("/a")]), "text/xml")
    site.put("/a", page("Not found"))
    assert reader.read(site.url("/index.xml")).reasons == ["a page, not a sitemap"]


def test_sitemap_that_breaks_off_gives_what_can_be_read_and_is_read_again(site, reader):
    for path in ("/a", "/b"):
        site.put(path, page(path))
    noise = random.Random(0).randbytes(150_000).hex(">", 1000)  # hardly packed: the cut is in there
    padding = f"<!--{noise}-->"
    whole = sitemap([site.url("/a"), site.url("/b")]).replace("</urlset>", f"{padding}</urlset>")
    site.put("/1.xml.gz", gzip.compress(whole.encode())[:-200], "application/gzip", etag='"1"')
    outcome = reader.read(site.url("/1.xml.gz"))
    assert (outcome.paths, outcome.reasons) == (["/a", "/b"], ["a damaged gzip file"])
    assert site.url("/1.xml.gz") not in reader.receipts


def test_sitemap_of_known_pages_is_gone_through_without_requests_in_flat_memory(site, reader):
    """What an archive of hundreds of thousands of pages costs when one of them is new."""
    count = 10_000
    urls = [{"loc": site.url(f"/{number}"), "lastmod": LONG_AGO} for number in range(count)]
    site.put("/1.xml", sitemap(urls), "text/xml")
    site.put(f"/{count - 1}", page("New"))

    class Known(dict):
        def get(self, url, default=None):
            from index.article import Receipt

            return (
                Receipt(url, stamp=LONG_AGO)
                if url.rpartition("/")[2].isdecimal() and not url.endswith("9999")
                else None
            )

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader.receipts = Known()
    assert reader.read(site.url("/1.xml")).paths == [f"/{count - 1}"]
    assert len(site.requests) == 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024


@pytest.mark.parametrize("reference", ["&#xd800;", "&#55296;", "&#0;", "&#xffff;", "&#x110000;"])
def test_reference_to_no_character_costs_its_entry_nothing_more(reference):
    found = entries(
        f"<urlset><url><loc>https://e.org/a{reference}</loc></url><url><loc>https://e.org/b</loc></url></urlset>"
    )
    assert [entry.link for entry in found] == ["https://e.org/a\ufffd", "https://e.org/b"]
