"""Whether memory stays flat while a corpus grows.

    python benchmarks/memory.py [--articles 1000 10000 50000] [ARTICLES.jsonl.gz]

Rebuilds an index of so many articles, each size in a process of its own, and prints the peak memory
of that process and of its reading processes. The peak counts pages of mapped files, which the system
takes back when it needs them (tantivy maps the segments that it merges); the private peak does not.
The encoder is faked (random unit vectors of 384 numbers, at no cost), so that what is measured is
Dateline's own memory and not the model's. The articles are real ones repeated with small changes: some
words differ, so that no vector is reused and no two articles are the same.
"""

import argparse
import gzip
import hashlib
import json
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.build import Intake, rebuild
from index.encoder import Matrix, ModelIdentity

DEFAULT = Path(__file__).parent.parent.parent / "shared" / "data" / "rtqa2022" / "articles.jsonl.gz"
DIMENSION = 384
CHANGED_SHARE = 0.3
"""Of the words: so that the repeated articles are no copies of one another."""


class RandomEncoder:
    """Unit vectors that depend on the text alone."""

    identity = ModelIdentity("random", "0", DIMENSION)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One random direction a text."""
        rows = np.empty((len(texts), DIMENSION), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = np.random.default_rng(int.from_bytes(hashlib.md5(text.encode()).digest()[:8])).normal(
                size=DIMENSION
            )
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def encode_query(self, text: str) -> Matrix:
        """One random direction."""
        return self.encode_passages([text])[0]


class PrivateMemory(threading.Thread):
    """Watches how much memory this process has to itself: what the system cannot take back (Linux only)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0

    def run(self) -> None:
        """Looks at it twenty times a second."""
        status = Path("/proc/self/status")
        while status.is_file():
            [kilobytes] = re.findall(r"^RssAnon:\s+(\d+)", status.read_text(), re.MULTILINE)
            self.peak_mb = max(self.peak_mb, int(kilobytes) / 1024)
            time.sleep(0.05)


def write_corpus(articles: Path, wanted: int, path: Path) -> None:
    """Real articles, repeated with other words until there are enough."""
    with gzip.open(articles, "rt", encoding="utf-8") as lines:
        originals = [json.loads(line) for line in lines]
    vocabulary = sorted({word for record in originals[:200] for word in record["text"].split()})
    chance = random.Random(wanted)
    with path.open("w", encoding="utf-8") as file:
        for number in range(wanted):
            record = dict(originals[number % len(originals)])
            if number >= len(originals):
                paragraphs = record["text"].split("\n\n")
                record["text"] = "\n\n".join(_changed(paragraph, vocabulary, chance) for paragraph in paragraphs)
                record["url"] = f"{record['url']}?copy={number}"
            record["id"] = f"article-{number}"
            file.write(json.dumps(record) + "\n")


def _changed(paragraph: str, vocabulary: Sequence[str], chance: random.Random) -> str:
    words = paragraph.split(" ")
    return " ".join(chance.choice(vocabulary) if chance.random() < CHANGED_SHARE else word for word in words)


def measure(corpus: Path, workers: int, answers: "multiprocessing.Queue[dict[str, float]]") -> None:
    """Rebuilds in this process and reports what it took."""
    private = PrivateMemory()
    private.start()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        report = rebuild(
            Path(folder) / "index", [str(corpus)], lambda _: RandomEncoder(), intake=Intake(workers=workers)
        )
        answers.put({
            "passages": report.passages,
            "seconds": round(time.monotonic() - began, 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "private_peak_mb": private.peak_mb,
            "reader_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
            "stages": report.stages,
        })  # fmt: skip


def main() -> None:
    """Prints one line a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--articles", nargs="+", type=int, default=[1_000, 10_000, 50_000])
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if not asked.corpus.is_file():
        sys.exit(f"skipped: {asked.corpus} is not here")
    context = multiprocessing.get_context("spawn")
    peaks: dict[str, list[float]] = {"peak_mb": [], "private_peak_mb": []}
    for wanted in asked.articles:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.jsonl"
            write_corpus(asked.corpus, wanted, corpus)
            answers: multiprocessing.Queue[dict[str, float]] = context.Queue()
            process = context.Process(target=measure, args=(corpus, asked.workers, answers))
            process.start()
            found = answers.get()
            process.join()
        for name, values in peaks.items():
            values.append(found[name])
        print(json.dumps({"articles": wanted, **found}), flush=True)
    for name, values in peaks.items():
        print(f"{name}, largest over smallest: {max(values) / min(values):.3f}")


if __name__ == "__main__":
    main()
