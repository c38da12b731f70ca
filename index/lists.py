"""Inverted lists: which of very many vectors are worth an exact look.

k-means gives each list its centre, a vector stands in the list of the nearest one as a code of one bit a
dimension (RaBitQ: Gao and Long, SIGMOD 2024), and a search looks into the lists whose centres are nearest to
the query. How many is measured on the corpus itself when the lists are made: as few as find the share of the
nearest that is asked for. The file is mapped, so that processes share it.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
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

EXACT_UP_TO = 30_000
"""So many vectors are searched exactly: a millisecond on one core. Reading more also drives the encoder's weights out
of the processor's cache (benchmarks/scale.py)."""

# Lists: 1.3 √n, the nearest power of two. More take longer to train, and a search then looks into more, shorter ones.
_LISTS_A_ROOT = 1.3
# Vectors that k-means sees for each list: more, or more rounds, gain nothing that a wider search would not.
_TRAINED_A_LIST, _ROUNDS = 32, 8
_VECTORS_A_PART = 16_384
# Bits a dimension of the query against the codes: the most that FAISS has.
_QUERY_BITS = 8
# Of the rows that the lists propose so many times as many as asked for get the exact look, more where codes of one
# bit tell too little: of 600,000 vectors 4 find 98.4 % of the ten nearest where 2 find 97.8 % (benchmarks/scale.py).
_LOOKED_AT = (4, 8, 16)
# What a search needs to find the nearest is measured with so many queries, so many nearest of each, and as many
# candidates as a hybrid search asks for. A search for fewer looks at as many all the same.
_QUERIES, _NEAREST, _CANDIDATES, _SEED = 128, 10, 200, 2022
# Queries made of passages: with so much noise their cosine with the passage is .64, and they need as many lists as real
# questions do. In 64 of 256 lists over 65,498 news passages were .991 of their nearest and .989 of real questions';
# with .7 of noise .996. Points halfway between two passages were easier still.
_NOISE = 1.2
# Other vectors came when so many times the lists have to be looked into, or so many times the vectors are there.
_MOST_DRIFT, _MOST_GROWTH = 1.5, 2.0

# What stands behind what FAISS writes: the facts, the length up to here, and a word that says whose file this is.
_TRAILER = struct.Struct("<qqqqqdq8s")
_OURS = b"dateline"


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What is known of lists.

    `count` vectors are in them, the last with the number `last`; there were `trained` when they were
    trained, and a search looked into `trained_probes` lists. `looked_at` times as many rows as are asked for
    get the exact look. `recall` was measured when they were written.
    """

    count: int
    last: int
    trained: int
    trained_probes: int
    looked_at: int
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
        """The rows worth an exact look for the `size` nearest to `query`; of those `among` (a mask), a `share` of all.

        The fewer are allowed, the more lists are looked into.
        """
        probes = min(len(self), round(self.probes / share))
        chosen = None if among is None else selector(among)
        parameters = faiss.IVFRaBitQSearchParameters(nprobe=probes, qb=_QUERY_BITS, sel=chosen)
        looked_at = self.facts.looked_at * max(size, _CANDIDATES)
        _, rows = self._ivf.search(query.reshape(1, -1), looked_at, params=parameters)
        return np.asarray(rows[0][rows[0] >= 0])

    def told(self) -> dict[str, float]:
        """What a manifest says of them."""
        facts = self.facts
        return {
            "lists": len(self),
            "probes": self.probes,
            "looked_at": facts.looked_at,
            "recall": round(facts.recall, 4),
            "trained": facts.trained,
        }

    def save(self, path: Path) -> None:
        """Writes the lists for `load`."""
        faiss.write_index(self._ivf, str(path))
        facts = self.facts
        with path.open("ab") as file:
            file.write(_TRAILER.pack(*astuple(facts), file.tell(), _OURS))


def selector(among: Mask) -> faiss.IDSelectorBitmap:
    """What lets FAISS look only at the rows in a mask."""
    return faiss.IDSelectorBitmap(np.packbits(among, bitorder="little"))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps FAISS to the calling thread: one search is too little work to share, and took three times as long so."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def made_lists(vectors: "Vectors", before: "Vectors | None", target: float) -> Lists | None:
    """Lists over all of `vectors` that find the share `target` of the nearest; None if no lists do.

    Nothing was added to the vectors or removed from them since they were loaded. The lists over what was there
    `before` lend their centres and codes, unless so much has changed that they find too little: then
    everything is trained anew.
    """
    queries = _queries(vectors)
    nearest = [set(vectors.search(query, _NEAREST)[0].tolist()) for query in queries]

    def measured(ivf: faiss.IndexIVFRaBitQ, looked_at: int, most: int) -> float:
        """Sets the fewest lists that find the target, at most `most`, and says what they find."""
        looking = vectors.looking_into(Lists(ivf, _facts(vectors, looked_at=looked_at)))

        def recall(probes: int) -> float:
            ivf.nprobe = probes
            return _recall(looking, queries, nearest)

        ivf.nprobe, reached = _fewest(recall, target, most)
        return reached

    old = before.lists if before else None
    if before and old and len(vectors) <= _MOST_GROWTH * old.facts.trained:
        ivf = _carried(old, before, vectors)
        recall = measured(ivf, old.facts.looked_at, round(_MOST_DRIFT * old.facts.trained_probes))
        if recall >= target:
            return Lists(ivf, replace(old.facts, count=len(vectors), last=int(vectors.numbers[-1]), recall=recall))
    ivf = _trained(vectors)
    _filled(ivf, vectors, np.arange(len(vectors)))
    for looked_at in _LOOKED_AT:
        recall = measured(ivf, looked_at, ivf.nlist)
        if recall >= target:
            facts = _facts(vectors, trained=len(vectors), probes=ivf.nprobe, looked_at=looked_at, recall=recall)
            return Lists(ivf, facts)
    return None


def _facts(vectors: "Vectors", *, looked_at: int, trained: int = 0, probes: int = 0, recall: float = 0.0) -> ListFacts:
    return ListFacts(len(vectors), int(vectors.numbers[-1]), trained, int(probes), looked_at, recall)


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


def _queries(vectors: "Vectors") -> Matrix:
    """Vectors pushed away in random directions, as far as questions lie from the passage that answers them."""
    random = np.random.default_rng(_SEED)
    passages = vectors.at(random.choice(len(vectors), _QUERIES))
    noise = random.standard_normal(passages.shape, dtype=np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    pushed = passages + np.float32(_NOISE) * noise
    return np.asarray(pushed / np.linalg.norm(pushed, axis=1, keepdims=True), dtype=np.float32)


def _recall(vectors: "Vectors", queries: Matrix, nearest: list[set[int]]) -> float:
    found = [set(vectors.search(query, _NEAREST)[0].tolist()) for query in queries]
    return sum(len(a & b) for a, b in zip(found, nearest, strict=True)) / (_NEAREST * len(queries))


def _fewest(recall: Callable[[int], float], target: float, most: int) -> tuple[int, float]:
    """The smallest number in a series that grows by a quarter for which `recall` reaches `target`."""
    probes = 1
    while True:
        reached = recall(probes)
        if reached >= target or probes >= most:
            return probes, reached
        probes = min(most, max(probes + 1, round(1.25 * probes)))
