"""Who may ask now, who waits, and who is told to come back: a server that has too much to do stays quick.

A search keeps a core busy, so more at once than there are cores only make each other late. A few run, a bounded
number waits in order of arrival, and whoever comes then, or has waited too long to be still wanted, is refused
before anything is parsed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from web.answers import Answer

Request = TypeVar("Request")


class Admission(Generic[Request]):
    """Runs `ask` on `threads` threads of its own, with at most `queue` requests waiting, each for `patience` seconds.

    The threads are its own because libraries keep memory and helper threads for each thread that calls them, and
    the web server's come and go. `refuse` makes the answer to a request that is not admitted. `watch` is told how
    many are being answered and how many wait, whenever that changes.
    """

    def __init__(
        self,
        ask: Callable[[Request], Answer],
        refuse: Callable[[Request], Answer],
        *,
        threads: int,
        queue: int,
        patience: float,
        watch: Callable[[int, int], None] = lambda running, waiting: None,
    ) -> None:
        self._ask, self._refuse = ask, refuse
        self._patience = patience
        self._running = threads
        self._room = threads + queue
        self._watch = watch
        self._inside = 0
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, "search")
        self.refused = 0

    def __call__(self, request: Request) -> Answer:
        """The answer to a request, or the refusal."""
        if not self._enter():
            return self._refuse(request)
        try:
            work = self._threads.submit(self._ask, request)
            try:
                return work.result(self._patience)
            except TimeoutError:
                if not work.cancel():  # it has begun, so it will end
                    return work.result()
            with self._lock:
                self.refused += 1
            return self._refuse(request)
        finally:
            with self._lock:
                self._inside -= 1
                self._tell()

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
            self._tell()
            return True

    def _tell(self) -> None:
        self._watch(min(self._inside, self._running), max(0, self._inside - self._running))
