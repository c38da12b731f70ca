"""Fuzzes what reads other people's bytes: documents, feeds, queries, requests, and the files that Dateline keeps.

Run as: python tests/faults/fuzz.py TARGET… [--seconds 60] [--executions N] [--seed 7] [--engine mutation] [--save DIR]
        python tests/faults/fuzz.py all --seconds 60
        python tests/faults/fuzz.py TARGET --replay FILE

Each target runs in a process of its own. Coverage-guided where Atheris is installed (pip install atheris), else seeds
are mutated at random. An input fails that raises what its target does not promise, breaks what should hold of every
answer, takes more than its processor time, 512 MiB more memory, or the process with it.

Prints a table and a JSON line; exits with 1 where anything failed. Failing inputs are saved, with how to replay them.
"""

import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing import Target, Trial, Until, guided, mutate

MODULES = ("fuzz_words", "fuzz_documents", "fuzz_fetched", "fuzz_stored", "fuzz_served")
_OURS = ("index", "search", "web", "protego")
# What a process may take to begin and to end, beside what it was given.
_SECONDS_BESIDE = 240
_COVERED = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)")


def targets() -> dict[str, Target]:
    """All targets by name."""
    return {target.name: target for module in MODULES for target in importlib.import_module(module).TARGETS}


def has_atheris() -> bool:
    """Whether inputs can be guided by what they reach."""
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def in_this_process(name: str, engine: str, until: Until, seed: int, folder: Path) -> None:
    """Fuzzes one target; with Atheris, the process ends with it."""
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=list(_OURS)):
            target = targets()[name]
            for data in target.corpus():  # what is imported where it is used
                _ignoring(target, data)
        guided(Trial(target, folder), until, seed, folder)
    else:
        trial = Trial(targets()[name], folder)
        try:
            mutate(trial, until, seed)
        finally:
            trial.close()


def _ignoring(target: Target, data: bytes) -> None:
    try:
        target.attempt(data)
    except Exception as error:
        print(f"A seed of {target.name} fails: {error!r}", file=sys.stderr)


def in_a_child(name: str, engine: str, until: Until, seed: int, folder: Path) -> dict[str, Any]:
    """What came of a target that was fuzzed in a process of its own."""
    command = [sys.executable, __file__, name, "--child", "--engine", engine, "--seed", str(seed)]
    command += ["--save", str(folder)]
    command += [] if until.seconds is None else ["--seconds", str(until.seconds)]
    command += [] if until.executions is None else ["--executions", str(until.executions)]
    said = folder / f"{name}.log"
    with said.open("wb") as log:
        try:
            limit = None if until.seconds is None else 2 * until.seconds + _SECONDS_BESIDE
            status = subprocess.run(command, stdout=log, stderr=log, timeout=limit).returncode
        except subprocess.TimeoutExpired:
            status = -9
    return _outcome(name, folder, status, said.read_text("utf-8", "replace"))


def _outcome(name: str, folder: Path, status: int, said: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"executions": 0, "failures": {}}
    covered = _COVERED.findall(said)
    found |= {"target": name, "edges": int(covered[-1][0]) if covered else None}
    seeds = len(list(folder.glob(f"{name}.corpus/seed-*")))
    found["corpus"] = int(covered[-1][1]) - seeds if covered else None
    if status or not found["executions"]:
        last = folder / f"{name}.current"
        if last.exists():
            data = last.read_bytes()
            last.with_suffix(".fatal").write_bytes(data[4 : 4 + int.from_bytes(data[:4], "little")])
        what = f"the process ended with {status}: {said.strip()[-300:]}"
        found["failures"]["fatal"] = {"what": what, "where": "process", "input": f"{name}.fatal", "times": 1}
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """What came of each target, for people."""
    names = ("target", "executions", "a second", "edges", "new", "slowest s", "failed")
    lines = ["{:<16} {:>10} {:>9} {:>6} {:>5} {:>9} {:>6}".format(*names)]
    for one in found:
        speed = one["executions"] / max(one.get("seconds") or 0, 0.001)
        lines.append(
            f"{one['target']:<16} {one['executions']:>10,} {speed:>9,.0f} {one['edges'] or '-':>6}"
            f" {one['corpus'] if one['corpus'] is not None else '-':>5} {one.get('slowest_seconds', 0):>9.3f}"
            f" {len(one['failures']):>6}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TARGET", help="'all', or some of those that --list names")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--executions", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--engine", choices=["atheris", "mutation"])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    engine = given.engine or ("atheris" if has_atheris() else "mutation")
    seconds = 60.0 if given.seconds is None and given.executions is None else given.seconds
    until = Until(given.executions, seconds)
    if given.child:
        in_this_process(given.names[0], engine, until, given.seed, given.save)
        return 0
    known = targets()
    names = list(known) if given.names == ["all"] else given.names
    if given.list or not names or not set(names) <= set(known):
        print("\n".join(known))
        return 0 if given.list else 2
    if given.replay:
        known[names[0]].attempt(given.replay.read_bytes())
        return 0
    folder = given.save or Path(tempfile.mkdtemp(prefix="dateline-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = [in_a_child(name, engine, until, given.seed, folder) for name in names]
    print(table(found))
    for one in found:
        for failure in one["failures"].values():
            print(f"\n{one['target']}: {failure['what']}\n  at {failure['where']}, {failure['times']} times. Replay:")
            print(f"  python tests/faults/fuzz.py {one['target']} --replay {folder / failure['input']}")
    executions, failures = (sum(one["executions"] for one in found), sum(len(one["failures"]) for one in found))
    print(json.dumps({"engine": engine, "targets": len(found), "executions": executions, "failures": failures}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
