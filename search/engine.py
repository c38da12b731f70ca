"""Answering searches over an open index."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial, wraps
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np

from index.article import Article
from index.encoder import Encoder, LoadEncoder, load_encoder, matching_encoder
from index.errors import StoreChanged
from index.place import Folder, Place, place_of
from index.scope import Scope
from index.store import Store
from search.highlight import Marker
from search.hits import ArticleView, Facets, Hit, SearchResult, Similar, Suggestion
from search.matches import Matches, Order, Wanted, matching_hits
from search.presenting import dated, hits_of, reranked
from search.query import Interpreted, SearchRequest, check, interpret
from search.rank import gate
from search.rerank import Reranker
from search.retrieve import Item, listed, plan, ranking, scored, weighs_all
from search.wording import Wording

Method = TypeVar("Method", bound=Callable[..., Any])

# While somebody types: a letter says nothing of a title yet, names of each kind should leave room for titles, and
# nobody wants to see the end of what is longer than any title.
_SHORTEST_BEGINNING = 2
_SUGGESTED_NAMES = 3
_LONGEST_BEGINNING = 200
# A server may be changed between finding a passage and reading its article; twice in a row it hardly ever is.
_SEARCHED_AGAIN = 2
_NO_WORDS = "This server finds no passages by their words: among those near in meaning, the words still count."


def _in_time(method: Method) -> Method:
    """A method that has an answer or an error before long, however many questions it asks of a store."""

    @wraps(method)
    def call(self: "Engine", *args: Any, **options: Any) -> Any:
        with self.store.in_time():
            return method(self, *args, **options)

    return cast(Method, call)


class Engine:
    """An open index and its encoder. Safe to share between threads; `refresh` follows changes."""

    def __init__(
        self, store: Store, encoder: Encoder, place: Place | None = None, reranker: Reranker | None = None
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._reranker = reranker
        self._place = place
        self._seen = place.state() if place else None
        self._refreshing = threading.Lock()

    @classmethod
    def open(
        cls,
        place: Place | Path,
        load: LoadEncoder | None = None,
        reranker: Reranker | None = None,
        *,
        encoder: Encoder | None = None,
    ) -> Self:
        """The live generation at a place with the model that it was built with; `reranker` has the last word on order.

        `load` makes the model's encoder, by default from the export that the index carries; `encoder` is one that
        is there already, if it is of this model. Raises IndexMissing, IndexDamaged, IndexOutdated, StoreUnavailable
        or ModelError.
        """
        place = Folder(place) if isinstance(place, Path) else place
        store = place.open()
        if encoder is None or encoder.identity != store.model:
            encoder = matching_encoder(store.model, load or partial(load_encoder, beside=place.beside))
        return cls(store, encoder, place, reranker)

    @property
    def store(self) -> Store:
        """The state of the corpus that is searched now."""
        return self._store

    def refresh(self, load: LoadEncoder | None = None) -> bool:
        """Turns to the newest state of the index, if there is a newer one; says whether it did.

        Searches under way finish on the old state.
        """
        if self._place is None or not self._refreshing.acquire(blocking=False):
            return False
        try:
            state = self._place.state()
            if state == self._seen:
                return False
            store = self._place.open()
            if store.model != self._encoder.identity:
                load = load or partial(load_encoder, beside=self._place.beside)
                self._encoder = matching_encoder(store.model, load)
            self._store, self._seen = store, state
            return True
        finally:
            self._refreshing.release()

    @_in_time
    def search(self, query: str | SearchRequest, **options: Any) -> SearchResult:
        """Ranked passages for a query: a text with SearchRequest's fields as options, or a SearchRequest.

        Raises QueryError when the request makes no sense, StoreUnavailable when a server does not answer.
        """
        request = check(SearchRequest(query, **options) if isinstance(query, str) else query)
        store = self._store  # one state of the corpus for the whole search
        for _ in range(_SEARCHED_AGAIN):
            with suppress(StoreChanged):
                return self._searched(store, request)
        return self._searched(store, request)

    def _searched(self, store: Store, request: SearchRequest) -> SearchResult:
        began = time.perf_counter()
        encoder = self._encoder
        interpreted, scope = _in_scope(store, request)
        read = time.perf_counter()
        asked = plan(store, encoder, request, interpreted, scope)
        found = ranking(store, asked, request) if interpreted.text else listed(store, scope, request)
        comparable = bool(interpreted.text) and weighs_all(request)
        lowest = gate([group.score for group, _ in found.groups], comparable=comparable)
        passing = [item for item in found.groups if item[0].score >= lowest]
        groups = found.groups if request.sort == "relevance" else dated(store, passing, request.sort)
        by_passage: dict[int, float] = {}
        if self._reranker and interpreted.text and request.sort == "relevance":
            groups, by_passage = reranked(store, self._reranker, asked.wording.text, groups)
        ranked = time.perf_counter()
        first = request.first
        page = groups[first : first + request.size]
        hits = tuple(hits_of(store, asked, request, interpreted, page, first, by_passage))
        facets, done = _facets(store, passing), time.perf_counter()
        return SearchResult(
            request=request,
            interpreted=_as_searched(store, request, interpreted, scope, asked.wording),
            generation=store.generation,
            total=len(passing),
            total_is_exact=found.exhausted,
            gate=round(lowest, 4),
            hits=hits,
            has_more=len(groups) > first + request.size,
            facets=facets,
            took_ms=round((done - began) * 1000, 1),
            stages={"read": read - began, "rank": ranked - read, "hits": done - ranked},
        )

    def matches(
        self, query: str | SearchRequest, *, order: Order = "search", since: date | None = None, **options: Any
    ) -> Matches:
        """All that `search` counts in its total, without an end to its pages, of one state of the corpus.

        `order` is "search", "published" (newest first) or "arrival" (what came into the index last first), `since`
        leaves out what was published before that day. Raises QueryError as `search` does.
        """
        request = check(SearchRequest(query, **options) if isinstance(query, str) else query)
        store, encoder = self._store, self._encoder
        interpreted, scope = _in_scope(store, request)
        asked = plan(store, encoder, request, interpreted, scope)
        hits = matching_hits(store, asked, Wanted(request, order, since), interpreted, self._reranker)
        read = _as_searched(store, request, interpreted, scope, asked.wording)
        return Matches(read, store.generation, self._open_for(hits))

    @_in_time
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
        marker = Marker(asked.wording.words, interpreted.phrases)
        view = ArticleView(
            article,
            passages,
            scores=tuple(scored(store, asked, request, numbers).scores.tolist()),
            highlights=tuple(marker.highlights(article.text)),
            copies=copies,
        )
        if not view.best:
            return view
        start, end = marker.best_sentence(article.text[view.best.start : view.best.end])
        return replace(view, best_sentence=(view.best.start + start, view.best.start + end))

    @_in_time
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

    @_in_time
    def latest(self, size: int = 10) -> list[Article]:
        """The articles that were published last, newest first; of copies of a story only the one that heads it."""
        store = self._store
        numbers = store.latest(size).tolist()
        articles = store.articles(numbers)
        return [articles[number] for number in numbers]

    @_in_time
    def suggest(self, text: str, size: int = 8) -> list[Suggestion]:
        """Sources, authors and titles of the corpus that go on as `text` begins: at most `size`, names first.

        Names begin with what was typed, in any of their words; titles hold all of it, newest first.
        """
        store, typed = self._store, text[:_LONGEST_BEGINNING].strip()
        sources, authors = store.sources_named(typed, _SUGGESTED_NAMES), store.authors_named(typed, _SUGGESTED_NAMES)
        names = [Suggestion(name, "source", f'source:"{name}"') for name in sources]
        names += [Suggestion(name, "author", f'author:"{name}"') for name in authors]
        names = [found for found in names if '"' not in found.text][: max(size, 0)]
        wanted = max(size, 0) - len(names)
        numbers = store.titled(typed, wanted).tolist() if wanted and len(typed) >= _SHORTEST_BEGINNING else []
        articles = store.articles(numbers)
        titles = dict.fromkeys(articles[number].title for number in numbers)
        return names + [Suggestion(title, "title", title) for title in titles]

    def close(self) -> None:
        """Lets go of the index."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_for(self, hits: Iterator[Hit]) -> Iterator[Hit]:
        """`hits`, holding this engine while they are read: a server closes an index that nobody holds any more."""
        yield from hits


