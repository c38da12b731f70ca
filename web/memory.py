"""Answers from memory: a question that was answered on this state of the corpus is answered again without waiting.

`took_ms` in an answer from memory is what the search took when it was made; `X-Cache: hit` and `Age` say so.
"""

import hashlib
import time
from collections.abc import Callable
from datetime import date
from io import BytesIO

from search.query import SearchRequest
from web import metrics
from web.answers import LONGEST_BODY, SEARCH_PATH, Answer, AnswerCache, Headers, Question, names_in, question_of
from web.visits import Visit

_API = "/api/"
# What was set aside is counted there too, and that changes without a change of the corpus.
_BY_CONTENT = "/api/v1/stats"


class Memory:
    """Answers from memory what it can, and asks for the rest.

    `generation` names the state of the corpus that is searched now, None while there is none; `remember` is told
    each new search; `written` says whether the index is being written, which pages tell their readers; `salt` is
    random for each start of the server and the same for all its workers.
    """

    def __init__(
        self,
        ask: Callable[[Visit], Answer],
        generation: Callable[[], str | None],
        *,
        cache_bytes: int,
        salt: str = "",
        remember: Callable[[SearchRequest], None] | None = None,
        written: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ask = ask
        self._generation = generation
        self._salt = salt
        self._remember = remember
        self._written = written
        self._cache = AnswerCache(cache_bytes)
        self._cached = cache_bytes > 0
        self._latest: str | None = None

    def __call__(self, visit: Visit) -> Answer:
        """The answer to a request."""
        generation = self._generation()
        visit.generation = generation or ""
        question = _question(visit) if generation else None
        if generation is None or question is None:
            return self._ask(visit)
        if question.search:
            visit.query = question.search.q
        if visit.path == _BY_CONTENT:
            return self._by_content(visit)
        if generation != self._latest:  # nothing in the cache will be asked for again
            self._latest = generation
            self._forget()
        circumstances = self._circumstances(visit)
        name = question.named(generation, date.today().isoformat(), self._salt, *circumstances)
        tag = _tag(name) if visit.method != "POST" else ()
        if tag and name in names_in(visit.environ.get("HTTP_IF_NONE_MATCH", "")):
            return Answer("304 Not Modified", (*tag, ("Vary", "Accept-Encoding")), b"")
        if found := self._cache.get(name):
            answer, moment = found
            return self._told(visit, "hit", answer, *tag, ("Age", str(int(time.monotonic() - moment))))
        answer = self._ask(visit)
        # An error is not kept, nor what was answered on another state than its name says, or while a writer began or
        # ended: who knows what the page says of that.
        as_named = self._generation() == generation and self._circumstances(visit) == circumstances
        if not answer.status.startswith("200") or not as_named:
            return answer
        self._cache.put(name, answer, time.monotonic())
        metrics.CACHE_BYTES.set(self._cache.bytes)
        if self._remember and question.search:
            self._remember(question.search.request())
        return self._told(visit, "miss", answer, *tag)

    def _told(self, visit: Visit, found: str, answer: Answer, *headers: tuple[str, str]) -> Answer:
        if not self._cached:
            return answer.headed(*headers)
        visit.cache = found
        metrics.CACHE[found].inc()
        return answer.headed(*headers, ("X-Cache", found))

    def _circumstances(self, visit: Visit) -> tuple[str, ...]:
        """What an answer depends on besides: how it is compressed; pages also know their own address."""
        environ = visit.environ
        encoding = environ.get("HTTP_ACCEPT_ENCODING", "")
        if visit.path.startswith(_API):
            return (encoding,)
        written = "written" if self._written() else ""
        return encoding, environ.get("wsgi.url_scheme", ""), environ.get("HTTP_HOST", ""), written

    def _by_content(self, visit: Visit) -> Answer:
        answer = self._ask(visit)
        if not answer.status.startswith("200"):
            return answer
        name = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
        tag = _tag(name)
        if name in names_in(visit.environ.get("HTTP_IF_NONE_MATCH", "")):
            return Answer("304 Not Modified", (*tag, ("Vary", "Accept-Encoding")), b"")
        return answer.headed(*tag)

    def _forget(self) -> None:
        self._cache.clear()
        metrics.CACHE_BYTES.set(0)


def _tag(name: str) -> Headers:
    return ("ETag", f'W/"{name}"'), ("Cache-Control", "private, no-cache")


def _question(visit: Visit) -> Question | None:
    """The question of a request; a body is read, and left to be read again."""
    environ = visit.environ
    body = None
    if visit.method == "POST":
        length = environ.get("CONTENT_LENGTH", "")
        is_json = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == "application/json"
        if visit.path != SEARCH_PATH or not is_json or not length.isdecimal() or int(length) > LONGEST_BODY:
            return None
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
    return question_of(visit.method, visit.path, environ.get("QUERY_STRING", ""), body)
