"""How a search was understood, as chips that can be taken off one by one."""

from collections.abc import Iterator
from dataclasses import dataclass

from search.query import Interpreted, without
from web.addresses import Addresses, Asked
from web.moments import days

_FILTERS = {"source": "from {}", "exclude_source": "not from {}", "author": "by {}", "language": "in {}"}
_TYPED = {
    "source": "from {}", "excluded_source": "not from {}", "author": "by {}", "title": "“{}” in the title",
    "before": "before {}", "after": "since {}", "phrase": "exactly “{}”", "excluded": "without “{}”",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """One limit on a search, in words, and the address of the search without it."""

    text: str
    address: str


def chips(asked: Asked, interpreted: Interpreted) -> Iterator[Chip]:
    """Every limit of a search: its period, what was typed as an operator, what was chosen as a filter."""
    to = Addresses(asked)
    period = interpreted.period
    if period:
        told = days(period.first_day, period.last_day)
        words = period.words if told in period.words else f"{period.words}: {told}"
        yield Chip(words, to.narrowed(date_words="false"))
    for typed in interpreted.typed:
        yield Chip(_TYPED[typed.kind].format(typed.value), to.narrowed(q=without(asked["q"], typed)))
    if asked.get("from") or asked.get("to"):
        yield Chip(days(asked.get("from"), asked.get("to")), to.narrowed(**{"from": None, "to": None}))
    for name, words in _FILTERS.items():
        for value in asked.get(name, []):
            yield Chip(words.format(value), to.taken(name, value))


def notes(interpreted: Interpreted) -> list[str]:
    """What there is to say of a query besides its chips and corrections."""
    return [note for note in interpreted.notes if note not in interpreted.readings]
