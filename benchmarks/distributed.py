"""How much faster a corpus is embedded by two workers of a Ray cluster than by one, and what one process does.

    python benchmarks/distributed.py [--articles 1500] [--json FOLDER]

The same `dateline rebuild` of the same articles, made up of paragraphs from seeds/, in turn: by one process with one
thread, on a cluster of one node with one CPU, and on one of two nodes with one CPU each, started here and ended again.
All of them are processes of this machine, so with two cores the workers leave none for the process that leads, and the
second worker's gain is less than with machines of their own. Reported are passages a second while there is embedding
and of the whole command, and whether the indexes are the same. Skipped where Ray is not installed.
"""

import argparse
import importlib.util
import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from processes import run_measured
from report import cores, save

from index.generation import live_generation

_PROJECT = Path(__file__).parent.parent
_SEED = 8
# Every so-manieth word is replaced, so that no article is a copy of another.
_REPLACED = 4
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
# The nodes answer nobody without a token; it is not looked for in the user's home.
_RAY = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_USAGE_STATS_ENABLED": "0"}
_SECONDS_TO_START = 400


def main() -> None:
    """Prints a table, and writes the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=1_500, help="how many articles are embedded")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    if importlib.util.find_spec("ray") is None:
        sys.exit("Skipped: Ray is not installed. Run: pip install 'dateline[ray]'")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(asked.articles, Path(folder))
    show(results)
    if asked.json:
        print(save("distributed", results, asked.json))


def measure(articles: int, folder: Path) -> dict[str, Any]:
    """Builds the same articles in each way, one after another."""
    source = folder / "articles.jsonl"
    source.write_text("\n".join(json.dumps(article) for article in made_up(articles)), encoding="utf-8")
    built(source, folder / "prepared", ["--workers", "1"])  # the model is exported once on a machine
    systems = {"one process": built(source, folder / "alone", ["--workers", "1"])}
    for nodes in (1, 2):
        with cluster(nodes) as address:
            name = f"Ray, {nodes} worker{'s' if nodes > 1 else ''}"
            systems[name] = built(source, folder / f"ray-{nodes}", ["--on", address])
            systems[name]["same_index"] = contents(folder / f"ray-{nodes}") == contents(folder / "alone")
    for system in systems.values():
        system["times_one_process"] = round(
            system["passages_a_second"] / systems["one process"]["passages_a_second"], 3
        )
    return {"articles": articles, "cores": cores(), "ray": version("ray"), "systems": systems}


def built(source: Path, index: Path, options: list[str]) -> dict[str, Any]:
    """What one rebuild took, process start to end."""
    command = [sys.executable, "-m", "web", "rebuild", str(source), "--index", str(index), "--json", "--quiet"]
    began = os.getloadavg()[0]
    finished = run_measured([*command, *options], {"PYTHONPATH": str(_PROJECT), **_ONE_THREAD, **_RAY})
    report = json.loads(finished.output)
    stages = report["stages"]
    return {
        "passages": report["passages"],
        "seconds": round(finished.seconds, 2),
        "passages_a_second": round(report["passages"] / finished.seconds, 1),
        # All but start, and the indexes after the last passage.
        "seconds_of_intake": round(report["seconds"] - stages["index"], 2),
        "passages_a_second_of_intake": round(report["passages"] / (report["seconds"] - stages["index"]), 1),
        "stages": {stage: round(seconds, 2) for stage, seconds in stages.items()},
        "load_before": round(began, 2),
    }


def made_up(articles: int) -> Iterator[dict[str, str]]:
    """Articles of seeds' paragraphs, with other words in every fourth place."""
    chance = random.Random(_SEED)
    paragraphs = [
        paragraph
        for path in sorted((_PROJECT / "seeds").glob("*.md"))
        for paragraph in path.read_text("utf-8").split("\n\n")
        if len(paragraph) > 60
    ]
    words = sorted({word for paragraph in paragraphs for word in paragraph.split() if word.isalpha() and len(word) > 4})
    for number in range(articles):
        text = []
        for paragraph in chance.choices(paragraphs, k=chance.randint(4, 13)):
            changed = paragraph.split()
            changed[::_REPLACED] = chance.choices(words, k=len(changed[::_REPLACED]))
            text.append(" ".join(changed))
        yield {"id": f"made-up-{number}", "title": " ".join(chance.choices(words, k=6)), "text": "\n\n".join(text)}


def contents(index: Path) -> tuple[list[Any], ...]:
    """What must be the same however an index was made: articles, where passages begin and end, vectors to the bit."""
    passages = "SELECT id, start, end, embedding FROM passages JOIN articles ON article = articles.number"
    with closing(sqlite3.connect(live_generation(index).catalog)) as catalog:
        return tuple(
            catalog.execute(query).fetchall()
            for query in (
                "SELECT id, content_hash FROM articles ORDER BY id",
                f"{passages} ORDER BY 1, 2",
                "SELECT embedding, vector FROM vectors ORDER BY embedding",
            )
        )


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """A Ray cluster of so many nodes with one CPU each; the address for `--on`."""
    port, client = _free_port(), _free_port()
    head = ["--head", f"--port={port}", f"--ray-client-server-port={client}", "--include-dashboard=false"]
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        try:
            running.append(_node([*head, f"--temp-dir={folder}"]))
            _wait_for(client)
            running += [_node([f"--address=127.0.0.1:{port}"]) for _ in range(nodes - 1)]
            time.sleep(5)  # for a node to join
            yield f"ray://127.0.0.1:{client}"
        finally:
            for node in reversed(running):
                node.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    node.wait(20)
                node.kill()
                node.wait()


def _node(options: list[str]) -> "subprocess.Popen[bytes]":
    # As nice as the command is, which lets searches go first.
    return subprocess.Popen(
        ["nice", "-n", "10", Path(sys.executable).parent / "ray", "start", "--node-ip-address=127.0.0.1",
         "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", "--block", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(_PROJECT), **_RAY},
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    sys.exit("Skipped: Ray does not start here.")


def show(results: Mapping[str, Any]) -> None:
    """Prints one line a system."""
    first = results["systems"]["one process"]
    print(f"{results['articles']:,} articles, {first['passages']:,} passages; {results['cores']} cores;"
          f" Ray {results['ray']}")  # fmt: skip
    print(f"{'':16}{'seconds':>9}{'passages/s':>12}{'of intake':>11}{'× one':>8}{'same index':>12}{'load':>7}")
    for name, system in results["systems"].items():
        print(f"{name:16}{system['seconds']:9.1f}{system['passages_a_second']:12.1f}"
              f"{system['passages_a_second_of_intake']:11.1f}{system['times_one_process']:8.2f}"
              f"{system.get('same_index', '')!s:>12}{system['load_before']:7.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
