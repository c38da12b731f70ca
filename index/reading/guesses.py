"""What others call the fields of an article, and how they write them.

Names are compared without letter case, spaces and punctuation: "Publication Date" is publication_date.
The names are those of NewsAPI, AP, JSON Feed, schema.org, WordPress, the archives of the New York Times
and the Guardian, GDELT, and of columns in published news data sets.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

# In order of preference. Our own name always comes first.
NAMES: dict[str, tuple[str, ...]] = {
    ours: (ours, *(name for name in theirs.split() if name != ours))
    for ours, theirs in {
        "id": "guid uuid articleid storyid documentid docid itemid identifier",
        "url": "link links permalink weburl articleurl pageurl canonicalurl canonical sourceurl documentidentifier "
               "mainentityofpage externalurl href uri",
        "title": "headline hed articletitle webtitle newstitle heading",
        "text": "body articlebody content fulltext articletext bodytext contenttext maintext plaintext article story "
                "bodynitf",
        "html": "contenthtml bodyhtml articlehtml contentencoded rawhtml pagehtml pagesource",
        "published": "publishedat datepublished publicationdate publisheddate publishdate pubdate publicationtime "
                     "webpublicationdate firstcreated firstpublished dategmt date datetime publishtime postdate "
                     "versioncreated created createdat seendate sqldate timestamp dateadded",
        "updated": "updatedat datemodified modified modifiedgmt lastmodified lastmod dateupdated versioncreated",
        "authors": "author byline bylines authorname creator dccreator writer reporter by",
        "source": "publisher publishername outlet newsoutlet site sitename sourcename publication newspaper provider "
                  "sourcecommonname domain",
        "language": "lang inlanguage languagecode",
        "section": "articlesection sectionname category categories newsdesk topic",
        "summary": "description abstract lede lead standfirst excerpt teaser dek deck trailtext snippet",
    }.items()
}  # fmt: skip
# Where an object stands for a text: its parts that can be the text, in order of preference.
_PARTS = (
    "@value", "rendered", "value", "name", "main", "title", "original", "by", "byline", "label", "full_text", "html",
    "text", "content", "#text", "$oid", "$date", "@id", "url", "href",
)  # fmt: skip
_DEEPEST = 4

_FOLD = re.compile(r"[\W_]+")
# Of epoch numbers, seconds reach 1e11 in the year 5138; what is larger counts in smaller parts.
_MOST_SECONDS = 1e11
_EPOCH_DIGITS = re.compile(r"\d{9,10}|\d{13}|\d{16}|\d{19}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The longest way that a date is written in a masthead has half of this; a parser of dates needs minutes for a book.
_LONGEST_MOMENT = 100
_PACKED_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)T?(\d\d)(\d\d)(\d\d)(Z?)")


def folded(name: str) -> str:
    """A name as it is compared."""
    return _FOLD.sub("", name).lower()


def by_folded_name(record: Mapping[str, Any]) -> dict[str, str]:
    """The keys of a record by their names as these are compared; the first of several that are the same."""
    keys: dict[str, str] = {}
    for key in record:
        keys.setdefault(folded(key), key)
    return keys


def one_text(value: Any, depth: int = 0) -> str:
    """The text that a value is or stands for, or an empty one."""
    match value:
        case str():
            return value.strip()
        case bool() | None:
            return ""
        case int() | float():
            return str(value)
        case list() if depth < _DEEPEST:
            return next((text for member in value if (text := one_text(member, depth + 1))), "")
        case Mapping() if depth < _DEEPEST:
            return next((text for part in _PARTS if (text := one_text(value.get(part), depth + 1))), "")
        case _:
            return ""


def all_texts(value: Any) -> list[str]:
    """The same for each member of a list."""
    members = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(text for member in members if (text := one_text(member))))


def moment_text(value: Any) -> str:
    """A moment as text, numbers of seconds or parts of seconds since 1970 as ISO 8601."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_epoch(float(value))
    text = one_text(value)
    if len(text) > _LONGEST_MOMENT:
        return ""
    if _EPOCH_DIGITS.fullmatch(text):
        return _of_epoch(float(text))
    if packed := _PACKED_MOMENT.fullmatch(text):
        year, month, day, hour, minute, second, zulu = packed.groups()
        return f"{year}-{month}-{day}T{hour}:{minute}:{second}{zulu}"
    return text


def _of_epoch(number: float) -> str:
    if not abs(number) < 1e20:
        return ""
    while abs(number) > _MOST_SECONDS:
        number /= 1000
    try:
        return (_EPOCH + timedelta(seconds=int(number))).isoformat()
    except OverflowError:
        return ""
