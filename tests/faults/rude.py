"""Clients that break the rules, or keep to them badly: what each sends, and what may come of it.

    python tests/faults/rude.py PORT [--seconds 600]

keeps a crowd of them at a server: some that say nothing, some that say it a byte a second, some that read so, some
that vanish, and all of `SENT` again and again. load.py runs it beside its other clients.
"""

import argparse
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_POST = b"POST /api/v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_BODY = b'{"q":"harbour"}'
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_WHOLE_CHUNKS = b"f\r\n" + _BODY + b"\r\n0\r\n\r\n"
_SECOND = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PIPELINED = 100
CUT = 0
"""Instead of a status: the connection ended without an answer, or none came within the time that was waited."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes on a connection of their own, and the statuses one of which has to come back, `answers` times at most."""

    name: str
    raw: bytes
    expected: tuple[int, ...]
    answers: int = 1


SENT = (
    Sent("a header of 64 KB", _HEAD + b"X-A: " + b"a" * 65_536 + b"\r\n\r\n", (200, 431)),
    Sent("a header of 1 MB", _HEAD + b"X-A: " + b"a" * (1 << 20) + b"\r\n\r\n", (431, CUT)),
    Sent("5,000 headers", _HEAD + b"".join(b"X-%d: a\r\n" % at for at in range(5000)) + b"\r\n", (431, CUT)),
    Sent("an address of 70 KB", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", (414, CUT)),
    Sent("100 requests in one packet", (_HEAD + b"\r\n") * PIPELINED, (200,), PIPELINED),
    Sent("a body of 10 MB", _POST + b"Content-Length: 10000000\r\n\r\n" + b"a" * 10_000_000, (413, CUT)),
    Sent("a body without an end", _CHUNKED + (b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 50, (413, CUT)),
    Sent("a body in chunks", _CHUNKED + _WHOLE_CHUNKS, (200, 503)),
    Sent("chunks that are none", _CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", (400, CUT)),
    Sent("a chunk of 16 exabytes", _CHUNKED + b"ffffffffffffffff\r\n{}", (400, CUT)),
    Sent("a body that is shorter than announced", _POST + b"Content-Length: 50\r\n\r\n{}", (503, CUT)),
    Sent(
        "a length and chunks",
        _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + _WHOLE_CHUNKS + _SECOND, (200, 400, 503),
    ),
    Sent("two lengths", _POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345", (400,)),
    Sent("an unknown encoding", _POST + b"Transfer-Encoding: xchunked\r\n\r\n" + _WHOLE_CHUNKS, (400,)),
    Sent("a blank before the colon", _POST + b"Transfer-Encoding : chunked\r\n\r\n" + _WHOLE_CHUNKS, (400,)),
    Sent("a request in the body of another", _HEAD + b"Content-Length: 46\r\n\r\n" + _SECOND, (200,)),
    Sent("TLS to a plain port", b"\x16\x03\x01\x02\x00" + b"\x00" * 200, (400, CUT)),
    Sent("HTTP/2 to HTTP/1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505, CUT)),
    Sent("a tunnel", b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", (403, 404, 405)),
    Sent("a null in an address", b"GET /hea\x00lthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", (400,)),
    Sent("half a request, then the end", _HEAD, (400, CUT)),
)  # fmt: skip


def statuses(port: int, sent: Sent, patience: float = 1.0) -> list[int]:
    """The statuses that come back, until nothing has for `patience` seconds or the server closes the connection."""
    received = bytearray()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):  # the server may have heard enough
            connection.sendall(sent.raw)
            connection.settimeout(patience)
        while more := connection.recv(1 << 16):
            received += more
    answers = bytes(received).split(b"HTTP/1.1 ")[1:]
    return [int(answer[:3]) for answer in answers] or [CUT]


def is_expected(sent: Sent, found: list[int]) -> bool:
    """Whether the server took the bytes as it should."""
    return set(found) <= set(sent.expected) and len(found) <= sent.answers


class Crowd:
    """Connections that are kept open and hardly used; `tick` does for each what it does every second."""

    def __init__(self, port: int, open_one: Callable[[int], socket.socket], number: int, tick: bytes = b"") -> None:
        self._port, self._open_one, self._number, self._tick = port, open_one, number, tick
        self._open: list[socket.socket] = []

    def go_on(self) -> None:
        """Sends or reads a byte on each, and opens more in place of those that the server has closed."""
        for connection in list(self._open):
            try:
                if self._tick:
                    connection.send(self._tick)
                elif not connection.recv(1):
                    raise ConnectionError
            except BlockingIOError:
                continue
            except OSError:
                connection.close()
                self._open.remove(connection)
        with suppress(OSError):
            while len(self._open) < self._number:
                connection = self._open_one(self._port)
                connection.setblocking(False)
                self._open.append(connection)

    def close(self) -> None:
        """Leaves."""
        for connection in self._open:
            connection.close()


def says_nothing(port: int) -> socket.socket:
    """A connection on which no request ever comes."""
    return socket.create_connection(("127.0.0.1", port), timeout=1)


def sends_slowly(port: int) -> socket.socket:
    """A posted search, of whose body only the first byte has come."""
    connection = says_nothing(port)
    connection.sendall(_POST + b"Content-Length: 60000\r\n\r\n{")
    return connection


def asks_slowly(port: int) -> socket.socket:
    """A request of whose head only the first line has come."""
    connection = says_nothing(port)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    return connection


def reads_slowly(port: int, path: bytes = b"/?q=harbour&size=50") -> socket.socket:
    """A search whose answer is hardly read, into the smallest buffer that there is."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.settimeout(1)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return connection


def exports_slowly(port: int) -> socket.socket:
    """Everything, of which next to nothing is read."""
    return reads_slowly(port, b"/export.jsonl?q=harbour")


def vanish(port: int) -> None:
    """Asks and is gone, without a goodbye: what comes back finds nobody."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET /?q=harbour HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def crowds(port: int, each: int) -> list[Crowd]:
    """So many of every kind that keeps its connection; few export, because a server lets few."""
    return [
        Crowd(port, says_nothing, 4 * each),
        Crowd(port, sends_slowly, each, b"a"),
        Crowd(port, asks_slowly, each, b"a"),
        Crowd(port, reads_slowly, each),
        Crowd(port, exports_slowly, max(1, each // 10)),
    ]


def main() -> None:
    """Is rude for a while, and prints how the server took it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance, end = random.Random(asked.seed), time.monotonic() + asked.seconds
    kept = crowds(asked.port, asked.each)
    tried: Counter[str] = Counter()
    unexpected: Counter[str] = Counter()
    while time.monotonic() < end:
        began = time.monotonic()
        for crowd in kept:
            crowd.go_on()
        vanish(asked.port)
        sent = chance.choice(SENT)
        found = statuses(asked.port, sent, patience=0.3)
        tried[sent.name] += 1
        # A server with too much to do may refuse anything, and a worker that is killed cuts it.
        if not is_expected(sent, found) and not set(found) <= {*sent.expected, 503, CUT}:
            unexpected[f"{sent.name}: {sorted(set(found))}"] += 1
        time.sleep(max(0.0, began + 1 - time.monotonic()))
    for crowd in kept:
        crowd.close()
    print(json.dumps({"connections_kept": asked.each * 7, "sent": tried.total(), "unexpected": unexpected}))


if __name__ == "__main__":
    main()
