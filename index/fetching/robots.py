"""What a host asks of robots (RFC 9309). The one module that knows protego."""

import json
from typing import Any

from index.article import Receipt
from index.errors import SourceError
from index.fetching.client import NOT_MODIFIED, AddressRefused, Client, FetchError, Response
from index.fetching.entries import web_address
from index.fetching.settings import PRODUCT

MAX_CRAWL_DELAY = 30.0
"""Seconds. Some sites ask for minutes, which would make their feeds unreadable; nobody means it of ten pages."""
_VALID_SECONDS = 24 * 3600  # RFC 9309, 2.4
_MAX_BYTES = 500 * 1024  # RFC 9309, 2.5: at least so much has to be read
_MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2


class Robots:
    """The rules of one origin (scheme, host and port), and when they were read."""

    def __init__(self, url: str, text: str, read: float, etag: str | None, last_modified: str | None) -> None:
        from protego import Protego

        self._rules = Protego.parse(text)
        self.receipt = Receipt(url, etag, last_modified, json.dumps({"read": int(read), "text": text}))

    def allows(self, url: str) -> bool:
        """Whether `url` may be fetched."""
        return bool(self._rules.can_fetch(url, PRODUCT))

    @property
    def delay(self) -> float:
        """Seconds that the host wants between two requests, within reason; 0 if it says nothing."""
        return min(self._rules.crawl_delay(PRODUCT) or 0.0, MAX_CRAWL_DELAY)


def robots_url(origin: str) -> str:
    """Where the rules of an origin stand."""
    return f"{origin}/robots.txt"


def read_robots(client: Client, origin: str, receipt: Receipt | None, now: float) -> tuple[Robots, bool]:
    """The rules of an origin, from an earlier run while they are valid, and whether they are new.

    No robots.txt allows everything. Raises FetchError when the host cannot say and never did.
    """
    url = robots_url(origin)
    kept = _kept(receipt)
    if kept and 0 <= now - kept["read"] < _VALID_SECONDS:
        return _again(url, kept, receipt, kept["read"]), False
    try:
        response = _fetched(client, url, receipt if kept else None)
    except AddressRefused:  # nobody was asked, so nothing is known of rules
        raise
    except FetchError as error:
        if not error.mendable:  # 4xx and the like: there are no rules
            return Robots(url, "", now, None, None), True
        if kept:
            return _again(url, kept, receipt, kept["read"]), False
        raise
    with response.body as body:
        if response.status == NOT_MODIFIED and kept:
            return _again(url, kept, receipt, now), True
        text = body.read().decode("utf-8-sig", "replace")
    return Robots(url, text, now, response.etag, response.last_modified), True


def _fetched(client: Client, url: str, receipt: Receipt | None) -> Response:
    for _ in range(_MAX_REDIRECTS + 1):
        response = client.get(url, receipt, limit=_MAX_BYTES, cut=True)
        if response.location is None:
            return response
        response.body.close()
        url, receipt = _redirected(url, response.location), None
    raise FetchError("too many redirects")  # RFC 9309: as if there were none


def _redirected(url: str, location: str) -> str:
    try:
        return web_address(location, url)
    except SourceError as error:
        raise FetchError(str(error)) from error


def _kept(receipt: Receipt | None) -> dict[str, Any] | None:
    try:
        kept = json.loads(receipt.stamp) if receipt and receipt.stamp else None
    except ValueError:
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("read"), int) and "text" in kept else None


def _again(url: str, kept: dict[str, Any], receipt: Receipt | None, read: float) -> Robots:
    etag, last_modified = (receipt.etag, receipt.last_modified) if receipt else (None, None)
    return Robots(url, str(kept["text"]), read, etag, last_modified)
