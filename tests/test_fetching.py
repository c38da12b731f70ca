"""Reading from the web, on a site of our own that behaves and misbehaves."""

import gzip
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import brotli
import news_site
import pytest
from news_site import LOOPBACK, Reader, Site, page, rss

from index.article import SetAside
from index.fetching import FetchSettings, documents_from_web
from index.fetching import crawl as crawl_module
from index.fetching import hosts as hosts_module
from index.fetching.kinds import kind_of, root_element

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture
def reader() -> Reader:
    return Reader()


def feed_of(site: Site, *links: str, **details: object) -> str:
    site.put("/feed.xml", rss([{"link": link, "title": link} for link in links]), "application/rss+xml", **details)
    return site.url("/feed.xml")


# Pages


def test_page_becomes_a_document_with_what_the_server_said_of_it(site, reader):
    site.put("/ferry.html", page("Ferry").encode("cp1252"), "text/html; charset=Windows-1252")
    [document] = reader.read(site.url("/ferry.html")).documents
    assert (document.kind, document.charset) == ("html", "windows-1252")
    assert document.source == document.origin == document.url == site.url("/ferry.html")
    assert document.data == page("Ferry").encode("cp1252")
    assert document.weight == len(document.data)


def test_plain_text_and_json_are_documents_of_their_kinds(site, reader):
    site.put("/a.txt", "Ferry runs aground\n\nNobody was hurt.", "text/plain")
    site.put("/b.json", '{"text": "Nobody was hurt."}', "application/json")
    documents = reader.read(site.url("/a.txt"), site.url("/b.json")).documents
    assert [document.kind for document in documents] == ["text", "json"]


@pytest.mark.parametrize(
    ("body", "type", "reason"),
    [
        (PDF, "application/pdf", "not a page (application/pdf)"),
        (PDF, "text/html", "not a page (text/html)"),
        (b"\x89PNG\r\n", "image/png", "not a page (image/png)"),
        (b"<nitf><body/></nitf>", "application/xml", "XML that is no page, feed or sitemap (<nitf>)"),
        (b"", "text/html", "empty"),
    ],
)
def test_what_is_no_page_is_set_aside(site, reader, body, type, reason):
    site.put("/thing", body, type)
    assert reader.read(site.url("/thing")).set_aside == [SetAside(site.url("/thing"), reason, site.url("/thing"))]


def test_video_is_refused_by_its_type_before_it_is_loaded(site, reader):
    def endless_video(handler, body):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        time.sleep(3)

    site.put("/film", misbehaves=endless_video)
    began = time.monotonic()
    assert reader.read(site.url("/film")).reasons == ["not a page (video/mp4)"]
    assert time.monotonic() - began < 2


def test_same_address_is_fetched_once_whatever_its_tracking_marks(site, reader):
    site.put("/a", page("A"))
    site.put("/a?utm_source=rss", page("A"))
    outcome = reader.read(feed_of(site, "/a?utm_source=rss", "/a", "/a#comments"))
    assert len(outcome.documents) == 1
    assert not outcome.set_aside


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate"])
def test_packed_bodies_are_unpacked(site, reader, packing):
    import zlib

    pack = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress}[packing]
    site.put("/a", pack(page("A").encode()), headers={"Content-Encoding": packing})
    [document] = reader.read(site.url("/a")).documents
    assert document.data == page("A").encode()
    assert packing in site.requests[-1].headers["Accept-Encoding"]


def test_request_says_who_asks(site, reader):
    site.put("/a", page("A"))
    reader.read(site.url("/a"))
    assert all(request.headers["User-Agent"].startswith("Dateline/") for request in site.requests)


@pytest.mark.parametrize(
    "link", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://", "http://127.0.0.1:99999/", "no"]
)
def test_other_addresses_are_refused(reader, link):
    [aside] = reader.read(link).set_aside
    assert aside.reason.startswith("no web address")


# A second run


