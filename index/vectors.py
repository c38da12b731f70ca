"""Exact nearest passages. The one module that knows FAISS.

Vectors stand in ascending order of passage number, so a passage's position is a binary search away
and a filter is a bit mask over positions.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.encoder import Matrix
from index.errors import IndexDamaged

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


# What FAISS writes before a flat inner-product index with numbers, and before the flat index in it:
# kind, dimension, count, two unused fields, whether it is trained, metric. faiss/impl/index_write.cpp
_HEADER = struct.Struct("<4siqqq?i")
_KINDS = (b"IxMp", b"IxFI")
_UNUSED = 1 << 20
_COUNT = struct.Struct("<Q")


def write_vectors(path: Path, dimension: int, numbers: Numbers, parts: Iterable[Matrix]) -> None:
    """Writes the file that FAISS would write for these vectors, without ever holding them all.

    `parts` are matrices of the rows for `numbers`, in order.
    """
    count = len(numbers)
    with path.open("wb") as file:
        for kind in _KINDS:
            file.write(_HEADER.pack(kind, dimension, count, _UNUSED, _UNUSED, True, faiss.METRIC_INNER_PRODUCT))
        file.write(_COUNT.pack(count * dimension))
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype="<f4").data)
        file.write(_COUNT.pack(count))
        file.write(np.ascontiguousarray(numbers, dtype="<i8").data)


def written_numbers(path: Path, dimension: int) -> Numbers:
    """The passage numbers in a file of `write_vectors`, without reading its vectors; none if it is damaged."""
    nothing = np.empty(0, dtype=np.int64)
    try:
        with path.open("rb") as file:
            kind, _, count, *_ = _HEADER.unpack(file.read(_HEADER.size))
            start = 2 * _HEADER.size + _COUNT.size + 4 * count * dimension + _COUNT.size
            if kind != _KINDS[0] or count < 0 or path.stat().st_size != start + 8 * count:
                return nothing
            file.seek(start)
            return np.fromfile(file, dtype="<i8").astype(np.int64)
    except (OSError, struct.error):
        return nothing


class Vectors:
    """A flat inner-product index over unit vectors: inner product is cosine similarity."""

    def __init__(self, flat: faiss.IndexFlatIP, numbers: Numbers, owner: object = None) -> None:
        self._flat = flat
        self.numbers = numbers
        # What FAISS read `flat` in frees it in the end: it must live as long.
        self._owner = owner

    @classmethod
    def empty(cls, dimension: int) -> "Vectors":
        """An index of no vectors of this length."""
        return cls(faiss.IndexFlatIP(dimension), np.empty(0, dtype=np.int64))

    @classmethod
    def load(cls, path: Path, dimension: int) -> "Vectors":
        """The index saved at `path`. Raises IndexDamaged when it is not one of this dimension."""
        try:
            index = faiss.read_index(str(path))
            mapped = faiss.downcast_index(index)
            flat = faiss.downcast_index(mapped.index)
            numbers = faiss.vector_to_array(mapped.id_map).astype(np.int64)
            if not isinstance(flat, faiss.IndexFlat) or flat.metric_type != faiss.METRIC_INNER_PRODUCT:
                raise RuntimeError("not a flat inner-product index")
        except (RuntimeError, AttributeError, MemoryError) as error:
            raise IndexDamaged(f"{path} is not a vector index. Run: dateline check --repair") from error
        if flat.d != dimension or flat.ntotal != len(numbers) or np.any(np.diff(numbers) <= 0):
            raise IndexDamaged(f"{path} does not belong to this index. Run: dateline check --repair")
        return cls(flat, numbers, owner=(index, mapped))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def matrix(self) -> Matrix:
        """All vectors, shape (n, dimension), in the order of `numbers`. A view: do not keep it past a change."""
        if not len(self.numbers):
            return np.empty((0, self._flat.d), dtype=np.float32)
        raw = faiss.rev_swig_ptr(self._flat.get_xb(), self._flat.ntotal * self._flat.d)
        return np.asarray(raw, dtype=np.float32).reshape(-1, self._flat.d)

    def add(self, numbers: Numbers, vectors: Matrix) -> None:
        """Appends vectors of passages whose numbers are ascending and above all present ones."""
        if len(numbers) == 0:
            return
        if np.any(np.diff(numbers) <= 0) or (len(self) and numbers[0] <= self.numbers[-1]):
            raise ValueError("passage numbers must ascend")
        self._flat.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self.numbers = np.concatenate([self.numbers, numbers])

    def remove(self, numbers: Numbers) -> None:
        """Drops the vectors of these passages; numbers that are not here are ignored."""
        gone = np.isin(self.numbers, numbers)
        if gone.any():
            self._flat.remove_ids(np.flatnonzero(gone).astype(np.int64))
            self.numbers = self.numbers[~gone]

    def search(self, query: Matrix, size: int, allowed: Mask | None = None) -> tuple[Numbers, Matrix]:
        """The `size` passages nearest to `query` and their cosines, best first, exactly.

        `allowed` is a mask over positions; fewer come back only where fewer are allowed.
        """
        size = min(size, len(self) if allowed is None else int(allowed.sum()))
        if size == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))
            parameters = faiss.SearchParameters(sel=selector)
        scores, positions = self._flat.search(query.reshape(1, -1), size, params=parameters)
        return self.numbers[positions[0]], scores[0]

    def positions(self, numbers: Numbers) -> tuple[NDArray[np.intp], Mask]:
        """Where each passage stands, and whether it is here at all."""
        positions = np.searchsorted(self.numbers, numbers)
        positions[positions == len(self.numbers)] = 0
        present = self.numbers[positions] == numbers if len(self) else np.zeros(len(numbers), dtype=bool)
        return positions, present

    def cosines(self, query: Matrix, numbers: Numbers) -> Matrix:
        """The cosine of each of these passages with `query`; 0 for one that is not here."""
        positions, present = self.positions(numbers)
        cosines = np.zeros(len(numbers), dtype=np.float32)
        cosines[present] = self.matrix[positions[present]] @ query
        return cosines

    def rows(self, numbers: Numbers) -> Matrix:
        """The vectors of these passages, shape (len(numbers), dimension); zeros for one that is not here."""
        positions, present = self.positions(numbers)
        rows = np.zeros((len(numbers), self._flat.d), dtype=np.float32)
        rows[present] = self.matrix[positions[present]]
        return rows
