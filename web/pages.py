"""The pages: search box with results, article, comparison, API documentation. They work without JavaScript."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request
from pydantic import ValidationError

from index.errors import QueryError
from index.generation import being_written
from search.hits import SearchResult
from search.query import SORTS
from web import comparing
from web.addresses import Addresses, Asked, asked_for
from web.chips import chips, notes
from web.citations import citation
from web.current import current_engine
from web.marking import article_sections
from web.openapi import openapi_document
from web.problems import validation_message
from web.schemas import SearchParameters
from web.timelines import timeline

pages = Blueprint("pages", __name__)

_SHOWN_FACETS = 8
_SIMILAR = 5
_LATEST = 5


@pages.app_context_processor
def _every_page() -> dict[str, Any]:
    return {"being_written": partial(being_written, current_app.config["INDEX"])}


@pages.get("/")
def home() -> str | tuple[str, int]:
    """The search box, and results when something is asked."""
    asked = asked_for()
    if not asked["q"].strip():
        return _front_page(asked)
    found = _found(asked)
    if isinstance(found, str):
        return render_template("search.html", asked=asked, problem=found, to=Addresses(asked)), 400
    template = "search.html" if found.hits else "nothing.html"
    return render_template(
        template, asked=asked, result=found, to=Addresses(asked), chips=list(chips(asked, found.interpreted)),
        notes=notes(found.interpreted), sorts=SORTS, shown_facets=_SHOWN_FACETS,
        timeline=timeline(found.facets.days), weaker_from=_weaker_from(found),
    )  # fmt: skip


@pages.get("/compare")
def compare() -> str | tuple[str, int]:
    """Two periods or two sources beside each other."""
    asked, right = asked_for(), comparing.right_side(request.args)
    found, problem = None, None
    try:
        found = comparing.sides(current_engine().search, asked, right) if asked["q"].strip() else None
    except (QueryError, ValidationError) as error:
        problem = _explained(error)
    left, other = (found[0].asked, found[1].asked) if found else (asked, right)
    page = render_template("compare.html", asked=left, right=other, sides=found, problem=problem, to=Addresses(asked))
    return (page, 400) if problem else page


@pages.get("/article/<id:id>")
def article(id: str) -> str:
    """One article, the passages that answer the query marked."""
    asked = asked_for()
    try:
        view = current_engine().article(id, asked["q"])
    except QueryError:  # it cannot be searched for, but the article can be read
        view = current_engine().article(id)
    if view is None:
        abort(404, f"No article has the id '{id}'. It may have been removed.")
    here = Addresses({"q": asked["q"]}).article(id)
    return render_template(
        "article.html", asked=asked, view=view, sections=list(article_sections(view)), to=Addresses(asked),
        similar=current_engine().similar(id, _SIMILAR) or [], here=f"{request.host_url.rstrip('/')}{here}",
        citation=citation(view.article, view.article.url),
    )  # fmt: skip


@pages.get("/api/docs")
def docs() -> str:
    """The API for people."""
    return render_template("docs.html", document=openapi_document())


@pages.get("/robots.txt")
def robots() -> Response:
    """Results are not for crawlers: every one costs a search."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


def _front_page(asked: Asked) -> str:
    engine = current_engine()
    return render_template(
        "home.html", asked=asked, counts=engine.store.counts(), latest=engine.latest(_LATEST), to=Addresses({})
    )


def _found(asked: Asked) -> SearchResult | str:
    """What a search finds, or why it cannot be run. Copies are folded unless the page is asked to list them."""
    try:
        return current_engine().search(SearchParameters.model_validate({"collapse": "story", **asked}).request())
    except (QueryError, ValidationError) as error:
        return _explained(error)


def _weaker_from(found: SearchResult) -> int | None:
    """The rank of the first hit that does not count as a match; none where a cross-encoder has mixed them."""
    weak = [hit.score < found.gate for hit in found]
    return found.hits[weak.index(True)].rank if True in weak and weak == sorted(weak) else None


def _explained(error: QueryError | ValidationError) -> str:
    return str(error) if isinstance(error, QueryError) else validation_message(error)[0]
