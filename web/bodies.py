"""Bodies of requests: read before anything else is done for them, within a bound of size, of time and of number.

The web server hands a body on while it comes, and who waits for more of it cannot be woken. A client that sends a byte
now and then, or none, would keep a thread for as long as it likes, and the thread that searches if nobody read the body
before. So only a posted search has a body here, it is read beside the request, and a client that is slow with it is
told so; what it keeps waiting then is a thread of its own, of which there are few for each address.
"""

from collections import Counter
from io import BytesIO
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

from web.answers import LONGEST_BODY, SEARCH_PATH, Answer
from web.rates import neighbourhood
from web.refusals import Refusals
from web.visits import Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# A search as JSON is one packet or a few.
_PATIENCE_SECONDS = 5.0
AT_ONCE = 16
"""Bodies that are read at once; enough for all who post in the same moment, since what has come is read at once."""
# One address that sends slowly leaves room for others.
_AT_ONCE_EACH = 8
_SLOW = "The body did not come in time. Send it at once, with a Content-Length."
_BUSY = "As many searches are being received as the server reads at once. Try again in a moment."


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Bodies:
    """Reads the body of a posted search into memory; nothing later on the way waits for a client any more."""

    def __init__(self, refuse: Refusals, patience: float = _PATIENCE_SECONDS) -> None:
        self._refuse, self._patience = refuse, patience
        self._reading: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, visit: Visit) -> Answer | None:
        """Refuses with 408 whose body does not come, with 503 when too many are awaited already.

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
        came: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._read, args=(source, wanted, came, who), name="body", daemon=True).start()
        try:
            body = came.get(timeout=self._patience)
        except Empty:
            return self._refuse(visit, 408, "too_slow", _SLOW, ("Connection", "close"))
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)  # it has come, and has a length now
        return None

    @property
    def awaited(self) -> int:
        """How many bodies are being read, those of clients that were given up included."""
        return self._reading.total()

    def _read(self, source: _Input, wanted: int, came: SimpleQueue[bytes], who: str) -> None:
        try:
            body = source.read(wanted)
        except (OSError, RuntimeError):  # a client that has gone, or that breaks the rules, has sent nothing
            body = b""
        finally:
            with self._lock:
                self._reading[who] -= 1
                self._reading += Counter()  # forgets who has none
        came.put(body)

    def _enter(self, who: str) -> bool:
        with self._lock:
            if self._reading.total() >= AT_ONCE or self._reading[who] >= _AT_ONCE_EACH:
                return False
            self._reading[who] += 1
            return True


def _wanted(environ: "WSGIEnvironment") -> int:
    """How many bytes to read: what is announced, or one more than may come where nothing is; 0 for too long a body."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    if not length:
        return LONGEST_BODY + 1
    return int(length) if length.isdecimal() and int(length) <= LONGEST_BODY else 0
