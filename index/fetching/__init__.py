"""Documents out of the web: pages, and what feeds and sitemaps name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.fetching.settings import FetchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from index.article import Receipt, SetAside
    from index.reading.documents import Document

__all__ = ["FetchSettings", "documents_from_web"]


def documents_from_web(
    urls: Sequence[str], known: Callable[[str], Receipt | None], settings: FetchSettings
) -> Iterator[Document | SetAside | Receipt]:
    """The pages at `urls`, and those that the feeds and sitemaps among them name.

    `known` gives the receipt that an earlier run yielded for an address; it is called in the thread
    that iterates. A page's receipts follow its document; a feed's or sitemap's own receipt follows
    everything that it named, unless something failed that another run may mend. Several hosts are
    read at a time, so their documents mix; those of one host keep their order.
    """
    from index.fetching.crawl import Crawl

    return Crawl(known, settings).run(urls)
