"""BM25 as tantivy counts it, and what else a query's words are to passages: arithmetic over arrays."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encoder import Matrix
from index.forward import Found

K1, B = 1.2, 0.75
"""tantivy's term saturation and its regard for length, both fixed: one term scores at most (K1 + 1) times its inverse
document frequency."""

# The lengths that tantivy tells apart, one byte each: every one up to 39, then eight for each doubling.
_LENGTHS = np.asarray(
    [*range(24), *(24 + (at if at < 8 else ((at & 7) | 8) << ((at >> 3) - 1)) for at in range(232))], dtype=np.int64
)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a query's words are to some passages, one value each.

    `bm25`; `coverage`, the worth of the words that occur, however often: at most an (K1 + 1)th of the BM25 of a full
    match; `pairs`, the idf of both stems of every pair that stands side by side, summed.
    """

    bm25: Matrix
    coverage: Matrix
    pairs: Matrix


def idf(frequency: int, documents: int) -> float:
    """Inverse document frequency of what occurs in so many documents of all, as tantivy (after Lucene) counts it."""
    return math.log(1 + (max(documents, frequency) - frequency + 0.5) / (frequency + 0.5))


def saturated(counts: NDArray[Any], lengths: NDArray[Any] | int, mean_length: float) -> NDArray[np.float64]:
    """What occurring so often in a text of such a length is worth, as a multiple of idf: less than K1 + 1."""
    return np.asarray((K1 + 1) * counts / (counts + K1 * (1 - B + B * lengths / (mean_length or 1.0))))


def worth(alternatives: Sequence[Sequence[str]], idf: Callable[[str], float], occurs: Callable[[str], object]) -> float:
    """The information of a word: that of its commonest wording, so that no wording counts as half a match."""
    occurring = [stems for stems in alternatives if all(map(occurs, stems))]
    return min(sum(map(idf, stems)) for stems in occurring or alternatives)


def matches(
    words: Sequence[tuple[Sequence[Sequence[str]], float]],
    pairs: Sequence[tuple[str, str]],
    idf: Mapping[str, float],
    found: Found,
    mean_length: float,
) -> Matches:
    """What `words`, each its alternative wordings and its worth, and `pairs` are to the passages of `found`.

    `idf` has the stems in the order in which they were looked for. A word scores in the best of its wordings, each
    scaled to the worth of the word.
    """
    position = {stem: at for at, stem in enumerate(idf)}
    scores = _scores(list(idf.values()), found, mean_length)
    occurs = found.counts > 0
    bm25, coverage, beside = (np.zeros(len(found.lengths)) for _ in range(3))
    for alternatives, worth in words:
        rows = [[position[stem] for stem in stems] for stems in alternatives]
        if len(rows) == len(rows[0]) == 1:
            bm25 += scores[rows[0][0]]
            coverage += worth * occurs[rows[0][0]]
            continue
        shares = [worth / sum(idf[stem] for stem in stems) for stems in alternatives]
        bm25 += np.max([share * scores[row].sum(axis=0) for share, row in zip(shares, rows, strict=True)], axis=0)
        coverage += worth * occurs[[at for row in rows for at in row]].any(axis=0)
    for first, second in pairs:
        there = (found.first == position[first]) & (found.second == position[second])
        beside[np.unique(found.passage[there])] += idf[first] + idf[second]
    return Matches(*(values.astype(np.float32) for values in (bm25, coverage, beside)))


def _scores(idf: Sequence[float], found: Found, mean_length: float) -> NDArray[np.float64]:
    """The BM25 of each stem in each passage, shape (stems, passages)."""
    lengths = _LENGTHS[np.searchsorted(_LENGTHS, found.lengths, side="right") - 1]
    return np.asarray(idf, dtype=np.float64).reshape(-1, 1) * saturated(found.counts, lengths, mean_length)
