"""Backups and restores that are killed, at random moments, over and over.

Run as: python tests/faults/backup_kills.py [--kills 100] [--seed 7]

A process backs up an index, or restores a backup that lacks the newest articles, and is killed with SIGKILL
somewhere between its first step and well past its last. After each kill everything that looks like a backup has to be
one, the index has to be whole and to hold the articles of before or, of a restore, those of the backup, and the next
backup has to leave nothing of the killed one behind. Prints a JSON line; exits with 1 where anything went wrong.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from sample import FakeEncoder, write_jsonl

from index import check
from index.backup import back_up
from index.backup_record import backup_in, backup_problems
from index.build import add, rebuild
from index.catalog import Catalog
from index.generation import live_generation
from index.restore import restore

ARTICLES, LATER = 300, 60
# Of the time that a run takes when nobody kills it.
LATEST_KILL = 1.3
# The first run of a process that was not yet in memory would take longer.
UNKILLED_RUNS = 2


def records(first: int, count: int) -> list[dict[str, str]]:
    return [
        {
            "id": f"a{number}",
            "title": f"Report {number}",
            "text": f"The word w{number}x. " + "Of harbours and rain. " * 40,
        }
        for number in range(first, first + count)
    ]


def ids(root: Path) -> set[str]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return {article.id for article in catalog.all_articles()}


def work(kind: str, root: Path, place: Path) -> None:
    """What is killed: says that it begins, does it, and says that it is done."""
    print("begins", flush=True)
    if kind == "backup":
        back_up(root, place)
    else:
        restore(place, root)
    print("done", flush=True)


def killed(kind: str, root: Path, place: Path, seconds: float | None) -> tuple[bool, float]:
    """Runs `work` and kills it some seconds after it begins; whether it was done before, and how long it took."""
    command = [sys.executable, __file__, "--work", kind, str(root), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        began = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        done = process.stdout.read() == "done\n"
        return done, time.monotonic() - began


class Trials:
    """An index, a backup of it that lacks its newest articles, and a place for further ones."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.root, self.older, self.places = folder / "index", folder / "older", folder / "places"
        self.places.mkdir()
        for first, count in ((0, ARTICLES), (ARTICLES, LATER)):
            path = write_jsonl(folder / f"{first}.jsonl", records(first, count))
            fill = rebuild if first == 0 else add
            fill(self.root, [str(path)], lambda name, **_: FakeEncoder())
            if first == 0:
                back_up(self.root, self.older)
        self.before, self.restored = ids(self.root), ids(self.older)
        self.newer = back_up(self.root, folder / "newer")
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self, kills: int) -> None:
        times = {kind: self._unkilled(kind) for kind in ("backup", "restore")}
        for number in range(kills):
            kind = ("backup", "restore")[number % 2]
            seconds = self.chance.uniform(0, LATEST_KILL * times[kind])
            place = self.places / f"{number}" if kind == "backup" else self.older
            done, _ = killed(kind, self.root, place, seconds)
            self.counts[f"{kind}: killed" if not done else f"{kind}: done before"] += 1
            self._examine(f"{number} ({kind}, {seconds:.3f} s)", kind, done=done)

    def _unkilled(self, kind: str) -> float:
        taken = []
        for number in range(UNKILLED_RUNS):
            done, seconds = killed(
                kind, self.root, self.places / f"first{number}" if kind == "backup" else self.older, None
            )
            assert done
            taken.append(seconds)
        restore(self.newer.folder, self.root)
        return min(taken)

    def _examine(self, trial: str, kind: str, *, done: bool) -> None:
        try:
            self.counts["leftovers"] += any(path.name.startswith(".") for path in self.places.iterdir())
            self._examine_places(trial)
            if problems := check.problems(self.root):
                self.failures.append(f"{trial}: the index is damaged: {problems[0]}")
            held = ids(self.root)
            if held not in (self.before, self.restored) or (kind == "backup" and held != self.before):
                self.failures.append(f"{trial}: the index holds {len(held)} articles")
            if kind == "restore":
                self.counts["restore: switched"] += held == self.restored
                if done and held != self.restored:
                    self.failures.append(f"{trial}: a restore that was done is not there")
                restore(self.newer.folder, self.root)
            back_up(self.root, self.places / "next")
            names = [path.name for path in self.places.iterdir() if path.name.startswith(".")]
            if names:
                self.failures.append(f"{trial}: the next backup left {names[0]}")
            self._examine_places(trial)
        except Exception as error:  # what is looked for
            self.failures.append(f"{trial}: {type(error).__name__}: {error}")
        for path in self.places.iterdir():
            if not path.name.startswith("."):
                shutil.rmtree(path)

    def _examine_places(self, trial: str) -> None:
        """Everything that has a backup's name is one, and holds what the index held."""
        for path in self.places.iterdir():
            if path.name.startswith("."):
                continue
            found = backup_in(path)
            if found is None or backup_problems(found) or ids(path) != self.before:
                self.failures.append(f"{trial}: {path.name} is no whole backup")
            else:
                self.counts["backups examined"] += 1


def trials(folder: Path, kills: int, seed: int) -> Trials:
    """Does so many kills in an empty folder."""
    done = Trials(folder, seed)
    done.run(kills)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, root, place = options.work
        work(kind, Path(root), Path(place))
        return
    with tempfile.TemporaryDirectory() as folder:
        done = trials(Path(folder), options.kills, options.seed)
    print(*done.failures, sep="\n", file=sys.stderr)
    print(json.dumps({"kills": options.kills, "seed": options.seed, **done.counts, "failures": len(done.failures)}))
    sys.exit(bool(done.failures))


if __name__ == "__main__":
    main()
