"""Paragraphs out of a fragment of HTML or an NITF body, as records of news systems carry them.

A fragment holds nothing but the story, so nothing is looked for in it: its blocks become paragraphs.
Whole pages are for extraction to read.
"""

import re

# A tag that editors use, or the end of one: "a < b" and "<3" are no markup.
_MARKUP = re.compile(
    r"</?(?:p|br|div|span|a|b|i|strong|em|h[1-6]|hl2|ul|ol|li|blockquote|block|figure|img)\b[^<>]*>", re.I
)
_PAGE = re.compile(r"<(?:!doctype|html|head|body(?!\.)|article|main)\b", re.IGNORECASE)
# NITF (IPTC, News Industry Text Format) sets the story apart from headline and dateline.
_NITF_STORY = re.compile(r"<body\.content\b[^<>]*>(.*?)(?:</body\.content\s*>|\Z)", re.IGNORECASE | re.DOTALL)

_BLOCKS = frozenset(
    "address article aside block blockquote bq center dd div dl dt figure footer h1 h2 h3 h4 h5 h6 header hl2 hr li "
    "main nav note ol p pre section table tbody td tfoot th thead tr ul".split()
)
# What stands in these is not read as part of the story.
_UNREAD = frozenset(
    "button caption figcaption form iframe media media-caption noscript object script select style svg template".split()
)
_BREAKS = ("br", "hr")
# Where a block ends and where a line does, while text is collected.
_BLOCK, _LINE = "\0", "\1"
_NO_MARKS = {0: None, 1: None}


def has_markup(text: str) -> bool:
    """Whether a text is written in HTML."""
    return _MARKUP.search(text) is not None


def is_page(markup: str) -> bool:
    """Whether HTML is a whole page or a part of one, and no mere fragment of a story."""
    return _PAGE.search(markup) is not None and _NITF_STORY.search(markup) is None


def paragraphs_of(markup: str) -> str:
    """The text of a fragment, its paragraphs parted by blank lines.

    Raises SourceError where it has more markup than any article.
    """
    from lxml.etree import iterwalk

    from index.extraction.markup import decoded_page, parsed

    story = _NITF_STORY.search(markup)
    text = _Text()
    for event, element in iterwalk(parsed(decoded_page(f"<div>{story[1] if story else markup}")), ("start", "end")):
        if event == "start":
            text.open(element.tag)
            text.add(element.text)
        else:
            text.close(element.tag)
            text.add(element.tail)
    return text.paragraphs()


class _Text:
    """Collects text and breaks it at blocks."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._unread = 0

    def open(self, tag: str) -> None:
        """Goes into an element."""
        self._unread += tag in _UNREAD
        self._break(tag)

    def close(self, tag: str) -> None:
        """Comes out of an element."""
        self._unread -= tag in _UNREAD
        if tag not in _BREAKS:
            self._break(tag)

    def add(self, text: str | None) -> None:
        """Reads text."""
        if text and not self._unread:
            self._parts.append(text.translate(_NO_MARKS))

    def paragraphs(self) -> str:
        """What was read."""
        blocks = "".join(self._parts).split(_BLOCK)
        tidied = ("\n".join(filter(None, (" ".join(line.split()) for line in block.split(_LINE)))) for block in blocks)
        return "\n\n".join(filter(None, tidied))

    def _break(self, tag: str) -> None:
        if tag in _BREAKS:
            self._parts.append(_LINE)
        elif tag in _BLOCKS or tag in _UNREAD:
            self._parts.append(_BLOCK)
