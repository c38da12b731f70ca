"""Power cuts: what an index holds when the disk has only what was waited for, and any part of the rest.

Run as: python tests/faults/power.py [--cuts 1000] [--seed 7] [--order journal|any|both] [--trial N]

Each operation (build, add, remove, repair, roll back …) is done once to a small index while every call that changes a
file is written down. Then, for many moments, the folder is built as a disk might have it that lost its power: see
disk.py. Of names that nothing waited for, a prefix is kept, as file systems with a journal do (`journal`), or any of
them (`any`). In every tenth trial a wait for the disk failed before, which drops what it was for, as Linux does.
What has to hold then is what has to hold after a kill: see crash.py. `--trial N` repeats the N-th trial of a seed and
shows all. Prints a JSON line of figures; exits with 1 where anything was wrong.
"""

import argparse
import copy
import errno
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import faultlib
from disk import Disk
from editions import remember_all
from faultlib import Action, Kind, Orders
from trials import OPERATIONS, Ended, Operation, Tell, Templates, copied, in_child, tuned
from verdicts import Figures, quick_folder, verdict

from index import durable

_FAILED_SYNC_EVERY = 10
_FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Recording:
    """An operation, the disk that it began with, the calls that it made and what became of it."""

    operation: Operation
    disk: Disk
    calls: Sequence[faultlib.Operation]
    ended: Ended

    def until(self, call: int) -> Ended:
        """What had been told when so many calls were made."""
        told = [made.path for made in self.calls[:call] if made.kind is Kind.MARK]
        if _FINISHED in told:
            return Ended(tuple(line for line in told if line != _FINISHED))
        return Ended(tuple(told), killed=True)


def record(
    operation: Operation, templates: Templates, folder: Path, orders: Orders, chance: random.Random, *, careless: bool
) -> Recording:
    """Does an operation to a copy of its index and writes down the calls."""
    lists, eager = chance.random() < 0.5, chance.random() < 0.5
    log = folder / "log"
    log.unlink(missing_ok=True)
    with copied(templates.of(operation), folder / "place") as place:
        disk = Disk(place)  # what is there at first was waited for by those who wrote it

        def work(tell: Tell) -> None:
            if careless:
                durable.sync_file = lambda path: None
            tuned(lists=lists, eager=eager)
            faultlib.begin(place, orders, os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND))
            operation.run(place / "index", templates.files, tell)
            faultlib.mark(_FINISHED)

        ended = in_child(work)
    return Recording(operation, disk, list(faultlib.read_log(log)), ended)


def cut(recording: Recording, place: Path, chance: random.Random, *, ordered: bool) -> Ended:
    """Builds in `place` what is there after a power cut at some call; returns what had been told by then."""
    # Every fourth at the end, when all is acknowledged and much may still wait for the disk.
    last = len(recording.calls)
    at = last if chance.random() < 0.25 else chance.randint(1, last)
    disk = copy.deepcopy(recording.disk)
    disk.apply(recording.calls[:at])
    disk.after_power_cut(chance, place, ordered=ordered)
    return recording.until(at)


def run(cuts: int, seed: int, order: str, only: int | None = None, *, careless: bool = False) -> Figures:
    """Does the trials, or only one of them."""
    figures = Figures()
    remember_all()
    with tempfile.TemporaryDirectory(prefix="dateline-power-", dir=quick_folder()) as name:
        folder, templates = Path(name), Templates(Path(name) / "templates")
        recordings: dict[str, Recording] = {}
        for number in range(cuts) if only is None else (only,):
            chance = random.Random(f"{seed} {number}")
            operation = chance.choice(OPERATIONS)
            ordered = order == "journal" or (order == "both" and chance.random() < 0.5)
            kind = f"power cut, {'first names' if ordered else 'any names'} kept"
            if failing := number % _FAILED_SYNC_EVERY == 0:
                kind += ", after a failed sync"
            recording = recordings.get(operation.name)
            if failing or recording is None:
                failure = Orders.once(Action.FAIL, chance.randint(1, 60), Kind.SYNC, errno.EIO)
                orders = failure if failing else Orders()
                luck = chance if failing else random.Random(f"{seed} {operation.name}")
                recording = record(operation, templates, folder, orders, luck, careless=careless)
                recordings |= {} if failing else {operation.name: recording}
            place = folder / "place"
            ended = cut(recording, place, chance, ordered=ordered)
            found = verdict(place / "index", templates.files, operation, ended, chance.randrange(2**32))
            figures.count(number, operation.name, kind, found)
            if only is not None:
                print(number, operation.name, kind, found, file=sys.stderr)
            shutil.rmtree(place)
    return figures


def main() -> int:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--order", choices=["journal", "any", "both"], default="both")
    parser.add_argument("--careless", action="store_true", help="wait for nothing, to see that this is found")
    parser.add_argument("--trial", type=int)
    asked = parser.parse_args()
    if reason := faultlib.missing():
        parser.error(reason)
    faultlib.with_clock()
    faultlib.load()
    figures = run(asked.cuts, asked.seed, asked.order, asked.trial, careless=asked.careless)
    print(figures.as_json())
    return 1 if figures.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
