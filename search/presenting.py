"""From ranked groups to hits: the order of those that are not listed by score, and what is shown of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from index.article import Passage
from index.duplicates import shared_words
from index.store import Store
from search.highlight import Marker
from search.hits import Hit
from search.query import Interpreted, SearchRequest, Sort
from search.rank import Group, by_day
from search.rerank import Reranker, reordered
from search.retrieve import Item, Plan, Tier

# A passage stands in another copy too if so many of its words do: editing changes a few, a paragraph of its
# own is more.
_TOLD_SHARE = 0.8


def dated(store: Store, groups: Sequence[Item], sort: Sort) -> list[Item]:
    """`groups` by date, those without one last."""
    articles = np.asarray([group.article for group, _ in groups], dtype=np.int64)
    return [groups[at] for at in by_day(store.days(articles), sort).tolist()]


def reranked(
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


def hits_of(
    store: Store,
    asked: Plan,
    request: SearchRequest,
    interpreted: Interpreted,
    page: Sequence[Item],
    first: int,
    reranked: Mapping[int, float],
) -> Iterator[Hit]:
    """The hits of a run of groups, of which the one before the first has the rank `first`.

    A story is shown by its head where that tells what was found; `reranked` has the scores of a cross-encoder by
    passage.
    """
    page = _under_heads(store, page)
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
