"""What a search answers with."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from index.article import Article, Copy, Passage
from search.query import Interpreted, SearchRequest

Span = tuple[int, int]
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
    """How many of the matching articles have each value; names by count, years and months in order."""

    sources: Counts = ()
    years: Counts = ()
    authors: Counts = ()
    languages: Counts = ()
    months: Counts = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one search.

    `total` counts the articles (or passages, where they are not grouped) that pass the relevance gate, the
    score `gate`; at least that many where `total_is_exact` is false. Weaker hits follow those that
    pass; `has_more` says whether there is another page of either.
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
class ArticleView:
    """A whole article; with a query, one score a passage and the query's words as spans of the text."""

    article: Article
    passages: tuple[Passage, ...]
    scores: tuple[float, ...] = ()
    highlights: tuple[Span, ...] = ()
    copies: tuple[Copy, ...] = ()

    @property
    def best(self) -> Passage | None:
        """The passage that answers the query best."""
        if not self.scores:
            return None
        return self.passages[max(range(len(self.scores)), key=lambda at: self.scores[at])]
