"""From a query to ranked groups of passages: both legs, the evidence on what they found, the order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from index.bm25 import K1, Matches
from index.encoder import Encoder, Matrix, begun_query
from index.scope import Scope
from index.store import Store
from index.terms import analyse, day_ordinal
from search import rank
from search.query import MAX_RESULTS, Interpreted, SearchRequest
from search.rank import Evidence, Group, Numbers, Scores
from search.wording import Wording, worded

# Passages that each leg contributes before fusion; deeper pages ask for _DEEPER times as many again.
# 150 a leg lose nothing measurable in nDCG@10 against 200 or 1,000: the mean over questions, paraphrases and topics is
# .704 with each (dateline evaluate).
_DEPTH = 150
_DEEPER = 4
# More than a page ever looks at, and few enough that their embeddings take some megabytes.
_SCORED_AT_ONCE = 4_096


class Matched:
    """What the query's words are to passages, or to articles: `look` is asked once for each."""

    def __init__(self, look: Callable[[Numbers], Matches]) -> None:
        self._look = look
        self._numbers = np.empty(0, dtype=np.int64)
        nothing = np.empty(0, dtype=np.float32)
        self._known = Matches(nothing, nothing, nothing)

    def __call__(self, numbers: Numbers) -> Matches:
        """One value for each of these numbers, in their order."""
        new = np.setdiff1d(numbers, self._numbers)
        if len(new):
            found, known = self._look(new), self._known
            self._numbers = np.concatenate([self._numbers, new])
            order = np.argsort(self._numbers)
            self._numbers = self._numbers[order]
            self._known = Matches(
                np.concatenate([known.bm25, found.bm25])[order],
                np.concatenate([known.coverage, found.coverage])[order],
                np.concatenate([known.pairs, found.pairs])[order],
            )
        at = np.searchsorted(self._numbers, numbers)
        return Matches(self._known.bm25[at], self._known.coverage[at], self._known.pairs[at])


@dataclass(frozen=True, slots=True)
class Plan:
    """What the legs need: the query as a vector and in words, and where they may look.

    `embedding` waits for the vector, which is computed meanwhile; None where only words count. `matched` and
    `articles_matched` are what the words are to passages and to whole articles. `today` is the
    day from which age counts, as a proleptic ordinal; None where freshness does not count.
    """

    embedding: Callable[[], Matrix] | None
    wording: Wording
    matched: Matched
    articles_matched: Matched
    information: float
    ideal: float
    article_ideal: float
    scope: Scope
    today: int | None


@dataclass(frozen=True, slots=True)
class Tier:
    """Candidates of one depth: their numbers and articles, what is known of them, what that weighs, the scores.

    `embeddings` has one row for each, none where only words count.
    """

    numbers: Numbers
    articles: Numbers
    embeddings: Matrix
    evidence: Evidence
    weights: dict[str, Scores]
    scores: Scores

    def signals(self, position: int) -> dict[str, float]:
        """What was measured of the passage at a position."""
        evidence = self.evidence
        measured = {
            "dense": evidence.cosines,
            "bm25": evidence.bm25,
            "lexical_share": evidence.shares,
            "pairs": evidence.pairs,
            "place": evidence.places,
            "article_dense": evidence.article_cosines,
            "article_share": evidence.article_shares,
            "article_coverage": evidence.article_coverage,
            "feedback": evidence.feedback,
            "recency": None if evidence.ages is None else rank.recency(evidence.ages),
        }
        return {name: round(float(values[position]), 4) for name, values in measured.items() if values is not None}

    def shares(self, position: int) -> dict[str, float]:
        """What each signal adds to the score of the passage at a position: together the score."""
        return {name: round(float(values[position]), 4) for name, values in self.weights.items()}


Item = tuple[Group, Tier]
"""A group of passages; positions in it point into the arrays of the tier it came with."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranked groups, and whether those are all there are."""

    groups: list[Item]
    exhausted: bool


def plan(store: Store, encoder: Encoder, request: SearchRequest, interpreted: Interpreted, scope: Scope) -> Plan:
    """The query, put in the words of the corpus and being embedded."""
    vocabulary = store.vocabulary
    # Begun with what was typed, because it is hardly ever corrected and embedding takes longest.
    embeds = interpreted.text and request.mode != "lexical"
    embedding = cache(begun_query(encoder, interpreted.text)) if embeds else None
    wording = worded(
        interpreted.text,
        vocabulary,
        correct=request.spelling,
        phrases=interpreted.phrases,
        is_word=encoder.knows,
    )
    if embedding and wording.text != interpreted.text:
        embedding = cache(begun_query(encoder, wording.text))
    terms = analyse(wording.text) if weighs_all(request) else []
    pairs = sorted({(a.stem, b.stem) for a, b in pairwise(terms) if not a.stop_word and not b.stop_word})
    return Plan(
        embedding=embedding,
        wording=wording,
        matched=Matched(lambda numbers: store.matches(wording.words, pairs, numbers)),
        articles_matched=Matched(lambda articles: store.article_matches(wording.words, articles)),
        information=sum(map(vocabulary.idf, {term.stem for term in terms if not term.stop_word})),
        ideal=store.ideal_bm25(wording.words) if request.mode != "dense" else 0.0,
        article_ideal=store.ideal_article_bm25(wording.words) if weighs_all(request) else 0.0,
        scope=scope,
        today=_today(request, interpreted),
    )


