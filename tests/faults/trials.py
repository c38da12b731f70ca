"""What crash.py and power.py do to an index: operations, the indexes they begin with, and processes to do it in.

Processes are forked from one that has everything loaded and never touches an index itself, so that a trial costs
a tenth of a second.
"""

import json
import logging
import os
import select
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faultlib
from editions import OTHER_SETTINGS, SETTINGS, State, load, write_editions

from index import build, derived, ingest
from index import lists as inverted
from index.build import add, rebuild, remove
from index.check import repair
from index.errors import DatelineError
from index.generation import live_generation
from index.progress import Silent
from index.restore import rollback
from search.engine import Engine

SECONDS_A_TRIAL = 60.0
# An add of a dozen articles is several transactions.
_DOCUMENTS_A_BATCH = 4
# Lists over all vectors but those of the smallest index.
_LISTED_FROM = 30

BEFORE: State = dict.fromkeys(range(14), 0)
LIVE: State = {**BEFORE, 14: 0, 15: 0, 16: 0, 17: 0, 18: 0, 0: 1, 1: 1}
ADDED: State = {2: 1, 20: 0, 21: 0, 3: 2, 30: 0, 22: 0, 16: 1, 23: 0, 24: 0, 0: 2, 25: 0}
REMOVED = (0, 5, 17)
REBUILT: State = {
    **{number: edition for number, edition in LIVE.items() if number > 3}, 4: 1, 5: 1, 14: 2, 26: 0, 27: 0, 28: 0,
    31: 0,
}  # fmt: skip

Tell = Callable[[str], None]
Run = Callable[[Path, Path, Tell], object]
"""What an operation does, given the index, the folder of files and whom to tell what is acknowledged."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something done to the index `template`, and what it should hold before and after.

    One that is not `whole` goes on article by article in the order of `after`'s difference: what it has told of is
    done.
    """

    name: str
    template: str
    run: Run
    before: State
    after: State
    whole: bool = True
    order: tuple[int, ...] = ()

    def mistake(self, state: State, told: int, finished: bool) -> str | None:
        """Why an index may not hold `state` when `told` articles were acknowledged; None if it may."""
        if finished:
            return None if state == self.after else f"finished, but {_difference(self.after, state)}"
        if self.whole:
            return None if state in (self.before, self.after) else f"half done: {_difference(self.before, state)}"
        due = {number: self.after[number] for number in self.order[:told]}
        expected = {**self.before, **due}
        for number in self.order[told:]:
            if state.get(number) == self.after[number]:
                expected[number] = self.after[number]
        return None if state == expected else f"{told} acknowledged, but {_difference(expected, state)}"


def _difference(expected: State, state: State) -> str:
    missing = {number: edition for number, edition in expected.items() if state.get(number) != edition}
    extra = {number: edition for number, edition in state.items() if expected.get(number) != edition}
    return f"these should be there: {missing}, these are: {extra}"


class _Telling(Silent):
    """Tells how many articles are acknowledged."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._articles = tell, 0

    def advance(self, *, weight: int = 0, documents: int = 0, articles: int = 0, passages: int = 0) -> None:
        self._articles += articles
        self._tell(str(self._articles))


def _rebuild(name: str, settings: object = SETTINGS) -> Run:
    return lambda root, files, tell: rebuild(root, [str(files / name)], load, settings=settings)  # type: ignore[arg-type]


def _add(root: Path, files: Path, tell: Tell) -> object:
    return add(root, [str(files / "added.jsonl")], load, progress=_Telling(tell))


def _open(root: Path, files: Path, tell: Tell) -> object:
    Engine.open(root, load).close()
    return None


OPERATIONS = (
    Operation("first rebuild", "none", _rebuild("before.jsonl"), {}, BEFORE),
    Operation("rebuild", "live", _rebuild("rebuilt.jsonl"), LIVE, REBUILT),
    Operation("rebuild of the same", "live", _rebuild("live.jsonl"), LIVE, LIVE),
    Operation("rebuild afresh", "live", _rebuild("rebuilt.jsonl", OTHER_SETTINGS), LIVE, REBUILT),
    Operation("rebuild after a kill", "unfinished", _rebuild("rebuilt.jsonl"), LIVE, REBUILT),
    Operation(
        "rebuild without sources", "live", lambda root, files, tell: rebuild(root, [], load, settings=OTHER_SETTINGS),
        LIVE, LIVE,
    ),
    Operation("add", "live", _add, LIVE, LIVE | ADDED, whole=False, order=tuple(ADDED)),
    Operation(
        "remove", "live", lambda root, files, tell: remove(root, [f"a{number}" for number in REMOVED]),
        LIVE, {number: edition for number, edition in LIVE.items() if number not in REMOVED},
    ),
    Operation("repair", "broken", lambda root, files, tell: repair(root), LIVE, LIVE),
    Operation("open after a kill", "lagging", _open, LIVE | ADDED, LIVE | ADDED),
    Operation("rollback", "live", lambda root, files, tell: rollback(root), LIVE, BEFORE),
)  # fmt: skip


# -- the indexes that operations begin with ----------------------------------------------------------------------


class Templates:
    """The indexes that operations begin with, each made when it is first asked for, and the files that they read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        for name, editions in (("before", BEFORE), ("live", LIVE), ("added", ADDED), ("rebuilt", REBUILT)):
            write_editions(self.files / f"{name}.jsonl", editions)

    def of(self, operation: Operation) -> Path:
        """The folder that has the operation's index in it, as `index`."""
        return self._made(operation.template)

    def _made(self, name: str) -> Path:
        place = self._folder / name
        if place.exists():
            return place
        if name == "none":
            place.mkdir()
        elif name == "live":
            in_child(lambda tell: _build(place / "index", self.files)).require_success()
        else:
            shutil.copytree(self._made("live"), place)
            spoil = {"broken": _break, "lagging": _leave_lagging, "unfinished": _leave_unfinished}[name]
            ended = in_child(lambda tell: spoil(place / "index", self.files))
            if not (ended.finished or ended.killed):
                raise RuntimeError(ended.trace)
        return place