def test_unchanged_page_is_not_read_again(site, reader):
    site.put("/a", page("A"), etag='"1"')
    site.put("/b", page("B"), last_modified="Wed, 20 Aug 2025 10:00:00 GMT")
    site.put("/c", page("C"))  # no validator: by a hash of the body
    urls = [site.url(path) for path in ("/a", "/b", "/c")]
    assert len(reader.read(*urls).documents) == 3
    site.requests.clear()
    assert reader.read(*urls).items == []
    assert site.paths == ["/a", "/b", "/c"]  # and no robots.txt
    site.put("/a", page("A, updated"), etag='"2"')
    site.put("/c", page("C, updated"))
    assert reader.read(*urls).paths == ["/a", "/c"]


def test_receipt_of_a_page_follows_its_document(site, reader):
    site.put("/a", page("A"), etag='"1"')
    document, receipt = reader.read(site.url("/a")).items[-2:]
    assert (document.source, receipt.url, receipt.etag) == (site.url("/a"), site.url("/a"), '"1"')


def test_page_that_failed_leaves_no_receipt(site, reader):
    outcome = reader.read(site.url("/gone"))
    assert outcome.reasons == ["not found (404)"]
    assert [receipt.url for receipt in outcome.receipts] == [site.url("/robots.txt")]


# robots.txt


def test_robots_are_obeyed(site, reader):
    site.put("/robots.txt", "User-agent: *\nDisallow: /private/\n\nUser-agent: dateline\nDisallow: /no", "text/plain")
    for path in ("/private/a", "/no", "/yes"):
        site.put(path, page(path))
    outcome = reader.read(*(site.url(path) for path in ("/private/a", "/no", "/yes")))
    assert outcome.paths == ["/private/a", "/yes"]  # the group that names us is the one that counts
    assert outcome.reasons == ["robots.txt does not allow it"]
    assert site.asked("/no") == 0


def test_robots_are_asked_once_in_a_day_and_conditionally_after_it(site, reader):
    site.put("/robots.txt", "User-agent: *\nDisallow: /no", "text/plain", etag='"r"')
    site.put("/a", page("A"))
    for hours, asked in [(0, 1), (23, 1), (2, 2), (3, 2)]:
        reader.clock.pass_by(hours * 3600)
        outcome = reader.read(site.url("/a"), site.url("/no"))
        assert site.asked("/robots.txt") == asked
        assert outcome.reasons == ["robots.txt does not allow it"]
    assert site.requests[-1].headers.get("If-None-Match") is None
    assert any(request.headers.get("If-None-Match") == '"r"' for request in site.requests)


def test_missing_robots_allow_everything_and_that_is_remembered(site, reader):
    site.put("/a", page("A"))
    for _ in range(2):
        reader.read(site.url("/a"))
    assert site.asked("/robots.txt") == 1


def test_robots_that_cannot_be_read_forbid_everything_for_now(site, reader):
    site.put("/robots.txt", status=503)
    site.put("/a", page("A"))
    outcome = reader.read(site.url("/a"), retries=1)
    assert outcome.reasons == ["robots.txt cannot be read: the server is not available (503)"]
    assert outcome.receipts == []
    assert (site.asked("/robots.txt"), site.asked("/a")) == (2, 0)


def test_old_robots_serve_while_new_ones_cannot_be_read(site, reader):
    site.put("/robots.txt", "User-agent: *\nDisallow: /no", "text/plain")
    site.put("/a", page("A"))
    reader.read(site.url("/a"))
    site.put("/robots.txt", status=500)
    site.put("/b", page("B"))
    reader.clock.pass_by(48 * 3600)
    outcome = reader.read(site.url("/b"), site.url("/no"))
    assert (outcome.paths, outcome.reasons) == (["/b"], ["robots.txt does not allow it"])


def test_robots_redirect_is_followed(site, reader):
    site.put("/robots.txt", status=301, headers={"Location": "/real-robots"})
    site.put("/real-robots", "User-agent: *\nDisallow: /", "text/plain")
    assert reader.read(site.url("/a")).reasons == ["robots.txt does not allow it"]


def test_crawl_delay_is_honoured_up_to_a_cap(site, reader):
    for asked, kept in [("5", 5), ("3600", 30)]:
        reader.receipts.clear()
        site.put("/robots.txt", f"User-agent: *\nCrawl-delay: {asked}", "text/plain")
        for path in ("/a", "/b"):
            site.put(path, page(path))
        reader.clock.waited.clear()
        reader.read(site.url("/a"), site.url("/b"))
        assert max(reader.clock.waited) == pytest.approx(kept, abs=0.2)


