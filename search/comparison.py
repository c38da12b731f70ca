"""Whether one index, or one way of searching it, answers labelled queries better than another.

The interval is that of the paired bootstrap, the p-value that of the paired randomisation test, both over
queries: Smucker, Allan and Carterette (CIKM 2007) found that they agree where the sign test and Wilcoxon's do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.errors import UsageError
from search.evaluate import Evaluation, evaluation_json, faults
from search.query import SearchRequest, check

RESAMPLES = 10_000
_SEED = 20070611
"""Any will do; a fixed one gives the same figures every time."""
_DRAWS_AT_ONCE = 1_000_000
"""Keeps a resampling of many queries within some megabytes."""
_DECIDING = "ndcg@10"
"""The measure by which queries are won and lost."""
_EQUAL = 1e-9
_NOT_SETTINGS = frozenset({"query", "size", "page", "filters", "sort", "explain"})
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Difference:
    """The means of a measure, the first less the second, its 95 % interval, and how often chance does as much."""

    measure: str
    this: float
    against: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Change:
    """A query that was answered differently, with both figures of nDCG@10."""

    query: str
    text: str
    this: float
    against: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations of the same queries; `labels` say how they differ. Most changed queries come first."""

    labels: tuple[str, str]
    this: Evaluation
    against: Evaluation
    differences: tuple[Difference, ...]
    won: tuple[Change, ...]
    lost: tuple[Change, ...]


def compare(this: Evaluation, against: Evaluation, labels: tuple[str, str]) -> Comparison:
    """What the first does better and worse than the second. Both must have measured the same queries."""
    ids = [query.id for query in this.labelled]
    differences = []
    for name in this.by_query:
        one, other = ([run.by_query[name][id] for id in ids] for run in (this, against))
        low, high = bootstrap_interval(one, other)
        p = randomisation_p(one, other)
        differences.append(
            Difference(
                name, float(np.mean(one)), float(np.mean(other)), float(np.mean(one) - np.mean(other)), low, high, p
            )
        )
    changes = [
        Change(query.id, query.text, this.by_query[_DECIDING][query.id], against.by_query[_DECIDING][query.id])
        for query in this.labelled
    ]
    changes.sort(key=lambda change: (-abs(change.this - change.against), change.query))
    return Comparison(
        labels,
        this,
        against,
        tuple(differences),
        won=tuple(change for change in changes if change.this - change.against > _EQUAL),
        lost=tuple(change for change in changes if change.against - change.this > _EQUAL),
    )


