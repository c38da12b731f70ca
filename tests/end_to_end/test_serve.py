"""`dateline serve` as a process, spoken to over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from sample import write_jsonl

from index.build import add, rebuild
from index.encoder import load_encoder

PROJECT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 60


class Server:
    """A running server on a port of its own."""

    def __init__(self, root, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 closed by stop
        self.process = subprocess.Popen(
            [sys.executable, "-m", "web", "serve", "--index", str(root), "--port", str(self.port), *options],
            cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=self.log, text=True,
        )  # fmt: skip

    def get(self, path, **headers):
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()

    def status(self, path, **headers):
        try:
            return self.get(path, **headers)[0]
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def logged(self):
        """The lines of the log so far."""
        self.log.seek(0)
        return self.log.read().splitlines()

    def wait(self, condition):
        """The first true value of `condition`, called again and again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.05)
        raise AssertionError("the server did not get there in time")

    def workers(self):
        """The processes that answer."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(child) for task in tasks for child in task.read_text().split())

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.log.close()


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture
def corpus(tmp_path):
    return write_jsonl(
        tmp_path / "articles.jsonl",
        [
            {"id": f"a{n}", "title": f"Lobster report {n}", "text": f"Lobster landings in bay {n} fell."}
            for n in range(5)
        ],
    )


@pytest.fixture
def root(tmp_path, corpus, encoder):
    rebuild(tmp_path / "index", [str(corpus)], lambda name: encoder)
    return tmp_path / "index"


@pytest.fixture
def server(root):
    running = Server(root)
    try:
        running.wait(lambda: running.get("/readyz")[0] == 200)
        yield running
    finally:
        running.stop()


def test_it_answers_pages_api_and_errors(server):
    status, body = server.get("/api/v1/search?q=lobster+catch&size=2")
    assert status == 200
    assert len(json.loads(body)["results"]) == 2
    assert "<mark>Lobster</mark>" in server.get("/?q=lobster")[1]
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.get("/api/v1/search?q=x&from=never")
    assert refused.value.code == 400
    with refused.value as answer:
        assert json.load(answer)["error"]["field"] == "from"


def test_changes_are_picked_up_without_a_dropped_request(server, root, corpus, encoder, tmp_path):
    generations: list[str] = []
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                status, body = server.get("/api/v1/search?q=lobster+report+3&size=1")
                found = json.loads(body)
                if status != 200 or found["results"][0]["article"]["id"] != "a3":
                    failures.append(body)
                generations.append(found["generation"])
            except Exception as error:
                failures.append(repr(error))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for thread in askers:
        thread.start()
    try:
        first = server.wait(lambda: generations[-1:])[0]
        rebuild(root, [str(corpus)], lambda name: encoder)
        second = server.wait(lambda: [seen for seen in generations[-1:] if seen != first])[0]
        extra = write_jsonl(
            tmp_path / "extra.jsonl", [{"id": "new", "title": "Zeppelin", "text": "A zeppelin landed."}]
        )
        add(root, [str(extra)], lambda name: encoder)
        server.wait(lambda: [seen for seen in generations[-1:] if seen not in (first, second)])
    finally:
        stop.set()
        for thread in askers:
            thread.join()
    assert not failures
    # Each worker turns to the new state by itself.
    assert server.wait(
        lambda: json.loads(server.get("/api/v1/search?q=zeppelin")[1])["results"][0]["article"]["id"] == "new"
    )


def test_a_server_without_an_index_is_alive_and_turns_ready_when_one_is_built(tmp_path, corpus, encoder):
    running = Server(tmp_path / "later")
    try:
        running.wait(lambda: running.get("/healthz")[0] == 200)
        with pytest.raises(urllib.error.HTTPError) as refused:
            running.get("/readyz")
        with refused.value as answer:
            assert answer.code == 503
        rebuild(tmp_path / "later", [str(corpus)], lambda name: encoder)
        running.wait(lambda: running.get("/readyz")[0] == 200)
    finally:
        running.stop()


def test_a_port_that_is_taken_is_one_line_on_stderr(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "web", "serve", "--port", port, "--index", str(tmp_path)],
            cwd=PROJECT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr


@pytest.fixture
def pair(tmp_path):
    """A server of two workers; without an index, because none is needed to watch processes."""
    running = Server(tmp_path / "none", "--workers", "2")
    running.wait(lambda: len(running.workers()) == 2 and running.get("/healthz")[0] == 200)
    yield running
    running.stop()


def alive(process):
    status = Path(f"/proc/{process}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are looked up in /proc")
def test_a_worker_that_dies_is_replaced_while_the_other_answers(pair):
    first, second = pair.workers()
    os.kill(first, signal.SIGKILL)
    assert pair.wait(lambda: second in (found := pair.workers()) and len(found) == 2 and first not in found)
    assert pair.wait(lambda: pair.get("/healthz")[0] == 200)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_server(pair, by):
    workers = pair.workers()
    pair.process.send_signal(by)
    pair.process.wait(20)
    pair.wait(lambda: not any(map(alive, workers)))
