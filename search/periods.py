"""Date words of a query, read as a period: "last week", "since July 2025", "entre 2019 et 2021".

The grammar is small and wary. A frame (since, before, from … to …) holds one or two moments, and each
moment in words is read by dateparser. A year, month or weekday without a frame is part of a name far too
often ("2022 World Cup", "May said", "Black Monday"), so it is left where it stands; so is everything else
that could be a name, a comparison or the future. A period that was not read costs less than a wrong one.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from index.dates import spoken_moment

Days = tuple[date | None, date | None]
"""First and last day, both included; None where a side is open."""

QUOTED = "\ue000"
"""Stands in a text for a quoted phrase, whose words are never read as a date."""

# "The headliner for the show in February was announced this week. Who will be performing?" In a whole question the
# time is the event's, or only says that it is news, and articles tell of it earlier and later. Read as the time of
# publication it loses them: nDCG@10 .755 against .775 on the questions of the development set
# (dateline evaluate … --as-of query --against date_words=false). Freshness counts anyway.
_LONG_QUERY_WORDS = 7
_QUESTION = re.compile(r"[?.:]\s*$|\b(?:who|whom|whose|what|which|where|when|why|how|qui|quel\w*|où|pourquoi)\b", re.I)

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)

_ISO = r"(?:1[89]|20)\d\d-(?:0[1-9]|1[0-2])-[0-3]\d(?![-\d])"
_YEAR = r"(?:1[89]|20)\d\d(?![-/]?\d)"
_COUNT = {
    "en": r"(?:(?<![\d.,])\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)",
    "fr": r"(?:(?<![\d.,])\d{1,3}|une?|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze)",
}
_UNITS = {"en": r"(?:day|week|month|year)", "fr": r"(?:jour|semaine|mois|an(?:n[ée]e)?)"}
_WEEKDAYS = {
    "en": r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
    "fr": r"(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)",
}
_MONTHS = {
    "en": r"(?:january|february|march|april|may|june|july|august|september|october|november|december)",
    "fr": r"(?:janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[uû]t|septembre|octobre|novembre|d[ée]cembre)",
}
_SHORT_MONTHS = r"(?:(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"

# Any of these words, or a year, may belong to a date; a query with none of them is done with here.
_HINT = re.compile(
    r"\b(?:(?:1[89]|20)\d\d\b|yesterday|today|(?:last|past|previous|this|cette) |ago\b|ce mois|hier\b|aujourd|il y a "
    rf"|derni[eè]r|pass[ée]|{'|'.join([*_MONTHS.values(), _SHORT_MONTHS, *_WEEKDAYS.values()])})",
    re.IGNORECASE,
)

# What may follow a moment that would otherwise be half a name: "since 2019", but not "since 2019 election".
_ALONE = (
    rf"(?=$| ?[,.;:?!){QUOTED}](?!\d)"
    r"| (?:a|an|the|in|on|at|of|by|for|from|with|and|or|but|about|to|is|are|was|were|has|have|had|did|do|does|what|who"
    r"|why|how|where|which|that|as|le|la|les|un|une|à|au|aux|dans|sur|par|pour|avec|et|ou|de|du|des|en|est|ont|sont)\b)"
)
_LAST = rf"(?=$| ?[,.;:?!{QUOTED}](?!\d))"

# Comparisons speak of another time, and events ("after last year's election") are not the period itself.
_COMPARES = re.compile(
    r"\b(?:than|to|with|like|versus|vs\.?|after|before|since|until|till|by|beyond|every|each|half|usa|que|qu'|à|après"
    r"|avant|depuis|rapport) ?(?:the |this |la |le |l')?$",
    re.IGNORECASE,
)
_LONG_UNIT = re.compile(r"month|year", re.IGNORECASE)

# "The law of 29 July 1881" is called so at any time.
_BELONGS = re.compile(r"(?:\b(?:of|du|de) |\bd')$", re.IGNORECASE)

# Names that begin like date words.
_NAMED = re.compile(
    r"^(?:'s special| (?:show|programme|program|tonight)\b| the \d| (?:times|mail|telegraph|express|mirror|world)\b"
    r"| (?:morning |afternoon |evening |night )?(?:football|live)\b| of\b| day\b)",
    re.IGNORECASE,
)
# "hier" is "here" in German.
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|ich|in|im|von|wir|den|wird|gibt|nicht)\b", re.IGNORECASE)
# In a question for a date, dates say what happened, not when it was written about.
_ASKS_WHEN = re.compile(r"^(?:when|since when|quand|depuis quand)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """Date words as they were typed, and the ISO days they were read as, both included; None is an open side."""

    words: str
    first_day: str | None
    last_day: str | None

    @property
    def days(self) -> str:
        """The days for people: "2025-08-11 to 2025-08-17", "2025-08-11 or later"."""
        return days_for_people(self.first_day, self.last_day)


def days_for_people(first_day: str | None, last_day: str | None) -> str:
    """An interval of ISO days in words; at least one side has to be given."""
    if first_day == last_day:
        return f"{first_day}"
    if last_day is None:
        return f"{first_day} or later"
    return f"{first_day} to {last_day}" if first_day else f"{last_day} or earlier"


def find_period(text: str, today: date) -> tuple[Period, str] | None:
    """The period that `text` names, seen from `today`, and the text without its words.

    None where there is no such period, more than one, doubt, or a long question. Of several, the only one counted from
    today ("last week", not "in 2019") is taken. A period that begins after today, or ends today or later
    with no beginning, is about the future and limits nothing that could have been written.
    """
    if _HINT.search(text) is None or _is_long_question(text):
        return None
    text = " ".join(text.replace("’", "'").split())
    found: dict[tuple[int, int], tuple[Days, str]] = {}
    for frame in _grammar():
        for match in frame.pattern.finditer(text):
            start, end = match.span()
            if any(start < there[1] and there[0] < end for there in found) or not _is_meant(frame, match, text):
                continue
            try:
                days = _days(frame, match, today)
            except (ValueError, OverflowError):  # 31 June, or the year 0
                days = None
            if days is not None and not _lies_ahead(days, today):
                found[start, end] = (days, frame.kind)
    relative = [span for span, (_, kind) in found.items() if kind == "counted from today"]
    chosen = relative if len(relative) == 1 else list(found)
    if len(chosen) != 1:
        return None
    (start, end), ((first, last), _) = chosen[0], found[chosen[0]]
    period = Period(text[start:end], first.isoformat() if first else None, last.isoformat() if last else None)
    return period, _without(text, start, end)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Words around moments. `kind` says what they do to the moments in the groups `a` and `b`."""

    language: str
    kind: str
    pattern: re.Pattern[str]


