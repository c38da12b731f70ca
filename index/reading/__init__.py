"""Sources in, articles out: which reader takes which document."""

from collections.abc import Iterator

from index.article import Article, SetAside
from index.errors import SourceError
from index.reading.documents import Document
from index.reading.html import read_html
from index.reading.records import read_json, read_record
from index.reading.text import read_markdown, read_text

__all__ = ["Document", "read"]


def read(document: Document) -> Iterator[Article | SetAside]:
    """The articles in a document; what cannot become one comes back set aside, never raised."""
    try:
        match document.kind:
            case "text":
                yield read_text(document.data)
            case "markdown":
                yield read_markdown(document.data)
            case "html":
                yield _page(document)
            case "record":
                yield read_record(document.data)
            case "json":
                yield from read_json(document.data, document.source)
    except SourceError as error:
        yield SetAside(document.source, str(error))
    except ImportError:  # a broken installation is no fault of the document
        raise
    except Exception as error:  # noqa: BLE001 - one bad document never stops a run
        yield SetAside(document.source, f"unexpected {type(error).__name__} while reading: {error}")


def _page(document: Document) -> Article:
    if not document.data.strip():
        raise SourceError("empty")
    return read_html(document.data)
