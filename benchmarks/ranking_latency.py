"""What each part of a search costs, in milliseconds a query.

    python benchmarks/ranking_latency.py INDEX FOLDER [FOLDER ...] [--json]

Prints p50 and p95 of every step over the queries in the folders (300 at most), and of plain hybrid search (both
legs, both scores of each candidate), the baseline of the same run, beside the whole.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from index.encoder import load_encoder
from index.filters import Filters
from index.store import EmbeddedStore
from search import rank
from search.engine import Engine
from search.query import SearchRequest, interpret
from search.retrieve import plan, scored
from search.wording import worded

_QUERIES = 300
_PLAIN = ("embed the query", "dense leg", "lexical leg", "cosines", "BM25")
_KEPT = (
    "read operators and days", "words and slips", "places", "article cosines", "article BM25", "article coverage",
    "pairs", "feedback",
)  # fmt: skip
Answer = TypeVar("Answer")


def main(arguments: list[str]) -> None:
    """Prints the table."""
    as_json = "--json" in arguments
    index, *folders = [argument for argument in arguments if argument != "--json"]
    missing = [folder for folder in folders if not (Path(folder) / "queries.jsonl").is_file()]
    if not folders or missing:
        sys.exit(f"Skipped: no queries at {missing[0]}." if missing else __doc__)
    lines = [line for folder in folders for line in (Path(folder) / "queries.jsonl").read_text("utf-8").splitlines()]
    queries = [json.loads(line)["text"] for line in lines][:: max(1, len(lines) // _QUERIES)]
    engine = Engine(EmbeddedStore.open(Path(index)), load_encoder())
    engine.search(queries[0])
    taken: dict[str, list[float]] = defaultdict(list)
    for query in queries:
        measure(engine, query, taken)
    steps = {name: np.asarray(values) for name, values in taken.items()}
    table = {name: (float(np.median(values)), float(np.percentile(values, 95))) for name, values in steps.items()}
    for name, parts in (("plain hybrid", _PLAIN), ("kept ideas", _KEPT)):
        whole = np.sum([steps[part] for part in parts], axis=0)
        table[name] = (float(np.median(whole)), float(np.percentile(whole, 95)))
    if as_json:
        print(json.dumps(table))
        return
    print(f"{'ms a query':28} {'p50':>8} {'p95':>8}")
    for name, (half, most) in table.items():
        print(f"{name:28} {half:8.2f} {most:8.2f}")


def measure(engine: Engine, query: str, taken: dict[str, list[float]]) -> None:
    """Runs one search step by step, and once as a whole."""
    store, encoder = engine.store, engine._encoder

    def step(name: str, run: Callable[[], Answer]) -> Answer:
        began = time.perf_counter()
        answer = run()
        taken[name].append((time.perf_counter() - began) * 1000)
        return answer

    request = SearchRequest(query)
    interpreted = step("read operators and days", lambda: interpret(request))
    scope = store.scope(Filters())
    wording = step(
        "words and slips", lambda: worded(interpreted.text, store.vocabulary, correct=True, is_word=encoder.knows)
    )
    vector = step("embed the query", lambda: encoder.encode_query(wording.text))
    asked = plan(store, encoder, request, interpreted, scope)
    dense = step("dense leg", lambda: store.search_dense(vector, 200, scope)).numbers
    lexical = step("lexical leg", lambda: store.search_lexical(wording.words, 200, scope)).numbers
    numbers = np.union1d(dense, lexical)
    articles = np.unique(store.article_numbers(numbers))
    embeddings = step("embeddings of candidates", lambda: store.vectors(numbers))
    step("BM25, coverage and pairs", lambda: asked.matched(numbers))
    step("places", lambda: store.places(numbers))
    step("article cosines", lambda: store.article_cosines(vector, articles))
    step("article BM25 and coverage", lambda: asked.articles_matched(articles))
    tier = scored(store, asked, request, numbers)
    step("feedback", lambda: embeddings @ rank.centre_of_the_first(tier.scores, embeddings))
    step("the whole search", lambda: engine.search(request))


if __name__ == "__main__":
    main(sys.argv[1:])
