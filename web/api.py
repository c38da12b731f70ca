"""The JSON API: views that parse, call and answer. What they answer is checked as strictly as what they are asked."""

from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from index.errors import QueryError
from search.excerpts import portion
from search.results import article_json, result_json, similar_json, suggestion_json
from web.current import current_engine
from web.openapi import openapi_document
from web.portions import search_portion
from web.schemas import (
    KNOWN,
    LISTED,
    ArticleParameters,
    ArticleResponse,
    SearchParameters,
    SearchResponse,
    SimilarParameters,
    SimilarResponse,
    StatsResponse,
    Status,
    SuggestParameters,
    SuggestResponse,
)

api = Blueprint("api", __name__)


@api.get("/api/v1/search")
def search() -> Response:
    """Ranked passages."""
    asked: dict[str, Any] = {
        name: request.args.getlist(name) if name in LISTED else request.args[name] for name in request.args
    }
    return _search(asked)


@api.post("/api/v1/search")
def search_posted() -> Response:
    """Ranked passages, with the parameters as a JSON object."""
    if not request.is_json:
        abort(415, "The body should be JSON. Send it with Content-Type: application/json.")
    try:
        asked = from_json(request.get_data())  # refuses what is nested too deeply, and half characters
    except ValueError as error:
        abort(400, f"The body cannot be read as JSON: {error}.")
    if not isinstance(asked, dict):
        abort(422, "The body should be a JSON object with the parameters of the search.")
    return _search(asked)


@api.get("/api/v1/articles/<id:id>")
def article(id: str) -> Response:
    """A whole article with its passages, or a portion of it."""
    asked = ArticleParameters.model_validate(request.args.to_dict())
    view = current_engine().article(id, asked.q)
    if view is None:
        abort(404, f"No article has the id '{id}'.")
    length = len(view.article.text)
    if asked.offset > length:
        raise QueryError(f"'offset' lies beyond the text, which has {length:,} characters.", "offset")
    window = portion(view.article.text, asked.offset, asked.max_chars or length)
    return _answer(ArticleResponse, article_json(view, window))


@api.get("/api/v1/articles/<id:id>/similar")
def similar(id: str) -> Response:
    """The articles nearest in meaning to one."""
    size = SimilarParameters.model_validate(request.args.to_dict()).size
    found = current_engine().similar(id, size)
    if found is None:
        abort(404, f"No article has the id '{id}'.")
    return _answer(SimilarResponse, {"similar": [similar_json(one) for one in found]})


@api.get("/api/v1/suggest")
def suggest() -> Response:
    """Names and titles that go on as was typed."""
    asked = SuggestParameters.model_validate(request.args.to_dict())
    found = current_engine().suggest(asked.q, asked.size)
    return _answer(SuggestResponse, {"suggestions": [suggestion_json(one) for one in found]})


@api.get("/api/v1/stats")
def stats() -> Response:
    """What is in the index."""
    return _answer(StatsResponse, current_engine().store.stats())


@api.get("/api/openapi.json")
def openapi() -> Response:
    """The API, described."""
    return jsonify(openapi_document())


@api.get("/healthz")
def healthz() -> Response:
    """The process is alive."""
    return _answer(Status, {"status": "ok"})


@api.get("/readyz")
def readyz() -> Response:
    """The index is open."""
    current_app.extensions["ready"]()
    return _answer(Status, {"status": "ok"})


def _search(asked: dict[str, Any]) -> Response:
    parameters = SearchParameters.model_validate(asked)
    engine = current_engine()
    result, cursor = search_portion(engine, parameters.request(), parameters.cursor, parameters.max_chars)
    found = result_json(result, parameters.interval) | {"next_cursor": cursor}
    unknown = sorted(set(asked) - KNOWN)
    found["interpreted"]["notes"] += [f"The parameter '{name}' is not known and was ignored." for name in unknown]
    return _answer(SearchResponse, found)


def _answer(shape: type[BaseModel], found: dict[str, Any]) -> Response:
    """`found` as JSON, if it is what the API promises: a server error otherwise, never a wrong answer."""
    try:
        body = shape.model_validate(found).model_dump_json(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        raise RuntimeError(f"what was found is no {shape.__name__}: {error}") from error
    return Response(body, mimetype="application/json")
