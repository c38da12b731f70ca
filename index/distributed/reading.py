"""Documents read by many workers; each reads in a process beside it, as `index.reading.pool` does on one machine.

So a document that hangs, crashes or needs too much memory takes down that process, not the worker, and is set aside as
anywhere else; a worker that is lost was not lost over a document, and what it was reading is read by another one.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.article import Receipt, SetAside
from index.reading.documents import Document
from index.reading.fields import FieldMap
from index.reading.pool import Item

if TYPE_CHECKING:
    from index.distributed.crew import Crew

Source = Document | SetAside | Receipt

# What a worker is given at a time: enough that sending it is nothing, little enough that all are busy.
_DOCUMENTS_A_TASK = 32
_BYTES_A_TASK = 2**20
# Documents that come slower than this, from the web, are not kept waiting for company.
_SECONDS_TO_GATHER = 0.2
# What may be out and not collected: tasks a worker, and bytes.
_TASKS_A_WORKER = 3
_BYTES_OUT = 128 * 2**20


@dataclass(frozen=True, slots=True)
class _Out:
    """A group of documents that is being read, and its size in bytes."""

    items: "Future[list[Item]] | list[Item]"
    size: int = 0

    @property
    def done(self) -> bool:
        return isinstance(self.items, list) or self.items.done()

    def collected(self) -> list[Item]:
        return self.items if isinstance(self.items, list) else self.items.result()


def read_on(crew: "Crew[Sequence[Source], list[Item]]", documents: Iterable[Source]) -> Iterator[Item]:
    """The articles of all documents in order, read by a crew whose workers are made by `reader_of`."""
    out: deque[_Out] = deque()
    bytes_out = 0
    for group in groups(documents):
        size = sum(map(_size, group))
        if any(isinstance(document, Document) for document in group):
            out.append(_Out(crew.submit(group), size))
        else:
            out.append(_Out([_passed_on(document) for document in group if not isinstance(document, Document)]))
        bytes_out += size
        while out and (
            out[0].done or len(out) > _TASKS_A_WORKER * max(crew.members_ready, 1) or bytes_out > _BYTES_OUT
        ):
            first = out.popleft()
            yield from first.collected()
            bytes_out -= first.size
    while out:
        yield from out.popleft().collected()


def groups(documents: Iterable[Source]) -> Iterator[list[Source]]:
    """The same documents, some at a time."""
    gathered: list[Source] = []
    size, since = 0, time.monotonic()
    for document in documents:
        if gathered and size + _size(document) > _BYTES_A_TASK:
            yield gathered
            gathered, size, since = [], 0, time.monotonic()
        gathered.append(document)
        size += _size(document)
        if len(gathered) >= _DOCUMENTS_A_TASK or time.monotonic() - since > _SECONDS_TO_GATHER:
            yield gathered
            gathered, size, since = [], 0, time.monotonic()
    if gathered:
        yield gathered


def reader_of(fields: FieldMap) -> Callable[[Sequence[Source]], list[Item]]:
    """What reads documents here, in a process that is kept."""
    from index.reading import read_parts
    from index.reading.pool import LIMITS, Readers

    readers = Readers(1, fields, LIMITS, read_parts)

    def read(documents: Sequence[Source]) -> list[Item]:
        return [item for task in readers.start(documents) for item in readers.collect(task)]

    return read


def _size(document: Source) -> int:
    return len(document.data) if isinstance(document, Document) else 0


def _passed_on(document: SetAside | Receipt) -> Item:
    return Item(0, document.url if isinstance(document, Receipt) else document.source, document)
