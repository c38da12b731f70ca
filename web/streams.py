"""Answers that are sent while they are made: exports, which have no end that would fit into memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import BoundedSemaphore
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from web.answers import Answer, Headers
from web.refusals import Refusals
from web.visits import Stream, Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Each reads the index for as long as its client listens; more would make searches wait.
_AT_ONCE = 2
_RETRY_SECONDS = "10"
MOST = 6
"""Exports under way, with those that were given up and whose clients still hold a thread each."""
# A client that takes nothing for so long gives up its place to one that would.
_PATIENCE_SECONDS = 60.0
_BUSY = "As many exports as the server makes at once are under way. Try again when one has ended."


class Sending:
    """The parts of a body on their way; `ended` is told once, when nothing more is sent, how many bytes went."""

    def __init__(self, parts: Iterable[bytes], ended: Callable[[int], None]) -> None:
        self._parts = parts
        self._rest = iter(parts)
        self._ended: Callable[[int], None] | None = ended
        self._bytes = 0
        self._moved = monotonic()
        self._given_up = False
        self.held = True
        """Whether a client still holds it: what has ended may live on until a collection of garbage."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._given_up:  # which must not look like the end of the file
            raise ConnectionAbortedError("An export was given up, because its client had taken nothing for long.")
        self._moved = monotonic()
        try:
            part = next(self._rest)
        except BaseException:
            self.close()
            raise
        self._bytes += len(part)
        return part

    def give_up_if_stuck(self) -> None:
        """Ends the sending if its client has long taken nothing; should it come back, the connection is cut."""
        if monotonic() - self._moved > _PATIENCE_SECONDS:
            self._given_up = True
            with suppress(ValueError):  # it has come back at this very moment
                self._end()

    def close(self) -> None:
        """Ends the sending; a client that has gone ends it in the middle."""
        self.held = False
        self._end()

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is None:
            return
        try:
            close = getattr(self._parts, "close", None)
            if close:
                close()
        finally:
            ended(self._bytes)

    def __del__(self) -> None:
        self.close()


class Streams:
    """Lets `app` stream a few answers at once, on the threads of their connections."""

    def __init__(self, app: "WSGIApplication", refuse: Refusals, at_once: int = _AT_ONCE) -> None:
        self._app, self._refuse = app, refuse
        self._room = BoundedSemaphore(at_once)
        self._under_way: WeakSet[Sending] = WeakSet()

    def __call__(self, visit: Visit) -> Answer | Stream:
        """The answer to a request, or the refusal."""
        held = sum(sending.held for sending in list(self._under_way))
        if held >= MOST or not (self._room.acquire(blocking=False) or self._room_of_a_stuck_one()):
            return self._refuse(visit, 503, "overloaded", _BUSY, ("Retry-After", _RETRY_SECONDS))
        try:
            began: list[tuple[str, Headers]] = []

            def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
                began.append((status, tuple(headers)))

            parts = self._app(visit.environ, start)
            sending = Sending(parts, lambda _: self._room.release())
            self._under_way.add(sending)
            return Stream(*began[-1], sending)
        except BaseException:
            self._room.release()
            raise

    def _room_of_a_stuck_one(self) -> bool:
        for sending in list(self._under_way):
            sending.give_up_if_stuck()
        return self._room.acquire(blocking=False)
