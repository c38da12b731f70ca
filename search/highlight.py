"""Which words and which sentence of a passage to show the reader."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from index.compounds import compounds
from index.sentences import sentence_spans
from index.terms import Place, Word, analyse, as_word, places_of, stems_in

Span = tuple[int, int]

# A part of a compound is marked alone from this length on: the Brien of O'Brien, not the O.
_SHORTEST_PART = 3


class Marker:
    """What to mark in texts for one query: its words in any wording, and phrases word for word."""

    def __init__(self, words: Iterable[Word | str], phrases: Sequence[str] = ()) -> None:
        asked = [as_word(word).alternatives for word in words]
        wordings = {stems for word in asked for stems in word}
        # By stem, the words that it stands for alone; and the wordings that take several stems, each with its word.
        self._stands_for: dict[str, set[int]] = {stem: set() for stems in wordings for stem in stems}
        self._longer: list[tuple[int, tuple[str, ...]]] = []
        for at, word in enumerate(asked):
            for stems in word:
                if len(stems) == 1:
                    self._stands_for[stems[0]].add(at)
                else:
                    self._longer.append((at, stems))
        self._alone = {stems[0] for stems in wordings if len(stems) == 1}
        self._alone |= {stem for stems in wordings if len(stems) > 1 for stem in stems if len(stem) >= _SHORTEST_PART}
        runs = {stems for stems in wordings if len(stems) > 1}
        runs |= {tuple(term.stem for term in analyse(phrase)) for phrase in phrases}
        self._runs = [stems for stems in runs if stems]
        self._wanted = {stem for stems in (*wordings, *runs) for stem in stems}

    def highlights(self, text: str) -> list[Span]:
        """Spans of `text` that the query's words or phrases stand in, in order and apart.

        Words go by their stems, never by parts of them; what stands side by side as one wording or phrase
        is one span.
        """
        return self._highlights(text, places_of(self._wanted, text))

    def best_sentence(self, text: str) -> Span:
        """The sentence in which most of the query's words stand; of equals, and if none does, the first.

        Counting words beats weighing them by rarity and the sentence's own embedding: an answer is near what was
        asked, and news says first what matters (docs/experiments.md).
        """
        return self._best_sentence(text, places_of(self._wanted, text))

    def both(self, text: str) -> tuple[list[Span], Span]:
        """Highlights and the best sentence of `text`, which is analysed once."""
        places = places_of(self._wanted, text)
        return self._highlights(text, places), self._best_sentence(text, places)

    def _highlights(self, text: str, places: Sequence[Place]) -> list[Span]:
        spans = [(start, end) for stem, start, end in places if stem in self._alone]
        spans += [span for run in self._runs for span in _side_by_side(text, places, run)]
        spans += [
            (compound.start, compound.end)
            for compound in compounds(text)
            if [stem in self._alone for stem, _, _ in stems_in(compound.joined)] == [True]
        ]
        return _apart(spans)

    def _best_sentence(self, text: str, places: Sequence[Place]) -> Span:
        sentences = sentence_spans(text) or [(0, len(text))]
        starts = [start for start, _ in sentences]
        inside: list[set[str]] = [set() for _ in sentences]
        for stem, start, _ in places:
            if stem in self._stands_for:
                inside[bisect_right(starts, start) - 1].add(stem)
        return sentences[max(range(len(sentences)), key=lambda at: self._matched(inside[at]))]

    def _matched(self, stems: set[str]) -> int:
        """How many words of the query these stems make."""
        if not stems:
            return 0
        words = {at for at, wording in self._longer if stems.issuperset(wording)}
        return len(words.union(*(self._stands_for[stem] for stem in stems)))


def _side_by_side(text: str, places: Sequence[Place], run: tuple[str, ...]) -> Iterator[Span]:
    for at, (stem, start, _) in enumerate(places):
        found = places[at : at + len(run)]
        if stem == run[0] and tuple(other for other, _, _ in found) == run:
            between = (text[one[2] : other[1]] for one, other in pairwise(found))
            if not any(map(stems_in, between)):
                yield start, found[-1][2]


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The same characters in spans that do not overlap, in order."""
    apart: list[Span] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart
