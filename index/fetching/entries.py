"""What feeds and sitemaps say of the pages that they name."""

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from index.dates import iso_moment
from index.errors import SourceError
from index.urls import LONGEST_ADDRESS

# A teaser runs to two or three sentences; the shortest wire brief to about a hundred words.
FULL_TEXT_CHARACTERS = 500
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?![\d-])")
_TAG = re.compile(r"<[^<>]*>")
_LONGEST_NAMED = 120


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that a feed or sitemap names.

    `stamp` changes when the page is said to have changed, None says nothing; `day` is the newest ISO
    day in it; `stated` are fields of an article record; `text` is the whole article where the feed
    carries it, as {"html": …} or {"text": …}; `key` names the entry within its feed.
    """

    link: str | None
    stamp: str | None = None
    day: str | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A further sitemap that a sitemap index names; `stamp` and `day` as in Entry."""

    link: str
    stamp: str | None = None
    day: str | None = None


def web_address(link: str, base: str = "") -> str:
    """`link` as an absolute http(s) URL without fragment. Raises SourceError when it is none."""
    try:
        url = urljoin(base, link.strip()).partition("#")[0]
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or len(url) > LONGEST_ADDRESS:
        raise SourceError(f"no web address ({_shortened(link)})")
    return url


def record_of(entry: Entry, feed: str, reason: str) -> bytes:
    """The JSON record of the article that an entry of `feed` carries whole.

    `reason` says why its page was not read.
    """
    record: dict[str, Any] = {**entry.stated, **entry.text, "extra": {"text_from": feed, "page": reason}}
    if entry.link is None and entry.key:
        record["id"] = digest(feed, entry.key)
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


def whole_text(markup: str, *, kind: str = "html", least: int = FULL_TEXT_CHARACTERS) -> dict[str, str]:
    """{"html": …} or {"text": …} if `markup` is as long as an article, without its tags; else {}."""
    if len(plain(markup) if kind == "html" else markup.strip()) < least:
        return {}
    return {"html": f"<html><body><article>{markup}</article></body></html>"} if kind == "html" else {"text": markup}


def plain(markup: str) -> str:
    """A line of text out of a snippet of HTML."""
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def moment(text: str | None) -> str | None:
    """A date or time as ISO 8601 where it is written so already and can be true, or None."""
    return iso_moment(text) if text and _ISO_DAY.match(text.strip()) else None


def newest_day(*moments: str | None) -> str | None:
    """The latest calendar day of ISO moments."""
    return max((moment[:10] for moment in moments if moment and _ISO_DAY.match(moment)), default=None)


def vouching(stamp: str | None, now: float) -> str | None:
    """`stamp`, unless it is a mere day that is not over: more may come out of that day.

    `now` is in seconds since 1970. A day is over on the last island twelve hours after Greenwich.
    """
    if stamp and len(stamp) == len("2025-08-20") and _ISO_DAY.match(stamp):
        over = (datetime.fromtimestamp(now, UTC) - timedelta(hours=36)).date().isoformat()
        return stamp if stamp <= over else None
    return stamp or None


def digest(*parts: str) -> str:
    """A short hash of texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _shortened(text: str) -> str:
    line = " ".join(text.split()) or "empty"
    return line if len(line) <= _LONGEST_NAMED else line[:_LONGEST_NAMED] + "…"
