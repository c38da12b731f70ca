"""How search behaves from a hundred thousand to ten million passages.

    python benchmarks/scale.py INDEX [--queries FILE] [--sizes N …] [--postings N …] [--keep FOLDER] [--json FOLDER]

Vectors: those of INDEX, which are real, each many times and every time mixed with another one that is drawn at random
(0.3 to 0.9 of it), so that they spread as embeddings of news do; the encoder is not in the loop. Queries are the real
ones, embedded. Of each size it prints recall@10 against the exact search of the same file, the time of one search
(200 candidates, as a hybrid search asks for) on one core beside that of exact search, the seconds that files and lists
took, their size on disk, and the memory of a process that has opened them and searched, over one that has opened
nothing. For that the system is made to forget the files first, so that the pages count that the searches read.

Words: the term index over as many passages (`--postings`), each a stand-in of six sentences drawn from the passages of
INDEX, with the time of the 200 best for the words of real queries.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from report import save

from index import lists as inverted
from index.catalog import Catalog
from index.encoder import Matrix, load_encoder
from index.generation import RECALL_TARGET, live_generation, load_manifest
from index.sentences import sentence_spans
from index.terms import TermDocument, Terms, analyse
from index.vectors import Vectors, write_vectors

_SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
_POSTINGS = (100_000, 300_000, 1_000_000)
_SEED = 2022
_PART = 50_000
_NEAREST, _CANDIDATES, _QUERIES = 10, 200, 150
_LEAST_OTHER, _MOST_OTHER = 0.3, 0.9
_SENTENCES = 6
_FIRST_NUMBER = 2**40


def main() -> None:
    """Measures each size in a process of its own and prints one line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--queries", type=Path, default=Path(__file__).parent.parent / "seeds" / "queries.jsonl")
    parser.add_argument("--sizes", type=int, nargs="*", default=_SIZES)
    parser.add_argument("--postings", type=int, nargs="*", default=None)
    parser.add_argument("--keep", type=Path, help="where the files of each size stay, and are taken from if there")
    parser.add_argument("--recall-target", type=float, default=RECALL_TARGET, help="what lists are made to find")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.measure)))
        return
    postings = asked.postings if asked.postings is not None else [n for n in _POSTINGS if n <= max(asked.sizes)]
    questions = [json.loads(line)["text"] for line in asked.queries.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, list[dict[str, Any]]] = {"vectors": [], "words": []}
        measured_rows = chain(
            (("words", row) for row in word_rows(asked.index, questions, postings)),
            (("vectors", row) for row in vector_rows(asked.index, questions, asked.sizes, folder, asked.recall_target)),
        )
        for what, row in measured_rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            found[what].append(row)
            if asked.json:  # at once, because the largest take most of an hour
                save("scale", found, asked.json)


# -- vectors --------------------------------------------------------------------------------------------------


def vector_rows(
    index: Path, questions: Sequence[str], sizes: Sequence[int], folder: Path, target: float
) -> Iterator[dict[str, Any]]:
    """What was measured of each size."""
    layout = live_generation(index)
    real = Vectors.load(layout.vectors, load_manifest(layout).model.dimension).matrix
    asked = distinct(questions)[:_QUERIES]
    encoder = load_encoder(load_manifest(layout).model.name)
    np.save(folder / "queries.npy", np.stack([encoder.encode_query(text) for text in asked]))
    for size in sizes:
        made = make(folder / str(size), real, size, target)
        command = [sys.executable, __file__, str(index), "--measure", str(folder / str(size))]
        one_core = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=one_core)
        row = {"vectors": size, **json.loads(done.stdout), **made}
        yield row


