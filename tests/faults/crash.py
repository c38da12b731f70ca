"""Kills, failing disks, wrong clocks and two writers at once: what an index holds afterwards.

Run as: python tests/faults/crash.py [--kills 500] [--faults 1000] [--others 200] [--seed 7] [--trial N]

Every trial does one operation (build, add, remove, repair, roll back …) to a copy of a small index and disturbs it:

- kill: SIGKILL before, after or in the middle of the n-th call that changes a file, or at a random moment;
- fault: from the n-th such call on, or once, the disk is full, broken or read-only, writes are short, or a wait
  for the disk fails;
- writers: the operation is stopped half-way, a second writer has to be refused, a reader to be served; then it goes
  on, or is killed while another waits for it;
- clock: it is done years ago or ahead, and killed or not;
- sealed: the index that a killed add left is put where nothing can be written, and searched there.

Afterwards every article that was acknowledged has to be there, once, with all its passages, words and vectors; what
was not may be there whole or not at all; every answer has to be right, `check` to find nothing, the next writer to
work and to leave no litter; and every error has to be one that says what happened. `--trial N` repeats the N-th
trial of a seed and shows all. Prints a JSON line of figures; exits with 1 where anything was wrong.
"""

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import faultlib
from bystanders import follow_and_search, look_where_nothing_can_be_written, try_to_write, wait_and_write
from editions import remember_all
from faultlib import CHANGES, EVERYTHING, NEEDS_ROOM, Action, Kind, Orders
from trials import OPERATIONS, Child, Ended, Operation, Tell, Templates, copied, in_child, start, tuned
from verdicts import Figures, Verdict, quick_folder, verdict

_YEARS = 365 * 24 * 3600
_CLOCKS = (-30 * _YEARS, -1 * _YEARS, -3600, 3600, _YEARS, 12 * _YEARS)
# A second writer waits so long at most for the first to be killed.
_WAITING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a trial takes place: its operation, a copy of the index, the files, and what chance it has.

    Undisturbed, the operation makes so many `calls` and takes so many `seconds`.
    """

    operation: Operation
    place: Path
    files: Path
    calls: int
    seconds: float
    chance: random.Random

    @property
    def root(self) -> Path:
        """The index."""
        return self.place / "index"

    def call(self) -> int:
        """One of the calls that the operation makes, by number."""
        return self.chance.randint(1, self.calls)

    def start(self, orders: Orders, clock: int = 0) -> Child:
        """Begins the operation under these orders."""
        lists, eager = self.chance.random() < 0.5, self.chance.random() < 0.5

        def work(tell: Tell) -> None:
            faultlib.set_clock(clock)
            tuned(lists=lists, eager=eager)
            faultlib.begin(self.place, orders)
            self.operation.run(self.root, self.files, tell)

        return start(work)

    def verdict(self, ended: Ended) -> Verdict:
        """What is wrong with the index now."""
        return verdict(self.root, self.files, self.operation, ended, self.chance.randrange(2**32))


# -- kinds of trials ---------------------------------------------------------------------------------------------


def kill(scene: Scene) -> tuple[str, Verdict]:
    """SIGKILL at a call or at a moment."""
    if scene.chance.random() < 0.25:
        child = scene.start(Orders())
        if not child.listen(scene.chance.uniform(0, 1.2 * scene.seconds)):
            child.kill()
        return "kill at a moment", scene.verdict(child.collect())
    action = scene.chance.choice([Action.KILL_BEFORE, Action.KILL_AFTER, Action.KILL_TORN])
    return "kill at a call", scene.verdict(scene.start(Orders.once(action, scene.call())).collect())


_FAULTS: tuple[tuple[str, Action, Kind, int], ...] = (
    ("full disk", Action.FAIL, NEEDS_ROOM, errno.ENOSPC),
    ("broken disk", Action.FAIL, CHANGES, errno.EIO),
    ("read-only disk", Action.FAIL, EVERYTHING & ~Kind.SYNC, errno.EROFS),
    ("short write", Action.SHORT, Kind.WRITE, errno.ENOSPC),
    ("failed sync", Action.FAIL, Kind.SYNC, errno.EIO),
)


def fault(scene: Scene) -> tuple[str, Verdict]:
    """A disk that fails once, or from some call on."""
    name, action, kinds, error = scene.chance.choice(_FAULTS)
    ordered = scene.chance.choice([Orders.once, Orders.from_then_on])
    # Of calls of few kinds there are fewer.
    at = max(1, round(scene.call() * _share(kinds)))
    return name, scene.verdict(scene.start(ordered(action, at, kinds, error)).collect())


def _share(kinds: Kind) -> float:
    return {Kind.SYNC: 0.2, Kind.WRITE: 0.55, NEEDS_ROOM: 0.75}.get(kinds, 1.0)


def writers(scene: Scene) -> tuple[str, Verdict]:
    """A second writer and a reader while the first is stopped half-way; then it goes on, or is killed."""
    child = scene.start(Orders.once(Action.STOP, scene.call()))
    reader = start(lambda tell: follow_and_search(scene.root, scene.seconds, tell))
    found = Verdict()
    stopped = _is_stopped(child)
    if stopped and (scene.root / "LOCK.holder").exists():
        refused = in_child(lambda tell: try_to_write(scene.root, child.process))
        found.wrong += refused.returned if refused.finished else [f"second writer: {refused.error} {refused.trace}"]
    killed = stopped and scene.chance.random() < 0.5
    if killed:
        waiting = start(lambda tell: wait_and_write(scene.root, _WAITING_SECONDS, tell))
        waiting.listen(scene.chance.uniform(0, 0.2))
        child.kill()
        waited = waiting.collect()
        if not waited.finished:
            found.wrong.append(f"the writer that waited: {waited.error} {waited.trace}")
    elif stopped:
        os.kill(child.process, signal.SIGCONT)
    ended, read = child.collect(), reader.collect()
    found.wrong += read.returned if read.finished else [f"reader: {read.error} {read.trace}"]
    later = scene.verdict(ended)
    later.wrong += found.wrong
    return f"two writers, the first {'killed' if killed else 'going on'}", later


def _is_stopped(child: Child) -> bool:
    """Waits until a process has stopped itself; False if it ends first."""
    while not child.listen(0.01):
        if Path(f"/proc/{child.process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T":
            return True
    return False


def clock(scene: Scene) -> tuple[str, Verdict]:
    """A clock that is years off, and a kill in every other trial."""
    orders = Orders.once(Action.KILL_AFTER, scene.call()) if scene.chance.random() < 0.5 else Orders()
    ahead = scene.chance.choice(_CLOCKS)
    _touch(scene.root, scene.chance.choice([0, ahead]))
    return "wrong clock", scene.verdict(scene.start(orders, ahead).collect())


def _touch(root: Path, seconds: int) -> None:
    for path in root.rglob("*") if seconds else ():
        moment = time.time() + seconds
        os.utime(path, (moment, moment))


def sealed(scene: Scene) -> tuple[str, Verdict]:
    """A killed writer's index where nothing can be written: it is searched, and who writes is told why not."""
    ended = scene.start(Orders.once(Action.KILL_AFTER, scene.call())).collect()
    there = in_child(lambda tell: look_where_nothing_can_be_written(scene.place, scene.root))
    found = Verdict()
    if not there.finished:
        found.unexplained.append(f"where nothing can be written: {there.error_type}: {there.error} {there.trace}")
    elif there.returned is None:
        return "nothing can be written: not to be had here", found
    else:
        state = {int(number): edition for number, edition in there.returned["state"].items()}
        told = int(ended.told[-1]) if ended.told else 0
        if mistake := scene.operation.mistake(state, told, ended.finished):
            found.losses.append(f"where nothing can be written: {mistake}")
        found.wrong += [f"where nothing can be written: {line}" for line in there.returned["wrong"]]
    later = scene.verdict(ended)
    later.losses += found.losses
    later.wrong += found.wrong
    later.unexplained += found.unexplained
    return "nothing can be written", later


