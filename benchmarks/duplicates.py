"""Are the copies of a story found, and nothing else, and how fast? Beside MinHash LSH of datasketch.

    python benchmarks/duplicates.py [--sample 1000] [--show 40] [ARTICLES.jsonl.gz]
    python benchmarks/duplicates.py --scale 5000 20000 100000

The corpus is every real article and, of a seeded sample, one copy of each kind: trimmed to 60 %
(from the end or throughout), a new headline and lede, boilerplate of an agency added (so unrelated
articles share it), sentences in another order, 3 % of the words edited, and all but the editing
together. Among them stand what must not be found: follow-ups that repeat 30 % of an article as
background, digests with the beginnings of six articles, and 240 short texts by template.

Articles arrive in random order; each is looked up in a SQLite table on disk among those before it.
A found pair is right when both come from one article. Pairs of copies whose originals have 30 % or
more in common (they may be real copies or updates) are left out and counted; what is found among the
originals themselves is counted apart, and --show prints some for judging by eye.

--scale prints the time of a look-up in tables of so many articles, a tenth of which carry the same
boilerplate.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from copies import BOILERPLATES, DEFAULT, KINDS, Forger, Story, read, sampled

from index import duplicates
from index.database import connect, transaction
from index.duplicates import LEAST_SHARED, days_apart, fingerprints, is_copy, shared_words

RELATED = 0.3
"""Of two originals whose shorter one has this share in the other, nobody can say without reading."""
# As in the catalog.
LATEST_HOLDERS = 50
MOST_JUDGED = 50


@dataclass
class Found:
    """What one way found: pairs of places in the corpus, and processor seconds by stage for the whole corpus."""

    pairs: set[tuple[int, int]] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    asked: int = 0


class Table:
    """The fingerprints as the catalog keeps them, on disk, and how candidates are looked up."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path)
        self.connection.execute(
            "CREATE TABLE fingerprints (fingerprint INTEGER, article INTEGER, PRIMARY KEY (fingerprint, article))"
            " WITHOUT ROWID"
        )

    def add(self, number: int, values: NDArray[np.int64]) -> None:
        """Stores them."""
        self.connection.executemany(
            "INSERT INTO fingerprints VALUES (?, ?)", ((value, number) for value in values.tolist())
        )

    def candidates(self, values: NDArray[np.int64]) -> list[int]:
        """Articles that share enough of `values`, the likeliest first.

        Of the holders of one fingerprint only the latest are looked at: a story with more copies than
        that is found by any of them, and furniture on many pages costs no more than this.
        """
        shared: Counter[int] = Counter()
        for value in values.tolist():
            rows = self.connection.execute(
                "SELECT article FROM fingerprints WHERE fingerprint = ? ORDER BY article DESC LIMIT ?",
                (value, LATEST_HOLDERS),
            )
            shared.update(number for (number,) in rows.fetchall())
        return [number for number, count in shared.most_common(MOST_JUDGED) if count >= LEAST_SHARED]


