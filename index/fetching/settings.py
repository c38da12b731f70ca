"""How the web is read: politely, and never longer or more than is sane."""

import threading
import time
from dataclasses import dataclass, field

from index.fetching.addresses import Network

MIB = 2**20


class Clock:
    """The time, and waiting for it to pass; tests bring one that does not keep them waiting."""

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, never set back."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Waits, holding `condition`, until it is notified or `seconds` have passed."""
        condition.wait(seconds)


def default_user_agent() -> str:
    """The name that Dateline gives itself on the web."""
    from importlib.metadata import version

    return f"{PRODUCT}/{version('dateline')} (+news search; obeys robots.txt)"


PRODUCT = "Dateline"
"""The name by which a robots.txt addresses us (RFC 9309, 2.2.1)."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Times are in seconds, sizes in bytes after unpacking.

    `delay` lies between two requests to one host, `hosts` are read at a time, `connect_timeout` and
    `read_timeout` bound one silence, `deadline` a whole response, `retries` follow a first try that
    failed in passing. Entries of feeds and sitemaps from before the ISO day `since` are passed over.
    Connections are made to the public internet and to `networks`, nowhere else.
    """

    delay: float = 1.0  # what people who run news sites ask of crawlers that they do not know
    since: str | None = None
    networks: tuple[Network, ...] = ()
    connect_timeout: float = 10.0
    read_timeout: float = 20.0  # slow sites answer in ten
    deadline: float = 60.0  # 32 MiB in a minute is half a megabyte a second
    max_bytes: int = 32 * MIB  # as for files: what is longer is no article
    retries: int = 2
    hosts: int = 8  # threads that mostly wait; one host costs one request a second
    user_agent: str = field(default_factory=default_user_agent)
    clock: Clock = field(default_factory=Clock)
