"""Clients that check every answer: plain sockets, one thread for any number of connections.

    python tests/faults/clients.py PORT --articles 2000 --rate 500 --seconds 60

asks a server over the corpus of rounds.py, prints what came of it as one JSON document and is what load.py runs
several of. At a rate, a request is sent when it is due, however late the answers are, as a crowd of people would;
with `--clients` each client asks again when it is answered.
"""

import argparse
import json
import random
import selectors
import socket
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import quote, urlencode

from rounds import Queries, article_mistakes, mistakes, page_mistakes

_RECEIVED_AT_ONCE = 1 << 18
_PATIENCE_SECONDS = 20.0
# More connections than a server accepts would measure the queue of the operating system.
_MOST_CONNECTIONS = 200
# So that connections spread over the workers again, also over those that were started later.
_REQUESTS_A_CONNECTION = 300
_KEPT_MISTAKES = 20
_REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Request:
    """A request by its path; `kind` says how its answer is checked."""

    path: str
    kind: str


@dataclass(slots=True)
class Response:
    """A whole answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass
class Seen:
    """What clients saw. `moments` are when each request answered with 200 was due, `taken` its milliseconds since.

    `lost` are requests that got no whole answer, by what happened; `bare_refusals` are refusals that do not say
    when to come back or are not in the shape of errors; `states` are the rounds by state of the index.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    moments: array = field(default_factory=lambda: array("d"))
    taken: array = field(default_factory=lambda: array("d"))
    states: dict[str, list[int]] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    mistaken: int = 0
    bare_refusals: int = 0
    checked: int = 0
    from_memory: int = 0

    @property
    def asked(self) -> int:
        """How many requests have ended, with an answer or without."""
        return self.statuses.total() + self.lost.total()

    def wrong(self, found: list[str]) -> None:
        """Takes note of mistakes; the first few are kept."""
        self.mistaken += len(found)
        self.mistakes += found[: max(0, _KEPT_MISTAKES - len(self.mistakes))]

    def as_json(self) -> str:
        """All of it as JSON."""
        told = vars(self) | {"moments": list(self.moments), "taken": [round(one, 2) for one in self.taken]}
        return json.dumps(told)


def requests(queries: Queries, chance: random.Random, articles: int) -> Iterator[Request]:
    """What people and programs ask: mostly searches, each of them new."""
    while True:
        kind = chance.random()
        if kind < 0.8:
            yield Request(f"/api/v1/search?{urlencode({'q': queries.draw()})}", "search")
        elif kind < 0.88:
            yield Request(f"/?{urlencode({'q': queries.draw()})}", "page")
        elif kind < 0.95:
            yield Request(f"/api/v1/articles/a{chance.randrange(articles)}", "article")
        else:
            yield Request(f"/api/v1/suggest?q={quote(queries.draw()[:4])}", "suggestions")


def check(request: Request, response: Response, seen: Seen) -> None:
    """Takes note of an answer, and of what is wrong with it."""
    seen.statuses[response.status] += 1
    if response.status in _REFUSALS:
        seen.bare_refusals += not _is_proper_refusal(request, response)
    elif response.status != 200:
        seen.wrong([f"{request.path}: status {response.status}: {response.body[:200]!r}"])
    else:
        seen.checked += 1
        seen.from_memory += response.headers.get(b"x-cache") == b"hit"
        seen.wrong(_mistakes(request, response, seen))


def _mistakes(request: Request, response: Response, seen: Seen) -> list[str]:
    if request.kind == "page":
        return page_mistakes(response.body.decode())
    try:
        found = json.loads(response.body)
        if request.kind == "article":
            return article_mistakes(found)
        if request.kind != "search":
            return []
        wrong, round = mistakes(found)
    except (ValueError, KeyError, AssertionError) as error:
        return [f"{request.path}: {error!r}"]
    if round is not None and round not in (rounds := seen.states.setdefault(found["generation"], [])):
        rounds.append(round)
    return wrong


def _is_proper_refusal(request: Request, response: Response) -> bool:
    if not response.headers.get(b"retry-after", b"").isdigit():
        return False
    if request.kind == "page":
        return b"</html>" in response.body
    error = json.loads(response.body)["error"]
    return bool(error["code"] and error["message"])


