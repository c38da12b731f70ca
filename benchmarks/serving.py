"""Searching over HTTP as users do: latency, many clients at once, memory of the processes, and filters.

    python benchmarks/serving.py INDEX [--queries QUERIES.jsonl] [--small] [--json FOLDER]

Starts `dateline serve` on the index and asks it real queries, each distinct and answers from memory off unless it
says otherwise: ten results an answer, hybrid, grouped and highlighted, which are the defaults. Clients run in one
process on the same machine, so they share its cores with the server. Prints

- one connection: percentiles from request to last byte, and the same for questions that were asked before;
- 1 to 64 clients at once: answers a second, percentiles, refusals (503);
- resident and proportional memory (Linux) of each process with one, two and three workers;
- 1,000 searches with filters that leave half of the articles to one in ten thousand, each beside the same search
  without: whether all results come that exist, and how the 99th percentiles compare.

It is not called search.py because Python would take it for the package `search` in every other script here.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from json import loads
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from report import cores, machine, save
from served import PROJECT, Connection, Load, Server, at_once, memory_mb, one_by_one, read_queries, search_path

from index.catalog import Catalog
from index.generation import live_generation

CLIENTS = (1, 2, 4, 8, 16, 64)
WORKERS = (1, 2, 3)
SHARES = (0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0001)
"""Of the articles that a filter should leave."""
RESULTS = 10
P50_GOAL_MS, P99_GOAL_MS, PER_SECOND_GOAL = 8.0, 20.0, 200.0
FIRST_WORKER_GOAL_MB, FURTHER_WORKER_GOAL_MB = 450.0, 150.0
FILTERED_P99_GOAL = 3.0
_WARM_UP = 40
_QUOTES = re.compile(r'["“”„‟«»]')


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to ask."""

    queries: int
    seconds: float
    filtered: int


