"""A Ray cluster as a place to read and embed. The one module that knows Ray.

Every machine of the cluster needs the same Dateline, Python and Ray; the model travels there by itself. Each CPU of the
cluster gets an actor that embeds, on one thread, and every second one an actor that reads; nodes that join get theirs.
"""

import logging
import os
import platform
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from index.distributed.crew import TAKEN_OVER, Crew, WorkerLost, first_line
from index.distributed.embedding import DistributedEncoder
from index.distributed.reading import Source, read_on, reader_of
from index.encoder import Encoder, ModelIdentity
from index.errors import ClusterError, DatelineError, UsageError
from index.reading.fields import FieldMap
from index.reading.pool import Item

AUTO, LOCAL = "auto", "local"
"""A cluster that this machine belongs to; one that is made of this machine alone, for the time of the run."""

_CLIENT_PORT = 10001
_SECONDS_TO_REACH = 10.0
# The head starts a process for each client, which fails now and then (Ray 2.60 with gRPC 1.85: one in four here).
_MOST_TRIES = 3
# Shares of a CPU: one that embeds and, on every second CPU, one that reads fit together, also on nodes with one CPU.
# Reading a web page takes about half as long as embedding it.
_EMBEDDING, _READING = 0.8, 0.2
_CPUS_A_READER = 2
# What decides how a document is read and how a text is embedded.
_TELLING_PACKAGES = (
    "dateline", "trafilatura", "htmldate", "lxml", "py3langid", "dateparser", "charset-normalizer", "markdown-it-py",
    "openvino", "tokenizers",
)  # fmt: skip


