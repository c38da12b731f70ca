"""Answering searches over an open index."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from index.article import Article, Copy, Passage
from index.duplicates import shared_words
from index.encoder import Encoder, LoadEncoder, Matrix, load_encoder, matching_encoder
from index.generation import live_generation, load_manifest
from index.store import EmbeddedStore, Scope, Store
from index.terms import analyse
from search.highlight import best_sentence, highlights
from search.query import Interpreted, SearchRequest, check, interpret
from search.rank import (
    ARTICLE_WEIGHT,
    Group,
    Numbers,
    Scores,
    collapsed,
    group_by_article,
    lexical_share,
    reciprocal_rank_fusion,
    share_fusion,
    ungrouped,
)

# Passages that each leg contributes before fusion; deeper pages ask for _DEEPER times as many again.
# 200 a leg loses nothing measurable in nDCG@10 against 1,000 on the development set.
_DEPTH = 200
_DEEPER = 4
# A passage stands in another copy too if so many of its words do: editing changes a few, a paragraph of its
# own is more.
_TOLD_SHARE = 0.8
# Sorting by date must not bring up what hardly matches: articles below this share of the best score
# are left out of it.
_DATE_SORT_GATE = 0.6


@dataclass(frozen=True, slots=True)
class Hit:
    """One result. Offsets in `highlights` and `best_sentence` are relative to the passage's text."""

    rank: int
    score: float
    article: Article
    passage: Passage
    text: str
    highlights: tuple[tuple[int, int], ...]
    best_sentence: tuple[int, int]
    more_passages: int
    copies: tuple[Copy, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)

    @property
    def passage_id(self) -> str:
        """Names the passage for as long as the article's text stays the same."""
        return f"{self.article.id}:{self.passage.start}-{self.passage.end}"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one search.

    `total` counts matching articles (or passages, where they are not grouped), at least that many
    where `total_is_exact` is false. `sources`, `years` and `months` count the articles ranked so far.
    """

    request: SearchRequest
    interpreted: Interpreted
    generation: str
    total: int
    total_is_exact: bool
    hits: tuple[Hit, ...]
    sources: tuple[tuple[str, int], ...]
    years: tuple[tuple[str, int], ...]
    months: tuple[tuple[str, int], ...]
    took_ms: float

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


@dataclass(frozen=True, slots=True)
class ArticleView:
    """A whole article; with a query, one score a passage and the query's words as spans of the text."""

    article: Article
    passages: tuple[Passage, ...]
    scores: tuple[float, ...] = ()
    highlights: tuple[tuple[int, int], ...] = ()
    copies: tuple[Copy, ...] = ()

    @property
    def best(self) -> Passage | None:
        """The passage that answers the query best."""
        if not self.scores:
            return None
        return self.passages[max(range(len(self.scores)), key=lambda at: self.scores[at])]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the legs need: the query as a vector and as stems with their weights."""

    vector: Matrix | None
    stems: dict[str, float]
    ideal: float
    scope: Scope


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Ranked groups; positions in them point into the arrays of the tier they came from."""

    groups: list[tuple[Group, "_Tier"]]
    exhausted: bool


@dataclass(frozen=True, slots=True)
class _Tier:
    numbers: Numbers
    cosines: Scores
    bm25: Scores
    scores: Scores


