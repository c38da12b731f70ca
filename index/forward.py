"""The words of each passage in the order in which they stand there, to look at a few hundred passages at once.

An inverted index finds passages; to score given ones it has to walk through all that hold a word. Here the words
of a passage are a run of 32-bit codes, one for each stem, and numpy counts what is asked for: the time depends on
how many passages are looked at and not on how many there are. Of whole articles only which words they have is kept,
and how often, which is half as long.

    FOLDER/words.json        the parts in the order in which they were written
    FOLDER/words-<n>.bin     a header, then the passages' numbers, where their runs begin, their lengths, the runs,
                             and how often each word of a run occurs where it is there only once

Parts are never changed. Small ones are joined to larger ones, so that there are few.
"""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from index.durable import replace_durably, write_durably
from index.errors import IndexDamaged

Numbers = NDArray[np.int64]
Codes = NDArray[np.uint32]
Often = NDArray[np.uint16]

GAP = 0
"""Stands between words that are not side by side."""

_LIST = "words.json"
_MAGIC = b"words1\0\0"
# Magic, passages, codes in all runs, words in all passages (gaps do not count), counts of codes.
_HEADER = struct.Struct("<8sqqqq")
# Codes that wait to be written: 4 MB of them.
_MOST_WAITING = 1_000_000
# Codes copied at a time when parts are joined.
_CODES_A_COPY = 4_000_000
# A part is joined to the one before it unless that is more than this many times as large: each code is then copied
# a few times at most, and the number of parts grows with the logarithm of the corpus.
_MUCH_LARGER = 4
# Removed passages stay until they are as many as half of those that are left; so many more cost nothing anyway.
_MOST_GONE_SHARE, _GONE_FOR_NOTHING = 0.5, 1_000
# A reader that opens while parts are joined may find one gone; the list then names another.
_OPEN_ATTEMPTS = 5
_LOW_BITS = 1 << 16
_NO_CODES, _NO_COUNTS = np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.uint16)


def code(stem: str) -> int:
    """The number that stands for a stem, never GAP. Of a million stems, 1 in 4,000 shares its number with another."""
    return zlib.crc32(stem.encode("utf-8", "surrogatepass")) or 1


@dataclass(frozen=True, slots=True)
class Found:
    """Where some stems stand in some passages.

    `counts`: how often, shape (stems, passages). `lengths`: words of each passage, shape (passages,). `first`,
    `second`, `passage`: for each two of these stems that stand side by side their positions and the passage's.
    """

    counts: NDArray[np.float64]
    lengths: NDArray[np.int64]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    passage: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some passages, ascending by number; `codes[starts[i]:starts[i + 1]]` is the run of the i-th.

    `often` is empty where runs are in reading order, or says how often each code of a run occurs.
    """

    name: str
    numbers: Numbers
    starts: Numbers
    lengths: NDArray[np.uint32]
    codes: Codes
    often: Often
    words: int


class Forward:
    """The runs of all passages, in a folder or in memory. One writer, any number of readers."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._parts: tuple[_Part, ...] = ()
        self._waiting: list[tuple[int, Codes, Often, int]] = []
        self._codes_waiting = 0

    @classmethod
    def open(cls, folder: Path) -> "Forward":
        """What is in `folder`. Raises IndexDamaged when that cannot be read."""
        forward = cls(folder)
        forward.refresh()
        return forward

    def __len__(self) -> int:
        return sum(len(part.numbers) for part in self._parts)

    @property
    def mean_length(self) -> float:
        """Words a passage, on average."""
        return sum(part.words for part in self._parts) / max(1, len(self))

    def refresh(self) -> None:
        """Sees what has been written since. Raises IndexDamaged when it cannot be read."""
        if self._folder is None:
            return
        for attempt in range(_OPEN_ATTEMPTS):
            try:
                names = json.loads((self._folder / _LIST).read_text("utf-8"))
                known = {part.name: part for part in self._parts}
                self._parts = tuple(known.get(name) or _read(self._folder / name) for name in names)
                return
            except (OSError, ValueError, TypeError, struct.error) as error:
                if attempt == _OPEN_ATTEMPTS - 1 or not isinstance(error, FileNotFoundError):
                    raise IndexDamaged(
                        f"The words in {self._folder} cannot be read ({error}). Run: dateline check --repair"
                    ) from error

    def add(self, number: int, codes: Sequence[int], *, ordered: bool = True) -> None:
        """Adds a passage; `flush` makes it last. All have to be ordered, or none: then nothing is side by side."""
        run, often = np.asarray(codes, dtype=np.uint32), np.empty(0, dtype=np.uint16)
        length = int(np.count_nonzero(run != GAP))
        if not ordered:
            run, counts = np.unique(run[run != GAP], return_counts=True)
            often = np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)
        self._waiting.append((number, run, often, length))
        self._codes_waiting += len(run)
        if self._codes_waiting >= _MOST_WAITING:
            self.flush()

    def add_ordered(self, number: int, codes: Codes) -> None:
        """Adds a passage of which the codes are there already, in their order."""
        self._waiting.append((number, codes, _NO_COUNTS, int(np.count_nonzero(codes != GAP))))

    def add_counted(self, number: int, codes: Codes, often: Often, length: int) -> None:
        """Adds an article of which the words and how often each occurs are known, as `add` keeps them unordered."""
        self._waiting.append((number, codes, often, length))

    def flush(self) -> None:
        """Writes what was added, durably where there is a folder."""
        if self._folder is not None and not (self._folder / _LIST).exists():
            self._list(self._parts)
        if not self._waiting:
            return
        new = _part_of(sorted(self._waiting, key=lambda item: item[0]))
        self._waiting, self._codes_waiting = [], 0
        parts = [*self._parts, self._written(new)]
        while len(parts) > 1 and _joins(parts[-2], parts[-1]):
            parts[-2:] = [self._written(*parts[-2:])]
        self._list(parts)

    def drop_gone(self, present: Callable[[], Numbers], count: int) -> None:
        """Forgets the passages that are not among the `count` at `present`, once there are many; nothing may wait."""
        if len(self) - count <= max(_GONE_FOR_NOTHING, _MOST_GONE_SHARE * count):
            return
        kept = present()
        parts = [_only(part, np.isin(part.numbers, kept)) for part in self._parts]
        self._list([self._written(part) for part in parts if len(part.numbers)])

    def find(self, stems: Sequence[str], numbers: Numbers) -> Found:
        """Where these stems (each once) stand in these passages; one that is not here has no words."""
        runs, often, lengths = self._runs(numbers)
        ends = np.fromiter(accumulate(map(len, runs)), dtype=np.intp, count=len(runs))
        codes = np.concatenate([*runs, _NO_CODES])
        wanted = np.asarray([code(stem) for stem in stems], dtype=np.uint32)
        # Half of the bits rule out nearly all words at a tenth of the cost of a search for each.
        low = np.zeros(_LOW_BITS, dtype=bool)
        low[wanted.astype(np.uint16)] = True
        at = np.flatnonzero(low[codes.astype(np.uint16)])
        order = np.argsort(wanted)
        ranks = np.searchsorted(wanted, codes[at], sorter=order)
        ranks[ranks == len(wanted)] = 0
        which = order[ranks] if len(wanted) else ranks
        same = wanted[which] == codes[at]
        at, which = at[same], which[same]
        passage = np.searchsorted(ends, at, side="right")
        weights = np.concatenate(often)[at] if often else None
        cells = which * len(numbers) + passage
        counts = np.bincount(cells, weights, minlength=len(stems) * len(numbers)).reshape(len(stems), len(numbers))
        if often:
            at = at[:0]
        beside = np.flatnonzero((np.diff(at) == 1) & (np.diff(passage[: len(at)]) == 0))
        return Found(counts.astype(np.float64), lengths, which[beside], which[beside + 1], passage[beside])

    def _runs(self, numbers: Numbers) -> tuple[list[Codes], list[Often], NDArray[np.int64]]:
        """The run of each of these passages, how often each code occurs unless runs are in order, and the lengths."""
        runs, lengths = [_NO_CODES] * len(numbers), np.zeros(len(numbers), dtype=np.int64)
        often = [_NO_COUNTS] * len(numbers) if any(len(part.often) for part in self._parts) else []
        for part in self._parts:
            positions = np.searchsorted(part.numbers, numbers)
            positions[positions == len(part.numbers)] = 0
            here = np.flatnonzero(part.numbers[positions] == numbers)
            positions = positions[here]
            lengths[here] = part.lengths[positions]
            bounds = zip(
                here.tolist(), part.starts[positions].tolist(), part.starts[positions + 1].tolist(), strict=True
            )
            for index, start, end in bounds:
                runs[index] = part.codes[start:end]
                if often:
                    often[index] = part.often[start:end]
        return runs, often, lengths

    def _written(self, *parts: _Part) -> _Part:
        """These parts as one, in a new file where there is a folder."""
        if self._folder is None:
            return _joined(parts)
        names = [int(path.stem.removeprefix("words-")) for path in self._folder.glob("words-*.bin")]
        path = self._folder / f"words-{max(names, default=0) + 1}.bin"
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            directory = _joined([replace(part, codes=_NO_CODES, often=_NO_COUNTS) for part in parts])
            codes, often = sum(len(part.codes) for part in parts), sum(len(part.often) for part in parts)
            file.write(_HEADER.pack(_MAGIC, len(directory.numbers), codes, directory.words, often))
            file.write(directory.numbers.astype("<i8").data)
            file.write(directory.starts.astype("<i8").data)
            file.write(directory.lengths.astype("<u4").data)
            for part in parts:
                _write(file, part.codes, "<u4")
            for part in parts:
                _write(file, part.often, "<u2")
        replace_durably(draft, path)
        return _read(path)

    def _list(self, parts: Sequence[_Part]) -> None:
        """Makes these parts the ones that are read."""
        self._parts = tuple(parts)
        if self._folder is None:
            return
        names = [part.name for part in parts]
        write_durably(self._folder / _LIST, json.dumps(names))
        for path in self._folder.glob("words-*"):
            if path.name not in names:
                with suppress(OSError):  # where open files cannot be deleted, a later run does it
                    path.unlink()


