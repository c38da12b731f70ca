"""Which words and which sentence of a passage to show the reader."""

from collections.abc import Iterable, Iterator, Sequence

from index.compounds import compounds
from index.sentences import sentence_spans
from index.terms import Term, Word, analyse, as_word

Span = tuple[int, int]

# A part of a compound is marked alone from this length on: the Brien of O'Brien, not the O.
_SHORTEST_PART = 3


def highlights(text: str, words: Iterable[Word | str], phrases: Sequence[str] = ()) -> list[Span]:
    """Spans of `text` that a query's words or phrases stand in, in any wording, in order and apart.

    Words go by their stems, never by parts of them; what stands side by side as one wording or phrase
    is one span.
    """
    wordings = {stems for word in words for stems in as_word(word).alternatives}
    alone = {stems[0] for stems in wordings if len(stems) == 1}
    alone |= {stem for stems in wordings if len(stems) > 1 for stem in stems if len(stem) >= _SHORTEST_PART}
    runs = {stems for stems in wordings if len(stems) > 1}
    runs |= {tuple(term.stem for term in analyse(phrase)) for phrase in phrases}
    terms = analyse(text)
    spans = [(term.start, term.end) for term in terms if term.stem in alone]
    spans += [span for stems in runs if stems for span in _side_by_side(terms, stems)]
    spans += [
        (compound.start, compound.end)
        for compound in compounds(text)
        if [term.stem in alone for term in analyse(compound.joined)] == [True]
    ]
    return _apart(spans)


def _side_by_side(terms: Sequence[Term], stems: tuple[str, ...]) -> Iterator[Span]:
    for at, term in enumerate(terms):
        if term.stem == stems[0] and tuple(other.stem for other in terms[at : at + len(stems)]) == stems:
            yield term.start, terms[at + len(stems) - 1].end


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The same characters in spans that do not overlap, in order."""
    apart: list[Span] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def best_sentence(text: str, words: Sequence[Word]) -> Span:
    """The sentence in which most of the query's words stand, in any wording; of equals, and if none does, the first.

    Counting words beats weighing them by rarity and the sentence's own embedding: an answer is near what was
    asked, and news says first what matters (docs/experiments.md).
    """
    sentences = sentence_spans(text) or [(0, len(text))]

    def matched(span: Span) -> int:
        stems = {term.stem for term in analyse(text[slice(*span)])}
        return sum(any(stems.issuperset(wording) for wording in word.alternatives) for word in words)

    return max(sentences, key=matched)
