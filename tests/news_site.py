"""A news site on this machine: pages, feeds, sitemaps, and every way a server can misbehave.

    with Site() as site:
        site.put("/story.html", page("Ferry runs aground", "A passenger ferry …"))
        site.put("/feed.xml", rss([{"link": "/story.html", "title": "…"}]), "application/rss+xml", etag='"1"')
        … fetch site.url("/feed.xml") …
        assert site.asked("/story.html") == 1

Everything stays on the loopback interface.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from index.article import Receipt, SetAside
from index.fetching import FetchSettings, documents_from_web
from index.fetching.addresses import network_of
from index.fetching.settings import Clock
from index.reading.documents import Document

HTML = "text/html; charset=utf-8"
XML = "application/xml"
LOOPBACK = (network_of("127.0.0.0/8"),)
PARAGRAPH = "The harbour master said the ferry had left the marked channel shortly after dawn, in thick fog. "

Misbehaviour = Callable[[BaseHTTPRequestHandler, bytes], None]


@dataclass(frozen=True)
class Reply:
    """What the site answers; `misbehaves` writes the answer in its own way."""

    body: bytes = b""
    type: str = HTML
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    last_modified: str | None = None
    misbehaves: Misbehaviour | None = None


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    at: float


class Site:
    """A server in a thread of its own; it keeps the requests that it got."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._replies: dict[str, list[Reply]] = {}
        self._server = _Server((host, 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}{path}"

    def put(self, path: str, body: str | bytes = b"", type: str = HTML, **details: object) -> None:
        """What `path` answers from now on."""
        self._replies[path] = [_reply(body, type, details)]

    def then(self, path: str, body: str | bytes = b"", type: str = HTML, **details: object) -> None:
        """What `path` answers after what it answers so far, once each."""
        self._replies.setdefault(path, []).append(_reply(body, type, details))

    def remove(self, path: str) -> None:
        del self._replies[path]

    def asked(self, path: str) -> int:
        """How often `path` was asked for."""
        return sum(request.path == path for request in self.requests)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.path for request in self.requests]

    def reply(self, path: str) -> Reply:
        replies = self._replies.get(path)
        if not replies:
            return Reply(b"not here", status=404)
        return replies.pop(0) if len(replies) > 1 else replies[0]


class FakeClock(Clock):
    """A clock that jumps to where it would have been waited for; `waited` are the jumps."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        self.pass_by(seconds)
        self.waited.append(seconds)

    def pass_by(self, seconds: float) -> None:
        self._ahead += seconds


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many tests are about."""


def _reply(body: str | bytes, type: str, details: Mapping[str, object]) -> Reply:
    return Reply(body.encode() if isinstance(body, str) else body, type, **details)  # type: ignore[arg-type]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 10

        def setup(self) -> None:
            site.connections += 1
            super().setup()

        def do_GET(self) -> None:
            site.requests.append(Request(self.path, dict(self.headers), time.monotonic()))
            reply = site.reply(self.path)
            with suppress(OSError):
                self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            if reply.misbehaves:
                self.close_connection = True
                reply.misbehaves(self, reply.body)
                return
            unchanged = (reply.etag and self.headers.get("If-None-Match") == reply.etag) or (
                reply.last_modified and self.headers.get("If-Modified-Since") == reply.last_modified
            )
            self.send_response(304 if unchanged else reply.status)
            self.send_header("Content-Type", reply.type)
            for name, value in (("ETag", reply.etag), ("Last-Modified", reply.last_modified), *reply.headers.items()):
                if value:
                    self.send_header(name, value)
            if not unchanged:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if not unchanged:
                self.wfile.write(reply.body)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


# Ways to misbehave


def trickle(seconds: float) -> Misbehaviour:
    """A byte now and then, for as long as anybody listens."""

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
        while True:
            handler.wfile.write(b"x")
            time.sleep(seconds)

    return answer


def trickle_headers(seconds: float) -> Misbehaviour:
    """The same before the headers are over."""

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        while True:
            handler.wfile.write(b"x")
            time.sleep(seconds)

    return answer


def silence(seconds: float) -> Misbehaviour:
    """Nothing for `seconds`, then nothing still."""
    return lambda handler, body: time.sleep(seconds)


