"""Which blocks of a page are the story.

Trafilatura's choice is the starting point. The page's linked data confirms or adds paragraphs, the
names of boxes and the look of links take away what is no story, and what trafilatura missed comes
back where it looks like the paragraphs around it.
"""

from dataclasses import dataclass
from functools import cached_property

from index.extraction import phrases
from index.extraction.blocks import Block, Layout, letters_in
from index.extraction.frame import CAPTION_MARKS, HEADINGS, SMALL_BOXES, Evidence, Page, key_of
from index.extraction.furniture import is_furniture, is_masthead, leads_elsewhere
from index.extraction.liveblog import entries_of, is_time_line
from index.extraction.phrases import compiled
from index.extraction.standfirst import find_standfirst

# A teaser of another story is at most this long, and at least this much of it is link.
_CARD_LETTERS, _CARD_LINK_SHARE = 600, 0.25
# A paragraph that says something about itself only ("paywall", "ad" before it) is story all the same if
# it is this long and stands among paragraphs of the story.
_SURE_LETTERS = 100
_PASSING_MARKS = frozenset(
    {"ad", "ads", "dfp", "hidden", "paywall", "piano", "print", "share", "social", "sponsor", "subscribe"}
)
_QUOTED_MARKS = frozenset({"<figure>", "social"})
_SHORT_KINDS = HEADINGS - {"h1"} | {"p", "div", "li", "tr", "blockquote"}
# A label above the first paragraph ("Politics", "Opinion") is shorter.
_LABEL_LENGTH = 25
_REPEAT_LETTERS = 200
# Boxes that go on with a story beside its frame have a common box with it at most so far out.
_NEAR = 4
_MORE_LINK_THAN_TEXT = 0.5
_UPDATED = compiled(phrases.UPDATED)


@dataclass(frozen=True, slots=True)
class Story:
    """The blocks of a story in their order, and what it was found to be."""

    blocks: tuple[Block, ...]
    live: bool = False
    gallery: bool = False


def find_story(layout: Layout, evidence: Evidence, *, live: bool = False) -> Story:
    """The story of a page; without blocks where there is none. `live` is whether the page says it is a live report."""
    page = Page(layout, evidence)
    if not page.blocks:
        return Story(())
    choice = _Choice(page, entries_of(page, stated=live))
    numbers = choice.numbers()
    return Story(tuple(page.blocks[number] for number in numbers), bool(choice.entries), page.gallery)