def dateline_way(corpus: Sequence[Story], dated: bool = True) -> Found:
    """Fingerprints, look-up, judging. Each stage is timed."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        table = Table(Path(folder) / "fingerprints.sqlite")
        for first in range(0, len(corpus), 500):
            with transaction(table.connection):
                for number in range(first, min(first + 500, len(corpus))):
                    story = corpus[number]
                    began = time.process_time()
                    values = fingerprints(story.text)
                    made = time.process_time()
                    candidates = table.candidates(values)
                    table.add(number, values)
                    looked = time.process_time()
                    for other in candidates:
                        apart = days_apart(story.published, corpus[other].published) if dated else None
                        if is_copy(story.text, corpus[other].text, apart):
                            found.pairs.add((other, number))
                    found.asked += len(candidates)
                    found.seconds["fingerprints"] += made - began
                    found.seconds["look-up"] += looked - made
                    found.seconds["judging"] += time.process_time() - looked
        table.connection.close()
    return found


def minhash_ways(corpus: Sequence[Story], thresholds: Sequence[float]) -> dict[str, Found]:
    """MinHash LSH with 128 permutations over runs of five words, as datasketch's documentation has it.

    Pairs that the LSH throws up are kept when the estimated Jaccard similarity reaches the threshold.
    """
    began = time.process_time()
    shingles = (
        [" ".join(words[place : place + 5]).encode() for place in range(max(1, len(words) - 4))]
        for words in (duplicates._WORD.findall(story.text.casefold()) for story in corpus)
    )
    hashes = list(MinHash.generator(shingles, num_perm=128))
    making = time.process_time() - began
    ways = {}
    for threshold in thresholds:
        found = ways[f"MinHash LSH {threshold}"] = Found()
        index = MinHashLSH(threshold=threshold, num_perm=128)
        began = time.process_time()
        for number, minhash in enumerate(hashes):
            candidates = index.query(minhash)
            index.insert(number, minhash)
            found.asked += len(candidates)
            found.pairs |= {(other, number) for other in candidates if minhash.jaccard(hashes[other]) >= threshold}
        found.seconds |= {"fingerprints": making, "look-up": time.process_time() - began}
    return ways


class Judge:
    """Knows which found pairs are right."""

    def __init__(self, corpus: Sequence[Story], originals: Sequence[Story]) -> None:
        self.corpus, self.originals = corpus, originals
        place_of = {story.root: number for number, story in enumerate(corpus) if story.kind not in KINDS}
        self.wanted = {
            kind: {
                (min(number, place_of[story.root]), max(number, place_of[story.root]))
                for number, story in enumerate(corpus)
                if story.kind == kind
            }
            for kind in KINDS
        }
        self._related: dict[tuple[int, int], bool] = {}

    def figures(self, found: Found) -> dict[str, object]:
        """Precision, recall by kind, and what was found that is neither right nor wrong."""
        right, wrong, related = 0, Counter[str](), 0
        among_originals = 0
        for pair in found.pairs:
            one, other = (self.corpus[number] for number in pair)
            if one.root == other.root:
                right += 1
            elif self._both_original(one, other):
                among_originals += 1
            elif self._have_much_in_common(one, other):
                related += 1
            else:
                wrong[" + ".join(sorted(("copy" if s.kind in KINDS else self._sort(s)) for s in (one, other)))] += 1
        all_wanted = set().union(*self.wanted.values())
        return {
            "precision": right / max(1, right + wrong.total()),
            "untemplated": right / max(1, right + wrong.total() - wrong["template + template"]),
            "recall": len(all_wanted & found.pairs) / len(all_wanted),
            "by kind": {kind: len(wanted & found.pairs) / len(wanted) for kind, wanted in self.wanted.items()},
            "right": right, "wrong": dict(wrong), "related": related, "among originals": among_originals,
        }  # fmt: skip

    def _sort(self, story: Story) -> str:
        return "original" if isinstance(story.root, int) else story.kind

    def _both_original(self, one: Story, other: Story) -> bool:
        return all(self._sort(story) == "original" and story.kind not in KINDS for story in (one, other))

    def _have_much_in_common(self, one: Story, other: Story) -> bool:
        if not (isinstance(one.root, int) and isinstance(other.root, int)):
            return False
        pair = min(one.root, other.root), max(one.root, other.root)
        if pair not in self._related:
            texts = (self.originals[place].text for place in pair)
            self._related[pair] = max(shared_words(*texts)) >= RELATED
        return self._related[pair]


def compare(originals: Sequence[Story], size: int, show: int, seed: int) -> None:
    """Prints the table."""
    forger = Forger(originals, seed)
    places = sampled(originals, forger, size)
    corpus = [
        *originals,
        *(forger.copy(place, kind) for place in places for kind in KINDS),
        *(forger.follow_up(place) for place in places),
        *(forger.digest(places[first : first + 6]) for first in range(0, len(places) - 5, 6)),
        *forger.templates(60),
    ]
    forger.chance.shuffle(corpus)
    judge = Judge(corpus, originals)
    print(f"{len(originals)} originals, {len(places)} of them copied {len(KINDS)} times; {len(corpus)} texts in all")
    mine = dateline_way(corpus)
    ways = {"Dateline": mine, "Dateline, no dates": dateline_way(corpus, dated=False)}
    ways |= minhash_ways(corpus, (0.3, 0.4, 0.5, 0.6, 0.7))
    shown = " ".join(f"{kind:>11}" for kind in KINDS)
    print(
        f"{'':20} {'precision':>9} {'…¹':>7} {'recall':>7} {shown} {'s/10,000':>9} {'asked':>8}"
        "  wrong, related, among originals"
    )
    for name, found in ways.items():
        figures = judge.figures(found)
        by_kind = " ".join(f"{recall:11.4f}" for recall in figures["by kind"].values())
        rate = sum(found.seconds.values()) * 10_000 / len(corpus)
        print(
            f"{name:20} {figures['precision']:9.4f} {figures['untemplated']:7.4f} {figures['recall']:7.4f}"
            f" {by_kind} {rate:9.1f} {found.asked:8}"
            f"  {figures['wrong']}, {figures['related']}, {figures['among originals']}"
        )
    print("¹ without the texts by template")
    for what, found, texts in (
        ("this corpus", mine, corpus),
        ("originals alone", dateline_way(originals), originals),
    ):
        stages = {stage: round(seconds * 10_000 / len(texts), 2) for stage, seconds in found.seconds.items()}
        print(f"Dateline, processor seconds per 10,000 articles, {what}: {json.dumps(stages)}")
    if show:
        show_originals(corpus, mine, show, seed)


def show_originals(corpus: Sequence[Story], found: Found, show: int, seed: int) -> None:
    """Prints pairs found among the real articles, one for each pair of titles, for judging by eye."""
    pairs = [
        pair
        for pair in sorted(found.pairs)
        if all(isinstance(corpus[number].root, int) and corpus[number].kind not in KINDS for number in pair)
    ]
    same = sum(corpus[one].text == corpus[other].text for one, other in pairs)
    distinct = list({frozenset((corpus[one].text, corpus[other].text)): (one, other) for one, other in pairs}.values())
    print(f"among the originals: {len(pairs)} pairs, {same} of the same text; {len(distinct)} distinct, a sample:")
    for one, other in random.Random(seed).sample(distinct, min(show, len(distinct))):
        shares = " / ".join(f"{share:.2f}" for share in shared_words(corpus[one].text, corpus[other].text))
        lengths = " / ".join(str(len(corpus[number].text.split())) for number in (one, other))
        titles = " | ".join(f"{corpus[number].published} {corpus[number].kind[:60]}" for number in (one, other))
        print(f"  {shares}  {lengths} words  {titles}")


def scale(originals: Sequence[Story], sizes: Sequence[int], seed: int) -> None:
    """Prints how a look-up takes longer as the table grows."""
    chance = np.random.default_rng(seed)
    texts = [story.text.split()[:400] for story in originals if len(story.text.split()) >= 200]
    vocabulary = sorted({word for words in texts[:300] for word in words})
    furniture = BOILERPLATES[2]
    print(f"{'articles':>9} {'look-up ms':>11} {'insert ms':>10} {'candidates':>11} {'file MB':>8} {'bytes each':>11}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fingerprints.sqlite"
        table, number = Table(path), 0
        for size in sorted(sizes):
            looking, inserting, candidates, looked = 0.0, 0.0, 0, 0
            while number < size:
                with transaction(table.connection):
                    for _ in range(min(500, size - number)):
                        words = list(texts[number % len(texts)])
                        for place in np.flatnonzero(chance.random(len(words)) < 0.3):
                            words[place] = vocabulary[chance.integers(len(vocabulary))]
                        text = " ".join(words) + (furniture if number % 10 == 0 else "")
                        values = fingerprints(text)
                        began = time.process_time()
                        if size - number <= 2_000:
                            candidates += len(table.candidates(values))
                            looking += time.process_time() - began
                            looked += 1
                        began = time.process_time()
                        table.add(number, values)
                        inserting += time.process_time() - began if size - number <= 2_000 else 0.0
                        number += 1
            table.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            of_file = path.stat().st_size
            print(
                f"{size:9} {1000 * looking / looked:11.3f} {1000 * inserting / looked:10.3f}"
                f" {candidates / looked:11.2f} {of_file / 1e6:8.1f} {of_file / size:11.0f}",
                flush=True,
            )
        table.connection.close()


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--scale", nargs="+", type=int)
    asked = parser.parse_args()
    if not asked.corpus.is_file():
        sys.exit(f"skipped: {asked.corpus} is not here")
    originals = read(asked.corpus)
    if asked.scale:
        scale(originals, asked.scale, asked.seed)
    else:
        compare(originals, asked.sample, asked.show, asked.seed)


if __name__ == "__main__":
    main()
