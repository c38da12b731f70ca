"""Millions of queries and a thousand adds against one server: does anything grow?

    python tests/faults/soak.py [--queries 2000000] [--adds 1000] [--articles 2000] [--workers 2] > soak.jsonl
    python tests/faults/soak.py --read soak.jsonl

Builds an index of made-up articles with the bundled model, serves it, and asks over HTTP as a site's readers do: most
questions are among a hundred that many ask (by Zipf's law), the others nobody has asked before; also articles,
pages, suggestions and filters. Every fifth answer is checked. Beside it one process adds an article and removes an
older one, over and over, so that the corpus changes and stays as large.

Every ten seconds a line of JSON says what the processes of the server hold (sampling.py), and the writer, and the disk.
The last line says, of each of these, the slope after the warm-up in units per million queries with its interval of
95 %: by least squares over thirty means of neighbours, because samples next to each other are alike. `--read` computes
it from the lines so far. Linux only.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))

from clients import Crowd, Request, Response, Seen, check
from rounds import Queries, write_round
from sampling import disk_mb, held_by
from served import Server

POPULAR, ZIPF = 100, 1.2
"""Questions that many ask, and how steeply they differ in how many do."""
SHARES = {"popular": 0.90, "new": 0.02, "page": 0.02, "article": 0.03, "suggestions": 0.02, "filtered": 0.01}
WARM_UP = 0.15
"""The share of the queries after which nothing should grow any more."""
BLOCKS = 30
_T_95 = 2.05  # Student's t with 28 degrees of freedom
_CLIENT_PROCESSES, _CLIENTS_EACH = 2, 4
_SLICE = 2000
_CHECKED_EVERY = 5
_SAMPLE_SECONDS = 10.0
_EXTRA_ARTICLES = 100
_SEED = 7
GROWING = (
    "rss_mb", "pss_mb", "anonymous_mb", "descriptors", "threads", "mappings", "mapped_files", "deleted", "disk_mb",
    "writer_rss_mb", "writer_descriptors",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to ask and to add."""

    queries: int
    adds: int
    articles: int
    workers: int


def main() -> None:
    """Runs, or reads what a run has written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2_000_000)
    parser.add_argument("--adds", type=int, default=1000)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--read", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if asked.read:
        lines = [json.loads(line) for line in asked.read.read_text().splitlines() if line.startswith("{")]
        print(json.dumps(summary([line for line in lines if "rss_mb" in line])))
        return
    samples = []
    for sample in soak(Plan(asked.queries, asked.adds, asked.articles, asked.workers)):
        samples.append(sample)
        print(json.dumps(sample), flush=True)
    print(json.dumps(summary(samples)), flush=True)


def soak(plan: Plan) -> Iterator[dict[str, Any]]:
    """Runs the plan, and gives a sample every few seconds and one in the end."""
    spawn = multiprocessing.get_context("spawn")
    answered = spawn.Array("q", _CLIENT_PROCESSES)
    mistaken = spawn.Array("q", _CLIENT_PROCESSES)
    from_memory = spawn.Array("q", _CLIENT_PROCESSES)
    added = spawn.Value("q", 0)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dateline-soak-")))
        index = build(folder, plan.articles)
        log = running.enter_context((folder / "log").open("w+"))
        server = running.enter_context(Server(index, "--workers", str(plan.workers), log=log))
        writer = spawn.Process(target=keep_writing, args=(index, plan, answered, added))
        askers = [
            spawn.Process(target=keep_asking, args=(server.port, plan, at, answered, mistaken, from_memory))
            for at in range(_CLIENT_PROCESSES)
        ]
        began = time.monotonic()
        for process in (writer, *askers):
            process.start()
            running.callback(process.kill)
        while True:
            working = any(process.is_alive() for process in (writer, *askers)) and server.process.poll() is None
            writer_holds = held_by([writer.pid] if writer.pid else [])
            yield {
                "seconds": round(time.monotonic() - began, 1),
                "queries": sum(answered), "adds": added.value, "from_memory": sum(from_memory),
                "mistakes": sum(mistaken), **held_by([server.process.pid, *server.workers()]),
                "workers": len(server.workers()), "disk_mb": disk_mb(index), "log_mb": log.tell() / 1e6,
                "writer_rss_mb": writer_holds.get("rss_mb"), "writer_descriptors": writer_holds.get("descriptors"),
            }  # fmt: skip
            if not working:
                return
            log.seek(0)
            log.truncate()  # what one line a request comes to is no matter here
            deadline = time.monotonic() + _SAMPLE_SECONDS
            while time.monotonic() < deadline and any(process.is_alive() for process in (writer, *askers)):
                time.sleep(0.2)


def build(folder: Path, articles: int) -> Path:
    """Builds the index in a folder."""
    from index.build import rebuild
    from index.encoder import load_encoder

    rebuild(folder / "index", [str(write_round(folder / "articles.jsonl", range(articles), 1))], load_encoder)
    return folder / "index"


def keep_writing(index: Path, plan: Plan, answered: SynchronizedArray, added: Synchronized) -> None:
    """Adds an article and removes an older one at a steady pace, counted in queries."""
    from index.build import add, remove
    from index.encoder import load_encoder

    encoder = load_encoder()
    source = index.parent / "one.jsonl"
    for turn in range(plan.adds):
        while sum(answered) < turn * plan.queries / plan.adds:
            time.sleep(0.05)
        number = plan.articles + turn
        add(index, [str(write_round(source, range(number, number + 1), 1))], lambda name: encoder)
        if turn >= _EXTRA_ARTICLES:
            remove(index, [f"a{number - _EXTRA_ARTICLES}"])
        added.value += 1


def keep_asking(
    port: int,
    plan: Plan,
    at: int,
    answered: SynchronizedArray,
    mistaken: SynchronizedArray,
    from_memory: SynchronizedArray,
) -> None:
    """Asks a client process's share of the queries, in slices over connections of their own."""
    chance = random.Random(_SEED + at)
    drawn = mix(random.Random(_SEED), chance, plan.articles)
    wanted = plan.queries // _CLIENT_PROCESSES
    while answered[at] < wanted:
        seen = Crowd(port, drawn, sometimes_checked()).in_turn(_CLIENTS_EACH, most=min(_SLICE, wanted - answered[at]))
        for problem in (*seen.mistakes, *(f"lost: {how}" for how in seen.lost)):
            print(problem, file=sys.stderr, flush=True)
        mistaken[at] += seen.mistaken + sum(seen.lost.values())
        from_memory[at] += seen.from_memory
        answered[at] += sum(seen.statuses.values())


