"""The cache of answers and the queue before the application, and what stands behind them faked where it is slow."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sample import write_jsonl
from werkzeug.test import Client, create_environ

from index.article import SetAside
from index.build import add
from index.catalog import Catalog
from index.generation import live_generation, writer_lock
from search.engine import Engine
from web.admission import Admission
from web.answers import Answer, AnswerCache, question_of
from web.app import create_app
from web.front import Front
from web.schemas import ErrorResponse

DONE, REFUSED = Answer("200 OK", (), b"done"), Answer("503 Service Unavailable", (), b"")


class Corpus:
    """An engine that can be turned to the newest state, and counts what is asked of it."""

    def __init__(self, root: Path, load: Callable) -> None:
        self.engine, self.load, self.searches = Engine.open(root, load), load, 0

    def __call__(self) -> Engine:
        self.searches += 1
        return self.engine

    def generation(self) -> str:
        return self.engine.store.generation

    def refresh(self) -> None:
        assert self.engine.refresh(self.load)


@pytest.fixture
def corpus_engine(root: Path, load: Callable) -> Iterator[Corpus]:
    corpus = Corpus(root, load)
    yield corpus
    corpus.engine.close()


def front(corpus: Corpus, root: Path, **options: object) -> Front:
    settings = {"threads": 1, "queue": 8, "patience": 5.0, "cache_bytes": 1 << 20} | options
    return Front(create_app(corpus, root), corpus.generation, **settings)


@pytest.fixture
def client(corpus_engine: Corpus, root: Path) -> Client:
    return Client(front(corpus_engine, root))


def test_a_question_asked_again_is_answered_from_memory(client, corpus_engine):
    first, second = client.get("/api/v1/search?q=ferry"), client.get("/api/v1/search?q=ferry")
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert second.headers["Age"] == "0"
    assert first.data == second.data
    assert corpus_engine.searches == 1


@pytest.mark.parametrize(
    "again",
    ["size=10&q=ferry", "q=ferry&page=1&sort=relevance", "q=ferry&from=&explain=false", "q=%66erry&first=", "q=ferry"],
)
def test_two_ways_to_ask_the_same_are_one_question(client, again):
    known = "first" not in again
    client.get("/api/v1/search?q=ferry")
    assert client.get(f"/api/v1/search?{again}").headers["X-Cache"] == ("hit" if known else "miss")


def test_asking_by_post_is_the_same_question(client):
    client.get("/api/v1/search?q=ferry&size=3&source=La+Vigie&source=Harbour+Wire")
    asked = {"source": ["La Vigie", "Harbour Wire"], "size": 3, "q": "ferry"}
    found = client.post("/api/v1/search", json=asked)
    assert (found.status_code, found.headers["X-Cache"]) == (200, "hit")
    assert "ETag" not in found.headers


@pytest.mark.parametrize(
    "other",
    [
        "q=Ferry",
        "q=ferry&size=9",
        "q=ferry&explain=true",
        "q=ferry&source=La+Vigie",
        "q=ferry&as_of=2025-08-21",
        "q=ferry+",
    ],
)
def test_other_questions_are_others(client, other):
    client.get("/api/v1/search?q=ferry")
    assert client.get(f"/api/v1/search?{other}").headers["X-Cache"] == "miss"


def test_nothing_stale_after_an_add(client, corpus_engine, root, load, tmp_path):
    tag = client.get("/api/v1/search?q=ferry").headers["ETag"]
    write_jsonl(tmp_path / "x.jsonl", [{"id": "x", "title": "Ferry ferry ferry", "text": "Ferry, ferry: a ferry."}])
    add(root, [str(tmp_path / "x.jsonl")], load)
    corpus_engine.refresh()
    found = client.get("/api/v1/search?q=ferry", headers={"If-None-Match": tag})
    assert (found.status_code, found.headers["X-Cache"]) == (200, "miss")
    assert "x" in [result["article"]["id"] for result in found.json["results"]]
    assert found.headers["ETag"] != tag


def test_an_answer_that_a_change_overtook_is_not_kept(corpus_engine, root):
    states = iter(["before", "after", "after", "after"])
    changing = Front(
        create_app(corpus_engine, root), lambda: next(states), threads=1, queue=8, patience=5.0, cache_bytes=1 << 20
    )
    client = Client(changing)
    first = client.get("/api/v1/search?q=ferry")
    assert first.status_code == 200
    assert "ETag" not in first.headers
    assert client.get("/api/v1/search?q=ferry").headers["X-Cache"] == "miss"


def test_the_day_is_part_of_the_question():
    question = question_of("GET", "/api/v1/search", "q=yesterday", None)
    assert question.named("g", "2025-08-20", "") != question.named("g", "2025-08-21", "")
    assert question.named("g", "2025-08-20", "") != question.named("g", "2025-08-20", "another start")


def test_who_has_the_answer_is_told_so(client, corpus_engine):
    for path in ("/api/v1/search?q=ferry", "/?q=ferry", "/article/ferry?q=hurt", "/api/v1/articles/ferry/similar"):
        tag = client.get(path).headers["ETag"]
        asked = corpus_engine.searches
        found = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (found.status_code, found.data, found.headers["ETag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
        assert corpus_engine.searches == asked


def test_pages_are_kept_too(client):
    assert client.get("/?q=ferry&sort=newest").headers["X-Cache"] == "miss"
    found = client.get("/?sort=newest&q=ferry&source=")
    assert found.headers["X-Cache"] == "hit"
    assert found.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/?q=ferry", "/article/ferry", "/api/v1/suggest?q=ha", "/feed.atom?q=ferry"])
def test_all_that_depends_on_the_corpus_alone_has_a_name(client, path):
    first, second = client.get(path), client.get(path)
    assert first.status_code == 200
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.data == second.data
    assert first.headers["Cache-Control"] == "private, no-cache"
    tag = first.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    head = client.head(path)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag)
    assert head.headers["Content-Length"] == first.headers["Content-Length"]
    assert client.head(path, headers={"If-None-Match": tag}).status_code == 304


def test_what_names_its_own_address_is_kept_for_that_address(client):
    first = client.get("/feed.atom?q=ferry", headers={"Host": "one.example.org"})
    other = client.get("/feed.atom?q=ferry", headers={"Host": "two.example.org"})
    assert other.headers["X-Cache"] == "miss"
    assert b"one.example.org" in first.data
    assert b"one.example.org" not in other.data


def test_a_page_is_another_while_the_index_is_written(client, root):
    tag = client.get("/?q=ferry").headers["ETag"]
    with writer_lock(root):
        found = client.get("/?q=ferry", headers={"If-None-Match": tag})
        assert (found.status_code, found.headers["X-Cache"]) == (200, "miss")
        assert client.get("/?q=ferry").headers["X-Cache"] == "hit"
    assert client.get("/?q=ferry", headers={"If-None-Match": tag}).status_code == 304


def test_figures_are_named_by_what_they_say(client, root):
    first = client.get("/api/v1/stats")
    assert "X-Cache" not in first.headers
    tag = first.headers["ETag"]
    assert client.get("/api/v1/stats", headers={"If-None-Match": tag}).status_code == 304
    with closing(Catalog.open(live_generation(root).catalog)) as catalog:  # no change of what can be found
        catalog.journal.write(set_aside=[SetAside("x.html", "empty", "x.html")])
    again = client.get("/api/v1/stats", headers={"If-None-Match": tag})
    assert (again.status_code, again.json["set_aside"]) == (200, 1)


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/robots.txt", "/static/style.css", "/api/openapi.json", "/metrics", "/export.csv?q=ferry", "/no"],
)
def test_whoever_asks_for_the_head_gets_no_body(client, path):
    with client.get(path) as whole, client.head(path) as head:
        assert (head.status_code, head.data) == (whole.status_code, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]


def test_an_export_waits_for_no_search_and_none_for_it(client):
    with client.get("/export.jsonl?q=ferry") as export:
        assert client.get("/api/v1/search?q=ferry").status_code == 200
        assert "X-Cache" not in export.headers
        assert len(export.data.splitlines()) >= 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/search",
        "/api/v1/search?q=",
        "/api/v1/search?q=x&size=0",
        "/api/v1/articles/no",
        "/api/v1/stats",
        "/healthz",
    ],
)
def test_errors_and_what_changes_by_itself_are_not_kept(client, path):
    first, second = client.get(path), client.get(path)
    assert first.status_code == second.status_code
    assert "X-Cache" not in second.headers


def test_bytes_that_are_no_text_do_not_trip_it(client):
    for query in ("%ff", "%ed%a0%80", "a%00b"):
        assert client.get(f"/api/v1/search?q={query}").status_code in (200, 400)
        assert client.get(f"/?q={query}").status_code in (200, 400)
    assert client.post("/api/v1/search", json={"q": "\ud800"}).status_code in (200, 400, 422)


def test_a_body_that_was_looked_at_is_still_read(client):
    assert client.post("/api/v1/search", data="{", content_type="application/json").status_code == 400
    assert client.post("/api/v1/search", json={"q": 5}).status_code == 422
    assert client.post("/api/v1/search", data="q=x").status_code == 415
    assert client.post("/api/v1/search", data="x" * 70_000, content_type="application/json").status_code == 413
    assert client.post("/api/v1/search", json={"q": "ferry"}).status_code == 200


def test_without_a_cache_nothing_is_kept(corpus_engine, root):
    client = Client(front(corpus_engine, root, cache_bytes=0))
    assert "X-Cache" not in client.get("/api/v1/search?q=ferry").headers
    assert "X-Cache" not in client.get("/api/v1/search?q=ferry").headers


def test_searches_are_told_of_once(corpus_engine, root):
    told = []
    client = Client(front(corpus_engine, root, remember=told.append))
    for path in ("/api/v1/search?q=ferry&size=3", "/api/v1/search?q=ferry&size=3", "/?q=strike", "/"):
        client.get(path)
    assert [(request.query, request.size) for request in told] == [("ferry", 3), ("strike", 10)]


def test_the_cache_is_bounded():
    cache = AnswerCache(most_bytes=100_000, most_entries=5)
    for number in range(20):
        cache.put(str(number), Answer("200 OK", (), b"x" * 100), number)
        cache.get("0")
    assert len(cache) == 5
    assert cache.get("0")
    assert cache.get("19") == (Answer("200 OK", (), b"x" * 100), 19)
    assert cache.get("15") is None
    for number in range(30):
        cache.put(f"long {number}", Answer("200 OK", (), b"x" * 10_000), 0)
    assert cache.bytes <= 100_000
    cache.put("too long", Answer("200 OK", (), b"x" * 50_000), 0)
    assert cache.get("too long") is None


class Slow:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Semaphore(0)

    def __call__(self, environ: dict) -> Answer:
        self.begun.release()
        assert self.go.wait(30)
        return DONE


def test_who_finds_the_queue_full_is_refused_at_once():
    slow = Slow()
    admission = Admission(slow, lambda environ: REFUSED, threads=1, queue=2, patience=30)
    with ThreadPoolExecutor(3) as clients:
        inside = [clients.submit(admission, {}) for _ in range(3)]
        slow.begun.acquire()
        while admission.inside < 3:
            pass
        assert admission({}) is REFUSED
        slow.go.set()
        assert [one.result() for one in inside] == [DONE] * 3
    assert admission({}) is DONE
    assert admission.refused == 1


def test_who_has_waited_too_long_is_refused_and_never_served():
    slow = Slow()
    admission = Admission(slow, lambda environ: REFUSED, threads=1, queue=2, patience=0.2)
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(admission, {})
        slow.begun.acquire()
        assert admission({}) is REFUSED
        slow.go.set()
        assert first.result() is DONE  # it had begun
    assert not slow.begun.acquire(blocking=False)


def test_a_failure_makes_room_again():
    def fail(environ: dict) -> Answer:
        raise RuntimeError("broken")

    admission = Admission(fail, lambda environ: REFUSED, threads=1, queue=0, patience=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            admission({})


def test_a_refusal_has_the_shape_of_every_error(corpus_engine, root):
    full = front(corpus_engine, root, queue=-1)
    client = Client(full)
    refused = client.get("/api/v1/search?q=ferry")
    assert refused.status_code == 503
    assert ErrorResponse.model_validate(json.loads(refused.data)).error.code == "overloaded"
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Cache-Control"] == "no-store"
    page = client.get("/?q=ferry")
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert page.headers["Content-Security-Policy"]
    for path in ("/api/docs", "/api/openapi.json"):
        assert client.get(path).status_code == 503
    for path in ("/healthz", "/readyz", "/static/style.css", "/robots.txt"):
        answer = client.get(path)
        assert answer.status_code == 200
        answer.close()


def test_a_query_of_bytes_that_are_no_text_is_answered(root, load):
    engine = Engine.open(root, load)
    app = Front(create_app(lambda: engine, root), lambda: "1", threads=1, queue=2, patience=5.0, cache_bytes=1 << 16)
    for path in ("/", "/nowhere", "/api/v1/search"):
        environ = create_environ(path)
        environ["QUERY_STRING"] = "q=ferry\xf2\xff"
        assert Client(app).open(environ).status_code in (200, 404)
    engine.close()
