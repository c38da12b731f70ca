"""The pages: search box with results, article, API documentation. They work without JavaScript."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, current_app, render_template, request
from pydantic import ValidationError

from index.errors import QueryError
from search.hits import ArticleView
from search.query import SORTS
from web.openapi import openapi_document
from web.problems import validation_message
from web.schemas import SearchParameters

pages = Blueprint("pages", __name__)

_LISTED = ("source", "author", "language")
_SHOWN_FACETS = 8
_SIMILAR = 5
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text for a template: whether it is a word of the query, and whether it stands in the best sentence."""

    text: str
    marked: bool
    best: bool


@pages.get("/")
def home() -> str | tuple[str, int]:
    """The search box, and results when something is asked."""
    asked = _asked()
    if not asked["q"].strip():
        return render_template("search.html", asked=asked, result=None, problem=None, sorts=SORTS, corpus=_corpus())
    try:
        result = current_app.extensions["engine"]().search(SearchParameters.model_validate(asked).request())
    except (QueryError, ValidationError) as error:
        problem = str(error) if isinstance(error, QueryError) else validation_message(error)[0]
        return render_template("search.html", asked=asked, result=None, problem=problem, sorts=SORTS, corpus=None), 400
    return render_template(
        "search.html", asked=asked, result=result, problem=None, sorts=SORTS, corpus=None,
        narrowed=_narrowed(asked), turned=_turned(asked), shown_facets=_SHOWN_FACETS,
    )  # fmt: skip


@pages.get("/article/<path:id>")
def article(id: str) -> str:
    """One article, its best passage for the query marked."""
    query = request.args.get("q", "")
    view = current_app.extensions["engine"]().article(id, query)
    if view is None:
        abort(404, f"No article has the id '{id}'. It may have been removed.")
    similar = current_app.extensions["engine"]().similar(id, _SIMILAR) or []
    return render_template(
        "article.html", view=view, query=query, sections=list(article_sections(view)), similar=similar
    )


@pages.get("/api/docs")
def docs() -> str:
    """The API for people."""
    return render_template("docs.html", document=openapi_document())


@pages.get("/robots.txt")
def robots() -> Response:
    """Results are not for crawlers: every one costs a search."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


def pieces(text: str, marks: Sequence[Span], best: Span | None = None) -> list[Piece]:
    """`text` cut where marks or the best sentence begin or end; joined, the pieces are the text again."""
    inside = best or (0, 0)
    cuts = sorted({0, len(text), *inside, *(edge for span in marks for edge in span)})
    starts = dict(marks)
    found: list[Piece] = []
    marked_until = 0
    for start, end in pairwise(cuts):
        marked_until = max(marked_until, starts.get(start, 0))
        found.append(Piece(text[start:end], start < marked_until, inside[0] <= start < inside[1]))
    return found


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an article: a passage or what stands between passages."""

    start: int
    best: bool
    paragraphs: list[list[Piece]]


def article_sections(view: ArticleView) -> Iterator[Section]:
    """The article's text in order, cut at its passages."""
    text, best = view.article.text, view.best
    edges = sorted({0, len(text), *(edge for passage in view.passages for edge in (passage.start, passage.end))})
    for start, end in pairwise(edges):
        if text[start:end].strip():
            is_best = best is not None and (start, end) == (best.start, best.end)
            yield Section(start, is_best, list(_paragraphs(text, start, end, view.highlights)))


def _paragraphs(text: str, start: int, end: int, marks: Sequence[Span]) -> Iterator[list[Piece]]:
    position = start
    for paragraph in text[start:end].split("\n\n"):
        low, high = position, position + len(paragraph)
        inside = [(a - low, b - low) for a, b in marks if low <= a and b <= high]
        if paragraph.strip():
            yield pieces(paragraph, inside)
        position = high + 2


def _asked() -> dict[str, Any]:
    """The parameters of the page, as strings and lists of strings."""
    asked: dict[str, Any] = {"q": ""}
    for name in request.args:
        values = [value for value in request.args.getlist(name) if value.strip()]
        if values:
            asked[name] = values if name in _LISTED else values[0]
    return asked


def _corpus() -> Any:
    store = current_app.extensions["engine"]().store
    return store.counts()


def _narrowed(asked: dict[str, Any]) -> Any:
    """Makes the URL of this search with one filter changed; None takes the filter away."""

    def url(**changes: Any) -> str:
        kept = {name: value for name, value in (asked | changes).items() if value is not None and name != "page"}
        return f"/?{urlencode(kept, doseq=True)}"

    return url


def _turned(asked: dict[str, Any]) -> Any:
    """Makes the URL of another page of this search."""

    def url(page: int) -> str:
        return f"/?{urlencode(asked | {'page': page}, doseq=True)}"

    return url
