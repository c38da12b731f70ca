"""Which other sites' pages may ask the API from a browser: those that the server's owner names, and no others.

Cookies are never meant: such a page shows an API key of its own where one is needed.
"""

from collections.abc import Iterable

from web.answers import Answer
from web.visits import Visit

_API = "/api/"
_ANY = "*"
_EXPOSED = "ETag, X-Request-ID, X-Cache, Age, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
_ALLOWED = (
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, X-API-Key, Content-Type, If-None-Match, X-Request-ID"),
    # As long as the most forgetful of the large browsers remembers it.
    ("Access-Control-Max-Age", "7200"),
    ("Content-Length", "0"),
)


class Cors:
    """Says on answers of the API that pages of these origins may read them, and answers what browsers ask before."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def __call__(self, visit: Visit) -> Answer | None:
        """Answers a preflight of an origin that is allowed; lets everything else pass."""
        if not visit.path.startswith(_API):
            return None
        if _ANY in self._origins:
            allowed = _ANY
        else:
            visit.headers.append(("Vary", "Origin"))
            allowed = visit.environ.get("HTTP_ORIGIN", "")
            if allowed.lower() not in self._origins:
                return None
        visit.headers += (("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", _EXPOSED))
        if visit.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in visit.environ:
            return Answer("204 No Content", _ALLOWED, b"")
        return None
