"""Entries of JSON Feeds (jsonfeed.org, versions 1 and 1.1)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from index.errors import SourceError
from index.fetching.entries import Entry, digest, moment, newest_day, plain, web_address, whole_text


def json_feed_entries(data: bytes, url: str) -> Iterator[Entry]:
    """The entries of a JSON Feed that was found at `url`, links made absolute. Raises SourceError."""
    try:
        feed = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise SourceError("a damaged JSON Feed") from None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise SourceError("a damaged JSON Feed")
    for item in items:
        if isinstance(item, dict):
            yield _entry(item, feed, url)


def _entry(item: Mapping[str, Any], feed: Mapping[str, Any], url: str) -> Entry:
    link = _link(item, url)
    published, updated = moment(_of(item, "date_published")), moment(_of(item, "date_modified"))
    title, summary = plain(_of(item, "title")), plain(_of(item, "summary"))
    text = whole_text(_of(item, "content_html")) or whole_text(_of(item, "content_text"), kind="text")
    tags = [tag for tag in _list(item, "tags") if isinstance(tag, str)]
    stated = {
        "title": title, "url": link, "published": published, "updated": updated,
        "authors": _authors(item) or _authors(feed), "summary": summary, "section": plain(tags[0]) if tags else "",
        "language": _of(item, "language") or _of(feed, "language"), "source": plain(_of(feed, "title")),
    }  # fmt: skip
    said = digest(title, summary, published or "", *(() if link else text.values()))
    return Entry(
        link,
        stamp=_of(item, "date_modified") or said,
        day=newest_day(published, updated),
        stated={name: value for name, value in stated.items() if value},
        text=text,
        key=str(item["id"]) if isinstance(item.get("id"), (str, int)) else None,
    )


def _link(item: Mapping[str, Any], url: str) -> str | None:
    link = _of(item, "url") or _of(item, "external_url")
    try:
        return web_address(link, url) if link else None
    except SourceError:
        return link


def _authors(item: Mapping[str, Any]) -> list[str]:
    """Of version 1.1, or the one author of version 1."""
    authors = _list(item, "authors") or [item.get("author")]
    names = [plain(_of(author, "name")) for author in authors if isinstance(author, dict)]
    return list(dict.fromkeys(name for name in names if name))


def _of(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value.strip() if isinstance(value, str) else ""


def _list(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []
