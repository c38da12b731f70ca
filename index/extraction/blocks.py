"""A page as the paragraphs that readers see, in order, each with what its markup says of it.

Extraction asks the same few things of every paragraph: which boxes is it in, what do their names say,
how much of it is link. So the tree is walked once, into plain values; lxml is not asked again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Elements that browsers show as blocks (HTML Standard, 15.3), and those that hold nothing to read.
_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hgroup hr html li main nav ol p pre search section summary table tbody td tfoot th "
    "thead tr ul caption legend".split()
)
_UNREAD = frozenset(
    "script style noscript template svg math canvas iframe object embed audio video head title meta link select option "
    "button input textarea label map area picture source track img progress meter datalist frameset noframes "
    "amp-ad amp-analytics amp-iframe amp-consent amp-sidebar amp-social-share amp-embed rp rt".split()
)
# Inline elements that show only when a reader points at a word, or only to those who listen.
_CARRIERS = frozenset(("span", "a"))
_UNSEEN_NAME = re.compile(
    r"(?:^|[\s_-])(?:rollover|tooltip|popover|sr-only|visually-?hidden|screen-?reader)", re.IGNORECASE
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_NAME_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
# Names are read from these; a page builder's attribute can be long.
_NAMED_BY = ("class", "id", "role", "itemprop", "data-testid", "data-component", "data-type", "data-module")
_LONGEST_NAME = 300


_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# A character of Chinese, Japanese or Korean says as much as two or three letters.
_EAST_ASIAN_LETTERS = 2.5


def letters_in(text: str) -> float:
    """The length of a text in letters of an alphabet."""
    return len(text) + (0 if text.isascii() else (_EAST_ASIAN_LETTERS - 1) * len(_EAST_ASIAN.findall(text)))


@dataclass(frozen=True, slots=True)
class Box:
    """A block-level element: its place, the words its names consist of, and whether it is hidden.

    `parent` is the number of the box around it, -1 for the outermost.
    """

    parent: int
    tag: str
    words: frozenset[str]
    name: str
    hidden: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, caption or table cell. `linked` counts characters inside links."""

    text: str
    box: int
    tag: str
    linked: int

    @property
    def link_share(self) -> float:
        """How much of the text is link, 0 to 1."""
        return min(1.0, self.linked / max(1, len(self.text)))


@dataclass(slots=True)
class Layout:
    """The boxes of a page, its blocks in the order of reading, and whether it asks for a password."""

    boxes: list[Box] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    password: bool = False

    def around(self, box: int) -> Iterator[int]:
        """`box` and the boxes around it, from the inside out."""
        while box >= 0:
            yield box
            box = self.boxes[box].parent


def layout_of(tree: "HtmlElement") -> Layout:
    """The boxes and blocks of a page."""
    from lxml.etree import iterwalk

    layout = Layout()
    run = _Run(layout)
    walk = iterwalk(tree, events=("start", "end"))
    unread: HtmlElement | None = None
    opened: list[HtmlElement] = []
    for event, element in walk:
        tag = element.tag
        if event == "start":
            if tag in _UNREAD or (tag in _CARRIERS and _UNSEEN_NAME.search(element.get("class", ""))):
                walk.skip_subtree()
                layout.password = layout.password or (tag == "input" and element.get("type") == "password")
                unread = element
                continue
            if tag in _BLOCKS or ("-" in tag and not run.in_paragraph()):
                opened.append(element)
                run.open(element)
            elif tag == "a":
                run.links += 1
            elif tag == "br":
                run.pieces.append("\n")
            run.add(element.text, preformatted=tag == "pre")
            continue
        if element is unread:
            unread = None
        elif opened and element is opened[-1]:
            opened.pop()
            run.close()
        elif tag == "a":
            run.links -= 1
        run.add(element.tail)
    run.flush()
    layout.blocks = list(_rows(layout))
    return layout


def _rows(layout: Layout) -> Iterator[Block]:
    """The blocks, with the cells of a table's row as one."""
    cells: list[Block] = []
    row = -1
    for block in layout.blocks:
        around = layout.boxes[block.box].parent if block.tag in _CELLS else -1
        if around != row:
            yield from _row(cells, row)
            cells, row = [], around
        if around >= 0:
            cells.append(block)
        else:
            yield block
    yield from _row(cells, row)


def _row(cells: list[Block], row: int) -> list[Block]:
    """The cells of a row as one block, unless the table only arranges the page: then they hold paragraphs."""
    arranged = len({cell.box for cell in cells}) < len(cells) or any(len(cell.text) > _LONGEST_CELL for cell in cells)
    if len(cells) < _LEAST_CELLS or arranged:
        return cells
    text = " | ".join(cell.text.replace("\n", " ") for cell in cells)
    return [Block(text, row, "tr", sum(cell.linked for cell in cells))]


_LEAST_CELLS, _LONGEST_CELL = 2, 200
_CELLS = frozenset(("td", "th"))


_PARAGRAPHS = frozenset("p li h1 h2 h3 h4 h5 h6 blockquote td th dd dt figcaption".split())


class _Run:
    """The inline text since the last edge of a box."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.box = -1
        self.pieces: list[str] = []
        self.linked = self.links = 0

    def open(self, element: "HtmlElement") -> None:
        self.flush()
        boxes = self.layout.boxes
        depth = boxes[self.box].depth + 1 if self.box >= 0 else 0
        names = element.attrib
        named = " ".join(names[key][:_LONGEST_NAME] for key in _NAMED_BY if key in names) if names else ""
        hidden = bool(names) and (
            "hidden" in names
            or names.get("aria-hidden") == "true"
            or ("style" in names and _HIDDEN_STYLE.search(names["style"]) is not None)
        )
        boxes.append(Box(self.box, element.tag, name_words(named), named, hidden, depth))
        self.box = len(boxes) - 1

    def in_paragraph(self) -> bool:
        """Whether an element of a page's own making stands in running text, so that it is inline."""
        return self.box >= 0 and self.layout.boxes[self.box].tag in _PARAGRAPHS

    def close(self) -> None:
        self.flush()
        self.box = self.layout.boxes[self.box].parent if self.box >= 0 else -1

    def add(self, text: str | None, *, preformatted: bool = False) -> None:
        if not text:
            return
        if text.isspace() and not preformatted:  # most of what stands between tags
            if self.pieces:
                self.pieces.append(" ")
            return
        piece = text if preformatted else _SPACE.sub(" ", text)
        self.pieces.append(piece)
        if self.links > 0:
            self.linked += len(piece.strip())

    def flush(self) -> None:
        if not self.pieces:
            return
        whole = "".join(self.pieces)
        self.pieces.clear()
        linked, self.linked = self.linked, 0
        if self.box < 0 or not whole.strip():
            return
        tag = self.layout.boxes[self.box].tag
        parts = _PARAGRAPH_BREAK.split(whole)
        for part in parts:
            lines = (" ".join(line.split()) for line in part.split("\n"))
            if text := "\n".join(line for line in lines if line):
                # Of several paragraphs between line breaks each gets its share of the links.
                share = len(part) / len(whole) if len(parts) > 1 else 1.0
                self.layout.blocks.append(Block(text, self.box, tag, round(linked * share)))


@lru_cache(maxsize=8192)
def name_words(name: str) -> frozenset[str]:
    """The words in class names and the like: "articleBody related-links_v2" gives article, body, related, links, v."""
    return frozenset(part.lower() for part in _NAME_PARTS.findall(name))
