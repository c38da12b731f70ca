"""Answers to requests as values, the questions behind requests, and a cache of answers that were given lately.

An answer belongs to one state of the corpus, one day and one question. Its name is made of these three, so that
nothing stale can be found: after any change of the index, and after midnight, every question has a new name.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from web.schemas import KNOWN, LISTED, SearchParameters

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

SEARCH_PATH = "/api/v1/search"
LONGEST_BODY = 64 * 1024
"""Bytes of a posted search: a query as JSON is short, and nothing else is ever sent to the application."""

Headers = tuple[tuple[str, str], ...]
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: status line, headers and body."""

    status: str
    headers: Headers
    body: bytes

    def headed(self, *more: tuple[str, str]) -> "Answer":
        """The answer with more headers, in place of any of the same name."""
        named = {name.lower() for name, _ in more}
        return replace(self, headers=(*(one for one in self.headers if one[0].lower() not in named), *more))


def answer_of(app: "WSGIApplication", environ: "WSGIEnvironment") -> Answer:
    """What an application answers to a request, read to its end."""
    began: list[tuple[str, Headers]] = []

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        began.append((status, tuple(headers)))

    parts = app(environ, start)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
    return Answer(*began[-1], body)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for, the same for all ways to ask it; `search` if it is a search."""

    text: str
    search: SearchParameters | None = None

    def named(self, *circumstances: str) -> str:
        """The name of the answer in these circumstances: the state of the corpus, the day, who serves in what way."""
        parts = json.dumps([*circumstances, self.text])
        return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def question_of(method: str, path: str, query_string: str, body: bytes | None) -> Question | None:
    """The question behind a request; None if its answer is an error, or it is not the kind that has one.

    The parameters of a search may come in any order, as a query string or as JSON, defaults said or unsaid.
    """
    if method == "POST":
        return _search_posted(body) if path == SEARCH_PATH and body is not None else None
    if method not in ("GET", "HEAD"):
        return None
    return (_asked_lately if len(query_string) <= _SHORT else _asked)(path, query_string)


def _asked(path: str, query_string: str) -> Question | None:
    pairs = sorted(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"), key=_name)
    if path == SEARCH_PATH:
        return _search(_by_name(pairs))
    if path == "/":
        return _search_page([(name, value) for name, value in pairs if value.strip()])
    return Question(json.dumps([path, pairs]))


# What is asked again is mostly asked in the same way: then it need not be read again. Long ones would fill memory.
_SHORT = 500
_asked_lately = lru_cache(maxsize=2048)(_asked)


def _search(asked: dict[str, Any]) -> Question | None:
    try:
        parameters = SearchParameters.model_validate(asked)
        # Names that are not known are told of in the answer.
        return Question(json.dumps([SEARCH_PATH, parameters.model_dump_json(), sorted(set(asked) - KNOWN)]), parameters)
    except (ValidationError, ValueError):  # a lone surrogate cannot be written as JSON
        return None


def _search_posted(body: bytes) -> Question | None:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return _search(asked) if isinstance(asked, dict) else None


def _search_page(pairs: Pairs) -> Question | None:
    """The page repeats what was typed in its links, so two ways to say the same stay two questions."""
    try:
        parameters = SearchParameters.model_validate(_by_name(pairs))
    except ValidationError:
        parameters = None
    return Question(json.dumps(["/", pairs]), parameters)


def _by_name(pairs: Pairs) -> dict[str, Any]:
    """The parameters as the API reads them: all values of those that are lists, the first of the others."""
    asked: dict[str, Any] = {}
    for name, value in pairs:
        if name in LISTED:
            asked.setdefault(name, []).append(value)
        else:
            asked.setdefault(name, value)
    return asked


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


class AnswerCache:
    """The latest answers by name: at most so many entries and so many bytes, the longest unasked go first."""

    def __init__(self, most_bytes: int, most_entries: int = 2000) -> None:
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._answers: OrderedDict[str, tuple[Answer, float]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, name: str) -> tuple[Answer, float] | None:
        """An answer and the moment at which it was given, as `put` was told."""
        with self._lock:
            found = self._answers.get(name)
            if found:
                self._answers.move_to_end(name)
            return found

    def put(self, name: str, answer: Answer, moment: float) -> None:
        """Keeps an answer, unless it would fill a large part of the cache alone."""
        size = _size(answer)
        if size > self._most_bytes // 8:
            return
        with self._lock:
            if before := self._answers.pop(name, None):
                self._bytes -= _size(before[0])
            self._answers[name] = (answer, moment)
            self._bytes += size
            while self._bytes > self._most_bytes or len(self._answers) > self._most_entries:
                _, (gone, _) = self._answers.popitem(last=False)
                self._bytes -= _size(gone)

    def clear(self) -> None:
        """Forgets everything: after a change no answer will be asked for again."""
        with self._lock:
            self._answers.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return self._bytes


# What Python itself needs for an entry: the tuples and strings of about ten headers.
_ENTRY_BYTES = 1500


def _size(answer: Answer) -> int:
    return len(answer.body) + _ENTRY_BYTES


def names_in(if_none_match: str) -> Iterator[str]:
    """The names in an If-None-Match header, weak or strong."""
    for tag in if_none_match.split(","):
        yield tag.strip().removeprefix("W/").strip('"')