class _Choice:
    """The blocks of one page, each judged with what is known of all the others."""

    def __init__(self, page: Page, entries: frozenset[int]) -> None:
        self.page = page
        self.entries = entries
        self.title = key_of(page.evidence.title)

    def numbers(self) -> list[int]:
        """The numbers of the blocks that are the story."""
        page = self.page
        kept = [number for number in range(len(page.blocks)) if self._belongs(number)]
        kept = self._to_last(self._without_repeats(self._from_first(kept)))
        while kept and page.blocks[kept[-1]].tag in HEADINGS:
            kept.pop()
        if kept and not self.entries and (standfirst := find_standfirst(page, kept[0])) is not None:
            kept.insert(0, standfirst)
        return kept

    def _belongs(self, number: int) -> bool:
        page = self.page
        block = page.blocks[number]
        if not page.keys[number] or not (self.inside[block.box] or self._goes_on(number)):
            return False
        if page.stated[number] and page.prose[number]:
            return True
        if self.entries and self._in_entry(block) and (is_time_line(block.text) or block.tag in HEADINGS):
            return True
        if self._is_apart(number) or self.cards[block.box] or block.tag == "h1" or page.keys[number] == self.title:
            return False
        return not is_furniture(block) and (page.found[number] or self._is_like_the_story(number))

    def _is_like_the_story(self, number: int) -> bool:
        """Whether a block that trafilatura left out looks like those that it took."""
        page = self.page
        block = page.blocks[number]
        if self._in_article_of_its_own(block):
            return False
        if not page.trusted:
            return bool(page.clean[number]) or (block.link_share < _MORE_LINK_THAN_TEXT and block.tag in _SHORT_KINDS)
        if self._is_embedded(block) or (page.gallery and page.apart[block.box] & CAPTION_MARKS):
            return True
        if self.entries and self._in_entry(block):
            return bool(page.clean[number])
        if page.clean[number]:
            return page.story_kinds[page.kind(block)] > 0
        among = page.story_holders[page.holder(block.box)]
        return among > 1 and block.link_share < _MORE_LINK_THAN_TEXT and block.tag in _SHORT_KINDS

    @cached_property
    def inside(self) -> list[bool]:
        """Which boxes are in the frame."""
        inside: list[bool] = []
        for number, box in enumerate(self.page.boxes):
            inside.append(number == self.frame or (box.parent >= 0 and inside[box.parent]))
        return inside

    @cached_property
    def frame(self) -> int:
        """The frame of the story; in a live report the box around all its entries."""
        frame = self.page.frame
        if not self.entries:
            return frame
        around = set(self.page.layout.around(self.page.boxes[next(iter(self.entries))].parent))
        return next((number for number in self.page.layout.around(frame) if number in around), frame)

    @cached_property
    def cards(self) -> list[bool]:
        """Which boxes are teasers of other stories: a link with a few words around it."""
        page = self.page
        text = page.sums(letters_in(block.text) for block in page.blocks)
        linked = page.sums(float(block.linked) for block in page.blocks)
        leads = page.sums(float(leads_elsewhere(block)) for block in page.blocks)
        stated = page.sums(map(float, page.stated))
        found = page.sums(float(worth > 0) for worth in page.found_prose)
        cards: list[bool] = []
        for number, box in enumerate(page.boxes):
            card = (
                self.inside[number]
                and number != self.frame
                and box.tag not in SMALL_BOXES
                and leads[number] > 0
                and text[number] < _CARD_LETTERS
                and linked[number] >= _CARD_LINK_SHARE * text[number]
                and not stated[number]
                and found[number] <= 1
            )
            cards.append(card or (box.parent >= 0 and cards[box.parent]))
        return cards

    def _goes_on(self, number: int) -> bool:
        """Whether a block outside the frame goes on with the story: its box has the name of the story's own
        boxes, is near one of them and in the same article.
        """
        page = self.page
        holder = page.holder(page.blocks[number].box)
        box = page.boxes[holder]
        if not page.clean[number] or not box.name:
            return False
        near = list(page.layout.around(holder))[:_NEAR]
        for other in page.story_holders:
            if (page.boxes[other].name, page.boxes[other].tag) != (box.name, box.tag):
                continue
            common = next((around for around in page.layout.around(other) if around in near), None)
            if common is not None and all(page.boxes[n].tag != "article" for n in near[: near.index(common)]):
                return True
        return False

    def _is_apart(self, number: int) -> bool:
        page = self.page
        block = page.blocks[number]
        marks = page.apart[block.box]
        if not marks or (page.gallery and marks <= CAPTION_MARKS):
            return False
        box = page.boxes[block.box]
        if box.tag == "p" and not page.apart[box.parent] and marks <= _PASSING_MARKS:
            among = page.story_holders[page.holder(box.parent)] > 1
            return not (among and page.prose[number] >= _SURE_LETTERS)
        return not (marks <= _QUOTED_MARKS and self._is_embedded(block))

    def _is_embedded(self, block: Block) -> bool:
        """Whether a block is a quotation in the midst of the story, such as a post of a social network."""
        page = self.page
        quote = next((n for n in page.layout.around(block.box) if page.boxes[n].tag == "blockquote"), -1)
        if quote < 0 or block.tag == "figcaption":
            return False
        holder = page.holder(quote)
        return holder in page.story_holders or page.holder(page.boxes[holder].parent) in page.story_holders

    def _in_article_of_its_own(self, block: Block) -> bool:
        page = self.page
        around = (number for number in page.layout.around(block.box) if number > self.frame and self.inside[number])
        return not self.entries and any(page.boxes[number].tag == "article" for number in around)

    def _in_entry(self, block: Block) -> bool:
        return any(number in self.entries for number in self.page.layout.around(block.box))

    def _from_first(self, kept: list[int]) -> list[int]:
        """The blocks without labels, bylines and dates above the first paragraph."""
        page = self.page
        authors = page.evidence.authors
        first = next(
            (at for at, n in enumerate(kept) if page.clean[n] and not is_masthead(page.blocks[n].text, authors)), None
        )
        if first is None or self.entries:
            return kept
        holder = page.holder(page.blocks[kept[first]].box)
        above = [
            number
            for number in kept[:first]
            if (page.gallery or page.holder(page.blocks[number].box) == holder)
            and not is_masthead((block := page.blocks[number]).text, authors)
            and (len(block.text) >= _LABEL_LENGTH or block.tag in HEADINGS or block.tag == "li")
        ]
        return above + kept[first:]

    def _to_last(self, kept: list[int]) -> list[int]:
        """The blocks without short ones below the last paragraph, unless they stand in its box."""
        page = self.page
        last = next((at for at in range(len(kept) - 1, -1, -1) if page.clean[kept[at]]), None)
        if last is None or self.entries:
            return kept
        holders = {page.holder(page.blocks[number].box) for number in kept if page.clean[number]}
        below = [
            number
            for number in kept[last + 1 :]
            if page.holder((block := page.blocks[number]).box) in holders and not _UPDATED.match(block.text)
        ]
        return kept[: last + 1] + below

    def _without_repeats(self, kept: list[int]) -> list[int]:
        """The blocks without a second copy of a long paragraph, or of the one just above."""
        keys = self.page.keys
        seen: set[str] = set()
        once: list[int] = []
        for number in kept:
            key = keys[number]
            if (len(key) >= _REPEAT_LETTERS and key in seen) or (once and keys[once[-1]] == key):
                continue
            seen.add(key)
            once.append(number)
        return once
