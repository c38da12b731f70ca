"""Every benchmark of speed, one after another, in a few minutes; with charts of what came out.

    python benchmarks/all.py [--environments FOLDER] [--results FOLDER]                     # small, on seeds/
    python benchmarks/all.py --full --source ARTICLES.jsonl.gz --queries FOLDER [...]       # hours

Builds an index of the source (or takes --index), runs encode, build, compare, serving, cold_start, update and scale on
it, each in a process of its own, and writes a JSON file and charts for each to the results folder. A benchmark that
cannot run here is skipped and says why; the last lines say what ran, for how long, and what was skipped. Small figures
show that everything works, not how fast it is: only --full is worth comparing.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from publish import draw_charts

_HERE = Path(__file__).parent
_PROJECT = _HERE.parent
# How a benchmark says that it cannot run here, as the last line on standard error.
_SKIPPED = "skipped:"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the benchmarks measure with: `queries` are folders with queries.jsonl and qrels.txt."""

    source: Path
    index: Path
    queries: tuple[Path, ...]
    environments: Path | None
    full: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one benchmark."""

    name: str
    state: str
    seconds: float
    reason: str = ""


def main() -> None:
    """Runs all, and exits with 1 when one failed or missed a goal of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the figures of docs/benchmarks.md, not a small version")
    parser.add_argument("--source", type=Path, default=_PROJECT / "seeds", help="articles: a folder or a JSONL file")
    parser.add_argument("--index", type=Path, help="an index of the source; built if not given")
    parser.add_argument("--queries", type=Path, nargs="+", help="folders with queries.jsonl and qrels.txt")
    parser.add_argument("--environments", type=Path, help="where the peers are installed (peers/environments.py)")
    parser.add_argument("--results", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--only", help="which benchmarks, by name, with commas")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = asked.index or build_index(asked.source, Path(folder) / "index")
        queries = tuple(asked.queries or [_PROJECT / "seeds"])
        inputs = Inputs(asked.source, index, queries, asked.environments, asked.full)
        wanted = asked.only.split(",") if asked.only else None
        outcomes = [
            run(name, arguments, asked.results)
            for name, arguments in commands(inputs)
            if wanted is None or name in wanted
        ]
    for chart in draw_charts(asked.results):
        print(f"drawn: {chart}")
    print()
    for outcome in outcomes:
        print(f"{outcome.name:12}{outcome.state:9}{outcome.seconds:7.0f} s  {outcome.reason}".rstrip())
    if any(outcome.state in ("failed", "missed") for outcome in outcomes):
        sys.exit(1)


def commands(inputs: Inputs) -> Iterator[tuple[str, list[str | Path]]]:
    """Each benchmark with its arguments."""
    first, full = inputs.queries[0] / "queries.jsonl", inputs.full
    peers: list[str | Path] = ["--environments", inputs.environments] if inputs.environments else []
    yield "encode", ["--passages", "1000" if full else "150"]
    yield "build", [inputs.source, "--articles", "200" if full else "20", *peers, *(["--whole"] if full else [])]
    yield "compare", [inputs.index, *inputs.queries, *peers, *([] if full else ["--queries", "40"])]
    yield "serving", [inputs.index, "--queries", first, *([] if full else ["--small"])]
    yield "cold_start", [inputs.index]
    source = ["--source", inputs.source] if _is_jsonl(inputs.source) else []
    yield "update", [inputs.index, "--queries", first, *source, "--seconds", "15" if full else "4"]
    yield "scale", [inputs.index, *([] if full else ["--sizes", "10000", "30000"])]


def build_index(source: Path, index: Path) -> Path:
    """An index of the source, by the command that users run."""
    print(f"building an index of {source.name} …", flush=True)
    command = [sys.executable, "-m", "web", "rebuild", str(source.absolute()), "--index", str(index), "--quiet"]
    subprocess.run(command, check=True, cwd=_PROJECT)
    return index


def run(name: str, arguments: Sequence[str | Path], results: Path) -> Outcome:
    """Runs one benchmark; what it prints is shown, why it could not run is kept."""
    script = _HERE / f"{name}.py"
    if not script.is_file():
        return Outcome(name, "skipped", 0, f"{script.name} is not here")
    print(f"\n== {name}", flush=True)
    began, started = time.monotonic(), time.time()
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments), "--json", str(results)],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode and last.lower().startswith(_SKIPPED):
        return Outcome(name, "skipped", seconds, last[len(_SKIPPED) :].strip())
    if done.returncode and _written(results / f"{name}.json", since=started):
        return Outcome(name, "missed", seconds, last)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return Outcome(name, "failed", seconds, last)
    return Outcome(name, "done", seconds)


def _written(path: Path, since: float) -> bool:
    """Whether the results were written: a benchmark that ends with an error after that missed its goal."""
    return path.is_file() and path.stat().st_mtime >= since


def _is_jsonl(source: Path) -> bool:
    return source.name.endswith((".jsonl", ".jsonl.gz"))


if __name__ == "__main__":
    main()
