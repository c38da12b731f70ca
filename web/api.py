"""The JSON API: views that parse, call and answer."""

from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request

from index.stats import index_stats
from search.hits import ArticleView
from search.results import article_summary, copy_json, result_json, similar_json
from web.openapi import openapi_document
from web.schemas import SearchParameters, SimilarParameters

api = Blueprint("api", __name__)

_LISTS = frozenset({"source", "exclude_source", "author", "language"})


@api.get("/api/v1/search")
def search() -> Response:
    """Ranked passages."""
    asked: dict[str, Any] = {
        name: request.args.getlist(name) if name in _LISTS else request.args[name] for name in request.args
    }
    return _search(asked)


@api.post("/api/v1/search")
def search_posted() -> Response:
    """Ranked passages, with the parameters as a JSON object."""
    asked = request.get_json()
    if not isinstance(asked, dict):
        abort(422, "The body should be a JSON object with the parameters of the search.")
    return _search(asked)


@api.get("/api/v1/articles/<path:id>")
def article(id: str) -> Response:
    """A whole article with its passages."""
    view = current_app.extensions["engine"]().article(id)
    if view is None:
        abort(404, f"No article has the id '{id}'.")
    return jsonify(_article_json(view))


@api.get("/api/v1/articles/<path:id>/similar")
def similar(id: str) -> Response:
    """The articles nearest in meaning to one."""
    size = SimilarParameters.model_validate(request.args.to_dict()).size
    found = current_app.extensions["engine"]().similar(id, size)
    if found is None:
        abort(404, f"No article has the id '{id}'.")
    return jsonify({"similar": [similar_json(one) for one in found]})


@api.get("/api/v1/stats")
def stats() -> Response:
    """What is in the index."""
    current_app.extensions["engine"]()  # says so if it is not open yet
    return jsonify(index_stats(current_app.config["INDEX"]))


@api.get("/api/openapi.json")
def openapi() -> Response:
    """The API, described."""
    return jsonify(openapi_document())


@api.get("/healthz")
def healthz() -> Response:
    """The process is alive."""
    return jsonify({"status": "ok"})


@api.get("/readyz")
def readyz() -> Response:
    """The index is open."""
    current_app.extensions["engine"]()
    return jsonify({"status": "ok"})


def _search(asked: dict[str, Any]) -> Response:
    parameters = SearchParameters.model_validate(asked)
    found = result_json(current_app.extensions["engine"]().search(parameters.request()))
    unknown = sorted(set(asked) - _parameter_names())
    found["interpreted"]["notes"] += [f"The parameter '{name}' is not known and was ignored." for name in unknown]
    return jsonify(found)


def _parameter_names() -> set[str]:
    return {field.alias or name for name, field in SearchParameters.model_fields.items()}


def _article_json(view: ArticleView) -> dict[str, Any]:
    article = view.article
    return {
        **article_summary(article),
        "updated": article.updated,
        "section": article.section,
        "summary": article.summary,
        "text": article.text,
        "extra": dict(article.extra),
        "passages": [
            {"id": f"{article.id}:{passage.start}-{passage.end}", "start": passage.start, "end": passage.end}
            for passage in view.passages
        ],
        "duplicates": [copy_json(copy) for copy in view.copies],
    }
