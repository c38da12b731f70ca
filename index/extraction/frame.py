"""Where on a page the story stands: which boxes hold it, and which boxes in its midst do not belong to it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from index.extraction.blocks import Block, Layout, letters_in
from index.extraction.furniture import apart_marks

HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
# Boxes inside a paragraph, list or table, which are never the frame of a story.
SMALL_BOXES = HEADINGS | frozenset("p li blockquote figure dd dt td th tr tbody thead table ul ol dl pre".split())

_WORD = re.compile(r"\w+")
# Shorter ones are labels, headings, captions and cells; they follow the paragraphs around them.
_PROSE_LETTERS = 50
# A text shorter than this found by trafilatura says little about where the story is.
_TELLING_FIND = 300
# What holds this share of the story is not set apart from it, whatever its name.
_STORY_SHARE, _PROSE_SHARE = 0.4, 0.6
# The frame holds this share of what was found: one stray teaser does not widen it to the whole page.
_FRAME_SHARE = 0.9
# A box counts as frame for its paragraphs, the one around it a little less, and so on out (Readability's idea).
_FADING, _FAINTEST = 1.6, 0.1
# A frame found by prose alone counts where it holds so many times what trafilatura found.
_RICHER = 2.0

# So many captions, with so much more text than the paragraphs: a gallery.
_GALLERY_CAPTIONS, _GALLERY_SHARE = 4, 1.5
CAPTION_MARKS = frozenset({"<figure>", "<figcaption>", "caption", "captions", "legend", "carousel", "slider"})

_TELLING_KEY = 12
# Characters that all searches of a page may pass over: a second or two.
_MOST_COMPARISONS = 4_000_000_000

Kind = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a paragraph besides its markup.

    `baseline` are the paragraphs that trafilatura found, `bodies` the texts of the article in the
    page's linked data.
    """

    baseline: Sequence[str] = ()
    bodies: Sequence[str] = ()
    title: str = ""
    summary: str = ""
    authors: Sequence[str] = ()


def key_of(text: str) -> str:
    """The letters and digits of a text, for comparing what differs in case, spaces and punctuation."""
    return "".join(_WORD.findall(text.casefold()))


def prose_in(block: Block) -> float:
    """How much running text a block holds, in letters; 0 where it is a label, a heading or mostly links."""
    if block.tag in HEADINGS or block.link_share > 0.5:
        return 0.0
    letters = letters_in(block.text)
    return letters * (1 - block.link_share) if letters >= _PROSE_LETTERS else 0.0