def sometimes_checked() -> Any:
    """Checks every fifth answer, and the status of the others."""
    turn = 0

    def checked(request: Request, response: Response, seen: Seen) -> None:
        nonlocal turn
        turn += 1
        if response.status != 200 or turn % _CHECKED_EVERY == 0:
            check(request, response, seen)
        else:
            seen.statuses[response.status] += 1
            seen.from_memory += response.headers.get(b"x-cache") == b"hit"

    return checked


def mix(shared: random.Random, chance: random.Random, articles: int) -> Iterator[Request]:
    """What readers ask; the popular questions are drawn from `shared` and the same for all who draw from a like one."""
    popular_queries, new_queries = Queries(shared, articles), Queries(chance, articles)
    popular = [popular_queries.draw() for _ in range(POPULAR)]
    heights = list(accumulate(1 / rank**ZIPF for rank in range(1, POPULAR + 1)))

    def one_of_the_popular() -> str:
        return popular[bisect(heights, chance.random() * heights[-1])]

    kinds, weights = list(SHARES), list(SHARES.values())
    while True:
        for kind in chance.choices(kinds, weights, k=1000):
            if kind == "popular":
                yield Request(f"/api/v1/search?{urlencode({'q': one_of_the_popular()})}", "search")
            elif kind == "new":
                yield Request(f"/api/v1/search?{urlencode({'q': new_queries.draw()})}", "search")
            elif kind == "page":
                yield Request(f"/?{urlencode({'q': one_of_the_popular()})}", "page")
            elif kind == "article":
                yield Request(f"/api/v1/articles/a{chance.randrange(articles)}", "article")
            elif kind == "suggestions":
                yield Request(f"/api/v1/suggest?q={new_queries.draw()[:3]}", "suggestions")
            else:
                author = f"Author {chance.randrange(50)}"
                yield Request(f"/api/v1/search?{urlencode({'q': 'harbour strike', 'author': author})}", "search")


def summary(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The slopes after the warm-up, and what was done."""
    last = samples[-1]
    settled = [one for one in samples if one["queries"] >= WARM_UP * last["queries"]]
    settled = [one for one in settled if all(one.get(name) is not None for name in GROWING)]
    queries = [one["queries"] / 1e6 for one in settled]
    return {
        **{name: last[name] for name in ("seconds", "queries", "adds", "mistakes")},
        "per_second": round(last["queries"] / last["seconds"], 1),
        "from_memory": round(last["from_memory"] / max(1, last["queries"]), 3),
        "worker_counts": dict(Counter(one["workers"] for one in samples)),
        "per_million_queries": {
            name: slope(queries, [one[name] for one in settled]) for name in GROWING
        } if len(settled) >= 2 * BLOCKS else "too few samples to say",
        "peak": {name: max(one[name] for one in settled) for name in GROWING} if settled else {},
    }  # fmt: skip


def slope(at: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """The slope of values with its interval of 95 %, and the means of the first and the last thirtieth."""
    x, y = (np.array([block.mean() for block in np.array_split(np.asarray(one), BLOCKS)]) for one in (at, values))
    centred = x - x.mean()
    steepness = float(centred @ y / (centred @ centred))
    left = y - y.mean() - steepness * centred
    error = float(np.sqrt(left @ left / (BLOCKS - 2) / (centred @ centred)))
    found = {"slope": steepness, "low": steepness - _T_95 * error, "high": steepness + _T_95 * error}
    return {name: round(value, 3) for name, value in (found | {"first": y[0], "last": y[-1]}).items()}


if __name__ == "__main__":
    main()
