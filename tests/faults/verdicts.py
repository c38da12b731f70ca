"""Whether an index that something was done to holds what was acknowledged, answers rightly and goes on working."""

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editions import SETTINGS, Found, State, examined, load, record
from sample import write_jsonl
from trials import Ended, Operation, in_child

from index.build import add, rebuild
from index.check import repair
from index.errors import IndexMissing

_SHOWN = 2_000
_NEXT = 29
"""The article that the next writer adds: none of the operations has it."""


@dataclass(slots=True)
class Verdict:
    """What is wrong after a trial, by kind; `advised` is the error whose advice an index needed to open."""

    losses: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    advised: str = ""

    @property
    def mistakes(self) -> list[str]:
        """All of it, one line each."""
        told = (("lost", self.losses), ("wrong", self.wrong), ("unexplained", self.unexplained))
        return [f"{kind}: {line}" for kind, lines in (*told, ("left over", self.leftovers)) for line in lines]


@dataclass(slots=True)
class Figures:
    """What trials have shown."""

    trials: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One line."""
        sorts = Counter(line.split(": ", 2)[1] for line in self.mistakes)
        found = {
            "losses": sorts["lost"], "wrong answers": sorts["wrong"], "unexplained errors": sorts["unexplained"],
            "left over": sorts["left over"],
        }  # fmt: skip
        kinds, outcomes = dict(sorted(self.trials.items())), dict(sorted(self.outcomes.items()))
        return json.dumps({"trials": self.trials.total(), "by kind": kinds, "outcomes": outcomes, **found})

    def count(self, number: int, operation: str, kind: str, found: Verdict) -> None:
        """Takes in what one trial has shown; what is wrong is told at once."""
        self.trials[kind] += 1
        if found.advised:
            self.outcomes[f"{operation}: opened only as the error advised"] += 1
            print(f"trial {number} ({operation}, {kind}): mended as advised: {found.advised}", file=sys.stderr)
        for mistake in found.mistakes:
            self.mistakes.append(f"trial {number} ({operation}, {kind}): {mistake}")
            print(self.mistakes[-1][:_SHOWN], file=sys.stderr, flush=True)


def quick_folder() -> str | None:
    """Memory, where there is such a folder: nothing here depends on the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def verdict(root: Path, files: Path, operation: Operation, ended: Ended, seed: int = 0) -> Verdict:
    """Looks at the index in a process of its own, then lets the next writer add to it and looks again."""
    found = Verdict()
    if ended.hung:
        found.unexplained.append(f"{operation.name} hung")
    if ended.error and not ended.explained:
        found.unexplained.append(f"{operation.name}: {ended.error_type}: {ended.error}")
    seen = in_child(lambda tell: _looked_at(root, files, seed))
    if not seen.finished:
        found.unexplained.append(f"the look at the index: {seen.error_type}: {seen.error} {seen.trace}")
        return found
    looks: dict[str, Any] = seen.returned
    state = {int(number): edition for number, edition in looks["state"].items()}
    told = int(ended.told[-1]) if ended.told else 0
    if mistake := operation.mistake(state, told, ended.finished):
        found.losses.append(mistake)
    if looks["state after"] != looks["state"] | {str(_NEXT): 0} and state:
        found.losses.append(f"the next writer made {looks['state']} {looks['state after']}")
    found.wrong += looks["wrong"]
    found.unexplained += looks["unexplained"]
    found.leftovers += looks["leftovers"]
    found.advised = looks["advised"]
    return found


def _looked_at(root: Path, files: Path, seed: int) -> dict[str, Any]:
    unexplained: list[str] = []
    advised = ""
    try:
        found = examined(root, seed)
    except IndexMissing:
        found = Found({}, [], [])
    except Exception as error:
        advised = f"{type(error).__name__}: {error}"
        unexplained += _follow(error, root, files)
        found = examined(root, seed)
    wrong = [*found.wrong, *(f"check: {line}" for line in found.damage)]
    after = _next_writer(root, files, found.state)
    wrong += [f"after the next writer: {line}" for line in (*after.wrong, *after.damage)]
    return {
        "state": {str(number): edition for number, edition in found.state.items()},
        "state after": {str(number): edition for number, edition in after.state.items()},
        "wrong": wrong, "unexplained": unexplained, "advised": advised, "leftovers": leftovers(root),
    }  # fmt: skip


def _follow(error: Exception, root: Path, files: Path) -> list[str]:
    """Does what an error advises; returns what is wrong with the advice."""
    message = str(error)
    if "dateline check --repair" in message:
        repair(root)
    elif "without sources" in message:
        rebuild(root, [], load)
    elif "dateline rebuild" in message:
        rebuild(root, [str(files / "live.jsonl")], load)
    else:
        return [f"no way out: {type(error).__name__}: {message}"]
    return []


def _next_writer(root: Path, files: Path, state: State) -> Found:
    if not state:
        rebuild(root, [str(files / "before.jsonl")], load, settings=SETTINGS)
        return examined(root)
    add(root, [str(write_jsonl(root.parent / "next.jsonl", [record(_NEXT, 0)]))], load)
    return examined(root)


def leftovers(root: Path) -> list[str]:
    """Files that a killed writer left and no writer after it took away."""
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.name.endswith(".draft") or path.name.startswith(".tmp") or path.name == "LOCK.holder"
    ]