class Cluster:
    """A cluster that this process is connected to."""

    def __init__(self, ray: Any, open_crews: ExitStack) -> None:
        self._ray = ray
        self._open = open_crews

    def read(self, documents: Iterable[Source], fields: FieldMap) -> Iterator[Item]:
        """What `index.reading.pool.read_all` does in processes of this machine: the same, in the same order."""
        crew = self._crew(reader_of, fields, cpus=_READING, size=lambda: max(1, self._cpus() // _CPUS_A_READER))
        return read_on(crew, documents)

    def encoder(self, identity: ModelIdentity, load: Callable[[], Encoder]) -> DistributedEncoder:
        """The encoder that `load` makes, working on all CPUs of the cluster; it is loaded when there is work."""
        return DistributedEncoder(
            identity, load, lambda make, *parts: self._crew(make, *parts, cpus=_EMBEDDING, size=self._cpus)
        )

    def _cpus(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def _crew(self, make: Callable[..., Any], *parts: Any, cpus: float, size: Callable[[], int]) -> Crew[Any, Any]:
        """Actors that do what `make` makes of `parts` there; these are sent to a node once."""
        ray = self._ray
        actor = ray.remote(num_cpus=cpus, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(_Host)
        sent: list[Any] = []

        def start() -> _Actor:
            try:
                if not sent:
                    sent.extend([ray.put(part) for part in parts])
                return _Actor(ray, actor.remote(), make, sent)
            except Exception as error:  # the head makes it, and may fail in any way
                raise _meaning(error, ray) from error

        return self._open.enter_context(Crew(start, size))


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster at `address`: ray://HOST:PORT, auto or local, the last two also with ray:// before them.

    Raises UsageError for what is no address and ClusterError when it cannot be reached.
    """
    place = _place(address)
    ray = _imported()
    try:
        _connect(ray, place)
    except Exception as error:  # ConnectionError, RuntimeError for other versions, and more
        raise ClusterError(
            f"Cannot work on the Ray cluster at {address}: {_reason(error)} It needs Ray {ray.__version__} and Python"
            f" {platform.python_version()}, as here. Where it asks for a token, set RAY_AUTH_MODE=token and"
            " RAY_AUTH_TOKEN."
        ) from error
    try:
        with ExitStack() as open_crews:
            yield Cluster(ray, open_crews)
    finally:
        with suppress(Exception):  # lost already
            ray.shutdown()


def _imported() -> Any:
    """Ray, which says nothing, neither here nor to its makers, and starts nothing when it loses a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    try:
        import ray
    except ImportError as error:
        raise ClusterError("Ray is not installed. Run: pip install 'dateline[ray]', as on the cluster.") from error
    # What it warns of, a lost connection, is told by our own errors.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.util.client.logsclient").disabled = True
    warnings.filterwarnings("ignore", module=r"ray\.")
    return ray


def _connect(ray: Any, place: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    for tries_left in range(_MOST_TRIES - 1, -1, -1):
        try:
            if place == LOCAL:
                ray.init(include_dashboard=False, **quiet)
            else:
                ray.init(place, **quiet)
            return
        except ConnectionError:
            if not tries_left:
                raise


def _reason(error: Exception) -> str:
    """What an error says in its last line: before it there may be the whole trace of a server."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[-1].rstrip('.')}."


def _place(address: str) -> str:
    """What Ray calls it. Raises ClusterError when nobody listens there, which Ray finds out after a minute."""
    bare = address.removeprefix("ray://")
    if bare in (AUTO, LOCAL):
        return bare
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _CLIENT_PORT
    except ValueError:
        host = None
    if not host or parts.scheme != "ray":
        raise UsageError(f"{address!r} is no Ray cluster. Give --on ray://HOST:{_CLIENT_PORT}, or auto, or local.")
    try:
        socket.create_connection((host, port), _SECONDS_TO_REACH).close()
    except OSError as error:
        raise ClusterError(
            f"Nobody answers at {address} ({error.strerror or error}). Start the cluster's head with: ray start --head"
            f" --ray-client-server-port={port}; or leave out --on, to work on this machine."
        ) from error
    return f"ray://{f'[{host}]' if ':' in host else host}:{port}"


def versions() -> dict[str, str]:
    """Of this machine, what must be the same on all."""
    found = {}
    for package in _TELLING_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


class _Host:
    """What an actor is: it does one thing, which it is told when it begins."""

    def begin(self, wanted: Mapping[str, str], make: Callable[..., Callable[[Any], Any]], *parts: Any) -> None:
        """Prepares for work. Raises ClusterError where this node has not what the one that leads has."""
        here = versions()
        differing = [f"{name} {here[name]} instead of {wanted[name]}" for name in wanted if here[name] != wanted[name]]
        if differing:
            raise ClusterError(
                f"The node {socket.gethostname()} has {', '.join(differing)}. Install there what is installed here:"
                " the same version of dateline with the same packages."
            )
        # One thread each: there are as many of us as CPUs.
        os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
        self._do = make(*parts)

    def work(self, task: Any) -> Any:
        """Does one task."""
        return self._do(task)


class _Actor:
    """A worker that is an actor."""

    def __init__(self, ray: Any, handle: Any, make: Callable[..., Any], parts: list[Any]) -> None:
        self._ray = ray
        self._handle = handle
        self._begun = handle.begin.remote(versions(), make, *parts)

    def ready(self) -> "Future[None]":
        return self._explained(self._begun)

    def give(self, task: Any) -> "Future[Any]":
        return self._explained(self._handle.work.remote(task))

    def dismiss(self) -> None:
        self._ray.kill(self._handle)

    def _explained(self, reference: Any) -> "Future[Any]":
        """What comes of a call, with errors that say what they mean."""
        explained: Future[Any] = Future()

        def tell(done: "Future[Any]") -> None:
            error = done.exception()
            with suppress(InvalidStateError):
                if error is None:
                    explained.set_result(done.result())
                else:
                    explained.set_exception(_meaning(error, self._ray))

        reference.future().add_done_callback(tell)
        return explained


def _meaning(error: BaseException, ray: Any) -> Exception:
    """What an error of Ray is to us."""
    if isinstance(error, ModuleNotFoundError) or "ModuleNotFoundError" in str(error):
        return ClusterError(
            "Dateline is not installed on every node of the cluster, its head included. Run there, in the Python"
            f" that runs Ray: pip install 'dateline[ray]=={versions()['dateline']}'"
        )
    if isinstance(error, ray.exceptions.RayTaskError):
        cause = error.cause
        if isinstance(cause, DatelineError):
            return cause
        return ClusterError(f"A worker failed: {type(cause).__name__}: {first_line(cause)} {TAKEN_OVER}")
    if isinstance(error, ray.exceptions.RayError):
        return WorkerLost(first_line(error))
    return ClusterError(f"The cluster was lost: {first_line(error)} {TAKEN_OVER}")
