"""Running the application on a production server. The one module that knows granian."""

import gc
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.errors import DatelineError

if TYPE_CHECKING:
    from web.front import Front

_SETTINGS = "DATELINE_SERVING"
# Beyond this, processes share memory bandwidth more than they share work.
_MOST_WORKERS = 4
# A request may wait as long as people do for a page that they still want.
_PATIENCE_SECONDS = 2.0
# Threads that are never held by a waiting search: health checks, style sheets, answers from memory and refusals.
_SPARE_THREADS = 8
# Open connections that a worker accepts; idle ones cost little, and a health check needs one too.
_CONNECTIONS = 512
# A search gives up the interpreter many times, to FAISS, tantivy and SQLite, and has to get it back each time. While
# a new state is opened beside it, it waits for so long each time; Python's own 5 ms would add up to a spike.
_SWITCH_SECONDS = 0.0005
# A worker listens once its index is open, so that no search goes to one that cannot answer yet, unless it takes
# longer than this: then health checks should hear that it is alive.
_OPEN_SECONDS = 30.0
_STOP_SECONDS = 10
_PARENT_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How to serve an index. `threads` searches run at once in each worker and `queue` wait.

    `cache_mb` bounds the answers that each worker keeps, 0 keeps none; `salt` is made when the server starts.
    """

    root: Path
    rerank: str | None = None
    workers: int | None = None
    threads: int = 1
    queue: int = 64
    cache_mb: int = 16
    salt: str = ""

    @property
    def processes(self) -> int:
        """How many workers: one a core up to a few; a cross-encoder fills memory, so it is loaded once."""
        return self.workers or (1 if self.rerank else min(cores(), _MOST_WORKERS))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(settings: ServeSettings, host: str, port: int) -> None:
    """Serves an index until stopped. Raises DatelineError when the address cannot be used."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops

    _check_address(host, port)
    told = asdict(settings) | {"root": str(settings.root.absolute()), "salt": secrets.token_hex(8)}
    os.environ[_SETTINGS] = json.dumps(told)
    # Libraries that calculate on several cores at once: together the workers should not use more than there are.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // settings.processes)))
    server = Granian(
        "web.serving:application", address=host, port=port, interface=Interfaces.WSGI, factory=True,
        workers=settings.processes, respawn_failed_workers=True, workers_kill_timeout=_STOP_SECONDS,
        blocking_threads=settings.threads + settings.queue + _SPARE_THREADS, backpressure=_CONNECTIONS,
        http=HTTPModes.http1, loop=Loops.asyncio, websockets=False, log_enabled=False,
    )  # fmt: skip
    _import_once()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_die_when_told)
    click.echo(f"Dateline is at http://{host}:{port} (stop with Ctrl-C)", err=True)
    server.serve()


def application() -> "Front":
    """The application of one worker process, as $DATELINE_SERVING says."""
    from web.app import create_app
    from web.front import Front
    from web.live import LiveEngine

    told = json.loads(os.environ[_SETTINGS])
    settings = ServeSettings(**told | {"root": Path(told["root"])})
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(_SWITCH_SECONDS)
    _end_with_parent()
    live = LiveEngine(settings.root, settings.rerank).start(wait=_OPEN_SECONDS)
    return Front(
        create_app(live.engine, settings.root), live.generation, remember=live.remember,
        threads=settings.threads, queue=settings.queue, patience=_PATIENCE_SECONDS,
        cache_bytes=settings.cache_mb << 20, salt=settings.salt,
    )  # fmt: skip


def _import_once() -> None:
    """Imports what every worker needs before there are workers: forked, they share the memory of it.

    Nothing is opened and no model is loaded, because threads and locks of libraries do not survive a fork.
    """
    from web import app, front, live  # noqa: F401

    gc.collect()
    gc.freeze()  # so that collecting in a worker does not write to, and so copy, what is shared


def _die_when_told() -> None:
    """A forked worker has its parent's handlers, which would swallow a stop until it serves, and opening takes long."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _end_with_parent() -> None:
    """Stops this worker when the process that looks after it is gone, killed perhaps: nobody else would stop it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _check_address(host: str, port: int) -> None:
    """The server would only log that it cannot listen; a person wants to be told."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise DatelineError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --port.") from error