OTHERS = (writers, clock, sealed)


# -- the run -----------------------------------------------------------------------------------------------------


def plan(kills: int, faults: int, others: int) -> list[Callable[[Scene], tuple[str, Verdict]]]:
    """The trials, in order."""
    return [kill] * kills + [fault] * faults + [OTHERS[number % len(OTHERS)] for number in range(others)]


def measured(operation: Operation, templates: Templates, folder: Path) -> tuple[int, float]:
    """How many calls an operation makes, and how many seconds it takes."""
    with copied(templates.of(operation), folder / "place") as place:

        def work(tell: Tell) -> int:
            tuned(lists=True, eager=True)
            faultlib.begin(place, Orders())
            operation.run(place / "index", templates.files, tell)
            return faultlib.counted()

        began = time.monotonic()
        return in_child(work).require_success(), time.monotonic() - began


def run(kills: int, faults: int, others: int, seed: int, only: int | None = None) -> Figures:
    """Does the trials, or only one of them."""
    figures = Figures()
    remember_all()
    with tempfile.TemporaryDirectory(prefix="dateline-crash-", dir=quick_folder()) as name:
        folder, templates = Path(name), Templates(Path(name) / "templates")
        measures: dict[str, tuple[int, float]] = {}
        for number, trial in enumerate(plan(kills, faults, others)):
            if only is not None and number != only:
                continue
            chance = random.Random(f"{seed} {number}")
            # Before there is anything, there is nothing to share or to search.
            possible = [one for one in OPERATIONS if one.template != "none" or trial not in {sealed, writers}]
            operation = chance.choice(possible)
            if operation.name not in measures:
                measures[operation.name] = measured(operation, templates, folder)
            with copied(templates.of(operation), folder / "place") as place:
                kind, found = trial(Scene(operation, place, templates.files, *measures[operation.name], chance))
            figures.count(number, operation.name, kind, found)
            if only is not None:
                print(number, operation.name, kind, found, file=sys.stderr)
    return figures


def main() -> int:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--others", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trial", type=int)
    asked = parser.parse_args()
    if reason := faultlib.missing():
        parser.error(reason)
    faultlib.with_clock()
    faultlib.load()
    figures = run(asked.kills, asked.faults, asked.others, asked.seed, asked.trial)
    print(figures.as_json())
    return 1 if figures.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
