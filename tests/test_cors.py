"""Pages of other sites that ask the API."""

from fronts import PASSED, client

from web.access import Access
from web.cors import Cors
from web.keys import KeyRing

SITE = "https://reader.example.org"
ASKS = {"Origin": SITE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}


def door(tmp_path, *origins):
    return client(
        tmp_path,
        lambda refuse: Cors(origins),
        lambda refuse: Access(KeyRing(tmp_path / "keys.json"), refuse, needed=True),
    )


def test_a_named_site_may_ask_first_and_then_show_its_key(tmp_path):
    asked = door(tmp_path, f"{SITE}/").options("/api/v1/search", headers=ASKS)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == SITE
    assert "X-API-Key" in asked.headers["Access-Control-Allow-Headers"]
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["X-Request-ID"]
    assert "Origin" in asked.headers.getlist("Vary")


def test_an_error_may_be_read_too(tmp_path):
    refused = door(tmp_path, SITE).get("/api/v1/search?q=x", headers={"Origin": SITE})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == SITE
    for name in ("ETag", "X-Request-ID", "Retry-After"):
        assert name in refused.headers["Access-Control-Expose-Headers"]


def test_others_may_not(tmp_path):
    for origin in ("https://evil.example.org", "null", f"{SITE}.evil.example.org", "http://reader.example.org"):
        asked = door(tmp_path, SITE).options("/api/v1/search", headers=ASKS | {"Origin": origin})
        assert "Access-Control-Allow-Origin" not in asked.headers
        assert asked.status_code == 401
    assert "Access-Control-Allow-Origin" not in door(tmp_path, SITE).get("/api/v1/search?q=x").headers


def test_all_may_if_the_owner_says_so_but_never_with_cookies(tmp_path):
    answer = door(tmp_path, "*").get("/api/v1/search?q=x", headers={"Origin": SITE})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_pages_and_exports_are_not_for_other_sites(tmp_path):
    for path in ("/?q=x", "/export.csv?q=x", "/feed.atom", "/metrics"):
        assert "Access-Control-Allow-Origin" not in door(tmp_path, "*").get(path, headers={"Origin": SITE}).headers


def test_by_itself_a_server_is_for_its_own_pages(tmp_path):
    answer = client(tmp_path).get("/api/v1/search?q=x", headers={"Origin": SITE})
    assert answer.status_code == PASSED
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
