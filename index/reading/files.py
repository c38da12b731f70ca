"""Documents out of files, folders and standard input, without parsing more than the file needs to be cut up.

Which reader takes a file, its ending says. Memory holds one document at a time, however large the file.
"""

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from index.article import Receipt, SetAside
from index.errors import SourceError, UsageError
from index.reading.documents import Document, Kind
from index.reading.fields import GUESSED, FieldMap
from index.reading.lines import bounded_lines
from index.reading.signatures import START_BYTES, not_text
from index.reading.sources import STANDARD_INPUT, existing, found_below, is_web_address, reason_of, refused, shown
from index.reading.unpacking import GZIP, Unpacked

KINDS: dict[str, Kind] = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".json": "json",
}  # fmt: skip
MAX_DOCUMENT_BYTES = 32 * 2**20
"""The longest novel is a tenth of this; what is longer is no article."""

_BLOCK = 64 * 1024
# Parquet is read from its end, so a packed one is unpacked to a temporary file first; no larger than this.
_MOST_UNPACKED_BYTES = 2 * 2**30

FromWeb = Callable[[Sequence[str]], Iterator[Document | SetAside | Receipt]]


def documents(
    sources: Sequence[str], from_web: FromWeb | None = None, fields: FieldMap = GUESSED
) -> Iterator[Document | SetAside | Receipt]:
    """Every document of `sources`, in a stable order: files as they are named, then what is on the web.

    Web addresses are given to `from_web` together. `fields` says which columns of a table hold what.
    Raises UsageError, before anything is read, when a source does not exist.
    """
    existing(sources)
    addresses = [source for source in sources if is_web_address(source)]
    if addresses and from_web is None:
        raise UsageError(f"Web addresses cannot be read here: save {addresses[0]} as a file and give that.")
    return _documents(sources, addresses, from_web, fields)


def total_weight(sources: Sequence[str]) -> int | None:
    """The bytes that `documents` will use up, or None where that cannot be known beforehand.

    Raises UsageError when a source does not exist.
    """
    paths = existing(sources)
    if any(source == STANDARD_INPUT or is_web_address(source) for source in sources):
        return None
    return sum(found.size for found in found_below(paths))


def _documents(
    sources: Sequence[str], addresses: Sequence[str], from_web: FromWeb | None, fields: FieldMap
) -> Iterator[Document | SetAside | Receipt]:
    for found in found_below(existing(sources)):
        if found.reason:
            yield SetAside(shown(found.path), found.reason, _origin(found.path))
        else:
            yield from _of_file(found.path, fields)
    if STANDARD_INPUT in sources:
        raw: Any = sys.stdin.buffer
        stream = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
        file = _File("standard input", STANDARD_INPUT, raw, stream, "")
        yield from _guarded(_lines(file, fields), file.name, file.origin)
    if addresses and from_web is not None:
        yield from from_web(addresses)


@dataclass(slots=True)
class _File:
    """An open file: its name for people, its origin, its bytes as they are and unpacked, and its ending.

    Weight is counted in the bytes as they are.
    """

    name: str
    origin: str
    raw: IO[bytes]
    stream: Any  # io.BufferedReader, which type checkers know by what it reads from
    ending: str
    counted: int = 0

    def weight(self, fallback: int = 0) -> int:
        """How many bytes were used since the last call; `fallback` where the file cannot tell."""
        if not self.raw.seekable():
            return fallback
        before, self.counted = self.counted, self.raw.tell()
        return self.counted - before

    def document(self, place: str, data: bytes, kind: Kind = "json", **known: Any) -> Document:
        """A document in the file."""
        return Document(f"{self.name}{place}", kind, data, self.weight(len(data)), self.origin, **known)

    def set_aside(self, place: str, reason: str) -> SetAside:
        """What cannot be one."""
        return SetAside(f"{self.name}{place}", reason, self.origin)


_Reader = Callable[[_File, FieldMap], Iterator[Document | SetAside]]


