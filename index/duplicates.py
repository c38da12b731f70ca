"""Copies of a story: wire copies under other headlines, trimmed versions, updates and reprints.

Two steps. Every text is stood for by a few `fingerprints`; texts that have some in common are
candidates, found by a look into a table. `is_copy` then compares the two whole texts.

Both look at shingles, runs of eight words (Broder, "On the resemblance and containment of
documents", 1997). A copy is often trimmed or has something added, so what counts is not how alike
two texts are but how much of one stands in the other. It is counted in words that lie in a shared
shingle, not in shingles: sentences in another order break many shingles but leave few words out.

Titles play no part. Fingerprints are stored: what they are made of must not change without a new
index format. Constants were chosen with `python benchmarks/duplicates_tuning.py`.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

# Templates (weather, markets, obituaries) change a word in every ten, light editing one in thirty.
# In runs of eight words most templates fall apart and edited copies hold; in runs of five both hold.
SHINGLE_WORDS = 8
# So many a text, whatever its length: a brief has nearly all of its shingles in the table, a long
# read no more rows than a report. With 16, one copy in twenty is missed; 64 find no more than 32.
FINGERPRINTS = 32
LEAST_SHARED = 3
"""So many fingerprints two texts must share for `is_copy` to be worth asking.

Of hard copies it misses one in three thousand at most; unrelated articles rarely get there."""

# Wire copy runs within days. Later, what shares half its text is the next piece of a series, a
# yearly explainer or a page with the same gallery, and only the nearly whole text is a reprint.
_NEAR_DAYS = 3
# Trimmed to 60 %, with a new top and boilerplate, an article of 150 words still shares half. Background
# that a follow-up repeats is a third.
_SHARE = 0.5
# Below it, the longer text is a digest that holds the shorter one among others.
_SHARE_OF_LONGER = 0.25
_REPRINT_SHARE = 0.9
_REPRINT_SHARE_OF_LONGER = 0.6
# The notice that stands in place of a paid article is the same for years and shorter than this.
_REPRINT_WORDS = 200
# Fewer words are the label of a gallery or a video, not a story.
_FEWEST_WORDS = 20
# A brief, which has to be nearly the same as a whole.
_BRIEF_WORDS = 50
_BRIEF_SHARE = 0.9
# What an editor adds is a top and some boilerplate. Two long texts that share half and have more of
# their own each are two stories with one gallery or one background.
_MOST_NEW_WORDS = 300
# In a long text with its sentences in another order, more words than that lie in no shared shingle.
_MOST_NEW_SHARE = 0.25
# Lottery draws and tremors: one frame, other figures. A copy has the figures of its original.
_FEWEST_FIGURES = 4
_SHARE_OF_FIGURES = 0.5
# A copy with boilerplate added may be longer than a complete one by this much; trimmed ones are shorter.
_COMPLETE_SHARE = 0.7
# Of a longer text only the beginning is looked at. The longest in the development corpora has a ninth.
_MOST_CHARACTERS = 1_000_000

# Scripts without spaces between words, of which every character counts as a word: Thai, Lao,
# Burmese, Khmer, Japanese and Chinese.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
# Indic scripts with their vowel signs, which \w leaves out, and without the danda, a full stop.
_INDIC = "\u0900-\u0963\u0966-\u0dff"
_WORD = re.compile(f"[{_UNSPACED}]|(?:[^\\W_{_UNSPACED}]|[{_INDIC}])+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """What decides which copy heads a story.

    `number` counts articles as they arrived, `published` is ISO 8601, `length` is that of the text
    in any one unit.
    """

    number: int
    published: str | None
    length: int


def fingerprints(text: str) -> NDArray[np.int64]:
    """The smallest hashes of the shingles of `text`, ascending, at most `FINGERPRINTS` of them.

    Two texts sample the same way, so what they have in common has the same chance in both. Values
    are below 2^47, which SQLite keeps in six bytes. Empty for a text of fewer than 8 words.
    """
    return np.unique(_shingles(text))[:FINGERPRINTS].astype(np.int64)


def is_copy(text: str, other: str, days_apart: float | None = None) -> bool:
    """Whether two texts tell one story in the same words, in either order.

    `days_apart` is the time between their publication; None stands for a short time. Never true of
    texts of fewer than 20 words.
    """
    words = min(len(_shingles(text)), len(_shingles(other))) + SHINGLE_WORDS - 1
    if words < _FEWEST_WORDS:
        return False
    of_longer, of_shorter = sorted(shared_words(text, other))
    if days_apart is not None and days_apart > _NEAR_DAYS:
        alike = words >= _REPRINT_WORDS and of_shorter >= _REPRINT_SHARE and of_longer >= _REPRINT_SHARE_OF_LONGER
    elif words < _BRIEF_WORDS:
        alike = of_longer >= _BRIEF_SHARE
    else:
        most_new = max(_MOST_NEW_WORDS, _MOST_NEW_SHARE * words)
        alike = of_shorter >= max(_SHARE, 1 - most_new / words) and of_longer >= _SHARE_OF_LONGER
    return alike and _same_figures(text, other)


def shared_words(text: str, other: str) -> tuple[float, float]:
    """The share of each text's words that lie in a shingle of the other."""
    ours, theirs = _shingles(text), _shingles(other)
    return _covered(ours, theirs), _covered(theirs, ours)


