"""What a server counts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fronts import client
from prometheus_client.parser import text_string_to_metric_families
from sample import ARTICLES
from werkzeug.test import Client

from search.engine import Engine
from web import metrics
from web.access import Access
from web.app import create_app
from web.front import Front
from web.keys import KeyRing
from web.live import WatchedEngine
from web.metrics import route_finder

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def served(root, load):
    engine = Engine.open(root, load)
    app = create_app(lambda: engine, root)
    return Client(Front(app, lambda: engine.store.generation, threads=1, queue=8, patience=5.0, cache_bytes=1 << 20))


def samples(client):
    """Every value by its name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def grown(before, after, name, **labels):
    key = (name, *sorted(labels.items()))
    return after.get(key, 0) - before.get(key, 0)


def test_requests_are_counted_by_route_method_and_status(served):
    before = samples(served)
    for path in (
        "/article/ferry",
        "/article/strike",
        "/article/no",
        "/api/v1/search?q=ferry",
        "/api/v1/search",
        "/x/y",
    ):
        served.get(path)
    served.head("/article/ferry")
    served.open("/article/ferry", method="BREW")
    after = samples(served)

    def requests(route, method="GET", status="200"):
        return grown(before, after, "dateline_requests_total", route=route, method=method, status=status)

    assert requests("/article/<id:id>") == 2
    assert requests("/article/<id:id>", status="404") == 1
    assert requests("/article/<id:id>", method="HEAD") == 1
    assert requests("/article/<id:id>", method="other", status="405") == 1
    assert requests("/api/v1/search") == requests("/api/v1/search", status="400") == 1
    assert requests("other", status="404") == 1
    assert grown(before, after, "dateline_request_seconds_count", route="/api/v1/search") == 2


def test_answers_from_memory_are_counted(served):
    before = samples(served)
    for _ in range(3):
        served.get("/api/v1/search?q=ferry")
    after = samples(served)
    assert grown(before, after, "dateline_cache_answers_total", result="miss") == 1
    assert grown(before, after, "dateline_cache_answers_total", result="hit") == 2
    assert after["dateline_cache_bytes",] > 0
    assert after["dateline_running",] == after["dateline_waiting",] == 0


def test_it_says_what_is_in_the_index(served):
    found = samples(served)
    assert found["dateline_articles",] == len(ARTICLES)
    assert found["dateline_passages",] >= len(ARTICLES)
    assert found["dateline_set_aside",] == 0
    assert found["dateline_ready",] == 1
    assert found["dateline_generation_age_seconds",] >= 0
    [info] = [key for key in found if key[0] == "dateline_generation_info"]
    assert found[info] == 1
    assert info[1][1] == served.get("/api/v1/search?q=ferry").json["generation"]


def test_without_an_index_it_still_answers(tmp_path):
    found = samples(client(tmp_path))
    assert found["dateline_ready",] == 0
    assert ("dateline_articles",) not in found


def test_refusals_are_counted_by_their_reason(tmp_path):
    door = client(tmp_path, lambda refuse: Access(KeyRing(tmp_path / "keys.json"), refuse, needed=True))
    open_door = client(tmp_path)
    before = samples(open_door)
    door.get("/api/v1/search?q=x")
    door.get("/api/v1/search?q=x", headers={"X-API-Key": "x"})
    after = samples(open_door)
    assert grown(before, after, "dateline_refused_total", reason="key_missing") == 1
    assert grown(before, after, "dateline_refused_total", reason="unknown_key") == 1


def test_searches_are_timed_by_stage(root, load, served):
    engine = WatchedEngine.open(root, load)
    engine.search("ferry")  # nobody has asked to be told yet
    before = samples(served)
    engine.watch = metrics.searched
    engine.search("ferry")
    after = samples(served)
    for stage in ("read", "rank", "hits", "all"):
        assert grown(before, after, "dateline_search_seconds_count", stage=stage) == 1


def test_addresses_are_counted_by_their_route_so_that_there_are_few(tmp_path):
    route = route_finder(create_app(lambda: None, tmp_path))
    assert route("/article/2025/08/a") == "/article/<id:id>"
    assert route("/static/style.css") == "/static/<path:filename>"
    assert {route(path) for path in ("/a", "/\xff", "/article", "/a//b")} <= {"other"}


_WORKERS = """
import os, sys
from web import metrics
from web.visits import visit_of
def work():
    metrics.answered(visit_of({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}), "/", "200", 0.1)
    metrics.RUNNING.set(1)
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    os.waitpid(child, 0)
work()
from flask import Flask
app = Flask("x")
app.config["INDEX"] = None
def gone():
    from index.errors import IndexMissing
    raise IndexMissing("no")
app.extensions["engine"] = gone
app.register_blueprint(metrics.metrics)
print(app.test_client().get("/metrics").text)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
def test_workers_are_added_up_and_the_dead_do_nothing_any_more(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WORKERS], capture_output=True, text=True, cwd=PROJECT,
        env=os.environ | {metrics.FOLDER: str(tmp_path)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'dateline_requests_total{method="GET",route="/",status="200"} 3.0' in done.stdout
    assert "dateline_running 1.0" in done.stdout
    assert "dateline_ready 0.0" in done.stdout
