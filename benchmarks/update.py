"""How soon a running server shows what was added, what a rebuild after a small change costs, and who waits for it.

    python benchmarks/update.py INDEX --queries QUERIES.jsonl [--json FOLDER]
    python benchmarks/update.py --source ARTICLES.jsonl.gz --queries QUERIES.jsonl [--json FOLDER]

With an INDEX: on a copy of it, ten articles are added while a server runs. With a SOURCE: an index is built from it
(the full time), one article in a hundred is changed, and it is rebuilt while a server runs. All the while a client
asks 20 times a second, each request counted from the moment it was due; the same client undisturbed, just before, is
the baseline. Answers from memory are off. A server has changed when eight connections in a row show the change, so
that no worker is still behind; one article is looked at, which costs the server little.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from report import machine, save
from served import PROJECT, Server, Steady, read_queries, search_path

ADDED = 10
CHANGED_SHARE = 0.01
MOST_TIMES_P99 = 3.0
"""The goal: no request during a change takes longer than this many times the undisturbed p99."""
_CONNECTIONS_IN_A_ROW = 8
_MARK = "zyxquorvell"


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", nargs="?", type=Path)
    parser.add_argument("--source", type=Path, help="articles as JSON lines, gzipped or not")
    parser.add_argument("--queries", type=Path, default=PROJECT / "seeds" / "queries.jsonl")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the undisturbed client asks")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    if asked.index is None and asked.source is None:
        parser.error("give an INDEX, a --source, or both")
    paths = [search_path(query) for query in read_queries(asked.queries)]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if asked.index:
            copy = Path(folder) / "copy"
            shutil.copytree(asked.index, copy)
            results["add"] = measure_add(copy, paths, asked.seconds, Path(folder))
        if asked.source:
            results["rebuild"] = measure_rebuild(Path(folder) / "built", asked.source, paths, asked.seconds)
    print(json.dumps({"machine": machine(), **results}, indent=1))
    if asked.json:
        print(save("update", results, asked.json))


def measure_add(index: Path, paths: Sequence[str], seconds: float, folder: Path) -> dict[str, Any]:
    """Adds articles while a server runs."""
    source = folder / "added.jsonl"
    records = [
        {"id": f"added-{at}", "title": f"{_MARK} report {at}", "text": f"The {_MARK} of bay {at} was seen again.\n" * 5}
        for at in range(ADDED)
    ]
    source.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    with Server(index, "--cache", "0") as server:

        def shown() -> bool:
            return server.get("/api/v1/articles/added-0")[0] == 200

        return _disturbed(server, ["add", str(source), "--index", str(index)], shown, paths, seconds)


def measure_rebuild(index: Path, source: Path, paths: Sequence[str], seconds: float) -> dict[str, Any]:
    """Builds from nothing, changes one article in a hundred, and rebuilds while a server runs."""
    began = time.monotonic()
    _run(["rebuild", str(source), "--index", str(index)])
    full = time.monotonic() - began
    # Under its own name: an article's name in the corpus may come from that of its file.
    changed = index.parent / "changed" / source.name
    changed.parent.mkdir()
    count, first = write_changed(source, changed)
    with Server(index, "--cache", "0") as server:

        def shown() -> bool:
            return _MARK.encode() in server.get(f"/api/v1/articles/{quote(first, safe='')}")[1]

        found = _disturbed(server, ["rebuild", str(changed), "--index", str(index)], shown, paths, seconds)
    again = found["command_seconds"]
    return {"full_seconds": round(full, 2), "changed": count, "share_of_full": round(again / full, 4), **found}


def write_changed(source: Path, target: Path) -> tuple[int, str]:
    """Copies `source`, a sentence added to one article in a hundred; how many those are, and the id of one."""
    count, one = 0, ""
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as lines, opened(target, "wt", encoding="utf-8") as file:
        for at, line in enumerate(lines):
            record = json.loads(line)
            if at % round(1 / CHANGED_SHARE) == 0:
                record["text"] += f"\n\nA {_MARK} correction was made to report {at} on the day after it appeared."
                count, one = count + 1, record["id"]
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return count, one


def _disturbed(
    server: Server, arguments: list[str], shown: Callable[[], bool], paths: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Runs a command beside the server and a steady client; when its change showed, and what the client saw."""
    for path in paths[:50]:
        server.get(path)
    with Steady(server.port, paths) as calm:
        time.sleep(seconds)
    with Steady(server.port, paths) as disturbed:
        began = time.monotonic()
        command = subprocess.Popen(_command(arguments), cwd=PROJECT, stdout=subprocess.DEVNULL)
        ended, visible = _watch(server, command, shown)
        time.sleep(1.0)
    undisturbed, during = calm.load.summary(), disturbed.load.summary()
    last = [taken for due, taken in disturbed.moments if due >= ended - 1.0]
    return {
        "command_seconds": round(ended - began, 2),
        "visible_after_start_seconds": round(visible - began, 2),
        "visible_after_end_seconds": round(visible - ended, 2),
        "undisturbed": undisturbed,
        "during": during,
        "around_the_switch_max_ms": round(max(last, default=0.0), 2),
        "max_over_undisturbed_p99": round(during["max_ms"] / undisturbed["p99_ms"], 2),
        "within_goal": during["max_ms"] <= MOST_TIMES_P99 * undisturbed["p99_ms"],
    }


def _watch(server: Server, command: "subprocess.Popen[bytes]", shown: Callable[[], bool]) -> tuple[float, float]:
    """When the command ended, and when every worker showed its change."""
    moments: dict[str, float] = {}

    def done() -> bool:
        if "ended" not in moments and command.poll() is not None:
            moments["ended"] = time.monotonic()
            if command.returncode:
                raise RuntimeError(f"the command failed with status {command.returncode}")
        if "visible" not in moments and shown():
            now = time.monotonic()
            if all(shown() for _ in range(_CONNECTIONS_IN_A_ROW - 1)):
                moments["visible"] = now
        return len(moments) == 2

    server.wait(done, every=0.05, patience=7200)
    return moments["ended"], moments["visible"]


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "web", *arguments]


def _run(arguments: list[str]) -> None:
    subprocess.run(_command(arguments), cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
