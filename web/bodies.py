"""Bodies of requests: read before anything else is done for them, within a bound of size and of number.

The web server hands a body on while it comes. A client that sends a byte now and then, or none, would keep the thread
that searches for as long as it likes if that one read the body. So only a posted search has a body here, and the thread
of its own request reads it, of which there are enough: a bounded number of bodies is awaited, few of one address. Who
waits for more of a body cannot be woken, and must not be given up either: granian keeps a lock while it reads, and an
answer that is sent meanwhile waits for that lock and has all of Python wait with it.
"""

from collections import Counter
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from web.answers import LONGEST_BODY, SEARCH_PATH, Answer
from web.rates import neighbourhood
from web.refusals import Refusals
from web.visits import Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

AT_ONCE = 64
"""Bodies that are awaited at once; enough for all who post in the same moment, since what has come is read at once."""
# So eight addresses have to send slowly before others who post are told to come back.
_AT_ONCE_EACH = 8
# A number of so many digits is not turned into one.
_LONGEST_LENGTH = 18
_BUSY = "As many searches are being received as the server reads at once. Try again in a moment."


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Bodies:
    """Reads the body of a posted search into memory; nothing later on the way waits for a client any more."""

    def __init__(self, refuse: Refusals) -> None:
        self._refuse = refuse
        self._awaited: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, visit: Visit) -> Answer | None:
        """Refuses with 503 when too many are awaited already.

        A body that is too long is left unread: the application refuses it by its length.
        """
        environ = visit.environ
        source: _Input = environ["wsgi.input"]
        environ["wsgi.input"] = BytesIO()
        wanted = _wanted(environ) if visit.method == "POST" and visit.path == SEARCH_PATH else 0
        if not wanted:
            return None
        who = neighbourhood(environ.get("REMOTE_ADDR", ""))
        if not self._enter(who):
            return self._refuse(visit, 503, "overloaded", _BUSY)
        try:
            body = source.read(wanted)
        except (OSError, RuntimeError):  # a client that has gone, or that breaks the rules, has sent nothing
            body = b""
        finally:
            self._leave(who)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)  # it has come, and has a length now
        return None

    def _enter(self, who: str) -> bool:
        with self._lock:
            if self._awaited.total() >= AT_ONCE or self._awaited[who] >= _AT_ONCE_EACH:
                return False
            self._awaited[who] += 1
            return True

    def _leave(self, who: str) -> None:
        with self._lock:
            self._awaited[who] -= 1
            self._awaited += Counter()  # forgets who has none


def _wanted(environ: "WSGIEnvironment") -> int:
    """How many bytes to read: what is announced, or one more than may come where nothing is; 0 for too long a body."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    if not length:
        return LONGEST_BODY + 1
    short = length.isascii() and length.isdecimal() and len(length) <= _LONGEST_LENGTH
    return int(length) if short and int(length) <= LONGEST_BODY else 0
