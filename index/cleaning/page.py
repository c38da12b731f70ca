"""Telling the story from the page around it.

Real corpora hold pages copied whole: navigation, credits, byline, dates, the story, then corrections,
teasers of other stories, comments, small print. No markup is left, only lines. The rules use what
all such pages share: the shape of lines (`furniture`), their order (headline, masthead, story,
endings) and repetition. A text with too little furniture to be such a page keeps every line of its
story: losing a paragraph is worse than keeping a caption.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from index.article import headline_of, tidy
from index.cleaning.furniture import EVIDENCE, INSERTS, STORY_VALUES, Furniture
from index.cleaning.headline import Headline, find_headline, masthead_positions
from index.cleaning.lines import Line, lines_of
from index.cleaning.masthead import Masthead, is_desk, is_role, merged, names_only

# Furniture that adds up to this proves a copied page: one copyright line and a "Most read", say, but
# not the two headings "Most read" and "Comments" that a story about a newspaper may have.
_PAGE_EVIDENCE = 5
_PROSE_WORDS = 8
# A line of the story is worth one point for this many words, up to a cap; unfinished lines between
# paragraphs cost a little, so that a story does not end with the headline of something else.
_WORDS_A_POINT, _MOST_POINTS = 8, 4.0
_UNFINISHED_VALUE = -0.25
# A caption or a teaser's headline: longer than a cross-head and without a full stop.
_CAPTION_WORDS = 10
# Boxes (newsletter forms, lists of links) are small groups of lines without blank lines in between.
_BOX_LINES = (2, 6)
_BOX_SENTENCE_WORDS = 15
_LINES_BELOW = 8

_BIOGRAPHY = re.compile(
    r"\b(?:is|was|covers|writes|reports|joined|has (?:covered|been|written)|can be reached|ist|est)\b"
    r"|@|\bReach (?:him|her|them)\b"
)
_AGENCY_LINE = re.compile(
    r"^[—–-]+\s?\S|^\(?(?:with files from|additional reporting|reporting by|avec )", re.IGNORECASE
)
_LIST_ITEM = re.compile(r"^(?:[\d•*–—-]|['\"“‘«„])")
_COPYRIGHT = re.compile(r"©|\(c\) ?\d{4}|\ball rights reserved\b", re.IGNORECASE)
_COPYRIGHT_WORDS = 15
_QUOTES = "\"'“”‘’«»„ "


@dataclass(frozen=True, slots=True)
class CleanedPage:
    """The story of a page and what its masthead says; unknown is None or empty."""

    title: str
    text: str
    published: str | None = None
    updated: str | None = None
    authors: tuple[str, ...] = ()
    source: str | None = None


def clean_page(text: str) -> CleanedPage:
    """The story in `text`, with title, author, publisher and times where the page states them."""
    lines = lines_of(tidy(text))
    if not lines:
        return CleanedPage(title="", text="")
    page = sum(EVIDENCE[line.kind] for line in lines if line.kind is not None) >= _PAGE_EVIDENCE
    headline = find_headline(lines)
    start, masthead = _story_start(lines, headline, page=page)
    story, below = lines[start:], lines[start:][:0]
    if page:
        end = _story_end(story, masthead.authors)
        story, below = _without_inserts(story[:end], headline.text), story[end:]
    while len(story) > 1 and _COPYRIGHT.search(story[-1].text) and story[-1].words <= _COPYRIGHT_WORDS:
        story = story[:-1]
    masthead = merged(masthead, _times_below(below))
    body = _joined(story) or _joined(lines)  # nothing but furniture: keep what there is
    return CleanedPage(
        title=headline.text or headline_of(body),
        text=body,
        published=_best_moment(headline.day, masthead.published),
        updated=masthead.updated,
        authors=masthead.authors,
        source=masthead.source,
    )


def _story_start(lines: Sequence[Line], headline: Headline, *, page: bool) -> tuple[int, Masthead]:
    """Where the story begins, and what the lines between headline and story say."""
    after = headline.position + 1
    masthead = Masthead()
    begins = position = after
    # Between headline and masthead of a page stands a summary at most, not the story.
    above = [at for at in masthead_positions(lines) if at > after] if page else []
    summary_ends = above[-1] if above else after
    while position < len(lines):
        line = lines[position]
        if position >= summary_ends and line.is_prose(_PROSE_WORDS) and not _in_box(lines, position):
            break
        if line.masthead:
            masthead = merged(masthead, line.masthead)
        elif _beside_masthead(lines, position) and (named := names_only(line.text)):
            masthead = merged(masthead, named)
        elif not (page or is_role(line.text) or is_desk(line.text) or line.text == headline.text):
            break
        position += 1
        begins = position
    if begins >= len(lines):  # nothing but furniture: keep what there is
        begins = after if after < len(lines) else 0
    return begins, masthead


def _beside_masthead(lines: Sequence[Line], position: int) -> bool:
    """Whether a line of names is a byline: a date stands below it, or "By" alone above it."""
    below = lines[position + 1].masthead if position + 1 < len(lines) else Masthead()
    above = lines[position - 1].text.rstrip(":").lower() if position else ""
    return bool(below.published or below.updated) or above in ("by", "par", "von")


def _story_end(story: Sequence[Line], authors: Sequence[str]) -> int:
    """Where the rest of the page begins.

    Maximum subsequence segmentation (Pasternack and Roth, WWW 2009) with a fixed beginning: every
    line has a value, the story ends where the running total is highest. So one advert or one list of
    related stories in its midst does not end a story, and one good sentence in a teaser does not
    prolong it.
    """
    totals = list(accumulate(_story_value(line) for line in story))
    end = totals.index(max(totals)) + 1
    while end < len(story) and _AGENCY_LINE.match(story[end].text):
        end += 1
    while end > 1 and _is_biography(story[end - 1], authors):
        end -= 1
    return end


def _story_value(line: Line) -> float:
    if line.kind is not None:
        return STORY_VALUES[line.kind]
    if line.sentence and not line.repeated:
        return min(line.words / _WORDS_A_POINT, _MOST_POINTS)
    return _UNFINISHED_VALUE


def _is_biography(line: Line, authors: Sequence[str]) -> bool:
    """Whether a line says who the author is rather than what happened."""
    names = [part for name in authors for part in (name, name.split()[-1])]
    if line.text.casefold() in (name.casefold() for name in authors):
        return True
    return any(line.text.startswith(name) for name in names) and _BIOGRAPHY.search(line.text) is not None


def _without_inserts(story: Sequence[Line], title: str) -> list[Line]:
    """The story without the adverts, promotions, captions and pull quotes in its midst."""
    return [
        line for position, line in enumerate(story)
        if not (
            line.kind in INSERTS
            or line.text == title
            or line.masthead.published
            or line.masthead.updated
            or not re.search(r"\w", line.text)
            or _in_box(story, position)
            or _is_caption(line)
            or _is_pull_quote(line, story)
            or _is_promoted_headline(story, position)
        )
    ]  # fmt: skip


def _in_box(lines: Sequence[Line], position: int) -> bool:
    """Whether a line stands in a small group of lines that an advert, form or list of links opens."""
    line = lines[position]
    box = [
        other
        for other in lines[max(0, position - _BOX_LINES[1]) : position + _BOX_LINES[1] + 1]
        if other.block == line.block
    ]
    return (
        _BOX_LINES[0] <= len(box) <= _BOX_LINES[1]
        and any(other.kind in INSERTS for other in box)
        and not any(other.is_prose(_BOX_SENTENCE_WORDS) for other in box)
    )


def _is_caption(line: Line) -> bool:
    story = _LIST_ITEM.match(line.text) or _AGENCY_LINE.match(line.text)
    return line.plain and not line.sentence and line.words >= _CAPTION_WORDS and not story


def _is_pull_quote(line: Line, story: Sequence[Line]) -> bool:
    bare = line.text.strip(_QUOTES)
    return line.words >= _PROSE_WORDS and any(
        bare in other.text and len(other.text) > len(line.text) for other in story if other is not line
    )


def _is_promoted_headline(story: Sequence[Line], position: int) -> bool:
    """Whether a line is the other story's headline under "On the same subject"."""
    before = story[position - 1] if position else None
    line = story[position]
    return (
        before is not None
        and before.kind in (Furniture.PROMOTION, Furniture.ENDING)
        and ":" not in before.text
        and line.plain
        and not line.sentence
    )


def _times_below(lines: Sequence[Line]) -> Masthead:
    """Times that a page states under the story, before the teasers begin."""
    found = Masthead()
    for line in lines[:_LINES_BELOW]:
        found = merged(found, Masthead(published=line.masthead.published, updated=line.masthead.updated))
    return found


def _best_moment(day: str | None, moment: str | None) -> str | None:
    """The time of day is worth more than the bare day, where they agree or only one is known."""
    return day if day and moment and moment[:10] != day else moment or day


def _joined(story: Sequence[Line]) -> str:
    """Paragraphs with a blank line between; short lines that stood together (verse, lists) stay together."""
    text = ""
    for position, line in enumerate(story):
        if position:
            before = story[position - 1]
            together = before.block == line.block and not (before.is_prose(_PROSE_WORDS) or line.is_prose(_PROSE_WORDS))
            text += "\n" if together else "\n\n"
        text += line.text
    return text