# One host after the other request, several hosts at a time


def test_requests_to_one_host_keep_their_distance(site):
    for path in ("/a", "/b", "/c"):
        site.put(path, page(path))
    urls = [site.url(path) for path in ("/a", "/b", "/c")]
    list(documents_from_web(urls, lambda url: None, FetchSettings(delay=0.2, networks=LOOPBACK)))
    asked = {request.path: request.at for request in site.requests}
    assert asked["/b"] - asked["/a"] >= 0.2
    assert asked["/c"] - asked["/b"] >= 0.2


def test_hosts_are_read_beside_each_other(reader):
    meeting = threading.Barrier(3)

    def wait_for_the_others(handler, body):
        meeting.wait(5)  # broken, and so without an answer, unless all three are asked at a time
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body)

    with Site() as first, Site() as second, Site() as third:
        sites = (first, second, third)
        for one in sites:
            one.put("/a", page("A"), misbehaves=wait_for_the_others)
        outcome = reader.read(*(one.url("/a") for one in sites))
    assert len(outcome.documents) == 3


def test_slow_host_keeps_no_other_waiting_and_order_within_a_host_stays(site, reader):
    with Site() as slow:
        slow.put("/slow", misbehaves=news_site.silence(0.6))
        links = [f"/{number}" for number in range(40)]
        for link in links:
            site.put(link, page(link))
        began = time.monotonic()
        outcome = reader.read(slow.url("/slow"), feed_of(site, *links), read_timeout=0.5)
        assert time.monotonic() - began < 3
    assert outcome.paths == links
    assert outcome.reasons == ["no answer within 0.5 s"]


def test_more_feeds_than_are_open_at_a_time_all_come(site, reader, monkeypatch):
    monkeypatch.setattr(crawl_module, "_MOST_OPEN", 2)
    for number in range(7):
        site.put(f"/{number}.xml", rss([{"link": f"/{number}"}]), "application/rss+xml")
        site.put(f"/{number}", page(str(number)))
    outcome = reader.read(*(site.url(f"/{number}.xml") for number in range(7)))
    assert sorted(outcome.paths) == [f"/{number}" for number in range(7)]


def test_connection_is_used_again(site, reader):
    links = [f"/{number}" for number in range(10)]
    site.put("/robots.txt", "", "text/plain")
    for link in links:
        site.put(link, page(link), etag='"1"')
    feed = feed_of(site, *links)
    reader.read(feed)
    reader.read(*(site.url(link) for link in links))  # not modified, all of them
    assert site.connections == 2


def test_many_hosts_share_few_threads(reader):
    sites = [Site() for _ in range(5)]
    for one in sites:
        one.__enter__()
        for path in ("/a", "/b"):
            one.put(path, page(path))
    try:
        outcome = reader.read(*(one.url(path) for one in sites for path in ("/a", "/b")), hosts=2)
    finally:
        for one in sites:
            one.__exit__()
    assert sorted(outcome.paths) == ["/a"] * 5 + ["/b"] * 5


# Failures that pass, and failures that do not


def test_server_that_failed_is_asked_again_after_a_while(site, reader):
    site.put("/a", status=500)
    site.then("/a", status=503)
    site.then("/a", page("A"))
    outcome = reader.read(site.url("/a"), retries=2)
    assert outcome.paths == ["/a"]
    first, second = [wait for wait in reader.clock.waited if wait > 1.5]
    assert 1.9 <= first <= 3 and 3.9 <= second <= 6


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(site, reader, as_date):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    site.put("/a", status=429, headers={"Retry-After": later if as_date else "50"})
    site.then("/a", page("A"))
    assert reader.read(site.url("/a"), retries=1).paths == ["/a"]
    assert max(reader.clock.waited) == pytest.approx(50, abs=2)


def test_host_that_wants_to_be_left_alone_for_long_is_left_for_another_run(site, reader):
    site.put("/a", status=429, headers={"Retry-After": "86400"})
    site.put("/b", page("B"))
    outcome = reader.read(site.url("/a"), site.url("/b"), retries=3)
    assert outcome.reasons[0] == "too many requests (429)"
    assert outcome.reasons[1].endswith("asks to be left alone for 86400 s")
    assert (site.asked("/a"), site.asked("/b")) == (1, 0)
    assert max(reader.clock.waited, default=0) < 2


