"""A served index with too much to do, and with clients that break the rules: the short form of load.py."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest
from load import Plan, overload
from rounds import write_round
from rude import SENT, Sent, is_expected, says_nothing, sends_slowly, statuses, vanish
from served import Server
from soak import slope

from index.build import rebuild
from index.encoder import load_encoder

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").is_file(), reason="processes are seen in /proc")
_POSTED = (
    b"POST /api/v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 16\r\n\r\n{"q": "harbour"}'
)
CONNECTIONS = 700
QUEUE = 64


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rude")
    rebuild(folder / "index", [str(write_round(folder / "articles.jsonl", range(20), 0))], load_encoder)
    return folder / "index"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def server(index, log):
    with log.open("w") as written, Server(index, "--workers", "1", "--queue", str(QUEUE), log=written) as running:
        yield running


@pytest.fixture
def kept():
    """Connections that are closed in the end."""
    found = []
    yield found
    for connection in found:
        connection.close()


def test_overload_with_changes_and_a_killed_worker_makes_no_answer_wrong():
    found = overload(Plan(seconds=8, articles=60, kill_every=6.5, rude=4, capacity_seconds=0.5))
    assert found["mistakes"] == 0, found["first_mistakes"]
    assert found["states_of_two_rounds"] == 0
    assert found["bare_refusals"] == 0
    assert found["write_errors"] == []
    assert found["errors_logged"] == 0
    assert found["rude"]["unexpected"] == {}
    assert found["statuses"].keys() <= {"200", "503"}
    assert found["checked"] > 0
    assert found["killed"] >= 1
    assert found["health"]
    assert found["waiting"] <= 2 * QUEUE
    assert found["waiting_in_the_end"] == 0
    assert found["recovered_seconds"] is not None


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent.name)
def test_what_breaks_the_rules_is_refused_or_cut_and_others_are_answered(server, sent):
    found = statuses(server.port, sent)
    assert is_expected(sent, found), found
    assert server.get("/healthz")[0] == 200


def test_a_client_that_vanishes_leaves_nothing_undone(server):
    for _ in range(20):
        vanish(server.port)
    assert server.get("/api/v1/search?q=harbour")[0] == 200
    assert server.wait(lambda: b"dateline_waiting 0.0" in server.get("/metrics")[1])


def test_bodies_that_never_come_keep_nobody_from_being_answered(server, kept):
    kept += [sends_slowly(server.port) for _ in range(120)]
    for step in range(8):  # while they wait, and when half of them and then all have gone
        time.sleep(1)
        if step in (3, 6):
            for connection in kept[: len(kept) // (2 if step == 3 else 1)]:
                connection.close()
        assert server.get("/healthz")[0] == 200
        assert server.get(f"/api/v1/search?q=harbour+{step}")[0] == 200
    sent = Sent("a posted search", _POSTED, (200,))
    assert server.wait(lambda: is_expected(sent, statuses(server.port, sent)))


def test_connections_that_say_nothing_keep_nobody_from_being_answered(server, kept):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * CONNECTIONS:
        pytest.skip("this process may not open so many connections")
    kept += [says_nothing(server.port) for _ in range(CONNECTIONS)]
    assert server.get("/healthz")[0] == 200
    assert server.get("/api/v1/search?q=harbour")[0] == 200


def test_nothing_of_that_was_an_error_of_the_server(server, log):
    assert server.get("/healthz")[0] == 200
    assert not [line for line in log.read_text().splitlines() if " ERROR " in line or "Traceback" in line]


def test_a_worker_that_dies_again_at_once_ends_the_server_with_a_word(index, tmp_path):
    with (tmp_path / "log").open("w") as written:
        running = Server(index, "--workers", "1", log=written)
        running.wait(lambda: running.get("/readyz")[0] == 200)
        deadline = time.monotonic() + 60
        while running.process.poll() is None and time.monotonic() < deadline:
            for worker in running.workers():
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.2)
    assert running.process.wait(20) == 1
    said = (tmp_path / "log").read_text().splitlines()[-1]
    assert "worker died" in said
    assert "memory" in said


def test_a_slope_is_found_with_its_interval():
    at = [number / 100 for number in range(300)]
    found = slope(at, [5 + 2 * x + (-1) ** number * 0.1 for number, x in enumerate(at)])
    assert found["low"] <= 2 <= found["high"]
    assert found["high"] - found["low"] < 0.2
    flat = slope(at, [7 + (number * 37 % 11) * 0.01 for number in range(300)])
    assert flat["low"] <= 0 <= flat["high"]
