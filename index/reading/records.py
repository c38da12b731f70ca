"""Articles from JSON: one record, a list of them, or an object that holds such a list somewhere."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from index.article import Article, from_record
from index.cleaning import clean_page
from index.errors import SourceError
from index.reading.decoding import decoded
from index.reading.fields import GUESSED, FieldMap, value_at
from index.reading.translation import has_body, translated

# Where interfaces and exports keep their records, and what they wrap one in.
_LISTS = (
    "articles", "items", "records", "results", "docs", "documents", "hits", "stories", "entries", "value", "@graph",
    "data",
)  # fmt: skip
_WRAPPERS = (
    "data", "response", "result", "hits", "item", "_source", "article", "story", "document", "doc", "feed", "channel",
    "fields",
)  # fmt: skip
_MOST_WRAPPERS = 5


def records_of(data: bytes, fields: FieldMap = GUESSED) -> list[Any]:
    """The records in a JSON document. Raises SourceError when it is not JSON or holds none."""
    try:
        content = json.loads(decoded(data), parse_constant=lambda name: None)  # NaN is no JSON
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not JSON ({_explained(error)})") from None
    if fields.records:
        found = value_at(content, fields.records)
        if not isinstance(found, (list, Mapping)):
            raise SourceError(f"no records at {fields.records}")
        records = found if isinstance(found, list) else [found]
    else:
        records = _records_in(content, _MOST_WRAPPERS)
    if not records:
        raise SourceError("no record in it")
    if len(records) > 1 and not any(isinstance(record, Mapping) for record in records):
        raise SourceError(f"a list of {type(records[0]).__name__}, not of records")
    return records


def read_record(record: Any, fields: FieldMap = GUESSED) -> Article:
    """The article of one record, with what its page or page text adds. Raises SourceError."""
    if not isinstance(record, Mapping):
        raise SourceError(f"a record should be an object, not {type(record).__name__}")
    ours = translated(record if fields.paths else _unwrapped(record), fields)
    if "html" in ours:
        return _from_page(ours)
    if "text" in ours and not ours.get("title"):
        return _from_copied_page(ours)
    return from_record(ours)


def _records_in(content: Any, wrappers: int) -> list[Any]:
    if isinstance(content, list):
        return content
    if not isinstance(content, Mapping) or has_body(content):
        return [content]
    for key in _LISTS:
        value = content.get(key)
        if isinstance(value, Mapping):  # a search engine's: {"hits": {"hits": [ … ]}}
            value = value.get(key)
        if isinstance(value, list):
            return _with_feed(value, content) if "jsonfeed.org" in str(content.get("version")) else _stories(value)
    inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
    if inner is None or not wrappers:
        return [content]
    found = _records_in(inner, wrappers - 1)
    return found if found != [inner] else [content]


def _with_feed(items: list[Any], feed: Mapping[str, Any]) -> list[Any]:
    """The items of a JSON Feed (jsonfeed.org), which says once what holds for all."""
    common = {
        "source": feed.get("title"),
        "language": feed.get("language"),
        "authors": feed.get("authors") or feed.get("author"),
    }
    known = {key: value for key, value in common.items() if value}
    return [
        {**known, **item, **({} if item.get("authors") else {"authors": item.get("author") or known.get("authors")})}
        if isinstance(item, Mapping)
        else item
        for item in items
    ]


def _stories(nodes: list[Any]) -> list[Any]:
    """Of the things that a schema.org graph describes, the articles; of other lists, everything."""
    if not all(isinstance(node, Mapping) and "@type" in node for node in nodes):
        return nodes
    return [node for node in nodes if has_body(node)] or nodes


def _unwrapped(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record in a hit of a search engine or in an item of an agency's interface."""
    for _ in range(_MOST_WRAPPERS):
        key = next((key for key in _WRAPPERS if isinstance(record.get(key), Mapping)), None)
        if key is None or has_body(record):
            break
        record = {**{name: value for name, value in record.items() if name != key}, **record[key]}
    return record


def _explained(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too deeply nested"
    return "a number with too many digits" if "integer string" in str(error) else str(error)


def _from_page(record: Mapping[str, Any]) -> Article:
    """What the record states counts before what its page says."""
    from index.extraction import read_page

    page = read_page(record["html"], url=record.get("url"))
    known = {name: getattr(page, name) for name in _PAGE_FIELDS if getattr(page, name)}
    known["authors"] = list(known.get("authors", ()))
    stated = {key: value for key, value in record.items() if value not in (None, "", [])}
    extra = {**page.extra, **record.get("extra", {})}
    return from_record({**known, **stated, "text": page.text, "extra": extra})


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


_PAGE_FIELDS = ("title", "url", "published", "updated", "authors", "source", "language", "section", "summary")