def open_engine(index: str | Path = "dateline-index", store: str | None = None) -> Engine:
    """An engine over the index in a folder: `open_engine("dateline-index").search("lobster prices")`.

    With `store`, over what was published to a server: `open_engine(store="milvus://localhost:19530/news")`.
    """
    return Engine.open(place_of(Path(index), store))


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


def _as_searched(
    store: Store, request: SearchRequest, interpreted: Interpreted, scope: Scope, wording: Wording
) -> Interpreted:
    """`interpreted` with what the corpus made of it."""
    wordless = [_NO_WORDS] if interpreted.text and request.mode != "dense" and not store.lexical else []
    return replace(
        interpreted,
        text=wording.text,
        corrections=wording.corrections,
        notes=(*interpreted.notes, *_notes(scope, interpreted), *_corrected(wording), *wordless),
        readings=(*interpreted.readings, *_corrected(wording)),
    )


def _notes(scope: Scope, interpreted: Interpreted) -> list[str]:
    notes = [f"Nothing in the index has the name '{name}'." for name in scope.unknown]
    if interpreted.filters and not scope.passages and not scope.unknown:
        notes.append("No article passes all filters.")
    return notes


def _corrected(wording: Wording) -> list[str]:
    typed = ", ".join(f'"{was}"' for was, _ in wording.corrections)
    return [f"Showing results for {wording.text}: the index has no {typed}."] if typed else []


def _facets(store: Store, groups: Iterable[Item]) -> Facets:
    facts = store.facts(np.unique(np.asarray([group.article for group, _ in groups], dtype=np.int64)))
    days = [fact.day for fact in facts if fact.day]
    return Facets(
        sources=_by_count(fact.source for fact in facts if fact.source),
        years=_in_order(day[:4] for day in days),
        authors=_by_count(name for fact in facts for name in fact.authors),
        languages=_by_count(fact.language for fact in facts if fact.language),
        months=_in_order(day[:7] for day in days),
        days=_in_order(days),
    )


def _by_count(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _in_order(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(values).items()))
