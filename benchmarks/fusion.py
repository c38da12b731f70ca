"""Compare ways of joining the dense and the lexical leg.

    python benchmarks/fusion.py INDEX FOLDER [FOLDER ...]

INDEX is a built index, each FOLDER holds queries.jsonl and qrels.txt for it. Prints nDCG@10 of every
way on every folder, its mean, and its ratio to dense search alone, the baseline of the same run.
With --json, one object.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import nDCG

from index.encoder import Encoder, load_encoder
from index.filters import Filters
from index.store import EmbeddedStore
from index.terms import analyse
from search.rank import (
    ARTICLE_WEIGHT,
    Numbers,
    Scores,
    group_by_article,
    lexical_share,
    reciprocal_rank_fusion,
    share_fusion,
)

DEPTH = 200


@dataclass(frozen=True)
class Pool:
    """The candidates of one query with the scores of both legs."""

    articles: Numbers
    cosines: Scores
    bm25: Scores
    ideal: float
    article_cosines: dict[int, float]


Fuse = Callable[[Pool], Scores]


def of_the_best_hit(pool: Pool) -> Scores:
    """0.5 · cosine + 0.5 · BM25 / (best BM25): what many engines do."""
    return 0.5 * pool.cosines + 0.5 * pool.bm25 / max(float(pool.bm25.max()), 1e-9)


def weighted(weight: float, power: float) -> Fuse:
    """The fusion in use with other constants."""
    return lambda pool: pool.cosines + weight * lexical_share(pool.bm25, pool.ideal) ** power


# Each with the weight of the article as a whole.
WAYS: dict[str, tuple[Fuse, float]] = {
    "dense alone": (lambda pool: pool.cosines, 0.0),
    "BM25 alone": (lambda pool: pool.bm25, 0.0),
    "RRF, k = 60": (lambda pool: reciprocal_rank_fusion(pool.cosines, pool.bm25), 0.0),
    "0.5 cosine + 0.5 BM25 / best": (of_the_best_hit, 0.0),
    "cosine + share²": (lambda pool: share_fusion(pool.cosines, pool.bm25, pool.ideal), 0.0),
    "dense + article": (lambda pool: pool.cosines, ARTICLE_WEIGHT),
    "cosine + share² + article": (lambda pool: share_fusion(pool.cosines, pool.bm25, pool.ideal), ARTICLE_WEIGHT),
    "… share weight 0.75": (weighted(0.75, 2), ARTICLE_WEIGHT),
    "… share weight 1.5": (weighted(1.5, 2), ARTICLE_WEIGHT),
    "… share power 1.5": (weighted(1.0, 1.5), ARTICLE_WEIGHT),
    "… share power 2.5": (weighted(1.0, 2.5), ARTICLE_WEIGHT),
    "… article weight 0.2": (weighted(1.0, 2), 0.2),
    "… article weight 0.5": (weighted(1.0, 2), 0.5),
}


def main(arguments: list[str]) -> None:
    """Prints the table."""
    as_json = "--json" in arguments
    index, *folders = [argument for argument in arguments if argument != "--json"]
    if not folders:
        sys.exit(__doc__)
    missing = [folder for folder in folders if not (Path(folder) / "qrels.txt").is_file()]
    if missing:
        sys.exit(f"Skipped: no labelled queries at {missing[0]}.")
    store, encoder = EmbeddedStore.open(Path(index)), load_encoder()
    table: dict[str, list[float]] = {name: [] for name in WAYS}
    for folder in map(Path, folders):
        qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.txt")))
        labelled = {label.query_id for label in qrels}
        queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text("utf-8").splitlines()]
        pools = {query["id"]: pool_of(store, encoder, query["text"]) for query in queries if query["id"] in labelled}
        for name, (fuse, weight) in WAYS.items():
            table[name].append(score(store, pools, qrels, fuse, weight))
    baseline = np.mean(table["dense alone"])
    if as_json:
        print(json.dumps({"folders": folders, "ndcg@10": table}))
        return
    print(f"{'nDCG@10':32}", *(f"{Path(folder).name[-12:]:>12}" for folder in folders), f"{'mean':>8} {'to dense':>8}")
    for name, figures in table.items():
        shown = " ".join(f"{figure:12.4f}" for figure in figures)
        print(f"{name:32} {shown} {np.mean(figures):8.4f} {np.mean(figures) / baseline:8.2f}")


def pool_of(store: EmbeddedStore, encoder: Encoder, text: str) -> Pool:
    """The candidates of both legs for a query."""
    scope = store.scope(Filters())
    terms = analyse(text)
    stems = list(dict.fromkeys(term.stem for term in terms if not term.stop_word)) or [term.stem for term in terms]
    vector = encoder.encode_query(text)
    legs = store.search_dense(vector, DEPTH, scope).numbers, store.search_lexical(stems, DEPTH, scope).numbers
    numbers = np.unique(np.concatenate(legs))
    articles = store.article_numbers(numbers)
    distinct = np.unique(articles)
    whole = store.article_cosines(vector, distinct)
    return Pool(
        articles=articles,
        cosines=store.cosines(vector, numbers),
        bm25=store.bm25(stems, numbers),
        ideal=store.ideal_bm25(stems),
        article_cosines=dict(zip(distinct.tolist(), whole.tolist(), strict=True)),
    )


def score(
    store: EmbeddedStore, pools: dict[str, Pool], qrels: list[ir_measures.Qrel], fuse: Fuse, weight: float
) -> float:
    """nDCG@10 of one way on one set of queries."""
    run = []
    for query, pool in pools.items():
        added = {article: weight * cosine for article, cosine in pool.article_cosines.items()}
        ranked = group_by_article(fuse(pool), pool.articles, added)[:10]
        articles = store.articles([group.article for group in ranked])
        run += [
            ir_measures.ScoredDoc(query, articles[group.article].id, 1 / rank)
            for rank, group in enumerate(ranked, start=1)
        ]
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


if __name__ == "__main__":
    main(sys.argv[1:])
