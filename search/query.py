"""What is asked: a search request, and how its text is read."""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal, get_args

from index.errors import QueryError
from index.filters import Filters, same_name
from search.periods import QUOTED, Period, days_for_people, find_period

Sort = Literal["relevance", "newest", "oldest"]
Collapse = Literal["article", "story", "off"]
Mode = Literal["hybrid", "dense", "lexical"]
Fusion = Literal["share", "rrf"]
SORTS: tuple[Sort, ...] = get_args(Sort)
COLLAPSES: tuple[Collapse, ...] = get_args(Collapse)
MODES: tuple[Mode, ...] = get_args(Mode)
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)

_FILTERS = {
    "source": "sources", "excluded_source": "excluded_sources", "author": "authors", "title": "title",
    "phrase": "phrases", "excluded": "excluded",
}  # fmt: skip
MAX_QUERY_CHARACTERS = 1_000
MAX_SIZE = 100
MAX_RESULTS = 10_000
"""How far down a ranking can be paged."""

# Apostrophes and primes, hyphens and minus signs, quotation marks: one character for each kind.
_CHARACTERS = str.maketrans(
    dict.fromkeys("‘’‚‛ʻʼʹ′´`＇", "'") | dict.fromkeys("‐‑−﹣－", "-") | dict.fromkeys("“”„‟«»〝〞〟″＂", '"')
)
# A dash that joins two words is a hyphen; any other is punctuation, and never the minus of an excluded word.
_JOINING_DASH = re.compile(r"(?<=\w)[‒–—―](?=\w)")
_DASH = re.compile(r"[‒–—―]")
_BRACKETS = str.maketrans(dict.fromkeys("()[]{}\\", " "))
# Invisible characters that Persian and Indic scripts spell with; all others go.
_SPELLING_JOINERS = "\u200c\u200d"

