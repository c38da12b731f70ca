"""Measuring how well an index answers labelled queries. The one module that knows ir-measures."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.errors import UsageError
from search.engine import Engine
from search.query import SearchRequest

_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled query."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a run: the article at a rank for a query."""

    query: str
    article: str
    rank: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over the labelled queries, and the latency of a search for one page in milliseconds."""

    queries: int
    measures: dict[str, float]
    p50_ms: float
    p95_ms: float
    run: tuple[Ranked, ...]


def evaluate(engine: Engine, queries: Path, qrels: Path, template: SearchRequest) -> Evaluation:
    """Searches for every query that has a label and compares with `qrels`, article by article.

    `template` gives mode, fusion and filters. Raises UsageError when a file cannot be read or no
    query is labelled.
    """
    import ir_measures
    from ir_measures import RR, R, Success, nDCG

    labels = _read_qrels(qrels)
    labelled = [query for query in _read_queries(queries) if query.id in labels]
    if not labelled:
        raise UsageError(f"None of the queries in {queries} has a label in {qrels}.")
    run: list[Ranked] = []
    milliseconds: list[float] = []
    engine.search(replace(template, query=labelled[0].text))  # warm
    for query in labelled:
        request = replace(template, query=query.text)
        began = time.perf_counter()
        engine.search(request)  # a page as people see it: this is what is timed
        milliseconds.append((time.perf_counter() - began) * 1000)
        deep = engine.search(replace(request, size=_DEPTH, page=1, collapse="article"))
        run += [Ranked(query.id, hit.article.id, hit.rank) for hit in deep]
    kept = {query.id for query in labelled}
    measures = {
        "ndcg@10": nDCG @ 10,
        "mrr@10": RR @ 10,
        "recall@10": R @ 10,
        "recall@100": R @ 100,
        "success@1": Success @ 1,
    }
    figures = ir_measures.calc_aggregate(
        list(measures.values()),
        [ir_measures.Qrel(query, article, grade) for query in kept for article, grade in labels[query].items()],
        [ir_measures.ScoredDoc(line.query, line.article, _score(line)) for line in run],
    )
    return Evaluation(
        queries=len(labelled),
        measures={name: round(float(figures[measure]), 4) for name, measure in measures.items()},
        p50_ms=round(float(np.percentile(milliseconds, 50)), 1),
        p95_ms=round(float(np.percentile(milliseconds, 95)), 1),
        run=tuple(run),
    )


def trec_lines(run: Iterable[Ranked]) -> Iterable[str]:
    """The run in TREC format."""
    return (f"{line.query} Q0 {line.article} {line.rank} {_score(line):.6f} dateline\n" for line in run)


def _score(line: Ranked) -> float:
    """A score that sorts as the ranks do: TREC tools read scores, not ranks."""
    return 1 / line.rank


def _read_queries(path: Path) -> list[Query]:
    queries = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            record = json.loads(line)
            queries.append(Query(str(record["id"]), str(record["text"])))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}:{number} is not a query: it needs 'id' and 'text' in JSON.") from error
    return queries


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path), start=1):
        try:
            query, _, article, grade = line.split()
            labels.setdefault(query, {})[article] = int(grade)
        except ValueError as error:
            raise UsageError(f"{path}:{number} is not a TREC qrel: query, 0, article, grade.") from error
    return labels


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
