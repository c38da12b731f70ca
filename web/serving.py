"""Running the application on a production server. The one module that knows granian."""

import gc
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.errors import DatelineError
from web import bodies, streams
from web.keys import load_keys
from web.settings import ServeSettings, cores

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from web.refusals import Refusals
    from web.visits import Step

# A request may wait as long as people do for a page that they still want.
_PATIENCE_SECONDS = 2.0
# Threads that are never held by a waiting search: health checks, style sheets, answers from memory, refusals.
_SPARE_THREADS = 10 + bodies.AT_ONCE + streams.MOST
# Open connections that a worker accepts, if the system lets it have so many descriptors; those of clients that say
# nothing cost little, but each takes the place of one that would.
_CONNECTIONS = 4096
# What a worker opens besides: the files of an index, two states of it while it changes.
_OTHER_DESCRIPTORS = 512
# A request's head is one packet or a few. A connection that is kept but not used is closed as soon, too.
_HEAD_SECONDS = 10
# A search gives up the interpreter many times, to FAISS, tantivy and SQLite, and has to get it back each time. While
# a new state is opened beside it, it waits for so long each time; Python's own 5 ms would add up to a spike.
_SWITCH_SECONDS = 0.0005
# A worker listens once its index is open, so that no search goes to one that cannot answer yet, unless it takes
# longer than this: then health checks should hear that it is alive.
_OPEN_SECONDS = 30.0
_STOP_SECONDS = 10
_DYING = (
    "A worker died within seconds of being started anew, so the server ended. The log above may say why; if not, the"
    " system may have stopped it for want of memory. Start it again, with fewer --workers perhaps."
)
_PARENT_LOOK_SECONDS = 1.0


def serve(settings: ServeSettings) -> None:
    """Serves an index until stopped. Raises DatelineError when the address cannot be used, or a key is missing."""
    _check_keys(settings)
    _check_address(settings)
    with _shared_folder() as shared:
        _serve(replace(settings, salt=secrets.token_hex(8), shared=shared))


def _serve(settings: ServeSettings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings

    settings.tell()
    # Libraries that calculate on several cores at once: together the workers should not use more than there are.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // settings.processes)))
    server = Granian(
        "web.serving:application", address=settings.host, port=settings.port, interface=Interfaces.WSGI, factory=True,
        workers=settings.processes, respawn_failed_workers=True, workers_kill_timeout=_STOP_SECONDS,
        blocking_threads=settings.threads + settings.queue + _SPARE_THREADS, backpressure=_connections(),
        http=HTTPModes.http1, http1_settings=HTTP1Settings(header_read_timeout=_HEAD_SECONDS * 1000),
        loop=Loops.asyncio, websockets=False, log_enabled=False,
    )  # fmt: skip
    _import_once()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_die_when_told)
    click.echo(f"Dateline is at {settings.address} (stop with Ctrl-C)", err=True)
    try:
        server.serve()
    except SystemExit:
        if not server.interrupt_signal:  # nobody has asked it to stop
            raise DatelineError(_DYING) from None


def application() -> "WSGIApplication":
    """The application of one worker process, as its parent has told."""
    from werkzeug.middleware.proxy_fix import ProxyFix

    from index.place import place_of
    from web import logs, metrics
    from web.app import create_app
    from web.front import Front
    from web.live import LiveEngine

    settings = ServeSettings.told()
    logs.configure(settings.log_format, queries=settings.log_queries)
    sys.setswitchinterval(_SWITCH_SECONDS)
    _end_with_parent(settings.shared)
    live = LiveEngine(
        place_of(settings.root, settings.store),
        settings.rerank,
        settings.encoder,
        watch=metrics.searched,
        failed=metrics.OPEN_FAILURES.inc,
    ).start(wait=_OPEN_SECONDS)
    front = Front(
        create_app(live.engine, settings.root, live.ready), live.generation, remember=live.remember,
        threads=settings.threads, queue=settings.queue, patience=_PATIENCE_SECONDS,
        cache_bytes=settings.cache_mb << 20, salt=settings.salt, steps=lambda refuse: steps(settings, refuse),
        log_queries=settings.log_queries,
    )  # fmt: skip
    proxies = settings.behind_proxies
    return ProxyFix(front, x_for=proxies, x_proto=proxies, x_host=proxies) if proxies else front


def steps(settings: ServeSettings, refuse: "Refusals") -> "list[Step]":
    """What a request has to pass, in order."""
    from web.access import Access
    from web.cors import Cors
    from web.hosts import Hosts
    from web.keys import KeyRing
    from web.rates import Limit, Rates

    found: list[Step] = []
    if settings.is_local or settings.hosts:
        found.append(Hosts(settings.hosts, refuse))
    if settings.cors_origins:
        found.append(Cors(settings.cors_origins))
    ring = KeyRing(settings.keys)
    if settings.shared:
        limit = Limit(Rates(settings.shared / _RATES, settings.salt), settings.requests_a_minute, refuse)
        found += (Access(ring, refuse, needed=settings.needs_keys, limit=limit), limit)
    else:
        found.append(Access(ring, refuse, needed=settings.needs_keys))
    return found


_RATES = "rates"


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """A folder of this server's own, through which its workers share what they count."""
    folder = Path(tempfile.mkdtemp(prefix="dateline-"))
    try:
        counts = folder / "metrics"
        counts.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counts)  # before anything imports web.metrics, which looks then
        from web.rates import Rates

        Rates.prepare(folder / _RATES)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _connections() -> int:
    """How many connections a worker accepts: as many as it may have descriptors for, having asked for enough."""
    try:
        import resource
    except ImportError:  # not on Windows
        return _CONNECTIONS
    wanted = _CONNECTIONS + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _CONNECTIONS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, min(_CONNECTIONS, max(soft, allowed) - _OTHER_DESCRIPTORS))


def _import_once() -> None:
    """Imports what every worker needs before there are workers: forked, they share the memory of it.

    Nothing is opened and no model is loaded, because threads and locks of libraries do not survive a fork.
    """
    from web import access, app, cors, front, hosts, live, logs, rates  # noqa: F401

    gc.collect()
    gc.freeze()  # so that collecting in a worker does not write to, and so copy, what is shared


def _die_when_told() -> None:
    """A forked worker has its parent's handlers, which would swallow a stop until it serves, and opening takes long."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _end_with_parent(shared: Path | None) -> None:
    """Stops this worker when the process that looks after it is gone, killed perhaps: nobody else would stop it.

    Nor would anybody remove the folder that the workers share.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_LOOK_SECONDS)
        if shared:
            shutil.rmtree(shared, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _check_keys(settings: ServeSettings) -> None:
    """A server that nobody may ask is a mistake, and so is one that anybody may without its owner's saying so."""
    if settings.needs_keys and not load_keys(settings.keys):
        raise DatelineError(
            f"Whoever asks {settings.host} has to show an API key, and {settings.keys} has none. Make one with:"
            f" dateline keys add NAME --keys-file {settings.keys} (or serve everybody with --access open)"
        )


def _check_address(settings: ServeSettings) -> None:
    """The server would only log that it cannot listen; a person wants to be told."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise DatelineError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another with --host or --port."
        ) from error