def _today(request: SearchRequest, interpreted: Interpreted) -> int | None:
    """Freshness is for those who name no time: a period says itself which time is meant."""
    if interpreted.filters.first_day or interpreted.filters.last_day:
        return None
    return day_ordinal(request.as_of) or date.today().toordinal()


def ranking(store: Store, plan: Plan, request: SearchRequest) -> Ranking:
    """All groups down to the page asked for."""
    wanted = request.first + request.size + 1
    groups: list[Item] = []
    exhausted = True
    for fresh, is_last in tiers(store, plan, request):
        groups += fresh
        exhausted = is_last
        if len(groups) >= wanted:
            break
    return Ranking(groups, exhausted)


def tiers(store: Store, plan: Plan, request: SearchRequest) -> Iterator[tuple[list[Item], bool]]:
    """The groups of one depth after the other, each with whether there are no more.

    The candidates of one depth are ranked as a whole, what is new in a deeper one follows. So the order never
    changes from page to page.
    """
    depth = max(_DEPTH, request.size)
    seen: set[int] = set()
    known = np.empty(0, dtype=np.int64)
    centre: Matrix | None = None
    while True:
        candidates, exhausted = _candidates(store, plan, request, depth)
        # What a candidate is worth depends on no other, unless ranks are what counts.
        new = candidates if request.fusion == "rrf" else np.setdiff1d(candidates, known, assume_unique=True)
        tier, centre = _tier(store, plan, request, new, centre)
        fresh = [(group, key) for group, key in _grouped(store, tier, request) if key not in seen]
        yield [(group, tier) for group, _ in fresh], exhausted
        if exhausted or not len(new):  # or a store reaches no deeper
            return
        seen.update(key for _, key in fresh)
        known = np.union1d(known, candidates)
        depth *= _DEEPER


