"""The tags of a web page that say something about the page, collected in one walk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# The richest of the 192 development pages has 203 such tags, 20 headings and 8 scripts of linked data,
# and its longest value 9,971 characters.
_MOST_TAGS = 1_000
_MOST_VALUES = 20
_LONGEST_VALUE = 10_000
_MOST_HEADINGS = 20
# The longest linked data there has 35,000 characters; those of a live blog hold all its posts.
_MOST_SCRIPTS = 200
_LONGEST_SCRIPTS = 4_000_000
_NAMES = ("property", "name", "itemprop", "http-equiv")
_TAGS = ("meta", "title", "h1", "link", "script", "base")
# What stands in these is not about this article, or is about its pictures.
_ELSEWHERE = frozenset({"footer", "nav", "svg", "figure", "figcaption"})


@dataclass(frozen=True, slots=True)
class PageTags:
    """What the head of a page, and its h1, say.

    `meta` maps lower-case names to their values in the page's order; `titles` are the texts of <title>,
    `headings` of <h1>; `scripts` are the unparsed scripts of linked data; `links` maps rel to href.
    """

    meta: Mapping[str, tuple[str, ...]]
    titles: tuple[str, ...]
    headings: tuple[str, ...]
    scripts: tuple[str, ...]
    links: Mapping[str, str]
    language: str | None

    def values(self, *names: str) -> Iterator[str]:
        """The values of the meta tags of these names, the first name's first."""
        for name in names:
            yield from self.meta.get(name, ())

    def value(self, *names: str) -> str | None:
        """The first of them."""
        return next(self.values(*names), None)


def read_tags(tree: "HtmlElement") -> PageTags:
    """The tags of a page; what goes beyond any honest page's number of them is passed over."""
    meta: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    titles: list[str] = []
    headings: list[str] = []
    scripts: list[str] = []
    room, tags = _LONGEST_SCRIPTS, 0
    for element in tree.iter(*_TAGS):
        tag = element.tag
        if tag == "script":
            text = _script(element)
            if text and len(text) <= room and len(scripts) < _MOST_SCRIPTS:
                scripts.append(text)
                room -= len(text)
            continue
        if tag == "h1":
            if len(headings) < _MOST_HEADINGS and (heading := line_of(element)):
                headings.append(heading)
            continue
        tags += 1
        if tags > _MOST_TAGS:
            continue
        if tag == "meta":
            _add_meta(meta, element)
        elif tag == "title":
            parent = element.getparent()
            if (parent is None or parent.tag not in _IMAGES) and (title := line_of(element)):
                titles.append(title)
        elif tag == "link" and (href := element.get("href")):
            for relation in (element.get("rel") or "").lower().split():
                links.setdefault(relation, href[:_LONGEST_VALUE].strip())
    return PageTags(
        {name: tuple(values) for name, values in meta.items()}, tuple(titles), tuple(headings), tuple(scripts), links,
        tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang"),
    )  # fmt: skip


# Pictures have titles too.
_IMAGES = frozenset({"svg", "symbol", "g", "path", "image"})


def line_of(element: "HtmlElement") -> str:
    """The text of an element on one line, without scripts; "" where it holds far more than a line."""
    if not len(element):
        return " ".join((element.text or "")[:_LONGEST_VALUE].split())
    if next(islice(element.iter(), _MOST_INNER, None), None) is not None:
        return ""
    silent = next(element.iter(*_SILENT), None) is not None
    pieces = element.xpath(_SHOWN_TEXT) if silent else element.itertext()
    return " ".join("".join(pieces)[:_LONGEST_VALUE].split())


_SILENT = ("script", "style", "noscript", "template")
# Of the development pages no headline has more than 7 elements in it and no byline more than 104.
_MOST_INNER = 200
_SHOWN_TEXT = f"descendant::text()[not({' or '.join(f'parent::{tag}' for tag in _SILENT)})]"


def is_elsewhere(element: "HtmlElement") -> bool:
    """Whether an element stands outside the article: in a footer, a navigation or a picture's caption."""
    return any(ancestor.tag in _ELSEWHERE for ancestor in element.iterancestors())


def is_aside(element: "HtmlElement") -> bool:
    """Whether an element stands beside the article; some publishers put byline and date there."""
    return next(element.iterancestors("aside"), None) is not None


def _script(element: "HtmlElement") -> str | None:
    kind = element.get("type")
    return element.text if kind and "ld+json" in kind[:100].lower() else None


def _add_meta(meta: dict[str, list[str]], element: "HtmlElement") -> None:
    content = element.get("content")
    if not content or not (content := " ".join(content[:_LONGEST_VALUE].split())):
        return
    for attribute in _NAMES:
        if name := element.get(attribute):
            values = meta.setdefault(name[:100].strip().lower(), [])
            if len(values) < _MOST_VALUES and content not in values:
                values.append(content)
            return
