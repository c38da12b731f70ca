"""Measuring how well an index answers labelled queries. The one module that knows ir-measures."""

import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import QueryError, UsageError
from index.store import Store
from search.engine import Engine
from search.hits import Hit
from search.query import SearchRequest, check, check_day

_DEPTH = 100
# Scores in a run are at least this far apart: trec_eval reads them in single precision and breaks ties by name.
_STEP = 1e-5
_SHOWN_NAMES = 5

Labels = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled query; `date` is the ISO day on which it was asked, where that is known."""

    id: str
    text: str
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a run: the article at a rank for a query. White space in its id is %20, as it ends a column."""

    query: str
    article: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over the labelled queries, and the latency of a search for one page in milliseconds.

    `by_query` has for each measure the figure of each query by its id, which `measures` are the means of.
    `skipped` are the ids of queries without a label; `refused` says why queries that the engine refused
    found nothing; `unknown_articles` are labelled, but not in the index, and so cannot be found.
    """

    measures: dict[str, float]
    by_query: dict[str, dict[str, float]]
    p50_ms: float
    p95_ms: float
    run: tuple[Ranked, ...]
    labelled: tuple[Query, ...]
    skipped: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    unknown_articles: tuple[str, ...] = ()

    @property
    def queries(self) -> int:
        """How many queries were measured."""
        return len(self.labelled)


def evaluate(
    engine: Engine, queries: Path, qrels: Path, template: SearchRequest, *, own_dates: bool = False
) -> Evaluation:
    """Searches for every query that has a label and compares with `qrels`, article by article.

    `template` gives mode, fusion, filters and the rest; with `own_dates` each query that has a date is asked
    as of that day. Raises UsageError when a file cannot be read, no query is labelled, none of the labelled
    articles is in the index, or every query is refused.
    """
    check(template)
    asked, labels = _read_queries(queries), _read_qrels(qrels)
    labelled = [query for query in asked if query.id in labels]
    if not labelled:
        raise UsageError(f"None of the queries in {queries} has a label in {qrels}.")
    if own_dates and not any(query.date for query in labelled):
        raise UsageError(f"None of the labelled queries in {queries} has a 'date' to be asked on.")
    labels = {query.id: labels[query.id] for query in labelled}
    unknown = _unknown_articles(engine.store, labels, qrels)
    run: list[Ranked] = []
    milliseconds: list[float] = []
    refused: list[tuple[str, str]] = []
    with suppress(QueryError):
        engine.search(replace(template, query=labelled[0].text))  # warm
    for query in labelled:
        day = (own_dates and query.date) or template.as_of
        try:
            took, ranked = _asked(engine, query, replace(template, query=query.text, as_of=day))
        except QueryError as error:
            refused.append((query.id, str(error)))
            continue
        milliseconds.append(took)
        run += ranked
    if len(refused) == len(labelled):
        raise UsageError(f"Every query in {queries} was refused, the first with: {refused[0][1]}")
    figures = _figures(labels, run)
    return Evaluation(
        measures={name: round(float(np.mean(list(values.values()))), 4) for name, values in figures.items()},
        by_query=figures,
        p50_ms=round(float(np.percentile(milliseconds, 50)), 1),
        p95_ms=round(float(np.percentile(milliseconds, 95)), 1),
        run=tuple(run),
        labelled=tuple(labelled),
        skipped=tuple(query.id for query in asked if query.id not in labels),
        refused=tuple(refused),
        unknown_articles=unknown,
    )


def trec_lines(run: Iterable[Ranked], name: str = "dateline") -> Iterable[str]:
    """The run in TREC format: query, Q0, article, rank, score, name of the run."""
    name = _trec_name(name)
    return (f"{line.query} Q0 {line.article} {line.rank} {line.score:.5f} {name}\n" for line in run)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """What `dateline evaluate --json` says of one evaluation."""
    unknown = evaluation.unknown_articles
    return {
        "queries": evaluation.queries,
        **evaluation.measures,
        "latency_ms": {"p50": evaluation.p50_ms, "p95": evaluation.p95_ms},
        "unknown_articles": {"count": len(unknown), "first": list(unknown[:_SHOWN_NAMES])},
        "skipped_queries": list(evaluation.skipped),
        "refused_queries": [{"id": id, "reason": reason} for id, reason in evaluation.refused],
    }


def evaluation_lines(evaluation: Evaluation) -> Iterator[str]:
    """What `dateline evaluate` says of one evaluation to people."""
    for name, value in evaluation.measures.items():
        yield f"{name:>12}  {value:.4f}"
    yield f"{'latency':>12}  p50 {evaluation.p50_ms:.1f} ms, p95 {evaluation.p95_ms:.1f} ms"
    yield from faults(evaluation)


def faults(evaluation: Evaluation) -> Iterator[str]:
    """What was not as it should be with the labels, the queries and the index, one line each."""
    if unknown := evaluation.unknown_articles:
        yield f"Labelled articles that are not in the index and so never found: {_some(unknown)}"
    if skipped := evaluation.skipped:
        yield f"Queries without a label, which were skipped: {_some(skipped)}"
    for id, reason in evaluation.refused:
        yield f"Query {id} was refused and counts as finding nothing: {reason}"


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _asked(engine: Engine, query: Query, request: SearchRequest) -> tuple[float, list[Ranked]]:
    """The milliseconds that a page as people see it takes, and the ranking far below it."""
    began = time.perf_counter()
    engine.search(request)
    took = (time.perf_counter() - began) * 1000
    return took, list(_ranked(query, engine.search(replace(request, size=_DEPTH, page=1)).hits))


def _ranked(query: Query, hits: Iterable[Hit]) -> Iterator[Ranked]:
    """Each article where it first stands, with the engine's score, or less where that would not sort as ranks do.

    Rounding makes equal scores, and what a deeper tier found may score more than what stands before it.
    """
    seen: set[str] = set()
    score = math.inf
    for hit in hits:
        article = _trec_name(hit.article.id)
        if article in seen:
            continue
        seen.add(article)
        score = min(hit.score, round(score - _STEP, 5))
        yield Ranked(query.id, article, len(seen), score)


def _figures(labels: Labels, run: Iterable[Ranked]) -> dict[str, dict[str, float]]:
    """For each measure the figure of each query with labels; 0 where nothing was found."""
    import ir_measures
    from ir_measures import RR, R, Success, nDCG

    measures = {
        nDCG @ 10: "ndcg@10", RR @ 10: "mrr@10", R @ 10: "recall@10", R @ 100: "recall@100", Success @ 1: "success@1",
    }  # fmt: skip
    figures: dict[str, dict[str, float]] = {name: dict.fromkeys(labels, 0.0) for name in measures.values()}
    for metric in ir_measures.iter_calc(
        list(measures),
        [ir_measures.Qrel(query, article, grade) for query in labels for article, grade in labels[query].items()],
        [ir_measures.ScoredDoc(line.query, line.article, line.score) for line in run],
    ):
        figures[measures[metric.measure]][metric.query_id] = float(metric.value)
    return figures


def _unknown_articles(store: Store, labels: Labels, qrels: Path) -> tuple[str, ...]:
    """The labelled articles that the store does not hold. Raises UsageError when it holds none."""
    labelled = dict.fromkeys(article for graded in labels.values() for article in graded)
    unknown = tuple(name for name in labelled if not _holds(store, name))
    if len(unknown) == len(labelled):
        raise UsageError(
            f"None of the labelled articles in {qrels} is in the index ({_some(unknown)})."
            " Are these the labels of another corpus? Name its index with --index."
        )
    return unknown


def _holds(store: Store, name: str) -> bool:
    return store.article(name) is not None or ("%20" in name and store.article(name.replace("%20", " ")) is not None)


def _trec_name(id: str) -> str:
    """An id as one column of a TREC file, where white space ends a column."""
    return re.sub(r"\s", "%20", id)


def _read_queries(path: Path) -> list[Query]:
    queries: dict[str, Query] = {}
    for number, line in _lines(path):
        try:
            record = json.loads(line)
            query = Query(str(record["id"]), str(record["text"]), record.get("date"))
            check_day("date", query.date)
        except QueryError as error:
            raise UsageError(f"{path}:{number}: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}:{number} is not a query: it needs 'id' and 'text' in JSON.") from error
        if queries.setdefault(query.id, query) != query:  # the same query twice is still one query
            raise UsageError(f"{path}:{number} has the id '{query.id}' of another query. Give each its own.")
    return list(queries.values())


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        try:
            query, _, article, grade = line.split()
            labels.setdefault(query, {})[article] = int(grade)
        except ValueError as error:
            raise UsageError(f"{path}:{number} is not a TREC qrel: query, 0, article, grade.") from error
    return labels


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines with something on them, and their numbers. JSON may hold U+2028 and its like within a line."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
