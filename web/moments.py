"""Days and moments as people write them."""

from datetime import date, datetime, timedelta


def moment(published: str | None) -> str:
    """An ISO date or datetime: 20 August 2025, 15:07; as it is where it is neither."""
    if not published:
        return "undated"
    try:
        at = datetime.fromisoformat(published)
    except ValueError:
        return published
    return _day(at) if len(published) <= len("2025-08-20") else f"{_day(at)}, {at:%H:%M}"


def days(first_day: str | None, last_day: str | None) -> str:
    """An interval of ISO days: "2024", "July 2025", "since 1 July 2025", "1 July 2025 to 3 August 2025".

    What is no date stays as it was typed.
    """
    try:
        first = date.fromisoformat(first_day) if first_day else None
        last = date.fromisoformat(last_day) if last_day else None
    except ValueError:
        return f"{first_day or '…'} to {last_day or '…'}"
    if first and last:
        return _interval(first, last)
    if first:
        return f"since {_day(first)}"
    return f"until {_day(last)}" if last else "any time"


def _interval(first: date, last: date) -> str:
    if first == last:
        return _day(first)
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31):
        return str(first.year) if first.year == last.year else f"{first.year} to {last.year}"
    ends_a_month = last == date.max or (last + timedelta(days=1)).day == 1
    if first.day == 1 and ends_a_month and (first.year, first.month) == (last.year, last.month):
        return f"{first:%B} {first.year}"
    return f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
