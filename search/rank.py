"""How passages are ranked: pure functions over arrays.

The dense leg gives every passage a cosine, the lexical leg a BM25 score. Cosines of one model mean
the same for every query; BM25 scores do not, and fusions that scale them by the best hit give it
full marks however weak it is, which throws away what dense search found for queries in other words
than the article's. So words speak through the share of the query's information that they matched,
raised to a power: they are heard as far as they are sure.

    score = cosine + SHARE_WEIGHT · share² + PAIR_WEIGHT · pairs · article share + LEAD_WEIGHT / place
          + ARTICLE_COSINE_WEIGHT · article cosine + ARTICLE_SHARE_WEIGHT · article share³
          + COVERAGE_WEIGHT · length of the query · article coverage⁶
          + FEEDBACK_WEIGHT · cosine with what stands first + RECENCY_WEIGHT · recency

An article is as good as its best passage. Every constant is a weight that `python
benchmarks/ranking.py INDEX FOLDER … --tune` chose by coordinate ascent, rounded; docs/experiments.md
has what each part gains and what was tried and left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from index.encoder import Matrix

Scores = NDArray[np.float32]
Numbers = NDArray[np.int64]

SHARE_WEIGHT = 0.25
SHARE_POWER = 2
"""The passage's own words. Little, because the article's tell more of what it is about; enough that of its
passages the one with a rare name stands first."""
PAIR_WEIGHT = 3.0
"""Words that stand side by side in the passage as they do in the query, where the article has the rest too."""
LEAD_WEIGHT = 0.1
"""News tells the most important first: the opening gets all of it, the second passage half, the third a third."""
ARTICLE_COSINE_WEIGHT = 0.4
"""The mean of the article's passages: what it is about as a whole."""
ARTICLE_SHARE_WEIGHT = 1.0
ARTICLE_SHARE_POWER = 3
"""The query's words wherever they stand in the article."""
COVERAGE_WEIGHT = 0.3
COVERAGE_POWER = 6
FEWEST_WORDS, MANY_WORDS = 4, 10
"""An article that holds every word of a long question is likely the one; of three words it means little. So
this counts nothing up to FEWEST_WORDS, and in full from MANY_WORDS on."""
FEEDBACK_WEIGHT = 0.2
FEEDBACK_PASSAGES = 5
"""Dense pseudo-relevance feedback (Rocchio): nearness to the mean of the passages that stand first without it."""
RECENCY_WEIGHT = 0.2
HALF_LIFE_DAYS = 30.0
"""Age at which an article counts as half as fresh. From 7 to 90 days the figures hardly differ."""
_MOST_DAYS_AHEAD = 1
"""An article may be dated a day after "now": there are time zones. What lies later is not news yet."""
GATE_SHARE = 0.6
GATE_FLOOR, GATE_CEILING = 0.45, 0.8
"""What counts as matching: GATE_SHARE of the best score, but never less than GATE_FLOOR, below which lie
hits of queries that nothing answers, nor more than GATE_CEILING, at which an article answers by itself.
On the development set .96, .97 and .95 of the relevant articles of questions, paraphrases and topics pass, of
30, 45 and 22 that do (medians)."""
RRF_K = 60
"""The constant of Cormack, Clarke and Büttcher, SIGIR 2009."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a search knows of its candidates: one value a passage, all arrays of the same length.

    `shares` and `article_shares` are BM25 over the BM25 of a full match, `pairs` the share of the query's
    information that stands in the right neighbourhood, `places` the passage's place in its article from 0,
    `article_coverage` the share of it that the article has somewhere, `words` how many were asked for,
    `feedback` cosines with the centre of what stands first, `ages` days since publication, NaN for
    unknown. None is what was not asked for.
    """

    cosines: Scores
    bm25: Scores
    shares: Scores
    places: Numbers
    pairs: Scores | None = None
    article_cosines: Scores | None = None
    article_shares: Scores | None = None
    article_coverage: Scores | None = None
    words: int = 0
    feedback: Scores | None = None
    ages: Scores | None = None


