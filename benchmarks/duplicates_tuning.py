"""What the constants of index/duplicates.py were chosen by.

    python benchmarks/duplicates_tuning.py [ARTICLES.jsonl.gz]

Prints, for copies of 500 real articles and for what only looks like a copy, the share of pairs of
which half the shorter text stands in the longer one, by words in a shingle and by the share asked
for; then the copies missed and the candidates thrown up, by fingerprints kept and shared.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from copies import DEFAULT, KINDS, TEMPLATES, Forger, Story, cut, read, sampled, sentences_of

from index import duplicates
from index.duplicates import FINGERPRINTS, LEAST_SHARED, is_copy, shared_words

LATEST_HOLDERS = 50


def tune(originals: Sequence[Story], seed: int) -> None:
    """Prints what the constants decide."""
    forger = Forger(originals, seed)
    places = sampled(originals, forger, 500)
    pairs = {kind: [(originals[p].text, forger.copy(p, kind).text) for p in places] for kind in KINDS}
    pairs["follow-up"] = [(originals[p].text, forger.follow_up(p).text) for p in places]
    pairs["template"] = [pair for text in TEMPLATES for pair in combinations(of_template(forger, text), 2)]
    usual = duplicates.SHINGLE_WORDS
    print("share of pairs whose shorter text has half of its words in shared runs, by words in a shingle")
    print(f"{'':6}", " ".join(f"{name:>12}" for name in pairs))
    for words in (4, 5, 6, 8, 10, 12):
        set_shingle_words(words)
        halves = (np.mean([max(shared_words(*pair)) >= 0.5 for pair in of]) for of in pairs.values())
        print(f"{words:6}", " ".join(f"{half:12.3f}" for half in halves))
    set_shingle_words(usual)
    print("… and by the share asked for, with the words in a shingle that are in use")
    for share in (0.35, 0.4, 0.45, 0.5, 0.55, 0.6):
        passed = (np.mean([max(shared_words(*pair)) >= share for pair in of]) for of in pairs.values())
        print(f"{share:6}", " ".join(f"{part:12.3f}" for part in passed))
    hard = [pair for kind in ("trimmed", "combined") for pair in pairs[kind]]
    hard += [(text, " ".join(cut(sentences_of(text), 0.28))) for text, _ in pairs["trimmed"]]
    tune_fingerprints([pair for pair in hard if is_copy(*pair)], originals)


def of_template(forger: Forger, template: str) -> list[str]:
    """Texts of one template."""
    filled = list(forger.templates(12))
    return [story.text for number, story in enumerate(filled) if TEMPLATES[number % len(TEMPLATES)] == template]


def set_shingle_words(words: int) -> None:
    """Another length of shingle."""
    duplicates.SHINGLE_WORDS = words
    duplicates._shingles.cache_clear()


def tune_fingerprints(pairs: Sequence[tuple[str, str]], originals: Sequence[Story]) -> None:
    """Prints copies missed and candidates thrown up, by fingerprints kept and shared."""
    kept = [[np.unique(duplicates._shingles(text)) for text in pair] for pair in pairs]
    real = [np.unique(duplicates._shingles(story.text)) for story in originals]
    print(f"of {len(pairs)} hard copies missed / candidates an article among the originals, by least shared")
    print(f"{'':6}", " ".join(f"{least:>15}" for least in range(1, 6)), f"  (in use: {FINGERPRINTS}, {LEAST_SHARED})")
    for size in (16, 24, 32, 48, 64):
        shared = np.array([len(np.intersect1d(one[:size], other[:size])) for one, other in kept])
        holders: dict[int, list[int]] = defaultdict(list)
        together: Counter[tuple[int, int]] = Counter()
        for number, values in enumerate(real):
            for value in values[:size].tolist():
                together.update((other, number) for other in holders[value][-LATEST_HOLDERS:])
                holders[value].append(number)
        counts = np.array(list(together.values()))
        cells = (f"{(shared < n).mean():.4f} / {(counts >= n).sum() / len(real):.2f}" for n in range(1, 6))
        print(f"{size:6}", " ".join(f"{cell:>15}" for cell in cells))


def main(arguments: list[str]) -> None:
    """Prints the tables."""
    corpus = Path(arguments[0]) if arguments else DEFAULT
    if not corpus.is_file():
        sys.exit(f"skipped: {corpus} is not here")
    tune(read(corpus), seed=2022)


if __name__ == "__main__":
    main(sys.argv[1:])
