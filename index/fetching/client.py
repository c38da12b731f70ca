"""One request, one response, within bounds. The one module that knows urllib3.

A response is bounded in silence (read timeout), in whole (deadline, headers included: a server may
send a byte a second for ever) and in size, counted while it is unpacked. Redirects are handed back,
not followed. A connection is made to an address that was looked at, never to a name that might lead
elsewhere by then; proxies that the environment names are not asked, because they would look names up.
"""

import hashlib
import http.client
import io
import socket
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)  # fmt: skip

from index.article import Receipt
from index.errors import SourceError
from index.fetching.addresses import Network, reason_against, resolved
from index.fetching.kinds import refuse_type
from index.fetching.settings import MIB, FetchSettings

# Bodies beyond this wait on the disk: many may wait, few are longer.
_MEMORY_BYTES = MIB
_CHUNK_BYTES = 64 * 1024
_ENCODINGS = ("gzip", "x-gzip", "br", "deflate", "identity", "")
_ACCEPT = (
    "text/html, application/xhtml+xml, application/rss+xml, application/atom+xml, application/feed+json, "
    "application/xml;q=0.9, text/plain;q=0.8, application/json;q=0.8, */*;q=0.5"
)
# A validator of our own, for servers that send none; a server's ETag stands in quotes.
BODY_HASH = "sha256:"

NOT_MODIFIED = 304
_REDIRECTS = (301, 302, 303, 307, 308)
# May be gone at the next try (RFC 9110, 15.5 and 15.6; 52x are Cloudflare's).
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504, *range(520, 531)))
# Of one host; each may keep silent for as long as the connect timeout.
_MOST_ADDRESSES = 4
_STATUS_WORDS = {
    401: "needs a login", 402: "needs a subscription", 403: "refused by the server", 404: "not found",
    410: "taken down", 429: "too many requests", 451: "withheld for legal reasons", 500: "the server failed",
    502: "the server failed", 503: "the server is not available", 504: "the server failed",
}  # fmt: skip


class FetchError(SourceError):
    """A response that cannot be had; the message is the reason.

    `mendable`: another run may have it; then the feed that named it has to be read again. `again`:
    another try in this run may, after `wait` seconds if the server said so. `asked`: a request was
    made.
    """

    def __init__(
        self, reason: str, *, mendable: bool = False, again: bool = False, wait: float | None = None, asked: bool = True
    ) -> None:
        super().__init__(reason)
        self.asked = asked
        self.mendable = mendable or again
        self.again = again
        self.wait = wait


class AddressRefused(FetchError):
    """A host that is nowhere but where connections are not made to; see `index.fetching.addresses`."""

    def __init__(self, host: str, address: str, kind: str) -> None:
        where = host if host.strip("[]") == address else f"{host}, which is {address},"
        network = address.partition("%")[0]
        super().__init__(
            f"{where} is not of the public internet ({kind}); allow it with --allow-network {network}", asked=False
        )


@dataclass(frozen=True, slots=True)
class Response:
    """A response that is a success, a redirect (`location`) or not modified.

    `body` is unpacked and stands at its beginning; `etag` is a hash of it where the server sends none.
    """

    status: int
    content_type: str
    charset: str | None
    etag: str | None
    last_modified: str | None
    location: str | None
    body: IO[bytes]
    size: int


