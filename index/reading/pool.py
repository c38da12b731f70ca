"""Reading documents in other processes, which may hang, crash or run out of memory without harm here.

The one module that knows pebble. Documents go out a few at a time and come back in order. A task that
dies takes nothing along: its documents are read again one by one, and only the guilty is set aside.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.article import Article, Receipt, SetAside
from index.errors import DatelineError
from index.reading import read_parts
from index.reading.documents import Document
from index.reading.fields import GUESSED, FieldMap

if TYPE_CHECKING:
    from pebble import ProcessPool

SECONDS_A_DOCUMENT = 60.0
"""The slowest of the 192 development pages takes .7 s."""
MEMORY_A_DOCUMENT = 3 * 2**30
"""Bytes beyond what a process holds before. 30 MB of empty JSON lists, the hungriest input found, take 0.8 GiB."""

_DOCUMENTS_A_TASK = 8
# What a task may hold beyond its first document, and all tasks that were handed out and not collected.
_BYTES_A_TASK = 2**20
_BYTES_OUT = 64 * 2**20
# Tasks handed out per process and not yet collected: enough to keep it busy, few enough to bound memory.
_TASKS_A_PROCESS = 3
# Documents that come slower than this, from the web, are not kept waiting for company.
_SECONDS_TO_GATHER = 0.2
# A task that took this long, or found that much, hands back what it has: a long list of records is read in
# stretches.
_SECONDS_A_STRETCH = 10.0
_ITEMS_A_STRETCH = 10_000
# A process ends itself that much after its parent should have ended it.
_SECONDS_OF_GRACE = 5.0
# Then a process makes room for a fresh one, and with it what its libraries leaked.
_TASKS_A_LIFE = 1_000
# A pool that breaks down as often without reading anything will not recover.
_MOST_BREAKDOWNS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """What reading hands on, from which source, and the weight of source that it used up."""

    weight: int
    source: str
    content: Article | SetAside | Receipt


@dataclass(frozen=True, slots=True)
class Limits:
    """What the reading of one document may take: seconds, and bytes of memory."""

    seconds: float = SECONDS_A_DOCUMENT
    memory: int = MEMORY_A_DOCUMENT


LIMITS = Limits()
_Source = Document | SetAside | Receipt
Reader = Callable[[Document, FieldMap, int], Iterator[tuple[str, Article | SetAside]]]


def read_all(
    documents: Iterable[_Source], workers: int, fields: FieldMap = GUESSED, limits: Limits = LIMITS,
    reader: Reader = read_parts,
) -> Iterator[Item]:  # fmt: skip
    """The articles of all documents in order, each with the weight of source that it used up.

    They are read in `workers` processes beside this one, which start with the first document, or in
    this process, without limits, where that is 0. `reader` has to be importable there.
    """
    if workers <= 0:
        for document in documents:
            if isinstance(document, Document):
                yield from _read_here(document, fields, reader)
            else:
                yield _passed_on(document)
        return
    with Readers(workers, fields, limits, reader) as readers:
        out: deque[_Task | Item] = deque()
        bytes_out = 0
        for documents_of_task in _tasks(documents):
            added = readers.start(documents_of_task)
            out.extend(added)
            bytes_out += sum(task.size for task in added if isinstance(task, _Task))
            while out and (_is_ready(out[0]) or len(out) > workers * _TASKS_A_PROCESS or bytes_out > _BYTES_OUT):
                first = out.popleft()
                yield from readers.collect(first)
                bytes_out -= first.size if isinstance(first, _Task) else 0
        while out:
            yield from readers.collect(out.popleft())


def _read_here(document: Document, fields: FieldMap, reader: Reader) -> Iterator[Item]:
    weight = document.weight
    for source, content in reader(document, fields, 0):
        yield Item(weight, source, content)
        weight = 0


def _passed_on(document: SetAside | Receipt) -> Item:
    return Item(0, document.url if isinstance(document, Receipt) else document.source, document)


def _tasks(documents: Iterable[_Source]) -> Iterator[list[_Source]]:
    """The same documents, a few at a time."""
    gathered: list[_Source] = []
    size, since = 0, time.monotonic()
    for document in documents:
        size += len(document.data) if isinstance(document, Document) else 0
        if gathered and size > _BYTES_A_TASK:
            yield gathered
            gathered, since, size = [], time.monotonic(), size if isinstance(document, Document) else 0
        gathered.append(document)
        if len(gathered) >= _DOCUMENTS_A_TASK or time.monotonic() - since > _SECONDS_TO_GATHER:
            yield gathered
            gathered, since, size = [], time.monotonic(), 0
    if gathered:
        yield gathered


@dataclass(slots=True)
class _Task:
    """Documents that `pool` is reading; of the first, `begin` records were read before."""

    documents: Sequence[Document]
    begin: int
    future: "Future[_Stretch]"
    pool: "ProcessPool"

    @property
    def size(self) -> int:
        return sum(len(document.data) for document in self.documents)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was read; the rest begins in the document and the record with these positions."""

    items: list[Item]
    rest: tuple[int, int] | None = None


def _is_ready(task: _Task | Item) -> bool:
    return isinstance(task, Item) or task.future.done()


