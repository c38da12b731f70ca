"""The shapes of the API: what comes in and what goes out is validated by these models, and OpenAPI is made of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from index.filters import Filters
from search.query import MAX_SIZE, Collapse, Fusion, Mode, SearchRequest, Sort
from search.results import Interval
from web.portions import MIN_CHARACTERS


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Names = Annotated[list[str], BeforeValidator(_listed)]
Date = Annotated[str, Field(examples=["2025-08-20"], json_schema_extra={"format": "date"})]
Day = Annotated[Date | None, BeforeValidator(_absent_if_blank)]
Characters = Annotated[Annotated[int, Field(ge=MIN_CHARACTERS)] | None, BeforeValidator(_absent_if_blank)]
# More names than this in a list under a search box are not read.
_MOST_SUGGESTED = 20


class SearchParameters(BaseModel):
    """The parameters of a search, in the query string or as JSON."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    q: str = Field(
        description='What to search for, as typed: "exact phrase", -word, source:, author:, before:, after:, intitle:'
        ' and words for days such as "last week" are understood.',
        examples=["Canada peacekeeping logistics"],
    )
    size: int = Field(10, ge=1, le=MAX_SIZE, description="Results a page.")
    page: int = Field(1, ge=1, description="Counts from 1. A cursor takes its place.")
    cursor: Annotated[str | None, BeforeValidator(_absent_if_blank)] = Field(
        None, description="Go on after an answer to the same search: what it gave as next_cursor."
    )
    max_chars: Characters = Field(
        None,
        description="The most characters that the texts of all passages may have together; results that do not fit"
        " follow after next_cursor.",
    )
    first_day: Day = Field(None, alias="from", description="Published on this day or later.")
    last_day: Day = Field(None, alias="to", description="Published on this day or earlier.")
    source: Names = Field([], description="Only from these publishers.")
    exclude_source: Names = Field([], description="Not from these publishers.")
    author: Names = Field([], description="Only by these authors.")
    language: Names = Field([], description="Only in these languages (BCP 47); en finds en-CA.")
    sort: Sort = Field("relevance", description="By date, only articles that match are listed.")
    collapse: Collapse = Field("article", description="One result an article or a story, or every passage.")
    mode: Mode = Field("hybrid", description="Which legs search.")
    fusion: Fusion = Field("share", description="How hybrid search joins its legs.")
    interval: Interval = Field("month", description="What the timeline counts by.")
    explain: bool = Field(False, description="Say what each score is made of.")
    as_of: Day = Field(None, description='The "now" of fresh news and of words such as "last week"; today if absent.')
    date_words: bool = Field(True, description='Read words such as "last week" as a period.')
    spelling: bool = Field(True, description="Correct words that the corpus does not know.")

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
            as_of=self.as_of,
            date_words=self.date_words,
            spelling=self.spelling,
        )


KNOWN = frozenset(field.alias or name for name, field in SearchParameters.model_fields.items())
"""The public names of the parameters of a search."""
LISTED = frozenset(
    field.alias or name for name, field in SearchParameters.model_fields.items() if isinstance(field.default, list)
)
"""Those that may be repeated."""


class SimilarParameters(BaseModel):
    """The parameters of a look at what is near an article."""

    model_config = ConfigDict(extra="ignore")

    size: int = Field(10, ge=1, le=MAX_SIZE, description="Articles to list.")


class ArticleParameters(BaseModel):
    """What of an article is wanted."""

    model_config = ConfigDict(extra="ignore")

    q: str = Field("", description="Say how well each passage answers this, and where its words stand.")
    offset: int = Field(0, ge=0, description="Where in the text to begin.")
    max_chars: Characters = Field(
        None, description="The most characters of the text; the rest follows from next_offset on."
    )


class SuggestParameters(BaseModel):
    """What has been typed so far."""

    model_config = ConfigDict(extra="ignore")

    q: str = Field(description="The beginning of a name or title.", examples=["harb"])
    size: int = Field(8, ge=1, le=_MOST_SUGGESTED, description="Suggestions to list.")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Offsets = Annotated[list[int], Field(min_length=2, max_length=2)]


class Correction(_Shape):
    """A word that was corrected."""

    typed: str
    meant: str


class Interpreted(_Shape):
    """How the query was read; `notes` says what was done about anything odd."""

    text: str = Field(description="What was searched for, spelling corrected.")
    phrases: list[str]
    excluded: list[str]
    title: list[str] = Field(description="What must stand in the title.")
    first_day: str | None = Field(alias="from")
    last_day: str | None = Field(alias="to")
    date_words: str | None = Field(description="The words that from and to were read from; undone by date_words=false.")
    sources: list[str]
    excluded_sources: list[str]
    authors: list[str]
    corrections: list[Correction] = Field(description="Undone by spelling=false.")
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
    signals: dict[str, float] | None = Field(None, description="What was measured; only with explain.")
    shares: dict[str, float] | None = Field(None, description="What each signal adds to the score; only with explain.")


class FacetValue(_Shape):
    """A value and how many of the matching articles have it."""

    value: str
    count: int


class Facets(_Shape):
    """Counts over the matching articles."""

    source: list[FacetValue]
    year: list[FacetValue]
    author: list[FacetValue]
    language: list[FacetValue]


class TimelinePoint(_Shape):
    """Matching articles of one day, month or year."""

    date: str = Field(description="2025-08-20, 2025-08 or 2025, by the interval asked for.")
    count: int


class SearchResponse(_Shape):
    """The answer to a search."""

    query: str
    interpreted: Interpreted
    took_ms: float
    generation: str
    page: int
    size: int
    total: int = Field(description="Articles that pass the relevance gate; weaker results follow them.")
    total_relation: Literal["eq", "gte"] = Field(description="Whether total is exact or a lower bound.")
    gate: float = Field(description="The score from which an article counts as matching.")
    results: list[Result]
    next_cursor: str | None = Field(description="Asks for what follows; null after the last result.")
    facets: Facets
    timeline: list[TimelinePoint]


class SimilarArticle(ArticleSummary):
    """An article near another one in meaning; `score` is the cosine between them."""

    score: float


class SimilarResponse(_Shape):
    """The articles nearest to one, nearest first; copies of it are left out."""

    similar: list[SimilarArticle]


class ArticlePassage(_Shape):
    """A passage of an article, as offsets in its text."""

    id: str
    start: int
    end: int
    score: float | None = Field(None, description="How well it answers q; only with q.")


class ArticleResponse(ArticleSummary):
    """An article, or as much of its text as was asked for, with the passages that begin there."""

    updated: str | None
    section: str | None
    summary: str | None
    length: int = Field(description="Characters of the whole text.")
    offset: int = Field(description="Where in the whole text this text begins.")
    next_offset: int | None = Field(description="Where the rest begins; null where there is none.")
    text: str
    highlights: list[Offsets] | None = Field(
        None, description="Where words of q stand, as offsets in the whole text; only with q."
    )
    extra: dict[str, Any] = Field(description="What the article came with besides.")
    passages: list[ArticlePassage]
    duplicates: list[Duplicate]


class Suggestion(_Shape):
    """A name or title of the corpus that goes on as was typed."""

    text: str
    kind: Literal["source", "author", "title"]
    query: str = Field(description="What to search for when it is chosen.")


class SuggestResponse(_Shape):
    """Suggestions, names first."""

    suggestions: list[Suggestion]


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
    dense_search: dict[str, Any] = Field(description="How the nearest passages are found: exactly, or in lists.")
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
