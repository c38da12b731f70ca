"""Targets that are given requests: to the pages, the API, feeds, exports and cards, to tools of MCP, and to the"
" engine."""

import asyncio
import atexit
import gzip
import json
from functools import cache
from typing import Any

from fuzz_stored import small_index
from fuzz_words import QUERIES, QUERY_WORDS
from fuzzing import Target, encoded, text_of, words_of
from sample import ARTICLES, FakeEncoder

from index.errors import QueryError
from search.engine import Engine
from search.query import SearchRequest
from web.access import Access
from web.app import create_app
from web.cors import Cors
from web.front import Front
from web.hosts import Hosts
from web.keys import KeyRing
from web.portions import Cursor
from web.rates import Limit, Rates
from web.schemas import ErrorResponse

_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"))
_NOT_IMPLEMENTED = 501


@cache
def engine() -> Engine:
    """The engine over a small index."""
    opened = Engine.open(small_index(), lambda name, **options: FakeEncoder())
    atexit.register(opened.close)
    return opened


@cache
def _front() -> Front:
    rates = Rates(None, "salt")
    steps = (
        lambda refuse: Hosts(["example.org"], refuse),
        lambda refuse: Cors(["https://app.example.org"]),
        lambda refuse: Access(KeyRing(small_index() / "keys.json"), refuse, needed=False),
        lambda refuse: Limit(rates, 10**9, refuse),
    )
    return Front(
        create_app(engine, small_index()), lambda: "generation", threads=1, queue=8, patience=30.0, cache_bytes=1 << 16,
        steps=lambda refuse: [step(refuse) for step in steps], log_queries=True,
    )  # fmt: skip


