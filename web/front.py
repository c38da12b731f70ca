"""What stands before the application on a server: the cache of answers and the bounded queue.

A question that was answered on this state of the corpus is answered again from memory, without waiting. All others
wait their turn. Health checks, style sheets and descriptions pass by both.

`took_ms` in an answer from memory is what the search took when it was made; `X-Cache: hit` and `Age` say so.
"""

import time
from collections.abc import Callable, Iterable
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

from flask import Flask

from search.query import SearchRequest
from web import problems
from web.admission import Admission
from web.answers import SEARCH_PATH, Answer, AnswerCache, Question, answer_of, names_in, question_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_COSTLY = ("/api/v1/", "/article/")
# The application refuses longer bodies itself.
_LONGEST_BODY = 64 * 1024
_BUSY = "The server has more to do than it can. Try again in a moment."


class Front:
    """The application of one worker, as its web server sees it.

    `generation` names the state of the corpus that is searched now, None while there is none; `remember` is told
    each new search; `salt` is random for each start of the server and the same for all its workers.
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
    ) -> None:
        self._app = app
        self._generation = generation
        self._salt = salt
        self._remember = remember
        self._cache = AnswerCache(cache_bytes)
        self._cached = cache_bytes > 0
        self._latest: str | None = None
        page, shape = refusal(app, "/"), refusal(app, SEARCH_PATH)
        self._admission = Admission(
            lambda environ: answer_of(app.wsgi_app, environ),
            lambda environ: shape if environ["PATH_INFO"].startswith("/api/") else page,
            threads=threads, queue=queue, patience=patience,
        )  # fmt: skip

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answers one request."""
        path = environ["PATH_INFO"]
        if path != "/" and not path.startswith(_COSTLY):
            return self._app.wsgi_app(environ, start_response)
        answer = self._answer(environ)
        start_response(answer.status, list(answer.headers))
        return [answer.body]

    def _answer(self, environ: "WSGIEnvironment") -> Answer:
        generation = self._generation() if self._cached else None
        question = _question(environ) if generation else None
        if generation is None or question is None:
            return self._admission(environ)
        if generation != self._latest:  # nothing in the cache will be asked for again
            self._latest = generation
            self._cache.clear()
        name = question.named(generation, date.today().isoformat(), self._salt)
        is_get = environ["REQUEST_METHOD"] == "GET"
        tag = (("ETag", f'W/"{name}"'), ("Cache-Control", "private, no-cache")) if is_get else ()
        if is_get and name in names_in(environ.get("HTTP_IF_NONE_MATCH", "")):
            return Answer("304 Not Modified", tag, b"")
        if found := self._cache.get(name):
            answer, moment = found
            return answer.headed(*tag, ("Age", str(int(time.monotonic() - moment))), ("X-Cache", "hit"))
        answer = self._admission(environ)
        if not answer.status.startswith("200") or self._generation() != generation:
            return answer  # an error, or an answer of another state than its name says
        self._cache.put(name, answer, time.monotonic())
        self._tell(question)
        return answer.headed(*tag, ("X-Cache", "miss"))

    def _tell(self, question: Question) -> None:
        if self._remember and question.search:
            self._remember(question.search.request())


def refusal(app: Flask, path: str) -> Answer:
    """What a request for `path` is answered when there is no room: made once, so that it costs nothing."""
    with app.test_request_context(path):
        response = app.process_response(problems.answer(503, "overloaded", _BUSY))
        response.headers["Cache-Control"] = "no-store"
        return Answer(response.status, tuple(response.headers.to_wsgi_list()), response.get_data())


def _question(environ: "WSGIEnvironment") -> Question | None:
    """The question of a request; a body is read, and left to be read again."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    body = None
    if method == "POST":
        length = environ.get("CONTENT_LENGTH", "")
        is_json = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == "application/json"
        if path != SEARCH_PATH or not is_json or not length.isdecimal() or int(length) > _LONGEST_BODY:
            return None
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
    return question_of(method, path, environ.get("QUERY_STRING", ""), body)
