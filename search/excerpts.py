"""As much text as fits: for programs that can read only so many characters."""

import re
from collections.abc import Sequence
from dataclasses import replace

from index.sentences import Span, sentence_spans, trim
from search.hits import Hit

_WORD = re.compile(r"\S+")


def fitting(hits: Sequence[Hit], most: int) -> tuple[Hit, ...]:
    """The first of `hits` whose passages have at most `most` characters together.

    One is always given: where even the first does not fit, as much of it as does.
    """
    kept: list[Hit] = []
    left = most
    for hit in hits:
        left -= len(hit.text)
        if left < 0:
            break
        kept.append(hit)
    return tuple(kept) if kept else tuple(shortened(hit, most) for hit in hits[:1])


def shortened(hit: Hit, most: int) -> Hit:
    """`hit` with at most `most` characters of its passage, among them its best sentence."""
    if len(hit.text) <= most:
        return hit
    start, end = _around(hit.text, hit.best_sentence, hit.highlights, most)
    best = _inside(hit.best_sentence, (start, end))
    return replace(
        hit,
        passage=replace(hit.passage, start=hit.passage.start + start, end=hit.passage.start + end),
        text=hit.text[start:end],
        highlights=inside(hit.highlights, (start, end)),
        best_sentence=best,
    )


def portion(text: str, start: int, most: int) -> Span:
    """At most `most` characters of `text` from `start` on, to the end of a sentence or word: never nothing.

    White space goes with what stands before it, so that portion after portion gives the text again.
    """
    limit = start + most
    if limit >= len(text):
        return start, len(text)
    sentences = [start + end for _, end in sentence_spans(text[start:limit])[:-1]]
    # A portion that would be less than half full is not worth a whole sentence.
    end = sentences[-1] if sentences and sentences[-1] - start >= most / 2 else _last_word(text, start, limit)
    while end < limit and text[end].isspace():
        end += 1
    return start, end


def inside(spans: Sequence[Span], window: Span) -> tuple[Span, ...]:
    """What of `spans` lies in `window`, counted from where that begins."""
    low, high = window
    return tuple(_inside(span, window) for span in spans if span[0] < high and span[1] > low)


def _inside(span: Span, window: Span) -> Span:
    low, high = window
    return max(span[0], low) - low, min(span[1], high) - low


def _around(text: str, best: Span, marks: Sequence[Span], most: int) -> Span:
    """The best sentence and its neighbours as far as they fit, later ones first; of one that is too long, a part."""
    if best[1] - best[0] > most:
        return _part(text, best, marks, most)
    start, end = best
    sentences = sentence_spans(text)
    before = [low for low, _ in sentences if low < start]
    after = [high for _, high in sentences if high > end]
    while True:
        if after and after[0] - start <= most:
            end = after.pop(0)
        elif before and end - before[-1] <= most:
            start = before.pop()
        else:
            return start, end


def _part(text: str, sentence: Span, marks: Sequence[Span], most: int) -> Span:
    """Whole words of a long sentence: its beginning, unless the first mark in it lies beyond."""
    start, end = sentence
    mark = next((span for span in marks if start <= span[0] < end), sentence)
    if mark[1] > start + most:
        earliest = max(start, mark[0] - most // 2)
        words = (match.start() for match in _WORD.finditer(text, earliest, mark[0] + 1))
        start = next((word for word in words if word == earliest or text[word - 1].isspace()), earliest)
    limit = min(end, start + most)
    return trim(text, (start, limit if limit == end else _last_word(text, start, limit)))


def _last_word(text: str, start: int, limit: int) -> int:
    """Where the last whole word before `limit` ends, or `limit` where none does: some scripts write no spaces."""
    if text[limit].isspace() and not text[limit - 1].isspace():
        return limit
    ends = [match.end() for match in _WORD.finditer(text, start, limit)]
    if ends and ends[-1] == limit:
        ends.pop()
    return ends[-1] if ends else limit
