"""Finding documents in files, folders and standard input, without parsing them."""

import gzip
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pathspec import GitIgnoreSpec

from index.article import SetAside
from index.errors import UsageError
from index.reading.documents import Document, Kind

STANDARD_INPUT = "-"
IGNORE_FILE = ".datelineignore"
KINDS: dict[str, Kind] = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".json": "json",
}  # fmt: skip
LINES = (".jsonl", ".ndjson")
MAX_DOCUMENT_BYTES = 32 * 2**20
"""The longest novel is a tenth of this; what is longer is no article."""


def documents(sources: Sequence[str]) -> Iterator[Document | SetAside]:
    """Every document of `sources`, files before what cannot be one, in a stable order.

    Raises UsageError, before anything is read, when a source does not exist.
    """
    paths = [_existing(source) for source in sources]
    for path in paths:
        if path is None:
            yield from _lines(sys.stdin.buffer, "standard input", sys.stdin.buffer)
        elif path.is_dir():
            for file in files_below(path):
                yield from _file(file)
        else:
            yield from _file(path)


def total_weight(sources: Sequence[str]) -> int | None:
    """The bytes that `documents` will use up, or None where that cannot be known beforehand."""
    total = 0
    for source in sources:
        path = _existing(source)
        if path is None:
            return None
        files = files_below(path) if path.is_dir() else [path]
        total += sum(file.stat().st_size for file in files if file.is_file())
    return total


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders in the order of their names.

    Hidden ones are passed over, and so is what the folder's .datelineignore names, in the syntax of
    .gitignore.
    """
    ignored = _ignore_rules(folder)
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and not ignored.match_file(f"{(here / name).relative_to(folder)}/")
        )  # fmt: skip
        for name in sorted(names):
            file = here / name
            if not name.startswith(".") and not ignored.match_file(str(file.relative_to(folder))):
                yield file


def _existing(source: str) -> Path | None:
    if source == STANDARD_INPUT:
        return None
    if source.startswith(("http://", "https://")):
        raise UsageError(f"This version does not fetch from the web: save {source} as a file and give that.")
    path = Path(source)
    if not path.exists():
        raise UsageError(f"No such file or folder: {source}")
    return path


def _ignore_rules(folder: Path) -> GitIgnoreSpec:
    file = folder / IGNORE_FILE
    return GitIgnoreSpec.from_lines(file.read_text("utf-8-sig", "replace").splitlines() if file.is_file() else [])


def _file(path: Path) -> Iterator[Document | SetAside]:
    try:
        if not path.is_file():
            raise ValueError("not a regular file")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packed = suffixes[-1:] == [".gz"]
        ending = (suffixes[:-1] if packed else suffixes)[-1:]
        with path.open("rb") as raw:
            unpacked: IO[bytes] = gzip.open(raw) if packed else raw  # type: ignore[assignment]  # noqa: SIM115 - closes with raw
            if ending and ending[0] in LINES:
                yield from _lines(unpacked, str(path), raw)
            elif ending and ending[0] in KINDS:
                data = unpacked.read(MAX_DOCUMENT_BYTES + 1)
                if len(data) > MAX_DOCUMENT_BYTES:
                    raise ValueError(f"larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
                yield Document(str(path), KINDS[ending[0]], data, path.stat().st_size)
            else:
                raise ValueError(f"not a format that Dateline reads ({''.join(suffixes) or 'no ending'})")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        yield SetAside(str(path), _reason(error))


def _lines(stream: IO[bytes], name: str, raw: IO[bytes]) -> Iterator[Document | SetAside]:
    """The lines of a JSONL stream; weight is counted in `raw`, where the compressed bytes are."""
    number = 0
    before = 0
    while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
        number += 1
        source = f"{name}:{number}"
        if len(line) > MAX_DOCUMENT_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_DOCUMENT_BYTES)
            yield SetAside(source, f"line longer than {MAX_DOCUMENT_BYTES >> 20} MiB")
            continue
        if not line.strip():
            continue
        now = raw.tell() if raw.seekable() else before + len(line)
        yield Document(source, "json", line, now - before)
        before = now
    if not number:
        yield SetAside(name, "empty")


def _reason(error: Exception) -> str:
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        return f"damaged gzip file ({error})"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
