"""Reading the dates and times that news carries, and writing them as ISO 8601."""

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

# Newspapers are older than this, their machine-readable dates are not to be believed.
_EARLIEST_YEAR = 1800
# "Wednesday, 20 August 2025 at 3:07 p.m. Eastern Daylight Time" has 60 characters; dateparser takes minutes
# over a million.
_LONGEST_MOMENT = 200
# Tried in this order for dates in words; a month's name decides.
_LANGUAGES = ("en", "fr", "de", "es")
# "Tomorrow" exists in a time zone ahead of ours.
_AHEAD = timedelta(days=1)

_ISO_CLOCK = re.compile(r"[T ]\d|:")
_MAIL_DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} ")
_DOTTED_DATE = re.compile(r"\b\d{1,2}\.\s?\d{1,2}\.\s?\d{4}\b")
_CLOCK = re.compile(r"\d{1,2}\s?[:h.]\s?\d{2}|\d\s?[ap]\.?m\b", re.IGNORECASE)
_DOTTED_NOON = re.compile(r"\b([ap])\.\s?m\.?", re.IGNORECASE)
_FRENCH_HOUR = re.compile(r"\b(\d{1,2})\s?h\s?(\d{2})?\b")
_DOTTED_CLOCK = re.compile(r"(?<=\d{4}\s)(\d{1,2})\.(\d{2})\b(?!\.\d)")
_US_ZONE = re.compile(r"\b[ECMP]T\b")
_US_ZONES = {"E": "America/New_York", "C": "America/Chicago", "M": "America/Denver", "P": "America/Los_Angeles"}
_JOINERS = re.compile(r"\s+(?:at|à|um|@|·|\|)\s+|,?\s+(?:Uhr|hrs)\b", re.IGNORECASE)


def iso_moment(value: object) -> str | None:
    """A date or datetime as ISO 8601 text, or None where `value` is none or cannot be true.

    A date stays a date, a time keeps the zone it came with, and nothing lies before 1800 or later
    than tomorrow.
    """
    if isinstance(value, datetime):
        return _plausible(value, whole_day=False)
    if isinstance(value, date):
        return _plausible(datetime(value.year, value.month, value.day), whole_day=True)
    if not isinstance(value, str) or not (text := value.strip()):
        return None
    try:
        return _plausible(datetime.fromisoformat(text), whole_day=_ISO_CLOCK.search(text) is None)
    except (ValueError, OverflowError):
        pass
    if _MAIL_DATE.match(text):
        try:
            return _plausible(parsedate_to_datetime(text), whole_day=False)
        except (ValueError, OverflowError):
            pass
    return written_moment(text)


def written_moment(text: str, *, day_first: bool = False) -> str | None:
    """A moment as a person would write it ("August 20, 2025 3:07 pm"), as ISO 8601, or None.

    A time is kept only where the text has one; a time zone only where it names one. `day_first` reads
    4/3/2025 as 4 March; who writes 4.3.2025 always means it.
    """
    if len(text) > _LONGEST_MOMENT:
        return None
    import dateparser

    text, zone = _without_us_zone(text)
    has_clock = _CLOCK.search(_DOTTED_DATE.sub(" ", text)) is not None
    text = _DOTTED_NOON.sub(r"\1m", _JOINERS.sub(" ", text))
    text = _DOTTED_CLOCK.sub(r"\1:\2", _FRENCH_HOUR.sub(lambda m: f"{m[1]}:{m[2] or '00'}", text))
    settings = {"REQUIRE_PARTS": ["day", "month", "year"], "PARSERS": ["absolute-time"]}
    order = {"DATE_ORDER": "DMY"} if day_first or _DOTTED_DATE.search(text) else {}
    for language in _LANGUAGES:
        moment = dateparser.parse(text.rstrip(" .,"), languages=[language], settings={**settings, **order})
        if moment is not None:
            return _plausible(moment.replace(tzinfo=zone) if zone else moment, whole_day=not has_clock)
    return None


def spoken_moment(words: str, language: str, today: date) -> tuple[date, str] | None:
    """A day within the moment, and how long the moment is: "day", "week", "month" or "year".

    What could be past or future is the latest one that is not after today.
    """
    from dateparser.date import DateDataParser

    settings = {"RELATIVE_BASE": datetime(today.year, today.month, today.day), "PREFER_DATES_FROM": "past"}
    read = DateDataParser(languages=[language], settings=settings).get_date_data(words)
    return (read.date_obj.date(), read.period) if read.date_obj else None


def _without_us_zone(text: str) -> tuple[str, ZoneInfo | None]:
    """`text` without "ET" or its like, which is standard or daylight time as the season has it."""
    match = _US_ZONE.search(text)
    if match is None:
        return text, None
    return text.replace(match.group(), "", 1), ZoneInfo(_US_ZONES[match.group()[0]])


def _plausible(moment: datetime, *, whole_day: bool) -> str | None:
    latest = datetime.now(moment.tzinfo or UTC).replace(tzinfo=moment.tzinfo) + _AHEAD
    if moment.year < _EARLIEST_YEAR or moment > latest:
        return None
    return moment.date().isoformat() if whole_day else moment.replace(microsecond=0).isoformat()