def _of_file(path: Path, fields: FieldMap) -> Iterator[Document | SetAside]:
    name, origin = shown(path), _origin(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    ending = next(iter((suffixes[:-1] if packed else suffixes)[-1:]), "")
    if ending not in _READERS:
        named = shown(Path("".join(suffixes[-2:]))) if suffixes else "no ending"
        reason = "gzipped twice: unpack it once" if ending == ".gz" else f"not a format that Dateline reads ({named})"
        yield SetAside(name, reason, origin)
        return
    yield from _guarded(_read_opened(path, name, origin, packed, ending, fields), name, origin)


def _read_opened(
    path: Path, name: str, origin: str, packed: bool, ending: str, fields: FieldMap
) -> Iterator[Document | SetAside]:
    with _opened(path) as raw:
        packed = packed or raw.peek(len(GZIP)).startswith(GZIP)
        stream = io.BufferedReader(Unpacked(raw), _BLOCK) if packed else raw
        yield from _READERS[ending](_File(name, origin, raw, stream, ending), fields)


def _guarded(documents: Iterator[Document | SetAside], name: str, origin: str) -> Iterator[Document | SetAside]:
    """What is found in a file, and the reason where that ended early."""
    try:
        yield from documents
    except SourceError as error:
        yield SetAside(name, str(error), origin)
    except OSError as error:
        yield SetAside(name, reason_of(error), origin)
    except ImportError:  # a broken installation is no fault of the file
        raise
    except MemoryError:
        yield SetAside(name, "needs too much memory to read", origin)
    except Exception as error:  # noqa: BLE001 - one bad file never stops a run
        yield SetAside(name, f"unexpected {type(error).__name__} while reading: {error}", origin)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file, opened so that even what has become a pipe since it was looked at does not block."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb", buffering=_BLOCK) as file:
        if reason := refused(os.fstat(file.fileno()).st_mode):
            raise SourceError(reason)
        yield file


def _whole(file: _File, fields: FieldMap) -> Iterator[Document | SetAside]:
    """A file that is one document."""
    _refuse_binary(file)
    data = file.stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        advice = "; a list of records may be this long as .jsonl" if KINDS[file.ending] == "json" else ""
        raise SourceError(f"larger than {MAX_DOCUMENT_BYTES >> 20} MiB{advice}")
    yield file.document("", data, KINDS[file.ending])


def _lines(file: _File, fields: FieldMap) -> Iterator[Document | SetAside]:
    """A file with a JSON record on each line."""
    _refuse_binary(file)
    number = 0
    for number, line in enumerate(bounded_lines(file.stream, MAX_DOCUMENT_BYTES), start=1):
        if line is None:
            yield file.set_aside(f":{number}", f"line longer than {MAX_DOCUMENT_BYTES >> 20} MiB")
        elif line.strip(b" \t\r\n\xef\xbb\xbf"):
            yield file.document(f":{number}", line)
    if not number:
        raise SourceError("empty")


def _table(file: _File, fields: FieldMap) -> Iterator[Document | SetAside]:
    """A CSV or TSV file."""
    from index.reading.tables import rows_of

    _refuse_binary(file)
    for row in rows_of(file.stream, fields, MAX_DOCUMENT_BYTES, tabs=file.ending in (".tsv", ".tab")):
        if row.record is None:
            yield file.set_aside(f":{row.line}", row.reason)
        else:
            yield file.document(f":{row.line}", _json(row.record))


def _parquet(file: _File, fields: FieldMap) -> Iterator[Document | SetAside]:
    from index.reading.parquet import parquet_rows

    size = os.fstat(file.raw.fileno()).st_size
    with _seekable(file) as table:
        for row, count in parquet_rows(table, fields):
            data = _json(row.record)
            weight = size * row.line // count - size * (row.line - 1) // count
            if len(data) > MAX_DOCUMENT_BYTES:
                yield file.set_aside(f":{row.line}", f"row larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
            else:
                yield Document(f"{file.name}:{row.line}", "json", data, weight, file.origin)


def _archive(file: _File, fields: FieldMap) -> Iterator[Document | SetAside]:
    """A web archive."""
    from index.reading.warc import pages_of

    if not file.stream.peek(1):
        raise SourceError("empty")
    found = False
    for page in pages_of(file.stream, MAX_DOCUMENT_BYTES):
        found = True
        place = f"#{page.url}"
        if page.reason:
            yield file.set_aside(place, page.reason)
        else:
            url = page.url if is_web_address(page.url) else None
            yield file.document(place, page.body, "html", url=url, charset=page.charset)
    if not found:
        raise SourceError("no web page in it")


@contextmanager
def _seekable(file: _File) -> Iterator[IO[bytes]]:
    """The unpacked file so that any part of it can be read."""
    if file.stream is file.raw:
        yield file.raw
        return
    with tempfile.TemporaryFile() as unpacked:
        while block := file.stream.read(_BLOCK):
            if unpacked.tell() > _MOST_UNPACKED_BYTES:
                raise SourceError(f"larger than {_MOST_UNPACKED_BYTES >> 30} GiB unpacked")
            unpacked.write(block)
        unpacked.seek(0)
        yield unpacked


def _refuse_binary(file: _File) -> None:
    name = not_text(file.stream.peek(START_BYTES)[:START_BYTES])
    if name:
        raise SourceError(f"not text but {name}" if " twice" not in name else name)


def _json(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


def _origin(path: Path) -> str:
    return shown(path.absolute())


_READERS: dict[str, _Reader] = {
    **dict.fromkeys(KINDS, _whole), ".jsonl": _lines, ".ndjson": _lines, ".csv": _table, ".tsv": _table, ".tab": _table,
    ".parquet": _parquet, ".pq": _parquet, ".warc": _archive,
}  # fmt: skip
