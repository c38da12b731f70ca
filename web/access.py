"""Who may see what: the API key of a request against the scope of what it asks for."""

import base64
import binascii
from typing import TYPE_CHECKING

from web.answers import Answer
from web.keys import KeyRing, Scope
from web.refusals import Refusals
from web.visits import Step, Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OPEN = frozenset(
    ("/healthz", "/readyz", "/robots.txt", "/favicon.ico", "/opensearch.xml", "/api/openapi.json", "/api/docs")
)
_OPEN_FOLDER = "/static/"
_EXPORTS = "/export."
_MISSING = (
    "This needs an API key: as 'Authorization: Bearer KEY', 'X-API-Key: KEY', or as the password of any user name."
    " Whoever runs the server makes one with: dateline keys add NAME"
)
_UNKNOWN = "The server does not know this API key; it may have been removed."


class Access:
    """Finds the key that a request shows. If `needed`, nothing but what is open to all is answered without one.

    `limit` is asked about each request that is refused for want of a key, so that nobody tries keys without end.
    """

    def __init__(self, ring: KeyRing, refuse: Refusals, *, needed: bool, limit: Step = lambda visit: None) -> None:
        self._ring, self._refuse, self._needed, self._limit = ring, refuse, needed, limit

    def __call__(self, visit: Visit) -> Answer | None:
        """Refuses with 401 who has no key, with 403 whose key does not open this."""
        secret = secret_in(visit.environ)
        visit.key = self._ring.find(secret) if secret else None
        scope = scope_of(visit.path)
        if not self._needed or scope is None:
            return None
        if visit.key is None:
            return self._limit(visit) or self._refuse(
                visit, 401, "unknown_key" if secret else "key_missing", _UNKNOWN if secret else _MISSING,
                ("WWW-Authenticate", _challenge(visit.path)),
            )  # fmt: skip
        if scope not in visit.key.scopes:
            message = f"This needs an API key with the scope '{scope}', and this one has it not."
            return self._refuse(visit, 403, "scope_missing", message)
        return None


def scope_of(path: str) -> Scope | None:
    """What a key has to open for a path; None where none is needed."""
    if path in _OPEN or path.startswith(_OPEN_FOLDER):
        return None
    if path == "/metrics":
        return "metrics"
    return "export" if path.startswith(_EXPORTS) else "read"


def secret_in(environ: "WSGIEnvironment") -> str | None:
    """The key that a request shows, in any of the three ways; never one in its address, which logs and links keep."""
    if named := environ.get("HTTP_X_API_KEY"):
        return str(named).strip()
    kind, _, rest = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if kind.lower() == "bearer":
        return rest.strip() or None
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2] or None
        except (binascii.Error, ValueError):
            return None
    return None


def _challenge(path: str) -> str:
    """What makes a browser or feed reader ask for a password, and a program know how to show its key."""
    if path.startswith("/api/"):
        return 'Bearer realm="Dateline"'
    return 'Basic realm="Dateline", charset="UTF-8"'
