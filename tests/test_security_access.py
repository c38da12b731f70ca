"""Keys cannot be tried without end, read anywhere, or had by sending the right headers."""

import base64
import hmac
import logging
from io import StringIO

import pytest
from fronts import PASSED, client
from werkzeug.test import Client

from search.engine import Engine
from web import keys as keys_module
from web import logs
from web.access import Access
from web.app import create_app
from web.front import Front
from web.keys import KeyRing, add_key
from web.rates import Rates, burst, neighbourhood
from web.serving import steps
from web.settings import ServeSettings

A_MINUTE = 60
WRONG = {"X-API-Key": "dateline_wrong"}


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def door(tmp_path, keys):
    """A server that needs keys, as `dateline serve` puts it together."""
    Rates.prepare(tmp_path / "rates")
    settings = ServeSettings(
        root=tmp_path, host="0.0.0.0", access="keys", rate=A_MINUTE, keys_file=keys, shared=tmp_path, salt="salt"
    )
    return client(tmp_path, *(lambda refuse, n=n: steps(settings, refuse)[n] for n in range(2)))


def asked(door, headers, address="192.0.2.1", path="/api/v1/search?q=x"):
    return door.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code


def test_whoever_tries_keys_is_soon_told_to_wait(door, keys):
    secret = add_key(keys, "reader", ["read"])
    tries = [asked(door, WRONG) for _ in range(burst(A_MINUTE) + 3)]
    assert tries == [401] * burst(A_MINUTE) + [429] * 3
    assert asked(door, {}) == 429
    assert asked(door, WRONG, "192.0.2.2") == 401
    assert asked(door, {"X-API-Key": secret}) == PASSED, "who has a key is not kept out by a neighbour without"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"])
def test_no_header_makes_another_visitor_of_the_same(door, header):
    tries = [asked(door, WRONG | {header: f"198.51.100.{n}"}) for n in range(burst(A_MINUTE) + 1)]
    assert tries[-1] == 429


def test_all_of_a_customers_addresses_are_one_visitor(door):
    tries = [asked(door, WRONG, f"2001:db8:1:2:{n:x}::{n}") for n in range(burst(A_MINUTE) + 1)]
    assert tries[-1] == 429
    assert asked(door, WRONG, "2001:db8:1:3::1") == 401
    assert neighbourhood("::ffff:192.0.2.1") == neighbourhood("192.0.2.1")


def test_a_key_in_an_address_is_none(door, keys):
    secret = add_key(keys, "reader", ["read"])
    for name in ("key", "api_key", "token", "access_token", "X-API-Key"):
        assert asked(door, {}, path=f"/api/v1/search?q=x&{name}={secret}") == 401


def test_keys_are_compared_in_constant_time_and_all_of_them(keys, monkeypatch):
    secrets = [add_key(keys, f"reader{n}", ["read"]) for n in range(3)]
    compared = []
    monkeypatch.setattr(keys_module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    ring = KeyRing(keys)
    assert ring.find(secrets[0]).name == "reader0"
    assert len(compared) == 3
    assert keys_module.hmac is hmac


def test_a_key_is_in_no_file_and_no_line_of_the_log(tmp_path, keys):
    secret = add_key(keys, "reader", ["read"])
    assert secret not in keys.read_text("utf-8")
    assert secret.removeprefix("dateline_") not in keys.read_text("utf-8")
    assert oct(keys.stat().st_mode & 0o777) == "0o600"
    lines = StringIO()
    handler = logs.handler(lines, "json", queries=True)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        visitor = client(tmp_path, lambda refuse: Access(KeyRing(keys), refuse, needed=True), log_queries=True)
        basic = base64.b64encode(f"me:{secret}".encode()).decode()
        for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"},
                        {"Authorization": f"Basic {basic}"}):  # fmt: skip
            assert visitor.get("/api/v1/search?q=ferry", headers=headers).status_code == PASSED
            assert visitor.get("/metrics", headers=headers).status_code == 403
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert lines.getvalue().count("ferry") == 3
    assert '"key": "reader"' in lines.getvalue()
    assert secret not in lines.getvalue()
    assert basic not in lines.getvalue()


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o660, True), (0o646, True)])
def test_a_file_of_keys_that_others_can_change_is_told_of(keys, caplog, mode, told):
    secret = add_key(keys, "reader", ["read"])
    keys.chmod(mode)
    assert KeyRing(keys).find(secret)
    assert ("chmod go-w" in caplog.text) == told
    assert secret not in caplog.text


def test_scopes_are_what_the_path_is_and_not_how_it_is_written(door, keys):
    secret = add_key(keys, "reader", ["read"])
    for path in ("/metrics", "/export.csv?q=x", "/export.jsonl?q=x", "/export.xlsx"):
        assert asked(door, {"X-API-Key": secret}, path=path) == 403, path
    for path in ("/static/../metrics", "/healthz/../metrics", "/robots.txt/../api/v1/stats", "/static/%2e%2e/metrics",
                 "/METRICS", "/metrics/", "/healthz/", "/static", "/api/docs/../v1/stats"):  # fmt: skip
        assert asked(door, {}, path=path) in (401, 404), path


def test_without_a_key_only_what_tells_nothing_of_the_corpus_is_open(tmp_path, keys, root, load):
    add_key(keys, "reader", ["read"])
    engine = Engine.open(root, load)
    app = create_app(lambda: engine, root)
    front = Front(
        app, lambda: engine.store.generation, threads=1, queue=8, patience=5.0, cache_bytes=1 << 20,
        steps=lambda refuse: [Access(KeyRing(keys), refuse, needed=True)],
    )  # fmt: skip
    visitor = Client(front)
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<id:id>", "ferry").replace("<path:filename>", "style.css")
        answer = visitor.open(path, method="POST" if rule.methods == {"POST", "OPTIONS"} else "GET", json=None)
        if answer.status_code != 401:
            assert "Gannet" not in answer.text, path
            assert path.startswith(("/static/", "/healthz", "/readyz", "/robots.txt", "/opensearch.xml", "/api/docs",
                                    "/api/openapi.json", "/favicon.ico")), path  # fmt: skip
    engine.close()
