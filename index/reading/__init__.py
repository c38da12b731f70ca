"""Sources in, articles out: which reader takes which document."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from index.article import Article, SetAside
from index.errors import SourceError
from index.reading.documents import Document
from index.reading.fields import GUESSED, FieldMap
from index.reading.records import read_record, records_of
from index.reading.stated import completed
from index.reading.text import read_markdown, read_text

__all__ = ["Document", "read", "read_parts"]

Value = TypeVar("Value")


def read(document: Document, fields: FieldMap = GUESSED) -> Iterator[Article | SetAside]:
    """The articles in a document; what cannot become one comes back set aside, never raised.

    `fields` says which of our fields is which of theirs in records.
    """
    return (content for _, content in read_parts(document, fields))


def read_parts(
    document: Document, fields: FieldMap = GUESSED, begin: int = 0
) -> Iterator[tuple[str, Article | SetAside]]:
    """The same, each with the name of its source; the first `begin` records of the document are passed over."""
    if document.kind != "json":
        if not begin:
            yield document.source, _attempt(partial(_read_whole, document), document.source, document.origin)
        return
    records = _attempt(partial(records_of, document.data, fields), document.source, document.origin)
    if isinstance(records, SetAside):
        yield document.source, records
        return
    for position in range(begin, len(records)):
        source = document.source if len(records) == 1 else f"{document.source}:{position + 1}"
        reader = partial(_read_record, records[position], document, fields)
        yield source, _attempt(reader, source, document.origin)


def _read_whole(document: Document) -> Article:
    match document.kind:
        case "text":
            article = read_text(document.data)
        case "markdown":
            article = read_markdown(document.data)
        case _:
            from index.extraction import read_page

            article = read_page(document.data, document.url, document.charset)
    return _in_its_language(completed(article, document.url, document.stated))


def _read_record(record: object, document: Document, fields: FieldMap) -> Article:
    return _in_its_language(completed(read_record(record, fields), document.url, document.stated))


def _in_its_language(article: Article) -> Article:
    """The article with the language that its words are in, where nobody says which."""
    from index.extraction.language import detect_language

    return article if article.language else replace(article, language=detect_language(article.text))


def _attempt(reader: Callable[[], Value], source: str, origin: str) -> Value | SetAside:
    try:
        return reader()
    except SourceError as error:
        reason = str(error)
    except ImportError:  # a broken installation is no fault of the document
        raise
    except MemoryError:
        reason = "needs too much memory to read"
    except RecursionError:
        reason = "too deeply nested to read"
    except Exception as error:  # noqa: BLE001 - one bad document never stops a run
        reason = f"unexpected {type(error).__name__} while reading: {error}"
    return SetAside(source, reason, origin)
