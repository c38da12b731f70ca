"""The shapes of the API: what comes in is validated by these models, and OpenAPI is made of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from index.filters import Filters
from search.query import MAX_SIZE, Collapse, Fusion, Mode, SearchRequest, Sort


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Names = Annotated[list[str], BeforeValidator(_listed)]
Day = Annotated[
    str | None, BeforeValidator(_absent_if_blank), Field(examples=["2025-08-20"], json_schema_extra={"format": "date"})
]


class SearchParameters(BaseModel):
    """The parameters of a search, in the query string or as JSON."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    q: str = Field(
        description='What to search for; "exact phrase" and -word work.', examples=["Canada peacekeeping logistics"]
    )
    size: int = Field(10, ge=1, le=MAX_SIZE, description="Results a page.")
    page: int = Field(1, ge=1)
    first_day: Day = Field(None, alias="from", description="Published on this day or later.")
    last_day: Day = Field(None, alias="to", description="Published on this day or earlier.")
    source: Names = Field([], description="Only from these publishers.")
    exclude_source: Names = Field([], description="Not from these publishers.")
    author: Names = Field([], description="Only by these authors.")
    language: Names = Field([], description="Only in these languages (BCP 47); en finds en-CA.")
    sort: Sort = "relevance"
    collapse: Collapse = Field("article", description="One result an article or a story, or every passage.")
    mode: Mode = Field("hybrid", description="Which legs search.")
    fusion: Fusion = Field("share", description="How hybrid search joins its legs.")
    explain: bool = Field(False, description="Say what each score is made of.")

    def request(self) -> SearchRequest:
        """The search that is asked for."""
        named = (self.source, self.exclude_source, self.author, self.language)
        sources, excluded, authors, languages = (tuple(name for name in names if name.strip()) for names in named)
        return SearchRequest(
            query=self.q,
            size=self.size,
            page=self.page,
            filters=Filters(self.first_day, self.last_day, sources, excluded, authors, languages),
            sort=self.sort,
            collapse=self.collapse,
            mode=self.mode,
            fusion=self.fusion,
            explain=self.explain,
        )


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


Offsets = Annotated[list[int], Field(min_length=2, max_length=2)]


class Interpreted(_Shape):
    """How the query was read; `notes` says what was done about anything odd."""

    text: str
    phrases: list[str]
    excluded: list[str]
    first_day: str | None = Field(alias="from")
    last_day: str | None = Field(alias="to")
    sources: list[str]
    notes: list[str]


class ArticleSummary(_Shape):
    """An article as results name it."""

    id: str
    title: str
    url: str | None
    source: str | None
    published: str | None = Field(description="ISO 8601 date or datetime.")
    authors: list[str]
    language: str | None


class ResultPassage(_Shape):
    """The best passage. `start` and `end` are offsets in the article's text, the others in `text`."""

    id: str
    text: str
    start: int
    end: int
    highlights: list[Offsets]
    best_sentence: Offsets


class Duplicate(_Shape):
    """Another copy of the same story."""

    id: str
    title: str
    source: str | None
    url: str | None
    published: str | None


class Result(_Shape):
    """One result."""

    rank: int
    score: float
    article: ArticleSummary
    passage: ResultPassage
    more_passages: int = Field(description="Further passages of the article among the candidates.")
    duplicates: list[Duplicate]
    signals: dict[str, float] | None = Field(None, description="Only with explain.")


class FacetValue(_Shape):
    """A value and how many of the matching articles have it."""

    value: str
    count: int


class Facets(_Shape):
    """Counts over the matching articles."""

    source: list[FacetValue]
    year: list[FacetValue]


class TimelinePoint(_Shape):
    """Matching articles of one month."""

    date: str
    count: int


class SearchResponse(_Shape):
    """The answer to a search."""

    query: str
    interpreted: Interpreted
    took_ms: float
    generation: str
    page: int
    size: int
    total: int
    total_relation: Literal["eq", "gte"] = Field(description="Whether total is exact or a lower bound.")
    results: list[Result]
    facets: Facets
    timeline: list[TimelinePoint]


class ArticlePassage(_Shape):
    """A passage of an article, as offsets in its text."""

    id: str
    start: int
    end: int


class ArticleResponse(ArticleSummary):
    """A whole article."""

    updated: str | None
    section: str | None
    summary: str | None
    text: str
    extra: dict[str, Any]
    passages: list[ArticlePassage]
    duplicates: list[Duplicate]


class StatsResponse(_Shape):
    """What is in the index."""

    generation: str
    created: str
    articles: int
    passages: int
    stories: int = Field(description="Articles, copies of one story counted once.")
    set_aside: int
    first_day: str | None
    last_day: str | None
    sources: dict[str, int]
    languages: dict[str, int]
    model: str
    dimension: int
    passage_words: int
    bytes: int


class Status(_Shape):
    """That the server is well."""

    status: Literal["ok"]


class ErrorDetail(_Shape):
    """What went wrong, and in which parameter if in one."""

    code: str
    message: str
    field: str | None = None


class ErrorResponse(_Shape):
    """Every error."""

    error: ErrorDetail
