"""SIGKILL at many moments of a rebuild and of an add loses nothing that was acknowledged."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sample import FakeEncoder, write_jsonl

from index.build import rebuild
from index.check import problems, repair
from search.engine import Engine

WRITER = Path(__file__).parent / "writer.py"
BATCHES, ARTICLES_A_BATCH = 12, 8
KILLS = 15
# From before the first write to well into the second round.
LATEST_KILL_SECONDS = 1.2


def name(batch, number):
    return f"b{batch}n{number}"


def records(batch):
    return [
        {
            "id": name(batch, number),
            "title": f"Report {name(batch, number)}",
            "text": f"The word {name(batch, number)}x stands here. "
            + "Filler about the harbour and the weather. " * 30,
        }
        for number in range(ARTICLES_A_BATCH)
    ]


def kill_while(kind, root, folder, seconds):
    """Starts the writer, kills it some seconds after it is up, and returns what it had acknowledged."""
    process = subprocess.Popen([sys.executable, WRITER, kind, root, folder], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    return [line.strip() for line in [first, *rest.splitlines()] if line.endswith("\n") or line in rest]


def assert_found_and_ranked(engine, batches):
    for batch in batches:
        for number in range(ARTICLES_A_BATCH):
            hit = engine.search(f"{name(batch, number)}x", size=1).hits[0]
            assert hit.article.id == name(batch, number)
            assert f"{name(batch, number)}x" in hit.text
            assert hit.text == hit.article.text[hit.passage.start : hit.passage.end]


@pytest.mark.parametrize("kind", ["rebuild", "add"])
def test_every_acknowledged_article_is_found_after_a_kill(kind, tmp_path):
    folder = tmp_path / "batches"
    folder.mkdir()
    for batch in range(BATCHES):
        write_jsonl(folder / f"{batch}.jsonl", records(batch))
    root = tmp_path / "index"
    rebuild(root, [str(folder / "0.jsonl")], lambda model: FakeEncoder())
    moments = random.Random(kind)
    acknowledged: set[int] = {0}
    for _ in range(KILLS):
        said = kill_while(kind, root, folder, moments.uniform(0, LATEST_KILL_SECONDS))
        acknowledged |= set(range(BATCHES)) if "all" in said else {int(batch) for batch in said if batch.isdigit()}
        engine = Engine.open(root, lambda model: FakeEncoder())
        counts = engine.store.counts()
        assert_found_and_ranked(engine, acknowledged)
        assert len(engine.store._terms) == len(engine.store._vectors) == counts.passages
        assert counts.articles >= len(acknowledged) * ARTICLES_A_BATCH
        engine.close()
    assert problems(root) == []
    assert repair(root) == []
