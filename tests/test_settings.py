from pathlib import Path

import pytest

from web.settings import ServeSettings, is_loopback

ROOT = Path("index")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("news.example.org", False), ("", False),
    ],
)  # fmt: skip
def test_what_only_this_machine_can_reach(host, here):
    assert is_loopback(host) == here


@pytest.mark.parametrize(
    ("options", "needs_keys", "a_minute"),
    [
        ({}, False, 0),
        ({"host": "0.0.0.0"}, True, 300),
        ({"behind_proxies": 1}, True, 300),  # whoever reaches the proxy reaches the server
        ({"host": "0.0.0.0", "access": "open"}, False, 300),
        ({"access": "keys"}, True, 0),
        ({"rate": 7}, False, 7),
        ({"host": "0.0.0.0", "rate": 0}, True, 0),
    ],
)
def test_what_others_can_reach_asks_for_keys_and_counts(options, needs_keys, a_minute):
    settings = ServeSettings(ROOT, **options)
    assert (settings.needs_keys, settings.requests_a_minute) == (needs_keys, a_minute)


def test_a_cross_encoder_is_loaded_once():
    assert ServeSettings(ROOT, rerank="x").processes == 1
    assert ServeSettings(ROOT, rerank="x", workers=3).processes == 3


def test_the_address_is_one_that_can_be_clicked():
    assert ServeSettings(ROOT, "::1", 80).address == "http://[::1]:80"
    assert ServeSettings(ROOT).address == "http://127.0.0.1:8000"


def test_workers_are_told_everything(monkeypatch):
    monkeypatch.setenv("DATELINE_SERVING", "")  # so that it is taken back
    settings = ServeSettings(
        Path("/x/index"), host="::1", workers=2, keys_file=Path("/x/keys"), rate=5, hosts=("a", "b"),
        cors_origins=("*",), log_format="json", salt="s", shared=Path("/x/shared"),
    )  # fmt: skip
    settings.tell()
    assert ServeSettings.told() == settings
    ServeSettings(Path("index")).tell()
    assert ServeSettings.told().root == Path("index").absolute()
    assert ServeSettings.told().keys == Path("index/keys.json").absolute()
