"""When a page says that its article was published and updated."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from index.cleaning.masthead import masthead_of
from index.dates import iso_moment
from index.extraction.linked import Node, texts
from index.extraction.tags import PageTags, is_aside, is_elsewhere, line_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Names of meta tags, as the development pages, parsely, sailthru, cXense, Dublin Core and the makers of
# newspaper systems have them; the unambiguous first.
_PUBLISHED = """
    article:published_time article:published og:article:published_time og:published_time datepublished
    date_published parsely-pub-date sailthru.date cxenseparse:recs:publishtime cxenseparse:publishtime
    cxenseparse:recs:articlepublishtime article.published published_time published-date publish-date publish_date
    publication_date publicationdate publication-date pubdate pub_date dcterms.issued dc.date.issued
    dcterms.available dc.date.published date.available citation_publication_date bt:pubdate content:publishdate
    article:publication_date article_date_original original-publish-date originalpublicationdate rnews:datepublished
    schema:datepublished displaydate release_date releasedate ptime dc.date dcterms.date dc:date date
    article.created date.created article:created_time dcterms.created dc.date.created datecreated created
    prism.publicationdate gentime firstcreate cdate
""".split()
_UPDATED = """
    article:modified_time article:modified og:updated_time og:article:modified_time datemodified date_modified
    article.updated dcterms.modified dc.date.modified dc.modified last-modified last_modified lastmod
    lastmodified modified_time date.modified date.updated modified updated
