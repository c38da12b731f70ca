"""Two periods or two sources, side by side: the same question asked twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from search.hits import Hit, SearchResult
from search.query import SearchRequest
from web.addresses import Addresses, Asked
from web.chips import chips
from web.schemas import LISTED, SearchParameters
from web.timelines import Timeline, timeline

_SHOWN = 5
# The parameters of the right side carry this at their end.
_RIGHT = "2"
_SIDED = ("from", "to", "source")

Ask = Callable[[SearchRequest], SearchResult]


@dataclass(frozen=True, slots=True)
class Side:
    """One half of a comparison: what was asked there, what was found, where to see all of it.

    `hits` are those that count as matches. In words, `limits` are what both sides share and `notes` what there is to
    say besides.
    """

    asked: Asked
    result: SearchResult
    bars: Timeline | None
    to: Addresses
    hits: tuple[Hit, ...]
    limits: tuple[str, ...]
    notes: tuple[str, ...]


def sides(ask: Ask, asked: Asked, right: Asked) -> tuple[Side, Side] | None:
    """Both halves; without limits, the two sources or else the last two years with matches. None if there are no two.

    `asked` has the words and the left half's limits, `right` only the other's. Raises what a search raises.
    """
    if not any(asked.get(name) for name in _SIDED) and not any(right.get(name) for name in _SIDED):
        left, right = _apart(ask(_request(asked)))
        if not left:
            return None
        asked = asked | left
    shared = {name: value for name, value in asked.items() if name not in _SIDED}
    return _side(ask, asked), _side(ask, shared | right)


def right_side(parameters: MultiDict[str, str]) -> Asked:
    """The limits of the right side, by the names that they have on the left."""
    values = {name: [value for value in parameters.getlist(f"{name}{_RIGHT}") if value.strip()] for name in _SIDED}
    return {name: found if name in LISTED else found[0] for name, found in values.items() if found}


def _side(ask: Ask, asked: Asked) -> Side:
    result = ask(_request(asked))
    shared = {name: value for name, value in asked.items() if name not in _SIDED}
    limits = tuple(chip.text for chip in chips(shared, result.interpreted))
    hits = tuple(hit for hit in result if hit.score >= result.gate)
    return Side(asked, result, timeline(result.facets.days), Addresses(asked), hits, limits, result.interpreted.notes)


def _request(asked: Asked) -> SearchRequest:
    told: dict[str, Any] = {"collapse": "story", **asked, "size": _SHOWN, "page": 1}
    return SearchParameters.model_validate(told).request()


def _apart(whole: SearchResult) -> tuple[Asked, Asked]:
    sources, years = whole.facets.sources, whole.facets.years
    if len(sources) > 1:
        return {"source": [sources[0][0]]}, {"source": [sources[1][0]]}
    if len(years) > 1:
        before, last = (year for year, _ in years[-2:])
        return _year(before), _year(last)
    return {}, {}


def _year(year: str) -> Asked:
    return {"from": f"{year}-01-01", "to": f"{year}-12-31"}
