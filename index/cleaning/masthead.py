"""Who wrote a story, for whom and when, from the lines between headline and story."""

import re
from dataclasses import dataclass, replace

from index.cleaning import phrases
from index.cleaning.phrases import alternatives
from index.dates import written_moment

# At the beginning of a line or of a column, also of columns run together: "April 22, 2025Updated April 23".
_STAMP = re.compile(
    r"(?:^|[|·•,;(–—-]\s*|(?<=\d)\s*|(?<=[ap]m)\.?\s*|(?<=[A-Z]T)\s*)"
    rf"(?:(?P<updated>{alternatives(phrases.UPDATED)})|(?P<published>{alternatives(phrases.PUBLISHED)}))"
    r"\b\s*(?:on|at|le|à|am|um)?\s*:?\s*",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")
_CLOCK_ONLY = re.compile(r"\s*(\d{1,2})\s?[:h.]\s?(\d{2})\s*([ap])?\.?(?:m\.?)?\b", re.IGNORECASE)
# "5:26 PM EDT March 11, 2025"
_CLOCK_FIRST = re.compile(
    r"^(\d{1,2}[:.]\d{2}(?:\s?[ap]\.?m\.?)?(?:\s[A-Z]{2,4})?)[\s,]+(.*\b(?:1[89]|20)\d\d\b)", re.IGNORECASE
)
_DAY_FIRST = re.compile(
    r"\b(?:publié|mis(?:e)? à jour|modifié|veröffentlicht|aktualisiert|GMT|BST|CET|CEST)\b", re.IGNORECASE
)
# A line of a date alone has nothing but its parts: names of months and days, numbers, a zone.
_DATE_PARTS = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|mo|di|mi|do|fr|sa|so)\w{0,7}|"
    r"(?:jan|feb|f[ée]v|mar|m[äa]r|apr|avr|ma[iy]|jui?n|jui?l|ao[uû]|aug|sep|o[ck]t|nov|de[cz]|déc)\w{0,8}|"
    r"\d{1,4}(?:st|nd|rd|th|er|e)?|[ap]\.?m|at|à|um|uhr|the|of|le|h|est|edt|et|gmt|utc|bst|cet|cest|pst|pdt|pt|ct|z)",
    re.IGNORECASE,
)
_STAMP_WORDS, _STAMP_CHARACTERS = 20, 300

