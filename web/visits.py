"""A request on its way through the server."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from web.answers import Answer, Headers
from web.keys import Key

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST_ID = "dateline.request_id"
"""Where a request's environment has its id, for those who write to the log about it."""

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Enough that no two requests of a lifetime of logs have the same.
_ID_BYTES = 8


@dataclass(slots=True)
class Visit:
    """One request, and what the steps on its way find out about it.

    `headers` go onto its answer, whatever that is; `key` is the API key that it showed; `query` is what is searched
    for, `cache` says "hit" or "miss" of what may be answered from memory, `refused` why it was not answered at all.
    """

    environ: "WSGIEnvironment"
    id: str
    method: str
    path: str
    began: float = field(default_factory=perf_counter)
    headers: list[tuple[str, str]] = field(default_factory=list)
    key: Key | None = None
    query: str = ""
    cache: str = ""
    generation: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A response that is made while it is sent."""

    status: str
    headers: Headers
    parts: Iterable[bytes]


Step = Callable[[Visit], Answer | None]
"""Something on the way of a request: lets it pass, or answers it."""


def visit_of(environ: "WSGIEnvironment") -> Visit:
    """A request that has just come in, under the id that it brings if that is a sane one."""
    id = environ.get("HTTP_X_REQUEST_ID", "")
    if not _SANE_ID.fullmatch(id):
        id = secrets.token_hex(_ID_BYTES)
    environ[REQUEST_ID] = id
    # The application takes //metrics for /metrics, so every step on the way has to see it as that.
    path = environ["PATH_INFO"] = "/" + environ["PATH_INFO"].lstrip("/")
    # Some web servers hand on bytes that belong percent-encoded into a query, and those need not be UTF-8.
    if not (query := environ.get("QUERY_STRING", "")).isascii():
        environ["QUERY_STRING"] = _BEYOND_ASCII.sub(lambda part: quote(part[0], encoding="latin-1"), query)
    return Visit(environ, id, environ["REQUEST_METHOD"], path, headers=[("X-Request-ID", id)])
