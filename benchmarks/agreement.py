"""Whether Dateline answers the same over Milvus as over its own files.

    python benchmarks/agreement.py INDEX FOLDER [FOLDER ...] [--store ADDRESS ...] [--json FOLDER]

INDEX is a built index; each FOLDER holds queries.jsonl and qrels.txt for it. The index is published to each store, by
default to a file of Milvus Lite that is deleted afterwards, and every labelled query is asked of both: overlap@10 is
the share of the ten articles that stand first here which do so there too, as a mean over the queries and of the worst;
beside it nDCG@10 of both, and how long a page takes. Vectors are searched exactly where the store does so by default
(up to 200,000 passages). Queries that have a date are asked as of it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from report import save

from index.encoder import load_encoder, matching_encoder
from index.errors import DatelineError
from index.generation import carried_encoder
from index.milvus.address import StoreAddress
from index.milvus.publishing import publish
from index.milvus.store import MilvusStore
from index.store import EmbeddedStore
from search.engine import Engine
from search.evaluate import Ranked, evaluate
from search.query import SearchRequest

_MODES = ("hybrid", "dense", "lexical")
_FIRST = 10
# What is measured here is what is answered; how soon depends on who else is at work.
_PATIENCE = "attempt=60&deadline=120"
# For queries that have no date, so that the figures of two days are the same.
_AS_OF = "2025-01-01"


def main() -> None:
    """Prints a table for each store, and writes the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--store", action="append", dest="stores", metavar="ADDRESS", help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    if not asked.index.is_dir():
        sys.exit(f"Skipped: no index at {asked.index}.")
    if missing := [folder for folder in asked.folders if not (folder / "queries.jsonl").is_file()]:
        sys.exit(f"Skipped: no queries.jsonl in {missing[0]}.")
    if find_spec("pymilvus") is None:
        sys.exit("Skipped: pymilvus is not installed; pip install 'dateline[milvus]' brings it.")
    with tempfile.TemporaryDirectory() as temporary:
        stores = asked.stores or [f"milvus-lite:{temporary}/agreement.db?{_PATIENCE}"]
        results = {name: compared(asked.index, asked.folders, name) for name in stores}
    for name, result in results.items():
        show(name, result)
    if asked.json:
        # What was asked is no secret; where it was asked is nobody's business.
        print(save("agreement", {"stores": list(results.values())}, asked.json))


def compared(index: Path, folders: Sequence[Path], address: str) -> dict[str, Any]:
    """Figures of one store: what publishing took, and for each folder and mode how both answer."""
    at = StoreAddress.parse(address)
    began = time.monotonic()
    publish(index, at)
    seconds = time.monotonic() - began
    files, milvus = EmbeddedStore.open(index), MilvusStore.open(at)
    encoder = matching_encoder(files.model, lambda name: load_encoder(name, beside=carried_encoder(index)))
    with Engine(files, encoder) as ours, Engine(milvus, encoder) as theirs:
        sets = {folder.name: agreement(ours, theirs, folder) for folder in folders}
        passages = files.counts().passages
    version = milvus.server.version
    return {"server": version, "passages": passages, "publish_seconds": round(seconds, 1), "sets": sets}


def agreement(ours: Engine, theirs: Engine, folder: Path) -> dict[str, Any]:
    """How two engines answer the queries of a folder, mode by mode; what a store cannot do is told in its place."""
    queries, qrels = folder / "queries.jsonl", folder / "qrels.txt"
    dated = any(json.loads(line).get("date") for line in queries.read_text("utf-8").splitlines() if line.strip())
    figures: dict[str, Any] = {}
    for mode in _MODES:
        request = SearchRequest("", mode=mode, as_of=_AS_OF)
        if mode == "lexical" and not theirs.store.lexical:
            figures[mode] = {"skipped": "this server finds no passages by their words"}
            continue
        try:
            left, right = (evaluate(each, queries, qrels, request, own_dates=dated) for each in (ours, theirs))
        except DatelineError as error:
            figures[mode] = {"skipped": str(error)}
            continue
        here, there = first(left.run), first(right.run)
        shares = {query.id: overlap(here.get(query.id, []), there.get(query.id, [])) for query in left.labelled}
        values = list(shares.values())
        figures[mode] = {
            "queries": len(values),
            "overlap@10": round(float(np.mean(values)), 4),
            "worst": round(min(values), 4),
            "same_articles": round(float(np.mean([share == 1 for share in values])), 4),
            "same_order": round(float(np.mean([here.get(name) == there.get(name) for name in shares])), 4),
            "ndcg@10": {"embedded": left.measures["ndcg@10"], "store": right.measures["ndcg@10"]},
            "p50_ms": {"embedded": left.p50_ms, "store": right.p50_ms},
            "p95_ms": {"embedded": left.p95_ms, "store": right.p95_ms},
            "differ": {name: share for name, share in sorted(shares.items(), key=lambda one: one[1]) if share < 1},
        }
    return figures


def first(run: Iterable[Ranked]) -> dict[str, list[str]]:
    """The articles that stand first for each query."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in sorted(run, key=lambda line: line.rank):
        if line.rank <= _FIRST:
            found[line.query].append(line.article)
    return found


def overlap(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of the longer of two rankings that both have; two that found nothing agree."""
    return len(set(left) & set(right)) / max(len(left), len(right), 1) if left or right else 1.0


def show(address: str, result: Mapping[str, Any]) -> None:
    """Prints one line a folder and mode."""
    print(f"{address}: {result['server']}, {result['passages']:,} passages published in {result['publish_seconds']} s")
    print(f"{'':24}{'queries':>8}{'overlap':>9}{'worst':>7}{'order':>7}{'nDCG@10':>16}{'p50 ms':>16}")
    for name, modes in result["sets"].items():
        for mode, told in modes.items():
            label = f"{name[:15]} {mode}"
            if "skipped" in told:
                print(f"{label:24} skipped: {told['skipped']}")
                continue
            quality, took = told["ndcg@10"], told["p50_ms"]
            print(
                f"{label:24}{told['queries']:8}{told['overlap@10']:9.4f}{told['worst']:7.2f}{told['same_order']:7.2f}"
                f"{quality['embedded']:8.4f}{quality['store']:8.4f}{took['embedded']:8.1f}{took['store']:8.1f}"
            )


if __name__ == "__main__":
    main()