def test_host_that_is_down_is_given_up_and_the_feed_is_read_again(site, reader):
    links = [f"/{number}" for number in range(100)]
    for link in links:
        site.put(link, status=502)
    outcome = reader.read(feed_of(site, *links, etag='"1"'))
    assert sum(site.asked(link) for link in links) == 5
    assert any("failed 5 times in a row: the rest is left for another run" in reason for reason in outcome.reasons)
    assert len(outcome.set_aside) < 50
    assert site.url("/feed.xml") not in reader.receipts


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "needs a login"), (402, "needs a subscription"), (403, "refused by the server"), (404, "not found"),
     (410, "taken down"), (451, "withheld for legal reasons"), (418, "no page")],
)  # fmt: skip
def test_refusals_are_not_tried_again(site, reader, status, reason):
    site.put("/a", status=status)
    assert reader.read(site.url("/a"), retries=3).reasons == [f"{reason} ({status})"]
    assert site.asked("/a") == 1


@pytest.mark.parametrize(
    ("misbehaves", "reason"),
    [
        (news_site.silence(0.7), "no answer within 0.3 s"),
        (news_site.trickle(0.05), "not finished after 0.5 s"),
        (news_site.trickle_headers(0.05), "not finished after 0.5 s"),
        (news_site.hang_up, "the connection broke off"),
        (news_site.gibberish, "the connection broke off"),
    ],
)
def test_server_that_does_not_finish_takes_bounded_time(site, reader, misbehaves, reason):
    site.put("/a", page("A"), misbehaves=misbehaves)
    site.put("/b", page("B"))
    began = time.monotonic()
    outcome = reader.read(site.url("/a"), site.url("/b"), read_timeout=0.3, deadline=0.5)
    assert time.monotonic() - began < 2
    assert (outcome.reasons, outcome.paths) == ([reason], ["/b"])


def test_nobody_there_is_a_reason(reader):
    with Site() as gone:
        url = gone.url("/a")
    [aside] = reader.read(url).set_aside
    assert aside.reason == "robots.txt cannot be read: no connection to 127.0.0.1"


def test_too_large_a_page_is_refused_while_it_is_loaded(site, reader):
    site.put("/a", b"x" * 100_000, misbehaves=news_site.endless)
    site.put("/b", page("B"))
    outcome = reader.read(feed_of(site, "/a", "/b"), max_bytes=2**20)
    assert (outcome.reasons, outcome.paths) == (["larger than 1 MiB"], ["/b"])


@pytest.mark.parametrize("packing", ["gzip", "br"])
def test_bomb_is_unpacked_no_further_than_the_limit(site, reader, packing):
    pack = gzip.compress if packing == "gzip" else partial(brotli.compress, quality=1)
    site.put("/bomb", pack(bytes(60 * 2**20)), headers={"Content-Encoding": packing})
    assert reader.read(feed_of(site, "/bomb"), max_bytes=2**20).reasons == ["larger than 1 MiB"]


def test_damaged_packing_is_a_reason(site, reader):
    site.put("/a", b"\x1f\x8b\x08 this is no gzip", headers={"Content-Encoding": "gzip"})
    site.put("/b", page("B"), headers={"Content-Encoding": "zstd"})
    assert reader.read(site.url("/a"), site.url("/b")).reasons == [
        "damaged: cannot be unpacked", "packed in a way that Dateline does not read (zstd)",
    ]  # fmt: skip


# Redirects


def test_redirect_is_followed_and_the_document_says_where_it_led(site, reader):
    site.put("/old", status=301, headers={"Location": "/new"})
    site.put("/new", page("A"), etag='"1"')
    outcome = reader.read(feed_of(site, "/old"))
    [document] = outcome.documents
    assert (document.source, document.url) == (site.url("/old"), site.url("/new"))
    assert {receipt.url: receipt.etag for receipt in outcome.receipts}[site.url("/new")] == '"1"'


