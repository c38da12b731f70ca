"""Searches answered in portions: a bound on the characters of an answer, and a cursor to go on with.

A cursor is a place in the ranking of one question. It is opaque to programs and safe in a URL.
"""

import json
import struct
from base64 import b64decode, urlsafe_b64encode
from dataclasses import asdict, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from index.errors import QueryError
from search.excerpts import fitting
from search.hits import SearchResult
from search.query import MAX_RESULTS, SearchRequest

if TYPE_CHECKING:
    from search.engine import Engine

MIN_CHARACTERS = 200
"""Less than this holds hardly a sentence."""

# How many results come before, what the question is, what state of the corpus it was asked of: 15 bytes make
# 20 characters.
_LAYOUT = struct.Struct(">I6s5s")
_QUESTION_BYTES, _CORPUS_BYTES = 6, 5


class Cursor:
    """A place `position` results down the ranking of the question and corpus with these fingerprints."""

    def __init__(self, position: int, question: bytes, corpus: bytes) -> None:
        self.position, self.question, self.corpus = position, question, corpus

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor that `text` stands for. Raises QueryError for what never was one."""
        try:
            position, question, corpus = _LAYOUT.unpack(b64decode(text, altchars=b"-_", validate=True))
        except (ValueError, struct.error):
            raise QueryError("This is no cursor: take 'next_cursor' of an answer as it is.", "cursor") from None
        return cls(position, question, corpus)

    def __str__(self) -> str:
        return urlsafe_b64encode(_LAYOUT.pack(self.position, self.question, self.corpus)).decode("ascii")


def search_portion(
    engine: "Engine", request: SearchRequest, cursor: str | None = None, max_chars: int | None = None
) -> tuple[SearchResult, str | None]:
    """The results from a cursor on, as many as `max_chars` allows, and the cursor of those after them.

    There is none after the last result. Raises QueryError for a cursor of another search.
    """
    place = _place(request, cursor) if cursor else None
    if place:
        size = min(request.size, MAX_RESULTS - place.position)
        request = replace(request, page=1, size=size, skip=place.position)
    result = engine.search(request)
    notes = list(result.interpreted.notes)
    if place and place.corpus != _corpus(result):
        notes.append("The corpus has changed since this cursor was given: results may come twice or be missed.")
    hits = result.hits if max_chars is None else fitting(result.hits, max_chars)
    if hits and hits[0] is not result.hits[0]:
        notes.append("The passage was shortened to what max_chars allows.")
    result = replace(
        result,
        hits=hits,
        has_more=result.has_more or len(hits) < len(result.hits),
        interpreted=replace(result.interpreted, notes=tuple(notes)),
    )
    return result, _next(result)


def _place(request: SearchRequest, cursor: str) -> Cursor:
    place = Cursor.read(cursor)
    if place.question != _question(request) or place.position >= MAX_RESULTS:
        raise QueryError("This cursor belongs to another search. Leave it out to start again.", "cursor")
    return place


def _next(result: SearchResult) -> str | None:
    position = result.request.first + len(result.hits)
    if not result.has_more or not result.hits or position >= MAX_RESULTS:
        return None
    return str(Cursor(position, _question(result.request), _corpus(result)))


def _question(request: SearchRequest) -> bytes:
    """The same for all requests whose results come in the same order, however many are asked for."""
    asked = asdict(replace(request, size=1, page=1, skip=0, explain=False))
    # What cannot be written as UTF-8 may be asked for all the same.
    return blake2b(json.dumps(asked).encode("ascii"), digest_size=_QUESTION_BYTES).digest()


def _corpus(result: SearchResult) -> bytes:
    return blake2b(result.generation.encode(), digest_size=_CORPUS_BYTES).digest()
