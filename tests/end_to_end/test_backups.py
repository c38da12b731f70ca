"""Backups of an index that is served and added to all the while, and a restore that its server follows."""

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest
from conftest import run_dateline
from sample import write_jsonl
from test_serve import Server

from index.build import add, rebuild
from index.catalog import Catalog
from index.check import problems
from index.encoder import load_encoder
from index.generation import live_generation
from index.restore import restore

BACKUPS = 5
ARTICLES_A_BATCH = 4
# Between two adds, and between two searches: enough of both happen, and others may run beside.
PAUSE_SECONDS = 0.2


def batch(folder: Path, number: int) -> Path:
    return write_jsonl(
        folder / f"batch{number}.jsonl",
        [
            {
                "id": f"b{number}n{n}",
                "title": f"Lobster report {number}.{n}",
                "text": f"Landings in bay b{number}n{n} fell.",
            }
            for n in range(ARTICLES_A_BATCH)
        ],
    )


def ids(root: Path) -> set[str]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return {article.id for article in catalog.all_articles()}


class Background:
    """Does something again and again until it is told to stop; failures are kept."""

    def __init__(self, step):
        self._step, self._stop = step, threading.Event()
        self.failures = []
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            try:
                self._step()
            except Exception as error:
                self.failures.append(repr(error))
                return
            self._stop.wait(PAUSE_SECONDS)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


def test_an_index_is_backed_up_and_restored_while_it_is_served_and_added_to(tmp_path, encoder):
    root, acknowledged = tmp_path / "index", [0]
    rebuild(root, [str(batch(tmp_path, 0))], lambda name: encoder)

    def add_one():
        number = len(acknowledged)
        add(root, [str(batch(tmp_path, number))], lambda name: encoder)
        acknowledged.append(number)

    server = Server(root, "--workers", "1")
    try:
        server.wait(lambda: server.get("/readyz")[0] == 200)

        def total(query):
            status, body = server.get(f"/api/v1/search?q={query}&mode=lexical")
            assert status == 200
            return json.loads(body)["total"]

        with Background(lambda: total("lobster")) as asking:
            with Background(add_one) as adding:
                for number in range(BACKUPS):
                    before = list(acknowledged)
                    done = run_dateline("backup", tmp_path / f"backup{number}", "--index", root, "--json")
                    assert done.returncode == 0, done.stderr
                    after = list(acknowledged)
                    backed_up(tmp_path / f"backup{number}", tmp_path / f"restored{number}", before, after)
            assert len(acknowledged) > BACKUPS / 2
            done = run_dateline("restore", tmp_path / "backup0", "--index", root)
            assert done.returncode == 0, done.stderr
            newest = f"b{acknowledged[-1]}n0"
            assert server.wait(lambda: total(newest) == 0 and total("b0n1"))
            assert run_dateline("rollback", "--index", root).returncode == 0
            assert server.wait(lambda: total(newest))
        assert (asking.failures, adding.failures) == ([], [])
    finally:
        server.stop()
    assert problems(root) == []


def backed_up(folder, elsewhere, before, after):
    """Restores a backup and holds it against what had been acknowledged before it began and when it was done."""
    restore(folder, elsewhere)
    assert problems(elsewhere) == problems(folder) == []
    held = ids(elsewhere)
    batches = {int(id.split("n")[0][1:]) for id in held}
    assert held == {f"b{number}n{n}" for number in batches for n in range(ARTICLES_A_BATCH)}  # none of them half
    assert set(before) <= batches <= {*after, len(after)}
