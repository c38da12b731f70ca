"""All matches of a search, however many there are: what exports and feeds are made of.

A match is what a search counts in its total: a group of passages that passes the relevance gate of the first page, or
every article in scope where a query only says where to look. Memory stays flat: of what is only filtered the numbers
are held, of what is ranked the groups that pass, and articles are read a few hundred at a time, when their turn comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from index.store import Store
from search.hits import Hit
from search.presenting import hits_of, reranked
from search.query import Interpreted, SearchRequest
from search.rank import Numbers, by_day, gate
from search.rerank import Reranker
from search.retrieve import Item, Plan, newest, tiers, unranked, weighs_all

Order = Literal["search", "published", "arrival"]
"""As the request says; by day of publication, of one day the last to arrive first; the last to arrive first.

Every new or changed article gets a higher number than all before it, so numbers tell what arrived later.
"""
Run = tuple[Sequence[Item], Mapping[int, float]]
"""Groups one after the other, and what a cross-encoder said of their passages."""

# Few enough that the first come at once and that memory does not show them, many enough that SQLite's part is small.
_READ_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Matches:
    """How a search was read, on which state of the corpus, and its hits, each read when it is asked for."""

    interpreted: Interpreted
    generation: str
    hits: Iterator[Hit]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matches of a request, and in which order: those published on the day `since` or later."""

    request: SearchRequest
    order: Order = "search"
    since: date | None = None

    def positions(self, store: Store, articles: Numbers) -> Numbers:
        """Where in `articles`, which stand as they were found, those that are wanted stand, in their order."""
        days = store.days(articles)
        kept = np.arange(len(articles)) if self.since is None else np.flatnonzero(days >= self.since.toordinal())
        if self.order == "arrival":
            return kept[np.argsort(-articles[kept], kind="stable")]
        if self.order == "published":
            return kept[np.lexsort((-articles[kept], -days[kept]))]  # unknown days are NaN, which stands last
        return kept if self.request.sort == "relevance" else kept[by_day(days[kept], self.request.sort)]


def matching_hits(
    store: Store, asked: Plan, wanted: Wanted, interpreted: Interpreted, reranker: Reranker | None = None
) -> Iterator[Hit]:
    """The hits of all matches; `page`, `size` and `skip` of the request do not limit them."""
    runs = _ranked(store, asked, wanted, reranker) if interpreted.text else _filtered(store, asked, wanted)
    rank = 0
    for items, by_passage in runs:
        for first in range(0, len(items), _READ_AT_ONCE):
            run = items[first : first + _READ_AT_ONCE]
            yield from hits_of(store, asked, wanted.request, interpreted, run, rank, by_passage)
            rank += len(run)


def _ranked(store: Store, asked: Plan, wanted: Wanted, reranker: Reranker | None) -> Iterator[Run]:
    """The groups that pass the gate: depth by depth where they are wanted as they are found, else all at once."""
    if wanted.order == "search" and wanted.request.sort == "relevance":
        for items, by_passage in _passing(store, asked, wanted.request, reranker):
            yield _put_in_order(store, items, wanted), by_passage
    else:
        everything = [item for items, _ in _passing(store, asked, wanted.request, None) for item in items]
        yield _put_in_order(store, everything, wanted), {}


def _passing(store: Store, asked: Plan, request: SearchRequest, reranker: Reranker | None) -> Iterator[Run]:
    """The groups of each depth that pass the gate of the first; a depth in which none does is the last."""
    lowest: float | None = None
    for found, _ in tiers(store, asked, request):
        items, by_passage = found, dict[int, float]()
        if lowest is None:
            lowest = gate([group.score for group, _ in found], comparable=weighs_all(request))
            if reranker:
                items, by_passage = reranked(store, reranker, asked.wording.text, found)
        passing = [item for item in items if item[0].score >= lowest]
        if not passing:
            return
        yield passing, by_passage


def _put_in_order(store: Store, items: Sequence[Item], wanted: Wanted) -> list[Item]:
    articles = np.asarray([group.article for group, _ in items], dtype=np.int64)
    return [items[at] for at in wanted.positions(store, articles).tolist()]


def _filtered(store: Store, asked: Plan, wanted: Wanted) -> Iterator[Run]:
    """The articles in scope, of which only the numbers are held."""
    numbers = newest(store, asked.scope, wanted.request)
    numbers = numbers[wanted.positions(store, store.article_numbers(numbers))]
    for first in range(0, len(numbers), _READ_AT_ONCE):
        yield unranked(store, numbers[first : first + _READ_AT_ONCE]), {}