""".split()

_EPOCH = re.compile(r"1\d{9}(?:\.\d{1,6}|\d{3})?")
_CLOCK = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{1,9})?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d\d)?)?"
# 20250428, 20250428120000; 2025/04/28 12:00, 2025-04-28 12:00:00 +02:00
_YEAR_FIRST = (
    re.compile(
        r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)"
        r"(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?"
    ),
    re.compile(
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:[T ,]+{_CLOCK})?{_ZONE}", re.IGNORECASE
    ),
)
# 28.04.2025, 12:00 Uhr; 04/28/2025; 28-04-2025 - 12.00
_DAY_FIRST = re.compile(
    r"(?<![\d/.-])(?P<day>\d{1,2})(?P<joint>[./-])\s?(?P<month>\d{1,2})(?P=joint)\s?(?P<year>(?:19|20)\d\d)(?![\d/.-]\d)"
    rf"(?:(?:[\s,|·–-]|at|um|à|kl\.?|klo){{1,8}}{_CLOCK}(?!\d|\s?[ap]\.?m))?",
    re.IGNORECASE,
)
# 2025年1月13日 21時37分; 2025년 1월 13일 21:37
_EAST_ASIAN = re.compile(
    r"(?P<year>\d{4})\s?[年년]\s?(?P<month>\d{1,2})\s?[月월]\s?(?P<day>\d{1,2})\s?[日일]"
    r"(?:\D{0,12}?(?P<hour>\d{1,2})[:時时시点]\s?(?P<minute>\d{2}))?"
)
# A day in an address: /2025/04/28/, /2025-04-28-, /20250428/
_URL_DAY = re.compile(r"[/_-]((?:19|20)\d\d)([/_-]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=[/_.T-]|$)")
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_LONGEST_DATE = 60


def moment(value: str, *, day_first: bool = False) -> str | None:
    """A moment as publishers' systems write it, as ISO 8601, or None; see `iso_moment` for what cannot be true.

    `day_first` reads 4/3/2025 as 4 March; 4.3.2025 always is.
    """
    value = value.strip().strip("'\"")
    if not value or len(value) > _LONGEST_LINE:
        return None
    if _EPOCH.fullmatch(value):
        seconds = float(value) / (1000 if len(value) == _MILLISECONDS and "." not in value else 1)
        return iso_moment(datetime.fromtimestamp(int(seconds), UTC))
    for pattern in _YEAR_FIRST:
        if match := pattern.fullmatch(value):
            return _numeric(match.groupdict())
    if match := _EAST_ASIAN.search(value):
        return _numeric(match.groupdict())
    if match := _DAY_FIRST.search(value):
        return _numeric(_in_order(match.groupdict(), day_first=day_first))
    return iso_moment(value) if len(value) <= _LONGEST_DATE and _YEAR.search(value) else None


_MILLISECONDS = 13


def _in_order(parts: dict[str, str | None], *, day_first: bool) -> dict[str, str | None]:
    """`parts` of a numeric date, with day and month exchanged where the month comes first."""
    first, second = int(parts["day"] or 0), int(parts["month"] or 0)
    if first <= _MONTHS and parts["joint"] != "." and (second > _MONTHS or not day_first):
        parts["day"], parts["month"] = parts["month"], parts["day"]
    return parts


_MONTHS = 12


def _numeric(parts: dict[str, str | None]) -> str | None:
    text = f"{parts['year']}-{int(parts['month'] or 0):02}-{int(parts['day'] or 0):02}"
    hour, zone = parts.get("hour"), parts.get("zone")
    if hour:
        text += f"T{int(hour):02}:{parts['minute']}:{parts.get('second') or '00'}{_offset(zone) if zone else ''}"
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return iso_moment(parsed if hour else parsed.date())


def _offset(zone: str) -> str:
    if zone[0] not in "+-":
        return "+00:00"
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits, "00") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    return f"{zone[0]}{int(hours):02}:{minutes}"


def find_moments(
    tree: "HtmlElement",
    tags: PageTags,
    stories: Sequence[Node],
    pages: Sequence[Node],
    url: str | None,
    near: Callable[[], Sequence["HtmlElement"]],
    language: str | None = None,
) -> tuple[str | None, str | None]:
    """Published and updated: of the linked data, the meta tags, the page's text; the address last.

    `near` gives the elements around the headline; `language` decides what 4/3/2025 is.
    """
    day_first = language not in _MONTH_FIRST
    updated = _first(
        (*_properties(stories, "dateModified"), *tags.values(*_UPDATED), *_properties(pages, "dateModified"))
    )
    published = _stated(tags, stories, pages, _url_day(url))
    if published is None:
        published = _shown(near(), day_first) or _marked(tree, day_first) or _url_day(url) or updated or _searched(tree)
    if published and updated and not _later(updated, published):
        updated = None
    return published, updated


def _stated(tags: PageTags, stories: Sequence[Node], pages: Sequence[Node], day: str | None) -> str | None:
    """What the head of the page states.

    A system that writes the moment of its last change as the publication is found out where the
    address has an earlier day and another statement agrees with that.
    """
    candidates = list(
        islice(
            _moments(
                (
                    *_properties(stories, "datePublished"),
                    *tags.values(*_PUBLISHED),
                    *_properties(pages, "datePublished"),
                    *_properties(stories, "dateCreated", "uploadDate"),
                )
            ),
            _MOST_CANDIDATES,
        )
    )
    if not candidates:
        return None
    if day and candidates[0][:10] > day:
        return next((other for other in candidates if other[:10] == day), candidates[0])
    return candidates[0]


_MOST_CANDIDATES = 12
# No development page states more than 6.
_MOST_VALUES = 40
# Where people write the month first; unmarked English is most often American.
_MONTH_FIRST = frozenset({None, "en", "en-US"})


def _properties(nodes: Sequence[Node], *names: str) -> Iterator[str]:
    for name in names:
        for node in nodes:
            yield from islice(texts(node.get(name)), 1)


def _moments(values: Iterable[str]) -> Iterator[str]:
    return (found for value in islice(values, _MOST_VALUES) if (found := moment(value)))


def _first(values: Iterable[str]) -> str | None:
    return next(_moments(values), None)


def _later(one: str, other: str) -> bool:
    """Whether `one` is after `other`, or on another day where a zone is missing."""
    first, second = datetime.fromisoformat(one), datetime.fromisoformat(other)
    if len(one) == len(other) == _WHOLE_DAY or (first.tzinfo is None) != (second.tzinfo is None):
        return one[:10] > other[:10]
    return first > second


_WHOLE_DAY = 10


def _url_day(url: str | None) -> str | None:
    match = _URL_DAY.search(url[:1000]) if url else None
    return iso_moment(f"{match[1]}-{match[3]}-{match[4]}") if match else None


def _shown(near: Sequence["HtmlElement"], day_first: bool) -> str | None:
    """The moment that readers see: in a <time> near the headline, or in words."""
    for element in near:
        if element.tag == "time" and (found := _of_time(element, day_first)):
            return found
    marked = [_dated_line(element) for element in near if _is_dated(element)]
    unmarked = [_line(element.text) for element in near if element.text]
    lines = dict.fromkeys(line for line in (*marked, *unmarked) if line)
    return next((found for line in islice(lines, _MOST_TRIES) if (found := _of_words(line, day_first))), None)


def _is_dated(element: "HtmlElement") -> bool:
    return any(_DATED.search((element.get(name) or "")[:300]) for name in ("class", "id", "itemprop"))


_DATED = re.compile(r"date|time|publish|stamp|byline|meta|posted|datum|fecha", re.IGNORECASE)


def _marked(tree: "HtmlElement", day_first: bool) -> str | None:
    """The moment of an element that is marked as the publication, wherever it stands."""
    elements = islice(tree.iter("time", "span", "div", "abbr"), _MOST_ELEMENTS)
    marked = (
        element for element in elements if _is_publication(element) and not (is_elsewhere(element) or is_aside(element))
    )
    return next((found for element in islice(marked, _MOST_TRIES) if (found := _of_time(element, day_first))), None)


def _is_publication(element: "HtmlElement") -> bool:
    if element.get("itemprop") == "datePublished" or element.get("pubdate") is not None:
        return True
    return element.tag == "time" and _PUBLICATION.search((element.get("class") or "")[:300]) is not None


_PUBLICATION = re.compile(r"publi|entry-date|posted", re.IGNORECASE)
_MOST_ELEMENTS = 5_000


def _of_time(element: "HtmlElement", day_first: bool) -> str | None:
    for value in (element.get("datetime"), element.get("content"), element.get("title")):
        if value and (found := moment(value[:200], day_first=day_first)):
            return found
    return _of_words(_dated_line(element), day_first)


def _dated_line(element: "HtmlElement") -> str:
    """The text of an element if it is a line in which a date may stand, else nothing."""
    return _line(line_of(element))


def _line(text: str) -> str:
    text = " ".join(text[: 2 * _LONGEST_LINE].split())
    return text if len(text) <= _LONGEST_LINE and _YEAR.search(text) else ""


def _of_words(line: str, day_first: bool) -> str | None:
    if not line:
        return None
    if match := _DAY_FIRST.search(line):
        return moment(match[0], day_first=day_first)
    stamped = masthead_of(line)
    return stamped.published or stamped.updated or moment(line)


# Each try asks dateparser in four languages, which takes some milliseconds.
_MOST_TRIES = 12
_LONGEST_LINE = 150


def _searched(tree: "HtmlElement") -> str | None:
    """What htmldate finds in the article. Slow, so for pages that state nothing."""
    from htmldate import find_date

    article = deepcopy(tree)
    for element in list(article.iter(*_NO_STORY)):
        # Of scripts, what is not linked data may still hold the date: the state of an application.
        understood = element.tag != "script" or "ld+json" in (element.get("type") or "")
        if understood and element.getparent() is not None:
            element.drop_tree()
    try:
        return iso_moment(find_date(article, original_date=True, extensive_search=False))
    except Exception:  # noqa: BLE001  # it raises freely on pages that are odd enough
        return None


_NO_STORY = ("footer", "nav", "aside", "script", "figure")
