"""When matching articles were published, as bars."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from search.hits import Counts

Unit = Literal["day", "month", "year"]

# More bars than this are too thin to hit: on the narrowest phone a bar of 360 pixels / 62 is six pixels wide.
_MOST_DAYS = 62
_MOST_MONTHS = 60
# Dates are misread: an article of the year 12 must not make two thousand bars.
_MOST_YEARS = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time: its first and last day, how many articles are from it, and of what height that makes it."""

    label: str
    first_day: str
    last_day: str
    count: int
    height: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars without gaps, one a `unit`; heights are from 0 to 1."""

    unit: Unit
    bars: tuple[Bar, ...]

    @property
    def highest(self) -> int:
        """The most articles of one bar."""
        return max(bar.count for bar in self.bars)


def timeline(days: Counts) -> Timeline | None:
    """The bars of articles counted by ISO day, in days, months or years; None where that would be one bar."""
    if len(days) < 2:
        return None
    first, last = date.fromisoformat(days[0][0]), date.fromisoformat(days[-1][0])
    unit: Unit = "year"
    if (last - first).days < _MOST_DAYS:
        unit = "day"
    elif _months(first, last) <= _MOST_MONTHS:
        unit = "month"
    earliest = max(_begin(first, unit), date(max(1, last.year - _MOST_YEARS + 1), 1, 1))
    counts: dict[date, int] = {}
    for day, count in days:
        begin = max(_begin(date.fromisoformat(day), unit), earliest)
        counts[begin] = counts.get(begin, 0) + count
    highest = max(counts.values())
    bars = [
        Bar(_label(begin, unit), begin.isoformat(), end.isoformat(), counts.get(begin, 0),
            round(counts.get(begin, 0) / highest, 3))
        for begin, end in _stretches(earliest, last, unit)
    ]  # fmt: skip
    if first < earliest:
        bars[0] = replace(bars[0], label=f"until {bars[0].label}", first_day=_begin(first, unit).isoformat())
    return Timeline(unit, tuple(bars))


def _months(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month + 1


def _begin(day: date, unit: Unit) -> date:
    if unit == "day":
        return day
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _end(begin: date, unit: Unit) -> date:
    if unit == "day":
        return begin
    if unit == "month":
        return begin.replace(day=monthrange(begin.year, begin.month)[1])
    return begin.replace(month=12, day=31)


def _stretches(first: date, last: date, unit: Unit) -> Iterator[tuple[date, date]]:
    begin, end = first, _end(first, unit)
    yield begin, end
    while end < last:
        begin = end + timedelta(days=1)
        end = _end(begin, unit)
        yield begin, end


def _label(begin: date, unit: Unit) -> str:
    if unit == "day":
        return f"{begin.day} {begin:%B} {begin.year}"
    return f"{begin:%B} {begin.year}" if unit == "month" else str(begin.year)
