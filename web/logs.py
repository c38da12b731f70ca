"""The log of a server: one line a request, and what went wrong, each with the request's id.

What people search for is theirs: no line holds it, nor a key or a cookie, unless the server was told to log queries.
So of an error that a request met, only its kind and where it happened are written, not its message, which may quote.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from functools import lru_cache
from time import perf_counter
from typing import Any, TextIO
from urllib.parse import parse_qs, quote

from flask import has_request_context, request
from pythonjsonlogger.json import JsonFormatter

from web.settings import LogFormat
from web.visits import REQUEST_ID, Visit

access = logging.getLogger("web.access")

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_WITHHELD = "its message is withheld; --log-queries shows it"
# What may stand in a path without confusing who reads a line.
_PLAIN = "/:@!$&'()*+,;=~"


def configure(format: LogFormat, *, queries: bool) -> None:
    """Sends everything to standard error, without what no line shows and every line would pay for."""
    logging._srcfile = None  # this is how logging's own documentation says it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.INFO, handlers=[handler(sys.stderr, format, queries=queries)], force=True)


def handler(stream: TextIO, format: LogFormat, *, queries: bool) -> logging.Handler:
    """Writes lines in a format to `stream`."""
    found = logging.StreamHandler(stream)
    found.addFilter(_Discretion(queries=queries))
    found.setFormatter(_TextFormatter(_TEXT) if format == "text" else _json_formatter())
    return found


def log_visit(visit: Visit, status: int, size: int, *, queries: bool = False) -> None:
    """Writes the line of a request."""
    if not access.isEnabledFor(logging.INFO):
        return
    facts: dict[str, object] = {
        "method": visit.method, "path": _written(visit.path), "status": status,
        "ms": round((perf_counter() - visit.began) * 1000, 2), "bytes": size,
    }  # fmt: skip
    if visit.cache:
        facts["cache"] = visit.cache
    if visit.generation:
        facts["generation"] = visit.generation
    if visit.key:
        facts["key"] = visit.key.name
    if queries and (query := visit.query or _query_in(visit)):
        facts["query"] = query
    access.info("request", extra={"facts": facts, "request_id": visit.id})


@lru_cache(maxsize=1024)
def _written(path: str) -> str:
    return quote(path, safe=_PLAIN, encoding="latin-1")


def _query_in(visit: Visit) -> str:
    asked: str = visit.environ.get("QUERY_STRING", "")
    return parse_qs(asked).get("q", [""])[0]


class _Discretion(logging.Filter):
    """Names the request that a line is about, and withholds what may quote its query."""

    def __init__(self, *, queries: bool) -> None:
        super().__init__()
        self._queries = queries

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id") and has_request_context():
            record.request_id = request.environ.get(REQUEST_ID, "")
        if hasattr(record, "request_id") and record.exc_info and not self._queries:
            record.exc_text = "".join(_without_messages(record.exc_info[1]))
            record.exc_info = None
        return True


def _without_messages(error: BaseException | None) -> Iterator[str]:
    """A traceback with the kinds of errors only, what came first first."""
    if error is None:
        return
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before:
        yield from _without_messages(before)
        yield "\n\nAnd then:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__} ({_WITHHELD})"


class _TextFormatter(logging.Formatter):
    """A line for people: what is known of a request stands behind it as name=value."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 it is logging's
        line = super().formatMessage(record)
        facts: dict[str, object] = getattr(record, "facts", {})
        told = "".join(
            [f" {name}={value!r}" if name == "query" else f" {name}={value}" for name, value in facts.items()]
        )
        id = getattr(record, "request_id", "")
        return f"{line}{told} request_id={id}" if id else line


class _JsonFormatter(JsonFormatter):
    """An object for programs: what is known of a request stands beside the message."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        facts: dict[str, Any] = log_data.pop("facts", {})
        return log_data | facts


def _json_formatter() -> logging.Formatter:
    return _JsonFormatter(
        ["levelname", "name", "message"], rename_fields={"levelname": "level", "name": "logger"}, timestamp="time",
        json_ensure_ascii=False,
    )  # fmt: skip