class Client:
    """Connections to many hosts, for use by many threads; `close` ends what is under way."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._readers: weakref.WeakSet[_TimedReader] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._closed = False
        self._pool = _Pools(self._timed_reader, settings.networks, num_pools=2 * settings.hosts, maxsize=1)

    def get(self, url: str, receipt: Receipt | None = None, *, limit: int, cut: bool = False) -> Response:
        """The response to a GET, conditional where `receipt` has validators.

        What is longer than `limit` is refused, or cut off there. Raises FetchError.
        """
        began = time.monotonic()
        try:
            raw = self._pool.request(
                "GET", url, headers=self._headers(receipt), redirect=False, retries=False, preload_content=False,
                timeout=urllib3.Timeout(connect=self._settings.connect_timeout, read=self._settings.read_timeout),
            )  # fmt: skip
            try:
                return self._read(raw, limit, cut)
            finally:
                raw.close()  # where all was read, the connection has gone back to be used again
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            late = time.monotonic() - began >= self._settings.deadline
            raise self._failure(error, urlsplit(url).hostname or url, late=late) from error

    def close(self) -> None:
        """Ends all connections; threads that wait for one get an error at once."""
        with self._guard:
            self._closed = True
            readers = list(self._readers)
        for reader in readers:
            reader.abort()
        self._pool.clear()

    def _headers(self, receipt: Receipt | None) -> dict[str, str]:
        headers = {
            "User-Agent": self._settings.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, br, deflate",
        }  # fmt: skip
        if receipt and receipt.etag and not receipt.etag.startswith(BODY_HASH):
            headers["If-None-Match"] = receipt.etag
        if receipt and receipt.last_modified:
            headers["If-Modified-Since"] = receipt.last_modified
        return headers

    def _read(self, raw: urllib3.BaseHTTPResponse, limit: int, cut: bool) -> Response:
        _refuse_status(raw)
        location = raw.headers.get("Location") if raw.status in _REDIRECTS else None
        content_type, charset = _media_type(raw.headers.get("Content-Type", ""))
        body: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - handed on open
        try:
            hashed, size = hashlib.sha256(), 0
            if raw.status not in (*_REDIRECTS, NOT_MODIFIED):
                refuse_type(content_type)
                for chunk in _chunks(raw, limit, cut):
                    hashed.update(chunk)
                    size += len(chunk)
                    body.write(chunk)
            elif raw.status == NOT_MODIFIED:
                raw.drain_conn()
            body.seek(0)
        except BaseException:
            body.close()
            raise
        etag = _validator(raw, "ETag") or (f"{BODY_HASH}{hashed.hexdigest()}" if raw.status < 300 else None)
        return Response(raw.status, content_type, charset, etag, _validator(raw, "Last-Modified"), location, body, size)

    def _timed_reader(self, sock: socket.socket, raw: io.RawIOBase) -> io.BufferedReader:
        reader = _TimedReader(sock, raw, self._settings)
        with self._guard:
            if self._closed:
                reader.close()  # nobody else knows of it
                raise ConnectionAbortedError("closed")
            self._readers.add(reader)
        return io.BufferedReader(reader, _CHUNK_BYTES)

    def _failure(self, error: Exception, host: str, *, late: bool) -> FetchError:  # noqa: PLR0911 - a table
        match error:
            case LocationValueError() | UnicodeError():
                return FetchError("no web address that can be asked")
            case DecodeError():
                return FetchError("damaged: cannot be unpacked", mendable=True)
            case _ if late:
                return FetchError(f"not finished after {self._settings.deadline:g} s", mendable=True)
            case NameResolutionError():
                return FetchError(f"no such host: {host}", again=True)
            case NewConnectionError():
                return FetchError(f"no connection to {host}", again=True)
            case ConnectTimeoutError():
                return FetchError(f"no connection to {host} within {self._settings.connect_timeout:g} s", again=True)
            case ReadTimeoutError() | TimeoutError():
                return FetchError(f"no answer within {self._settings.read_timeout:g} s", again=True)
            case SSLError():
                return FetchError(f"the certificate or encryption of {host} is not in order", mendable=True)
            case _:
                return FetchError("the connection broke off", again=True)


def _refuse_status(raw: urllib3.BaseHTTPResponse) -> None:
    status = raw.status
    if status in _REDIRECTS and not raw.headers.get("Location"):
        raise FetchError(f"a redirect to nowhere ({status})")
    if status in (200, 203, NOT_MODIFIED, *_REDIRECTS):
        return
    reason = f"{_STATUS_WORDS.get(status, 'no page')} ({status})"
    if status in _PASSING:
        raise FetchError(reason, again=True, wait=_retry_after(raw.headers.get("Retry-After")))
    raise FetchError(reason, mendable=status >= 500)


def _chunks(raw: urllib3.BaseHTTPResponse, limit: int, cut: bool) -> Iterator[bytes]:
    """The body, unpacked bit by bit: urllib3 unpacks no more than it is asked for."""
    encoding = raw.headers.get("Content-Encoding", "").lower()
    if unknown := [name for name in (part.strip() for part in encoding.split(",")) if name not in _ENCODINGS]:
        raise FetchError(f"packed in a way that Dateline does not read ({unknown[0]})")
    size = 0
    for chunk in raw.stream(_CHUNK_BYTES, decode_content=True):
        size += len(chunk)
        if size > limit and not cut:
            raise FetchError(f"larger than {limit / MIB:.3g} MiB")
        yield chunk[: len(chunk) - max(0, size - limit)]
        if size >= limit and cut:
            return


def _media_type(header: str) -> tuple[str, str | None]:
    """The media type in lower case, and the charset if one is declared."""
    message = Message()
    with suppress(ValueError):  # a header with a line break in it
        message["Content-Type"] = header
    charset = message.get_param("charset")
    return (message.get_content_type() if "/" in header else ""), charset.lower() if isinstance(charset, str) else None


def _validator(raw: urllib3.BaseHTTPResponse, name: str) -> str | None:
    """A header that goes back as it came, if it can be one."""
    value = raw.headers.get(name, "").strip()
    return value if 0 < len(value) <= _LONGEST_VALIDATOR and value.isprintable() and value.isascii() else None


_LONGEST_VALIDATOR = 512  # servers refuse requests with long headers; real ETags have 64 characters at most


def _retry_after(header: str | None) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110, 10.2.3)."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header.strip()[:9])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


class _TimedReader(io.RawIOBase):
    """Reads a socket until the deadline of the response, however busily it trickles."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, settings: FetchSettings) -> None:
        self._sock = sock
        self._raw = raw  # keeps the socket open while the response is read
        self._silence = settings.read_timeout
        self._deadline = time.monotonic() + settings.deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """What the socket has, or TimeoutError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response is not finished")
        self._sock.settimeout(min(self._silence, left))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        """Lets go of the socket."""
        self._raw.close()
        super().close()

    def abort(self) -> None:
        """Makes a read under way in another thread end."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, timed_reader: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = timed_reader(sock, self.fp.detach())


