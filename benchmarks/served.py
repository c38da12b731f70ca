"""A running `dateline serve`, its memory, and clients that ask it, for the benchmarks that speak HTTP.

The clients are light, because they share the machine with what they measure: plain sockets, one thread for any
number of connections, answers counted and not parsed.
"""

import json
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlencode

import numpy as np

PROJECT = Path(__file__).parent.parent
_PATIENCE_SECONDS = 120
_RECEIVED_AT_ONCE = 1 << 18


class Server:
    """`dateline serve` as users start it, on a port of its own; stopped at the end of a `with`."""

    def __init__(self, index: Path, *options: str, log: IO[str] | int = subprocess.DEVNULL) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "web", "serve", "--index", str(index.absolute()), "--port", str(self.port)]
        self.process = subprocess.Popen([*command, *options], cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=log)

    def __enter__(self) -> Self:
        self.wait(lambda: self.get("/readyz")[0] == 200)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body, over a connection of its own."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def search(self, query: str, **options: Any) -> dict[str, Any]:
        """The answer to a search."""
        found: dict[str, Any] = json.loads(self.get(search_path(query, **options))[1])
        return found

    def wait(self, condition: Callable[[], Any], every: float = 0.05, patience: float = _PATIENCE_SECONDS) -> Any:
        """The first true value of `condition`. Raises TimeoutError when there is none for `patience` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}")
            try:
                if found := condition():
                    return found
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(every)
        raise TimeoutError("the server did not get there in time")

    def workers(self) -> list[int]:
        """The process ids of the workers, without the process that looks after them (Linux only)."""
        own = str(self.process.pid)
        tasks = Path(f"/proc/{own}/task").glob("*/children")
        return sorted(int(child) for task in tasks for child in task.read_text().split())


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def search_path(query: str, **options: Any) -> str:
    """The address of a search in the JSON API; `from_` stands for `from`."""
    asked = {"q": query, **{name.rstrip("_"): value for name, value in options.items()}}
    return f"/api/v1/search?{urlencode(asked, doseq=True)}"


def memory_mb(process: int) -> dict[str, float]:
    """Megabytes of one process: resident, its share of what several have mapped, and what it has alone."""
    told = Path(f"/proc/{process}/smaps_rollup").read_text()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in told.splitlines()[1:]}
    alone = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {name: round(value / 1024, 1) for name, value in
            (("rss", kilobytes["Rss"]), ("pss", kilobytes["Pss"]), ("private", alone))}  # fmt: skip


@dataclass
class Load:
    """What clients saw: milliseconds of each answered request, and how many answers had which status."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def summary(self) -> dict[str, float]:
        """Percentiles of the requests that were answered with 200, their number a second, and the refusals."""
        taken = np.asarray(self.taken or [np.nan])
        return {
            "per_second": round(len(self.taken) / self.seconds, 1) if self.seconds else 0.0,
            "p50_ms": round(float(np.percentile(taken, 50)), 2),
            "p95_ms": round(float(np.percentile(taken, 95)), 2),
            "p99_ms": round(float(np.percentile(taken, 99)), 2),
            "max_ms": round(float(taken.max()), 2),
            "answered": len(self.taken),
            "refused": self.statuses[503],
            "failed": sum(count for status, count in self.statuses.items() if status not in (200, 304, 503)),
        }


class Connection:
    """One keep-alive connection, blocking."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, path: str) -> None:
        """Asks for `path`."""
        self._buffer = b""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def receive(self) -> tuple[int, dict[bytes, bytes], bytes] | None:
        """Reads once; status, headers and body when that completes an answer."""
        received = self.socket.recv(_RECEIVED_AT_ONCE)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._buffer += received
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        if len(body) < int(headers[b"content-length"]):
            return None
        return int(lines[0].split()[1]), headers, body

    def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.send(path)
        while True:
            if answer := self.receive():
                return answer[0], answer[2]

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()


def one_by_one(port: int, paths: Sequence[str]) -> Load:
    """Asks for each path in turn over one connection."""
    load, connection = Load(), Connection(port)
    began = time.perf_counter()
    for path in paths:
        sent = time.perf_counter()
        status, _ = connection.ask(path)
        load.statuses[status] += 1
        if status == 200:
            load.taken.append((time.perf_counter() - sent) * 1000)
    load.seconds = time.perf_counter() - began
    connection.close()
    return load


def at_once(port: int, paths: Sequence[str], clients: int, seconds: float, *, patient: bool = True) -> Load:
    """So many clients, each asking again as soon as it is answered; they take the paths in turn.

    A patient client that is refused waits as long as Retry-After says, an impatient one a hundredth of a second.
    """
    load, asked = Load(), cycle(paths)
    watched = selectors.DefaultSelector()
    sent: dict[Connection, float] = {}
    resting: list[tuple[float, Connection]] = []

    def ask(connection: Connection) -> None:
        sent[connection] = time.perf_counter()
        connection.send(next(asked))

    began = time.perf_counter()
    connections = [Connection(port) for _ in range(clients)]
    for connection in connections:
        watched.register(connection.socket, selectors.EVENT_READ, connection)
        ask(connection)
    while (now := time.perf_counter()) < began + seconds:
        for due, connection in [rest for rest in resting if rest[0] <= now]:
            resting.remove((due, connection))
            ask(connection)
        for key, _ in watched.select(0.02):
            answer = key.data.receive()
            if answer is None:
                continue
            status, headers, _ = answer
            load.statuses[status] += 1
            if status == 200:
                load.taken.append((time.perf_counter() - sent[key.data]) * 1000)
                ask(key.data)
            else:
                pause = float(headers.get(b"retry-after", b"1")) if patient else 0.01
                resting.append((time.perf_counter() + pause, key.data))
    load.seconds = time.perf_counter() - began
    watched.close()
    for connection in connections:
        connection.close()
    return load


class Steady:
    """A client at a steady rate over a few connections. A request is late from the moment it was due, not sent."""

    def __init__(self, port: int, paths: Sequence[str], rate: float = 20.0, connections: int = 4) -> None:
        self.load = Load()
        self.moments: list[tuple[float, float]] = []
        """When each answered request was due, in seconds of the monotonic clock, and its milliseconds."""
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._threads = [
            threading.Thread(target=self._run, args=(port, paths, rate, connections, at)) for at in range(connections)
        ]

    def _run(self, port: int, paths: Sequence[str], rate: float, connections: int, at: int) -> None:
        connection, turn = Connection(port), at
        while not self._stop.is_set():
            due = self._began + turn / rate
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            status, _ = connection.ask(paths[turn % len(paths)])
            taken = (time.monotonic() - due) * 1000
            self.load.statuses[status] += 1
            if status == 200:
                self.load.taken.append(taken)
                self.moments.append((due, taken))
            turn += connections
        connection.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.load.seconds = time.monotonic() - self._began


def read_queries(path: Path) -> list[str]:
    """The distinct texts of a queries.jsonl, in order."""
    lines = path.read_text("utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line)["text"] for line in lines if line.strip()))
