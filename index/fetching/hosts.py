"""Who may be asked when: one request at a time to a host, several hosts at a time.

A host has a queue of tasks and a moment before which it is left alone: its delay after a request,
longer after a failure. Threads take the host whose moment has come first. None sleeps while another
host could be asked.
"""

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

from index.article import Receipt
from index.errors import SourceError
from index.fetching.client import AddressRefused, Client, FetchError, Response
from index.fetching.entries import Entry, Part
from index.fetching.robots import Robots, read_robots, robots_url
from index.fetching.settings import Clock, FetchSettings

QUEUE_LENGTH = 32
"""Tasks that wait at one host; more would only take memory."""
_BACK_OFF_SECONDS = 2.0  # before the first new try; doubles with each
_LONGEST_BACK_OFF = 60.0
_LONGEST_RETRY_AFTER = 120.0  # a host that wants to be left alone for longer is left for another run
# Tasks that fail one after the other, each with all its tries: the host is down.
_FAILURES_TO_GIVE_UP = 5
# Responses that wait to be taken. They are on the disk if large.
_MOST_WAITING = 16
_JOIN_SECONDS = 2.0  # a connection being made cannot be interrupted; its thread ends later


@dataclass(slots=True, eq=False)
class Task:
    """An address to fetch. `link` is how it was named, `url` where redirects have led so far.

    `receipt` is of `url`; `trail` the addresses asked before; `tries` failed in passing. `named` is
    what a feed or sitemap says of it, `source` whoever wants to know what became of it, `robots`
    receipts of rules that were read for it.
    """

    link: str
    url: str
    source: object
    named: Entry | Part | None
    limit: int
    receipt: Receipt | None = None
    trail: tuple[str, ...] = ()
    tries: int = 0
    robots: list[Receipt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task: a response or a failure."""

    task: Task
    response: Response | None = None
    failure: FetchError | None = None


@dataclass(slots=True, eq=False)
class _Host:
    queue: deque[Task] = field(default_factory=deque)
    not_before: float = 0.0
    scheduled: bool = False  # waits for a thread, or has one
    delay: float = 0.0
    failures: int = 0
    given_up: str = ""


@dataclass(slots=True, eq=False)
class _Origin:
    receipt: Receipt | None
    robots: Robots | None = None
    refused: FetchError | None = None


class Hosts:
    """The threads that fetch, and the queues that they fetch from; one thread adds and takes."""

    def __init__(self, client: Client, settings: FetchSettings, known: Callable[[str], Receipt | None]) -> None:
        self._client = client
        self._settings = settings
        self._clock: Clock = settings.clock
        self._known = known
        self._hosts: dict[str, _Host] = {}
        self._origins: dict[str, _Origin] = {}
        self._condition = threading.Condition()
        self._order = count()
        self._due: list[tuple[float, int, _Host]] = []
        self._results: deque[Result] = deque()
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._pending = 0

    @property
    def pending(self) -> int:
        """Tasks that were added and whose results were not taken."""
        return self._pending

    def has_results(self) -> bool:
        """Whether `take` would not have to wait."""
        return bool(self._results)

    def has_room(self, url: str) -> bool:
        """Whether the queue of the URL's host takes another task."""
        host = self._hosts.get(_host_of(url))
        return host is None or len(host.queue) < QUEUE_LENGTH

    def given_up(self, url: str) -> str:
        """Why the URL's host is not asked any more in this run, or nothing."""
        host = self._hosts.get(_host_of(url))
        return host.given_up if host else ""

    def add(self, task: Task, *, first: bool = False) -> None:
        """Queues a task behind the others of its host, or before them."""
        origin = _origin_of(task.url)
        if origin not in self._origins:
            self._origins[origin] = _Origin(self._known(robots_url(origin)))
        with self._condition:
            self._pending += 1
            host = self._hosts.setdefault(_host_of(task.url), _Host())
            host.queue.appendleft(task) if first else host.queue.append(task)
            if not host.scheduled:
                self._schedule(host)
            if len(self._threads) < min(self._settings.hosts, len(self._hosts)):
                thread = threading.Thread(target=self._work, name=f"fetching-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._condition.notify_all()

    def take(self) -> Result:
        """The next result, waiting for it; there has to be a pending task."""
        with self._condition:
            while not self._results:
                self._condition.wait()
            self._pending -= 1
            self._condition.notify_all()
            return self._results.popleft()

    def close(self) -> None:
        """Stops the threads; what they were fetching is dropped."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        self._client.close()
        until = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for result in self._results:
            if result.response:
                result.response.body.close()

    def _work(self) -> None:
        while (picked := self._pick()) is not None:
            host, task = picked
            pause = 0.0
            result: Result | None
            try:
                response, pause = self._fetch(host, task)
                result = Result(task, response)
            except SourceError as error:
                failure = error if isinstance(error, FetchError) else FetchError(str(error))
                result, pause = self._failed(host, task, failure)
            except Exception as error:  # noqa: BLE001 - one bad response never stops a run
                result = Result(task, failure=FetchError(f"unexpected {type(error).__name__} while fetching: {error}"))
            self._settle(host, result, pause)

    def _pick(self) -> tuple[_Host, Task] | None:
        """A host whose moment has come, and its next task; None when it is over."""
        with self._condition:
            while not self._stopped:
                if not self._due or len(self._results) >= _MOST_WAITING:
                    self._condition.wait()
                elif (wait := self._due[0][0] - self._clock.monotonic()) > 0:
                    self._clock.wait(self._condition, wait)
                else:
                    host = heapq.heappop(self._due)[2]
                    return host, host.queue.popleft()
        return None

    def _settle(self, host: _Host, result: Result | None, pause: float) -> None:
        with self._condition:
            host.not_before = self._clock.monotonic() + pause
            host.scheduled = False
            if host.queue:
                self._schedule(host)
            if result is not None and not self._stopped:
                self._results.append(result)
            elif result is not None and result.response:
                result.response.body.close()
            self._condition.notify_all()

    def _schedule(self, host: _Host) -> None:
        host.scheduled = True
        heapq.heappush(self._due, (host.not_before, next(self._order), host))

    def _fetch(self, host: _Host, task: Task) -> tuple[Response, float]:
        """The response, and how long the host is left alone after it."""
        if host.given_up:
            raise FetchError(host.given_up, mendable=True, asked=False)
        robots = self._robots(task)
        host.delay = max(self._settings.delay, robots.delay)
        if not robots.allows(task.url):
            raise FetchError("robots.txt does not allow it", asked=False)
        response = self._client.get(task.url, task.receipt, limit=task.limit)
        host.failures = 0
        return response, host.delay

    def _robots(self, task: Task) -> Robots:
        """The rules for a task; only one thread at a time works for a host, so nothing is read twice."""
        name = _origin_of(task.url)
        origin = self._origins[name]
        if origin.refused:
            raise origin.refused
        if origin.robots is None:
            try:
                origin.robots, new = read_robots(self._client, name, origin.receipt, self._clock.time())
            except AddressRefused as error:
                origin.refused = error
                raise
            except FetchError as error:
                reason = f"robots.txt cannot be read: {error}"
                again = error.again and task.tries < self._settings.retries
                if not again:
                    origin.refused = FetchError(reason, mendable=True, asked=False)
                raise FetchError(reason, mendable=True, again=again, wait=error.wait) from error
            if new:
                task.robots.append(origin.robots.receipt)
        return origin.robots

    def _failed(self, host: _Host, task: Task, failure: FetchError) -> tuple[Result | None, float]:
        """The result, or none where the task is to be tried again; and how long to leave the host alone."""
        asked_too_much = failure.wait is not None and failure.wait > _LONGEST_RETRY_AFTER
        if failure.again and task.tries < self._settings.retries and not asked_too_much:
            back_off = min(_BACK_OFF_SECONDS * 2**task.tries, _LONGEST_BACK_OFF)
            task.tries += 1
            host.queue.appendleft(task)
            return None, max(failure.wait or 0.0, back_off * random.uniform(1, 1.5), host.delay)
        name = urlsplit(task.url).netloc
        host.failures = host.failures + 1 if failure.again or failure.mendable else 0
        if asked_too_much and not host.given_up:
            host.given_up = f"{name} asks to be left alone for {failure.wait:.0f} s"
        elif host.failures >= _FAILURES_TO_GIVE_UP and not host.given_up:
            host.given_up = f"{name} failed {_FAILURES_TO_GIVE_UP} times in a row"
        return Result(task, failure=failure), host.delay if failure.asked and not host.given_up else 0.0


def _host_of(url: str) -> str:
    """What shares a delay: a host name, with its port where that is not the scheme's own."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port not in (None, 80, 443) else str(parts.hostname)


def _origin_of(url: str) -> str:
    """What shares a robots.txt: scheme, host and port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
