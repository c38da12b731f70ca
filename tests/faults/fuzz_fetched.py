"""Targets that are given what servers send: feeds, sitemaps, robots.txt, and what tells these apart."""

import io
from contextlib import suppress
from functools import partial

from fuzzing import Target, encoded, text_of, words_of

from index.errors import SourceError
from index.fetching.entries import Entry, Part, record_of
from index.fetching.feeds import feed_entries
from index.fetching.json_feeds import json_feed_entries
from index.fetching.kinds import kind_of, text_encoding
from index.fetching.robots import Robots
from index.fetching.sitemaps import listed_entries, sitemap_entries

_URL = "https://example.org/feed"
_RSS = (
    '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Wire</title><language>en</language><item>'
    "<title>Ferry &amp; strike</title><link>/a?b=1</link><guid>1</guid><pubDate>Wed, 20 Aug 2025 15:07:00 GMT</pubDate>"
    "<dc:creator>Morag</dc:creator><category>News</category><description>&lt;p&gt;Nobody&lt;/p&gt;</description>"
    "<content:encoded><![CDATA[<p>Words</p>]]></content:encoded></item></channel></rss>"
)
_ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">W</title><entry><id>urn:1</id><title>T</title>'
    '<link rel="alternate" href="b"/><updated>2025-08-20T15:07:00Z</updated><author><name>A</name></author>'
    '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Words</p></div></content></entry></feed>'
)
_JSON_FEED = (
    '{"version":"https://jsonfeed.org/version/1.1","title":"W","language":"en","items":[{"id":"1","url":"/a","title":"T",'
    '"content_html":"<p>Words</p>","date_published":"2025-08-20T15:07:00Z","authors":[{"name":"A"}],"tags":["News"]}]}'
)
_SITEMAP = (
    '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://n"><url>'
    "<loc>https://example.org/a?b=1&c=2</loc><lastmod>2025-08-20</lastmod><news:news><news:publication><news:name>W"
    "</news:name><news:language>en</news:language></news:publication><news:publication_date>2025-08-20"
    "</news:publication_date><news:title>T</news:title></news:news></url></urlset>"
)
_INDEX = "<sitemapindex><sitemap><loc>/b.xml</loc><lastmod>2025-08-20T00:00Z</lastmod></sitemap></sitemapindex>"
_ROBOTS = (
    "User-agent: *\nDisallow: /private\nAllow: /private/open$\nCrawl-delay: 2\nSitemap: https://e.org/s.xml\n\n"
    "User-agent: Dateline\nDisallow: /*?id=*&b\nRequest-rate: 1/10s\nVisit-time: 0600-0845\n"
)
_XML_WORDS = words_of(
    '<?xml version="1.0" encoding=" "?> <!DOCTYPE a [ ]> <!ENTITY a "b"> &a; &amp; &#0; &#xd800; &nbsp; <![CDATA[ ]]>'
    ' <!-- --> <rss> <feed> <entry> </entry> <item> </item> <title> </title> <link> href=" <guid isPermaLink="true">'
    ' <pubDate> <updated> <content type="xhtml"> type="html" xmlns= xmlns:dc=" <dc:date> <media:content <source>'
    ' <author> <name> <urlset> <url> </url> <loc> </loc> <lastmod> <sitemap> <news:title> xml:base=" xml:lang="'
    ' utf-16 utf-7 idna rot13 2025-08-20 Wed, 20 Aug 2025 99 / > < " http:// javascript: \x00 \x0c'
)
_JSON_WORDS = words_of(
    '{ } [ ] , : " null true 1e999 "items": "version": "id": "url": "external_url": "title": "content_html":'
    ' "content_text": "authors": "author": {"name": "date_published": "date_modified": "tags": "language": "\\ud800"'
    " 99999999999999999999"
)
_ROBOTS_WORDS = words_of(
    "User-agent: * Dateline Disallow: Allow: / /* *a * $ # : \n \r % %2a %ff Crawl-delay: 1e999 nan -1 inf"
    " 99999999999 Request-rate: 1/0 1/10s 0-0 Visit-time: 0000-2400 9999-9999 Sitemap: Host: \ufeff é"
)
_ADDRESSES = tuple(
    f"https://example.org/{path}"
    for path in ("", "private/open", "a?id=1&b", "a" * 2_000, "%2a/" * 50 + "é", "a*$/" * 300)
)


def _entries(found: object) -> None:
    for entry in found:  # type: ignore[attr-defined]
        assert isinstance(entry, Entry | Part)
        if isinstance(entry, Entry):
            record_of(entry, _URL, "not asked")
        (entry.link or "").encode("utf-8", "surrogatepass")


def _read(reader: object, data: bytes) -> None:
    with suppress(SourceError):
        _entries(reader(data))  # type: ignore[operator]


def _robots(data: bytes) -> None:
    rules = Robots(f"{_URL}/robots.txt", data.decode("utf-8-sig", "replace"), 0.0, None, None)
    assert 0 <= rules.delay <= 30
    for address in _ADDRESSES:
        rules.allows(address)


def _kind(data: bytes) -> None:
    name = text_of(data[:20])
    if encoding := text_encoding(name):
        data.decode(encoding, "replace")
    for content_type in ("", "text/html", "text/xml", "application/json"):
        with suppress(SourceError):
            kind_of(data, content_type)


TARGETS = (
    Target("feeds", partial(_read, lambda data: feed_entries(data, _URL)), encoded((_RSS, _ATOM)), _XML_WORDS),
    Target(
        "json-feeds", partial(_read, lambda data: json_feed_entries(data, _URL)), encoded((_JSON_FEED,)), _JSON_WORDS
    ),
    Target(
        "sitemaps",
        partial(_read, lambda data: sitemap_entries(io.BytesIO(data), _URL)),
        encoded((_SITEMAP, _INDEX)),
        _XML_WORDS,
    ),
    Target(
        "url-lists",
        partial(_read, lambda data: listed_entries(io.BytesIO(data), _URL)),
        encoded(("https://e.org/a\nhttp://[::1]/b\n\n/c",)),
        _XML_WORDS,
    ),
    Target("robots", _robots, encoded((_ROBOTS,)), _ROBOTS_WORDS),
    Target(
        "kinds",
        _kind,
        encoded((_RSS, _JSON_FEED, _SITEMAP, "utf-8 <!DOCTYPE html [ ] ><p>", "http://a/\n")),
        _XML_WORDS,
    ),
)
