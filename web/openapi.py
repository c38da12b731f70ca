"""The OpenAPI 3.1 description of the API, made from its schemas."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.schemas import (
    ArticleResponse,
    ErrorResponse,
    SearchParameters,
    SearchResponse,
    SimilarParameters,
    SimilarResponse,
    StatsResponse,
    Status,
)

_REFERENCE = "#/components/schemas/{model}"


@cache
def openapi_document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    models = (
        *(SearchParameters, SearchResponse, ArticleResponse, SimilarParameters, SimilarResponse),
        *(StatsResponse, Status, ErrorResponse),
    )
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    parameters = schemas["$defs"]["SearchParameters"]
    search = {
        "operationId": "search",
        "summary": "Ranked passages for a query",
        "responses": _responses(SearchResponse, 400, 503),
    }
    named = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    similar = {
        "operationId": "getSimilar",
        "summary": "The articles nearest in meaning to one",
        "parameters": [named, *_query_parameters(schemas["$defs"]["SimilarParameters"])],
        "responses": _responses(SimilarResponse, 400, 404, 503),
    }
    article = {
        "operationId": "getArticle",
        "summary": "A whole article with its passages",
        "parameters": [named],
        "responses": _responses(ArticleResponse, 404, 503),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dateline",
            "version": version("dateline"),
            "description": "Semantic search over a news corpus.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/api/v1/search": {
                "get": {**search, "parameters": _query_parameters(parameters)},
                "post": {
                    **search,
                    "operationId": "searchPosted",
                    "requestBody": {"required": True, "content": _json(SearchParameters)},
                    "responses": _responses(SearchResponse, 400, 413, 415, 422, 503),
                },
            },
            "/api/v1/articles/{id}": {"get": article},
            "/api/v1/articles/{id}/similar": {"get": similar},
            "/api/v1/stats": {"get": _plain("getStats", "What is in the index", StatsResponse, 503)},
            "/healthz": {"get": _plain("healthz", "The server is alive", Status)},
            "/readyz": {"get": _plain("readyz", "The index is open", Status, 503)},
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _plain(name: str, summary: str, model: type[BaseModel], *errors: int) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _responses(model, *errors)}


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": field.get("description", ""),
            "schema": {key: value for key, value in field.items() if key not in ("description", "title")},
        }
        for name, field in schema["properties"].items()
    ]


def _responses(model: type[BaseModel], *errors: int) -> dict[str, Any]:
    found = {"200": {"description": "OK", "content": _json(model)}}
    return found | {
        str(status): {"description": _MEANINGS[status], "content": _json(ErrorResponse)} for status in errors
    }


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


_MEANINGS = {
    400: "A parameter is wrong",
    404: "No such article",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The body has the wrong shape",
    503: "The index is not open",
}