# Of -(this that) every word is excluded.
_EXCLUDED_GROUP = re.compile(r"(?<!\S)(?:-|NOT )\(([^()]*)\)")
_IN_GROUP = re.compile(r'"[^"]*"|(?!(?:OR|AND)\b)(?<![^\s"])[^\s"]+')
_OPERATOR = re.compile(
    r"""(?<!\S)(?:
      (?P<joiner>OR|AND)(?!\S)
    | (?P<sign>[-+~]|NOT[ ](?=["\w]))?(?:
          (?P<name>(?i:site|source|author|before|after|intitle)):(?:
              [ ]?"(?P<quoted>[^"]*)"
            | (?P<plain>[^\s"]+)
            | [ ](?P<spaced>[\w-]+(?:\.[\w-]+)+(?!\S)|\d{4}-\d\d-\d\d\b)
            | (?=$)
          )
        | "(?P<phrase>[^"]*)"
        | (?P<word>\w[^\s"]*)
      )
    )""",
    re.VERBOSE,
)
_DAY = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?")
_HOST = re.compile(r"(?:https?://)?(?:www\.)?([\w-]+(?:\.[\w-]+)+)(?::\d+)?(?:[/?#].*)?", re.IGNORECASE)
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. `page` counts from 1; `filters` hold days, sources, authors and languages.

    `skip` passes over so many results more than the pages before hold.

    `as_of` is the ISO date that recency and date words are counted from, None for today. `date_words` reads
    words such as "last week" as a period, `spelling` corrects words that the index does not know.
    """

    query: str
    size: int = 10
    page: int = 1
    filters: Filters = field(default_factory=Filters)
    sort: Sort = "relevance"
    collapse: Collapse = "article"
    mode: Mode = "hybrid"
    fusion: Fusion = "share"
    explain: bool = False
    as_of: str | None = None
    date_words: bool = True
    spelling: bool = True
    skip: int = 0

    @property
    def first(self) -> int:
        """How many results come before those asked for."""
        return (self.page - 1) * self.size + self.skip


@dataclass(frozen=True, slots=True)
class Typed:
    """An operator in a query: what it asks for, how and where it stands there, what is left of it without its effect.

    `start` is a place in the query as `without` reads it.
    """

    kind: Literal["source", "excluded_source", "author", "title", "before", "after", "phrase", "excluded"]
    value: str
    text: str
    start: int
    left: str = ""


@dataclass(frozen=True, slots=True)
class Interpreted:
    """How a request was understood.

    `text` is what is searched for, possibly nothing where filters say it all. `filters` are those of the
    request and of its text together, `period` the date words among them, and `corrections` pairs of a word
    as typed and as meant. `typed` are the operators in the text. Those of `notes` that are among `readings` say what
    all this says too.
    """

    text: str
    filters: Filters = field(default_factory=Filters)
    period: Period | None = None
    notes: tuple[str, ...] = ()
    corrections: tuple[tuple[str, str], ...] = ()
    typed: tuple[Typed, ...] = field(default=(), compare=False)
    readings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def phrases(self) -> tuple[str, ...]:
        """What must stand in a passage, word for word."""
        return self.filters.phrases

    @property
    def excluded(self) -> tuple[str, ...]:
        """What may not stand in an article."""
        return self.filters.excluded


def interpret(request: str | SearchRequest) -> Interpreted:
    """Reads the operators and date words of a query; whatever else is typed is searched for as it is.

    `"exact phrase"`, `-word`, `-"a phrase"` and `NOT word`, `source:` or `site:` (also excluded), `author:`,
    `intitle:`, `before:` and `after:`. A day, month or year stands for its first moment, as in mail programs
    and search engines: `after:2025` begins on 2025-01-01 and `before:2025` ends on 2024-12-31. What looks
    like an operator and cannot be read is searched for as words, and a note says so. Date words are read
    where neither the request nor an operator has days.

    Raises QueryError when nothing is left to search for, or 'as_of' is no date.
    """
    request = SearchRequest(request) if isinstance(request, str) else request
    if len(request.query) > MAX_QUERY_CHARACTERS:
        raise QueryError(f"The query is longer than {MAX_QUERY_CHARACTERS} characters. Shorten it.", "q")
    asked = _Asked(request.query)
    text, filters, notes = asked.text, asked.filters, asked.notes
    period = None
    dated = any((filters.first_day, filters.last_day, request.filters.first_day, request.filters.last_day))
    if request.date_words and not dated and (found := find_period(text, _today(request))):
        period, text = found
        filters = replace(filters, first_day=period.first_day, last_day=period.last_day)
        asked.note_reading(f'Read "{period.words}" as {period.days}.')
    text = _tidy(asked.with_phrases(text))
    if not _WORD.search(text):
        text = ""
        if not any((filters.sources, filters.authors, filters.first_day, filters.last_day)):
            only = filters.excluded or filters.excluded_sources
            raise QueryError(
                f"The query {'only says what to leave out' if only else 'is empty'}. Type what to search for.", "q"
            )
    joined = _joined(request.filters, filters, notes)
    return Interpreted(text, joined, period, tuple(notes), typed=tuple(asked.typed), readings=tuple(asked.readings))


def without(query: str, typed: Typed) -> str:
    """`query` without the effect of one of its operators; words that were searched for stay."""
    query = _plain(query)
    before, after = query[: typed.start], query[typed.start + len(typed.text) :]
    return " ".join(f"{before} {typed.left} {after}".split())


class _Asked:
    """A query taken apart: `text` with QUOTED in place of each phrase, and the `filters` that it asked for."""

    def __init__(self, query: str) -> None:
        query = _plain(query)
        self.filters = Filters()
        self.notes: list[str] = []
        self.readings: list[str] = []
        self.typed: list[Typed] = []
        self._phrases: list[str] = []
        self._length = len(query)
        # Who types in capitals means nothing by "NOT" and "OR".
        self._shouted = query.isupper()
        text = _OPERATOR.sub(self._take, query)
        if '"' in text:
            self.notes.append("A quotation mark without its partner was ignored.")
        self.text = " ".join(text.replace('"', " ").split())

    def with_phrases(self, text: str) -> str:
        """`text`, in which every QUOTED of `self.text` still stands, with the phrases in their places."""
        phrases = iter(self._phrases)
        return re.sub(QUOTED, lambda _: next(phrases), text)

    def note_reading(self, note: str) -> None:
        """Notes how something was read, which `filters` and `typed` say too."""
        self.notes.append(note)
        self.readings.append(note)

    def _take(self, match: re.Match[str]) -> str:
        """Notes what an operator asks for; returns what stays in the text."""
        if match["joiner"]:
            between = match.start() > 0 and match.end() < self._length
            return " " if between and not self._shouted else match.group()
        excluding = match["sign"] == "-" or (match["sign"] == "NOT " and not self._shouted)
        said = "NOT " if match["sign"] == "NOT " and self._shouted else ""
        if match["name"]:
            return said + self._named(match, excluding=excluding)
        if match["phrase"] is not None:
            return said + self._phrase(match, excluding=excluding)
        if excluding:
            self._filter("excluded", match["word"].rstrip(",;:.!?*"), match)
            return " "
        return said + self._without_wildcard(match["word"])

    def _phrase(self, match: re.Match[str], *, excluding: bool) -> str:
        phrase = " ".join(match["phrase"].split())
        if not _WORD.search(phrase):
            return " "
        self._filter("excluded" if excluding else "phrase", phrase, match, "" if excluding else phrase)
        return " " if excluding else self._kept(phrase)

    def _named(self, match: re.Match[str], *, excluding: bool) -> str:
        name, typed = match["name"].lower(), match.group().replace('"', "").strip()
        value = " ".join((match["quoted"] or match["plain"] or match["spaced"] or "").split())
        value = value if match["quoted"] else value.rstrip(",;.!?")
        if excluding and name not in {"site", "source"}:
            self.notes.append(f'"{typed}" was ignored: only words, phrases and sources can be excluded.')
            return " "
        if name in {"before", "after"}:
            return self._day(name, value, match)
        if not _WORD.search(value):
            self.notes.append(f'"{typed}" names nothing, so it was searched for as words.')
            return self._kept(typed)
        if name == "intitle":
            self._filter("title", value, match, value)
            return self._kept(value)
        if name == "author":
            self._filter("author", value, match)
        else:
            host = _HOST.fullmatch(value)
            self._filter("excluded_source" if excluding else "source", host[1] if host else value, match)
        return " "

    def _day(self, name: str, value: str, match: re.Match[str]) -> str:
        day, typed = _first_day(value), match.group().replace('"', "").strip()
        if day is None or (name == "before" and day == date.min):
            self.notes.append(f'"{typed}" has no date such as 2025-08-20, so it was searched for as words.')
            return self._kept(typed)
        if name == "after":
            self.filters = replace(self.filters, first_day=max(self.filters.first_day or "", day.isoformat()))
            self.note_reading(f'Read "{typed}" as {days_for_people(day.isoformat(), None)}.')
        else:
            last = (day - timedelta(days=1)).isoformat()
            self.filters = replace(self.filters, last_day=min(self.filters.last_day or last, last))
            self.note_reading(f'Read "{typed}" as {days_for_people(None, last)}.')
        self.typed.append(Typed("after" if name == "after" else "before", value, match.group(), match.start()))
        return " "

    def _without_wildcard(self, word: str) -> str:
        if re.fullmatch(r"\w+\*", word):
            self.notes.append(f'The * of "{word}" was ignored: words are found in all their forms, not by beginnings.')
        return word.rstrip("*")

    def _filter(self, kind: Any, value: str, match: re.Match[str], left: str = "") -> None:
        self.typed.append(Typed(kind, value, match.group(), match.start(), left))
        name = _FILTERS[kind]
        values = getattr(self.filters, name)
        if value not in values:
            changed: dict[str, Any] = {name: (*values, value)}
            self.filters = replace(self.filters, **changed)

    def _kept(self, words: str) -> str:
        self._phrases.append(words)
        return f" {QUOTED} "


def _plain(query: str) -> str:
    """`query` in NFKC with one kind of hyphen, apostrophe and quotation mark, single spaces and no brackets."""
    query = unicodedata.normalize("NFKC", query.translate(_CHARACTERS)).translate(_CHARACTERS)
    if not query.isprintable():
        query = "".join(map(_visible, query))
    query = " ".join(_DASH.sub(" - ", _JOINING_DASH.sub("-", query)).split())
    query = _EXCLUDED_GROUP.sub(lambda group: "".join(f" -{part} " for part in _IN_GROUP.findall(group[1])), query)
    return " ".join(query.translate(_BRACKETS).split())


def _visible(character: str) -> str:
    """The character, a space where it stands for one or for nothing that can be read, or nothing."""
    if character.isprintable() or character in _SPELLING_JOINERS:
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


def _tidy(text: str) -> str:
    """`text` without tokens that are nothing but signs of a query language."""
    return " ".join(token for token in (token.strip("*") for token in text.split()) if token.strip("-+*~|&^<>"))


def _first_day(value: str) -> date | None:
    """The first day of a year, month or day such as "2025", "2025-07" or "2025/7/1"; None for anything else."""
    match = _DAY.fullmatch(value)
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1)) if match else None
    except ValueError:
        return None


def _today(request: SearchRequest) -> date:
    check_day("as_of", request.as_of)
    return date.fromisoformat(request.as_of) if request.as_of else date.today()


def _joined(own: Filters, asked: Filters, notes: list[str]) -> Filters:
    """Both filters at once. Where they contradict each other no article passes, and a note says why."""
    first = max(own.first_day or "", asked.first_day or "") or None
    last = min(own.last_day or "9999-12-31", asked.last_day or "9999-12-31") if own.last_day or asked.last_day else None
    if first and last and first > last:
        notes.append(f"No article can be from {first} or later and also from {last} or earlier.")
    sources, excluded_sources = asked.sources or own.sources, own.excluded_sources + asked.excluded_sources
    if own.sources and asked.sources:
        sources = tuple(name for name in asked.sources if any(same_name(name, other) for other in own.sources))
        if not sources:
            notes.append(f"No article can be of {' or '.join(own.sources)} and also of {' or '.join(asked.sources)}.")
            sources, excluded_sources = asked.sources, excluded_sources + asked.sources
    if own.authors and asked.authors and own.authors != asked.authors:
        notes.append("The author in the query took the place of the author filter.")
    return replace(
        own,
        first_day=first,
        last_day=last,
        sources=sources,
        excluded_sources=excluded_sources,
        authors=asked.authors or own.authors,
        phrases=own.phrases + asked.phrases,
        excluded=own.excluded + asked.excluded,
        title=own.title + asked.title,
    )


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
    if request.skip < 0:
        raise QueryError(f"'skip' should be 0 or more, not {request.skip}.", "skip")
    if request.first + request.size > MAX_RESULTS:
        raise QueryError(f"A search can be paged to its {MAX_RESULTS:,}th result. Narrow it with filters.", "page")
    first, last = request.filters.first_day, request.filters.last_day
    for name, day in (("from", first), ("to", last), ("as_of", request.as_of)):
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
