"""Inverted lists: which of very many vectors are worth an exact look.

k-means gives each list its centre, a vector stands in the list of the nearest one as a code of one bit a
dimension (RaBitQ: Gao and Long, SIGMOD 2024), and a search looks into the lists whose centres are nearest to
the query. How many is measured on the corpus itself when the lists are made: as few as find the share of the
nearest that is asked for. The file is mapped, so that processes share it.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np
from numpy.typing import NDArray

from index.encoder import Matrix

if TYPE_CHECKING:
    from index.vectors import Vectors

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

EXACT_UP_TO = 100_000
"""So many vectors are searched exactly: 3 to 4 ms on one core (benchmarks/scale.py)."""

# Lists: 2.6 √n, the nearest power of two. Half and twice as many were slower at a million vectors.
_LISTS_A_ROOT = 2.6
# Vectors that k-means sees for each list: more, or more rounds, gain nothing that a wider search would not.
_TRAINED_A_LIST, _ROUNDS = 32, 8
_VECTORS_A_PART = 16_384
# Bits a dimension of the query against the codes: the most that FAISS has.
_QUERY_BITS = 8
# What the number of lists to look into is measured with: so many queries, so many nearest of each.
_QUERIES, _NEAREST, _SEED = 128, 10, 2022
# Other vectors came when so many times the lists have to be looked into, or so many times the vectors are there.
_MOST_DRIFT, _MOST_GROWTH = 1.5, 2.0

# What stands behind what FAISS writes: the facts, the length up to here, and a word that says whose file this is.
_TRAILER = struct.Struct("<qqqqdq8s")
_OURS = b"dateline"


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What is known of lists.

    `count` vectors are in them, the last with the number `last`; there were `trained` when they were
    trained, and a search looked into `trained_probes` lists. `recall` was measured when they were written.
    """

    count: int
    last: int
    trained: int
    trained_probes: int
    recall: float


class Lists:
    """Inverted lists over rows of vectors."""

    def __init__(self, ivf: faiss.IndexIVFRaBitQ, facts: ListFacts) -> None:
        self._ivf = ivf
        self.facts = facts

    @classmethod
    def load(cls, path: Path, numbers: Rows, dimension: int) -> "Lists | None":
        """The lists saved at `path`, mapped; None where there are none over exactly the vectors `numbers`."""
        try:
            with path.open("rb") as file:
                length = file.seek(-_TRAILER.size, os.SEEK_END)
                *told, written, whose = _TRAILER.unpack(file.read(_TRAILER.size))
            # FAISS itself crashes where a file that it maps is cut off.
            if (written, whose) != (length, _OURS):
                return None
            facts = ListFacts(*told)
            # Numbers only grow and are never used again: so many up to the same last one are the same ones.
            if not len(numbers) or (facts.count, facts.last) != (len(numbers), int(numbers[-1])):
                return None
            ivf = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, struct.error, RuntimeError, MemoryError):
            return None
        if not isinstance(ivf, faiss.IndexIVFRaBitQ) or ivf.d != dimension or ivf.ntotal != len(numbers):
            return None
        return cls(ivf, facts)

    @property
    def probes(self) -> int:
        """How many lists a search looks into."""
        return int(self._ivf.nprobe)

    def __len__(self) -> int:
        return int(self._ivf.nlist)

    def search(self, query: Matrix, size: int, among: Mask | None = None, share: float = 1.0) -> Rows:
        """About the `size` rows nearest to `query`, in no order; of those `among` (a mask), a `share` of all.

        The fewer are allowed, the more lists are looked into.
        """
        probes = min(len(self), round(self.probes / share))
        chosen = None if among is None else selector(among)
        parameters = faiss.IVFRaBitQSearchParameters(nprobe=probes, qb=_QUERY_BITS, sel=chosen)
        _, rows = self._ivf.search(query.reshape(1, -1), size, params=parameters)
        return np.asarray(rows[0][rows[0] >= 0])

    def save(self, path: Path) -> None:
        """Writes the lists for `load`."""
        faiss.write_index(self._ivf, str(path))
        facts = self.facts
        with path.open("ab") as file:
            file.write(_TRAILER.pack(*astuple(facts), file.tell(), _OURS))


def selector(among: Mask) -> faiss.IDSelectorBitmap:
    """What lets FAISS look only at the rows in a mask."""
    return faiss.IDSelectorBitmap(np.packbits(among, bitorder="little"))


def made_lists(vectors: "Vectors", before: "Vectors | None", target: float) -> Lists:
    """Lists over all of `vectors` that find the share `target` of the nearest.

    Nothing was added to the vectors or removed from them since they were loaded.

    The lists over what was there `before` lend their centres and codes, unless so much has changed that they
    find too little: then everything is trained anew.
    """
    old = before.lists if before else None
    if before and old and len(vectors) <= _MOST_GROWTH * old.facts.trained:
        ivf = _carried(old, before, vectors)
        probes, recall = _measured(ivf, vectors, target, most=round(_MOST_DRIFT * old.facts.trained_probes))
        if recall >= target:
            ivf.nprobe = probes
            return Lists(ivf, _facts(vectors, old.facts.trained, old.facts.trained_probes, recall))
    ivf = _trained(vectors)
    _filled(ivf, vectors, np.arange(len(vectors)))
    probes, recall = _measured(ivf, vectors, target, most=ivf.nlist)
    ivf.nprobe = probes
    return Lists(ivf, _facts(vectors, len(vectors), probes, recall))