def days_apart(published: str | None, other: str | None) -> float | None:
    """Days between two moments in ISO 8601, or None where one is unknown."""
    first, second = _moment(published), _moment(other)
    return None if first is None or second is None else abs(first - second) / timedelta(days=1)


def head_of(copies: Sequence[CopyFacts]) -> int:
    """The place in `copies` of the one that heads their story: the earliest complete copy.

    A copy is complete from 70 % of the longest on. Undated copies come last; those published at the
    same time go by arrival. Raises ValueError when there are no copies.
    """
    longest = max(copy.length for copy in copies)
    complete = [place for place, copy in enumerate(copies) if copy.length >= _COMPLETE_SHARE * longest]
    never = datetime.max.replace(tzinfo=UTC)
    return min(complete, key=lambda place: (_moment(copies[place].published) or never, copies[place].number))


def _covered(shingles: Hashes, others: Hashes) -> float:
    shared = np.isin(shingles, others)
    if not shared.any():
        return 0.0
    return float((np.convolve(shared, np.ones(SHINGLE_WORDS, dtype=np.int64)) > 0).mean())


def _same_figures(text: str, other: str) -> bool:
    figures, others = (set(_FIGURE.findall(one[:_MOST_CHARACTERS])) for one in (text, other))
    fewer = min(len(figures), len(others))
    return fewer < _FEWEST_FIGURES or len(figures & others) >= _SHARE_OF_FIGURES * fewer


# Two, so that a new article keeps its place while one candidate after another is held against it.
@lru_cache(maxsize=2)
def _shingles(text: str) -> Hashes:
    """A 47-bit hash of every run of eight words, in the order of the text."""
    words = _word_hashes(text)
    count = max(0, len(words) - SHINGLE_WORDS + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(SHINGLE_WORDS):
        hashes = _mixed(hashes + words[place : place + count])
    return hashes >> np.uint64(17)


def _word_hashes(text: str) -> Hashes:
    """A CRC-32 of every word, whatever its case and accents. It is the same everywhere, always."""
    folded = text[:_MOST_CHARACTERS].casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", folded)))
    words = [word.encode("utf-8", "replace") for word in _WORD.findall(folded)]
    return np.fromiter(map(zlib.crc32, words), dtype=np.uint64, count=len(words))


def _mixed(hashes: Hashes) -> Hashes:
    """SplitMix64, one step (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)."""
    hashes = hashes + np.uint64(0x9E3779B97F4A7C15)
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _moment(published: str | None) -> datetime | None:
    """A date is the end of its day: of two copies of one day, that with a time is taken as the earlier."""
    try:
        moment = datetime.fromisoformat(published or "")
        if len(published or "") == len("2025-08-20"):
            moment += timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
