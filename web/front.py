"""What stands before the application on a server: the way of a request, step by step.

It gets an id, and has to call the server by its name, show a key where one is needed and not ask too often; its body
is received. A question that was asked before is then answered from memory; all others wait their turn. Health checks
and style sheets pass by both, exports are sent while they are made. In the end the request is counted and logged.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from flask import Flask

from index.generation import being_written
from search.query import SearchRequest
from web import metrics
from web.admission import Admission
from web.answers import Answer, answer_of
from web.bodies import Bodies
from web.delivery import encoding_for
from web.logs import log_visit
from web.memory import Memory
from web.refusals import Refusals
from web.streams import Sending, Streams
from web.visits import Step, Stream, Visit, visit_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

# What costs nothing, or has to be told however much there is to do.
_AT_ONCE = frozenset(("/healthz", "/readyz", "/metrics", "/robots.txt", "/favicon.ico", "/opensearch.xml"))
# As long as a search, and the same on every state of the corpus, which need not be open.
_DESCRIPTIONS = frozenset(("/api/openapi.json", "/api/docs"))
_FILES = "/static/"
_STREAMED = "/export."
_BUSY = "The server has more to do than it can. Try again in a moment."
_BROKEN = "Something went wrong on the server; its log says what."


class Front:
    """The application of one worker, as its web server sees it.

    `generation` names the state of the corpus that is searched now, None while there is none; `remember` is told
    each new search; `steps` make what a request has to pass first, in order; `salt` is random for each start of the
    server and the same for all its workers.
    """

    def __init__(
        self,
        app: Flask,
        generation: Callable[[], str | None],
        *,
        threads: int,
        queue: int,
        patience: float,
        cache_bytes: int,
        salt: str = "",
        remember: Callable[[SearchRequest], None] | None = None,
        steps: Callable[[Refusals], Sequence[Step]] = lambda refuse: (),
        log_queries: bool = False,
    ) -> None:
        self._app = app
        self._refuse = Refusals(app)
        self._steps = steps(self._refuse)
        self._bodies = Bodies(self._refuse)
        self._route = metrics.route_finder(app)
        self._log_queries = log_queries
        self._streams = Streams(app.wsgi_app, self._refuse)
        self._admission: Admission[Visit] = Admission(
            self._ask, self._busy, threads=threads, queue=queue, patience=patience, watch=_watch
        )
        self._memory = Memory(
            self._admission, generation, cache_bytes=cache_bytes, salt=salt, remember=remember,
            written=lambda: being_written(app.config["INDEX"]),
        )  # fmt: skip

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answers one request."""
        visit = visit_of(environ)
        try:
            answer = self._answer(visit)
        except Exception:
            log.exception("the server itself failed at a request", extra={"request_id": visit.id})
            answer = self._refuse(visit, 500, "internal_error", _BROKEN)
        start_response(answer.status, [*answer.headers, *visit.headers])
        status = answer.status[:3]
        if isinstance(answer, Stream):
            return Sending(answer.parts, lambda size: self._end(visit, status, size))
        body = b"" if visit.method == "HEAD" else answer.body
        self._end(visit, status, len(body))
        return [body]

    def _answer(self, visit: Visit) -> Answer | Stream:
        for step in self._steps:
            if answer := step(visit):
                return answer
        if refusal := self._bodies(visit):
            return refusal
        if visit.path.startswith(_STREAMED):
            return self._streams(visit)
        if visit.path in _AT_ONCE or visit.path.startswith(_FILES):
            return self._ask(visit)
        if visit.path in _DESCRIPTIONS:
            return self._admission(visit)
        environ = visit.environ
        environ["HTTP_ACCEPT_ENCODING"] = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if visit.method == "HEAD":  # the same answer, of which the body is not sent
            environ["REQUEST_METHOD"] = "GET"
        return self._memory(visit)

    def _ask(self, visit: Visit) -> Answer:
        return answer_of(self._app.wsgi_app, visit.environ)

    def _busy(self, visit: Visit) -> Answer:
        return self._refuse(visit, 503, "overloaded", _BUSY)

    def _end(self, visit: Visit, status: str, size: int) -> None:
        metrics.answered(visit, self._route(visit.path), status, perf_counter() - visit.began)
        log_visit(visit, int(status), size, queries=self._log_queries)


def _watch(running: int, waiting: int) -> None:
    metrics.RUNNING.set(running)
    metrics.WAITING.set(waiting)
