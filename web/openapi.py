"""The OpenAPI 3.1 description of the API and of everything else that is served, made from the schemas."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web import examples
from web.feeds import FeedParameters
from web.schemas import (
    ArticleParameters,
    ArticleResponse,
    ErrorResponse,
    SearchParameters,
    SearchResponse,
    SimilarParameters,
    SimilarResponse,
    StatsResponse,
    Status,
    SuggestParameters,
    SuggestResponse,
)

Json = dict[str, Any]
# Who may ask: whoever has a key where keys are needed, everybody, or everybody as often as they like.
Access = Literal["keys", "all", "always"]

_SCHEMA = "#/components/schemas/{model}"
# The bodies that are sent and answered.
_BODIES = (
    SearchParameters, SearchResponse, ArticleResponse, SimilarResponse, SuggestResponse, StatsResponse, Status,
    ErrorResponse,
)  # fmt: skip

_DESCRIPTION = """Semantic search over a news corpus: ranked passages with their sources.

Within version 1, paths, parameters and fields stay and keep their meaning. What may come: new paths, new optional \
parameters, new fields in answers, new values of `code` in errors, and new notes. So ignore fields that you do not \
know. Scores are for ordering results of one answer; their scale may change."""

_SEARCH = (
    "The best passage of each article, best article first, with the sentence that answers and the words of the query"
    " marked. Articles that pass the relevance gate are counted; weaker ones follow."
)

_TAGS = {
    "search": "Ranked passages, and suggestions while a query is typed.",
    "articles": "Whole articles and what is near them.",
    "corpus": "What is in the index.",
    "feeds": "Any search as a feed, and Dateline as a search engine of browsers.",
    "exports": "Every match of a search as a file.",
    "pages": "Pages for people, and cards of passages for other pages.",
    "server": "Whether the server is well.",
}

_ID: Json = {
    "name": "id", "in": "path", "required": True, "description": "The id of an article, percent-encoded.",
    "schema": {"type": "string", "minLength": 1},
}  # fmt: skip
_SOME_JSON: Json = {"application/json": {"schema": {"type": "object"}}}

# What can go wrong, by status: the name and the meaning of the response, and a header that comes with it.
_ERRORS: Mapping[int, tuple[str, str, str | None]] = {
    400: ("BadQuery", "A parameter is wrong; `field` names it.", None),
    401: ("Unauthorized", "A key is needed, or the one sent is not known.", "WWW-Authenticate"),
    403: ("Forbidden", "The key does not have the scope that this needs, or the server has another name.", None),
    404: ("NotFound", "There is no such thing.", None),
    413: ("TooLarge", "The body is too large.", None),
    415: ("NotJson", "The body is not JSON.", None),
    422: ("InvalidBody", "The body has the wrong shape; `field` names what is wrong.", None),
    429: ("TooManyRequests", "This key or address asks too often.", "Retry-After"),
    501: ("NotImplemented", "There is no answer in this format.", None),
    503: ("NotReady", "The index is being opened, or the server has too much to do.", "Retry-After"),
}

# What the server answers by itself.
_REFUSALS: Mapping[Access, tuple[int, ...]] = {"keys": (401, 403, 429, 503), "all": (403, 429), "always": ()}

_HEADERS: Mapping[str, Json] = {
    "X-Request-ID": {"description": "Names this request in the server's log.", "schema": {"type": "string"}},
    "ETag": {
        "description": "Names this answer on this state of the corpus; send it as If-None-Match.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": "Keep it, but ask before using it again.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests that may come at once.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until all of them may come again.", "schema": {"type": "integer"}},
    "X-Cache": {
        "description": "Whether the server answered from memory; took_ms is then that of the first time.",
        "schema": {"type": "string", "enum": ["hit", "miss"]},
    },
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The ways to send a key.", "schema": {"type": "string"}},
}

_SECURITY: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "For browsers: any name, the key as password."},
}


@cache
def openapi_document() -> Json:
    """The whole document, ready for JSON."""
    error = _json(ErrorResponse, examples.ERROR)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dateline",
            "version": version("dateline"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [{"name": name, "description": meaning} for name, meaning in _TAGS.items()],
        # None is needed where the server asks for none.
        "security": [{}, *({name: []} for name in _SECURITY)],
        "paths": _programs() | _files() | _pages() | _server(),
        "components": {
            "schemas": models_json_schema([(body, "validation") for body in _BODIES], ref_template=_SCHEMA)[1]["$defs"],
            "responses": {name: _problem(meaning, header, error) for name, meaning, header in _ERRORS.values()},
            "headers": dict(_HEADERS),
            "securitySchemes": dict(_SECURITY),
        },
    }


def _programs() -> Json:
    """The JSON API itself."""
    found = _json(SearchResponse, examples.SEARCH)
    posted = _operation(
        "searchPosted", found, tag="search", summary="The same, with the parameters as JSON", description=_SEARCH,
        errors=(400, 413, 415, 422),
    )  # fmt: skip
    body = _json(SearchParameters, {"q": "ferry strike", "source": ["Harbour Wire"]})
    search = _get(
        "search", found, tag="search", summary="Ranked passages for a query", description=_SEARCH,
        parameters=_query_parameters(SearchParameters), errors=(400,), lasting=True,
    )  # fmt: skip
    return {
        "/api/v1/search": search | {"post": posted | {"requestBody": {"required": True, "content": body}}},
        "/api/v1/suggest": _get(
            "suggest", _json(SuggestResponse, examples.SUGGESTIONS), tag="search",
            summary="Names and titles that go on as was typed", parameters=_query_parameters(SuggestParameters),
            errors=(400,), lasting=True,
        ),
        "/api/v1/articles/{id}": _get(
            "getArticle", _json(ArticleResponse, examples.WHOLE_ARTICLE), tag="articles", summary="An article",
            description="The text, whole or in portions, and its passages as offsets in it.",
            parameters=[_ID, *_query_parameters(ArticleParameters)], errors=(400, 404), lasting=True,
        ),
        "/api/v1/articles/{id}/similar": _get(
            "getSimilar", _json(SimilarResponse, examples.SIMILAR), tag="articles",
            summary="The articles nearest in meaning to one",
            parameters=[_ID, *_query_parameters(SimilarParameters)], errors=(400, 404), lasting=True,
        ),
        "/api/v1/stats": _get(
            "getStats", _json(StatsResponse, examples.STATS), tag="corpus", summary="What is in the index",
            lasting=True,
        ),
    }  # fmt: skip


def _files() -> Json:
    """What other programs read: feeds and files of searches."""
    unpaged = ("size", "page", "cursor", "max_chars", "interval")
    feed = _query_parameters(FeedParameters, but=(*unpaged[1:], "sort", "collapse", "explain"))
    typed = _query_parameter("q", {"type": "string"}, "What has been typed so far.")
    return {
        "/feed.atom": _get(
            "feed", _text("application/atom+xml"), tag="feeds", summary="A search as an Atom feed",
            description="One entry a story, newest first.", parameters=feed, errors=(400,), lasting=True,
        ),
        **{
            f"/export.{kind}": _get(
                f"export{kind.title()}", _text(media), tag="exports", summary=f"Every match of a search as {what}",
                description="Streamed, however many there are. Needs the scope `export` where keys are needed.",
                parameters=_query_parameters(SearchParameters, but=unpaged), errors=(400,),
            )
            for kind, media, what in (("csv", "text/csv", "CSV"), ("jsonl", "application/jsonl", "JSON lines"))
        },
        "/opensearch.xml": _get(
            "opensearch", _text("application/opensearchdescription+xml"), tag="feeds", access="all",
            summary="How browsers can add this search",
        ),
        "/suggest.json": _get(
            "suggestForBrowsers", {"application/x-suggestions+json": {"schema": {"type": "array"}}}, tag="feeds",
            summary="Suggestions as browsers want them (OpenSearch)", parameters=[typed], lasting=True,
        ),
    }  # fmt: skip


def _pages() -> Json:
    """What people see, here and in other pages."""
    pixels = {"type": "integer", "minimum": 100}
    cited = [
        _query_parameter("url", {"type": "string"}, "The address of an article here, as people see it.", required=True),
        _query_parameter("format", {"type": "string", "default": "json"}, "Only json."),
        _query_parameter("maxwidth", pixels, "No wider than this."),
        _query_parameter("maxheight", pixels, "No higher than this."),
    ]
    asked = _query_parameter("q", {"type": "string"}, "What to search for; with it, other parameters of a search.")
    marked = _query_parameter("q", {"type": "string"}, "Mark what answers this.")
    place = [
        _query_parameter("start", {"type": "integer"}, "Where in the text the passage begins."),
        _query_parameter("end", {"type": "integer"}, "Where it ends."),
    ]
    html = _text("text/html")
    return {
        "/": _get("home", html, tag="pages", summary="The search box and results", parameters=[asked], errors=(400,),
                  lasting=True),
        "/compare": _get("compare", html, tag="pages", summary="Two periods or sources beside each other",
                         parameters=[asked], errors=(400,), lasting=True),
        "/article/{id}": _get("articlePage", html, tag="pages", summary="An article, its best passages marked",
                              parameters=[_ID, marked], errors=(400, 404), lasting=True),
        "/embed/{id}": _get("embed", html, tag="pages", summary="A passage as a card for other pages",
                            parameters=[_ID, *place, marked], errors=(404,), lasting=True),
        "/oembed": _get("oembed", _SOME_JSON, tag="pages", summary="How to embed a passage (oEmbed 1.0)",
                        parameters=cited, errors=(400, 404, 501), lasting=True),
        "/api/docs": _get("docs", html, tag="pages", summary="The API for people", access="all", errors=(503,)),
    }  # fmt: skip


def _server() -> Json:
    well, text = _json(Status, {"status": "ok"}), _text("text/plain")
    return {
        "/api/openapi.json": _get("openapi", _SOME_JSON, tag="server", summary="This document", access="all",
                                  errors=(503,)),
        "/healthz": _get("healthz", well, tag="server", summary="The server is alive", access="always"),
        "/readyz": _get("readyz", well, tag="server", summary="The index is open", access="always", errors=(503,)),
        "/metrics": _get("metrics", text, tag="server", summary="Figures for Prometheus",
                         description="Needs the scope `metrics` where keys are needed."),
        "/robots.txt": _get("robots", text, tag="server", summary="That results are not for crawlers", access="all"),
    }  # fmt: skip


def _get(identifier: str, content: Json, **more: Any) -> Json:
    return {"get": _operation(identifier, content, **more)}


def _operation(
    identifier: str,
    content: Json,
    *,
    tag: str,
    summary: str,
    description: str = "",
    parameters: Sequence[Json] = (),
    errors: Iterable[int] = (),
    lasting: bool = False,
    access: Access = "keys",
) -> Json:
    """One operation. A `lasting` answer can be asked for again with its ETag. Pages have pages for errors too."""
    headers = ["X-Request-ID", *(("ETag", "Cache-Control", "X-Cache") if lasting else ())]
    if access != "always":
        headers += ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    responses: Json = {"200": {"description": "OK", "headers": _headers(*headers), "content": content}}
    if lasting:
        responses["304"] = {"description": "The answer that you have is still right.", "headers": _headers("ETag")}
        tagged = {"description": "The ETag of the answer that you have.", "schema": {"type": "string"}}
        parameters = [*parameters, {"name": "If-None-Match", "in": "header", "required": False, **tagged}]
    for status in sorted({*errors, *_REFUSALS[access]}):
        name, meaning, header = _ERRORS[status]
        shared = {"$ref": f"#/components/responses/{name}"}
        responses[str(status)] = _problem(meaning, header, content) if "text/html" in content else shared
    operation: Json = {"operationId": identifier, "tags": [tag], "summary": summary}
    if description:
        operation["description"] = description
    if parameters:
        operation["parameters"] = list(parameters)
    if access != "keys":
        operation["security"] = []
    return operation | {"responses": responses}


def _query_parameters(model: type[BaseModel], but: Sequence[str] = ()) -> list[Json]:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return [
        _query_parameter(name, field, field.get("description", ""), required=name in required)
        for name, field in schema["properties"].items()
        if name not in but
    ]


def _query_parameter(name: str, schema: Json, description: str, *, required: bool = False) -> Json:
    """A parameter; a query can leave it out but cannot say null."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    unsaid = ("description", "title", "anyOf", *(("default",) if schema.get("default") is None else ()))
    plain = {key: value for key, value in schema.items() if key not in unsaid}
    for option in options:
        plain |= option
    return {"name": name, "in": "query", "required": required, "description": description, "schema": plain}


def _problem(meaning: str, header: str | None, content: Json) -> Json:
    headers = ("X-Request-ID", *((header,) if header else ()))
    return {"description": meaning, "headers": _headers(*headers), "content": content}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _json(model: type[BaseModel], example: Json) -> Json:
    schema = {"$ref": _SCHEMA.format(model=model.__name__)}
    return {"application/json": {"schema": schema, "examples": {"example": {"value": example}}}}


def _text(media: str) -> Json:
    return {media: {"schema": {"type": "string"}}}