class _Caller:
    """One connection: what was asked over it and what has come so far."""

    __slots__ = ("asked", "buffer", "connecting", "due", "number", "request", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", port))
        self.connecting = True
        self.request: Request | None = None
        self.due = self.asked = 0.0
        self.number = 0
        self.buffer = bytearray()

    def send(self) -> None:
        assert self.request
        self.buffer.clear()
        self.socket.send(f"GET {self.request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def receive(self) -> Response | None:
        """The answer once it is whole. Raises ConnectionError when it will never be."""
        received = self.socket.recv(_RECEIVED_AT_ONCE)
        if not received:
            raise ConnectionError("cut" if self.buffer else "closed")
        self.buffer += received
        at = self.buffer.find(b"\r\n\r\n")
        if at < 0:
            return None
        lines = bytes(self.buffer[:at]).split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        if len(self.buffer) - at - 4 < int(headers[b"content-length"]):
            return None
        return Response(int(lines[0].split()[1]), headers, bytes(self.buffer[at + 4 :]))


class Crowd:
    """Asks a server at a port what `drawn` says, and has `checked` look at every answer."""

    def __init__(
        self,
        port: int,
        drawn: Iterator[Request],
        checked: Callable[[Request, Response, Seen], None] = check,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self.seen = Seen()
        self._port, self._drawn, self._checked, self._patience = port, drawn, checked, patience
        self._watched = selectors.DefaultSelector()
        self._idle: list[_Caller] = []
        self._busy: dict[_Caller, None] = {}

    def at_rate(self, rate: float, seconds: float, chance: random.Random) -> Seen:
        """Sends `rate` requests a second for so many seconds, and waits for the last answers."""
        end = monotonic() + seconds
        due = monotonic()
        while (now := monotonic()) < end:
            while due <= now:
                self._ask(next(self._drawn), due)
                due += chance.expovariate(rate)
            self._listen(min(0.02, max(0.0, due - monotonic())))
        return self._finish()

    def in_turn(self, clients: int, seconds: float = float("inf"), most: float = float("inf")) -> Seen:
        """So many clients, each asking when it is answered, for some seconds or until `most` have been asked."""
        end = monotonic() + seconds
        while (now := monotonic()) < end and self.seen.asked < most:
            while len(self._busy) < clients:
                self._ask(next(self._drawn), now)
            self._listen(0.05)
        return self._finish()

    def _finish(self) -> Seen:
        while self._busy:
            self._listen(0.05)
        for caller in self._idle:
            self._close(caller)
        self._idle.clear()
        return self.seen

    def _ask(self, request: Request, due: float) -> None:
        if not self._idle and len(self._busy) >= _MOST_CONNECTIONS:
            self.seen.lost["no connection left to ask"] += 1
            return
        caller = self._idle.pop() if self._idle else self._connected()
        caller.request, caller.due, caller.asked = request, due, monotonic()
        caller.number += 1
        self._busy[caller] = None
        if not caller.connecting:
            self._try(caller, caller.send)

    def _connected(self) -> _Caller:
        caller = _Caller(self._port)
        self._watched.register(caller.socket, selectors.EVENT_WRITE, caller)
        return caller

    def _listen(self, wait: float) -> None:
        for key, _ in self._watched.select(wait):
            caller: _Caller = key.data
            if caller.connecting:
                self._watched.modify(caller.socket, selectors.EVENT_READ, caller)
                caller.connecting = False
                self._try(caller, caller.send)
            elif response := self._try(caller, caller.receive):
                self._take(caller, response)
        now = monotonic()
        for caller in [one for one in self._busy if now - one.asked > self._patience]:
            self._lose(caller, f"no answer in {self._patience:g} s")

    def _try(self, caller: _Caller, act: Callable[[], Response | None]) -> Response | None:
        try:
            return act()
        except OSError as error:
            # A connection that was kept and is closed when it is used again has lost nothing.
            self._lose(caller, type(error).__name__ if str(error) not in ("cut", "closed") else str(error))
            return None

    def _take(self, caller: _Caller, response: Response) -> None:
        del self._busy[caller]
        request, caller.request = caller.request, None
        assert request
        if response.status == 200:
            self.seen.moments.append(caller.due)
            self.seen.taken.append((monotonic() - caller.due) * 1000)
        self._checked(request, response, self.seen)
        if caller.number >= _REQUESTS_A_CONNECTION or response.headers.get(b"connection") == b"close":
            self._close(caller)
        else:
            self._idle.append(caller)

    def _lose(self, caller: _Caller, how: str) -> None:
        if caller in self._busy:
            del self._busy[caller]
            self.seen.lost[how] += 1
        elif caller in self._idle:
            self._idle.remove(caller)
        self._close(caller)

    def _close(self, caller: _Caller) -> None:
        self._watched.unregister(caller.socket)
        caller.socket.close()


def main() -> None:
    """Asks, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--articles", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    drawn = requests(Queries(chance, asked.articles), chance, asked.articles)
    crowd = Crowd(asked.port, drawn)
    seen = (
        crowd.at_rate(asked.rate, asked.seconds, chance) if asked.rate else crowd.in_turn(asked.clients, asked.seconds)
    )
    print(seen.as_json())


if __name__ == "__main__":
    main()