def _build(root: Path, files: Path) -> None:
    """An index of two generations to whose live one something was added."""
    tuned(lists=True, eager=True)
    rebuild(root, [str(files / "before.jsonl")], load, settings=SETTINGS)
    rebuild(root, [str(write_editions(files / "first.jsonl", dict.fromkeys(LIVE, 0)))], load)
    tuned(lists=True, eager=False)
    later = {number: edition for number, edition in LIVE.items() if edition}
    add(root, [str(write_editions(files / "later.jsonl", later))], load)


def _break(root: Path, files: Path) -> None:
    layout = live_generation(root)
    layout.columns.unlink()
    shutil.rmtree(layout.article_terms)
    with layout.vectors.open("r+b") as file:
        file.truncate(1_000)


def _leave_lagging(root: Path, files: Path) -> None:
    """Adds something to the catalog that the terms do not get to know."""
    build.bring_in_step = lambda layout: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    tuned(lists=False, eager=False)
    _add(root, files, lambda line: None)


def _leave_unfinished(root: Path, files: Path) -> None:
    """Begins a rebuild that is killed when half of its terms are written."""
    derived.article_terms_in_step = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    derived._terms_followed = lambda *arguments: False
    tuned(lists=False, eager=False)
    rebuild(root, [str(files / "rebuilt.jsonl")], load)


def tuned(*, lists: bool, eager: bool) -> None:
    """Makes a small index take the ways of a large one: several batches, lists, arrays written at every change."""
    ingest._BATCH_DOCUMENTS = _DOCUMENTS_A_BATCH
    inverted.EXACT_UP_TO = _LISTED_FROM if lists else 2**40
    derived._MOST_LAG, derived._MOST_LAG_SHARE = (0, 0.0) if eager else (1_000, 0.05)


# -- processes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a process: what it told, what its work returned, or the error that it ended with."""

    told: tuple[str, ...]
    returned: Any = None
    error: str | None = None
    error_type: str | None = None
    explained: bool = False
    trace: str = ""
    killed: bool = False
    hung: bool = False

    def require_success(self) -> Any:
        """What the work returned; RuntimeError where it failed."""
        if self.error or self.killed or self.hung:
            raise RuntimeError(self.trace or f"{self}")
        return self.returned

    @property
    def finished(self) -> bool:
        """Whether the work came to its end without an error."""
        return not (self.error or self.killed or self.hung)


@dataclass(slots=True)
class Child:
    """A forked process at work."""

    process: int
    _lines: int
    _heard: bytes = b""
    _over: bool = False

    def listen(self, seconds: float) -> bool:
        """Takes in what it tells for at most this long; says whether it has said its last."""
        until = time.monotonic() + seconds
        while not self._over:
            ready, _, _ = select.select([self._lines], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return False
            more = os.read(self._lines, 65_536)
            self._heard += more
            self._over = not more
        return True

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.process, signal.SIGKILL)

    def collect(self, seconds: float = SECONDS_A_TRIAL) -> Ended:
        """Waits for its end; one that takes longer than this hangs, and is killed."""
        hung = not self.listen(seconds)
        if hung:
            self.kill()
            self.listen(seconds)
        os.close(self._lines)
        _, status = os.waitpid(self.process, 0)
        told: list[str] = []
        last: dict[str, Any] = {}
        for line in self._heard.splitlines(keepends=True):
            if line.startswith(b"{") and line.endswith(b"\n"):
                last = json.loads(line)
            elif line.endswith(b"\n"):
                told.append(line.decode().strip())
        killed = not last and not hung
        return Ended(tuple(told), **last, killed=killed and os.WIFSIGNALED(status), hung=hung)


def in_child(work: Callable[[Tell], object], seconds: float = SECONDS_A_TRIAL) -> "Ended":
    """Does `work` in a process of its own and waits for it."""
    return start(work).collect(seconds)


def start(work: Callable[[Tell], object]) -> Child:
    """Begins `work` in a forked process; it is given whom to tell what is acknowledged."""
    listening, telling = os.pipe()
    process = os.fork()
    if process:
        os.close(telling)
        return Child(process, listening)
    os.close(listening)
    try:
        _be_quiet()

        def tell(line: str) -> None:
            os.write(telling, f"{line}\n".encode())
            faultlib.mark(line)

        last = _outcome(work, tell)
        os.write(telling, (json.dumps(last) + "\n").encode())
    finally:
        os._exit(0)


def _outcome(work: Callable[[Tell], object], tell: Tell) -> dict[str, Any]:
    try:
        returned = work(tell)
        return {"returned": returned if isinstance(returned, (dict, list, str, int, type(None))) else None}
    except BaseException as error:
        explained = isinstance(error, DatelineError) or (isinstance(error, OSError) and bool(error.strerror))
        message = f"{error}" or type(error).__name__
        return {
            "error": message, "error_type": type(error).__name__, "trace": traceback.format_exc(),
            "explained": explained and "\n" not in message,
        }  # fmt: skip


def _be_quiet() -> None:
    """Warnings of an index under attack are expected; and what libraries write on their own is of no interest."""
    logging.disable()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


@contextmanager
def copied(template: Path, place: Path) -> Iterator[Path]:
    """A copy of the folder that holds a template's index, for one trial."""
    shutil.copytree(template, place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
