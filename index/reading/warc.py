"""Pages out of web archives (WARC, ISO 28500). The one module that knows warcio.

Of a crawl only what is a page and came whole is wanted: responses with status 200 and HTML, and HTML that
was archived as a resource. A record that cannot be read is set aside, and reading goes on at the next.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any

from index.errors import SourceError
from index.reading.unpacking import body_of

if TYPE_CHECKING:
    from warcio.recordloader import ArcWarcRecord

_BLOCK = 64 * 1024
# Headers of a record together are far shorter; a file that is no archive may have no line end at all.
_MOST_HEADER_BYTES = 2**20
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
# Types that servers give when they do not know; then the content tells.
_NO_TYPES = ("", "application/octet-stream", "text/plain", "application/xml", "text/xml")
_SNIFFED_BYTES = 1024
_PAGE_STARTS = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class ArchivedPage:
    """A page, its address and declared encoding; or the reason why there is none."""

    url: str
    body: bytes
    charset: str | None
    reason: str = ""


def pages_of(stream: io.BufferedIOBase, limit: int) -> Iterator[ArchivedPage]:
    """The pages in an archive, unpacked already, in its order; none is longer than `limit` bytes.

    Raises SourceError where the archive is damaged beyond reading on.
    """
    records = _records(_Guarded(stream))
    while True:
        record = _next(records)
        if record is None:
            break
        url = record.rec_headers.get_header("WARC-Target-URI") or ""
        try:
            page = _page(record, url, limit)
        except SourceError as error:
            page = ArchivedPage(url, b"", None, str(error))
        if page is not None:
            yield page
    if records.err_count:
        raise SourceError("damaged web archive: something between its records cannot be read")


def _next(records: Any) -> "ArcWarcRecord | None":
    from warcio.exceptions import ArchiveLoadFailed

    try:
        record: ArcWarcRecord | None = next(iter(records), None)
    except ArchiveLoadFailed as error:
        raise SourceError("not a web archive" if records.record is None else "damaged web archive") from error
    # Headers that the parser did not expect.
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise SourceError(f"damaged web archive ({type(error).__name__})") from error
    return record


def _page(record: "ArcWarcRecord", url: str, limit: int) -> ArchivedPage | None:
    """The page in a record, or None where it is something else. Raises SourceError."""
    headers = record.http_headers
    if record.rec_type == "response" and headers is not None and headers.get_statuscode() == "200":
        media, charset = _media_type(headers.get_header("Content-Type"))
    elif record.rec_type == "resource":
        headers = None
        media, charset = _media_type(record.content_type)
    else:
        return None
    if media not in (*_PAGE_TYPES, *_NO_TYPES):
        return None
    body = _bounded(record.raw_stream, limit)
    if getattr(record.raw_stream, "limit", 0) > 0:
        raise SourceError("cut off: the web archive ends in the middle of it")
    if headers is not None:
        if "chunked" in (headers.get_header("Transfer-Encoding") or "").lower():
            body = _without_chunks(body, limit)
        body = body_of(body, headers.get_header("Content-Encoding") or "", limit)
    if media in _NO_TYPES and not any(start in body[:_SNIFFED_BYTES].lower() for start in _PAGE_STARTS):
        return None
    return ArchivedPage(url, body, charset)


def _without_chunks(body: bytes, limit: int) -> bytes:
    from warcio.bufferedreaders import ChunkedDataReader

    # Also reads what says that it comes in chunks and does not.
    return _bounded(ChunkedDataReader(io.BytesIO(body)), limit)


def _bounded(stream: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_BLOCK):
        size += len(part)
        if size > limit:
            raise SourceError(f"larger than {limit >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


def _media_type(header: str | None) -> tuple[str, str | None]:
    message = Message()
    message["Content-Type"] = " ".join((header or "").split())
    charset = message.get_param("charset")
    return (message.get_content_type() if header else ""), charset if isinstance(charset, str) else None


def _records(stream: "_Guarded") -> Any:
    from warcio.archiveiterator import ArchiveIterator

    logging.getLogger("warcio").setLevel(logging.CRITICAL)  # what is wrong is said by a reason

    class Records(ArchiveIterator):  # type: ignore[misc]
        """Bounds headers, and finds the next record also behind one whose length is wrong."""

        def _next_record(self, next_line: bytes | None) -> Any:
            stream.allowance = _MOST_HEADER_BYTES
            try:
                return super()._next_record(next_line)
            finally:
                stream.allowance = None

        def _consume_blanklines(self) -> tuple[bytes | None, int]:
            passed_over = 0
            while line := self.reader.readline(_BLOCK):
                if line.startswith(b"WARC/"):
                    return line, passed_over
                passed_over += len(line)
                self.err_count += bool(line.strip())
            return None, passed_over

    return Records(stream)


class _Guarded:
    """A stream that gives no more than `allowance` bytes, where that is set, before it raises SourceError."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._position = 0
        self.allowance: int | None = None

    def tell(self) -> int:
        """How many bytes were read."""
        return self._position

    def read(self, size: int) -> bytes:
        """Some bytes, none at the end."""
        if self.allowance is not None and self.allowance <= 0:
            raise SourceError("damaged web archive: a record whose header does not end")
        # What is there, so that bytes before damage are had before it is met.
        data = self._stream.read1(size)
        self._position += len(data)
        if self.allowance is not None:
            self.allowance -= len(data)
        return data
