"""What a search answers with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from index.article import Article, Copy, Passage
from search.query import Interpreted, SearchRequest

Span = tuple[int, int]
# Chosen by looking at articles of the seeds: of twenty passages one to four are worth a jump. Most of a score is the
# whole article's, so what passes the gate of a search would be all of them.
_ABOUT_AS_WELL = 0.9
Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One result. Offsets in `highlights` and `best_sentence` are relative to the passage's text.

    With `explain`, `signals` are what was measured and `shares` what each adds to the score.
    """

    rank: int
    score: float
    article: Article
    passage: Passage
    text: str
    highlights: tuple[Span, ...]
    best_sentence: Span
    more_passages: int
    copies: tuple[Copy, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)

    @property
    def passage_id(self) -> str:
        """Names the passage for as long as the article's text stays the same."""
        return f"{self.article.id}:{self.passage.start}-{self.passage.end}"


@dataclass(frozen=True, slots=True)
class Facets:
    """How many of the matching articles have each value; names by count, years, months and ISO days in order."""

    sources: Counts = ()
    years: Counts = ()
    authors: Counts = ()
    languages: Counts = ()
    months: Counts = ()
    days: Counts = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one search.

    `total` counts the articles (or passages, where they are not grouped) that pass the relevance gate, the
    score `gate`; at least that many where `total_is_exact` is false. Weaker hits follow those that
    pass; `has_more` says whether there is another page of either. `stages` are the seconds that each part took:
    reading the query, ranking, making hits.
    """

    request: SearchRequest
    interpreted: Interpreted
    generation: str
    total: int
    total_is_exact: bool
    gate: float
    hits: tuple[Hit, ...]
    has_more: bool
    facets: Facets
    took_ms: float
    stages: dict[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


@dataclass(frozen=True, slots=True)
class Similar:
    """An article near another one, and the cosine between them."""

    article: Article
    score: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What somebody may be about to type: a title or a name, and the query that asks for it."""

    text: str
    kind: Literal["source", "author", "title"]
    query: str


@dataclass(frozen=True, slots=True)
class ArticleView:
    """A whole article; with a query, one score a passage and the query's words as spans of the text.

    `best_sentence` is the one that answers best, also a span of the text.
    """

    article: Article
    passages: tuple[Passage, ...]
    scores: tuple[float, ...] = ()
    highlights: tuple[Span, ...] = ()
    best_sentence: Span | None = None
    copies: tuple[Copy, ...] = ()

    @property
    def matching(self) -> tuple[Passage, ...]:
        """The passages that answer the query about as well as the best, in reading order."""
        lowest = _ABOUT_AS_WELL * max(self.scores, default=0)
        pairs = zip(self.passages, self.scores, strict=False)
        return tuple(passage for passage, score in pairs if score >= lowest)

    @property
    def best(self) -> Passage | None:
        """The passage that answers the query best."""
        if not self.scores:
            return None
        return self.passages[max(range(len(self.scores)), key=lambda at: self.scores[at])]