def weighed(evidence: Evidence) -> dict[str, Scores]:
    """What each signal adds to the score of each passage; the score is their sum."""
    weights = {
        "dense": evidence.cosines,
        "words": SHARE_WEIGHT * evidence.shares**SHARE_POWER,
        "lead": LEAD_WEIGHT / (1 + evidence.places),
    }
    if evidence.article_cosines is not None:
        weights["article_dense"] = ARTICLE_COSINE_WEIGHT * evidence.article_cosines
    if evidence.article_shares is not None:
        weights["article_words"] = ARTICLE_SHARE_WEIGHT * evidence.article_shares**ARTICLE_SHARE_POWER
        if evidence.pairs is not None:
            weights["pairs"] = PAIR_WEIGHT * evidence.pairs * evidence.article_shares
    if evidence.article_coverage is not None:
        long = min(max((evidence.words - FEWEST_WORDS) / (MANY_WORDS - FEWEST_WORDS), 0), 1)
        weights["coverage"] = COVERAGE_WEIGHT * long * evidence.article_coverage**COVERAGE_POWER
    if evidence.feedback is not None:
        weights["feedback"] = FEEDBACK_WEIGHT * evidence.feedback
    if evidence.ages is not None:
        weights["recency"] = RECENCY_WEIGHT * recency(evidence.ages)
    return weights


def total(weights: Mapping[str, Scores]) -> Scores:
    """The score of each passage."""
    return np.asarray(np.sum(list(weights.values()), axis=0), dtype=np.float32)


def recency(ages: Scores) -> Scores:
    """1 for an article of today, half of that after HALF_LIFE_DAYS; 0 for unknown days and days to come."""
    fresh = 0.5 ** (np.maximum(ages, 0) / HALF_LIFE_DAYS)
    return np.where(ages >= -_MOST_DAYS_AHEAD, fresh, 0).astype(np.float32)


def by_day(days: Scores, sort: str) -> Numbers:
    """Positions in `days`, newest or oldest first; of one day in their order, unknown days (NaN) last."""
    return np.argsort(days if sort == "oldest" else -days, kind="stable")


def share(bm25: Scores, ideal: float) -> Scores:
    """The share of the query's information that was matched, from 0 to 1; `ideal` is the BM25 of a full match."""
    return np.minimum(bm25 / ideal, 1.0) if ideal > 0 else np.zeros_like(bm25)


def centre_of_the_first(scores: Scores, embeddings: Matrix) -> Matrix:
    """The mean direction of the FEEDBACK_PASSAGES passages with the best scores; `embeddings` has a row for each."""
    best = np.argsort(-scores, kind="stable")[:FEEDBACK_PASSAGES]
    mean: Matrix = embeddings[best].mean(axis=0)
    norm = float(np.linalg.norm(mean))
    return mean / norm if norm else mean


def gate(scores: Sequence[float], *, comparable: bool) -> float:
    """The lowest score that counts as a match; `comparable` scores mean the same for every query."""
    if not scores:
        return 0.0
    share = GATE_SHARE * max(scores)
    return max(GATE_FLOOR, min(share, GATE_CEILING)) if comparable else share


def reciprocal_rank_fusion(cosines: Scores, bm25: Scores) -> Scores:
    """Σ 1 / (k + rank) over both legs; a passage without any of the words has no lexical rank."""
    lexical = np.where(bm25 > 0, 1 / (RRF_K + _ranks(bm25)), 0)
    return (1 / (RRF_K + _ranks(cosines)) + lexical).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Group:
    """An article among the candidates: its score, and its passages as positions, best first.

    `head` is the group of the article that heads its story, where copies were collapsed.
    """

    article: int
    score: float
    passages: tuple[int, ...] = field(default=())
    head: "Group | None" = None


def group_by_article(scores: Scores, articles: Numbers) -> list[Group]:
    """Articles by the score of their best passage, best first.

    `scores` and `articles` have one entry for each candidate passage. Ties go to the earlier article.
    """
    members: dict[int, list[int]] = {}
    order = np.lexsort((articles, -scores))  # stable, so that of an article's equals the first comes first
    for position, article in zip(order.tolist(), articles[order].tolist(), strict=True):
        members.setdefault(article, []).append(position)
    best = scores.tolist()
    return [Group(article, best[positions[0]], tuple(positions)) for article, positions in members.items()]


def collapsed(groups: Sequence[Group], stories: Mapping[int, int]) -> list[Group]:
    """The best copy of each story, in the order of `groups` (best first).

    `stories` gives the article at the head of each article's story. Where that is another article than
    the best copy and among the candidates, the group carries the head's.
    """
    best: dict[int, Group] = {}
    for group in groups:
        story = stories[group.article]
        first = best.setdefault(story, group)
        if group.article == story and first is not group:
            best[story] = replace(first, head=group)
    return list(best.values())


def ungrouped(scores: Scores, articles: Numbers) -> list[Group]:
    """Every candidate passage by itself, best first."""
    order = np.lexsort((np.arange(len(scores)), -scores)).tolist()
    return [Group(int(articles[position]), float(scores[position]), (position,)) for position in order]


def _ranks(scores: Scores) -> NDArray[np.int64]:
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks
