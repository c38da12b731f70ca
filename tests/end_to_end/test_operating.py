"""`dateline serve` as its owner runs it: two workers that count together, keys, a file of settings, a log."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from test_serve import PROJECT, Server

from web.keys import add_key, remove_key

TWO = ("--workers", "2")


@pytest.fixture
def started(tmp_path):
    """Starts servers, without an index where none is needed, and stops them all."""
    running = []

    def start(*options, root=tmp_path / "none"):
        running.append(Server(root, *options))
        running[-1].wait(lambda: running[-1].get("/healthz")[0] == 200)
        return running[-1]

    yield start
    for server in running:
        server.stop()


def test_workers_add_up_what_they_count_and_leave_nothing_behind(started, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    server = started(*TWO)
    server.wait(lambda: len(server.workers()) == 2)
    before = counted(server)
    for _ in range(40):  # each on a connection of its own, so that both workers get some
        server.get("/robots.txt")
    assert counted(server) - before == 40
    os.kill(server.workers()[0], signal.SIGKILL)
    assert server.wait(lambda: len(server.workers()) == 2 and counted(server) - before) == 40
    [shared] = (tmp_path / "tmp").glob("dateline-*")
    assert list((shared / "metrics").iterdir())
    server.stop()
    assert not list((tmp_path / "tmp").iterdir())


def test_a_server_that_is_killed_leaves_nothing_behind_either(started, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    server = started("--workers", "1")
    server.process.kill()
    server.process.wait(20)
    assert server.wait(lambda: not list((tmp_path / "tmp").iterdir()))


def counted(server):
    found = re.search(r'dateline_requests_total\{[^}]*route="/robots.txt"[^}]*\} (\S+)', server.get("/metrics")[1])
    return float(found[1]) if found else 0.0


def test_workers_limit_a_visitor_together(started):
    server = started(*TWO, "--rate", "6")
    server.wait(lambda: len(server.workers()) == 2)
    statuses = [server.status("/api/v1/search?q=x") for _ in range(30)]
    assert 10 <= statuses.count(503) <= 13  # a burst, and what becomes free meanwhile; 503 for want of an index
    assert statuses.count(429) == 30 - statuses.count(503)


def test_keys_are_made_and_removed_while_it_serves(started, tmp_path):
    keys = tmp_path / "keys.json"
    first = add_key(keys, "first", ["read"])
    server = started(*TWO, "--access", "keys", "--keys-file", str(keys))
    assert server.status("/api/v1/stats") == 401
    assert server.status("/api/v1/stats", Authorization=f"Bearer {first}") == 503
    assert server.status("/metrics", Authorization=f"Bearer {first}") == 403
    second = add_key(keys, "second", ["metrics"])
    assert {server.status("/metrics", **{"X-API-Key": second}) for _ in range(6)} == {200}
    remove_key(keys, "first")
    assert {server.status("/api/v1/stats", Authorization=f"Bearer {first}") for _ in range(6)} == {401}
    assert first not in "\n".join(server.logged())


def test_it_answers_to_names_of_this_machine_only(started):
    server = started("--allow-host", "news.local")
    for host, status in (("localhost", 503), ("news.local:80", 503), ("evil.example.org", 403)):
        assert server.status("/api/v1/search?q=x", Host=host) == status


def test_behind_a_proxy_it_believes_where_a_request_comes_from(started):
    server = started("--behind-proxies", "1", "--access", "open", "--rate", "6")
    for address in ("10.0.0.1", "10.0.0.2"):
        sent = {"X-Forwarded-For": address, "Host": "news.example.org"}
        statuses = [server.status("/api/v1/search?q=x", **sent) for _ in range(12)]
        assert statuses[:10] == [503] * 10
        assert 429 in statuses


def test_a_file_says_how_to_serve_and_the_log_is_json(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "dateline.toml").write_text(
        f'index = "none"\n[serve]\nport = {port}\nworkers = 1\nlog-format = "json"\ncors-origin = ["https://x.org"]\n'
    )
    server = Server.__new__(Server)
    server.port = port
    with (tmp_path / "log").open("w+", encoding="utf-8") as server.log:
        server.process = subprocess.Popen(
            [sys.executable, "-m", "web", "serve"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(PROJECT)},
            stdout=subprocess.DEVNULL, stderr=server.log,
        )  # fmt: skip
        try:
            server.wait(lambda: server.get("/healthz", **{"X-Request-ID": "abc-1"})[0] == 200)
            logged = [json.loads(line) for line in server.logged() if line.startswith("{")]
            assert [line["request_id"] for line in logged if line.get("path") == "/healthz"] == ["abc-1"]
            assert any("dateline rebuild" in line["message"] for line in logged)  # there is no index
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(20)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--host", "0.0.0.0"], 1, "dateline keys add NAME"),
        (["--behind-proxies", "1"], 1, "--access open"),
        (["--access", "keys"], 1, "dateline keys add NAME"),
        (["--rate", "-1"], 2, "--rate"),
        (["--log-format", "xml"], 2, "xml"),
    ],
)
def test_it_does_not_start_where_nobody_could_ask_or_everybody_could(tmp_path, options, status, said):
    done = subprocess.run(
        [sys.executable, "-m", "web", "serve", "--index", str(tmp_path / "index"), "--port", "1", *options],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == status
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