def _request(data: bytes) -> None:
    """A request as it goes over the wire, more or less: a line, headers, an empty line, a body."""
    head, _, body = data.partition(b"\n\n")
    line, *headers = head.decode("latin-1").split("\n")
    method, _, target = line.partition(" ")
    if method not in _METHODS:
        return
    path, _, query = target.partition("?")
    environ = _environ(method, path, query, body)
    for header in headers:
        name, colon, value = header.partition(":")
        if colon and name.isascii() and name.replace("-", "").isalnum():
            key = name.upper().replace("-", "_")
            if key == "ACCEPT_ENCODING":
                value = "gzip" if "gzip" in value else ""  # which can be undone here
            environ[key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"] = value.strip()
    status, said, answer = _asked(environ)
    if said.get("Content-Encoding") == "gzip":
        answer = gzip.decompress(answer)
    _check(path, method, status, said, answer)


def _environ(method: str, path: str, query: str, body: bytes) -> dict[str, Any]:
    from io import BytesIO
    from urllib.parse import unquote_to_bytes

    return {
        "REQUEST_METHOD": method, "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query,
        "SCRIPT_NAME": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1", "wsgi.input": BytesIO(body), "wsgi.errors": None,
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True,
        "wsgi.run_once": False, "CONTENT_LENGTH": str(len(body)) if body else "",
    }  # fmt: skip


def _asked(environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    begun: list[tuple[str, dict[str, str]]] = []
    parts = _front()(environ, lambda status, headers: begun.append((status, dict(headers))))  # type: ignore[arg-type]
    try:
        answer = b"".join(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
    [(status, headers)] = begun
    return int(status[:3]), headers, answer


def _check(path: str, method: str, status: int, headers: dict[str, str], answer: bytes) -> None:
    assert status < 500 or (status == _NOT_IMPLEMENTED and path.lstrip("/") == "oembed"), f"{status}: {answer[:200]!r}"
    assert not any("\r" in value or "\n" in value for value in headers.values())
    assert b"Traceback" not in answer
    kind = headers.get("Content-Type", "")
    if path.startswith("/api/v1/") and method not in ("HEAD", "OPTIONS") and status != 304:
        assert kind.startswith("application/json"), kind
        told = json.loads(answer)
        if status >= 400:
            ErrorResponse.model_validate(told)
    if kind.startswith("text/html") and "default-src" not in headers.get("Content-Security-Policy", ""):
        raise AssertionError("a page without a policy")


@cache
def _server() -> Any:
    from web.mcp import mcp_server

    return mcp_server(engine)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _tool(data: bytes) -> None:
    """A call of a tool: its name, and on each further line an argument, such as `size=3`."""
    from mcp.server.mcpserver.exceptions import ToolError

    # JSON that holds half of a surrogate pair is refused by the SDK before it becomes an argument.
    name, *lines = data.decode("utf-8", "replace").split("\n")
    arguments: dict[str, Any] = {}
    for line in lines:
        key, _, value = line.partition("=")
        try:
            arguments[key] = json.loads(value)
        except (ValueError, RecursionError):
            arguments[key] = value
    arguments = json.loads(json.dumps(arguments, ensure_ascii=False).encode("utf-8", "replace"))
    try:
        reply = _loop().run_until_complete(_server().call_tool(name, arguments))
    except ToolError as error:
        if type(error) is not ToolError:  # of the SDK, for what no tool foresaw
            raise error.__cause__ or error from None
        assert "Traceback" not in str(error)
        return
    reply.model_dump_json()


def _search(data: bytes) -> None:
    query = text_of(data)
    try:
        result = engine().search(SearchRequest(query, size=5, as_of="2025-08-20"))
    except QueryError:
        return
    for hit in result.hits:
        for first, last in (*hit.highlights, hit.best_sentence):
            assert 0 <= first <= last <= len(hit.text)


def _cursor(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        cursor = Cursor.read(text)
    except QueryError:
        return
    assert str(Cursor.read(str(cursor))) == str(cursor)


_PATHS = (
    "/api/v1/search?q=ferry+strike&size=2&explain=true&as_of=2025-08-21", "/api/v1/search?q=-x", "/api/v1/suggest?q=fe",
    "/api/v1/search?q=harbour&source=Harbour+Wire&from=2024-01-01&to=2025-12-31&sort=newest&collapse=story&max_chars=300",
    "/api/v1/articles/ferry?q=ferry", "/api/v1/articles/strike/similar?size=3", "/api/v1/stats", "/?q=ferry&page=2",
    "/article/ferry?q=hurt&start=0", "/compare?q=ferry&sort=a&a.mode=dense&b.mode=lexical", "/feed.atom?q=ferry",
    "/export.csv?q=ferry", "/export.jsonl?q=ferry&fields=id,title", "/embed/ferry?q=hurt&start=0&end=44",
    "/suggest.json?q=f",
    "/oembed?url=http%3A%2F%2Flocalhost%2Farticle%2Fferry&maxwidth=300&format=json", "/opensearch.xml", "/metrics",
    "/api/openapi.json", "/healthz", "/readyz", "/static/site.css", "/robots.txt", "/oembed?url=x&format=xml",
)  # fmt: skip
_REQUESTS = (
    *(f"GET {path}\nAccept: application/json\nAccept-Encoding: gzip" for path in _PATHS), "HEAD /?q=ferry",
    'POST /api/v1/search\nContent-Type: application/json\n\n{"q":"ferry","size":2,"filters":{"sources":["Harbour'
    ' Wire"]}}',
    "OPTIONS /api/v1/search\nOrigin: https://app.example.org\nAccess-Control-Request-Method: POST",
    "GET /?q=ferry\nIf-None-Match: W/\"a\"\nIf-Modified-Since: Wed, 20 Aug 2025 15:07:00 GMT\nX-API-Key: k\nRange:"
    " bytes=0-",
)  # fmt: skip
_REQUEST_WORDS = (*QUERY_WORDS, *words_of(
    "GET HEAD POST OPTIONS DELETE \n \n\n & = ? % %00 %ff %0d%0a %ed%a0%80 %f0%9f%98%80 + // /../ %2f ; : , q= size="
    " page=0 page=99999999999999999999 from= to= as_of=0001-01-01 9999-12-31 source= exclude_source= author="
    " language= sort=oldest collapse=off mode=dense fusion=rrf explain=1 cursor= max_chars= date_words=0 spelling=0"
    " start= end= fields= format= url= maxwidth=-1 highlight= facets= a. b. Content-Length: 99999 Content-Type:"
    " text/plain multipart/form-data; boundary=a application/x-www-form-urlencoded Transfer-Encoding: chunked Cookie:"
    " Accept: text/html;q=0 Accept-Language: Host: a@b Authorization: Basic OmE= Bearer X-API-Key: X-Forwarded-For:"
    ' If-None-Match: * If-Modified-Since: Range: bytes=0- Origin: null ferry strike { } [ ] "q": "filters":'
    ' "sources": "size": null true 1e999 "\\ud800" /api/v1/ /embed/'
))  # fmt: skip
_TOOLS = (
    "search_news\nquery=ferry strike\nsize=3\nfrom_date=2024-01-01\nsources=[\"Harbour"
    " Wire\"]\nsort=newest\nmax_chars=300",
    "get_article\nid=ferry:0-44\noffset=3\nmax_chars=200", "similar_articles\nid=strike\nsize=3", "corpus_stats",
    "search_news\nquery=ferry\nauthors=[\"A\"]\nlanguage=en\ncursor=AAAAAAAAAAAAAAAAAAAA\nexclude_sources=[]",
)  # fmt: skip
_TOOL_WORDS = (*QUERY_WORDS, *words_of(
    "\n = search_news get_article similar_articles corpus_stats query= id= size= offset= max_chars= cursor="
    " from_date= to_date= sources= authors= language= sort= null true [] [[]] {} -1 1e9 99999999999999999999"
    " ferry:0-1 :1-2 ferry strike:5-2 0-"
))  # fmt: skip

TARGETS = (
    Target("requests", _request, encoded(_REQUESTS), _REQUEST_WORDS, longest=8_000),
    Target("tools", _tool, encoded(_TOOLS), _TOOL_WORDS, longest=6_000),
    Target(
        "searches", _search, encoded((*QUERIES, *(str(one["title"]) for one in ARTICLES))), QUERY_WORDS, longest=1_000
    ),
    Target(
        "cursors",
        _cursor,
        (b"AAAAAAAAAAAAAAAAAAAA", b"AAAAAA-_AAAAAAAAAAAA", b"="),
        words_of("- _ = AA +"),
        longest=100,
    ),
)
