"""Addresses of the pages: every state of a search is one, and says it all."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import request

from web.schemas import KNOWN, LISTED

# What narrows a search, as opposed to how it is shown.
FILTERS = ("from", "to", "source", "exclude_source", "author", "language")
# Programs bound answers and go on at cursors; pages have pages.
_KNOWN_TO_PAGES = KNOWN - {"cursor", "max_chars", "interval"}

Asked = dict[str, Any]


def asked_for() -> Asked:
    """The parameters of a page that are known and not blank: strings, and lists of strings."""
    asked: Asked = {"q": ""}
    for name in request.args:
        values = [value for value in request.args.getlist(name) if value.strip()]
        if values and name in _KNOWN_TO_PAGES:
            asked[name] = values if name in LISTED else values[0]
    return asked


class Addresses:
    """The addresses that a page about the search `asked` leads to."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def narrowed(self, **changes: Any) -> str:
        """The same search from its first page with some parameters changed; None and [] take them away."""
        kept = {name: value for name, value in (self._asked | changes).items() if value and name != "page"}
        return f"/?{urlencode(kept, doseq=True)}"

    def added(self, name: str, value: str) -> str:
        """The same search with one more value of a filter."""
        return self.narrowed(**{name: [*self._asked.get(name, []), value]})

    def taken(self, name: str, value: str) -> str:
        """The same search with one value of a filter less."""
        return self.narrowed(**{name: [one for one in self._asked.get(name, []) if one != value]})

    def plain(self) -> str:
        """The same words without any filter."""
        return self.narrowed(**dict.fromkeys(FILTERS))

    def turned(self, page: int) -> str:
        """Another page of the same search."""
        return f"/?{urlencode(self._asked | {'page': page}, doseq=True)}"

    def results(self) -> str:
        """The same page of results."""
        return f"/?{urlencode(self._asked, doseq=True)}"

    def article(self, id: str, place: str = "") -> str:
        """An article that was found, at a place in it; it knows the search and so the way back."""
        found = f"/article/{quote(id, safe='/')}"
        told = urlencode(self._asked if self._asked.get("q") else {}, doseq=True)
        return found + (f"?{told}" if told else "") + (f"#{place}" if place else "")

    def elsewhere(self, path: str, **changes: Any) -> str:
        """The same search as a feed, a file or a comparison."""
        kept = {name: value for name, value in (self._asked | changes).items() if value and name not in _OF_A_PAGE}
        return f"{path}?{urlencode(kept, doseq=True)}"


_OF_A_PAGE = frozenset({"page", "size"})
