"""Whether an export of very many rows streams: how soon it begins, how fast it goes, and what memory it takes.

    python benchmarks/export.py [--articles 100000] [--index FOLDER] [--json FOLDER]

Makes an index of short made-up articles with random vectors in place of embeddings (they cost nothing, and no export
looks at them), serves it with one worker as users do, and streams all of it and a tenth of it as CSV and as JSON lines.
Of each it prints rows, seconds, MB, the time to the first byte, and how much the memory of the worker grew while it
went: flat means as much for all as for a tenth. A client that stops reading in the middle shows that nothing piles up
in the server. The baseline gathers the same rows in a list before it would send them, in a process of its own.
"""

import argparse
import http.client
import json
import multiprocessing
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import numpy as np
from report import machine, save
from served import Server

from index.build import Intake, rebuild
from index.encoder import Matrix, load_encoder
from search.engine import Engine
from web.app import create_app

_SEED = 2025
_SOURCES = 10
_WORDS = 40
_PAUSE_SECONDS = 5.0
_RECEIVED_AT_ONCE = 1 << 16
_LOOKS_A_SECOND = 50
_WORDLIST = (
    "harbour council ferry strike budget bridge minister school hospital weather railway museum court union festival"
    " river coast storm election library market farmer engineer mayor reporter season village tunnel airport ceremony"
).split()


class RandomEncoder:
    """Random unit vectors that pass for those of the default model, so that the index can be served."""

    def __init__(self) -> None:
        self.identity = load_encoder().identity
        self._random = np.random.default_rng(_SEED)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One random direction a text."""
        rows = self._random.normal(size=(len(texts), self.identity.dimension)).astype(np.float32)
        unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def encode_query(self, text: str) -> Matrix:
        """One random direction."""
        return self.encode_passages([text])[0]

    def knows(self, word: str) -> bool:
        """Every word."""
        return True


class Watch(threading.Thread):
    """How much more memory a process takes than when the watch began: all of it, and what no file is behind."""

    def __init__(self, process: int | str) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{process}/status")
        self._first = self._peak = self._now()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Looks many times a second."""
        while not self._over.wait(1 / _LOOKS_A_SECOND):
            self._peak = tuple(map(max, self._peak, self._now()))

    def grown(self) -> dict[str, float]:
        """Megabytes at the highest."""
        rss, own = (round(peak - first, 1) for peak, first in zip(self._peak, self._first, strict=True))
        return {"rss_growth_mb": rss, "private_growth_mb": own}

    def _now(self) -> tuple[float, ...]:
        told = self._status.read_text()
        return tuple(
            int(re.search(rf"^{name}:\s+(\d+)", told, re.MULTILINE)[1]) / 1024  # type: ignore[index]
            for name in ("VmRSS", "RssAnon")
        )


def main() -> None:
    """Prints one line an export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--index", type=Path, metavar="FOLDER", help="keep the index there, and take it if it is there")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    if not Path("/proc/self/status").is_file():
        sys.exit("skipped: memory is read from /proc, which is not here")
    with tempfile.TemporaryDirectory() as scratch:
        index = asked.index or Path(scratch) / "index"
        if not index.is_dir():
            build(index, asked.articles, Path(scratch))
        results = {"articles": asked.articles, "exports": list(measure(index)), "baseline": gathered(index)}
    print(json.dumps({"machine": machine(), **results}, indent=1))
    if asked.json:
        print(save("export", results, asked.json))


def build(index: Path, articles: int, scratch: Path) -> None:
    """An index of made-up articles of a few sources, each its own story."""
    chance = random.Random(_SEED)
    corpus = scratch / "corpus.jsonl"
    with corpus.open("w", encoding="utf-8") as file:
        for number in range(articles):
            words = " ".join(chance.choice(_WORDLIST) for _ in range(_WORDS))
            record = {
                "id": f"article-{number}",
                "url": f"https://wire{number % _SOURCES}.example/{number}",
                "title": f"Report {number}",
                "text": f"Report {number}: {words}.",
                "source": f"Wire {number % _SOURCES}",
                "published": f"{2010 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}",
                "authors": [f"Reporter {number % 200}"],
                "language": "en",
            }
            file.write(json.dumps(record) + "\n")
    encoder = RandomEncoder()
    report = rebuild(index, [str(corpus)], lambda _, **__: encoder, intake=Intake(workers=1))
    print(f"built in {report.seconds:.0f} s: {report.stages}", file=sys.stderr, flush=True)


def measure(index: Path) -> Any:
    """Streams a tenth and all, each twice, because the first also warms up what any search does."""
    with Server(index, "--workers", "1", "--cache", "0") as server:
        [worker] = server.workers()
        for query in ('source:"Wire 3"', "after:1900"):
            for ending in ("csv", "jsonl"):
                for pause, accept in ((0.0, ""), (0.0, "gzip"), (_PAUSE_SECONDS, "")):
                    path = f"/export.{ending}?q={quote(query)}"
                    row = {"export": ending, "encoding": accept or "none", "pause_s": pause}
                    row |= streamed(server.port, worker, path, pause, accept)
                    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                    yield row


def streamed(port: int, worker: int, path: str, pause: float, accept: str) -> dict[str, Any]:
    """Reads an export to its end, resting once after the first megabyte; rows are counted where they can be seen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    with Watch(worker) as watch:
        began = time.perf_counter()
        connection.request("GET", path, headers={"Accept-Encoding": accept} if accept else {})
        answer = connection.getresponse()
        received, lines, first, rested = 0, 0, 0.0, not pause
        while part := answer.read1(_RECEIVED_AT_ONCE):
            first = first or time.perf_counter() - began
            received, lines = received + len(part), lines + part.count(b"\n")
            if not rested and received > 1_000_000:
                time.sleep(pause)
                rested = True
        seconds = time.perf_counter() - began - (pause if pause and rested else 0)
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return {
        "rows": (lines - path.startswith("/export.csv")) if not accept else None,
        "seconds": round(seconds, 2),
        "mb": round(received / 1e6, 1),
        "first_byte_ms": round(first * 1000, 1),
        **watch.grown(),
    }


def gathered(index: Path) -> dict[str, Any]:
    """What it takes to have all rows in a list before the first is sent."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[dict[str, Any]] = context.Queue()
    process = context.Process(target=_gather, args=(index, answers))
    process.start()
    found = answers.get()
    process.join()
    print("  ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    return found


def _gather(index: Path, answers: "multiprocessing.Queue[dict[str, Any]]") -> None:
    encoder = RandomEncoder()
    engine = Engine.open(index, lambda _: encoder)
    client = create_app(lambda: engine, index).test_client()
    client.get("/export.csv?q=-nothing")  # what is imported late is imported now
    with Watch("self") as watch:
        began = time.perf_counter()
        rows = client.get("/export.jsonl?q=after:1900").data.splitlines()
        body = b"\n".join(rows)
        seconds = time.perf_counter() - began
    answers.put({"rows": len(rows), "seconds": round(seconds, 2), "mb": round(len(body) / 1e6, 1), **watch.grown()})
    engine.close()


if __name__ == "__main__":
    main()
