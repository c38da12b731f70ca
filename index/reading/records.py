"""Articles from JSON: one record, a list of them, or an object that holds such a list."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from index.article import Article, from_record
from index.cleaning import clean_page
from index.errors import SourceError
from index.reading.decoding import decoded
from index.reading.html import read_html

_LIST_KEYS = ("articles", "items", "records", "results")


def records_of(data: bytes) -> list[Any]:
    """The records in a JSON document. Raises SourceError when it is not JSON or holds none."""
    try:
        content = json.loads(decoded(data), parse_constant=lambda name: None)  # NaN is no JSON
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not JSON ({error})") from None
    if isinstance(content, Mapping) and not ("text" in content or "html" in content):
        content = next((content[key] for key in _LIST_KEYS if isinstance(content.get(key), list)), content)
    records = content if isinstance(content, list) else [content]
    if not records:
        raise SourceError("no record in it")
    return records


def read_record(record: Any) -> Article:
    """The article of one record, with what its page or page text adds. Raises SourceError."""
    if not isinstance(record, Mapping):
        raise SourceError(f"a record should be an object, not {type(record).__name__}")
    if isinstance(record.get("html"), str) and not isinstance(record.get("text"), str):
        return _from_page(record)
    if isinstance(record.get("text"), str) and not record.get("title"):
        return _from_copied_page(record)
    return from_record(record)


def _from_page(record: Mapping[str, Any]) -> Article:
    """What the record states counts before what its page says."""
    url = record.get("url")
    page = read_html(record["html"], url=url if isinstance(url, str) else None)
    known = {name: getattr(page, name) for name in _PAGE_FIELDS if getattr(page, name)}
    known["authors"] = list(known.get("authors", ()))
    stated = {key: value for key, value in record.items() if value not in (None, "", [])}
    return from_record({**known, **stated, "text": page.text})


def _from_copied_page(record: Mapping[str, Any]) -> Article:
    """A text without a title: nobody has looked into it yet, it may be a page copied whole."""
    page = clean_page(record["text"])
    stated = from_record({**record, "text": page.text, "title": page.title})
    return replace(
        stated,
        published=stated.published or page.published,
        updated=stated.updated or page.updated,
        authors=stated.authors or page.authors,
        source=stated.source or page.source,
    )


_PAGE_FIELDS = ("title", "url", "published", "authors", "source", "language", "section", "summary")
