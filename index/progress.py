"""Telling a person how far a long run is.

On a terminal a bar with rate and time left, elsewhere a plain line now and then, always on standard
error; nothing at all when told to be quiet.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

# A log file wants to know that work goes on, not every step of it.
_SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What a run reports to."""

    def advance(self, *, weight: int = 0, documents: int = 0, articles: int = 0, passages: int = 0) -> None:
        """Bytes of the sources used up, documents, articles and passages finished since the last call."""

    def stage(self, name: str) -> None:
        """What is being done now."""


class Silent:
    """Reports nothing."""

    def advance(self, *, weight: int = 0, documents: int = 0, articles: int = 0, passages: int = 0) -> None:
        """Nothing."""

    def stage(self, name: str) -> None:
        """Nothing."""


@dataclass(slots=True)
class Figures:
    """How far a run is, and since when, in seconds of the monotonic clock."""

    weight: int = 0
    documents: int = 0
    articles: int = 0
    passages: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, weight: int, documents: int, articles: int, passages: int) -> None:
        """Counts what was finished."""
        self.weight += weight
        self.documents += documents
        self.articles += articles
        self.passages += passages

    def line(self, total: int | None = None) -> str:
        """How much, how fast, and where the total weight is known how long it will still take."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        text = (
            f"{self.documents:,} documents, {self.articles:,} articles, {self.passages:,} passages,"
            f" {self.passages / seconds:,.0f} passages/s"
        )
        if total and self.weight:
            done = min(1.0, self.weight / total)
            left = round(seconds * (1 - done) / done)
            text += f", {done:.0%}, {left // 60}:{left % 60:02} left"
        return text


class PlainLines:
    """A line of text now and then."""

    def __init__(self, total: int | None, write: Callable[[str], object]) -> None:
        self._total = total
        self._write = write
        self._figures = Figures()
        self._last = self._figures.began

    def advance(self, *, weight: int = 0, documents: int = 0, articles: int = 0, passages: int = 0) -> None:
        """Writes a line if the last one is a while ago."""
        self._figures.add(weight, documents, articles, passages)
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            self._write(self._figures.line(self._total))

    def stage(self, name: str) -> None:
        """Writes the name of the stage."""
        self._write(f"{name} …")


class Bar:
    """A bar on a terminal."""

    def __init__(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        self._figures = Figures()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("indexing", total=total, figures="")
        self._bar.start()

    def advance(self, *, weight: int = 0, documents: int = 0, articles: int = 0, passages: int = 0) -> None:
        """Moves the bar."""
        self._figures.add(weight, documents, articles, passages)
        self._bar.update(self._task, advance=weight, figures=self._figures.line())

    def stage(self, name: str) -> None:
        """Names the stage beside the bar."""
        self._bar.update(self._task, description=name)

    def stop(self) -> None:
        """Takes the bar off the screen."""
        self._bar.stop()


@contextmanager
def progress_on_stderr(total: int | None, *, quiet: bool = False) -> Iterator[Progress]:
    """The progress display that suits standard error; `total` is the weight of all sources if known."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        bar = Bar(total)
        try:
            yield bar
        finally:
            bar.stop()
    else:
        yield PlainLines(total, lambda line: print(line, file=sys.stderr, flush=True))
