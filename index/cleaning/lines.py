"""The lines of a copied page, each looked at once."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from index.cleaning.furniture import Furniture, furniture_kind
from index.cleaning.masthead import Masthead, masthead_of

SENTENCE_END = re.compile(r"[.!?…:]['\"”’»)\]]*$|[”»]$|[.!?]['’]$")
# Text browsers number links and mark bullets and buttons.
_LINK_NUMBER = re.compile(r"(?<!\w)\[\d+\](?=\S)")
_LEAST_LINK_NUMBERS = 3
_BROWSER_MARK = re.compile(r"^(?:[*+o]\s|#\s?)\s*(?=\S)")
# A text wrapped by a program has lines about this wide.
_WRAP_COLUMNS = (45, 90)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what kind of furniture it is by itself if any, and what it says as part of a masthead.

    `block` numbers the groups that blank lines separate. `sentence` is whether the line ends as
    sentences do.
    """

    text: str
    block: int
    kind: Furniture | None
    masthead: Masthead
    sentence: bool
    repeated: bool

    @property
    def words(self) -> int:
        """Its length in words."""
        return len(self.text.split())

    @property
    def plain(self) -> bool:
        """Whether nothing about the line says that it is not story."""
        return self.kind is None and not self.masthead

    def is_prose(self, least_words: int) -> bool:
        """Whether it can be a paragraph of the story."""
        return self.plain and self.sentence and not self.repeated and self.words >= least_words


def lines_of(text: str) -> list[Line]:
    """The lines of a tidy text; a paragraph that was wrapped at a column is one line again."""
    browser_dump = len(_LINK_NUMBER.findall(text)) >= _LEAST_LINK_NUMBERS
    raw: list[tuple[str, int]] = []
    for number, block in enumerate(text.split("\n\n")):
        parts = [line for line in block.split("\n") if line.strip()]
        if browser_dump:
            parts = [_BROWSER_MARK.sub("", _LINK_NUMBER.sub("", part)) for part in parts]
        raw += [(line, number) for line in ([" ".join(parts)] if _is_wrapped(parts) else parts)]
    repeats = Counter(line for line, _ in raw)
    return [_line(line, block, repeated=repeats[line] > 1) for line, block in raw]


def _line(text: str, block: int, *, repeated: bool) -> Line:
    masthead = masthead_of(text)
    kind = None if masthead else furniture_kind(text)
    return Line(text, block, kind, masthead, SENTENCE_END.search(text) is not None, repeated)


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Whether these lines are one paragraph broken at a column, not a list, a poem or several paragraphs."""
    if len(lines) < 2:
        return False
    narrowest, widest = _WRAP_COLUMNS
    width = max(map(len, lines))
    # A program breaks a line only where the next word would not have fitted.
    filled = all(len(line) + 1 + len(following.split(" ", 1)[0]) >= width for line, following in pairwise(lines))
    ended = sum(SENTENCE_END.search(line) is not None for line in lines[:-1])
    return narrowest <= width <= widest and filled and ended <= (len(lines) - 1) / 2
