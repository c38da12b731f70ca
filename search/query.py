"""What is asked: a search request, and how its text is read."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

from index.errors import QueryError
from index.filters import Filters

Sort = Literal["relevance", "newest", "oldest"]
Collapse = Literal["article", "story", "off"]
Mode = Literal["hybrid", "dense", "lexical"]
Fusion = Literal["share", "rrf"]
SORTS: tuple[Sort, ...] = get_args(Sort)
COLLAPSES: tuple[Collapse, ...] = get_args(Collapse)
MODES: tuple[Mode, ...] = get_args(Mode)
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)

MAX_QUERY_CHARACTERS = 1_000
MAX_SIZE = 100
MAX_RESULTS = 10_000
"""How far down a ranking can be paged."""

# "…", “…”, „…“, «…» around something that is not only space or dashes.
_PHRASE = re.compile(r'(?<!\S)(?P<minus>-?)(?:"(?P<straight>[^"]+)"|[“„](?P<curly>[^“”„]+)[”“]|«(?P<angle>[^«»]+)»)')
_EXCLUDED = re.compile(r"(?<!\S)-(?P<word>\w[\w'’-]*)")
_QUOTES = re.compile(r'["“”„«»]')


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. `page` counts from 1; `filters` hold days, sources, authors and languages."""

    query: str
    size: int = 10
    page: int = 1
    filters: Filters = field(default_factory=Filters)
    sort: Sort = "relevance"
    collapse: Collapse = "article"
    mode: Mode = "hybrid"
    fusion: Fusion = "share"
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Interpreted:
    """How the text of a query was understood: what is searched for, and what must or must not stand there."""

    text: str
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def interpret(query: str) -> Interpreted:
    """Reads `"exact phrases"` and `-excluded` words; whatever else is typed is searched for as it is.

    Raises QueryError when nothing is left to search for.
    """
    query = " ".join(query.replace("\0", " ").split())
    if len(query) > MAX_QUERY_CHARACTERS:
        raise QueryError(f"The query is longer than {MAX_QUERY_CHARACTERS} characters. Shorten it.", "q")
    phrases: list[str] = []
    excluded: list[str] = []

    def take_phrase(match: re.Match[str]) -> str:
        words = " ".join((match["straight"] or match["curly"] or match["angle"]).split())
        if not re.search(r"\w", words):
            return " "
        (excluded if match["minus"] else phrases).append(words)
        return " " if match["minus"] else f" {words} "

    def take_word(match: re.Match[str]) -> str:
        excluded.append(match["word"])
        return " "

    text = _EXCLUDED.sub(take_word, _PHRASE.sub(take_phrase, query))
    notes = ("A quotation mark without its partner was ignored.",) if _QUOTES.search(text) else ()
    text = " ".join(_QUOTES.sub(" ", text).split())
    if not re.search(r"\w", text):
        asked = "only says what to leave out" if excluded else "is empty"
        raise QueryError(f"The query {asked}. Type what to search for.", "q")
    return Interpreted(text, tuple(phrases), tuple(excluded), notes)


def check(request: SearchRequest) -> SearchRequest:
    """`request`, if its parameters make sense together. Raises QueryError naming the one that does not."""
    choices = (("sort", SORTS), ("collapse", COLLAPSES), ("mode", MODES), ("fusion", FUSIONS))
    for name, allowed in choices:
        if getattr(request, name) not in allowed:
            raise QueryError(f"'{name}' should be one of {', '.join(allowed)}, not {getattr(request, name)!r}.", name)
    if not 1 <= request.size <= MAX_SIZE:
        raise QueryError(f"'size' should be from 1 to {MAX_SIZE}, not {request.size}.", "size")
    if request.page < 1:
        raise QueryError(f"'page' counts from 1, not from {request.page}.", "page")
    if request.page * request.size > MAX_RESULTS:
        raise QueryError(f"A search can be paged to its {MAX_RESULTS:,}th result. Narrow it with filters.", "page")
    first, last = request.filters.first_day, request.filters.last_day
    for name, day in (("from", first), ("to", last)):
        check_day(name, day)
    if first and last and first > last:
        raise QueryError(f"'from' ({first}) lies after 'to' ({last}).", "from")
    return request


def check_day(name: str, day: str | None) -> None:
    """Raises QueryError unless `day` is None or an ISO date."""
    if day is None:
        return
    try:
        if date.fromisoformat(day).isoformat() == day:
            return
    except ValueError:
        pass
    raise QueryError(f"'{name}' should be a date such as 2025-08-20, not {day!r}.", name)
