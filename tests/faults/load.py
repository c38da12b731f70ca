"""A server at ten times what it can answer, while its index changes, its workers are killed and its clients are rude.

    python tests/faults/load.py [--minutes 10] [--kill-workers] [--rude 50] [--articles 2000] [--workers 2]

Builds an index of made-up articles (rounds.py) with the bundled model, serves it, and measures what it can answer:
one to sixteen clients that ask in turn, every question a new one. Then ten times as many requests come for some
minutes, whether they are answered or not (clients.py), while `dateline rebuild`, `add` and `remove` run in a loop,
every ten seconds a worker is killed (oftener, and the server would take it that they cannot live, and end), and rude
clients hold connections (rude.py). Prints one JSON document:

- `mistakes`: answers that are wrong: a passage that is not its article's, two rounds in one answer, a cut page,
  an unexpected status. None is allowed. `states_of_two_rounds` are states of the index under which two were seen;
- `statuses`, and `bare_refusals`: those that do not say when to come back;
- `lost`: requests without a whole answer, by how. With `--kill-workers` some are cut;
- `answered`: percentiles of those answered with 200, from the moment they were due;
- `health`: the same of /healthz over connections of its own, and how often it was not answered;
- `memory`: megabytes of the server's processes before, at most, and in the end, and `waiting`, the most that waited;
- `recovered_seconds`: how long after the load searches were as fast as before it again, within half as much again.

Linux only. The clients share the machine with the server.
"""

import argparse
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))

import numpy as np
from clients import Crowd, requests
from rounds import Queries, write_round
from sampling import held_by
from served import PROJECT, Server

_HERE = Path(__file__).parent
_SEED = 11
_CLIENT_PROCESSES = 2
_CAPACITY_CLIENTS = (1, 4, 16)
_RECOVERED = 1.5
_LONGEST_RECOVERY_SECONDS = 120.0
_SAMPLE_SECONDS = 1.0
_HEALTH_SECONDS = 0.5
_ADDED = 20
_QUERIES_A_LOOK = 20
# The writer's last command should end before the load does.
_WRITER_STOPS_BEFORE = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; `rude` is how many of each kind of rude clients, `kill_every` seconds between kills."""

    seconds: float
    articles: int = 2000
    workers: int = 2
    times: float = 10.0
    kill_every: float | None = None
    rude: int = 0
    capacity_seconds: float = 5.0


@dataclass
class Watched:
    """What was seen beside the clients, as the load went on."""

    memory: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    health_lost: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    written: Counter[str] = field(default_factory=Counter)
    write_errors: list[str] = field(default_factory=list)


def main() -> None:
    """Prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--times", type=float, default=10.0, help="as many as it can answer")
    parser.add_argument("--kill-workers", action="store_true")
    parser.add_argument("--rude", type=int, default=50, metavar="N", help="of each kind; 0 for none")
    asked = parser.parse_args()
    plan = Plan(
        asked.minutes * 60, asked.articles, asked.workers, asked.times, 10.0 if asked.kill_workers else None, asked.rude
    )
    print(json.dumps(overload(plan)))