@cache
def _grammar() -> tuple[_Frame, ...]:
    """Every frame, most specific first: where two overlap, the earlier one has the words."""
    return tuple(
        _Frame(language, kind, re.compile(rf"(?<![\w'-]){pattern}", re.IGNORECASE))
        for language, frames in (("en", _english()), ("fr", _french()))
        for kind, pattern in frames.items()
    )


def _english() -> dict[str, str]:
    """The frames of English: a pattern for each kind."""
    month, weekday, unit, count = (table["en"] for table in (_MONTHS, _WEEKDAYS, _UNITS, _COUNT))
    any_month = rf"(?:{month}\b|{_SHORT_MONTHS})"
    number = r"\d{1,2}(?:st|nd|rd|th)?"
    of_month = rf"(?:{number} (?:of )?{any_month}|{any_month} {number}(?![-\d:]))"
    dated = rf"(?:(?:{weekday},? )?(?:the )?{of_month},? {_YEAR}|{_ISO})"
    day = rf"(?:{dated}|(?:{weekday},? )?(?:the )?{of_month})"
    month_year = rf"{any_month},? {_YEAR}"
    # April, June and May are people and to march is a verb, so these need a year behind "by" or "after".
    sure_month = rf"(?!(?:march|april|may|june)\b){month}"
    calendar = rf"(?:last|previous) {unit}(?<!day)"
    recent = rf"(?:last|past) {count} {unit}s?|past {unit}|this (?:week|month|year)"
    ago = rf"(?:{count}|an?) {unit}s? ago"
    relative = rf"(?:yesterday|today|{ago}|{calendar}|{recent}|(?:last|past) weekend|last {weekday})\b"
    stated = rf"(?:{day}|{month_year}|{_YEAR})"
    either = rf"{stated}|{month}|{weekday}|{relative}"
    # The event of a moment ("since yesterday's ruling") is not the moment.
    opened = rf"(?:the )?(?:(?P<a>(?:{stated}|{sure_month}){_ALONE}|{relative}(?!'))"
    opened_by_day = rf"{opened}|(?P<b>{weekday}){_ALONE})"
    return {
        # From the first day of one moment to the last of the other. An end without a year is the latest one.
        "between": rf"(?:from|between) (?P<a>{either}|{number}) (?:to|and|until|till|through) (?P<b>{either})\b"
        rf"{_ALONE}",
        # From the first day of the moment on, or from the day after its last.
        "since": rf"since (?:on |in )?{opened_by_day}",
        "after": rf"after {opened_by_day}",
        # Up to the day before the moment, or to its last day. "By Friday" is mostly the next one: no weekdays.
        "before": rf"before {opened_by_day}",
        "until": rf"(?:until|till|by) {opened})",
        # The moment itself. A year must stand alone; a weekday takes its time of day along.
        "in": rf"(?:(?:in|during) (?P<a>{month_year}|{_YEAR}{_ALONE}"
        rf"|(?!march (?:for|of|on|against|to|through)\b){month}\b(?! (?-i:[A-Z])))"
        rf"|on (?P<b>{day}|{weekday}\b)(?: (?:morning|afternoon|evening|night)\b)?)",
        # What is counted from today needs no frame.
        "counted from today": rf"(?:(?:in|over|during|within|for|from|on) )?(?:the |this (?=past))?"
        rf"(?P<a>{relative})(?:'s\b)?",
        # A month or day with its year at the very end is a date that somebody typed behind the subject.
        "bare": rf"(?:from )?(?P<a>{dated}|{month_year}){_LAST}",
    }