def test_redirect_to_another_host_asks_that_host_for_its_rules(site, reader):
    with Site() as other:
        site.put("/a", status=302, headers={"Location": other.url("/private")})
        site.put("/b", status=302, headers={"Location": other.url("/open")})
        other.put("/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
        other.put("/open", page("B"))
        outcome = reader.read(site.url("/a"), site.url("/b"))
        assert outcome.reasons == ["robots.txt does not allow it"]
        assert [document.url for document in outcome.documents] == [other.url("/open")]
        assert other.paths == ["/robots.txt", "/open"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/a", "redirects in a circle"),
        ("file:///etc/passwd", "redirects to what is no web address (file:///etc/passwd)"),
        ("javascript:alert(1)", "redirects to what is no web address (javascript:alert(1))"),
    ],
)
def test_redirects_that_lead_nowhere_are_refused(site, reader, location, reason):
    site.put("/a", status=302, headers={"Location": location})
    assert reader.read(site.url("/a")).reasons == [reason]


def test_redirects_without_end_are_left(site, reader):
    for number in range(20):
        site.put(f"/{number}", status=302, headers={"Location": f"/{number + 1}"})
    assert reader.read(site.url("/0")).reasons == ["more than 5 redirects"]
    assert len(site.requests) == 7  # robots.txt, the first, five redirects


def test_circle_of_two_is_seen(site, reader):
    site.put("/a", status=307, headers={"Location": "/b"})
    site.put("/b", status=308, headers={"Location": "/a"})
    assert reader.read(site.url("/a")).reasons == ["redirects in a circle"]


# The end of a run


def test_run_that_is_left_early_closes_what_is_open(site):
    site.put("/a", page("A"))
    site.put("/slow", misbehaves=news_site.silence(30))
    before = threading.active_count()
    with Site() as other:
        other.put("/a", page("A"))
        settings = FetchSettings(networks=LOOPBACK)
        items = documents_from_web([other.url("/a"), site.url("/slow")], lambda url: None, settings)
        next(items)
        began = time.monotonic()
        items.close()
        assert time.monotonic() - began < 1.5
    fetching = [thread for thread in threading.enumerate() if thread.name.startswith("fetching")]
    assert not fetching, (before, fetching)


def test_defect_of_our_own_costs_one_document(site, reader, monkeypatch):
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("oh")

    site.put("/a", page("A"))
    monkeypatch.setattr(hosts_module, "read_robots", broken)
    assert reader.read(site.url("/a")).reasons == ["unexpected ZeroDivisionError while fetching: oh"]


# What came back


@pytest.mark.parametrize(
    ("start", "type", "kind"),
    [
        (b"<!doctype html><html>", "text/html", "html"),
        (b"\n\n<p>A paragraph", "text/html", "html"),
        (b"Ferry runs aground", "text/html", "html"),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x' 'y'><html xmlns='z'>", "application/xml", "html"),
        (b"<?xml version='1.0'?>\n<!-- <rss> --><rss version='2.0'>", "text/html", "feed"),
        ("<feed xmlns='http://www.w3.org/2005/Atom'>".encode("utf-16"), "text/plain", "feed"),
        (b"\xef\xbb\xbf<rdf:RDF>", "application/octet-stream", "feed"),
        (b"<!DOCTYPE x [<!ENTITY a '<rss>'>] ><urlset>", "text/xml", "sitemap"),
        (b"<sm:sitemapindex>", "text/xml", "sitemap"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": []}', "text/plain", "json feed"),
        (b'{"version":"https:\\/\\/jsonfeed.org\\/version\\/1.1"}', "application/json", "json feed"),
        (b'[{"text": "Nobody was hurt."}]', "application/json", "json"),
        (b"https://a.example/1\r\nhttps://a.example/2\r\n", "text/plain", "list of urls"),
        (b"Ferry runs aground\n\nhttps://a.example/1", "text/plain", "text"),
    ],
)
def test_kind_is_seen_in_what_came_not_in_its_name(start, type, kind):
    assert kind_of(start, type) == kind


@pytest.mark.parametrize("text", ["<!--", "<?xml", "<!DOCTYPE a [", "<!" * 1000, "<!--" * 1000, "<", "", " " * 10_000])
def test_beginning_that_does_not_end_has_no_root(text):
    assert root_element(text)[0] == ""
