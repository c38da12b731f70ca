"""What came back, by looking at it: a page, a feed, a sitemap, or none of these."""

import codecs
import json
import re
from typing import Literal

from index.errors import SourceError

Kind = Literal["html", "text", "json", "feed", "json feed", "sitemap", "list of urls"]

START_BYTES = 64 * 1024
"""How much of a response is looked at; what stands before the first element is far shorter."""
GZIP = b"\x1f\x8b"

# Codecs of Python's that are no encodings of documents; some cannot replace what they cannot decode.
_NO_ENCODINGS = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "mbcs", "oem")
_NAME = re.compile(r"[A-Za-z_][\w.:-]*")
_SPACE = re.compile(r"\s*")
_SUBSET_END = re.compile(r"\]\s*>")
_JSON_FEED = re.compile(r'"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/')
_ADDRESS_LINE = re.compile(r"https?://\S+")
_FEED_ROOTS = ("rss", "feed", "rdf")
_SITEMAP_ROOTS = ("urlset", "sitemapindex")
_PAGE_ROOTS = frozenset("html head body title meta link script style div p article main section h1 header svg".split())
_NO_PAGES = (
    "image/", "audio/", "video/", "font/", "model/", "application/pdf", "application/zip", "application/msword",
    "application/vnd.", "application/epub", "application/javascript", "text/javascript", "text/css", "text/calendar",
)  # fmt: skip
# First bytes of what servers send under a wrong or no type; text formats never begin so.
_BINARY = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x7fELF", b"RIFF", b"\x00\x00\x00")


def refuse_type(content_type: str) -> None:
    """Raises SourceError when a media type says already that this is no page."""
    if content_type.startswith(_NO_PAGES) and not content_type.startswith(("image/svg", "application/vnd.rss")):
        raise SourceError(f"not a page ({content_type})")


def kind_of(start: bytes, content_type: str) -> Kind:
    """The kind of a response by its first bytes, unpacked, and its media type.

    Raises SourceError when it is nothing that Dateline reads.
    """
    if not start.strip():
        raise SourceError("empty")
    if start.startswith(_BINARY):
        raise SourceError(f"not a page ({content_type or 'binary data'})")
    text = decoded_start(start)
    name = root_element(text)[0].rpartition(":")[2].lower()
    if name in _FEED_ROOTS:
        return "feed"
    if name in _SITEMAP_ROOTS:
        return "sitemap"
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return "json feed" if _JSON_FEED.search(text) or content_type == "application/feed+json" else "json"
    if name in _PAGE_ROOTS or "html" in content_type:
        return "html"
    if name and "xml" in content_type:
        raise SourceError(f"XML that is no page, feed or sitemap (<{name}>)")
    if name:
        return "html"
    return "list of urls" if _names_addresses(text) else "text"


def decoded_start(start: bytes) -> str:
    """The first bytes of a response as text in which markup can be recognised."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start.decode("utf-16", "replace")
    return start.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def root_element(text: str) -> tuple[str, int]:
    """The name of the first element and where it begins: after comments, instructions and a DOCTYPE.

    Where none begins the name is empty.
    """
    position = 0
    while True:
        position = _space_end(text, position)
        if text.startswith("<?", position):
            end = text.find("?>", position) + 2
        elif text.startswith("<!--", position):
            end = text.find("-->", position) + 3
        elif text.startswith("<!", position):
            end = _declaration_end(text, position)
        else:
            name = _NAME.match(text, position + 1) if text.startswith("<", position) else None
            return (name[0] if name else "", position)
        if end <= position:  # it does not end
            return "", position
        position = end


def text_encoding(name: str) -> str:
    """Python's name of a declared encoding; empty where text on the web cannot be in it."""
    try:
        found = codecs.lookup(name).name
        b"ab".decode(found)  # an error for codecs of bytes, such as base64
    except (LookupError, ValueError):
        return ""
    return "" if found in _NO_ENCODINGS else found


def is_json_feed(data: bytes) -> bool:
    """Whether JSON that looked like a JSON Feed is one."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and isinstance(content.get("items"), list)


def _space_end(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _declaration_end(text: str, position: int) -> int:
    close, subset = text.find(">", position), text.find("[", position)
    if close == -1 or subset == -1 or close < subset:
        return close + 1
    end = _SUBSET_END.search(text, subset)
    return end.end() if end else 0


def _names_addresses(text: str) -> bool:
    """Whether every line is a web address: the plain form of a sitemap. The last may be cut off."""
    lines = text.split("\n")
    whole = lines[:-1] if len(text) >= START_BYTES else lines
    return all(_ADDRESS_LINE.fullmatch(line.strip()) for line in whole if line.strip())