def _tier(
    store: Store, plan: Plan, request: SearchRequest, numbers: Numbers, centre: Matrix | None
) -> tuple[Tier, Matrix | None]:
    """These passages, scored, and the centre of what stands first: what it was on the first page, however deep.

    Embeddings fill memory, so very many are looked at part by part, and none is kept.
    """
    parts: list[Tier] = []
    count = 1 if request.fusion == "rrf" else max(1, -(-len(numbers) // _SCORED_AT_ONCE))
    for part in np.array_split(numbers, count):
        tier = scored(store, plan, request, part)
        if weighs_all(request) and len(part):
            centre = rank.centre_of_the_first(tier.scores, tier.embeddings) if centre is None else centre
            tier = _fed_back(tier, tier.embeddings @ centre)
        parts.append(replace(tier, embeddings=tier.embeddings[:0].copy()))
    return parts[0] if count == 1 else _joined(parts), centre


def _joined(parts: Sequence[Tier]) -> Tier:
    def together(values: Sequence[Any]) -> Any:
        return np.concatenate(values) if isinstance(values[0], np.ndarray) else values[0]

    evidence = {one.name: together([getattr(part.evidence, one.name) for part in parts]) for one in fields(Evidence)}
    return Tier(
        together([part.numbers for part in parts]),
        together([part.articles for part in parts]),
        parts[0].embeddings,
        Evidence(**evidence),
        {name: together([part.weights[name] for part in parts]) for name in parts[0].weights},
        together([part.scores for part in parts]),
    )


def listed(store: Store, scope: Scope, request: SearchRequest) -> Ranking:
    """The articles in scope, newest first: what a query that only says where to look asks for."""
    numbers = newest(store, scope, request, MAX_RESULTS)
    return Ranking(unranked(store, numbers[:MAX_RESULTS]), exhausted=len(numbers) < MAX_RESULTS)


def newest(store: Store, scope: Scope, request: SearchRequest, size: int | None = None) -> Numbers:
    """A passage of each article in scope, or of each story where copies collapse, newest first; of very many `size`."""
    numbers = store.newest(scope, size)
    if request.collapse != "story":
        return numbers
    articles = store.article_numbers(numbers)
    stories = store.stories(articles)
    heads_first = np.argsort(articles != stories, kind="stable")
    _, firsts = np.unique(stories[heads_first], return_index=True)
    return numbers[np.sort(heads_first[firsts])]


def unranked(store: Store, numbers: Numbers) -> list[Item]:
    """A group of each of these passages, of which none is a better answer than another."""
    nothing = np.zeros(len(numbers), dtype=np.float32)
    articles = store.article_numbers(numbers)
    tier = Tier(
        numbers,
        articles,
        store.vectors(numbers[:0]),
        Evidence(nothing, nothing, nothing, store.places(numbers)),
        {},
        nothing,
    )
    return [(Group(article, 0.0, (position,)), tier) for position, article in enumerate(articles.tolist())]


def _grouped(store: Store, tier: Tier, request: SearchRequest) -> list[tuple[Group, int]]:
    """The groups of a tier, best first, each with what it must not be shown twice by."""
    if request.collapse == "off":
        ranked = rank.ungrouped(tier.scores, tier.articles)
        return [(group, int(tier.numbers[group.passages[0]])) for group in ranked]
    ranked = rank.group_by_article(tier.scores, tier.articles)
    if request.collapse == "article":
        return [(group, group.article) for group in ranked]
    articles = [group.article for group in ranked]
    stories = dict(zip(articles, store.stories(np.asarray(articles, dtype=np.int64)).tolist(), strict=True))
    return [(group, stories[group.article]) for group in rank.collapsed(ranked, stories)]


def _candidates(store: Store, plan: Plan, request: SearchRequest, depth: int) -> tuple[Numbers, bool]:
    """The best `depth` passages of each leg, and whether that is all there is."""
    legs: list[Numbers] = []
    complete = True
    if request.mode != "dense":  # first, because the query is being embedded meanwhile
        lexical = store.search_lexical(plan.wording.words, depth, plan.scope)
        legs.append(lexical.numbers)
        # Needed in any case; done here, it costs nothing as long as the query is being embedded.
        plan.matched(lexical.numbers)
        if weighs_all(request):
            plan.articles_matched(store.article_numbers(lexical.numbers))
        complete = bool(plan.embedding) or len(lexical) < depth
    if plan.embedding:
        dense = store.search_dense(plan.embedding(), depth, plan.scope)
        legs.append(dense.numbers)
        complete = complete and len(dense) >= plan.scope.passages
    return np.unique(np.concatenate(legs)), complete


def scored(store: Store, plan: Plan, request: SearchRequest, numbers: Numbers) -> Tier:
    """These passages with all that is known of each by itself."""
    articles = store.article_numbers(numbers)
    embeddings = store.vectors(numbers if plan.embedding else numbers[:0])
    evidence = _evidence(store, plan, request, numbers, articles, embeddings)
    if request.mode == "dense":
        weights = {"dense": evidence.cosines}
    elif request.mode == "lexical":
        weights = {"words": evidence.shares}
    elif request.fusion == "rrf":
        weights = {"ranks": rank.reciprocal_rank_fusion(evidence.cosines, evidence.bm25)}
    else:
        weights = rank.weighed(evidence)
    return Tier(numbers, articles, embeddings, evidence, weights, rank.total(weights))


def weighs_all(request: SearchRequest) -> bool:
    """Whether all evidence counts: the single legs and rank fusion are there to compare with."""
    return request.mode == "hybrid" and request.fusion == "share"


def _fed_back(tier: Tier, cosines: Scores) -> Tier:
    """`tier` with nearness to what stands first."""
    evidence = replace(tier.evidence, feedback=cosines)
    weights = rank.weighed(evidence)
    return replace(tier, evidence=evidence, weights=weights, scores=rank.total(weights))


def _evidence(
    store: Store, plan: Plan, request: SearchRequest, numbers: Numbers, articles: Numbers, embeddings: Matrix
) -> Evidence:
    nothing = np.zeros(len(numbers), dtype=np.float32)
    cosines = embeddings @ plan.embedding() if plan.embedding else nothing
    if request.mode == "dense":
        return Evidence(cosines, nothing, nothing, store.places(numbers))
    matches = plan.matched(numbers)
    evidence = Evidence(cosines, matches.bm25, rank.share(matches.bm25, plan.ideal), store.places(numbers))
    if not weighs_all(request) or not plan.embedding:
        return evidence
    distinct, of = np.unique(articles, return_inverse=True)
    wholes = plan.articles_matched(distinct)
    return replace(
        evidence,
        pairs=matches.pairs / (2 * plan.information) if plan.information else nothing,
        article_cosines=store.article_cosines(plan.embedding(), distinct)[of],
        article_shares=rank.share(wholes.bm25, plan.article_ideal)[of],
        # Coverage goes by worth, of which the ideal has (k1 + 1) times as much.
        article_coverage=rank.share(wholes.coverage * (K1 + 1), plan.article_ideal)[of],
        words=len(plan.wording.words),
        ages=None if plan.today is None else (plan.today - store.days(distinct))[of],
        feedback=nothing,
    )
