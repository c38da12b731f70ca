"""Sources in, articles out: which reader takes which document."""

from collections.abc import Callable, Iterator
from functools import partial

from index.article import Article, SetAside
from index.errors import SourceError
from index.reading.decoding import decoded
from index.reading.documents import Document
from index.reading.html import read_html
from index.reading.records import read_record, records_of
from index.reading.text import read_markdown, read_text

__all__ = ["Document", "read"]


def read(document: Document) -> Iterator[Article | SetAside]:
    """The articles in a document; what cannot become one comes back set aside, never raised."""
    match document.kind:
        case "text":
            yield _read(document.source, partial(read_text, document.data))
        case "markdown":
            yield _read(document.source, partial(read_markdown, document.data))
        case "html":
            yield _read(document.source, partial(_read_page, document.data))
        case "json":
            yield from _read_records(document)


def _read_records(document: Document) -> Iterator[Article | SetAside]:
    try:
        records = records_of(document.data)
    except SourceError as error:
        yield SetAside(document.source, str(error))
        return
    for position, record in enumerate(records, start=1):
        source = document.source if len(records) == 1 else f"{document.source}:{position}"
        yield _read(source, partial(read_record, record))


def _read(source: str, reader: Callable[[], Article]) -> Article | SetAside:
    try:
        return reader()
    except SourceError as error:
        return SetAside(source, str(error))
    except ImportError:  # a broken installation is no fault of the document
        raise
    except Exception as error:  # noqa: BLE001 - one bad document never stops a run
        return SetAside(source, f"unexpected {type(error).__name__} while reading: {error}")


def _read_page(data: bytes) -> Article:
    decoded(data[:_SNIFFED_BYTES])  # refuses what is empty or no text; the parser decodes for itself
    return read_html(data)


_SNIFFED_BYTES = 4096
