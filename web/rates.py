"""How much one visitor may ask: so many requests a minute, with a burst, counted by all workers together.

The generic cell rate algorithm keeps one number a visitor: the moment at which everything that they have asked for
so far would have come if it had come evenly. That moment may lie ahead of now by as much as a burst is worth.

All numbers stand in one mapped file, each visitor's in the slot that a salted hash names. Two workers that count
the same visitor in the same microsecond may count once; two visitors with one slot share what they may ask, one in
65,536 of those that come within a minute.
"""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from pathlib import Path
from threading import Lock
from time import monotonic

from web.answers import Answer
from web.refusals import Refusals
from web.visits import Visit

_SLOTS = 1 << 16
_SLOT_BYTES = 8
# What may come at once: what ten seconds allow, and never less than a page with its style sheet and suggestions.
_BURST_SHARE = 6
_LEAST_BURST = 10
# A customer of an internet provider has at least so much of an IPv6 address to themselves.
_CUSTOMER_BITS = 64
# Moments are sums of many small steps.
_ROUNDING = 1e-6
_FREE = ("/healthz", "/readyz")
_FREE_FOLDER = "/static/"
_WHILE_TYPING = ("/api/v1/suggest", "/suggest.json")
TOO_MANY = "Too many requests in a short time. Wait a few seconds (Retry-After says how many) and ask again."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass: how many more could come now, and after how many seconds one, and all, can again."""

    passes: bool
    remaining: int
    retry_after: float
    full_after: float


class Rates:
    """The numbers of all visitors, in a mapped file that the workers of a server share, or else of this process."""

    def __init__(self, path: Path | None, salt: str, clock: Callable[[], float] = monotonic) -> None:
        if path is None:
            self._map = mmap.mmap(-1, _SLOTS * _SLOT_BYTES)
        else:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _SLOTS * _SLOT_BYTES)
        self._moments = memoryview(self._map).cast("d")
        self._salt = salt.encode()
        self._clock = clock
        self._lock = Lock()

    @staticmethod
    def prepare(path: Path) -> Path:
        """Makes the file."""
        with path.open("wb") as file:
            file.truncate(_SLOTS * _SLOT_BYTES)
        return path

    def ask(self, who: str, a_minute: int) -> Verdict:
        """Counts one request of a visitor, if it may pass."""
        slot = int.from_bytes(blake2b(who.encode(), key=self._salt, digest_size=2).digest())
        each = 60 / a_minute
        room = burst(a_minute) * each
        with self._lock:
            now = self._clock()
            even = min(max(self._moments[slot], now), now + room)  # more ahead is of who had a larger burst
            wait = even + each - (now + room)
            if wait <= _ROUNDING:
                even += each
                self._moments[slot] = even
        ahead = even - now
        return Verdict(wait <= _ROUNDING, max(0, int((room - ahead) / each + _ROUNDING)), max(0.0, wait), ahead)


def burst(a_minute: int) -> int:
    """How many requests may come at once."""
    return max(_LEAST_BURST, a_minute // _BURST_SHARE)


def seconds_to_wait(verdict: Verdict) -> str:
    """What Retry-After says to who may not pass."""
    return str(max(1, ceil(verdict.retry_after)))


class Limit:
    """Lets a visitor ask at most `a_minute` times a minute, or as often as their key says: 429 is for who asks more."""

    def __init__(self, rates: Rates, a_minute: int, refuse: Refusals) -> None:
        self._rates, self._a_minute, self._refuse = rates, a_minute, refuse

    def __call__(self, visit: Visit) -> Answer | None:
        """Refuses who has asked too much, and tells everybody else how much is left."""
        if visit.path in _FREE or visit.path.startswith(_FREE_FOLDER):
            return None
        own = visit.key.rate if visit.key else None
        a_minute = self._a_minute if own is None else own
        if not a_minute:
            return None
        who = f"key {visit.key.name}" if visit.key else neighbourhood(visit.environ.get("REMOTE_ADDR", ""))
        if visit.path in _WHILE_TYPING:
            who = f"suggestions {who}"  # they come with every letter, and must not use up what the search needs
        verdict = self._rates.ask(who, a_minute)
        visit.headers += (
            ("RateLimit-Limit", str(burst(a_minute))),
            ("RateLimit-Remaining", str(verdict.remaining)),
            ("RateLimit-Reset", str(ceil(verdict.full_after))),
        )
        if verdict.passes:
            return None
        retry = ("Retry-After", seconds_to_wait(verdict))
        return self._refuse(visit, 429, "too_many_requests", TOO_MANY, retry)


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """What of an address belongs to one visitor: all of IPv4, of IPv6 the network of a customer."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(int(known) >> (known.max_prefixlen - _CUSTOMER_BITS))
    return str(known)
