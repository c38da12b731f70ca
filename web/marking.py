"""Texts cut into pieces for templates: at the words and the sentence to mark, at passages, at paragraphs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from search.hits import ArticleView, Span


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text: whether it is a word of the query, and whether it stands in the best sentence."""

    text: str
    marked: bool
    best: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an article: a passage or what stands between passages.

    `match` is its place among the matching passages, from 1; 0 for none of them.
    """

    start: int
    end: int
    match: int
    best: bool
    paragraphs: list[list[Piece]]


def pieces(text: str, marks: Sequence[Span], best: Span | None = None) -> list[Piece]:
    """`text` cut where marks or the best sentence begin or end; joined, the pieces are the text again."""
    inside = best or (0, 0)
    cuts = sorted({0, len(text), *inside, *(edge for span in marks for edge in span)})
    starts = dict(marks)
    found: list[Piece] = []
    marked_until = 0
    for start, end in pairwise(cuts):
        marked_until = max(marked_until, starts.get(start, 0))
        found.append(Piece(text[start:end], start < marked_until, inside[0] <= start < inside[1]))
    return found


def article_sections(view: ArticleView) -> Iterator[Section]:
    """The article's text in order, cut at its passages."""
    text, best = view.article.text, view.best
    matches = {(passage.start, passage.end): place for place, passage in enumerate(view.matching, start=1)}
    edges = sorted({0, len(text), *(edge for passage in view.passages for edge in (passage.start, passage.end))})
    for start, end in pairwise(edges):
        if text[start:end].strip():
            is_best = best is not None and (start, end) == (best.start, best.end)
            yield Section(start, end, matches.get((start, end), 0), is_best, list(_paragraphs(view, start, end)))


def _paragraphs(view: ArticleView, start: int, end: int) -> Iterator[list[Piece]]:
    text, position = view.article.text, start
    for paragraph in text[start:end].split("\n\n"):
        low, high = position, position + len(paragraph)
        inside = [(a - low, b - low) for a, b in view.highlights if low <= a and b <= high]
        best = None
        if view.best_sentence:
            first, last = max(view.best_sentence[0], low), min(view.best_sentence[1], high)
            best = (first - low, last - low) if first < last else None
        if paragraph.strip():
            yield pieces(paragraph, inside, best)
        position = high + 2
