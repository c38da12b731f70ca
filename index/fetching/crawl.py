"""From web addresses to documents: what is fetched, in which order, and what is made of it."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from index.article import Receipt, SetAside
from index.errors import SourceError
from index.fetching.client import NOT_MODIFIED, Client, FetchError, Response
from index.fetching.contents import kind_of_response, same_body, unpacked_body
from index.fetching.entries import Entry, Part, record_of, vouching, web_address
from index.fetching.feeds import MAX_FEED_BYTES, feed_entries
from index.fetching.hosts import Hosts, Result, Task
from index.fetching.json_feeds import json_feed_entries
from index.fetching.settings import FetchSettings
from index.fetching.sitemaps import MAX_SITEMAP_BYTES, listed_entries, sitemap_entries
from index.reading.documents import Document
from index.urls import normalised_url

MAX_REDIRECTS = 5  # what RFC 9110, 15.4, remembers of RFC 2068; browsers follow 20, no article needs more
MAX_DEPTH = 3
"""Sitemap indexes above a sitemap. The protocol knows one; some large sites have two."""
# Given addresses worked off at a time; each feed or sitemap among them holds its entries or a file.
_MOST_OPEN = 32
_SINCE = " since "  # between what a sitemap index says of a sitemap and the day it was read from

_Item = Document | SetAside | Receipt
_Named = Entry | Part


@dataclass(slots=True, eq=False)
class _Source:
    """A feed or sitemap that is being worked off, or the list of addresses that was given.

    `receipts` are yielded once nothing is outstanding, unless it is spoilt: unless something failed
    that another run may mend.
    """

    url: str
    named: Iterator[_Named]
    parent: "_Source | None" = None
    depth: int = 0
    receipts: list[Receipt] = field(default_factory=list)
    body: IO[bytes] | None = None
    held: _Named | None = None
    exhausted: bool = False
    outstanding: int = 0
    spoilt: bool = False
    unvouched: bool = False  # an index that does not say when its sitemaps change
    given_up: str = ""


class Crawl:
    """One run over web addresses; see `documents_from_web`."""

    def __init__(self, known: Callable[[str], Receipt | None], settings: FetchSettings) -> None:
        self._known = known
        self._settings = settings
        self._hosts = Hosts(Client(settings), settings, known)
        self._sources: deque[_Source] = deque()
        self._pages: set[int] = set()  # by a hash of eight bytes: a run may fetch a million
        self._addresses: set[str] = set()  # of what was given, feeds and sitemaps, to the letter

    def run(self, urls: Sequence[str]) -> Iterator[_Item]:
        """Everything that comes of `urls`."""
        self._sources.append(_Source("", iter([Part(url) for url in urls])))
        try:
            while self._sources or self._hosts.pending:
                yield from self._plan()
                if self._hosts.pending:
                    yield from self._handle(self._hosts.take())
        finally:
            self._hosts.close()
            for source in self._sources:
                _close(source)

    # What is fetched next

    def _plan(self) -> Iterator[_Item]:
        """Queues what the hosts have room for, going round the sources, one entry from each."""
        blocked = 0
        while self._sources and blocked < len(self._sources) and not self._hosts.has_results():
            source = self._sources[0]
            self._sources.rotate(-1)
            if source.held is None and not source.exhausted:
                yield from self._pull(source)
            if source.held is not None and self._has_room(source, source.held):
                named, source.held = source.held, None
                yield from self._queue(source, named)
                blocked = 0
            elif source.held is None and source.exhausted:
                self._sources.remove(source)
                yield from self._finish(source)
            elif source.held is not None:
                blocked += 1

    def _pull(self, source: _Source) -> Iterator[_Item]:
        """The next entry that is not to be passed over, into `source.held`."""
        try:
            source.held = next((named for named in source.named if self._is_wanted(source, named)), None)
            source.exhausted = source.held is None
        except SourceError as error:
            source.exhausted = source.spoilt = True
            yield SetAside(source.url, str(error), source.url)

    def _is_wanted(self, source: _Source, named: _Named) -> bool:
        """Whether an entry is new or changed, as far as the feed or sitemap says."""
        since = self._settings.since
        if since and named.day and named.day < since:
            return False
        if isinstance(named, Part):
            if source.parent or source.url:
                source.unvouched |= vouching(named.stamp, self._settings.clock.time()) is None
                return not self._is_covered(named)
            return True
        earlier = self._known(self._receipt_name(source, named)) if named.stamp else None
        return earlier is None or earlier.stamp is None or earlier.stamp != named.stamp

    def _has_room(self, source: _Source, named: _Named) -> bool:
        # A sitemap index opens one sitemap after the other.
        if isinstance(named, Part) and source.outstanding >= (1 if source.url else _MOST_OPEN):
            return False
        try:
            return not named.link or self._hosts.has_room(web_address(named.link))
        except SourceError:
            return True  # it is going to be refused

    def _queue(self, source: _Source, named: _Named) -> Iterator[_Item]:
        if named.link is None:
            yield from self._without_page(source, named, FetchError("no link and no text in the feed"))
            return
        try:
            link = web_address(named.link)
        except SourceError as error:
            yield from self._without_page(source, named, FetchError(str(error)))
            return
        if isinstance(named, Part):
            if (reason := self._reason_against(source, link)) is not None:
                if reason:
                    yield SetAside(link, reason, source.url)
                return
            self._addresses.add(link)
        elif link in self._addresses or not self._is_first(link):
            if link in _lineage(source):
                yield SetAside(link, "the feed or sitemap names itself", source.url)
            return
        if self._hosts.given_up(link):
            yield from self._give_up(source, named, link)
            return
        page = self._settings.max_bytes
        limit = page if isinstance(named, Entry) else max(page, MAX_SITEMAP_BYTES)
        source.outstanding += 1
        self._hosts.add(Task(link, link, source, named, limit, receipt=self._usable(link, named)))

    def _reason_against(self, source: _Source, link: str) -> str | None:
        """Why a sitemap is not opened; empty where that needs no words."""
        if source.url and link in _lineage(source):
            return "the sitemap index names itself"
        if link in self._addresses:
            return ""
        return f"more than {MAX_DEPTH} sitemap indexes above it" if source.depth > MAX_DEPTH else None

    def _give_up(self, source: _Source, named: _Named, link: str) -> Iterator[_Item]:
        """A host that is not asked any more: said once for a feed or sitemap, not for each entry."""
        source.spoilt = True
        reason = self._hosts.given_up(link)
        if isinstance(named, Entry) and named.text:
            yield from self._without_page(source, named, FetchError(reason, mendable=True))
        elif isinstance(named, Part) and not source.url:
            yield SetAside(link, reason, link)
        elif not source.given_up:
            source.given_up = reason
            yield SetAside(source.url, f"{reason}: the rest is left for another run", source.url)

    # What came back

    def _handle(self, result: Result) -> Iterator[_Item]:
        task, source = result.task, result.task.source
        assert isinstance(source, _Source)
        response = result.response
        try:
            yield from task.robots
            task.robots = []
            if result.failure:
                raise result.failure
            assert response is not None
            if response.location is not None:
                if self._redirect(task, response.location):
                    return  # it stays outstanding
            elif response.status == NOT_MODIFIED or same_body(response, task.receipt):
                yield from (
                    receipt for receipt in self._receipts(task, response) if self._known(receipt.url) != receipt
                )
            elif self._opens(task, response):
                response = None  # its body is read bit by bit; the source stays outstanding for it
                return
            else:
                yield from self._page(task, response)
        except SourceError as error:
            failure = error if isinstance(error, FetchError) else FetchError(str(error))
            yield from self._without_page(source, task.named, failure, task.link)
        finally:
            if response is not None:
                response.body.close()
        source.outstanding -= 1
        yield from self._finish(source)

    def _redirect(self, task: Task, location: str) -> bool:
        """Sends a task on to where it is redirected; False where that is being read anyway."""
        try:
            target = web_address(location, task.url)
        except SourceError as error:
            raise FetchError(f"redirects to {error}".replace("no web address", "what is no web address")) from error
        trail = (*task.trail, task.url)
        if target in trail:
            raise FetchError("redirects in a circle")
        if len(trail) > MAX_REDIRECTS:
            raise FetchError(f"more than {MAX_REDIRECTS} redirects")
        if isinstance(task.named, Entry) and _key(target) != _key(task.link) and not self._is_first(target):
            return False
        task.trail, task.url, task.tries = trail, target, 0
        task.receipt = self._usable(target, task.named)
        self._hosts.add(task, first=True)
        return True

    def _opens(self, task: Task, response: Response) -> bool:
        """Whether a response is a feed or sitemap; then it becomes a source. Raises SourceError."""
        kind = kind_of_response(response)
        if kind not in ("feed", "json feed", "sitemap", "list of urls"):
            return False
        if isinstance(task.named, Entry):
            raise FetchError("a feed or sitemap, not a page")
        named: Iterator[_Named]
        if kind in ("sitemap", "list of urls"):
            named = (sitemap_entries if kind == "sitemap" else listed_entries)(response.body, task.url)
        else:
            data = unpacked_body(response, MAX_FEED_BYTES)
            named = json_feed_entries(data, task.url) if kind == "json feed" else feed_entries(
                data, task.url, response.charset
            )  # fmt: skip
        parent = task.source
        assert isinstance(parent, _Source)
        self._addresses.add(task.url)
        self._sources.append(
            _Source(
                task.url, _guarded(named), parent, parent.depth + 1, list(self._receipts(task, response)), response.body
            )
        )
        return True

    def _page(self, task: Task, response: Response) -> Iterator[_Item]:
        if isinstance(task.named, Part) and isinstance(task.source, _Source) and task.source.url:
            raise FetchError("a page, not a sitemap")
        if isinstance(task.named, Part) and not self._is_first(task.url):
            return  # a feed named it, too
        kind = kind_of_response(response)
        stated = task.named.stated if isinstance(task.named, Entry) else {}
        data = unpacked_body(response, self._settings.max_bytes)
        assert kind in ("html", "text", "json")
        yield Document(
            task.link, kind, data, len(data), origin=task.link, url=task.url, charset=response.charset, stated=stated
        )
        yield from self._receipts(task, response)

    def _without_page(
        self, source: _Source, named: _Named | None, failure: FetchError, link: str | None = None
    ) -> Iterator[_Item]:
        """An entry whose page cannot be had: from the feed if that has the whole text, or set aside."""
        source.spoilt |= failure.mendable
        reason = str(failure)
        if not isinstance(named, Entry):
            name = link or (named.link if named else "") or source.url
            yield SetAside(name, reason, link or source.url)
        elif named.text:
            data = record_of(named, source.url, reason)
            name = named.link or f"{source.url}#{named.key or ''}"
            yield Document(name, "json", data, len(data), origin=link or source.url)
            if not failure.mendable and (stamp := self._mark(named)):
                yield Receipt(self._receipt_name(source, named), stamp=stamp)
        else:
            yield SetAside(named.link or source.url, reason, link or source.url)

    def _finish(self, source: _Source | None) -> Iterator[_Item]:
        """A source's own receipts, once all that it named has been yielded."""
        while source and source.exhausted and not source.outstanding and source.held is None:
            _close(source)
            if not source.spoilt:
                yield from (Receipt(receipt.url) if source.unvouched else receipt for receipt in source.receipts)
            parent = source.parent
            if parent:
                parent.spoilt |= source.spoilt
                parent.outstanding -= 1
            source = parent

    # What earlier runs left

    def _receipts(self, task: Task, response: Response) -> Iterator[Receipt]:
        """Validators belong to the address that was asked, the stamp to the link that was named."""
        stamp = self._mark(task.named)
        if task.url != task.link and stamp:
            yield Receipt(task.link, stamp=stamp)
        earlier = task.receipt if response.status == NOT_MODIFIED else None
        yield Receipt(
            task.url,
            response.etag or (earlier.etag if earlier else None),
            response.last_modified or (earlier.last_modified if earlier else None),
            stamp,
        )

    def _receipt_name(self, source: _Source, entry: Entry) -> str:
        return entry.link or f"{source.url}#{entry.key or entry.stamp}"

    def _mark(self, named: _Named | None) -> str | None:
        """The stamp to keep: of a feed or sitemap with the day from which on it was read."""
        if named is None:
            return None
        stamp = vouching(named.stamp, self._settings.clock.time())
        if isinstance(named, Entry) or not self._settings.since:
            return stamp
        return f"{stamp or ''}{_SINCE}{self._settings.since}"

    def _usable(self, url: str, named: _Named | None) -> Receipt | None:
        """The receipt of an earlier run, unless that passed over what is wanted now."""
        receipt = self._known(url)
        if receipt is None or not isinstance(named, Part):
            return receipt
        since = (receipt.stamp or "").partition(_SINCE)[2]
        return receipt if not since or (self._settings.since or "") >= since else None

    def _is_covered(self, part: Part) -> bool:
        """Whether an earlier run read this sitemap, and it has not changed since."""
        if not part.stamp:
            return False
        try:
            receipt = self._usable(web_address(part.link), part)
        except SourceError:
            return False
        return receipt is not None and (receipt.stamp or "").partition(_SINCE)[0] == part.stamp

    def _is_first(self, link: str) -> bool:
        """Whether an article's address is new in this run; from then on it is not."""
        key = _key(link)
        if key in self._pages:
            return False
        self._pages.add(key)
        return True


def _key(link: str) -> int:
    try:
        text = normalised_url(link).encode("utf-8", "replace")
    except ValueError:  # a host in brackets that is no address
        text = link.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _guarded(named: Iterator[_Named]) -> Iterator[_Named]:
    """Turns what a parser raises by mistake into a reason: one bad feed never stops a run."""
    try:
        yield from named
    except (SourceError, ImportError):  # a broken installation is no fault of the feed
        raise
    except Exception as error:
        raise SourceError(f"unexpected {type(error).__name__} while reading the feed: {error}") from error


def _lineage(source: _Source | None) -> Iterator[str]:
    while source:
        yield source.url
        source = source.parent


def _close(source: _Source) -> None:
    if source.body:
        source.body.close()
