"""What a server writes down, and what it never does."""

import io
import json
import logging

import pytest
from fronts import PASSED, client, front
from werkzeug.test import Client

from web.access import Access
from web.app import create_app
from web.front import Front
from web.keys import KeyRing, add_key
from web.logs import handler

SECRET = "purple walrus"


@pytest.fixture
def lines():
    """Attaches a handler to the log, and returns the stream that it writes to."""
    attached = []

    def attach(format="text", *, queries=False):
        stream = io.StringIO()
        attached.append(handler(stream, format, queries=queries))
        logging.getLogger().addHandler(attached[-1])
        logging.getLogger().setLevel(logging.INFO)
        return stream

    yield attach
    for one in attached:
        logging.getLogger().removeHandler(one)
    logging.getLogger().setLevel(logging.WARNING)


def test_a_request_is_one_line(tmp_path, lines):
    log = lines()
    door = client(tmp_path)
    door.get("/healthz", headers={"X-Request-ID": "abc-1"})
    [line] = log.getvalue().splitlines()
    assert "INFO web.access: request method=GET path=/healthz status=200 ms=" in line
    assert line.endswith(" bytes=15 request_id=abc-1")


def test_a_request_is_one_json_object_for_programs(tmp_path, lines):
    log = lines("json")
    secret = add_key(tmp_path / "keys.json", "reader", ["read"])
    door = client(tmp_path, lambda refuse: Access(KeyRing(tmp_path / "keys.json"), refuse, needed=True))
    door.get("/api/v1/search?q=x", headers={"X-API-Key": secret})
    line = json.loads(log.getvalue())
    assert (line["logger"], line["level"], line["method"]) == ("web.access", "INFO", "GET")
    assert (line["path"], line["status"], line["key"]) == ("/api/v1/search", PASSED, "reader")
    assert line["request_id"]
    assert line["ms"] > 0
    assert line["time"].endswith("+00:00")
    assert secret not in log.getvalue()


def test_what_people_search_for_is_theirs(tmp_path, lines):
    log = lines("json")
    door = client(tmp_path)
    door.get(f"/?q={SECRET}", headers={"Cookie": f"a={SECRET}", "Authorization": f"Bearer {SECRET}"})
    door.get(f"/api/v1/search?q={SECRET}&from=never")
    door.post("/api/v1/search", json={"q": SECRET})
    door.get(f"/export.csv?q={SECRET}")
    assert len(log.getvalue().splitlines()) == 4
    assert "walrus" not in log.getvalue()


def test_unless_the_server_was_told_to_write_it(tmp_path, lines):
    log = lines(queries=True)
    client(tmp_path, log_queries=True).get(f"/api/v1/search?q={SECRET}")
    assert f" query='{SECRET}' " in log.getvalue()


class Broken:
    def __init__(self):
        raise RuntimeError(f"cannot look for {SECRET}") from KeyError(SECRET)


@pytest.mark.parametrize("format", ["text", "json"])
def test_an_error_is_told_with_its_request_but_without_what_it_may_quote(tmp_path, lines, format):
    log = lines(format)
    door = Client(Front(create_app(Broken, tmp_path), lambda: None, threads=1, queue=1, patience=5, cache_bytes=0))
    answer = door.get(f"/api/v1/search?q={SECRET}", headers={"X-Request-ID": "abc-2"})
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] == "abc-2"
    text = log.getvalue()
    assert text.count("abc-2") == 2  # the error's, and the request's
    assert "walrus" not in text
    for told in ("builtins.KeyError", "builtins.RuntimeError", "test_logs.py", "--log-queries"):
        assert told in text


def test_an_error_is_told_whole_if_queries_may_be(tmp_path, lines):
    log = lines(queries=True)
    door = Client(Front(create_app(Broken, tmp_path), lambda: None, threads=1, queue=1, patience=5, cache_bytes=0))
    door.get("/api/v1/search?q=x")
    assert f"RuntimeError: cannot look for {SECRET}" in log.getvalue()


def test_a_failure_of_the_server_itself_is_answered_and_told(tmp_path, lines):
    def fail(visit):
        raise ValueError(SECRET)

    log = lines()
    answer = client(tmp_path, lambda refuse: fail).get("/api/v1/stats", headers={"X-Request-ID": "abc-3"})
    assert answer.status_code == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert log.getvalue().count("request_id=abc-3") == 2
    assert "walrus" not in log.getvalue()


def test_no_address_begins_a_line_of_its_own(tmp_path, lines):
    log = lines()
    for path in ("/x%0a2025-01-01%20INFO%20web.access:%20GET", "/a%20b", "/%ff%fe", "/ü"):
        client(tmp_path).get(path)
    assert len(log.getvalue().splitlines()) == 4
    assert "/x%0A2025-01-01%20INFO" in log.getvalue()


@pytest.mark.parametrize("brought", ["", "x" * 65, "a b", "ä", "a;b", "a/b"])
def test_an_id_that_is_not_sane_is_replaced(tmp_path, brought):
    answer = client(tmp_path).get("/healthz", headers={"X-Request-ID": brought})
    assert answer.headers["X-Request-ID"] not in ("", brought)
    assert len(answer.headers.getlist("X-Request-ID")) == 1


def test_each_request_has_an_id_of_its_own_on_every_answer(tmp_path):
    door = client(tmp_path)
    paths = (
        "/healthz",
        "/",
        "/api/v1/search",
        "/nothing",
        "/static/style.css",
        "/export.csv?q=x",
        "/api/v1/search?q=x",
    )
    ids = set()
    for path in paths:
        with door.get(path) as answer:
            ids.add(answer.headers["X-Request-ID"])
    assert len(ids) == len(paths)


def test_an_index_that_cannot_be_opened_is_told_whole(lines):
    log = lines()
    try:
        raise OSError("No space left on device")
    except OSError:
        logging.getLogger("web.live").exception("the index could not be opened")
    assert "No space left on device" in log.getvalue()


def test_a_front_that_logs_nothing_costs_nothing(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    Client(front(tmp_path)).get("/healthz")
    assert not caplog.records
