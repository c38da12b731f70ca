"""Linked data: what a page says in schema.org terms, as JSON-LD or as microdata."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from index.extraction.tags import line_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

Node = Mapping[str, Any]

# The deepest linked data of the development pages are 8 levels deep and the richest have 17 such nodes.
_DEEPEST = 20
_MOST_NODES = 2_000
_LONGEST_TEXT = 400_000
# A node hands these on to look into; a teaser, a comment or a video of an article is another thing.
_CONTAINERS = ("@graph", "mainEntity", "mainEntityOfPage", "subjectOf")
_VOCABULARY = re.compile(r"^(?:https?://(?:www\.)?schema\.org/|schema:)", re.IGNORECASE)

# The kinds of schema.org that are an article as a whole, the tellings first.
_STORIES = """
    NewsArticle ReportageNewsArticle AnalysisNewsArticle OpinionNewsArticle BackgroundNewsArticle ReviewNewsArticle
    AskPublicNewsArticle LiveBlogPosting AdvertiserContentArticle SatiricalArticle
""".split()
_OTHER_ARTICLES = """
    Article BlogPosting Report TechArticle ScholarlyArticle MedicalScholarlyArticle Review CriticReview
    SocialMediaPosting DiscussionForumPosting Interview PhotoGallery ImageGallery Recipe ClaimReview
