"""Workers that come, go and die, and the work that is given to them; knows nothing of how they are reached.

One thread decides everything. A task is kept until its result is there: when a worker is lost, its tasks go to others,
in front of those that wait. Workers that join are used as soon as they are ready.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from index.errors import ClusterError, DatelineError

Task = TypeVar("Task")
Given_contra = TypeVar("Given_contra", contravariant=True)
Result = TypeVar("Result")

# Tasks that a worker has at once: the next one is there when it has done one.
_TASKS_A_WORKER = 2
# As often it is asked how many workers there could be.
_SECONDS_TO_LOOK = 2.0
# A task whose workers were lost as often is taken to be what ends them.
_MOST_LOSSES = 5
# As long a run waits for the first worker, or for another one when all were lost. On a machine with six times as many
# processes as cores the first one took a minute.
_SECONDS_WITHOUT_WORKERS = 300.0


class WorkerLost(Exception):
    """A worker is gone and what it was doing with it; another one may do it."""


class Worker(Protocol[Given_contra, Result]):
    """A process somewhere that does one task after another."""

    def ready(self) -> "Future[None]":
        """Done when it can work; fails with WorkerLost, or with ClusterError when no worker could."""

    def give(self, task: Given_contra) -> "Future[Result]":
        """Hands out a task; fails with WorkerLost when the worker is gone."""

    def dismiss(self) -> None:
        """Ends it."""


@dataclass(slots=True, eq=False)
class _Job(Generic[Task, Result]):
    """A task that is not done, and how often a worker was lost over it."""

    task: Task
    result: "Future[Result]" = field(default_factory=Future)
    losses: int = 0


@dataclass(slots=True, eq=False)
class _Member(Generic[Task, Result]):
    """A worker and what it was given."""

    worker: Worker[Task, Result]
    ready: bool = False
    jobs: list[_Job[Task, Result]] = field(default_factory=list)


class Crew(Generic[Task, Result]):
    """Does tasks with as many workers as `size` says there can be just now, each made by `start`.

    Nobody is started before there is work. Both are called in a thread of this crew, and what they raise ends it.
    """

    def __init__(self, start: Callable[[], Worker[Task, Result]], size: Callable[[], int]) -> None:
        self._start, self._size = start, size
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: deque[_Job[Task, Result]] = deque()
        self._members: list[_Member[Task, Result]] = []
        self._looked = float("-inf")
        self._last_seen = time.monotonic()
        self._thread: threading.Thread | None = None
        self.members_ready = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, task: Task) -> "Future[Result]":
        """Has a task done. The result fails with ClusterError when no worker can do it, else with what it raised."""
        job: _Job[Task, Result] = _Job(task)
        if self._thread is None:
            self._last_seen = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="crew", daemon=True)
            self._thread.start()
        self._events.put(lambda: self._waiting.append(job))
        return job.result

    def close(self) -> None:
        """Ends all workers; what is not done fails."""
        if self._thread is not None:
            self._events.put(None)
            self._thread.join(timeout=10)

    def _run(self) -> None:
        try:
            while self._handle_next():
                self._look()
                self._hand_out()
            error: DatelineError = ClusterError("The run has ended.")
        except DatelineError as failed:
            error = failed
        except Exception as failed:  # noqa: BLE001 - a library's errors are of all sorts, and nobody else would tell
            error = ClusterError(f"The cluster was lost: {first_line(failed)} {TAKEN_OVER}")
        self._fail_all(error)
        for member in self._members:
            with suppress(Exception):  # nobody is there, or nobody to tell
                member.worker.dismiss()
        while (event := self._events.get()) is not None:  # what comes too late
            with suppress(Exception):
                event()
            self._fail_all(error)

    def _handle_next(self) -> bool:
        """Waits for something to happen; says whether to go on."""
        try:
            event = self._events.get(timeout=_SECONDS_TO_LOOK)
            while event is not None:
                event()
                event = self._events.get_nowait()
        except queue.Empty:
            return True
        self._events.put(None)  # for whoever drains what comes too late
        return False

    def _look(self) -> None:
        """Starts workers where there could be more, and gives up where there have been none for long."""
        now = time.monotonic()
        if now < self._looked + _SECONDS_TO_LOOK or not (self._waiting or any(each.jobs for each in self._members)):
            return
        self._looked = now
        size = self._size()
        for _ in range(size - len(self._members)):
            self._engage()
        for member in [each for each in self._members if not each.ready][: max(len(self._members) - size, 0)]:
            self._members.remove(member)  # there is no place for it any more
            member.worker.dismiss()
        if any(member.ready for member in self._members):
            self._last_seen = now
        elif now > self._last_seen + _SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                f"The cluster has had no worker for {_SECONDS_WITHOUT_WORKERS:.0f} s; it says that it has room for"
                f" {size}. See to its nodes, and run the command again. {TAKEN_OVER}"
            )

    def _engage(self) -> None:
        member: _Member[Task, Result] = _Member(self._start())
        self._members.append(member)
        member.worker.ready().add_done_callback(lambda done: self._events.put(lambda: self._started(member, done)))

    def _started(self, member: _Member[Task, Result], done: "Future[None]") -> None:
        error = done.exception()
        if isinstance(error, WorkerLost):
            self._forget(member)
        elif error is not None:
            raise error
        elif member in self._members:
            member.ready = True
            self._last_seen = time.monotonic()
            self.members_ready += 1

    def _hand_out(self) -> None:
        """The next tasks to those who have fewest."""
        while self._waiting:
            free = [each for each in self._members if each.ready and len(each.jobs) < _TASKS_A_WORKER]
            if not free:
                return
            member = min(free, key=lambda each: len(each.jobs))
            self._give(member, self._waiting.popleft())

    def _give(self, member: _Member[Task, Result], job: _Job[Task, Result]) -> None:
        member.jobs.append(job)
        member.worker.give(job.task).add_done_callback(
            lambda done: self._events.put(lambda: self._finished(member, job, done))
        )

    def _finished(self, member: _Member[Task, Result], job: _Job[Task, Result], done: "Future[Result]") -> None:
        if job not in member.jobs:  # given to another one meanwhile
            return
        error = done.exception()
        if isinstance(error, WorkerLost):
            self._forget(member)
            return
        member.jobs.remove(job)
        with suppress(InvalidStateError):
            if error is not None:
                job.result.set_exception(error)
            else:
                job.result.set_result(done.result())

    def _forget(self, member: _Member[Task, Result]) -> None:
        """A lost worker; what it had to do is done by others, first of all."""
        if member not in self._members:
            return
        self._members.remove(member)
        with suppress(Exception):  # it is gone
            member.worker.dismiss()
        if member.ready:
            self._looked = float("-inf")  # another one is started at once
            self._last_seen = time.monotonic()
            self.members_ready -= 1
        for position, job in enumerate(member.jobs):
            job.losses += position == 0  # only the first was in work
            if job.losses >= _MOST_LOSSES:
                job.result.set_exception(
                    ClusterError(f"{_MOST_LOSSES} workers were lost over the same work, the last one just now."
                                 f" See to the nodes' memory and logs. {TAKEN_OVER}")
                )  # fmt: skip
        self._waiting.extendleft(reversed([job for job in member.jobs if job.losses < _MOST_LOSSES]))

    def _fail_all(self, error: DatelineError) -> None:
        jobs: list[_Job[Any, Any]] = [*self._waiting, *(job for member in self._members for job in member.jobs)]
        self._waiting.clear()
        for job in jobs:
            with suppress(InvalidStateError):
                job.result.set_exception(error)


TAKEN_OVER = "The next run takes over what was stored."


def first_line(error: BaseException) -> str:
    """What an error says first, as a sentence."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
