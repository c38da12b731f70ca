"""Names by which a server may be called.

A page from anywhere can make a browser ask for a name of its own that leads to this machine ("DNS rebinding"), and
then read the answer. So a server that is for this machine alone answers only to names of this machine.
"""

from collections.abc import Iterable

from web.answers import Answer
from web.refusals import Refusals
from web.visits import Visit

_OWN = ("localhost", "127.0.0.1", "[::1]")
# Whoever looks after a server asks for these by an address, and they say nothing.
_ANYWAY = ("/healthz", "/readyz")
_UNKNOWN = "This server does not go by that name. Call it localhost, or start it with --allow-host NAME."


class Hosts:
    """Lets through requests to names of this machine and to those `allowed`, on any port."""

    def __init__(self, allowed: Iterable[str], refuse: Refusals) -> None:
        self._allowed = frozenset((*_OWN, *(host.lower().rstrip(".") for host in allowed)))
        self._refuse = refuse

    def __call__(self, visit: Visit) -> Answer | None:
        """Refuses a request to another name with 403."""
        if visit.path in _ANYWAY or name_of(visit.environ.get("HTTP_HOST", "")) in self._allowed:
            return None
        return self._refuse(visit, 403, "unknown_host", _UNKNOWN)


def name_of(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower().rstrip(".")
