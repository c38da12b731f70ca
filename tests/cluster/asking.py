"""Searches asked all the time, and a tally of what came of each."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from cluster.corpus import Question

PAUSE_SECONDS = 0.05
"Between two searches of one asker: machines have other things to do, too."
REMEMBERED = 5


class Refused(Exception):
    """No answer, but a reason."""


Ask = Callable[[str], Sequence[str]]
"Ids of the articles found for a question, best first. Raises Refused; anything else raised is unexplained."
Judge = Callable[[Question, Sequence[str]], str | None]
"What is wrong with an answer; None if nothing is."


@dataclass(slots=True)
class Tally:
    """What came of the searches of a while."""

    asked: int = 0
    right: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    "How often each reason was given."
    unexplained: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0
    slowest: float = 0.0
    "Seconds of the slowest search, whatever came of it."
    right_since: float = 0.0
    "When the last answer that was not right came, by `time.monotonic`."
    right_at: float = 0.0
    "When the last right one came."

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.asked + other.asked, self.right + other.right, _added(self.refused, other.refused),
            _added(self.unexplained, other.unexplained), (self.wrong + other.wrong)[:REMEMBERED],
            self.wrongs + other.wrongs,
            max(self.slowest, other.slowest), max(self.right_since, other.right_since),
            min(self.right_at, other.right_at),
        )  # fmt: skip


class Asking:
    """Asks all questions over and over, each way to ask in a thread of its own, while it is open."""

    def __init__(self, ways: Mapping[str, Ask], questions: Sequence[Question], judge: Judge) -> None:
        self._ways, self._questions, self._judge = ways, questions, judge
        self._tallies = {name: Tally() for name in ways}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=one, daemon=True) for one in ways.items()]

    def __enter__(self) -> "Asking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def tallies(self) -> dict[str, Tally]:
        """By way to ask."""
        with self._lock:
            return dict(self._tallies)

    def wait_until_right(self, steady: float, seconds: float) -> float | None:
        """Until for `steady` seconds all answers were right; when that time began, in seconds, None if it never did."""
        begun = time.monotonic()
        with self._lock:
            for tally in self._tallies.values():
                tally.right_since = begun
        while (now := time.monotonic()) - begun < seconds + steady:
            since = max(tally.right_since for tally in self.tallies.values())
            answered = min(tally.right_at for tally in self.tallies.values())
            if now - since >= steady and answered > since + steady / 2:  # silence isn't right either
                return round(since - begun, 1)
            time.sleep(0.05)
        return None

    def _ask(self, name: str, way: Ask) -> None:
        for question in cycle(self._questions):
            if self._over.wait(PAUSE_SECONDS):
                return
            begun = time.monotonic()
            outcome, said = self._outcome(way, question)
            with self._lock:
                tally = self._tallies[name]
                tally.asked += 1
                tally.slowest = max(tally.slowest, time.monotonic() - begun)
                if outcome == "right":
                    tally.right_at = time.monotonic()
                else:
                    tally.right_since = time.monotonic()
                match outcome:
                    case "right":
                        tally.right += 1
                    case "refused":
                        tally.refused[said] = tally.refused.get(said, 0) + 1
                    case "unexplained":
                        tally.unexplained[said] = tally.unexplained.get(said, 0) + 1
                    case "wrong":
                        tally.wrongs += 1
                        tally.wrong = [*tally.wrong, said][:REMEMBERED]

    def _outcome(self, way: Ask, question: Question) -> tuple[str, str]:
        try:
            found = way(question.text)
        except Refused as reason:
            return "refused", str(reason)
        except Exception as error:
            return "unexplained", f"{type(error).__name__}: {error}"[:300]
        fault = self._judge(question, found)
        return ("wrong", f"{question.text!r}: {fault}") if fault else ("right", "")


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in {**one, **other}}