def bootstrap_interval(this: ArrayLike, against: ArrayLike, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95 % interval of the mean difference of paired figures, one a query, by the percentile bootstrap."""
    differences = _paired(this, against)
    count = len(differences)
    means = [
        differences[generator.integers(count, size=(rows, count))].mean(axis=1)
        for generator, rows in _blocks(count, resamples)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)


def randomisation_p(this: ArrayLike, against: ArrayLike, resamples: int = RESAMPLES) -> float:
    """How often the mean of paired figures differs as much when chance says which of a pair is which; two-sided.

    Never 0: what was seen counts as one of the cases.
    """
    differences = _paired(this, against)
    count = len(differences)
    seen = abs(differences.mean()) - _EQUAL
    as_far = 0
    for generator, rows in _blocks(count, resamples):
        signs = generator.integers(2, size=(rows, count), dtype=np.int8) * 2 - 1
        as_far += int((abs((signs * differences).mean(axis=1)) >= seen).sum())
    return (as_far + 1) / (resamples + 1)


def with_settings(request: SearchRequest, settings: Sequence[str]) -> SearchRequest:
    """`request` with settings such as `mode=dense`. Raises UsageError for what is no setting, or no value of one."""
    defaults = {
        field.name: getattr(request, field.name) for field in fields(SearchRequest) if field.name not in _NOT_SETTINGS
    }
    changes: dict[str, Any] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not separator or name not in defaults:
            raise UsageError(
                f"--against should be one of {', '.join(f'{name}=…' for name in defaults)}, not '{setting}'."
            )
        changes[name] = _value(name, value.strip(), isinstance(defaults[name], bool))
    return check(replace(request, **changes))


def labels_of(one: SearchRequest, other: SearchRequest, indexes: tuple[Path, Path]) -> tuple[str, str]:
    """What differs, as each side has it. Raises UsageError when nothing does."""
    sides: list[tuple[str, str]] = []
    if indexes[0].resolve() != indexes[1].resolve():
        sides.append((f"index={indexes[0]}", f"index={indexes[1]}"))
    for field in fields(SearchRequest):
        values = getattr(one, field.name), getattr(other, field.name)
        if values[0] != values[1]:
            sides.append((f"{field.name}={_written(values[0])}", f"{field.name}={_written(values[1])}"))
    if not sides:
        raise UsageError("There is nothing to compare: --against names what is searched with anyway.")
    return ", ".join(side[0] for side in sides), ", ".join(side[1] for side in sides)


def comparison_json(comparison: Comparison, show: int) -> dict[str, Any]:
    """What `dateline evaluate --json` says of a comparison; `show` limits the queries won and the queries lost."""
    return {
        **evaluation_json(comparison.this),
        "label": comparison.labels[0],
        "against": {"label": comparison.labels[1], **evaluation_json(comparison.against)},
        "differences": {
            row.measure: {
                "this": round(row.this, 4),
                "against": round(row.against, 4),
                "difference": round(row.difference, 4),
                "interval": [round(row.low, 4), round(row.high, 4)],
                "p": round(row.p, 4),
            }
            for row in comparison.differences
        },
        "won": _changes_json(comparison.won, show),
        "lost": _changes_json(comparison.lost, show),
    }


def comparison_lines(comparison: Comparison, show: int) -> Iterator[str]:
    """The same for people."""
    this, against = comparison.this, comparison.against
    yield f"   this: {comparison.labels[0]}"
    yield f"against: {comparison.labels[1]}"
    yield ""
    yield f"{'':>12}  {'this':>8}  {'against':>8}  {'difference':>10}  {'95 % interval':^17}  {'p':>6}"
    for row in comparison.differences:
        interval = f"{row.low:+.4f} … {row.high:+.4f}"
        yield (
            f"{row.measure:>12}  {row.this:8.4f}  {row.against:8.4f}  {row.difference:+10.4f}  {interval}  {row.p:6.4f}"
        )
    for name, one, other in (("p50 ms", this.p50_ms, against.p50_ms), ("p95 ms", this.p95_ms, against.p95_ms)):
        yield f"{name:>12}  {one:8.1f}  {other:8.1f}  {one - other:+10.1f}"
    for title, changes in (("better", comparison.won), ("worse", comparison.lost)):
        yield ""
        yield f"{title} in {_DECIDING} than against: {len(changes):,} of {this.queries:,} queries"
        for change in changes[:show]:
            yield f"{change.query:>12}  {change.this:8.4f}  {change.against:8.4f}  {change.text}"
    yield from _faults_of_both(comparison)


def _faults_of_both(comparison: Comparison) -> Iterator[str]:
    """The faults of labels and queries, told once where they are those of both sides."""
    this, against = list(faults(comparison.this)), list(faults(comparison.against))
    if this or against:
        yield ""
    yield from (f"{line}" if line in against else f"this: {line}" for line in this)
    yield from (f"against: {line}" for line in against if line not in this)


def _changes_json(changes: Sequence[Change], show: int) -> list[dict[str, Any]]:
    return [
        {"id": one.query, "text": one.text, "this": round(one.this, 4), "against": round(one.against, 4)}
        for one in changes[:show]
    ]


def _paired(this: ArrayLike, against: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(this, dtype=np.float64) - np.asarray(against, dtype=np.float64)


def _blocks(count: int, resamples: int) -> Iterator[tuple[np.random.Generator, int]]:
    """One generator of random numbers, and how many resamples of `count` to draw from it next."""
    generator = np.random.default_rng(_SEED)
    most = max(1, _DRAWS_AT_ONCE // count)
    for first in range(0, resamples, most):
        yield generator, min(most, resamples - first)


def _value(name: str, value: str, is_truth: bool) -> str | bool:
    if not is_truth:
        return value
    if value.lower() not in _TRUTHS:
        raise UsageError(f"--against {name} should be true or false, not '{value}'.")
    return _TRUTHS[value.lower()]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "today" if value is None else str(value)