def _french() -> dict[str, str]:
    """The frames of French, each as in English."""
    month, weekday, unit, count = (table["fr"] for table in (_MONTHS, _WEEKDAYS, _UNITS, _COUNT))
    number = r"\d{1,2}(?:er)?"
    dated = rf"(?:(?:{weekday} )?{number} {month} {_YEAR}|{_ISO})"
    day = rf"(?:{dated}|(?:{weekday} )?{number} {month})"
    month_year = rf"{month} {_YEAR}"
    calendar = r"(?:semaine|ann[ée]e) (?:derni[eè]re|passée)|(?:mois|an) (?:dernier|passé)"
    recent = (
        rf"{count} derni[eè]re?s {unit}s?|derni[eè]re?s {count} {unit}s?|cette (?:semaine|ann[ée]e)|ce mois(?:-ci)?"
    )
    ago = rf"il y a {count} {unit}s?"
    relative = rf"(?:hier|aujourd'hui|{ago}|{calendar}|{recent}|week-?end dernier|{weekday} dernier)\b"
    stated = rf"(?:{day}|{month_year}|{_YEAR})"
    either = rf"{stated}|{month}|{weekday}|{relative}"
    article = r"(?:le |la |l'|les |ces )?"
    # Mars is a planet.
    opened = rf"{article}(?:(?P<a>(?:{stated}|(?!mars\b){month}){_ALONE}|{relative})"
    opened_by_day = rf"{opened}|(?P<b>{weekday}){_ALONE})"
    return {
        "between": rf"(?:entre |du |de |d'){article}(?P<a>{either}|{number}) (?:et |à |au |jusqu'(?:à |au |en ))"
        rf"{article}(?P<b>{either})\b{_ALONE}",
        "since": rf"depuis {opened_by_day}",
        "after": rf"apr[eè]s {opened_by_day}",
        "before": rf"avant {opened_by_day}",
        "until": rf"jusqu'(?:en |à |au ){opened})",
        "in": rf"(?:(?:en |pendant |au mois de |au mois d')(?P<a>{month_year}|{_YEAR}{_ALONE}"
        rf"|{month}\b(?! (?-i:[A-Z])))|le (?P<b>{day})\b)",
        "counted from today": rf"(?:(?:dans|pendant|durant|au cours de|au cours des|de) )?{article}(?P<a>{relative})",
        "bare": rf"(?P<a>{dated}|{month_year}){_LAST}",
    }


def _is_meant(frame: _Frame, match: re.Match[str], text: str) -> bool:
    """Whether the words are a date and no name, comparison or event."""
    before, words, after = text[: match.start()], match.group(), text[match.end() :]
    if _NAMED.match(after):
        return False
    if frame.kind != "counted from today":
        return not _ASKS_WHEN.match(text) and not (
            frame.kind == "bare" and (_COMPARES.search(before) or _BELONGS.search(before))
        )
    if _COMPARES.search(before) or re.search(r"\b(?:next|prochaine?)$", before.rstrip(), re.IGNORECASE):
        return False
    if words.lower().startswith("from ") and _LONG_UNIT.search(words):  # "down from last year"
        return False
    if "hier" in words.lower() and _GERMAN.search(text):
        return False
    # "Today" within a sentence is a programme, "Last Week" a title; a first word is capital anyway.
    inside = words if before else words[1:]
    capitals = re.sub("|".join(_WEEKDAYS.values()), "", inside, flags=re.IGNORECASE)
    return text.isupper() or capitals.islower() or not re.search(r"[^\W\d_]", capitals)


def _lies_ahead(days: Days, today: date) -> bool:
    first, last = days
    return first > today if first else last is not None and last >= today


def _days(frame: _Frame, match: re.Match[str], today: date) -> Days | None:
    """What the frame makes of its moments; None where they cannot be read or make no period."""
    groups = match.groupdict()
    if frame.kind == "between":
        return _between(groups["a"], groups["b"], frame.language, today)
    moment = _moment(groups["a"] or groups.get("b") or "", frame.language, today)
    if moment is None:
        return None
    first, last = moment
    framed: dict[str, Days] = {
        "since": (first, None),
        "after": (last + _DAY, None),
        "before": (None, first - _DAY),
        "until": (None, last),
    }
    return framed.get(frame.kind, moment)


