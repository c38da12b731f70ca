"""Names of a corpus, found by how one of their words begins: what to suggest while somebody is typing."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Self

import numpy as np

from index.columns import NO_NAME, Codes

# Stands before every word of every name; nothing that is typed holds it.
_START = "\0"


class Names:
    """Names, and how often each occurs: `codes` has an entry for every occurrence, the position of the name."""

    def __init__(self, names: Sequence[str], codes: Codes) -> None:
        self._names = names
        self._counts = np.bincount(codes[codes != NO_NAME], minlength=len(names))
        entries = [_START + _START.join(folded(name).split()) for name in names]
        # One text for all of them: searching it costs a millisecond where a look at each would cost a hundred.
        self._text = "".join(entries)
        self._starts = list(accumulate((len(entry) for entry in entries), initial=0))

    @classmethod
    def counted(cls, counts: Mapping[str, int]) -> Self:
        """Names of which it is known how often each occurs."""
        return cls(list(counts), np.repeat(np.arange(len(counts), dtype=np.int32), list(counts.values())))

    def beginning_with(self, typed: str, size: int) -> list[str]:
        """The `size` commonest names in which the typed words begin words that follow each other."""
        sought = _START.join(("", *folded(typed).split()))
        if len(sought) < 2 or size < 1:
            return []
        found = [at for at in dict.fromkeys(self._places(sought)) if self._counts[at]]
        found.sort(key=lambda at: (-int(self._counts[at]), self._names[at]))
        return [self._names[at] for at in found[:size]]

    def _places(self, sought: str) -> Iterable[int]:
        at = self._text.find(sought)
        while at >= 0:
            position = bisect_right(self._starts, at) - 1
            # What runs over the end of a name is two names.
            if at + len(sought) <= self._starts[position + 1]:
                yield position
            at = self._text.find(sought, at + 1)


def folded(text: str) -> str:
    """`text` without case and accents."""
    apart = unicodedata.normalize("NFKD", text.replace(_START, " "))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
