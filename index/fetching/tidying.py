"""A feed made well-formed and modest by lxml, before feedparser reads it."""

import html
import re
from typing import Any

from index.errors import SourceError
from index.fetching.kinds import START_BYTES, root_element, text_encoding
from index.fetching.references import without_impossible

# Three hundred whole articles with their markup; each element costs feedparser forty microseconds.
_MAX_ELEMENTS = 100_000
_MAX_ERRORS = 2_000  # lxml takes a tenth of a millisecond for each
_MAX_ATTRIBUTES = 64  # of one element; feedparser's time grows with the square
_MAX_NAMESPACES = 200
# Of names, dates and ids, which feedparser searches with patterns that can take very long.
_MAX_SHORT_TEXT = 2_000
_LONG_ELEMENTS = frozenset("encoded content description summary body div p pre".split())
# Characters between two ends of tags. Where tags do not end, lxml's time grows with the square.
_MAX_GAP = 64 * 1024
_CHUNK_BYTES = 8 * 1024  # parsed between two looks at the limits

_DECLARED_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{0,31});)")
_NAMED_ENTITY = re.compile(r"&([A-Za-z]\w{0,31});")
_XML_ENTITIES = ("amp", "lt", "gt", "quot", "apos")
# Used without being declared often enough.
_USUAL_NAMESPACES = {
    "content": "http://purl.org/rss/1.0/modules/content/", "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/", "atom": "http://www.w3.org/2005/Atom",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0", "dcterms": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}  # fmt: skip


def tidied(data: bytes, charset: str | None = None) -> bytes:
    """The feed as well-formed XML without DOCTYPE, entities, and excess. Raises SourceError.

    `charset` is what the server declared.
    """
    from lxml import etree

    text = _NO_XML.sub("", _text(data, charset)).lstrip()
    name, begin = root_element(text[:START_BYTES])
    if not name:
        raise SourceError("a damaged feed")
    text = text[begin:]
    try:
        root = _parsed(text, recover=False)
    except etree.XMLSyntaxError:
        root = _parsed(_mended(text, name), recover=True)
    _trim(root)
    return bytes(etree.tostring(root, encoding="utf-8"))


def _text(data: bytes, charset: str | None) -> str:
    """`data` decoded: by its byte order mark, its XML declaration, the server's word, or as UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    declared = _DECLARED_ENCODING.match(data)
    encoding = text_encoding(declared[1].decode("ascii") if declared else "") or text_encoding(charset or "")
    return data.decode(encoding or "utf-8", "replace").removeprefix("\ufeff")


def _parsed(text: str, *, recover: bool) -> Any:
    from lxml import etree

    parser = etree.XMLPullParser(
        ("start", "start-ns"), recover=recover, resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    elements, namespaces = 0, 0
    data = text.encode("utf-8", "replace")
    for position in range(0, len(data), _CHUNK_BYTES):
        parser.feed(data[position : position + _CHUNK_BYTES])
        for event, _ in parser.read_events():
            elements += event == "start"
            namespaces += event == "start-ns"
        if elements > _MAX_ELEMENTS or namespaces > _MAX_NAMESPACES:
            raise SourceError("a feed with too much markup")
        if recover and len(parser.error_log) > _MAX_ERRORS:
            raise SourceError("a damaged feed")
    root = parser.close()
    if root is None:
        raise SourceError("a damaged feed")
    return root


def _mended(text: str, name: str) -> str:
    """Mends what feeds get wrong most: bare ampersands, entities of HTML, undeclared namespaces.

    Raises SourceError where tags do not end.
    """
    if max(map(len, text.split(">"))) > _MAX_GAP:
        raise SourceError("a damaged feed")
    text = _BARE_AMPERSAND.sub("&amp;", without_impossible(text))
    text = _NAMED_ENTITY.sub(lambda match: match[0] if match[1] in _XML_ENTITIES else _characters(match[0]), text)
    missing = "".join(
        f' xmlns:{prefix}="{uri}"'
        for prefix, uri in _USUAL_NAMESPACES.items()
        if f"<{prefix}:" in text and f"xmlns:{prefix}=" not in text
    )
    return f"<{name}{missing}{text[1 + len(name) :]}"


def _characters(entity: str) -> str:
    """An entity of HTML as character references; an unknown one as its own text."""
    found = html.unescape(entity)
    return "".join(f"&#{ord(character)};" for character in found) if found != entity else f"&amp;{entity[1:]}"


def _trim(root: Any) -> None:
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        if ":" in element.tag.rpartition("}")[2]:  # a prefix that nothing declares
            element.tag = element.tag.rpartition("}")[2].replace(":", "_")
        if len(element.attrib) > _MAX_ATTRIBUTES or any(":" in name.rpartition("}")[2] for name in element.attrib):
            element.attrib.clear()
        short = element.tag.rpartition("}")[2] not in _LONG_ELEMENTS
        if short and element.text and len(element.text) > _MAX_SHORT_TEXT:
            element.text = element.text[:_MAX_SHORT_TEXT]
