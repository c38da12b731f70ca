"""Nearest vectors, in a file that is mapped, not read: every process shares it.

With index/lists.py the only module that knows FAISS. Vectors stand in ascending order of number (of a
passage or an article), so a number's position is a binary search away and a filter is a bit mask over
positions. They have half precision, as in the catalog, and are searched exactly; above
`lists.EXACT_UP_TO` of them inverted lists say which are worth the exact look.
"""

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index import lists as inverted
from index.encoder import Matrix
from index.errors import IndexDamaged
from index.lists import Lists, Mask, one_thread, selector

Numbers = NDArray[np.int64]
Positions = NDArray[np.intp]
Codes = NDArray[np.uint8]

# What FAISS writes before the codes of a scalar quantizer for inner products (faiss/impl/index_write.cpp): kind,
# dimension, count, two unused fields, whether it is trained, metric; then the quantizer: its type, two fields that
# half precision does not use, dimension, bytes a vector, length of a training that it needs none of, bytes in all.
_HEADER = struct.Struct("<4siqqq?iiifQQQQ")
_KIND = b"IxSQ"
_UNUSED = 1 << 20
_BYTES_A_NUMBER = 8


def write_vectors(path: Path, dimension: int, numbers: Numbers, parts: Iterable[Matrix]) -> None:
    """Writes the file that FAISS would write for these vectors, and their numbers behind it, in bounded memory.

    `parts` are matrices of the rows for `numbers`, in order.
    """
    with path.open("wb") as file:
        file.write(_header(dimension, len(numbers)))
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype="<f2").data)
        file.write(bytes(_numbers_at(dimension, len(numbers)) - file.tell()))
        file.write(np.ascontiguousarray(numbers, dtype="<i8").data)