""".split()
_PAGES = "WebPage ItemPage AboutPage CreativeWork VideoObject PodcastEpisode".split()
_RANKS = {kind: rank for rank, kinds in enumerate((_STORIES, _OTHER_ARTICLES, _PAGES)) for kind in kinds}
ARTICLE_RANK = 1


def linked_data(scripts: Iterable[str]) -> list[Node]:
    """The nodes that scripts of linked data describe at their top, in their graphs and as main entities.

    A reference by "@id" to another node is replaced by that node. What cannot be read is left out.
    """
    nodes: list[Node] = []
    for script in scripts:
        for value in parse_json(script):
            _collect(value, nodes, 0)
    named = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 1}
    return [_resolved(node, named) for node in nodes]


def kinds(node: Node) -> list[str]:
    """The types of a node, without the name of their vocabulary."""
    value = node.get("@type")
    values = value if isinstance(value, list) else [value]
    return [_VOCABULARY.sub("", kind.strip()[:100]) for kind in values if isinstance(kind, str) and kind.strip()]


def rank(node: Node) -> int | None:
    """0 for a news article, 1 for another article, 2 for a page, None for anything else."""
    return min((found for kind in kinds(node) if (found := _rank_of(kind)) is not None), default=None)


def _rank_of(kind: str) -> int | None:
    if kind in _RANKS:
        return _RANKS[kind]
    return ARTICLE_RANK if kind.endswith(("Article", "Posting")) and kind != "JobPosting" else None


def texts(value: Any, *, depth: int = 0) -> Iterator[str]:
    """The texts in a property's value: itself, those of a list, or an object's value or name."""
    if isinstance(value, str):
        if tidied := " ".join(plain(value[:_LONGEST_TEXT]).split()):
            yield tidied
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value[:_MOST_NODES]:
            yield from texts(item, depth=depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for key in ("@value", "name", "headline", "@id"):
            if value.get(key):
                yield from texts(value[key], depth=depth + 1)
                return


def text(node: Node, *properties: str) -> str | None:
    """The first text among these properties."""
    return next((found for name in properties for found in texts(node.get(name))), None)


def plain(value: str) -> str:
    """`value` without entities, doubly escaped ones too, and without tags."""
    if "&" in value:
        value = html.unescape(value)
        if "&" in value:
            value = html.unescape(value)
    return _TAG.sub(" ", value) if "<" in value else value


_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>|<!--.*?(?:-->|\Z)", re.DOTALL)


def parse_json(script: str) -> Iterator[Any]:
    """The values of a script of JSON, mended where publishers break it.

    Mended are comments, CDATA marks, closing commas, control characters, a final semicolon, text that
    was escaped for HTML, and several values in a row.
    """
    script = _unwrapped(script)
    try:
        yield json.loads(script, strict=False)
        return
    except (ValueError, RecursionError):
        pass
    if len(script) > _LONGEST_BROKEN:
        return
    if "&quot;" in script[:_HEAD] and '"' not in script[:_HEAD]:
        script = html.unescape(script)
    # What a template would escape in a string and JSON does not know: \' and \x26.
    script = _UNKNOWN_ESCAPE.sub(lambda match: match[1] or "", script)
    script = _LITTER.sub(lambda match: match[0] if match[0].startswith('"') else " ", script)
    yield from _values(script)


def _unwrapped(script: str) -> str:
    """`script` without what hides it from old browsers."""
    script = script[match.end() :] if (match := _OPENING_MARKS.match(script)) else script
    script = script.rstrip(_CLOSING_CHARACTERS)
    for _ in range(_MOST_MARKS):
        mark = next((mark for mark in _CLOSING_MARKS if script.endswith(mark)), None)
        if mark is None:
            break
        script = script[: -len(mark)].rstrip(_CLOSING_CHARACTERS)
    return script


_OPENING_MARKS = re.compile(r"(?:\s|//|/\*|\*/|<!\[CDATA\[|<!--|-->|\ufeff)*+(?=[\[{&])")
_CLOSING_MARKS = ("]]>", "//", "*/", "/*", "-->", "<!--")
_CLOSING_CHARACTERS = " \n\r\t;"
_MOST_MARKS = 8


def _values(script: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    at, values, failures = 0, 0, 0
    while values < _MOST_NODES and failures < _MOST_FAILURES and (opening := _OPENING.search(script, at)):
        try:
            value, at = decoder.raw_decode(script, opening.start())
        except (ValueError, RecursionError):
            failures += 1
            at = opening.end()
            continue
        values += 1
        yield value


# After each failure the reading goes on at the next brace, so that a part of a broken script is
# found; each failure reads at most the rest of the script.
_MOST_FAILURES = 8
_HEAD = 200
# To mend is slower than to read; no broken script of the development pages has 7,000 characters.
_LONGEST_BROKEN = 1_000_000
_UNKNOWN_ESCAPE = re.compile(r"(\\\\)|\\(?=[^\"\\/bfnrtu])")
# Strings stay as they are. What is never closed runs to the end, so that nothing is read twice.
_LITTER = re.compile(r'"(?:[^"\\]|\\(?:.|\Z))*+(?:"|\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*[}\]])', re.DOTALL)
_OPENING = re.compile(r"[\[{]")


def _collect(value: Any, nodes: list[Node], depth: int) -> None:
    if depth > _DEEPEST or len(nodes) >= _MOST_NODES:
        return
    if isinstance(value, list):
        for item in value:
            _collect(item, nodes, depth + 1)
    elif isinstance(value, dict):
        node = {_VOCABULARY.sub("", key): item for key, item in value.items()}
        if len(node) > ("@context" in node):
            nodes.append(node)
        for name in _CONTAINERS:
            if isinstance(node.get(name), (dict, list)):
                _collect(node[name], nodes, depth + 1)


def _resolved(node: Node, named: Mapping[str, Node]) -> Node:
    """`node` with the nodes that its author, creator and publisher refer to."""
    changed = {
        name: _referred(node[name], named) for name in ("author", "creator", "publisher", "isPartOf") if name in node
    }
    return {**node, **changed} if changed else node


def _referred(value: Any, named: Mapping[str, Node]) -> Any:
    if isinstance(value, list):
        return [_named(item, named) for item in value[:_MOST_NODES]]
    return _named(value, named)


def _named(value: Any, named: Mapping[str, Node]) -> Any:
    if isinstance(value, dict) and not value.get("name") and isinstance(value.get("@id"), str):
        return named.get(value["@id"], value)
    return value


def microdata(tree: "HtmlElement") -> list[Node]:
    """The articles that a page describes in microdata, in the shape of linked data.

    Only what belongs to an article itself counts: not a comment on it or the picture in it.
    """
    scopes = tree.xpath("(//*[@itemscope and (contains(@itemtype, 'Article') or contains(@itemtype, 'Posting'))])"
                        f"[position() <= {_MOST_ITEMS}]")  # fmt: skip
    return [_item(scope) for scope in scopes]


_MOST_ITEMS = 3
_MOST_PROPERTIES = 300
_WANTED = frozenset(
    "headline name author creator datePublished dateModified dateCreated publisher inLanguage articleSection "
    "description mainEntityOfPage url isAccessibleForFree alternativeHeadline".split()
)


def _item(scope: "HtmlElement") -> Node:
    node: dict[str, Any] = {"@type": (scope.get("itemtype") or "").rstrip("/").rpartition("/")[2]}
    marked = (element for element in islice(scope.iterdescendants("*"), _MOST_ELEMENTS) if element.get("itemprop"))
    for element in islice(marked, _MOST_PROPERTIES):
        if _owner(element) is scope:
            for name in (element.get("itemprop") or "").split()[:5]:
                if name in _WANTED:
                    node.setdefault(name, []).append(_property(element))
    return node


_MOST_ELEMENTS = 20_000
_MOST_INNER = 100


def _owner(element: "HtmlElement") -> "HtmlElement | None":
    return next((ancestor for ancestor in element.iterancestors() if ancestor.get("itemscope") is not None), None)


def _property(element: "HtmlElement") -> Any:
    if element.get("itemscope") is not None:
        inside = islice(element.iterdescendants("*"), _MOST_INNER)
        name = next((inner for inner in inside if inner.get("itemprop") == "name"), None)
        return {"name": (name.get("content") or line_of(name)) if name is not None else line_of(element)[:200]}
    return element.get("content") or element.get("datetime") or line_of(element)[:2_000] or element.get("href") or ""