def _read(path: Path) -> _Part:
    """The part in a file, mapped and not read."""
    with path.open("rb") as file:
        magic, count, codes, words, often = _HEADER.unpack(file.read(_HEADER.size))
    fields = (("<i8", count), ("<i8", count + 1), ("<u4", count), ("<u4", codes), ("<u2", often))
    sizes = [length * np.dtype(kind).itemsize for kind, length in fields]
    if magic != _MAGIC or path.stat().st_size != _HEADER.size + sum(sizes):
        raise ValueError(f"{path.name} is not whole")
    # A plain array: every slice of a numpy.memmap costs microseconds.
    raw = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    ends = list(accumulate(sizes, initial=_HEADER.size))
    views = (raw[start:end].view(kind) for (kind, _), (start, end) in zip(fields, pairwise(ends), strict=True))
    numbers, starts, lengths, runs, counts = views
    if (starts[0], starts[-1]) != (0, codes) or np.any(starts[1:] < starts[:-1]):
        raise ValueError(f"{path.name} is damaged: its runs do not follow one another")
    return _Part(path.name, numbers, starts, lengths, runs, counts, words)


def _write(file: BinaryIO, values: NDArray[Any], kind: str) -> None:
    for start in range(0, len(values), _CODES_A_COPY):
        file.write(values[start : start + _CODES_A_COPY].astype(kind).data)


def _part_of(passages: Sequence[tuple[int, Codes, Often, int]]) -> _Part:
    """Passages in ascending order as a part in memory."""
    numbers, runs, often, lengths = zip(*passages, strict=True)
    return _Part(
        name="",
        numbers=np.asarray(numbers, dtype=np.int64),
        starts=np.cumsum([0, *map(len, runs)], dtype=np.int64),
        lengths=np.asarray(lengths, dtype=np.uint32),
        codes=np.concatenate(runs),
        often=np.concatenate(often),
        words=sum(lengths),
    )


def _joins(earlier: _Part, later: _Part) -> bool:
    """Whether two neighbours should be one: the later is not much smaller, and its numbers follow."""
    ascending = not len(earlier.numbers) or earlier.numbers[-1] < later.numbers[0]
    return bool(ascending) and len(earlier.codes) <= _MUCH_LARGER * len(later.codes)


def _joined(parts: Sequence[_Part]) -> _Part:
    runs = np.concatenate([np.diff(part.starts) for part in parts])
    return _Part(
        name="",
        numbers=np.concatenate([part.numbers for part in parts]),
        starts=np.concatenate([[0], np.cumsum(runs, dtype=np.int64)]),
        lengths=np.concatenate([part.lengths for part in parts]),
        codes=np.concatenate([part.codes for part in parts]),
        often=np.concatenate([part.often for part in parts]),
        words=sum(part.words for part in parts),
    )


def _only(part: _Part, kept: NDArray[np.bool_]) -> _Part:
    """The passages of `part` that are kept."""
    runs = np.diff(part.starts)
    return _Part(
        name="",
        numbers=part.numbers[kept],
        starts=np.concatenate([[0], np.cumsum(runs[kept], dtype=np.int64)]),
        lengths=part.lengths[kept],
        codes=part.codes[np.repeat(kept, runs)],
        often=part.often[np.repeat(kept, runs)] if len(part.often) else part.often,
        words=int(part.lengths[kept].sum()),
    )
