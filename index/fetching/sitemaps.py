"""Entries of sitemaps, news sitemaps, sitemap indexes and plain lists of URLs (sitemaps.org).

They are read in a stream: nothing is kept of an entry once it is handed on, however long the sitemap.
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO

from index.errors import SourceError
from index.fetching.entries import Entry, Part, digest, moment, newest_day, web_address
from index.fetching.kinds import GZIP, START_BYTES, decoded_start, root_element, text_encoding
from index.fetching.references import without_impossible
from index.fetching.settings import MIB

MAX_SITEMAP_BYTES = 256 * MIB
"""The protocol allows 50 MB; some put a million addresses into one file. It waits on the disk."""
_CHUNK_BYTES = 16 * 1024  # parsed between two looks at the limits
_MAX_ERRORS = 2_000  # lxml takes a tenth of a millisecond for each
_DECLARED_ENCODING = re.compile(r"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)")
# Characters between two ends of tags. Where tags do not end, lxml's time grows with the square.
_MAX_GAP = 64 * 1024
_MAX_DEPTH = 32  # of elements; news, image and video sitemaps need five
_LONGEST_REFERENCE = len("&#1114111;")
_LONGEST_FIELD = 8192  # characters; no address is longer
# Where the fields stand below the root, by local names. An image's or video's own <loc> is elsewhere.
_FIELDS = {
    ("url", "loc"): "loc",
    ("url", "lastmod"): "lastmod",
    ("url", "news", "title"): "title",
    ("url", "news", "publication_date"): "published",
    ("url", "news", "publication", "name"): "source",
    ("url", "news", "publication", "language"): "language",
    ("sitemap", "loc"): "loc",
    ("sitemap", "lastmod"): "lastmod",
}


def unpacked(body: IO[bytes]) -> IO[bytes]:
    """`body` from its beginning; where it is a gzip file, what is in it."""
    body.seek(0)
    packed = body.read(len(GZIP)) == GZIP
    body.seek(0)
    return gzip.GzipFile(fileobj=body, mode="rb") if packed else body  # type: ignore[return-value]


def sitemap_entries(body: IO[bytes], url: str) -> Iterator[Entry | Part]:
    """The entries of a sitemap, or the parts of a sitemap index, that was found at `url`.

    Raises SourceError where it is damaged or too long, after what could be read.
    """
    from lxml import etree

    found = _Found()
    # Entities are resolved: &amp; is one. Others cannot be declared, for want of a DOCTYPE.
    parser = etree.XMLParser(target=found, recover=True, no_network=True, load_dtd=False, huge_tree=False)
    try:
        for text in _mended(_below_prolog(_chunks(body))):
            parser.feed(text.encode("utf-8", "replace"))
            yield from found.taken(url)
            if len(parser.error_log) > _MAX_ERRORS:
                raise SourceError("a damaged sitemap")
        parser.close()
    except etree.XMLSyntaxError as error:
        raise SourceError(f"a damaged sitemap ({error.msg})") from None
    yield from found.taken(url)


def listed_entries(body: IO[bytes], url: str) -> Iterator[Entry]:
    """The addresses of a plain text sitemap, one a line. Raises SourceError where it is too long."""
    rest = b""
    for chunk in _chunks(body):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST_FIELD]
        yield from _listed(lines, url)
    yield from _listed([rest], url)


def _listed(lines: list[bytes], url: str) -> Iterator[Entry]:
    for line in lines:
        if link := line.decode("utf-8-sig", "replace").strip():
            yield Entry(_absolute(link, url))


def _chunks(body: IO[bytes]) -> Iterator[bytes]:
    size = 0
    source = unpacked(body)
    while True:
        try:
            chunk = source.read(_CHUNK_BYTES)
        except (EOFError, zlib.error, OSError):
            raise SourceError("a damaged gzip file") from None
        if not chunk:
            return
        size += len(chunk)
        if size > MAX_SITEMAP_BYTES:
            raise SourceError(f"a sitemap larger than {MAX_SITEMAP_BYTES // MIB} MiB")
        yield chunk


def _below_prolog(chunks: Iterator[bytes]) -> Iterator[str]:
    """The text of a sitemap from its first element on: what stands before could declare entities."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= START_BYTES:
            break
    decoder = _decoder(head)
    text = decoder.decode(head).lstrip("\ufeff \t\r\n")
    name, begin = root_element(text)
    if not name:
        raise SourceError("a damaged sitemap")
    yield text[begin:]
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _decoder(head: bytes) -> codecs.IncrementalDecoder:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace")
    declared = _DECLARED_ENCODING.match(decoded_start(head[:_CHUNK_BYTES]))
    encoding = text_encoding(declared[1] if declared else "") or "utf-8"
    return codecs.getincrementaldecoder(encoding)("replace")


