"""Reading documents in this process or in several."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

from index.article import Article, SetAside
from index.reading import read
from index.reading.documents import Document

_DOCUMENTS_A_TASK = 8
# Tasks handed out per process and not yet collected: enough to keep it busy, few enough to bound memory.
_TASKS_A_PROCESS = 3

_Weighed = tuple[int, Article | SetAside]


def read_all(documents: Iterable[Document | SetAside], workers: int) -> Iterator[_Weighed]:
    """The articles of all documents in order, each with the weight of source that it used up.

    More than one worker reads in that many processes beside this one.
    """
    if workers <= 1:
        for document in documents:
            yield from _read_one(document)
        return
    # Spawned, not forked: this process already runs the threads of the embedding model.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: deque[Future[list[_Weighed]]] = deque()
        remaining = iter(documents)
        while task := tuple(islice(remaining, _DOCUMENTS_A_TASK)):
            running.append(pool.submit(_read_task, task))
            if len(running) > workers * _TASKS_A_PROCESS:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()


def _read_task(documents: tuple[Document | SetAside, ...]) -> list[_Weighed]:
    return [item for document in documents for item in _read_one(document)]


def _read_one(document: Document | SetAside) -> Iterator[_Weighed]:
    if isinstance(document, SetAside):
        yield 0, document
        return
    weight = document.weight
    for item in read(document):
        yield weight, item
        weight = 0