def make(folder: Path, real: Matrix, size: int, target: float) -> dict[str, float]:
    """Writes vectors and lists, unless they are there, and says what that took."""
    told = folder / "made.json"
    if told.is_file():
        return dict(json.loads(told.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    numbers = np.arange(size, dtype=np.int64) + _FIRST_NUMBER
    write_vectors(folder / "vectors.faiss", real.shape[1], numbers, mixed(real, size))
    written = time.perf_counter()
    if size > inverted.EXACT_UP_TO:
        vectors = Vectors.load(folder / "vectors.faiss", real.shape[1])
        if lists := inverted.made_lists(vectors, None, target):
            lists.save(folder / "lists.faiss")
    seconds = {"write_s": round(written - began, 1), "lists_s": round(time.perf_counter() - written, 1)}
    told.write_text(json.dumps(seconds), "utf-8")
    return seconds


def mixed(real: Matrix, size: int) -> Iterator[Matrix]:
    """Unit vectors like the real ones, some thousand at a time."""
    mean = real.mean(axis=0)
    for start in range(0, size, _PART):
        random = np.random.default_rng((_SEED, start))
        count = min(_PART, size - start)
        share = random.uniform(_LEAST_OTHER, _MOST_OTHER, size=(count, 1)).astype(np.float32)
        first, other = random.integers(len(real), size=(2, count))
        rows: Matrix = real[first] + share * (real[other] - mean)
        yield rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measured(folder: Path) -> dict[str, Any]:
    """Opens what is in `folder` and searches it; in a process that has done nothing else."""
    queries = np.load(folder.parent / "queries.npy")
    drop_cached(folder)
    before = resident()
    vectors = Vectors.load(folder / "vectors.faiss", queries.shape[1], folder / "lists.faiss")
    found, seconds = [], []
    after = before
    for round_ in range(3):
        for query in queries:
            began = time.perf_counter()
            numbers, _ = vectors.search(query, _CANDIDATES)
            if round_:  # the first reads from the disk
                seconds.append(time.perf_counter() - began)
            else:
                found.append(numbers[:_NEAREST])
        after = after if round_ else resident()
    exact, recall, exact_seconds = Vectors.load(folder / "vectors.faiss", queries.shape[1]), [], []
    for query, numbers in zip(queries, found, strict=True):
        began = time.perf_counter()
        nearest, _ = exact.search(query, _NEAREST)
        exact_seconds.append(time.perf_counter() - began)
        recall.append(len(np.intersect1d(nearest, numbers)) / len(nearest))
    lists = vectors.lists
    return {
        "recall_at_10": round(float(np.mean(recall)), 4),
        "p50_ms": milliseconds(seconds, 50),
        "p99_ms": milliseconds(seconds, 99),
        "exact_p50_ms": milliseconds(exact_seconds, 50),
        "lists": len(lists) if lists else 0,
        "probes": lists.probes if lists else 0,
        "memory_bytes_a_vector": round((after["Rss"] - before["Rss"]) / len(vectors), 1),
        "of_which_not_shared": round((after["Anonymous"] - before["Anonymous"]) / len(vectors), 1),
        "disk_mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6),
    }


def drop_cached(folder: Path) -> None:
    """Lets the system forget the files: of what it holds anyway, it would map far more than is looked at."""
    if hasattr(os, "posix_fadvise"):
        for path in folder.glob("*.faiss"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident() -> dict[str, int]:
    """Bytes of this process that are in memory, all and those that no file is behind."""
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.is_file():
        return {"Rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "Anonymous": 0}
    lines = (line.split() for line in rollup.read_text().splitlines()[1:])
    return {name.rstrip(":"): int(value) * 1024 for name, value, *_ in lines}


# -- words ----------------------------------------------------------------------------------------------------


def word_rows(index: Path, questions: Sequence[str], sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What was measured of the term index at each size."""
    if not sizes:
        return
    sentences = real_sentences(index)
    asked = [
        list(dict.fromkeys(term.stem for term in analyse(text) if not term.stop_word))
        for text in distinct(questions)[:_QUERIES]
    ]
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            terms = Terms.create(Path(folder) / "terms")
            terms.add(stand_ins(sentences, size))
            terms.commit()
            built = time.perf_counter() - began
            seconds = []
            for round_ in range(2):
                for stems in asked:
                    began = time.perf_counter()
                    terms.search(stems, _CANDIDATES)
                    if round_:
                        seconds.append(time.perf_counter() - began)
            disk = sum(file.stat().st_size for file in (Path(folder) / "terms").iterdir())
            row = {
                "passages": size,
                "p50_ms": milliseconds(seconds, 50),
                "p99_ms": milliseconds(seconds, 99),
                "build_s": round(built, 1),
                "disk_mb": round(disk / 1e6),
            }
        yield row


def real_sentences(index: Path) -> list[str]:
    """The sentences of an index's articles."""
    catalog = Catalog.snapshot(live_generation(index).catalog)
    try:
        return [
            article.text[start:end] for article in catalog.all_articles() for start, end in sentence_spans(article.text)
        ]
    finally:
        catalog.close()


def stand_ins(sentences: Sequence[str], size: int) -> Iterator[TermDocument]:
    """Passages of sentences that never stood together."""
    random = np.random.default_rng(_SEED)
    for number in range(size):
        chosen = random.integers(len(sentences), size=_SENTENCES)
        yield TermDocument(_FIRST_NUMBER + number, " ".join(sentences[at] for at in chosen.tolist()), spelled=False)


# -- both -----------------------------------------------------------------------------------------------------


def distinct(questions: Sequence[str]) -> list[str]:
    """Each question once, in an order that mixes the files they come from."""
    once = list(dict.fromkeys(questions))
    np.random.default_rng(_SEED).shuffle(once)
    return once


def milliseconds(seconds: Sequence[float], percentile: int) -> float:
    """A percentile in milliseconds."""
    return round(float(np.percentile(seconds, percentile)) * 1000, 2)


if __name__ == "__main__":
    main()