def overload(plan: Plan) -> dict[str, Any]:
    """Carries the plan out."""
    with tempfile.TemporaryDirectory(prefix="dateline-load-") as folder, ExitStack() as running:
        index = Path(folder) / "index"
        first = write_round(Path(folder) / "round.jsonl", range(plan.articles), 0)
        _dateline("rebuild", first, "--index", index)
        log = running.enter_context((Path(folder) / "log").open("w+"))
        server = running.enter_context(Server(index, "--workers", str(plan.workers), log=log))
        capacity, unloaded_ms = measure(server, plan)
        before = _memory(server)
        watched = Watched()
        with _beside(server, index, plan, watched):
            rude = _start("rude.py", server.port, seconds=plan.seconds, each=plan.rude) if plan.rude else None
            found = [json.loads(_output(one)) for one in _crowd(server.port, plan, capacity * plan.times)]
        recovered = until_recovered(server, plan, unloaded_ms)
        return {
            "machine_cores": os.cpu_count(), "minutes": round(plan.seconds / 60, 2), "capacity": round(capacity, 1),
            "offered": round(capacity * plan.times, 1), "unloaded_p50_ms": round(unloaded_ms, 2),
            **_told(found, plan.seconds), "health": _percentiles(watched.health), "health_lost": watched.health_lost,
            "memory": {"before": before, "most": max(watched.memory), "end": _memory(server)},
            "waiting": max(watched.waiting, default=0.0), "waiting_in_the_end": _metric(server, "dateline_waiting"),
            "killed": watched.killed, "written": watched.written, "write_errors": watched.write_errors,
            "rude": json.loads(_output(rude)) if rude else None, "recovered_seconds": recovered,
            "errors_logged": sum(" ERROR " in line for line in (Path(folder) / "log").read_text().splitlines()),
        }  # fmt: skip


def measure(server: Server, plan: Plan) -> tuple[float, float]:
    """How many requests a second it can answer, and the median milliseconds of one when there is no other."""
    _in_turn(server, plan, 4, plan.capacity_seconds)  # to warm up
    alone = _in_turn(server, plan, 1, plan.capacity_seconds)
    most = max(len(_in_turn(server, plan, clients, plan.capacity_seconds)) for clients in _CAPACITY_CLIENTS)
    return most / plan.capacity_seconds, float(np.median(alone))


def until_recovered(server: Server, plan: Plan, unloaded_ms: float) -> float | None:
    """Seconds until one client is answered as fast as before, or None if it never is."""
    began = time.monotonic()
    while time.monotonic() < began + _LONGEST_RECOVERY_SECONDS:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with status {server.process.returncode}")
        taken = _in_turn(server, plan, 1, most=_QUERIES_A_LOOK)
        if taken and np.median(taken) <= _RECOVERED * unloaded_ms:
            return round(time.monotonic() - began, 2)
    return None


_turns = itertools.count()


def _in_turn(
    server: Server, plan: Plan, clients: int, seconds: float = float("inf"), most: float = float("inf")
) -> Sequence[float]:
    chance = random.Random(_SEED + next(_turns))  # other questions each time
    drawn = requests(Queries(chance, plan.articles), chance, plan.articles)
    seen = Crowd(server.port, drawn).in_turn(clients, seconds, most)
    assert not seen.mistaken, seen.mistakes
    return seen.taken


# -- what goes on beside the load -----------------------------------------------------------------------------


