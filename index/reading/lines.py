"""Lines of a stream in bounded memory, however long they are."""

import codecs
import io
from collections.abc import Callable, Iterator

_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# What the first bytes of a stream can tell: its encoding, and which character ends its lines.
SAMPLE_BYTES = 64 * 1024
_BLOCK = 64 * 1024


def bounded_lines(stream: io.BufferedIOBase, limit: int) -> Iterator[bytes | None]:
    """The lines with their ends; None for each that is longer than `limit` bytes, which is not held.

    UTF-16 with its mark becomes UTF-8. Where a text has no newline, carriage returns end its lines.
    """
    start = stream.peek(SAMPLE_BYTES)[:SAMPLE_BYTES] if isinstance(stream, io.BufferedReader) else b""
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if encoding:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        stream = _recoded(stream, lambda block: decoder.decode(block, final=not block).encode("utf-8", "replace"))
        start = start.decode(encoding, "replace").encode("utf-8", "replace")
    if b"\r" in start and b"\n" not in start:
        stream = _recoded(stream, lambda block: block.replace(b"\r", b"\n"))
    while line := stream.readline(limit + 1):
        if len(line) <= limit:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_BLOCK)
        yield None


def _recoded(stream: io.BufferedIOBase, recode: Callable[[bytes], bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Recoded(stream, recode), _BLOCK)


class _Recoded(io.RawIOBase):
    """A stream whose blocks pass through a function, which also gets the empty one at the end."""

    def __init__(self, stream: io.BufferedIOBase, recode: Callable[[bytes], bytes]) -> None:
        self._stream = stream
        self._recode = recode
        self._left = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Some bytes, 0 at the end."""
        while not self._left:
            block = self._stream.read(_BLOCK)
            self._left = self._recode(block)
            if not block:
                break
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
