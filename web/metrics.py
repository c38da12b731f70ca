"""Counts and times of a running server, for Prometheus. The one module that knows prometheus_client.

Workers write theirs into files of a folder that the server made before it started them, and whichever is asked adds
up all. Without such a folder there is one process, and its own are told.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Flask, Response, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from werkzeug.exceptions import HTTPException

from index.errors import DatelineError
from search.hits import SearchResult
from web.current import current_engine
from web.visits import Visit

metrics = Blueprint("metrics", __name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in the environment. It has to be there before this module is imported."""

_OWN = CollectorRegistry()
# From an answer from memory to one that somebody has waited for in vain.
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS"))
_OTHER = "other"

_REQUESTS = Counter(
    "dateline_requests", "Requests, by route, method and status.", ["route", "method", "status"],
    registry=_OWN,
)  # fmt: skip
_SECONDS = Histogram(
    "dateline_request_seconds", "Time from a request's arrival to its answer, by route.", ["route"], buckets=_BUCKETS,
    registry=_OWN,
)  # fmt: skip
_SEARCH_SECONDS = Histogram(
    "dateline_search_seconds", "Time of searches not answered from memory, by stage: read, rank, hits, all.", ["stage"],
    buckets=_BUCKETS, registry=_OWN,
)  # fmt: skip
_REFUSED = Counter("dateline_refused", "Requests that were let go no further, by reason.", ["reason"], registry=_OWN)
_CACHE = Counter(
    "dateline_cache_answers", "Answers that may come from memory, by result: hit, miss.", ["result"], registry=_OWN
)
CACHE = {result: _CACHE.labels(result) for result in ("hit", "miss")}
CACHE_BYTES = Gauge(
    "dateline_cache_bytes", "Memory of the answers that are kept.", multiprocess_mode="livesum", registry=_OWN
)
RUNNING = Gauge("dateline_running", "Requests that are being answered.", multiprocess_mode="livesum", registry=_OWN)
WAITING = Gauge("dateline_waiting", "Requests that wait for their turn.", multiprocess_mode="livesum", registry=_OWN)
OPEN_FAILURES = Counter("dateline_index_open_failures", "Tries to open the index that failed.", registry=_OWN)


@metrics.get("/metrics")
def scrape() -> Response:
    """Everything, in the format that is asked for."""
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(_Everything()), content_type=kind)


def searched(result: SearchResult) -> None:
    """Takes note of a search."""
    for stage, seconds in result.stages.items():
        _SEARCH_SECONDS.labels(stage).observe(seconds)
    _SEARCH_SECONDS.labels("all").observe(result.took_ms / 1000)


def answered(visit: Visit, route: str, status: str, seconds: float) -> None:
    """Takes note of a request."""
    _REQUESTS.labels(route, visit.method if visit.method in _METHODS else _OTHER, status).inc()
    _SECONDS.labels(route).observe(seconds)
    if visit.refused:
        _REFUSED.labels(visit.refused).inc()


def route_finder(app: Flask) -> Callable[[str], str]:
    """Tells the route of an address, such as /article/<id:id>: there are few, whatever is asked for."""
    adapter = app.url_map.bind("localhost")

    @lru_cache(maxsize=1024)
    def route(path: str) -> str:
        try:
            rule, _ = adapter.match(path.encode("latin-1").decode("utf-8", "replace"), "GET", return_rule=True)
        except HTTPException:
            return _OTHER
        return rule.rule

    return route


class _Everything:
    """What all workers have counted, and what the one that is asked knows of the index."""

    def collect(self) -> Iterator[Metric]:
        folder = os.environ.get(FOLDER)
        if folder:
            _bury_the_dead(Path(folder))
            yield from MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
        else:
            yield from _OWN.collect()
        yield InfoMetricFamily(*_BUILD, {"version": version("dateline")})
        yield from _index()


def _index() -> Iterator[Metric]:
    try:
        store = current_engine().store
        written = store.written()
    except (DatelineError, OSError):
        yield GaugeMetricFamily(*_READY, 0)
        return
    counts = store.counts()
    yield GaugeMetricFamily(*_READY, 1)
    yield InfoMetricFamily(*_GENERATION, {"generation": store.generation})
    yield GaugeMetricFamily(*_AGE, time.time() - written)
    yield GaugeMetricFamily(*_ARTICLES, counts.articles)
    yield GaugeMetricFamily(*_PASSAGES, counts.passages)
    yield GaugeMetricFamily(*_SET_ASIDE, counts.set_aside)


_BUILD = ("dateline_build", "The version that serves.")
_READY = ("dateline_ready", "Whether the index is open.")
_GENERATION = ("dateline_generation", "The state of the corpus that the worker searches that was asked.")
_AGE = ("dateline_generation_age_seconds", "Seconds since the index was last written.")
_ARTICLES = ("dateline_articles", "Articles in the index.")
_PASSAGES = ("dateline_passages", "Passages in the index.")
_SET_ASIDE = ("dateline_set_aside", "Documents that could not be read.")


def described() -> Iterator[tuple[str, str, str]]:
    """Every metric by its name, its type and what it is."""
    for metric in _OWN.collect():
        yield f"{metric.name}{'_total' if metric.type == 'counter' else ''}", metric.type, metric.documentation
    for name, what in (_BUILD, _GENERATION):
        yield f"{name}_info", "info", what
    for name, what in (_READY, _AGE, _ARTICLES, _PASSAGES, _SET_ASIDE):
        yield name, "gauge", what


def _bury_the_dead(folder: Path) -> None:
    """What workers that are gone were doing is no longer done; what they have counted stays."""
    for process in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(int(process), str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
