"""Errors over HTTP: one JSON shape for programs, one page for people."""

import logging
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from index.errors import DatelineError, QueryError, StoreChanged, StoreIncomplete, StoreUnavailable
from web.live import NotReady

log = logging.getLogger(__name__)

_CODES = {
    400: "bad_request", 401: "key_missing", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    413: "too_large", 415: "not_json",
    422: "invalid_body", 429: "too_many_requests", 500: "internal_error", 501: "not_implemented", 503: "not_ready",
}  # fmt: skip
_RETRY_SECONDS = "2"
_FAILED = "Something went wrong on the server; its log says what."
# What programs ask for: they want to read an error, not see it.
_FOR_PROGRAMS = (
    "/api/", "/healthz", "/readyz", "/metrics", "/export.", "/feed.atom", "/opensearch.xml", "/oembed", "/suggest.json"
)  # fmt: skip


def register(app: Flask) -> None:
    """Makes `app` answer every error in its own way."""
    app.register_error_handler(QueryError, _query_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(NotReady, _not_ready)
    app.register_error_handler(StoreUnavailable, _no_store)
    app.register_error_handler(DatelineError, _failure)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def answer(status: int, code: str, message: str, field: str | None = None) -> Response:
    """An error response: JSON for programs, a page for people."""
    if for_programs(request.path):
        detail: dict[str, Any] = {"code": code, "message": message}
        if field:
            detail["field"] = field
        response = jsonify({"error": detail})
    else:
        response = Response(
            render_template("error.html", status=status, code=code, message=message, query=request.args.get("q", ""))
        )
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def validation_message(error: ValidationError) -> tuple[str, str]:
    """The first problem of a validation as a sentence, and the parameter that it is about."""
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        return f"'{field}' is missing.", field
    return f"'{field}': {first['msg']}.", field


def for_programs(path: str) -> bool:
    """Whether an address is one that programs ask for."""
    return path.startswith(_FOR_PROGRAMS)


def _query_error(error: QueryError) -> Response:
    return answer(400, "bad_query", str(error), error.field)


def _validation_error(error: ValidationError) -> Response:
    message, field = validation_message(error)
    return answer(422 if request.method == "POST" else 400, "bad_query", message, field)


def _not_ready(error: NotReady) -> Response:
    return answer(503, "not_ready", str(error))


def _no_store(error: StoreUnavailable) -> Response:
    log.error("%s", error)  # names hosts, which are no business of visitors
    if isinstance(error, StoreChanged):
        return answer(503, "not_ready", "The corpus was changed while it was searched. Search again.")
    if isinstance(error, StoreIncomplete):
        return answer(503, "not_ready", "The server behind this one is still loading the corpus. Try again soon.")
    return answer(503, "not_ready", "The server behind this one did not answer in time. Try again soon.")


def _failure(error: DatelineError) -> Response:
    log.error("%s", error)  # names files, which are no business of visitors
    return answer(500, "internal_error", _FAILED)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = _CODES.get(status, "error")
    if status == 404:
        message = (
            error.description
            if error.description and error.description != NotFound.description
            else f"There is nothing at {request.path}."
        )
    else:
        message = error.description or error.name
    response = answer(status, code, message)
    if status == 405:
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    return response


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error for %s", request.path, exc_info=error)
    return answer(500, "internal_error", _FAILED)