# One way to read each word: with two, the time for many names would double with each.
_NAME_WORD = r"(?:[A-ZÀ-ÞŁŠŽ][\w’'-]*\.?|de|da|van|von|der|den|la|le|du|di|bin|al|el)"
_NAME = rf"{_NAME_WORD}(?: {_NAME_WORD}){{1,4}}"
_NAMES = rf"{_NAME}(?:(?:, | and | & | et | und |, and | avec | with ){_NAME})*"
_BY = re.compile(
    rf"(?i:{alternatives(phrases.BY)})(?:\s*:\s*|\s+)(?P<names>{_NAMES})"
    r"(?P<rest>\s*(?:[,|·•/(]|\s[–—-]\s|\s{2,}|(?i:\bfor\b|\bin\b|\bpour\b)).*)?"
)
_ROLE = rf"(?:{alternatives(phrases.ROLE)}|in [A-Z]\w+)"
_ROLE_LINE = re.compile(rf"(?:(?:\w+ ){{0,3}}){_ROLE}", re.IGNORECASE)
_NAMED_ROLE = re.compile(
    rf"(?P<names>{_NAME_WORD}(?: {_NAME_WORD}){{1,3}}?(?:(?:, | and | & ){_NAME})*)"
    rf"(?:\s*[,|·]\s*|\s+[–—-]\s+|\s+)(?P<rest>(?i:{_ROLE}).*)"
)
# "By ADA BYRON FOR THE DAILY LANTERN and MARY SHELLEY"
_FOR_PUBLISHER = re.compile(
    r"\s(?:for|FOR)\s(?P<publisher>[A-Z][\w’']*(?:\s(?!and\b|AND\b)[A-Z][\w’']*){0,4})(?=\s(?:and|AND|&)\s|\s*$)"
)
_SPLIT_NAMES = re.compile(r",\s*(?:and |et |und )?|\s+(?:and|&|et|und|avec|with)\s+")
_ORGANISATION = re.compile(rf"\b(?:{alternatives(phrases.ORGANISATION_WORDS)})\b", re.IGNORECASE)
_PIECES = re.compile(r"\s*[|·•/]\s*|\s+[–—-]\s+|,\s+|\s*[()]\s*|(?i:\b(?:for|pour)\s)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Masthead:
    """What stands between headline and story; unknown is None or empty."""

    published: str | None = None
    updated: str | None = None
    authors: tuple[str, ...] = ()
    source: str | None = None

    def __bool__(self) -> bool:
        return self != Masthead()


def masthead_of(line: str) -> Masthead:
    """What one line says about author, publisher and time; an empty one where it says nothing."""
    if len(line) > _STAMP_CHARACTERS or len(line.split()) > _STAMP_WORDS:
        return Masthead()
    # "by Juniper Halloway · June 9, 2025 · 6 min read" is a byline and a date.
    byline = _byline(line)
    stamp = _stamp(byline[1] if byline else line)
    if byline:
        return replace(byline[0], published=stamp.published, updated=stamp.updated)
    return stamp


def merged(first: Masthead, second: Masthead) -> Masthead:
    """Both, the first taking precedence."""
    return Masthead(
        published=first.published or second.published,
        updated=first.updated or second.updated,
        authors=first.authors or second.authors,
        source=first.source or second.source,
    )


def is_role(line: str) -> bool:
    """Whether a line only says what its authors do ("Environment correspondents")."""
    return _ROLE_LINE.fullmatch(line) is not None


def is_desk(line: str) -> bool:
    """Whether a line names a desk instead of a person ("Loon News Staff")."""
    return len(line.split()) <= _DESK_WORDS and _DESK.fullmatch(line) is not None


_DESK = re.compile(
    r"(?:by |par |von )?.*\b(?:staff|newsroom|news desk|web desk|rédaction|redaktion|editorial board)\.?", re.IGNORECASE
)
_DESK_WORDS = 6


def _byline(line: str) -> tuple[Masthead, str] | None:
    commissioned = _FOR_PUBLISHER.search(line)
    if commissioned:
        line = line.replace(commissioned.group(), "", 1)
    match = _BY.fullmatch(line) or _NAMED_ROLE.fullmatch(line)
    if match is None:
        return _columned_byline(line)
    names = [name for name in _SPLIT_NAMES.split(match["names"]) if name]
    rest = match["rest"] or ""
    source = next(
        (piece for part in _PIECES.split(rest) if _is_publisher(piece := part.strip())),
        commissioned["publisher"] if commissioned else None,
    )
    # "By Dylan Robertson, The Canadian Press": the publisher looks like one more name, but two people
    # would be joined by "and".
    while len(names) > 1 and (_is_publisher(names[-1]) or (len(names) == 2 and f", {names[1]}" in match["names"])):
        source = names.pop()
    authors = tuple(_person(name) for name in names if not _is_publisher(name))
    return Masthead(authors=authors, source=_publisher(source) if source else None), rest


def _columned_byline(line: str) -> tuple[Masthead, str] | None:
    """Names first, then where and when: "Ada Byron · Northern News · Posted: March 4, 2025"."""
    first, *others = re.split(r"\s*[|·•]\s*", line)
    names = names_only(first) if others else None
    if names is None or not any(_YEAR.search(piece) for piece in others):
        return None
    return replace(names, source=next((piece for piece in others if _is_publisher(piece)), None)), " · ".join(others)


def names_only(line: str) -> Masthead | None:
    """The authors in a line of nothing but names ("Ada Byron and Mary Shelley in Geneva"), if it is one."""
    match = _NAMES_ONLY.fullmatch(line)
    if match is None or is_desk(line) or _is_publisher(match["names"]):
        return None
    return Masthead(authors=tuple(_person(name) for name in _SPLIT_NAMES.split(match["names"]) if name))


_SHORT_NAME = rf"{_NAME_WORD}(?: {_NAME_WORD}){{1,3}}"
_NAMES_ONLY = re.compile(
    rf"(?P<names>{_SHORT_NAME}(?:(?:, | and | & | et | und |, and ){_SHORT_NAME})*)"
    r"(?: (?:in|with|avec|mit) \w+(?:[ ,]+\w+){0,3})?"
)


def _person(name: str) -> str:
    """A name as people write it: bylines often stand in capitals."""
    return name.title() if name.isupper() else name


def _publisher(name: str) -> str:
    name = name.strip()
    # Short ones are initials: AFP, CBC.
    return name.title() if name.isupper() and len(name) > _LONGEST_INITIALS else name


_LONGEST_INITIALS = 5


def _is_publisher(text: str) -> bool:
    if _YEAR.search(text) or _ROLE_LINE.fullmatch(text) or not text[:1].isupper() or len(text.split()) > 6:
        return False
    return text.startswith(("The ", "Le ", "La ", "Les ", "Der ", "Die ")) or _ORGANISATION.search(text) is not None


def _stamp(line: str) -> Masthead:
    marks = list(_STAMP.finditer(line))
    published = updated = None
    day_first = _DAY_FIRST.search(line) is not None
    ends = [mark.start() for mark in marks[1:]] + [len(line)]
    for mark, end in zip(marks, ends, strict=False):
        moment = _moment(line[mark.end() : end], published, day_first)
        if mark["updated"]:
            updated = updated or moment
        else:
            published = published or moment
    opening = line[: marks[0].start()] if marks else line
    if published is None and _YEAR.search(opening):
        published = next(
            (moment for piece in _dates_in(opening) if (moment := written_moment(piece, day_first=day_first))), None
        )
    return Masthead(published=published, updated=updated)


def _dates_in(line: str) -> list[str]:
    """The line itself or its parts between bars, where they hold nothing but a date."""
    pieces = [line, *re.split(r"\s*[|·•]\s*|\s+[–—-]\s+", line)]
    return [piece for piece in pieces if _YEAR.search(piece) and not re.sub(r"[\W_]+", "", _DATE_PARTS.sub("", piece))]


def _moment(text: str, published: str | None, day_first: bool) -> str | None:
    text = text.strip(" ,;|·•-–—.")
    if _YEAR.search(text):
        text = _CLOCK_FIRST.sub(r"\2 \1", text)
        # Drop what follows the date on the same line: a publisher, a reading time.
        head = re.split(r"\s*[|·•]\s*|\s+by\s+", text)[0]
        return written_moment(head if _YEAR.search(head) else text, day_first=day_first)
    clock = _CLOCK_ONLY.match(text)
    if clock and published:  # "mis à jour à 09:48": the same day
        hour = int(clock[1]) % 12 + 12 if (clock[3] or "").lower() == "p" else int(clock[1])
        if hour < 24 and int(clock[2]) < 60:
            return f"{published[:10]}T{hour:02}:{clock[2]}:00{published[19:]}"
    return None