def _mended(texts: Iterator[str]) -> Iterator[str]:
    """With the ampersands of addresses written as XML wants them; many sitemaps forget to.

    Raises SourceError where tags do not end.
    """
    rest, gap = "", 0
    for text in texts:
        gap = len(text) - 1 - text.rfind(">") if ">" in text else gap + len(text)
        if gap > _MAX_GAP:
            raise SourceError("a damaged sitemap")
        text = rest + text  # noqa: PLW2901 - the same text, with what was held back
        last = text.rfind("&", -_LONGEST_REFERENCE)
        text, rest = (text[:last], text[last:]) if last >= 0 else (text, "")  # noqa: PLW2901
        yield _BARE_AMPERSAND.sub("&amp;", without_impossible(text))
    yield _BARE_AMPERSAND.sub("&amp;", without_impossible(rest))


class _Found:
    """Receives the events of the parser; builds no tree."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._fields: dict[str, str] = {}
        self._text: list[str] | None = None
        self._entries: list[tuple[str, dict[str, str]]] = []

    def taken(self, url: str) -> Iterator[Entry | Part]:
        """What has been completed since the last call."""
        entries, self._entries = self._entries, []
        for kind, fields in entries:
            if "loc" in fields:
                yield _part(fields, url) if kind == "sitemap" else _entry(fields, url)

    def start(self, tag: str, attributes: object) -> None:
        if len(self._path) >= _MAX_DEPTH:
            raise SourceError("a damaged sitemap")
        self._path.append(tag.rpartition("}")[2].rpartition(":")[2].lower())
        self._text = [] if tuple(self._path[1:]) in _FIELDS else None

    def data(self, text: str) -> None:
        if self._text is not None and sum(map(len, self._text)) < _LONGEST_FIELD:
            self._text.append(text)

    def end(self, tag: str) -> None:
        below = tuple(self._path[1:])
        if self._text is not None and below in _FIELDS:
            self._fields.setdefault(_FIELDS[below], " ".join("".join(self._text).split())[:_LONGEST_FIELD])
        if len(below) == 1:
            self._entries.append((below[0], self._fields))
            self._fields = {}
        self._text = None
        if self._path:
            self._path.pop()

    def close(self) -> None:
        pass


def _entry(fields: dict[str, str], url: str) -> Entry:
    published = moment(fields.get("published"))
    # <lastmod> is when the page changed, often in its frame only: good to look again, not to tell readers.
    stated = {name: fields[name] for name in ("title", "source", "language") if fields.get(name)}
    if published:
        stated["published"] = published
    link = _absolute(fields["loc"], url)
    stamp = fields.get("lastmod") or (digest(*stated.values()) if "published" in stated else None)
    return Entry(link, stamp, newest_day(moment(fields.get("lastmod")), published), {**stated, "url": link})


def _part(fields: dict[str, str], url: str) -> Part:
    lastmod = fields.get("lastmod")
    return Part(_absolute(fields["loc"], url), lastmod, newest_day(moment(lastmod)))


def _absolute(link: str, url: str) -> str:
    try:
        return web_address(link.replace("&amp;", "&"), url)  # escaped twice, or within CDATA
    except SourceError:
        return link  # refused later, with what it is