def hang_up(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """Promises the body and sends half of it."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    handler.wfile.write(head.encode() + body[: len(body) // 2])


def gibberish(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """What is no HTTP at all."""
    handler.wfile.write(b"\x16\x03\x01 what?\r\n\r\n")


def endless(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """The body again and again, as fast as anybody takes it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        handler.wfile.write(body)


class Reader:
    """Fetches from the web in test time, and keeps receipts from run to run as an index does."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.receipts: dict[str, Receipt] = {}

    def read(self, *urls: str, **settings: object) -> "Outcome":
        options = {"clock": self.clock, "read_timeout": 5.0, "retries": 0, "networks": LOOPBACK, **settings}
        items = list(documents_from_web(urls, self.receipts.get, FetchSettings(**options)))  # type: ignore[arg-type]
        self.receipts.update({item.url: item for item in items if isinstance(item, Receipt)})
        return Outcome(items)


class Outcome:
    """What came of a run."""

    def __init__(self, items: list) -> None:
        self.items = items
        self.documents = [item for item in items if isinstance(item, Document)]
        self.receipts = [item for item in items if isinstance(item, Receipt)]
        self.set_aside = [item for item in items if isinstance(item, SetAside)]
        self.reasons = [item.reason for item in self.set_aside]
        self.paths = [urlsplit(document.source).path for document in self.documents]


# What a site is made of


def page(title: str, text: str = PARAGRAPH * 4, head: str = "") -> str:
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{escape(title)}</title>{head}</head>'
        f"<body><main><article><h1>{escape(title)}</h1>{paragraphs}</article></main></body></html>"
    )


def rss(items: Sequence[Mapping[str, str]], title: str = "Harbour Wire", before: str = "", inside: str = "") -> str:
    """RSS 2.0; an item's keys are element names, values are escaped."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{before}<rss version="2.0"'
        ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>{escape(title)}</title><language>en-gb</language>{inside}"
        + "".join(f"<item>{_elements(item)}</item>" for item in items)
        + "</channel></rss>"
    )


def rdf(items: Sequence[Mapping[str, str]], title: str = "Harbour Wire") -> str:
    """RSS 1.0."""
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>{escape(title)}</title></channel>'
        + "".join(f'<item rdf:about="{escape(item["link"])}">{_elements(item)}</item>' for item in items)
        + "</rdf:RDF>"
    )


def atom(entries: Sequence[Mapping[str, str]], title: str = "Harbour Wire") -> str:
    """Atom 1.0; `link`, `author` and `content` (HTML) become what they are in Atom."""

    def entry(fields: Mapping[str, str]) -> str:
        fields = dict(fields)
        link, author, content = (fields.pop(name, "") for name in ("link", "author", "content"))
        return (
            "<entry>"
            + (f'<link rel="alternate" href="{escape(link)}"/>' if link else "")
            + (f"<author><name>{escape(author)}</name></author>" if author else "")
            + (f'<content type="html">{escape(content)}</content>' if content else "")
            + f"{_elements(fields)}</entry>"
        )

    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>{escape(title)}</title>'
        + "".join(map(entry, entries))
        + "</feed>"
    )


def json_feed(items: Sequence[Mapping[str, object]], title: str = "Harbour Wire") -> str:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": title, "items": list(items)})


def sitemap(entries: Sequence[str | Mapping[str, str]]) -> str:
    """A sitemap; an entry is an address or its elements."""
    urls = [{"loc": entry} if isinstance(entry, str) else entry for entry in entries]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        + "".join(f"<url>{_elements(url)}</url>" for url in urls)
        + "</urlset>"
    )


def sitemap_index(entries: Sequence[str | Mapping[str, str]]) -> str:
    parts = [{"loc": entry} if isinstance(entry, str) else entry for entry in entries]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        + "".join(f"<sitemap>{_elements(part)}</sitemap>" for part in parts)
        + "</sitemapindex>"
    )


def news_sitemap(entries: Sequence[Mapping[str, str]], source: str = "Harbour Wire", language: str = "en") -> str:
    """Google's news sitemap; an entry has `loc`, `title` and `published`."""

    def url(entry: Mapping[str, str]) -> str:
        return (
            f"<url><loc>{escape(entry['loc'])}</loc><image:image><image:loc>http://127.0.0.1:9/picture.jpg</image:loc>"
            f"</image:image><news:news><news:publication><news:name>{escape(source)}</news:name>"
            f"<news:language>{language}</news:language></news:publication>"
            f"<news:publication_date>{entry['published']}</news:publication_date>"
            f"<news:title>{escape(entry['title'])}</news:title></news:news></url>"
        )

    return (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
        ' xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
        ' xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">' + "".join(map(url, entries)) + "</urlset>"
    )


def _elements(fields: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