def _between(a: str, b: str, language: str, today: date) -> Days | None:
    """From the first day of `a` to the last of `b`; "from 3 to 10 August" borrows the month."""
    end = _moment(b, language, today)
    if end is None:
        return None
    if re.fullmatch(r"\d{1,2}\D{0,2}", a):
        first = end[1].replace(day=int(re.sub(r"\D", "", a))) if end[0] == end[1] else None
        return (first, end[1]) if first and first <= end[1] else None
    if re.search(_YEAR, a) and not re.search(r"\d{4}", b) and re.search(_MONTHS[language], b, re.IGNORECASE):
        return None  # "from November 2024 to March": of which year?
    start = _moment(a, language, today)
    if start and start[0] > end[1]:
        start = _moment(a, language, end[1])  # the latest before the end
    return (start[0], end[1]) if start and start[0] <= end[1] else None


_LAST_COUNT = {
    "en": re.compile(
        rf"(?:last|past) (?P<count>{_COUNT['en']}) (?P<unit>{_UNITS['en']})s?|past (?P<one>{_UNITS['en']})"
    ),
    "fr": re.compile(
        rf"(?:(?P<count>{_COUNT['fr']}) derni[eè]re?s|derni[eè]re?s (?P<more>{_COUNT['fr']}))"
        rf" (?P<unit>{_UNITS['fr']})s?"
    ),
}
_CALENDAR = {
    "en": re.compile(rf"(?:last|previous) (?P<unit>{_UNITS['en']})"),
    "fr": re.compile(rf"(?P<unit>{_UNITS['fr']}) (?:derni[eè]re?|passée?)"),
}
_AGO = {"en": "{} {} ago", "fr": "il y a {} {}"}
_THIS_WEEK = ("this week", "cette semaine")
_THIS = dict.fromkeys(("this month", "ce mois", "ce mois-ci"), "month") | dict.fromkeys(
    ("this year", "cette année", "cette annee"), "year"
)


def _is_long_question(text: str) -> bool:
    return len(text.split()) > _LONG_QUERY_WORDS and _QUESTION.search(text) is not None


def _moment(words: str, language: str, today: date) -> tuple[date, date] | None:
    """The first and last day of a moment in words, seen from `today`; None where it cannot be read."""
    words = words.lower().strip()
    if counted := _LAST_COUNT[language].fullmatch(words):
        # "The past two weeks", "past month": so many days, weeks or months up to today, today included.
        groups = counted.groupdict()
        count, unit = groups["count"] or groups.get("more") or 1, groups["unit"] or groups.get("one")
        begin = spoken_moment(_AGO[language].format(count, unit), language, today)
        return (begin[0] + _DAY, today) if begin and begin[0] < today else None
    if words in _THIS_WEEK:
        # On a Monday nobody who asks what happened this week means that Monday: seven days up to today.
        return today - _WEEK + _DAY, today
    if words in _THIS:
        return _whole(today, _THIS[words])
    if re.search("week-?end", words):
        monday = _whole(today, "week")[0]
        return monday - 2 * _DAY, monday - _DAY
    if calendar := _CALENDAR[language].fullmatch(words):
        # "Last week", "last month": the calendar's one before this one, weeks from Monday to Sunday.
        spoken = spoken_moment(_AGO[language].format(1, calendar["unit"]), language, today)
    elif weekday := re.fullmatch(rf"(?P<last>last )?({_WEEKDAYS[language]})(?P<dernier> dernier)?", words):
        # "On Monday" may be today; "last Monday" is before today, as dateparser has it.
        strictly = weekday["last"] or weekday["dernier"]
        spoken = spoken_moment(weekday[2], language, today if strictly else today + _DAY)
    else:
        spoken = spoken_moment(words.removeprefix("the "), language, today)
    return _whole(*spoken) if spoken else None


def _whole(day: date, unit: str) -> tuple[date, date]:
    """The week, month or year around `day`, or the day itself."""
    if unit == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + _WEEK - _DAY
    if unit == "month":
        next_month = day.replace(day=28) + timedelta(days=4)
        return day.replace(day=1), next_month - timedelta(days=next_month.day)
    return (date(day.year, 1, 1), date(day.year, 12, 31)) if unit == "year" else (day, day)


def _without(text: str, start: int, end: int) -> str:
    """`text` without these characters and the punctuation that belonged to them."""
    before, after = text[:start].rstrip(" ,;:"), text[end:].lstrip(" ")
    if not before:
        after = after.lstrip(" ,.;:")
    return f"{before}{after}" if after[:1] in set(",.;:?!)") else f"{before} {after}".strip()
