"""How fast a corpus becomes searchable: `dateline rebuild`, read to live, against the plain way and txtai.

    python benchmarks/build.py [SOURCE] [--articles 200] [--environments FOLDER] [--whole] [--json FOLDER]

Each is one command from its start to its end, on the same articles: Dateline reads the source, cuts it, finds
copies, embeds and indexes words and vectors; the peers are given the passages already cut, embed with the same
model and write their index. Reported are articles and passages a second of the whole command, the stages, and
the most memory that all processes of the command held together. SOURCE is seeds/ unless given; of a JSONL file
(.gz too) so many articles are taken evenly. Dateline's encoder is prepared by an earlier run of one article, whose
seconds are reported too: that is done once on a machine. `--whole` rebuilds all of SOURCE besides.
"""

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peers.environments import OFFLINE, PEERS, Peer, answer
from peers.export import export
from processes import run_measured
from report import save

_PROJECT = Path(__file__).parent.parent
_COMPARED = ("faiss", "txtai")
_FIRST = {"id": "first", "title": "First", "text": "The encoder is prepared by embedding this sentence."}


def main() -> None:
    """Prints a table, and writes the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, default=_PROJECT / "seeds")
    parser.add_argument("--articles", type=int, default=200, help="how many articles of a JSONL file are built")
    parser.add_argument("--environments", type=Path, help="where the peers are installed")
    parser.add_argument("--peers", default=",".join(_COMPARED), help="which peers, by name, with commas")
    parser.add_argument("--whole", action="store_true", help="also rebuild the whole source with Dateline")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    if not asked.source.exists():
        sys.exit(f"Skipped: {asked.source} is not here.")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(asked.source, asked.articles, asked.environments, asked.peers.split(","), Path(folder))
        if asked.whole:
            results["whole"] = rebuilt(asked.source, Path(folder) / "whole")
    show(results)
    if asked.json:
        print(save("build", results, asked.json))


def measure(source: Path, articles: int, environments: Path | None, wanted: list[str], folder: Path) -> dict[str, Any]:
    """Builds the same articles with Dateline and with the peers that are installed."""
    first = folder / "first.jsonl"
    first.write_text(json.dumps(_FIRST), encoding="utf-8")
    prepared = rebuilt(first, folder / "first")
    index = folder / "index"
    dateline = rebuilt(sample(source, articles, folder), index)
    export(index, folder / "passages", vectors=False)
    results: dict[str, Any] = {
        "articles": dateline["articles"], "passages": dateline["passages"],
        "first_run_seconds": prepared["seconds"], "systems": {"dateline": {"title": "Dateline", **dateline}},
        "skipped": {},
    }  # fmt: skip
    for peer in PEERS:
        if peer.name not in wanted:
            continue
        if peer.python(environments) is None:
            results["skipped"][peer.name] = peer.missing()
            continue
        built = built_by(peer, environments, folder / "passages" / "passages.jsonl", folder / peer.name)
        built["dateline_is_faster"] = built["seconds"] / dateline["seconds"]
        results["systems"][peer.name] = {"title": peer.title, **built}
    return results


def sample(source: Path, wanted: int, folder: Path) -> Path:
    """So many articles of a JSONL file, evenly chosen; any other source as it is."""
    if not source.name.endswith((".jsonl", ".jsonl.gz")):
        return source
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    path = folder / "articles.jsonl"
    count = min(wanted, len(lines))
    path.write_text("".join(lines[i * len(lines) // count] for i in range(count)), encoding="utf-8")
    return path


def rebuilt(source: Path, index: Path) -> dict[str, Any]:
    """What one `dateline rebuild` took, process start to end."""
    command = [
        sys.executable,
        "-m",
        "web",
        "rebuild",
        str(source.absolute()),
        "--index",
        str(index),
        "--json",
        "--quiet",
    ]
    finished = run_measured(command, {"PYTHONPATH": str(_PROJECT)})
    report = json.loads(finished.output)
    return {
        **_rates(report["articles"], report["passages"], finished.seconds),
        "stages": {stage: round(seconds, 2) for stage, seconds in report["stages"].items()},
        "peak_mb": finished.peak_mb,
    }


def built_by(peer: Peer, environments: Path | None, passages: Path, folder: Path) -> dict[str, Any]:
    """What a peer's build took, process start to end."""
    finished = run_measured(peer.command(environments, "build", passages, folder), OFFLINE)
    report = answer(finished.output)
    return {
        **_rates(report["articles"], report["passages"], finished.seconds),
        "stages": {"start": round(finished.seconds - report["seconds"], 2), "build": round(report["seconds"], 2)},
        "peak_mb": finished.peak_mb,
        "versions": report["versions"],
    }


def _rates(articles: int, passages: int, seconds: float) -> dict[str, float]:
    return {
        "articles": articles, "passages": passages, "seconds": round(seconds, 2),
        "articles_a_second": round(articles / seconds, 2), "passages_a_second": round(passages / seconds, 1),
    }  # fmt: skip


def show(results: Mapping[str, Any]) -> None:
    """Prints one line a system."""
    print(f"{results['articles']:,} articles, {results['passages']:,} passages; Dateline's first run on this"
          f" machine, with one article: {results['first_run_seconds']:.1f} s")  # fmt: skip
    print(f"{'':32}{'seconds':>9}{'articles/s':>12}{'passages/s':>12}{'peak MB':>9}{'Dateline is':>13}")
    systems = list(results["systems"].values())
    if "whole" in results:
        systems.append({"title": f"Dateline, all {results['whole']['articles']:,}", **results["whole"]})
    for system in systems:
        ratio = f"{system['dateline_is_faster']:.2f} ×" if "dateline_is_faster" in system else ""
        print(f"{system['title']:32}{system['seconds']:9.1f}{system['articles_a_second']:12.2f}"
              f"{system['passages_a_second']:12.1f}{system['peak_mb'] or 0:9.0f}{ratio:>13}")  # fmt: skip
    for name, reason in results["skipped"].items():
        print(f"{name} skipped: {reason}")


if __name__ == "__main__":
    main()
