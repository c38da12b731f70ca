"""Entries of RSS, Atom and RDF feeds. The one module that knows feedparser.

It gets feeds that were tidied before: it forgives much, but for some hostile feeds takes time and
memory without bound.
"""

import io
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from index.dates import iso_moment
from index.errors import SourceError
from index.fetching.entries import Entry, digest, moment, newest_day, plain, web_address, whole_text
from index.fetching.settings import MIB
from index.fetching.tidying import tidied

MAX_FEED_BYTES = 16 * MIB
"""Ten thousand teasers, or several hundred whole articles."""
# In <description>, where RSS has teasers as a rule: longer than any of them.
_DESCRIPTION_IS_TEXT = 1_500
_MAX_SUMMARY = 1_000


def feed_entries(data: bytes, url: str, charset: str | None = None) -> Iterator[Entry]:
    """The entries of a feed that was found at `url`, links made absolute. Raises SourceError."""
    import feedparser

    if len(data) > MAX_FEED_BYTES:
        raise SourceError(f"a feed larger than {MAX_FEED_BYTES // MIB} MiB")
    # Under Content-Location feedparser expects what relative links are relative to.
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": url}
    feed = io.BytesIO(tidied(data, charset))
    try:
        found = feedparser.parse(feed, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:  # it stumbles over elements that stand where it expects no such
        raise SourceError(f"a damaged feed ({type(error).__name__} in feedparser)") from error
    if not found.entries and not found.version:
        raise SourceError("a damaged feed")
    for item in found.entries:
        yield _entry(item, found.feed, url)


def _entry(item: Mapping[str, Any], feed: Mapping[str, Any], url: str) -> Entry:
    link = _link(item, url)
    published, updated = _moment(item, "published"), _moment(item, "updated")
    text, summary = _text_and_summary(item)
    title = plain(_of(item, "title"))
    stated = {
        "title": title, "url": link, "published": published, "updated": updated, "authors": _authors(item),
        "summary": summary, "section": next((plain(name) for name in _categories(item)), ""),
        "language": _of(feed, "language"),
        "source": plain(_of(item.get("source") or {}, "title") or _of(feed, "title")),
    }  # fmt: skip
    said = digest(title, summary, published or "", *(() if link else text.values()))
    return Entry(
        link,
        # Feeds without <updated> are silent about changes, save that title or teaser change.
        stamp=_of(item, "updated") or said,
        day=newest_day(published, updated),
        stated={name: value for name, value in stated.items() if value},
        text=text,
        key=_of(item, "id") or None,
    )


def _link(item: Mapping[str, Any], url: str) -> str | None:
    """The page of an entry; as it stands where it is no web address, for the reason to name it."""
    link = _of(item, "feedburner_origlink") or _of(item, "link")
    if not link:
        return None
    try:
        return web_address(link, url)
    except SourceError:
        return link


def _text_and_summary(item: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    teaser = _of(item, "summary")
    contents = [part for part in item.get("content") or () if part.get("value")]
    for part in sorted(contents, key=lambda part: len(part["value"]), reverse=True):
        if whole := whole_text(part["value"], kind="text" if part.get("type") == "text/plain" else "html"):
            return whole, plain(teaser)[:_MAX_SUMMARY] if teaser != part["value"] else ""
    if not contents and (whole := whole_text(teaser, least=_DESCRIPTION_IS_TEXT)):
        return whole, ""
    return {}, plain(teaser)[:_MAX_SUMMARY]


def _authors(item: Mapping[str, Any]) -> list[str]:
    names = [plain(str(author.get("name") or "")) for author in item.get("authors") or ()]
    return list(dict.fromkeys(name for name in names if name and "@" not in name))


def _categories(item: Mapping[str, Any]) -> list[str]:
    return [str(tag["term"]) for tag in item.get("tags") or () if tag.get("term")]


def _moment(item: Mapping[str, Any], name: str) -> str | None:
    """A time as the feed wrote it, with its zone; where only feedparser understands it, in UTC."""
    written = _of(item, name)
    if found := moment(written):
        return found
    try:
        return iso_moment(parsedate_to_datetime(written))
    except (ValueError, OverflowError, IndexError, TypeError):
        pass
    try:
        parsed = item[f"{name}_parsed"] if written else None
        return iso_moment(datetime.fromtimestamp(timegm(parsed), UTC)) if parsed else None
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _of(item: Mapping[str, Any], name: str) -> str:
    value = item[name] if name in item else None  # noqa: SIM401 - feedparser's get answers "updated" with "published"
    return value.strip() if isinstance(value, str) else ""