class Engine:
    """An open index and its encoder. Safe to share between threads; `refresh` follows changes."""

    def __init__(self, store: Store, encoder: Encoder, root: Path | None = None) -> None:
        self._store = store
        self._encoder = encoder
        self._root = root
        self._seen = _state(root)
        self._refreshing = threading.Lock()

    @classmethod
    def open(cls, root: Path, load: LoadEncoder = load_encoder) -> Self:
        """The live generation at `root` with the model that it was built with.

        Raises IndexMissing, IndexDamaged, IndexOutdated or ModelError.
        """
        store = EmbeddedStore.open(root)
        return cls(store, matching_encoder(store.model, load), root)

    @property
    def store(self) -> Store:
        """The state of the corpus that is searched now."""
        return self._store

    def refresh(self, load: LoadEncoder = load_encoder) -> bool:
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
        interpreted = interpret(request.query)
        store, encoder = self._store, self._encoder  # one state of the corpus for the whole search
        scope = store.scope(replace(request.filters, phrases=interpreted.phrases, excluded=interpreted.excluded))
        plan = _plan(store, encoder, interpreted.text, request, scope)
        ranking = _rank(store, plan, request)
        groups = _sorted(store, ranking.groups, request)
        first = (request.page - 1) * request.size
        page = _under_heads(store, groups[first : first + request.size])
        facts = [store.facts(group.article) for group, _ in groups]
        return SearchResult(
            request=request,
            interpreted=replace(interpreted, notes=interpreted.notes + _notes(plan, scope, request)),
            generation=store.generation,
            total=len(groups),
            total_is_exact=ranking.exhausted,
            hits=tuple(_hits(store, plan, request, page, first)),
            sources=_counted(fact.source for fact in facts),
            years=_counted((fact.day[:4] for fact in facts if fact.day), by_name=True),
            months=_counted((fact.day[:7] for fact in facts if fact.day), by_name=True),
            took_ms=round((time.perf_counter() - began) * 1000, 1),
        )

    def article(self, id: str, query: str = "") -> "ArticleView | None":
        """An article with its passages, and for a query how well each passage answers it; None if unknown."""
        store, encoder = self._store, self._encoder
        found = store.article(id)
        if found is None:
            return None
        number, article = found
        passages, copies = tuple(store.passages_of(number)), tuple(store.copies([number]).get(number, ()))
        if not query.strip():
            return ArticleView(article, passages, copies=copies)
        interpreted = interpret(query)
        request = SearchRequest(query)
        plan = _plan(store, encoder, interpreted.text, request, store.scope(request.filters))
        numbers = np.asarray([passage.number for passage in passages], dtype=np.int64)
        scores = _scored(store, plan, request, numbers).scores
        return ArticleView(
            article,
            passages,
            scores=tuple(scores.tolist()),
            highlights=tuple(highlights(article.text, plan.stems)),
            copies=copies,
        )

    def close(self) -> None:
        """Lets go of the index."""
        self._store.close()


def open_engine(index: str | Path = "dateline-index") -> Engine:
    """An engine over the index in a folder: `open_engine("dateline-index").search("lobster prices")`."""
    return Engine.open(Path(index))


def _plan(store: Store, encoder: Encoder, text: str, request: SearchRequest, scope: Scope) -> _Plan:
    terms = analyse(text)
    # "To be or not to be" is all stop words: then they are what is asked for.
    content = [term.stem for term in terms if not term.stop_word] or [term.stem for term in terms]
    stems = {stem: store.idf(stem) for stem in content}
    vector = encoder.encode_query(text) if request.mode != "lexical" else None
    return _Plan(vector, stems, store.ideal_bm25(list(stems)), scope)


def _rank(store: Store, plan: _Plan, request: SearchRequest) -> _Ranking:
    """All groups down to the page asked for.

    The candidates of one depth are ranked as a whole; where they do not reach the page, a deeper
    tier is ranked and what is new in it follows. So the order never changes from page to page.
    """
    wanted = request.page * request.size + 1
    depth = max(_DEPTH, request.size)
    groups: list[tuple[Group, _Tier]] = []
    seen: set[int] = set()
    while True:
        tier, exhausted = _candidates(store, plan, request, depth)
        articles = store.article_numbers(tier.numbers)
        if request.collapse == "off":
            ranked = ungrouped(tier.scores, articles)
            keys = [int(tier.numbers[group.passages[0]]) for group in ranked]
        else:
            ranked = group_by_article(tier.scores, articles, _article_scores(store, plan, request, articles))
            keys = [group.article for group in ranked]
        if request.collapse == "story":
            stories = dict(zip(keys, store.stories(np.asarray(keys, dtype=np.int64)).tolist(), strict=True))
            ranked = collapsed(ranked, stories)
            keys = [stories[group.article] for group in ranked]
        for group, key in zip(ranked, keys, strict=True):
            if key not in seen:
                seen.add(key)
                groups.append((group, tier))
        if exhausted or len(groups) >= wanted:
            return _Ranking(groups, exhausted)
        depth *= _DEEPER


def _candidates(store: Store, plan: _Plan, request: SearchRequest, depth: int) -> tuple[_Tier, bool]:
    """The best `depth` passages of each leg, both scores for each, and whether that is all there is."""
    legs: list[Numbers] = []
    complete = True
    if plan.vector is not None:
        dense = store.search_dense(plan.vector, depth, plan.scope)
        legs.append(dense.numbers)
        complete = len(dense) >= plan.scope.passages
    if request.mode != "dense":
        lexical = store.search_lexical(list(plan.stems), depth, plan.scope)
        legs.append(lexical.numbers)
        complete = complete and (plan.vector is not None or len(lexical) < depth)
    return _scored(store, plan, request, np.unique(np.concatenate(legs))), complete


def _scored(store: Store, plan: _Plan, request: SearchRequest, numbers: Numbers) -> _Tier:
    """These passages with the scores of both legs and the fused one."""
    nothing = np.zeros(len(numbers), dtype=np.float32)
    cosines = nothing if plan.vector is None else store.cosines(plan.vector, numbers)
    bm25 = nothing if request.mode == "dense" else store.bm25(list(plan.stems), numbers)
    if request.mode == "dense":
        scores = cosines
    elif request.mode == "lexical":
        scores = lexical_share(bm25, plan.ideal)
    elif request.fusion == "rrf":
        scores = reciprocal_rank_fusion(cosines, bm25)
    else:
        scores = share_fusion(cosines, bm25, plan.ideal)
    return _Tier(numbers, cosines, bm25, scores)


def _article_scores(store: Store, plan: _Plan, request: SearchRequest, articles: Numbers) -> dict[int, float]:
    """What each article adds to its best passage: only hybrid search by share looks at whole articles."""
    if plan.vector is None or request.mode != "hybrid" or request.fusion != "share":
        return {}
    numbers = np.unique(articles)
    cosines = store.article_cosines(plan.vector, numbers)
    return dict(zip(numbers.tolist(), (ARTICLE_WEIGHT * cosines).tolist(), strict=True))


def _sorted(store: Store, groups: list[tuple[Group, _Tier]], request: SearchRequest) -> list[tuple[Group, _Tier]]:
    if request.sort == "relevance" or not groups:
        return groups
    gate = _DATE_SORT_GATE * max(group.score for group, _ in groups)
    relevant = [item for item in groups if item[0].score >= gate]
    dated = [item for item in relevant if store.facts(item[0].article).day]
    undated = [item for item in relevant if not store.facts(item[0].article).day]
    dated.sort(key=lambda item: store.facts(item[0].article).day or "", reverse=request.sort == "newest")
    return dated + undated


def _under_heads(store: Store, page: Sequence[tuple[Group, _Tier]]) -> list[tuple[Group, _Tier]]:
    """The head of each story in place of its best copy, unless what was found stands only in the copy."""
    pairs = [(group.article, group.head.article) for group, _ in page if group.head]
    articles = store.articles([number for pair in pairs for number in pair])
    found = store.passages([int(tier.numbers[group.passages[0]]) for group, tier in page if group.head])

    def shown(group: Group, tier: _Tier) -> Group:
        if group.head is None:
            return group
        passage = found[int(tier.numbers[group.passages[0]])]
        text = articles[group.article].text[passage.start : passage.end]
        told = shared_words(text, articles[group.head.article].text)[0] >= _TOLD_SHARE
        return replace(group.head, score=group.score) if told else group

    return [(shown(group, tier), tier) for group, tier in page]


def _hits(
    store: Store, plan: _Plan, request: SearchRequest, page: Sequence[tuple[Group, _Tier]], first: int
) -> Iterator[Hit]:
    numbers = [int(tier.numbers[group.passages[0]]) for group, tier in page]
    shown = [group.article for group, _ in page]
    passages, articles, copies = store.passages(numbers), store.articles(shown), store.copies(shown)
    for rank, ((group, tier), number) in enumerate(zip(page, numbers, strict=True), start=first + 1):
        article, passage = articles[group.article], passages[number]
        text = article.text[passage.start : passage.end]
        yield Hit(
            rank=rank,
            score=round(group.score, 4),
            article=article,
            passage=passage,
            text=text,
            highlights=tuple(highlights(text, plan.stems)),
            best_sentence=best_sentence(text, plan.stems),
            more_passages=len(group.passages) - 1,
            copies=tuple(copies.get(group.article, ())),
            signals=_signals(tier, group.passages[0], plan, request) if request.explain else {},
        )


def _signals(tier: _Tier, position: int, plan: _Plan, request: SearchRequest) -> dict[str, float]:
    """What the score of a passage is made of."""
    bm25 = tier.bm25[position : position + 1]
    signals = {"passage_score": float(tier.scores[position])}
    if request.mode != "lexical":
        signals["dense"] = float(tier.cosines[position])
    if request.mode != "dense":
        signals["bm25"] = float(bm25[0])
        signals["lexical_share"] = float(lexical_share(bm25, plan.ideal)[0])
    return {name: round(value, 4) for name, value in signals.items()}


def _notes(plan: _Plan, scope: Scope, request: SearchRequest) -> tuple[str, ...]:
    notes = [f"Nothing in the index has the name '{name}'." for name in scope.unknown]
    if request.filters and not scope.passages and not scope.unknown:
        notes.append("No article passes all filters.")
    return tuple(notes)


def _counted(values: Iterator[str | None] | Any, *, by_name: bool = False) -> tuple[tuple[str, int], ...]:
    counts = Counter(value for value in values if value is not None)
    return tuple(sorted(counts.items()) if by_name else counts.most_common())


def _state(root: Path | None) -> tuple[str, int] | None:
    """Changes whenever a writer has finished something: cheap enough to look at every second."""
    if root is None:
        return None
    layout = live_generation(root)
    return layout.folder.name, load_manifest(layout).change
