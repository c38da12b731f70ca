"""Who may ask now, who waits, and who is told to come back: a server that has too much to do stays quick.

A search keeps a core busy, so more at once than there are cores only make each other late. A few run, a bounded
number waits in order of arrival, and whoever comes then, or has waited too long to be still wanted, is refused
before anything is parsed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

from web.answers import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Ask = Callable[["WSGIEnvironment"], Answer]


class Admission:
    """Runs `ask` on `threads` threads of its own, with at most `queue` requests waiting, each for `patience` seconds.

    The threads are its own because libraries keep memory and helper threads for each thread that calls them, and
    the web server's come and go. `refuse` makes the answer to a request that is not admitted.
    """

    def __init__(self, ask: Ask, refuse: Ask, *, threads: int, queue: int, patience: float) -> None:
        self._ask, self._refuse = ask, refuse
        self._patience = patience
        self._room = threads + queue
        self._inside = 0
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, "search")
        self.refused = 0

    def __call__(self, environ: "WSGIEnvironment") -> Answer:
        """The answer to a request, or the refusal."""
        if not self._enter():
            return self._refuse(environ)
        try:
            work = self._threads.submit(self._ask, environ)
            try:
                return work.result(self._patience)
            except TimeoutError:
                if not work.cancel():  # it has begun, so it will end
                    return work.result()
            with self._lock:
                self.refused += 1
            return self._refuse(environ)
        finally:
            with self._lock:
                self._inside -= 1

    @property
    def inside(self) -> int:
        """How many requests are being answered or wait."""
        return self._inside

    def _enter(self) -> bool:
        with self._lock:
            if self._inside >= self._room:
                self.refused += 1
                return False
            self._inside += 1
            return True
