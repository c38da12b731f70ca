"""Answering searches over an open index."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from index.article import Passage
from index.duplicates import shared_words
from index.encoder import Encoder, LoadEncoder, load_encoder, matching_encoder
from index.generation import carried_encoder, live_generation, load_manifest
from index.scope import Scope
from index.store import EmbeddedStore, Store
from search.highlight import Marker
from search.hits import ArticleView, Facets, Hit, SearchResult, Similar
from search.query import Interpreted, SearchRequest, check, interpret
from search.rank import Group, gate
from search.rerank import Reranker, reordered
from search.retrieve import Plan, Tier, listed, plan, ranking, scored, weighs_all

# A passage stands in another copy too if so many of its words do: editing changes a few, a paragraph of its
# own is more.
_TOLD_SHARE = 0.8

Item = tuple[Group, Tier]


class Engine:
    """An open index and its encoder. Safe to share between threads; `refresh` follows changes."""

    def __init__(
        self, store: Store, encoder: Encoder, root: Path | None = None, reranker: Reranker | None = None
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._reranker = reranker
        self._root = root
        self._seen = _state(root)
        self._refreshing = threading.Lock()

    @classmethod
    def open(
        cls,
        root: Path,
        load: LoadEncoder | None = None,
        reranker: Reranker | None = None,
        *,
        encoder: Encoder | None = None,
    ) -> Self:
        """The live generation at `root` with the model that it was built with; `reranker` has the last word on order.

        `load` makes the model's encoder, by default from the export that the index carries; `encoder` is one that
        is there already, if it is of this model. Raises IndexMissing, IndexDamaged, IndexOutdated or ModelError.
        """
        store = EmbeddedStore.open(root)
        if encoder is None or encoder.identity != store.model:
            encoder = matching_encoder(store.model, load or partial(load_encoder, beside=carried_encoder(root)))
        return cls(store, encoder, root, reranker)

    @property
    def store(self) -> Store:
        """The state of the corpus that is searched now."""
        return self._store

    def refresh(self, load: LoadEncoder | None = None) -> bool:
        """Turns to the newest state of the index, if there is a newer one; says whether it did.

        Searches under way finish on the old state.
        """
        if self._root is None or not self._refreshing.acquire(blocking=False):
            return False
        try:
            state = _state(self._root)
            if state == self._seen:
                return False
            store = EmbeddedStore.open(self._root)
            if store.model != self._encoder.identity:
                load = load or partial(load_encoder, beside=carried_encoder(self._root))
                self._encoder = matching_encoder(store.model, load)
            self._store, self._seen = store, state
            return True
        finally:
            self._refreshing.release()

    def search(self, query: str | SearchRequest, **options: Any) -> SearchResult:
        """Ranked passages for a query: a text with SearchRequest's fields as options, or a SearchRequest.

        Raises QueryError when the request makes no sense.
        """
        began = time.perf_counter()
        request = check(SearchRequest(query, **options) if isinstance(query, str) else query)
        store, encoder = self._store, self._encoder  # one state of the corpus for the whole search
        interpreted, scope = _in_scope(store, request)
        asked = plan(store, encoder, request, interpreted, scope)
        found = ranking(store, asked, request) if interpreted.text else listed(store, scope)
        comparable = bool(interpreted.text) and weighs_all(request)
        lowest = gate([group.score for group, _ in found.groups], comparable=comparable)
        passing = [item for item in found.groups if item[0].score >= lowest]
        groups = found.groups if request.sort == "relevance" else _dated(store, passing, request.sort)
        reranked: dict[int, float] = {}
        if self._reranker and interpreted.text and request.sort == "relevance":
            groups, reranked = _reranked(store, self._reranker, asked.wording.text, groups)
        first = (request.page - 1) * request.size
        page = _under_heads(store, groups[first : first + request.size])
        return SearchResult(
            request=request,
            interpreted=replace(
                interpreted,
                text=asked.wording.text,
                corrections=asked.wording.corrections,
                notes=(*interpreted.notes, *_notes(asked, scope, interpreted)),
            ),
            generation=store.generation,
            total=len(passing),
            total_is_exact=found.exhausted or len(passing) < len(found.groups),
            gate=round(lowest, 4),
            hits=tuple(_hits(store, asked, request, interpreted, page, first, reranked)),
            has_more=len(groups) > first + request.size,
            facets=_facets(store, passing),
            took_ms=round((time.perf_counter() - began) * 1000, 1),
        )

    def article(self, id: str, query: str = "") -> ArticleView | None:
        """An article with its passages, and for a query how well each passage answers it; None if unknown."""
        store, encoder = self._store, self._encoder
        found = store.article(id)
        if found is None:
            return None
        number, article = found
        passages, copies = tuple(store.passages_of(number)), tuple(store.copies([number]).get(number, ()))
        request = SearchRequest(query)
        interpreted = interpret(request) if query.strip() else None
        if interpreted is None or not interpreted.text:
            return ArticleView(article, passages, copies=copies)
        asked = plan(store, encoder, request, interpreted, store.scope(request.filters))
        numbers = np.asarray([passage.number for passage in passages], dtype=np.int64)
        return ArticleView(
            article,
            passages,
            scores=tuple(scored(store, asked, request, numbers).scores.tolist()),
            highlights=tuple(Marker(asked.wording.words, interpreted.phrases).highlights(article.text)),
            copies=copies,
        )

    def similar(self, id: str, size: int = 10) -> list[Similar] | None:
        """The articles nearest in meaning to the one with this id, copies of it left out; None if it is unknown."""
        store = self._store
        found = store.article(id)
        if found is None:
            return None
        nearest = store.similar(found[0], size)
        articles = store.articles(nearest.numbers.tolist())
        pairs = zip(nearest.numbers.tolist(), nearest.scores.tolist(), strict=True)
        return [Similar(articles[number], round(score, 4)) for number, score in pairs]

    def close(self) -> None:
        """Lets go of the index."""
        self._store.close()


def open_engine(index: str | Path = "dateline-index") -> Engine:
    """An engine over the index in a folder: `open_engine("dateline-index").search("lobster prices")`."""
    return Engine.open(Path(index))


def _in_scope(store: Store, request: SearchRequest) -> tuple[Interpreted, Scope]:
    """How the query is read, and the passages it may look at.

    A period that was read out of the query and in which nothing was published was no filter.
    """
    interpreted = interpret(request)
    scope = store.scope(interpreted.filters)
    if interpreted.period and not scope.passages:
        plain = interpret(replace(request, date_words=False))
        without = store.scope(plain.filters)
        if without.passages:
            note = f'Nothing was published in the time of "{interpreted.period.words}": searched without it.'
            return replace(plain, notes=(*plain.notes, note)), without
    return interpreted, scope


def _dated(store: Store, groups: Sequence[Item], sort: str) -> list[Item]:
    """`groups` by date, those without one last."""
    articles = [group.article for group, _ in groups]
    facts = store.facts(np.asarray(articles, dtype=np.int64))
    days = {article: fact.day for article, fact in zip(articles, facts, strict=True)}
    dated = [item for item in groups if days[item[0].article]]
    undated = [item for item in groups if not days[item[0].article]]
    dated.sort(key=lambda item: days[item[0].article] or "", reverse=sort == "newest")
    return dated + undated


def _reranked(
    store: Store, reranker: Reranker, query: str, groups: Sequence[Item]
) -> tuple[list[Item], dict[int, float]]:
    """`groups` with the first in the order of a cross-encoder, and its scores by passage."""
    numbers = [int(tier.numbers[group.passages[0]]) for group, tier in groups[: reranker.top]]
    passages = store.passages(numbers)
    articles = store.articles([passage.article for passage in passages.values()])

    def text(passage: Passage) -> str:
        article = articles[passage.article]
        return f"{article.title}\n{article.text[passage.start : passage.end]}"

    scores = reranker.scores(query, [text(passages[number]) for number in numbers])
    order = reordered(len(groups), scores)
    return [groups[at] for at in order], dict(zip(numbers, scores.tolist(), strict=False))


def _under_heads(store: Store, page: Sequence[Item]) -> list[Item]:
    """The head of each story in place of its best copy, unless what was found stands only in the copy."""
    pairs = [(group.article, group.head.article) for group, _ in page if group.head]
    articles = store.articles([number for pair in pairs for number in pair])
    found = store.passages([int(tier.numbers[group.passages[0]]) for group, tier in page if group.head])

    def shown(group: Group, tier: Tier) -> Group:
        if group.head is None:
            return group
        passage = found[int(tier.numbers[group.passages[0]])]
        text = articles[group.article].text[passage.start : passage.end]
        told = shared_words(text, articles[group.head.article].text)[0] >= _TOLD_SHARE
        return replace(group.head, score=group.score) if told else group

    return [(shown(group, tier), tier) for group, tier in page]


def _hits(
    store: Store,
    asked: Plan,
    request: SearchRequest,
    interpreted: Interpreted,
    page: Sequence[Item],
    first: int,
    reranked: Mapping[int, float],
) -> Iterator[Hit]:
    numbers = [int(tier.numbers[group.passages[0]]) for group, tier in page]
    shown = [group.article for group, _ in page]
    passages, articles, copies = store.passages(numbers), store.articles(shown), store.copies(shown)
    marker = Marker(asked.wording.words, interpreted.phrases)
    for rank, ((group, tier), number) in enumerate(zip(page, numbers, strict=True), start=first + 1):
        article, passage = articles[group.article], passages[number]
        text = article.text[passage.start : passage.end]
        marked, best = marker.both(text)
        extra = {"rerank": round(reranked[number], 4)} if number in reranked else {}
        yield Hit(
            rank=rank,
            score=round(group.score, 4),
            article=article,
            passage=passage,
            text=text,
            highlights=tuple(marked),
            best_sentence=best,
            more_passages=len(group.passages) - 1,
            copies=tuple(copies.get(group.article, ())),
            signals=tier.signals(group.passages[0]) | extra if request.explain else {},
            shares=tier.shares(group.passages[0]) if request.explain else {},
        )


def _notes(asked: Plan, scope: Scope, interpreted: Interpreted) -> list[str]:
    notes = [f"Nothing in the index has the name '{name}'." for name in scope.unknown]
    if interpreted.filters and not scope.passages and not scope.unknown:
        notes.append("No article passes all filters.")
    if asked.wording.corrections:
        typed = ", ".join(f'"{was}"' for was, _ in asked.wording.corrections)
        notes.append(f"Showing results for {asked.wording.text}: the index has no {typed}.")
    return notes


def _facets(store: Store, groups: Iterable[Item]) -> Facets:
    facts = store.facts(np.unique(np.asarray([group.article for group, _ in groups], dtype=np.int64)))
    days = [fact.day for fact in facts if fact.day]
    return Facets(
        sources=_by_count(fact.source for fact in facts if fact.source),
        years=_in_order(day[:4] for day in days),
        authors=_by_count(name for fact in facts for name in fact.authors),
        languages=_by_count(fact.language for fact in facts if fact.language),
        months=_in_order(day[:7] for day in days),
    )


def _by_count(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _in_order(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(values).items()))


def _state(root: Path | None) -> tuple[str, int] | None:
    """Changes whenever a writer has finished something: cheap enough to look at every second."""
    if root is None:
        return None
    layout = live_generation(root)
    return layout.folder.name, load_manifest(layout).change
