"""How passages are ranked: pure functions over arrays.

The dense leg gives every passage a cosine, the lexical leg a BM25 score. Cosines of one model mean
the same for every query; BM25 scores do not, and fusions that scale them by the best hit give it
full marks however weak it is, which throws away what dense search found for queries in other words
than the article's. So the lexical leg speaks through the share of the query's information that a
passage matched, and squared: a match of half the query counts a quarter, a full match a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Numbers = NDArray[np.int64]

SHARE_WEIGHT = 1.0
SHARE_POWER = 2
"""nDCG@10 on questions, paraphrases and topics of the development set, best passage alone: .709, .478,
.677, against .637, .490, .683 for dense search alone, .696, .062, .334 for BM25 alone and .700, .254,
.556 for reciprocal rank fusion. Printed by benchmarks/fusion.py, like all figures here."""
ARTICLE_WEIGHT = 0.3
"""What the cosine of the article as a whole adds: .717, .531, .722 instead of the .709, .478, .677 of
the best passage alone. Around these three constants the mean is flat: .646 to .657 for weights from
.75 to 1.5, powers from 1.5 to 2.5 and article weights from .2 to .5, against .656."""
RRF_K = 60
"""The constant of Cormack, Clarke and Büttcher, SIGIR 2009."""


def share_fusion(cosines: Scores, bm25: Scores, ideal: float) -> Scores:
    """Cosine + (BM25 / ideal)², where `ideal` is the BM25 of a passage that matched everything fully."""
    return cosines + SHARE_WEIGHT * lexical_share(bm25, ideal) ** SHARE_POWER


def lexical_share(bm25: Scores, ideal: float) -> Scores:
    """The share of the query's information that each passage matched, from 0 to 1."""
    return np.minimum(bm25 / ideal, 1.0) if ideal > 0 else np.zeros_like(bm25)


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
    passages: tuple[int, ...]
    head: "Group | None" = None


def group_by_article(scores: Scores, articles: Numbers, article_scores: Mapping[int, float]) -> list[Group]:
    """Articles by the score of their best passage plus what the article adds as a whole, best first.

    `scores` and `articles` have one entry for each candidate passage. Ties go to the earlier article.
    """
    members: dict[int, list[int]] = {}
    for position in np.lexsort((np.arange(len(scores)), -scores)).tolist():
        members.setdefault(int(articles[position]), []).append(position)
    groups = [
        Group(article, float(scores[positions[0]]) + article_scores.get(article, 0.0), tuple(positions))
        for article, positions in members.items()
    ]
    return sorted(groups, key=lambda group: (-group.score, group.article))


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
