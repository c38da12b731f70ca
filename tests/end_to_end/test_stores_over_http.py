"""The same requests to Dateline over files and over Milvus: the same answers, key by key and type by type."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cluster.servers import standalone_server
from conftest import run_dateline
from sample import ARTICLES, FakeEncoder, write_jsonl
from store_contract.back_ends import BackEnd, embedded, milvus_lite, milvus_server, require_client
from store_contract.corpus import ARTICLES as MORE_ARTICLES
from store_contract.corpus import build
from test_serve import Server

from search.engine import Engine
from web.app import create_app
from web.live import NotReady

SEARCHES = [
    "q=ferry+strike", "q=ferry+strike&explain=true&size=3", "q=ferry&mode=dense", "q=ferry&fusion=rrf",
    "q=ferry&page=2&size=2", "q=ferry&sort=newest", "q=ferry&sort=oldest", "q=headline&collapse=story",
    "q=ferry&collapse=off&size=20", "q=ferry&from=2024-01-01&to=2024-12-31", "q=ferry&source=Harbour+Wire",
    "q=ferry&exclude_source=Harbour+Wire&language=en", "q=source:harbour.example", "q=whale+-strike",
    "q=%22harbour+strike%22", "q=intitle:ferry+crews", "q=author:bo+budget", "q=before:2025-01-01+ferry",
    "q=fery+strke", "q=peacekeeping", "q=ferry&source=Nobody", "q=xqzzy", "q=ferry&interval=day",
    "q=ferry&max_chars=2000", 'q=ferry&source=%22+or+number+%3E+0+or+%22', "q=ferry+2024", "q=ferry&as_of=2025-08-21",
]  # fmt: skip
READINGS = [
    "/api/v1/articles/ferry", "/api/v1/articles/ferry?q=passenger", "/api/v1/articles/wire?max_chars=500",
    "/api/v1/articles/strike/similar?size=5", "/api/v1/articles/wire/similar", "/api/v1/suggest?q=harb",
    "/api/v1/suggest?q=fer", "/api/v1/suggest?q=", "/api/v1/stats", "/healthz", "/readyz", "/suggest.json?q=har",
]  # fmt: skip
REFUSALS = [
    "/api/v1/articles/nope", "/api/v1/articles/nope/similar", "/api/v1/articles/%22%20or%20number%20%3E%200%20or%20%22",
    "/api/v1/search", "/api/v1/search?q=%F0%9F%A6%80", "/api/v1/search?q=x&size=0", "/api/v1/search?q=x&from=never",
    "/api/v1/search?q=x&cursor=wrong", "/api/v1/search?q=x&mode=psychic", "/api/v1/suggest",
    "/api/v1/articles/ferry/similar?size=0", "/api/v1/nope",
]  # fmt: skip
EXPORTS = ["q=ferry+strike", "q=whale&source=Harbour+Wire", "q=source:%22LA+VIGIE%22"]
PAGES = ["/", "/?q=ferry+strike", "/article/ferry", "/article/nope", "/compare?q=ferry", "/embed/ferry"]
# Said in every answer of a server that cannot find passages by their words, and nowhere else.
_NO_WORDS = "finds no passages by their words"
# What one search takes, and what the disk of one index takes, is nobody else's.
_OWN = ("took_ms", "bytes", "created", "dense_search", "generation", "next_cursor")
_FIRST = 10


def corpus() -> list[dict]:
    """The articles, no two of which were published on one day: of those any may stand first."""
    records = [*ARTICLES, *MORE_ARTICLES]
    first = date(2023, 11, 6)
    return [
        {**record, "published": (first + timedelta(days=11 * at)).isoformat() if record.get("published") else None}
        for at, record in enumerate(records)
    ]


def shape(value: Any) -> Any:
    """The keys and types of a JSON value, recursively; of a list the shapes that occur in it."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner)) for inner in value})
    return type(value).__name__


def rid(value: Any) -> Any:
    """A JSON value without what no two indexes share."""
    if isinstance(value, dict):
        return {key: rid(inner) for key, inner in value.items() if key not in _OWN}
    return [rid(inner) for inner in value] if isinstance(value, list) else value


def without_the_note(asked: "Asked", answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of the store under test without the note that its server finds nothing by words, if it does not."""
    notes = answer["interpreted"]["notes"]
    assert any(_NO_WORDS in note for note in notes) != asked.lexical
    others = [note for note in notes if _NO_WORDS not in note]
    return {**answer, "interpreted": {**answer["interpreted"], "notes": others}}


def top(answer: dict[str, Any]) -> list[str]:
    """The ids of the first articles of a search."""
    return [result["article"]["id"] for result in answer["results"]][:_FIRST]


class Asked:
    """The application over the embedded store, and over the same index as it was published elsewhere."""

    def __init__(self, back_end: BackEnd, root: Any) -> None:
        back_end.publish(root)
        self.engines = [Engine(each.open(root), FakeEncoder()) for each in (embedded(), back_end)]
        self.clients = [create_app(lambda engine=engine: engine, root).test_client() for engine in self.engines]
        self.lexical = self.engines[1].store.lexical

    def get(self, path: str) -> tuple[Any, Any]:
        """Both answers."""
        return tuple(client.get(path) for client in self.clients)

    def post(self, path: str, **options: Any) -> tuple[Any, Any]:
        """Both answers."""
        return tuple(client.post(path, **options) for client in self.clients)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


@pytest.fixture(scope="module", params=["Milvus Lite", "Milvus server"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("http")
    root = build(folder / "news", corpus())

    def both(back_end: BackEnd) -> Iterator[Asked]:
        asked = Asked(back_end, root)
        yield asked
        asked.close()

    if request.param == "Milvus Lite":
        yield from both(milvus_lite(folder))
        return
    with milvus_server(folder / "server") as back_end:
        yield from both(back_end)


def same_headers(left: Any, right: Any) -> None:
    for name in ("Content-Type", "Cache-Control", "Content-Security-Policy"):
        assert left.headers.get(name) == right.headers.get(name), name


@pytest.mark.parametrize("query", SEARCHES)
def test_searches_have_one_shape_and_the_same_articles_first(asked: Asked, query: str) -> None:
    files, milvus = asked.get(f"/api/v1/search?{query}")
    assert files.status_code == milvus.status_code == 200
    same_headers(files, milvus)
    # Where only meaning counts, or only filters do, nobody misses words.
    by_words = "mode=dense" not in query and not query.startswith("q=source:")
    there = without_the_note(asked, milvus.json) if by_words else milvus.json
    assert shape(there) == shape(files.json)
    assert top(there) == top(files.json)
    assert rid(there["interpreted"]) == rid(files.json["interpreted"])
    scores = [[result["score"] for result in answer["results"]] for answer in (there, files.json)]
    assert scores[0] == pytest.approx(scores[1], abs=5e-3)


def test_lexical_searches_are_answered_or_it_is_said_why_not(asked: Asked) -> None:
    files, milvus = asked.get("/api/v1/search?q=ferry+strike&mode=lexical")
    assert files.status_code == 200
    if asked.lexical:
        assert milvus.status_code == 200
        assert (shape(milvus.json), top(milvus.json)) == (shape(files.json), top(files.json))
        return
    refused = milvus.status_code != 200 and milvus.json["error"]["message"]
    assert refused or milvus.json["interpreted"]["notes"]


@pytest.mark.parametrize("path", READINGS)
def test_what_is_read_is_the_same(asked: Asked, path: str) -> None:
    files, milvus = asked.get(path)
    assert files.status_code == milvus.status_code == 200
    same_headers(files, milvus)
    assert shape(milvus.json) == shape(files.json)
    left, right = rid(files.json), rid(milvus.json)
    if "similar" in path:
        assert [one["id"] for one in left["similar"]] == [one["id"] for one in right["similar"]]
    elif "q=passenger" not in path:  # scores, which are the same but for rounding
        assert left == right


@pytest.mark.parametrize("path", REFUSALS)
def test_errors_are_the_same(asked: Asked, path: str) -> None:
    files, milvus = asked.get(path)
    assert files.status_code == milvus.status_code
    assert files.status_code in (400, 404)
    assert rid(milvus.json) == rid(files.json)


def test_posted_searches_are_the_same(asked: Asked) -> None:
    files, milvus = asked.post("/api/v1/search", json={"q": "ferry", "source": ["Coastline Press"], "size": 3})
    there = without_the_note(asked, milvus.json)
    assert (shape(there), top(there)) == (shape(files.json), top(files.json))
    for options in ({"json": []}, {"data": "q=ferry"}, {"json": {"q": "x", "size": "many"}}):
        files, milvus = asked.post("/api/v1/search", **options)
        assert milvus.status_code == files.status_code != 200
        assert milvus.json == files.json


def test_cursors_go_through_all_results(asked: Asked) -> None:
    seen: list[list[str]] = []
    for client in asked.clients:
        ids, cursor = [], None
        for _ in range(20):
            query = {"q": "ferry strike", "size": 7, "as_of": "2025-08-21"} | ({"cursor": cursor} if cursor else {})
            found = client.get("/api/v1/search", query_string=query).json
            ids += top(found)
            if not (cursor := found["next_cursor"]):
                break
        seen.append(ids)
    assert len(set(seen[0])) == len(seen[0]) > 20
    assert sorted(seen[1]) == sorted(seen[0])


@pytest.mark.parametrize("query", EXPORTS)
def test_exports_hold_the_same_rows(asked: Asked, query: str) -> None:
    files, milvus = asked.get(f"/export.jsonl?{query}&as_of=2025-08-21")
    rows = [[json.loads(line) for line in answer.text.splitlines()] for answer in (files, milvus)]
    assert shape(rows[1]) == shape(rows[0])
    assert sorted(row["article"]["id"] for row in rows[1]) == sorted(row["article"]["id"] for row in rows[0])
    tables = [list(csv.reader(io.StringIO(each.text))) for each in asked.get(f"/export.csv?{query}&as_of=2025-08-21")]
    assert tables[0][0] == tables[1][0]
    assert sorted(row[8] for row in tables[0]) == sorted(row[8] for row in tables[1])


@pytest.mark.parametrize("query", ["q=ferry", "q=ferry&order=arrival", "q=source:harbour.example"])
def test_feeds_hold_the_same_entries(asked: Asked, query: str) -> None:
    files, milvus = (each.text for each in asked.get(f"/feed.atom?{query}"))
    for pattern in (r"<id>[^<]*</id>", r"<title[^>]*>[^<]*</title>", r"<[a-z:]+"):
        assert sorted(re.findall(pattern, milvus)) == sorted(re.findall(pattern, files))


@pytest.mark.parametrize("path", PAGES)
def test_pages_show_the_same(asked: Asked, path: str) -> None:
    files, milvus = asked.get(path)
    assert files.status_code == milvus.status_code
    same_headers(files, milvus)
    if "q=" in path and not asked.lexical:
        assert _NO_WORDS in milvus.text
        return
    assert re.findall(r"<[a-z0-9]+", milvus.text) == re.findall(r"<[a-z0-9]+", files.text)


@pytest.fixture
def closed(tmp_path: Any) -> Any:
    def engine() -> Engine:
        raise NotReady("The index is being opened.")

    return create_app(engine, tmp_path).test_client()


def test_a_server_that_is_not_ready_says_so_whatever_its_store(closed: Any) -> None:
    assert closed.get("/healthz").status_code == 200
    for path in ("/readyz", "/api/v1/search?q=x", "/api/v1/stats"):
        assert closed.get(path).status_code == 503
        assert set(closed.get(path).json["error"]) >= {"code", "message"}


@pytest.fixture(scope="module", params=["Milvus Lite", "Milvus server"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """An index that the real program built and published, and where."""
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as open_servers:
        if request.param == "Milvus Lite":
            milvus_lite(folder)  # skips where it is not installed
            address = f"milvus-lite:{folder / 'served.db'}"
        else:
            require_client()
            address = f"milvus://{open_servers.enter_context(standalone_server(folder / 'milvus'))}/served"
        articles = write_jsonl(folder / "articles.jsonl", corpus())
        done = run_dateline("rebuild", articles, "--index", folder / "index", "--store", address)
        assert done.returncode == 0, done.stderr
        yield folder / "index", address


def get(server: Server, path: str) -> Any:
    return json.loads(server.get(path)[1])


def test_a_served_replica_answers_as_a_server_on_the_index_does(published: tuple[Path, str]) -> None:
    root, address = published
    one_worker = ("--workers", "1") if address.startswith("milvus-lite:") else ()
    servers = [Server(root), Server(root, "--store", address, *one_worker)]
    try:
        files, milvus = servers
        for server in servers:
            server.wait(lambda server=server: server.get("/readyz")[0] == 200)
        for query in ("ferry+strike", "a+ship+in+trouble", "pont+ferm%C3%A9", "source:harbour.example", "lighthouse"):
            left, right = (get(server, f"/api/v1/search?q={query}&as_of=2025-08-21") for server in (files, milvus))
            right["interpreted"]["notes"] = [note for note in right["interpreted"]["notes"] if _NO_WORDS not in note]
            assert (shape(right), top(right)) == (shape(left), top(left))
        for path in (
            "/api/v1/articles/strike",
            "/api/v1/articles/strike/similar",
            "/api/v1/suggest?q=harb",
            "/healthz",
        ):
            assert shape(get(milvus, path)) == shape(get(files, path))
        assert shape(get(milvus, "/api/v1/stats")) == shape(get(files, "/api/v1/stats"))
        assert milvus.status("/api/v1/articles/nope") == files.status("/api/v1/articles/nope") == 404
        if one_worker:
            return  # one process may open the file, and that is the server
        extra = write_jsonl(root.parent / "extra.jsonl", [{"id": "new", "title": "Zeppelin", "text": "It landed."}])
        done = run_dateline("add", extra, "--index", root, "--store", address)
        assert done.returncode == 0, done.stderr
        for server in servers:
            server.wait(lambda server=server: top(get(server, "/api/v1/search?q=zeppelin"))[:1] == ["new"])
    finally:
        for server in servers:
            server.stop()
