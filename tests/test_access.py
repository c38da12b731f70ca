"""Who is let in: the key of a request against what it asks for."""

from base64 import b64encode

import pytest
from fronts import PASSED, client
from hypothesis import given
from hypothesis import strategies as st

from web.access import Access, scope_of, secret_in
from web.keys import KeyRing, add_key, remove_key
from web.schemas import ErrorResponse

OPEN = (
    "/healthz", "/robots.txt", "/api/openapi.json", "/api/docs", "/static/style.css"
)  # fmt: skip


def basic(user, password):
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def door(tmp_path, keys):
    return client(tmp_path, lambda refuse: Access(KeyRing(keys), refuse, needed=True))


def test_a_key_may_be_shown_in_three_ways(door, keys):
    secret = add_key(keys, "reader", ["read"])
    for shown in (
        {"Authorization": f"Bearer {secret}"}, {"authorization": f"bearer  {secret} "}, {"X-API-Key": secret},
        basic("anybody", secret), basic("", secret),
    ):  # fmt: skip
        assert door.get("/api/v1/search?q=x", headers=shown).status_code == PASSED, shown


@pytest.mark.parametrize(
    "shown",
    [
        {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic %%%"},
        {"Authorization": "Basic YWJj"}, {"Authorization": "Digest x"}, {"X-API-Key": ""}, basic("dateline_x", "x"),
    ],
)  # fmt: skip
def test_who_shows_none_that_is_known_is_told_how(door, keys, shown):
    add_key(keys, "reader", ["read"])
    refused = door.get("/api/v1/search?q=x", headers=shown)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="Dateline"'
    assert refused.headers["Cache-Control"] == "no-store"
    error = ErrorResponse.model_validate(refused.json).error
    assert error.code in ("key_missing", "unknown_key")
    assert "API key" in error.message


def test_a_key_in_the_address_counts_for_nothing(door, keys):
    secret = add_key(keys, "reader", ["read"])
    for name in ("key", "api_key", "token", "access_token", "X-API-Key"):
        assert door.get(f"/api/v1/search?q=x&{name}={secret}").status_code == 401


def test_browsers_and_feed_readers_are_asked_for_a_password(door):
    page, feed = door.get("/?q=x"), door.get("/feed.atom?q=x")
    assert page.status_code == feed.status_code == 401
    assert page.headers["WWW-Authenticate"].startswith("Basic ")
    assert page.mimetype == "text/html"
    assert "API key" in page.text
    assert feed.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", OPEN)
def test_what_says_nothing_of_the_corpus_is_open(door, path):
    with door.get(path) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("scope", "paths"),
    [
        ("read", ["/", "/?q=x", "/article/x", "/compare", "/feed.atom", "/api/v1/stats", "/embed/x", "/nothing"]),
        ("export", ["/export.csv?q=x", "/export.jsonl?q=x"]),
        ("metrics", ["/metrics"]),
    ],
)
def test_a_key_opens_its_scopes_only(door, keys, scope, paths):
    fits = add_key(keys, "fits", [scope])
    fits_not = add_key(keys, "fits-not", [other for other in ("read", "export", "metrics") if other != scope])
    for path in paths:
        assert door.get(path, headers=basic("", fits)).status_code not in (401, 403), path
        refused = door.get(path, headers=basic("", fits_not))
        assert refused.status_code == 403, path
        assert scope in refused.text


def test_a_key_that_was_removed_is_refused_at_once(door, keys):
    secret = add_key(keys, "reader", ["read"])
    assert door.get("/api/v1/stats", headers={"X-API-Key": secret}).status_code == PASSED
    remove_key(keys, "reader")
    refused = door.get("/api/v1/stats", headers={"X-API-Key": secret})
    assert refused.status_code == 401
    assert refused.json["error"]["code"] == "unknown_key"


def test_where_none_is_needed_none_is_asked_for(tmp_path, keys):
    door = client(tmp_path, lambda refuse: Access(KeyRing(keys), refuse, needed=False))
    assert door.get("/api/v1/stats").status_code == PASSED
    assert door.get("/api/v1/stats", headers={"X-API-Key": "wrong"}).status_code == PASSED
    assert door.get("/metrics").status_code == 200


@given(st.text(max_size=30))
def test_whatever_an_address_is_only_the_open_ones_are_open(path):
    assert (scope_of(f"/{path}") is None) == (f"/{path}" in OPEN or f"/{path}".startswith("/static/"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_trips_it(authorization, named):
    found = secret_in({"HTTP_AUTHORIZATION": authorization, "HTTP_X_API_KEY": named})
    assert found is None or isinstance(found, str)


@pytest.mark.parametrize("path", ["/metrics", "/export.csv?q=x", "/export.jsonl?q=x"])
@pytest.mark.parametrize("before", ["", "//", "/%2F"])
def test_more_slashes_open_no_more(door, keys, path, before):
    secret = add_key(keys, "reader", ["read"])
    assert door.get(before + path, headers={"X-API-Key": secret}).status_code == 403
    assert door.get(before + path).status_code == 401