class Readers:
    """The processes that read."""

    def __init__(self, workers: int, fields: FieldMap, limits: Limits, reader: Reader) -> None:
        self._workers = workers
        self._fields = fields
        self._limits = limits
        self._reader = reader
        self._breakdowns = 0
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def start(self, documents: Sequence[_Source]) -> list[_Task | Item]:
        """Hands out the documents; what is none is passed on in its place."""
        added: list[_Task | Item] = []
        together: list[Document] = []
        for document in documents:
            if isinstance(document, Document):
                together.append(document)
                continue
            if together:
                added.append(self._hand_out(together))
                together = []
            added.append(_passed_on(document))
        return [*added, self._hand_out(together)] if together else added

    def collect(self, task: _Task | Item) -> Iterator[Item]:
        """What became of the documents of a task; waits for it."""
        if isinstance(task, Item):
            yield task
            return
        while True:
            stretch = self._outcome(task)
            if stretch is None:
                yield from self._one_by_one(task)
                return
            yield from stretch.items
            if stretch.rest is None:
                return
            document, record = stretch.rest
            task = self._hand_out(task.documents[document:], record)

    def _one_by_one(self, task: _Task) -> Iterator[Item]:
        """The documents of a task that died, each in a task of its own, so that only the guilty is lost."""
        alone = [
            self._hand_out([document], task.begin if position == 0 else 0)
            for position, document in enumerate(task.documents)
        ]
        for single in alone:
            [document] = single.documents
            weight = 0 if single.begin else document.weight
            while (stretch := self._outcome(single)) is not None:
                yield from stretch.items
                weight = 0 if stretch.items else weight
                if stretch.rest is None:
                    break
                single = self._hand_out([document], stretch.rest[1])  # noqa: PLW2901 - goes on with the same
            else:
                reason = self._reason(single)
                yield Item(weight, document.source, SetAside(document.source, reason, document.origin))

    def _outcome(self, task: _Task) -> _Stretch | None:
        """What was read, or None where the process died over it. Waits."""
        from pebble import ProcessExpired

        while True:
            try:
                if task.pool is not self._pool and not task.future.done():
                    raise RuntimeError("the task went down with another pool")
                stretch = task.future.result(timeout=self._limits.seconds * (_TASKS_A_PROCESS + 2) * self._workers)
            except (TimeoutError, ProcessExpired, CancelledError, RuntimeError, OSError) as error:
                if isinstance(error, (TimeoutError, ProcessExpired)) and task.future.done():
                    return None
                if task.pool is self._pool:
                    self._break_down(error)
                again = self._hand_out(task.documents, task.begin)
                task.future, task.pool = again.future, again.pool
                continue
            self._breakdowns = 0
            return stretch

    def _reason(self, task: _Task) -> str:
        if isinstance(task.future.exception(), TimeoutError):
            return f"took longer than {self._limits.seconds:g} s to read"
        return "reading it crashed the reader"

    def _hand_out(self, documents: Sequence[Document], begin: int = 0) -> _Task:
        arguments = (tuple(documents), begin, self._fields, self._limits, self._reader)
        while True:
            pool = self._running()
            try:
                future = pool.schedule(_read_task, args=arguments, timeout=self._limits.seconds)
            except RuntimeError as error:
                self._break_down(error)
                continue
            return _Task(documents, begin, future, pool)

    def _running(self) -> "ProcessPool":
        from pebble import ProcessPool

        if self._pool is None:
            # Spawned, not forked: this process already runs the threads of the embedding model.
            context = get_context("spawn")
            self._pool = ProcessPool(self._workers, max_tasks=_TASKS_A_LIFE, initializer=_prepare, context=context)
            with _interrupts_held():
                self._pool.active  # noqa: B018 - starts it
        return self._pool

    def _break_down(self, error: Exception) -> None:
        """Gives up the pool, which has failed as such. Raises DatelineError when that happens again and again."""
        self._stop()
        self._breakdowns += 1
        if self._breakdowns >= _MOST_BREAKDOWNS:
            raise DatelineError(f"The processes that read documents cannot be kept running: {error}") from error

    def _stop(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes and threads that start inside never see Ctrl-C: ending them is for this process to do."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting it lets interrupts through again, so it must be there before (CPython, resource_tracker.py).
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    """In a process that reads: it ends when told to, even in the middle of a parser, or with its parent."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _read_task(documents: Sequence[Document], begin: int, fields: FieldMap, limits: Limits, reader: Reader) -> _Stretch:
    """Reads documents, of the first from record `begin` on, until done or for about ten seconds."""
    items: list[Item] = []
    until = time.monotonic() + _SECONDS_A_STRETCH
    with _last_alarm(limits.seconds):
        for position, document in enumerate(documents):
            skipped = begin if position == 0 else 0
            weight = 0 if skipped else document.weight
            with _bounded_memory(limits.memory):
                for record, (source, content) in enumerate(reader(document, fields, skipped), start=skipped + 1):
                    items.append(Item(weight, source, content))
                    weight = 0
                    if time.monotonic() > until or len(items) >= _ITEMS_A_STRETCH:
                        return _Stretch(items, (position, record))
    return _Stretch(items)


@contextmanager
def _last_alarm(seconds: float) -> Iterator[None]:
    """Ends this process if it is still inside long after its parent should have ended it."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds + _SECONDS_OF_GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _bounded_memory(more: int) -> Iterator[None]:
    """Inside, this process may hold that many bytes more than now; else MemoryError. Where the system can."""
    held = _bytes_held()
    if not held:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = held + more if hard == resource.RLIM_INFINITY else min(held + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _bytes_held() -> int:
    """The address space of this process in bytes, or 0 where the system does not say (it is Linux that does)."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0
