"""Which words and which sentence of a passage to show the reader."""

from collections.abc import Mapping

from index.sentences import sentence_spans
from index.terms import analyse

Span = tuple[int, int]


def highlights(text: str, stems: Mapping[str, float]) -> list[Span]:
    """Spans of the words of `text` that share a stem with the query, in order."""
    return [(term.start, term.end) for term in analyse(text) if term.stem in stems]


def best_sentence(text: str, stems: Mapping[str, float]) -> Span:
    """The sentence that holds most of the query's information, each stem counted once; else the first.

    `stems` gives each stem's weight, its inverse document frequency.
    """
    sentences = sentence_spans(text) or [(0, len(text))]
    return max(sentences, key=lambda span: _information(text[slice(*span)], stems))


def _information(sentence: str, stems: Mapping[str, float]) -> float:
    return sum(stems.get(stem, 0.0) for stem in {term.stem for term in analyse(sentence)})
