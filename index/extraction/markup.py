"""From the bytes of a web page to its tree, whatever the bytes are.

Encodings: a byte order mark decides; then bytes that are valid UTF-8 are UTF-8, whatever the page
says, for no other text looks like it; then the server's word, the page's own, and a guess.
"""

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.errors import SourceError

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# "<" and the first letter of what follows, as UTF-16 has them: the page has no byte order mark.
_BARE_UTF16 = ((re.compile(rb"\s*<\0[!?a-zA-Z]\0"), "utf-16-le"), (re.compile(rb"\s*\0<\0[!?a-zA-Z]"), "utf-16-be"))
# Browsers look for the declaration in the first 1024 bytes; real pages put scripts above it.
_TOP = 16 * 1024
_META_CHARSET = re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([\w:.-]+)", re.IGNORECASE)
# What the names stand for on the web (WHATWG Encoding Standard, "Names and labels"): supersets.
_ON_THE_WEB = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
# Encodings in which whole words can look like UTF-8 by chance; so few characters prove nothing.
_EAST_ASIAN = frozenset({"gb18030", "cp932", "cp949", "big5hkscs", "euc_jp", "hz", "iso2022_jp"})
_PROOF_CHARACTERS = 8
_ESCAPED = frozenset({"iso2022_jp", "hz"})
# A text may hold a stray control character, a program or a picture holds many.
_MOST_CONTROL_SHARE = 0.02
_CONTROL_BYTES = bytes(set(range(32)) - {9, 10, 12, 13, 27})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MARKUP = re.compile(r"<[a-zA-Z!/?]")

# The largest of the 192 development pages has 8,093 "<" and 4,098 elements; live reports have ten
# times that. A million elements take 300 MB and, extracted, more than a minute.
_MOST_MARKS = 300_000
_MOST_ELEMENTS = 60_000
# libxml2 needs time in the square of the attributes of one element: 200,000 of them take 88 s, those
# that fit into this many characters 8 s at most. Longer pages are looked through first, which costs
# a tenth of what reading them does. The richest element of the development pages has 50.
_HARMLESS_LENGTH = 300_000
_MOST_ATTRIBUTES = 500


def decoded_page(page: bytes | str, charset: str | None = None) -> str:
    """`page` as text without control characters; `charset` is what its server declared.

    Raises SourceError when it is empty or not text.
    """
    if isinstance(page, bytes):
        text = _decoded(page, charset)
    else:  # two halves of a character that were escaped apart make one again
        text = page.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(page) else page
    text = text.removeprefix("\ufeff")
    if isinstance(page, str) or len(page.translate(None, _CONTROL_BYTES)) < len(page):
        text = _CONTROL.sub("", text)
    if not text.strip():
        raise SourceError("empty")
    return text


def _decoded(page: bytes, charset: str | None) -> str:
    for mark, encoding in _BOMS:
        if page.startswith(mark):
            return page.decode(encoding, "replace")
    for pattern, encoding in _BARE_UTF16:
        if pattern.match(page):
            return page.decode(encoding, "replace")
    controls = len(page) - len(page.translate(None, _CONTROL_BYTES))
    if controls > _MOST_CONTROL_SHARE * len(page):
        raise SourceError("not a web page but binary data")
    declared = list(_declared(page, charset))
    if (text := _as_utf8(page, declared)) is not None:
        return text
    for encoding in declared:
        try:
            return page.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return _guessed(page, declared)


def _declared(page: bytes, charset: str | None) -> Iterator[str]:
    """The encodings that server and page declare, by their Python names, without UTF-8."""
    top = page[:_TOP]
    labels = [charset] if charset else []
    labels += [match[1].decode("ascii", "replace") for match in _META_CHARSET.finditer(top)]
    labels += [match[1].decode("ascii", "replace") for match in [_XML_ENCODING.match(top)] if match]
    for label in labels:
        try:
            name = codecs.lookup(label.strip("\"' \t")).name
        except (LookupError, ValueError):  # ValueError: a NUL in it
            continue
        name = _ON_THE_WEB.get(name, name)
        if name in _TEXT_ENCODINGS or name.startswith(("cp", "iso8859", "koi8", "mac")):
            yield name