def _facts(vectors: "Vectors", trained: int, probes: int, recall: float) -> ListFacts:
    return ListFacts(len(vectors), int(vectors.numbers[-1]), trained, probes, recall)


def _trained(vectors: "Vectors") -> faiss.IndexIVFRaBitQ:
    count = 2 ** round(np.log2(_LISTS_A_ROOT * np.sqrt(len(vectors))))
    sample = np.sort(
        np.random.default_rng(_SEED).choice(len(vectors), min(len(vectors), count * _TRAINED_A_LIST), replace=False)
    )
    clustering = faiss.Clustering(vectors.dimension, count)
    clustering.niter, clustering.spherical, clustering.seed = _ROUNDS, True, _SEED
    clustering.min_points_per_centroid = 1  # it would warn
    centres = faiss.IndexFlatIP(vectors.dimension)
    chosen = vectors.at(sample)
    clustering.train(chosen, centres)
    return _empty(centres, chosen)


def _empty(centres: faiss.IndexFlatIP, sample: Matrix) -> faiss.IndexIVFRaBitQ:
    ivf = faiss.IndexIVFRaBitQ(centres, centres.d, centres.ntotal, faiss.METRIC_INNER_PRODUCT)
    ivf.train(sample)
    ivf.qb = _QUERY_BITS
    return ivf


def _filled(ivf: faiss.IndexIVFRaBitQ, vectors: "Vectors", rows: Rows) -> None:
    for start in range(0, len(rows), _VECTORS_A_PART):
        part = rows[start : start + _VECTORS_A_PART]
        ivf.add_with_ids(vectors.at(part), part.astype(np.int64))


def _carried(old: Lists, had: "Vectors", vectors: "Vectors") -> faiss.IndexIVFRaBitQ:
    """The lists of what is still there, with its codes as they are, and what is new put into them."""
    centres = faiss.IndexFlatIP(vectors.dimension)
    centres.add(old._ivf.quantizer.reconstruct_n(0, len(old)))
    ivf = _empty(centres, vectors.at(np.arange(min(len(vectors), _QUERIES))))
    positions, present = vectors.positions(had.numbers)
    places = np.where(present, positions, -1)
    lists = old._ivf.invlists
    for number in range(len(old)):
        length = lists.list_size(number)
        if not length:
            continue
        rows = places[faiss.rev_swig_ptr(lists.get_ids(number), length)]
        codes = faiss.rev_swig_ptr(lists.get_codes(number), length * lists.code_size).reshape(length, -1)
        kept = rows >= 0
        rows, codes = np.ascontiguousarray(rows[kept]), np.ascontiguousarray(codes[kept])
        if len(rows):
            ivf.invlists.add_entries(number, len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(codes))
            ivf.ntotal += len(rows)
    _filled(ivf, vectors, np.flatnonzero(~had.positions(vectors.numbers)[1]))
    return ivf


def _measured(ivf: faiss.IndexIVFRaBitQ, vectors: "Vectors", target: float, most: int) -> tuple[int, float]:
    """The fewest lists that find `target` of the nearest, at most `most`, and what they find."""
    queries = _queries(vectors)
    nearest = [set(vectors.search(query, _NEAREST)[0].tolist()) for query in queries]
    looking = vectors.looking_into(Lists(ivf, _facts(vectors, 0, 0, 0.0)))

    def recall(probes: int) -> float:
        ivf.nprobe = probes
        return _recall(looking, queries, nearest)

    return _fewest(recall, target, most)


def _queries(vectors: "Vectors") -> Matrix:
    """Points halfway between two vectors: as far from either as questions are from passages."""
    chosen = np.random.default_rng(_SEED).choice(len(vectors), (2, _QUERIES))
    between: Matrix = vectors.at(chosen[0]) + vectors.at(chosen[1])
    return np.asarray(between / np.linalg.norm(between, axis=1, keepdims=True), dtype=np.float32)


def _recall(vectors: "Vectors", queries: Matrix, nearest: list[set[int]]) -> float:
    found = [set(vectors.search(query, 20 * _NEAREST)[0][:_NEAREST].tolist()) for query in queries]
    return sum(len(a & b) for a, b in zip(found, nearest, strict=True)) / (_NEAREST * len(queries))


def _fewest(recall: Callable[[int], float], target: float, most: int) -> tuple[int, float]:
    """The smallest number in a series that grows by a quarter for which `recall` reaches `target`."""
    probes = 1
    while True:
        reached = recall(probes)
        if reached >= target or probes >= most:
            return probes, reached
        probes = min(most, max(probes + 1, round(1.25 * probes)))
