"""What kill -9 costs a run.

    python benchmarks/resume.py [--articles 2000] [--kills 20] [ARTICLES.jsonl.gz]

Starts `rebuild`, and then `add`, of so many real articles in a process of its own, kills it at random
moments, starts it again each time, and lets the last run finish. Then every article must be there
once and as it was read, and the index whole. Prints how many passages were embedded more than once
(what was in hand when the process died) and which share of the work each restart found done. The
encoder is faked and slowed down, and writes down what it is given before it begins.
"""

import argparse
import gzip
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from memory import DEFAULT, RandomEncoder

from index.article import Article
from index.build import add, rebuild
from index.catalog import Catalog
from index.check import problems
from index.encoder import Matrix
from index.generation import live_generation
from index.reading.files import documents
from index.reading.pool import read_all

SECONDS_A_PASSAGE = 0.0005
"""Slow enough that most kills fall into the embedding, as they would with a real model."""


EARLIEST_KILL = 0.5
"""Seconds; before that the interpreter is still starting."""

LATEST_KILL_SHARE = 0.15
"""Of an undisturbed run: each run goes on from the last, and most of twenty should die at work."""


class WritingEncoder(RandomEncoder):
    """Appends the hash of every text to a file before it embeds it."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One random direction a text, late."""
        with self.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{hash_of(text)}\n" for text in texts)
        time.sleep(SECONDS_A_PASSAGE * len(texts))
        return super().encode_passages(texts)


def hash_of(text: str) -> str:
    """Names a text in the log."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(kind: str, root: Path, corpus: Path, log: Path) -> None:
    """One whole run: what the child process does."""
    run = rebuild if kind == "rebuild" else add
    report = run(root, [str(corpus)], lambda _: WritingEncoder(log))
    print(json.dumps({"passages": report.passages, "reused": report.reused_passages}))


def run_killed(kind: str, root: Path, corpus: Path, log: Path, seconds: float | None) -> dict[str, int] | None:
    """What the run said at its end, or None where it was killed before."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", kind, str(root), str(log), str(corpus)], stdout=subprocess.PIPE, text=True
    )
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        said, _ = child.communicate()
    return json.loads(said) if said.strip() else None


def seconds_undisturbed(corpus: Path, folder: Path) -> float:
    """How long a rebuild takes that nobody kills."""
    began = time.monotonic()
    run_killed("rebuild", folder / "undisturbed", corpus, folder / "undisturbed.log", None)
    return time.monotonic() - began


def measure(kind: str, corpus: Path, moments: Sequence[float], folder: Path) -> dict[str, float]:
    """Kills one kind of run at these moments, finishes it, and looks at what is there."""
    root, log = folder / kind, folder / f"{kind}.log"
    if kind == "add":
        first = folder / "first.jsonl"
        first.write_text('{"id": "first", "text": "An index to add to."}\n', "utf-8")
        rebuild(root, [str(first)], lambda _: WritingEncoder(folder / "first.log"))
    ended = sum(run_killed(kind, root, corpus, log, moment) is not None for moment in moments)
    last = run_killed(kind, root, corpus, log, None)
    assert last is not None
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        stored = {article.id: article for article in catalog.all_articles()}
    contents = (item.content for item in read_all(documents([str(corpus)]), workers=0))
    wanted = {article.id: article for article in contents if isinstance(article, Article)}
    embedded = Counter(log.read_text("utf-8").split())
    return {
        "kind": kind, "articles": len(wanted), "kills": len(moments) - ended, "finished before the kill": ended,
        "lost": sum(stored.get(id) != article for id, article in wanted.items()),
        "strange": len(set(stored) - set(wanted) - {"first"}),
        "problems": len(problems(root)),
        "passages": last["passages"],
        "embedded more than once": sum(embedded.values()) - len(embedded),
        "share reused by the last run": round(last["reused"] / last["passages"], 4),
    }  # fmt: skip


def main() -> None:
    """Prints one line a kind of run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--articles", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--child", nargs=3, metavar=("KIND", "INDEX", "LOG"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        kind, root, log = asked.child
        write(kind, Path(root), asked.corpus, Path(log))
        return
    if not asked.corpus.is_file():
        sys.exit(f"skipped: {asked.corpus} is not here")
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus.jsonl"
        with gzip.open(asked.corpus, "rt", encoding="utf-8") as lines:
            corpus.write_text("".join(islice(lines, asked.articles)), "utf-8")
        longest = seconds_undisturbed(corpus, Path(name))
        chance = random.Random(asked.kills)
        latest = EARLIEST_KILL + longest * LATEST_KILL_SHARE
        moments = [chance.uniform(EARLIEST_KILL, latest) for _ in range(asked.kills)]
        found = [measure(kind, corpus, moments, Path(name)) for kind in ("rebuild", "add")]
    for line in found:
        print(json.dumps(line))
    if any(line["lost"] or line["strange"] or line["problems"] for line in found):
        sys.exit("something was lost")


if __name__ == "__main__":
    main()