# Others that Python knows are no encodings of web pages ("rot13", "punycode", "zip") or have been
# dealt with by their marks.
_TEXT_ENCODINGS = _EAST_ASIAN | {"iso2022_kr", "johab", "ptcp154", "kz1048"}


def _as_utf8(page: bytes, declared: list[str]) -> str | None:
    """`page` as UTF-8 if that is what it is, with a few bytes lost at most."""
    if any(encoding in _ESCAPED for encoding in declared):
        return None
    asian = any(encoding in _EAST_ASIAN for encoding in declared)
    try:
        text = page.decode("utf-8")
    except UnicodeDecodeError:
        text = page.decode("utf-8", "replace")
        lost = text.count("\ufffd")
        kept = len(_BEYOND_ASCII.findall(text)) - lost
        # Text in another encoding hardly ever holds what is valid UTF-8 beyond ASCII.
        return text if kept > lost * (4 if asian else 1) else None
    if asian and not text.isascii() and len(_BEYOND_ASCII.findall(text)) < _PROOF_CHARACTERS:
        return None
    return text


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def _guessed(page: bytes, declared: list[str]) -> str:
    for encoding in declared:  # multi-byte text with a byte lost, or cut in a character
        text = page.decode(encoding, "replace")
        if text.count("\ufffd") * 100 < len(_BEYOND_ASCII.findall(text)):
            return text
    from index.reading.decoding import decoded

    return decoded(page)


def has_markup(text: str) -> bool:
    """Whether there is a tag in the text at all."""
    return _MARKUP.search(text) is not None


def parsed(text: str) -> "HtmlElement":
    """The tree of a page without comments. Raises SourceError on what is no article by its size."""
    from lxml.etree import ParserError, XMLSyntaxError

    if text.count("<") > _MOST_MARKS:
        raise SourceError("too much markup to be an article")
    if len(text) > _HARMLESS_LENGTH and _most_attributes(text) > _MOST_ATTRIBUTES:
        raise SourceError("an element with too many attributes to be an article")
    data = text.encode("utf-8", "replace")
    try:
        tree = _tree(data, deep=False)
        if tree is None:
            tree = _tree(data, deep=True)
    except (ParserError, XMLSyntaxError, ValueError, AssertionError) as error:
        raise SourceError(f"the page cannot be parsed ({type(error).__name__})") from error
    if tree is None:
        raise SourceError("too deeply nested to be an article")
    if tree.xpath("count(//*)") > _MOST_ELEMENTS:
        raise SourceError("too much markup to be an article")
    return tree


def _tree(data: bytes, *, deep: bool) -> "HtmlElement | None":
    """The tree, or None where elements are nested too deeply: 256 levels, 2,048 if `deep` (libxml2's limits)."""
    from lxml.etree import ElementDefaultClassLookup, ErrorTypes, HTMLParser
    from lxml.html import HtmlElement, document_fromstring

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False, huge_tree=deep)
    # lxml.html chooses a class for each element it touches, in Python; one class for all is three times as fast.
    parser.set_element_class_lookup(ElementDefaultClassLookup(element=HtmlElement))
    tree = document_fromstring(data, parser=parser)
    nested = any(
        entry.type in (ErrorTypes.ERR_INTERNAL_ERROR, ErrorTypes.ERR_RESOURCE_LIMIT) for entry in parser.error_log
    )
    return None if nested else tree


def _most_attributes(text: str) -> int:
    """The attributes of the element with most of them, counted in linear time."""
    from lxml.etree import HTMLParser as Parser

    most = 0

    class Counter:
        def start(self, tag: str, attributes: dict[str, str]) -> None:
            nonlocal most
            most = max(most, len(attributes))

        def close(self) -> None:
            pass

    parser = Parser(target=Counter(), encoding="utf-8")
    parser.feed(text.encode("utf-8", "replace"))
    parser.close()
    return most
