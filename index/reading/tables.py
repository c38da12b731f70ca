"""Rows of CSV and TSV files as records, one at a time.

Delimiter, header and encoding are seen from the first rows. A row that cannot be read is set aside by the
number of the line where it begins, and the next one is read.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from index.errors import SourceError
from index.reading.decoding import decoded, guessed_encoding
from index.reading.fields import FieldMap, value_at
from index.reading.guesses import NAMES, folded
from index.reading.lines import bounded_lines

_DELIMITERS = ",;\t|"
_SAMPLE_LINES, _SAMPLE_BYTES = 200, 256 * 1024
_SAMPLE_ROWS = 20
# A name of a column is short; a cell of news text is not.
_LONGEST_NAME = 64
# A table with more columns than this is no table of articles.
_MOST_COLUMNS = 2_000
# A bare number that counts rows is no name for an article: other tables count the same way.
_LONGEST_ROW_NUMBER = 9
_SHOWN_COLUMNS = 12
# A quote that is never closed has a long stretch read twice; a table of them is not worth it.
_MOST_SECOND_READINGS = 16
# A line end inside a cell that is not that of the file, as spreadsheets write it: U+2028, line separator.
_LINE_IN_CELL = "\u2028"


@dataclass(frozen=True, slots=True)
class Row:
    """A record and the number of the line where it begins, or why there is none."""

    line: int
    record: dict[str, Any] | None
    reason: str = ""


def rows_of(stream: io.BufferedIOBase, fields: FieldMap, limit: int, *, tabs: bool = False) -> Iterator[Row]:
    """The rows of a table; `tabs` where its name says that tabs part the cells.

    No row is longer than `limit` bytes. Raises SourceError when it is no text or no column can hold text.
    """
    lines = _Lines(stream, limit)
    start = lines.ahead()
    rows = _Rows(lines, "\t" if tabs else _delimiter(start, fields), limit)
    columns: Sequence[str] = ()
    found = False
    for line, cells, reason in rows.read():
        if reason:
            found = True
            yield Row(line, None, reason)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns, is_header = _columns(cells, fields)
            check_columns(columns, fields)
            rows.width = len(columns)
            if is_header:
                continue
        found = True
        record = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.strip()}
        yield Row(line, without_row_number(record, fields))
    if not found:
        raise SourceError("no row in it")


def check_columns(columns: Sequence[str], fields: FieldMap) -> None:
    """Raises SourceError, saying what to do, when no column of a table can hold text."""
    bodies = (*NAMES["text"], *NAMES["html"])
    known = dict.fromkeys(columns, "")
    mapped = [path for ours in ("text", "html") for path in fields.paths_to(ours)]
    if any(value_at(known, path) is not None or path.partition(".")[0] in known for path in mapped):
        return
    if not any(folded(name) in bodies for name in columns):
        shown = ", ".join(columns[:_SHOWN_COLUMNS]) + (", …" if len(columns) > _SHOWN_COLUMNS else "")
        raise SourceError(f"no column is known to hold the text, say which with --map text=COLUMN; there are {shown}")


def without_row_number(record: dict[str, Any], fields: FieldMap) -> dict[str, Any]:
    """A row whose `id` is a mere row number has it under `extra` instead, unless the user maps it."""
    for key, value in record.items():
        if folded(key) == "id" and len(digits := str(value)) <= _LONGEST_ROW_NUMBER and digits.isdecimal():
            if key in fields.paths_to("id"):
                return record
            return {**{name: cell for name, cell in record.items() if name != key}, "extra": {key: value}}
    return record


class _Lines:
    """The lines of a table, which can be looked at ahead and read again."""

    def __init__(self, stream: io.BufferedIOBase, limit: int) -> None:
        self._source = bounded_lines(stream, limit)
        self._waiting: deque[bytes | None] = deque()
        self._encoding = ""
        self.number = 0

    def ahead(self) -> list[str]:
        """The first lines, still to be read. Raises SourceError when they are no text."""
        return decoded(self._sample()).removeprefix("\ufeff").splitlines(keepends=True)

    def read(self) -> bytes | None:
        """The next line: None where it is too long, empty at the end."""
        line = self._waiting.popleft() if self._waiting else next(self._source, b"")
        self.number += line != b""
        return line

    def put_back(self, lines: Sequence[bytes]) -> None:
        """Has these lines read again."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)

    @property
    def at_end(self) -> bool:
        """Whether all lines were read."""
        if not self._waiting and (line := next(self._source, b"")) != b"":
            self._waiting.append(line)
        return not self._waiting

    def text(self, line: bytes) -> str:
        """A line as text with one kind of line end, which alone is a newline."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            if not self._encoding:
                self._encoding = guessed_encoding(line + self._sample())
            text = line.decode(self._encoding, "replace")
        text = text.replace("\0", "").removeprefix("\ufeff")
        body = text.rstrip("\r\n")
        return body.replace("\r", _LINE_IN_CELL) + ("\n" if body != text else "")

    def _sample(self) -> bytes:
        size = sum(len(line or b"") for line in self._waiting)
        while len(self._waiting) < _SAMPLE_LINES and size < _SAMPLE_BYTES:
            line = next(self._source, b"")
            if line == b"":
                break
            self._waiting.append(line)
            size += len(line or b"")
        return b"".join(line for line in self._waiting if line)


class _Rows:
    """Lines parsed into cells. A quote that is never closed costs its own line, not all that follow."""

    def __init__(self, lines: _Lines, delimiter: str, limit: int) -> None:
        csv.field_size_limit(limit)
        self._lines = lines
        self._delimiter = delimiter
        self._limit = limit
        self._taken: list[bytes] = []
        self._second_readings = 0
        self.width = 0

    def read(self) -> Iterator[tuple[int, list[str], str]]:
        """The number of the first line, the cells, and why there are none, of each row."""
        reader = self._reader()
        while self._second_readings <= _MOST_SECOND_READINGS:
            self._taken.clear()
            first = self._lines.number + 1
            try:
                cells = next(reader, None)
                if cells is None:
                    return
                self._check(cells)
            except (csv.Error, SourceError) as error:
                if len(self._taken) > 1:
                    self._second_readings += sum(map(len, self._taken)) > _SAMPLE_BYTES
                    self._lines.put_back(self._taken[1:])
                yield first, [], str(error)
                reader = self._reader()
                continue
            yield first, cells, ""
        yield self._lines.number + 1, [], "too many quotes that are never closed; the rest was not read"

    def _reader(self) -> "Iterator[list[str]]":
        return csv.reader(self._feed(), delimiter=self._delimiter)

    def _feed(self) -> Iterator[str]:
        size = 0
        while (line := self._lines.read()) != b"":
            if line is None:
                raise SourceError(f"a line longer than {self._limit >> 20} MiB")
            if not self._taken:
                size = 0
            size += len(line)
            self._taken.append(line)
            if size > self._limit:
                raise SourceError(f"a row longer than {self._limit >> 20} MiB, perhaps a quote that is never closed")
            yield self._lines.text(line)

    def _check(self, cells: list[str]) -> None:
        while self.width and len(cells) > self.width and not cells[-1].strip():
            cells.pop()
        if self.width and len(cells) > self.width:
            raise SourceError(f"{len(cells)} cells in a table of {self.width} columns")
        if len(self._taken) > 1 and self._lines.at_end and b"".join(self._taken).count(b'"') % 2:
            raise SourceError("a quote that is never closed")


def _delimiter(lines: Sequence[str], fields: FieldMap) -> str:
    """What parts the cells: what finds most names that are known, then what gives rows of one width."""

    def merit(delimiter: str) -> tuple[int, float, int]:
        try:
            rows = list(islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_ROWS))
        except csv.Error:
            return (0, 0, 0)
        width = len(rows[0]) if rows else 0
        even = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0
        return (sum(_is_known(cell, fields) for cell in rows[0]) if rows else 0, even, width)

    return max(_DELIMITERS, key=merit)


def _columns(cells: Sequence[str], fields: FieldMap) -> tuple[list[str], bool]:
    """The names of the columns, and whether the first row gives them; else they are numbered from 1."""
    if len(cells) > _MOST_COLUMNS:
        raise SourceError(f"a table of {len(cells):,} columns")
    cells = [" ".join(cell.split()) for cell in cells]
    numbers = [str(position) for position in range(1, len(cells) + 1)]
    known = sum(_is_known(cell, fields) for cell in cells)
    if fields.columns:
        return [*fields.columns[: len(cells)], *numbers[len(fields.columns) :]], list(fields.columns) == cells
    by_number = any(path in numbers for _, path in fields.paths)
    if by_number or not (known or _could_be_names(cells)):
        return numbers, known * 2 > len(cells)
    names: dict[str, None] = {}
    for number, cell in zip(numbers, cells, strict=True):
        names[cell if cell and cell not in names else f"{cell} ({number})".lstrip()] = None
    return list(names), True


def _is_known(cell: str, fields: FieldMap) -> bool:
    name = cell.strip()
    return folded(name) in _KNOWN or any(name in (path, path.partition(".")[0]) for _, path in fields.paths)


_KNOWN = frozenset(name for names in NAMES.values() for name in names)


def _could_be_names(cells: Sequence[str]) -> bool:
    named = [cell for cell in cells if cell]
    return len(set(named)) == len(named) and all(len(cell) <= _LONGEST_NAME and not cell[0].isdigit() for cell in named)