class _CheckedConnection(HTTPConnection):
    """Looks its host up once, and connects to one of the addresses that it may connect to, by number."""

    networks: ClassVar[tuple[Network, ...]] = ()

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        last: Exception | None = None
        for address in self._open_addresses(name):
            self._dns_host = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError) as error:
                last = error
            finally:
                self._dns_host = name  # which certificates are compared with
        raise last or NewConnectionError(self, "no address")

    def _open_addresses(self, name: str) -> list[str]:
        """At least one address. Raises AddressRefused and NameResolutionError."""
        try:
            found = resolved(name.strip("[]"), self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        reasons = {address: reason_against(address, self.networks) for address in found}
        open_ones = [address for address, reason in reasons.items() if not reason]
        if reasons and not open_ones:
            raise AddressRefused(self.host, *next(iter(reasons.items())))
        return open_ones[:_MOST_ADDRESSES]


class _CheckedTLSConnection(_CheckedConnection, HTTPSConnection):
    """The same for https."""


class _Pools(urllib3.PoolManager):
    """Connections to the internet and `networks`, whose responses are read through `timed_reader`."""

    def __init__(self, timed_reader: Any, networks: tuple[Network, ...], **options: Any) -> None:
        super().__init__(**options)
        own = {
            "response_class": staticmethod(partial(_TimedResponse, timed_reader=timed_reader)), "networks": networks
        }  # fmt: skip
        self._connections = {
            "http": type("_TimedHTTPConnection", (_CheckedConnection,), own),
            "https": type("_TimedHTTPSConnection", (_CheckedTLSConnection,), own),
        }

    def _new_pool(self, scheme: str, *arguments: Any, **options: Any) -> urllib3.HTTPConnectionPool:
        pool = super()._new_pool(scheme, *arguments, **options)
        pool.ConnectionCls = self._connections[scheme]
        return pool