@contextmanager
def _beside(server: Server, index: Path, plan: Plan, watched: Watched) -> Iterator[None]:
    """Writes, kills, samples and asks after the server's health, until the block ends."""
    stop = threading.Event()
    writer_stops = time.monotonic() + plan.seconds * (1 - _WRITER_STOPS_BEFORE)
    threads = [
        threading.Thread(target=_keep_sampling, args=(server, watched, stop)),
        threading.Thread(target=_keep_asking_after_health, args=(server, watched, stop)),
        threading.Thread(target=_keep_writing, args=(index, plan, watched, stop, writer_stops)),
    ]
    if plan.kill_every:
        threads.append(threading.Thread(target=_keep_killing, args=(server, plan.kill_every, watched, stop)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _keep_sampling(server: Server, watched: Watched, stop: threading.Event) -> None:
    while not stop.wait(_SAMPLE_SECONDS):
        watched.memory.append(_memory(server))
        with suppress(urllib.error.URLError, OSError):
            watched.waiting.append(_metric(server, "dateline_waiting"))


def _keep_asking_after_health(server: Server, watched: Watched, stop: threading.Event) -> None:
    while not stop.wait(_HEALTH_SECONDS):
        began = time.monotonic()
        try:
            status, _ = server.get("/healthz")
            watched.health_lost[str(status)] += status != 200
            watched.health.append((time.monotonic() - began) * 1000)
        except (urllib.error.URLError, OSError) as error:
            watched.health_lost[type(getattr(error, "reason", error)).__name__] += 1


def _keep_killing(server: Server, every: float, watched: Watched, stop: threading.Event) -> None:
    chance = random.Random(_SEED)
    while not stop.wait(every):
        if workers := server.workers():
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                watched.killed += 1


def _keep_writing(index: Path, plan: Plan, watched: Watched, stop: threading.Event, until: float) -> None:
    for command in _changes(index, plan.articles):
        if stop.is_set() or time.monotonic() > until:
            return
        try:
            _dateline(*command, "--index", index)
            watched.written[str(command[0])] += 1
        except subprocess.CalledProcessError as error:
            watched.write_errors.append(str(error.stderr)[-500:])


def _changes(index: Path, articles: int) -> Iterator[tuple[object, ...]]:
    """A new round with each rebuild, then articles that come and go; each file is written when it is read."""
    source = index.parent / "round.jsonl"
    extra = range(articles, articles + _ADDED)
    for round in itertools.count(1):
        yield "rebuild", write_round(source, range(articles), round)
        yield "add", write_round(source, extra, round)
        yield "remove", *(f"a{number}" for number in extra[::2])
        yield "add", write_round(source, extra[::2], round)


# -- processes ------------------------------------------------------------------------------------------------


def _dateline(*arguments: object) -> None:
    command = [sys.executable, "-m", "web", *map(str, arguments)]
    subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)


def _crowd(port: int, plan: Plan, rate: float) -> list["subprocess.Popen[str]"]:
    each = {"articles": plan.articles, "rate": rate / _CLIENT_PROCESSES, "seconds": plan.seconds}
    return [_start("clients.py", port, seed=_SEED + 1000 + at, **each) for at in range(_CLIENT_PROCESSES)]


def _start(script: str, port: int, **options: object) -> "subprocess.Popen[str]":
    told = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.Popen([sys.executable, str(_HERE / script), str(port), *told], stdout=subprocess.PIPE, text=True)


def _output(process: "subprocess.Popen[str]") -> str:
    told, _ = process.communicate()
    assert process.returncode == 0, process.args
    return told


def _memory(server: Server) -> float:
    return held_by([server.process.pid, *server.workers()]).get("pss_mb", 0.0)


def _metric(server: Server, name: str) -> float:
    matched = re.search(rf"^{name} (\S+)", server.get("/metrics")[1].decode(), re.MULTILINE)
    return float(matched[1]) if matched else 0.0


# -- what it comes to -----------------------------------------------------------------------------------------


def _told(found: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What all client processes saw."""
    states: dict[str, set[int]] = {}
    for one in found:
        for state, rounds in one["states"].items():
            states.setdefault(state, set()).update(rounds)
    taken = [ms for one in found for ms in one["taken"]]
    return {
        "statuses": sum((Counter(one["statuses"]) for one in found), Counter()),
        "lost": sum((Counter(one["lost"]) for one in found), Counter()),
        "checked": sum(one["checked"] for one in found),
        "mistakes": sum(one["mistaken"] for one in found),
        "first_mistakes": [mistake for one in found for mistake in one["mistakes"]][:10],
        "bare_refusals": sum(one["bare_refusals"] for one in found),
        "states": len(states),
        "states_of_two_rounds": sum(len(rounds) > 1 for rounds in states.values()),
        "answered": _percentiles(taken) | {"per_second": round(len(taken) / seconds, 1)},
    }


def _percentiles(taken: Sequence[float]) -> dict[str, float]:
    if not taken:
        return {}
    found = {f"p{at}_ms": float(np.percentile(taken, at)) for at in (50, 95, 99)} | {"max_ms": float(max(taken))}
    return {name: round(value, 1) for name, value in found.items()}


if __name__ == "__main__":
    main()