FULL, SMALL = Scale(queries=500, seconds=8.0, filtered=1000), Scale(queries=60, seconds=1.0, filtered=70)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Filters as parameters of the API, and how many articles they leave."""

    wanted_share: float
    parameters: dict[str, str]
    articles: int


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--queries", type=Path, default=PROJECT / "seeds" / "queries.jsonl")
    parser.add_argument("--small", action="store_true", help="a minute, to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the results there")
    asked = parser.parse_args()
    scale = SMALL if asked.small else FULL
    queries = read_queries(asked.queries)
    # Distinct as long as they last; a small set is asked again, which matters little with answers from memory off.
    paths = [search_path(query, size=RESULTS) for query in islice(cycle(queries), scale.queries + _WARM_UP)]
    print(f"{len(queries)} distinct queries", file=sys.stderr)
    results: dict[str, Any] = {"distinct_queries": len(queries)}
    with Server(asked.index, "--cache", "0") as server:
        results["passages"] = loads(server.get("/api/v1/stats")[1])["passages"]
        results["one_connection"] = measure_one(server, paths)
        results["clients"] = {clients: measure_many(server, paths, clients, scale.seconds) for clients in CLIENTS}
        results["filters"] = measure_filters(server, asked.index, queries, scale.filtered)
    results["from_memory"] = measure_repeated(asked.index, paths)
    results["workers"] = {workers: measure_workers(asked.index, paths, workers, scale.seconds) for workers in WORKERS}
    results["goals"] = goals(results)
    _show(results)
    if asked.json:
        print(save("serving", results, asked.json))


def measure_one(server: Server, paths: Sequence[str]) -> dict[str, float]:
    """One keep-alive connection, one question after another."""
    one_by_one(server.port, paths[:_WARM_UP])
    return one_by_one(server.port, paths[_WARM_UP:]).summary()


def measure_many(server: Server, paths: Sequence[str], clients: int, seconds: float) -> dict[str, float]:
    """So many clients, each asking again as soon as it is answered."""
    return at_once(server.port, paths, clients, seconds).summary()


def measure_repeated(index: Path, paths: Sequence[str]) -> dict[str, float]:
    """Questions that were asked just before, by a server with its usual cache, over one connection.

    One worker, so that all answers are in the memory that is asked.
    """
    lately = paths[: 2 * _WARM_UP]
    with Server(index, "--workers", "1") as server:
        one_by_one(server.port, lately)
        return one_by_one(server.port, [*lately] * 5).summary()


def measure_workers(index: Path, paths: Sequence[str], workers: int, seconds: float) -> dict[str, Any]:
    """Memory after a while of searches, and answers a second, with so many workers."""
    with Server(index, "--cache", "0", "--workers", str(workers)) as server:
        many = at_once(server.port, paths, 4 * workers, 2 * seconds).summary()
        found: dict[str, Any] = {"clients": 4 * workers, "per_second": many["per_second"], "p99_ms": many["p99_ms"]}
        if Path("/proc/self/smaps_rollup").is_file():
            processes = [memory_mb(process) for process in (server.process.pid, *server.workers())]
            found["processes"] = processes
            found["pss_mb"] = round(sum(one["pss"] for one in processes), 1)
            found["rss_mb"] = round(sum(one["rss"] for one in processes), 1)
        return found


# -- filters --------------------------------------------------------------------------------------------------


def measure_filters(server: Server, index: Path, queries: Sequence[str], wanted: int) -> dict[str, Any]:
    """Searches with filters, each beside the same one without them."""
    shares = [share for share in SHARES for _ in range(wanted // len(SHARES))]
    narrowings = list(chosen_filters(index, shares))
    plain, connection = Load(), Connection(server.port)
    by_share = {share: Load() for share in SHARES}
    short = 0
    for asked, narrowing in zip(cycle(queries), narrowings, strict=False):
        query = _QUOTES.sub(" ", asked)  # a phrase would be a filter too, and so would words for days
        options = {"size": RESULTS, "date_words": "false"}
        _ask(connection, search_path(query, **options), plain)
        body = _ask(connection, search_path(query, **options, **narrowing.parameters), by_share[narrowing.wanted_share])
        short += len(body["results"]) < min(RESULTS, narrowing.articles)
    connection.close()
    together = Load(taken=[one for load in by_share.values() for one in load.taken])
    p99 = plain.summary()["p99_ms"]
    return {
        "searches": len(narrowings),
        "without_all_results": short,
        "unfiltered": plain.summary(),
        "filtered": together.summary(),
        "p99_over_unfiltered": round(together.summary()["p99_ms"] / p99, 2),
        "by_share": {
            share: {
                "median_articles": float(np.median([one.articles for one in narrowings if one.wanted_share == share])),
                "p50_ms": load.summary()["p50_ms"],
                "p99_ms": load.summary()["p99_ms"],
            }
            for share, load in by_share.items()
            if load.taken
        },
    }


def _ask(connection: Connection, path: str, load: Load) -> dict[str, Any]:
    began = perf_counter()
    status, body = connection.ask(path)
    load.taken.append((perf_counter() - began) * 1000)
    load.statuses[status] += 1
    found: dict[str, Any] = loads(body)
    return found


def chosen_filters(index: Path, shares: Sequence[float]) -> Iterator[Narrowing]:
    """For each share of the articles the nearest of some random filters: a span of days, with a source or an author."""
    articles = _known_articles(index)
    chance = random.Random(0)
    for share in shares:
        wanted = max(1, round(share * len(articles)))
        tries = [_random_filter(articles, wanted, chance) for _ in range(6)]
        parameters, left = min(tries, key=lambda one: abs(np.log(one[1] / wanted)))
        yield Narrowing(share, parameters, left)


Known = tuple[str, str | None, tuple[str, ...]]


def _known_articles(index: Path) -> list[Known]:
    """Day, source and authors of each article with a day, by day."""
    with closing(Catalog.snapshot(live_generation(index).catalog)) as catalog:
        articles = catalog.all_articles()
        return sorted(((a.published or "")[:10], a.source, tuple(a.authors)) for a in articles if a.published)


def _random_filter(articles: Sequence[Known], wanted: int, chance: random.Random) -> tuple[dict[str, str], int]:
    """A span of days, within all articles or those of one source or author, that leaves about so many, at least one."""
    _, source, authors = chance.choice(articles)
    kind = chance.choice(("days", "source", "author"))
    named: dict[str, str] = {}
    inside = articles
    if kind == "source" and source:
        named, inside = {"source": source}, [one for one in articles if (one[1] or "").casefold() == source.casefold()]
    elif kind == "author" and authors:
        author = authors[0]
        folded = author.casefold()
        named = {"author": author}
        inside = [one for one in articles if any(name.casefold() == folded for name in one[2])]
    first = chance.randrange(max(1, len(inside) - wanted + 1))
    last = min(first + wanted, len(inside)) - 1
    start, end = inside[first][0], inside[last][0]
    days = Counter(day for day, _, _ in inside)
    left = sum(count for day, count in days.items() if start <= day <= end)
    return {**named, "from": start, "to": end}, left


# -- what it comes to -----------------------------------------------------------------------------------------


def goals(results: dict[str, Any]) -> dict[str, bool]:
    """Which goals the figures reach; memory counts shared pages once."""
    one, filters, workers = results["one_connection"], results["filters"], results["workers"]
    best = max(found["per_second"] for found in results["clients"].values())
    crowd = results["clients"][CLIENTS[-1]]
    reached = {
        "p50": one["p50_ms"] <= P50_GOAL_MS,
        "p99": one["p99_ms"] <= P99_GOAL_MS,
        "per_second": best >= PER_SECOND_GOAL,
        "no collapse with 64 clients": crowd["per_second"] >= 0.9 * best,
        "all results that exist": filters["without_all_results"] == 0,
        "filtered p99": filters["p99_over_unfiltered"] <= FILTERED_P99_GOAL,
    }
    if all("pss_mb" in found for found in workers.values()):
        first, second, third = (workers[count]["pss_mb"] for count in WORKERS)
        reached["memory of one worker"] = first <= FIRST_WORKER_GOAL_MB
        reached["memory of each further worker"] = max(second - first, third - second) <= FURTHER_WORKER_GOAL_MB
    return reached


def _show(results: dict[str, Any]) -> None:
    for name, value in machine().items():
        print(f"{name}: {value}")
    print(f"\n{results['passages']:,} passages, {results['distinct_queries']} distinct queries, {cores()} cores")
    columns = ("per_second", "p50_ms", "p95_ms", "p99_ms", "max_ms", "refused", "failed")
    print(f"{'':28}" + "".join(f"{name:>12}" for name in columns))
    rows = {
        "one connection": results["one_connection"],
        "one connection, from memory": results["from_memory"],
        **{f"{clients} clients": found for clients, found in results["clients"].items()},
        "with filters": results["filters"]["filtered"],
        "the same without": results["filters"]["unfiltered"],
    }
    for name, found in rows.items():
        print(f"{name:28}" + "".join(f"{found[column]:>12,}" for column in columns))
    for share, found in results["filters"]["by_share"].items():
        left = f"{share:.2%} of articles ({found['median_articles']:g})"
        print(f"{left:28}{found['p50_ms']:>24,}{found['p99_ms']:>24,}")
    short = results["filters"]["without_all_results"]
    print(f"{results['filters']['searches']} filtered searches, {short} without all results that exist")
    for workers, found in results["workers"].items():
        told = f"{found['pss_mb']:,} MB proportional, {found['rss_mb']:,} MB resident" if "pss_mb" in found else ""
        print(f"{workers} workers, {found['clients']} clients: {found['per_second']:,} a second; {told}")
    print("\n".join(f"{'reached' if reached else 'MISSED'}: {name}" for name, reached in results["goals"].items()))


if __name__ == "__main__":
    main()
