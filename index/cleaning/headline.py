"""Which line of a copied page is the headline of its story."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from index.cleaning.furniture import Furniture
from index.cleaning.lines import Line
from index.cleaning.masthead import is_desk, is_role, names_only
from index.dates import iso_moment

_WORDS = (3, 30)
# A headline this long needs no further proof; section names and slogans are shorter.
_LONG_WORDS = 8
_SUBHEADING_WORDS = 6
# Points for each line nearer to the byline than this.
_REACH, _POINTS_A_LINE = 6, 0.7
_POINTS_FOR_REPEAT = 4
_POINTS_ABOVE_MASTHEAD = 4
# Prose lines before a "byline" that show it belongs to the text or to its end, not to its head.
_PROSE_BEFORE_MASTHEAD = 3
_PROSE_WORDS = 12

_DATED = re.compile(r"(?:date\s+)?(?P<day>\d{4}-\d{2}-\d{2})\s*[|:–—-]?\s+(?P<title>\S.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline, its line number (-1 where a text has none), and a day that stood before it."""

    text: str = ""
    position: int = -1
    day: str | None = None


def find_headline(lines: Sequence[Line]) -> Headline:
    """The headline: above byline and date where there are any, else above the first paragraph."""
    dated = _DATED.fullmatch(lines[0].text)
    if dated and (day := iso_moment(dated["day"])):
        return Headline(dated["title"], 0, day)
    mastheads = masthead_positions(lines)
    if mastheads:
        limit = mastheads[-1]
    else:
        limit = next((at for at, line in enumerate(lines) if line.is_prose(_LONG_WORDS)), len(lines))
    candidates = [at for at in range(limit) if _may_be_headline(lines[at])]
    if not candidates:
        return Headline()
    repeats = Counter(line.text for line in lines[:limit])

    def score(at: int) -> tuple[float, int]:
        distance = min((abs(position - at) for position in mastheads or [limit]), default=0)
        above = _POINTS_ABOVE_MASTHEAD if not mastheads or at < mastheads[0] else 0
        return above + _score(lines[at], distance, repeats[lines[at].text]), -at

    best = max(candidates, key=score)
    # Of a headline and its subheading the first is the headline.
    while best - 1 in candidates and lines[best - 1].words >= _SUBHEADING_WORDS:
        best -= 1
    return Headline(lines[best].text, best)


def _score(line: Line, distance: int, repeats: int) -> float:
    near = max(0, _REACH - distance) * _POINTS_A_LINE
    return min(line.words, _LONG_WORDS) + near + (_POINTS_FOR_REPEAT if repeats > 1 else 0)


def _may_be_headline(line: Line) -> bool:
    low, high = _WORDS
    # "Sign up for our newsletter: how four blunt words saved a village shop" is a headline too.
    furniture = line.kind is not None and not (line.block == 0 and line.kind in _SPOKEN and line.words >= _LONG_WORDS)
    return (
        not furniture
        and not line.masthead
        and low <= line.words <= high
        and not line.text.endswith(".")
        and not line.text[0].islower()
        and names_only(line.text) is None
        and not is_role(line.text)
    )


_SPOKEN = (Furniture.PROMOTION, Furniture.SIGN_UP, Furniture.ENDING)


def masthead_positions(lines: Sequence[Line]) -> list[int]:
    """Where bylines and date lines stand that stand above the story, under a possible headline or on it."""
    positions: list[int] = []
    prose = 0
    for position, line in enumerate(lines):
        if (line.masthead or is_desk(line.text)) and (positions or any(map(_may_be_headline, lines[:position]))):
            positions.append(position)
        prose += line.is_prose(_PROSE_WORDS)
        if prose >= _PROSE_BEFORE_MASTHEAD or (positions and position - positions[-1] > _REACH):
            break
    return positions
