"""Unpacking with a bound: no few kilobytes may become gigabytes."""

import gzip
import io
import zlib
from typing import IO

from index.errors import SourceError

GZIP = b"\x1f\x8b"
_BLOCK = 64 * 1024


class Unpacked(io.RawIOBase):
    """What a gzip stream holds, also of several members; damage raises SourceError."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Some bytes, 0 at the end."""
        try:
            data = self._file.read1(len(buffer))
        except EOFError as error:
            raise SourceError("damaged gzip file: it ends too early") from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise SourceError("damaged gzip file") from error
        buffer[: len(data)] = data
        return len(data)


def body_of(data: bytes, encodings: str, limit: int) -> bytes:
    """A response body without its content encodings ("gzip, br"), of at most `limit` bytes.

    A body that says it is packed and is not is taken as it is, as browsers do. Raises SourceError.
    """
    for encoding in reversed([name.strip().lower() for name in encodings.split(",")]):
        match encoding:
            case "gzip" | "x-gzip" if data.startswith(GZIP):
                data = _inflated(data, 16 + zlib.MAX_WBITS, limit)
            case "deflate":
                data = _deflated(data, limit)
            case "br":
                data = _without_brotli(data, limit)
            case "gzip" | "x-gzip" | "identity" | "":
                continue
            case _:
                raise SourceError(f"packed in a way that Dateline does not read ({encoding[:20]})")
    return data


def _deflated(data: bytes, limit: int) -> bytes:
    """With the zlib header that the standard asks for (RFC 9110, 8.4.1.2), or without."""
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            return _inflated(data, bits, limit)
        except _DamagedError:
            continue
    return data


def _inflated(data: bytes, bits: int, limit: int) -> bytes:
    machine = zlib.decompressobj(bits)
    try:
        unpacked = machine.decompress(data, limit + 1)
    except zlib.error as error:
        raise _DamagedError from error
    if len(unpacked) > limit:
        raise SourceError(f"larger than {limit >> 20} MiB unpacked")
    return unpacked


def _without_brotli(data: bytes, limit: int) -> bytes:
    import brotli

    machine = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        part = machine.process(data, output_buffer_limit=_BLOCK)
        while part:
            size += len(part)
            if size > limit:
                raise SourceError(f"larger than {limit >> 20} MiB unpacked")
            parts.append(part)
            part = machine.process(b"", output_buffer_limit=_BLOCK)
    except brotli.error as error:
        if not parts:
            return data
        raise _DamagedError from error
    return b"".join(parts)


class _DamagedError(SourceError):
    def __init__(self) -> None:
        super().__init__("damaged: cannot be unpacked")