def written_numbers(path: Path, dimension: int) -> Numbers | None:
    """The numbers in a file of `write_vectors`, mapped; None if it is not one of this dimension, whole."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
        count = _HEADER.unpack(header)[2]
        if count < 0 or header != _header(dimension, count):
            return None
        start = _numbers_at(dimension, count)
        if path.stat().st_size != start + _BYTES_A_NUMBER * count:
            return None
        if not count:
            return np.empty(0, dtype=np.int64)
        # A plain array over the mapped file: every slice of a numpy.memmap costs microseconds.
        return np.asarray(np.memmap(path, dtype="<i8", mode="r", offset=start, shape=(count,)))
    except (OSError, struct.error):
        return None


class Vectors:
    """Unit vectors by number: inner product is cosine similarity.

    `base` is what is in the file; what comes and goes after it was written is kept in memory, so that
    changes cost what they are.
    """

    def __init__(
        self, base: faiss.IndexScalarQuantizer, numbers: Numbers, lists: Lists | None = None, codes: Codes | None = None
    ) -> None:
        self._base = base
        self._codes = _codes(base) if codes is None else codes
        self._fresh = _half_precision(base.d)
        self._lists = lists
        self.numbers = numbers
        # The row of each position; None while every row has its position.
        self._rows: Positions | None = None

    @classmethod
    def empty(cls, dimension: int) -> "Vectors":
        """No vectors of this length."""
        return cls(_half_precision(dimension), np.empty(0, dtype=np.int64))

    @classmethod
    def load(cls, path: Path, dimension: int, lists: Path | None = None) -> "Vectors":
        """What is saved at `path`, mapped, with the lists over it where there are any.

        Raises IndexDamaged when it is not one of this dimension. Lists over other vectors are not used.
        """
        # FAISS itself crashes where a file that it maps is cut off.
        numbers = written_numbers(path, dimension)
        if numbers is None:
            raise IndexDamaged(f"{path} is not a vector index of this index. Run: dateline check --repair")
        if np.any(numbers[1:] <= numbers[:-1]):
            raise IndexDamaged(f"{path} is damaged: its numbers do not ascend. Run: dateline check --repair")
        base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        return cls(base, numbers, Lists.load(lists, numbers, dimension) if lists else None, _mapped_codes(path, base))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def dimension(self) -> int:
        """The length of each vector."""
        return int(self._base.d)

    @property
    def lists(self) -> Lists | None:
        """What finds the vectors worth a look, where there are too many to look at all."""
        return self._lists

    def looking_into(self, lists: Lists) -> "Vectors":
        """The same vectors with these lists over them; nothing was added or removed since they were loaded."""
        return Vectors(self._base, self.numbers, lists, self._codes)

    @property
    def matrix(self) -> Matrix:
        """All vectors, shape (n, dimension), in the order of `numbers`."""
        return self.at(np.arange(len(self)))

    def add(self, numbers: Numbers, vectors: Matrix) -> None:
        """Appends vectors whose numbers are ascending and above all present ones."""
        if len(numbers) == 0:
            return
        if np.any(np.diff(numbers) <= 0) or (len(self) and numbers[0] <= self.numbers[-1]):
            raise ValueError("numbers must ascend")
        first = self._base.ntotal + self._fresh.ntotal
        self._fresh.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self.numbers = np.concatenate([self.numbers, numbers])
        if self._rows is not None:
            self._rows = np.concatenate([self._rows, np.arange(first, first + len(numbers))])

    def remove(self, numbers: Numbers) -> None:
        """Drops the vectors with these numbers; those that are not here are ignored."""
        positions, present = self.positions(numbers)
        if present.any():
            kept = np.ones(len(self), dtype=bool)
            kept[positions[present]] = False
            self._rows = np.flatnonzero(kept) if self._rows is None else self._rows[kept]
            self.numbers = self.numbers[kept]

    def search(self, query: Matrix, size: int, allowed: Mask | None = None) -> tuple[Numbers, Matrix]:
        """The `size` numbers nearest to `query` and their cosines, best first.

        `allowed` is a mask over positions; fewer come back only where fewer are allowed. Exact but
        where lists help, and then each with a chance of the recall that they were made for.
        """
        size = min(size, len(self) if allowed is None else int(np.count_nonzero(allowed)))
        if size == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        among = self._row_mask(allowed)
        split = self._base.ntotal
        old, fresh = (None, None) if among is None else (among[:split], among[split:])
        with one_thread():
            found = [self._search_base(query, size, old), _exact(self._fresh, query, size, fresh)]
        rows = np.concatenate([found[0][0], found[1][0] + split])
        scores = np.concatenate([found[0][1], found[1][1]])
        best = np.argsort(-scores, kind="stable")[:size]
        return self.numbers[self._positions_of(rows[best])], scores[best]

    def positions(self, numbers: Numbers) -> tuple[Positions, Mask]:
        """Where each number stands, and whether it is here at all."""
        positions = np.searchsorted(self.numbers, numbers)
        positions[positions == len(self.numbers)] = 0
        present = self.numbers[positions] == numbers if len(self) else np.zeros(len(numbers), dtype=bool)
        return positions, present

    def cosines(self, query: Matrix, numbers: Numbers) -> Matrix:
        """The cosine of each of these with `query`; 0 for one that is not here."""
        return np.asarray(self.rows(numbers) @ query)

    def rows(self, numbers: Numbers) -> Matrix:
        """The vectors of these numbers, shape (len(numbers), dimension); zeros for one that is not here."""
        positions, present = self.positions(numbers)
        if present.all():
            return self.at(positions)
        rows = np.zeros((len(numbers), self.dimension), dtype=np.float32)
        rows[present] = self.at(positions[present])
        return rows

    def at(self, positions: Positions) -> Matrix:
        """The vectors at these positions, shape (len(positions), dimension)."""
        with one_thread():
            return self._decoded(positions if self._rows is None else self._rows[positions])

    def _decoded(self, rows: Positions) -> Matrix:
        split = self._base.ntotal
        if not self._fresh.ntotal:
            return _decoded(self._base, self._codes[rows])
        matrix = np.empty((len(rows), self.dimension), dtype=np.float32)
        old = rows < split
        matrix[old] = _decoded(self._base, self._codes[rows[old]])
        matrix[~old] = _decoded(self._fresh, _codes(self._fresh)[rows[~old] - split])
        return matrix

    def _search_base(self, query: Matrix, size: int, among: Mask | None) -> tuple[Positions, Matrix]:
        left = self._base.ntotal if among is None else int(np.count_nonzero(among))
        if self._lists is None or left <= inverted.EXACT_UP_TO:
            return _exact(self._base, query, size, among)
        rows = self._lists.search(query, size, among, share=left / self._base.ntotal)
        if len(rows) < min(size, left):  # those who are allowed stand in other lists
            return _exact(self._base, query, size, among)
        scores = _decoded(self._base, self._codes[rows]) @ query
        best = np.argpartition(-scores, min(size, len(rows)) - 1)[:size]
        return rows[best], scores[best]

    def _row_mask(self, allowed: Mask | None) -> Mask | None:
        if self._rows is None:
            return allowed
        mask = np.zeros(self._base.ntotal + self._fresh.ntotal, dtype=bool)
        mask[self._rows if allowed is None else self._rows[allowed]] = True
        return mask

    def _positions_of(self, rows: Positions) -> Positions:
        return rows if self._rows is None else np.searchsorted(self._rows, rows)


def _half_precision(dimension: int) -> faiss.IndexScalarQuantizer:
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _exact(index: faiss.IndexScalarQuantizer, query: Matrix, size: int, among: Mask | None) -> tuple[Positions, Matrix]:
    size = min(size, index.ntotal if among is None else int(np.count_nonzero(among)))
    if size == 0:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32)
    parameters = None if among is None else faiss.SearchParameters(sel=selector(among))
    scores, rows = index.search(query.reshape(1, -1), size, params=parameters)
    return rows[0], scores[0]


def _decoded(index: faiss.IndexScalarQuantizer, codes: Codes) -> Matrix:
    """Codes in single precision; FAISS converts ten times as fast as numpy."""
    if not len(codes):
        return np.empty((0, index.d), dtype=np.float32)
    return np.asarray(index.sa_decode(codes), dtype=np.float32)


def _codes(index: faiss.IndexScalarQuantizer) -> Codes:
    """The codes of an index in memory, one row a vector. A view: valid until something is added."""
    if not index.ntotal:
        return np.empty((0, index.code_size), dtype=np.uint8)
    return np.asarray(faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)).reshape(index.ntotal, -1)


def _mapped_codes(path: Path, index: faiss.IndexScalarQuantizer) -> Codes:
    """The codes in a file of `write_vectors`, mapped for looks here and there.

    A mapping of its own, so that the system reads the pages that are looked at and not those around them too: of
    ten million vectors a search looks at some hundred.
    """
    if not index.ntotal:
        return _codes(index)
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)
    size = index.ntotal * index.code_size
    return np.frombuffer(mapping, dtype=np.uint8, count=size, offset=_HEADER.size).reshape(index.ntotal, -1)


def _header(dimension: int, count: int) -> bytes:
    size = 2 * dimension
    return _HEADER.pack(
        _KIND, dimension, count, _UNUSED, _UNUSED, True, faiss.METRIC_INNER_PRODUCT,
        faiss.ScalarQuantizer.QT_fp16, 0, 0.0, dimension, size, 0, size * count,
    )  # fmt: skip


def _numbers_at(dimension: int, count: int) -> int:
    """Where the numbers begin in a file: aligned, so that they can be used as they are mapped."""
    end = _HEADER.size + 2 * dimension * count
    return -(-end // _BYTES_A_NUMBER) * _BYTES_A_NUMBER