class Page:
    """A page with what speaks for and against each of its blocks; every list has one entry a block."""

    def __init__(self, layout: Layout, evidence: Evidence) -> None:
        self.layout, self.evidence = layout, evidence
        self.blocks, self.boxes = layout.blocks, layout.boxes
        self.keys = [key_of(block.text) for block in self.blocks]
        self.prose = [prose_in(block) for block in self.blocks]
        self.found = _matches(self.keys, evidence.baseline)
        self.stated = _matches(self.keys, evidence.bodies)

    def sums(self, values: Iterable[float]) -> list[float]:
        """What each box holds of what its blocks are worth."""
        sums = [0.0] * len(self.boxes)
        for block, value in zip(self.blocks, values, strict=True):
            sums[block.box] += value
        for number in range(len(self.boxes) - 1, 0, -1):  # a box has a higher number than the one around it
            sums[self.boxes[number].parent] += sums[number]
        return sums

    @cached_property
    def found_prose(self) -> list[float]:
        """The prose of the blocks that trafilatura found."""
        return [prose if found else 0.0 for prose, found in zip(self.prose, self.found, strict=True)]

    @cached_property
    def apart(self) -> list[frozenset[str]]:
        """Why each box is set apart from the story, by itself or with a box around it; empty where it is not.

        What holds most of the story is not set apart from it, whatever its name ("author-ora-finch" for a
        whole article), nor is its namesake, nor are boxes of one name that together hold most of it (each
        paragraph a "paywall").
        """
        worth, most = self.prose, _PROSE_SHARE * sum(self.prose)
        if sum(self.found_prose) >= _TELLING_FIND:
            worth, most = self.found_prose, _STORY_SHARE * sum(self.found_prose)
        held = self.sums(worth)
        holding = {(box.tag, box.name) for number, box in enumerate(self.boxes) if held[number] >= most > 0}
        own = [
            apart_marks(box) if box.depth > 1 and (box.tag, box.name) not in holding else frozenset[str]()
            for box in self.boxes
        ]
        held_by_name: defaultdict[str, float] = defaultdict(float)
        marks = _inherited(self, own)
        for block, letters in zip(self.blocks, worth, strict=True):
            for mark in marks[block.box]:
                held_by_name[mark] += letters
        telling = frozenset(mark for mark, letters in held_by_name.items() if not letters >= most > 0)
        return _inherited(self, [named & telling for named in own])

    @cached_property
    def gallery(self) -> bool:
        """Whether most of the running text stands in captions of pictures, so that they are the story."""
        captions = [
            prose
            for block, prose in zip(self.blocks, self.prose, strict=True)
            if prose and self.apart[block.box] and self.apart[block.box] <= CAPTION_MARKS
        ]
        return len(captions) >= _GALLERY_CAPTIONS and sum(captions) > _GALLERY_SHARE * sum(self.clean)

    @cached_property
    def clean(self) -> list[float]:
        """The prose of the blocks that are not set apart."""
        return [0.0 if self.apart[block.box] else prose for block, prose in zip(self.blocks, self.prose, strict=True)]

    @cached_property
    def frame(self) -> int:
        """The innermost box around the story."""
        clean = self.sums(self.clean)
        found = self.sums(worth if ok else 0.0 for worth, ok in zip(self.clean, self.found, strict=True))
        frame = 0
        for number, box in enumerate(self.boxes):
            if box.parent == frame and box.tag not in SMALL_BOXES and found[number] >= _FRAME_SHARE * found[0] > 0:
                frame = number
        densest = self._densest()
        if clean[densest] > _RICHER * max(found[0], clean[frame] if found[0] else 0.0):
            return densest
        return frame

    def _densest(self) -> int:
        scores = [0.0] * len(self.boxes)
        for block, worth in zip(self.blocks, self.clean, strict=True):
            share = 1.0
            for number in self.layout.around(block.box) if worth else ():
                if self.boxes[number].tag not in SMALL_BOXES:
                    scores[number] += worth * share
                    share /= _FADING
                    if share < _FAINTEST:
                        break
        return max(range(len(self.boxes)), key=scores.__getitem__, default=0)

    @cached_property
    def trusted(self) -> bool:
        """Whether what trafilatura found is most of what the frame holds, so that its choice counts."""
        within = self.sums(self.clean)[self.frame]
        found = sum(worth for worth, ok in zip(self.clean, self.found, strict=True) if ok)
        return found >= _TELLING_FIND and found * _RICHER >= within

    def holder(self, box: int) -> int:
        """The box that holds the paragraph or list that `box` is or is in."""
        return next((number for number in self.layout.around(box) if self.boxes[number].tag not in SMALL_BOXES), 0)

    def kind(self, block: Block) -> Kind:
        """What the markup of a block looks like: paragraphs of a story look alike, teasers look different."""
        holder = self.boxes[self.holder(block.box)]
        around = self.boxes[holder.parent].name if not holder.name and holder.parent >= 0 else ""
        return "p" if block.tag in ("p", "blockquote", "li") else block.tag, holder.name, around

    @cached_property
    def story_kinds(self) -> Counter[Kind]:
        """The kinds of the paragraphs found, with the prose of each."""
        kinds: Counter[Kind] = Counter()
        for block, worth, ok in zip(self.blocks, self.clean, self.found, strict=True):
            if worth and ok:
                kinds[self.kind(block)] += round(worth)
        return kinds

    @cached_property
    def story_holders(self) -> Counter[int]:
        """The boxes that hold found paragraphs, and how many."""
        return Counter(
            self.holder(block.box)
            for block, ok in zip(self.blocks, self.found, strict=True)
            if ok and not self.apart[block.box]
        )


def _inherited(page: Page, own: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    marks: list[frozenset[str]] = []
    for box, named in zip(page.boxes, own, strict=True):
        above = marks[box.parent] if box.parent >= 0 else frozenset[str]()
        marks.append(above | named if named else above)
    return marks


def _matches(keys: Sequence[str], texts: Iterable[str]) -> list[bool]:
    """Which blocks are in one of the texts, whole."""
    whole = {key_of(text) for text in texts}
    joined = "\n".join(whole)
    budget = _MOST_COMPARISONS // max(1, len(joined))
    return [
        bool(key) and (key in whole or (number < budget and len(key) >= _TELLING_KEY and key in joined))
        for number, key in enumerate(keys)
    ]
