"""The words of a query against the vocabulary of the corpus: other spellings of them, and slips put right.

The corpus is the dictionary. An American spelling, a joined compound or a correction counts only where
it occurs in a passage, so rules may be generous: what they make of a word that has no other spelling
is no word.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.compounds import compounds
from index.store import Vocabulary
from index.terms import Term, Word, analyse, spellings, stems_of
from search.spellings import other_spellings

# Shorter words are near too many others.
_SHORTEST_CORRECTED = 4
# Two slips in a word are believed from this length on.
_SHORTEST_WITH_TWO_SLIPS = 8
# A spelling that stands in one passage of many is as likely a slip as the word asked for.
_LEAST_PASSAGES, _SMALL_CORPUS = 2, 1_000
# "Climatechange" is two words; "an", "in" and "re" would make two words of nearly anything.
_SHORTEST_PART = 3
# Parts of a contraction say no more than the word in whole, which is a stop word: don't, isn't, we've, I'm.
_CONTRACTION = re.compile(r"\b(?:\w+n['’ʼ]t|\w+['’ʼ](?:ve|re|ll|m))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wording:
    """A query in the words of the corpus.

    `text` is what was typed with `corrections` made, each a pair of what was typed and what is meant.
    """

    words: tuple[Word, ...]
    text: str
    corrections: tuple[tuple[str, str], ...] = ()


def worded(
    text: str,
    vocabulary: Vocabulary,
    *,
    correct: bool,
    phrases: Sequence[str] = (),
    is_word: Callable[[str], bool] = lambda word: False,
) -> Wording:
    """The words of `text` to search for, each with the wordings in which the corpus has it.

    Words of `phrases`, which were typed in quotes, are never corrected, nor is what `is_word` knows as one:
    that the corpus has no "fever" does not make it a slip for "fewer".
    """
    words = spellings(text)
    # Not made before somebody wants them: where the words are at hand, nobody does.
    wordings = (wording for word in words for wording in (word, *other_spellings(word)))
    vocabulary.expect((stem for wording in wordings for stem in stems_of(wording)), words)
    corrections: tuple[tuple[str, str], ...] = ()
    if correct:
        text, corrections = _corrected(text, vocabulary, phrases, is_word)
    return Wording(_words(text, vocabulary), text, corrections)


@dataclass(frozen=True, slots=True)
class _Typed:
    """A word as it was typed: its terms, several in a compound, how each is spelled, and the whole as one."""

    terms: tuple[Term, ...]
    spellings: tuple[str, ...]
    joined: str | None


def _typed(text: str) -> Iterator[_Typed]:
    """The words of `text` in order; the terms of a compound come together."""
    pending = list(zip(analyse(text), spellings(text), strict=True))
    for compound in [*compounds(text), None]:
        while pending and (compound is None or pending[0][0].start < compound.start):
            term, spelling = pending.pop(0)
            yield _Typed((term,), (spelling,), None)
        inside = [pair for pair in pending if compound and pair[0].end <= compound.end]
        del pending[: len(inside)]
        if compound and inside:
            yield _Typed(tuple(term for term, _ in inside), tuple(word for _, word in inside), compound.joined)


def _words(text: str, vocabulary: Vocabulary) -> tuple[Word, ...]:
    contractions = [match.span() for match in _CONTRACTION.finditer(text)]

    def empty(term: Term) -> bool:
        return term.stop_word or any(start <= term.start and term.end <= end for start, end in contractions)

    typed = list(_typed(text))
    # "To be or not to be" is all stop words: then they are what is asked for.
    content = [word for word in typed if not all(map(empty, word.terms))] or typed
    words: list[Word] = []
    for word in content:
        alternatives = _alternatives(word, vocabulary)
        if not any(alternatives[0] in known.alternatives for known in words):
            words.append(Word(alternatives))
    return tuple(words)


def _alternatives(word: _Typed, vocabulary: Vocabulary) -> tuple[tuple[str, ...], ...]:
    """The wordings of a word, first the one that was typed."""
    parts = tuple(dict.fromkeys(term.stem for term in word.terms if not term.stop_word))
    parts = parts or tuple(dict.fromkeys(term.stem for term in word.terms))
    whole = [word.joined] if word.joined else []
    names = whole or list(word.spellings)
    others = [other for name in names for other in other_spellings(_spelled(name))]
    stems = [stem for name in whole + others for stem in stems_of(name) if vocabulary.frequency(stem)]
    return tuple(dict.fromkeys([parts, *((stem,) for stem in stems)]))


def _corrected(
    text: str, vocabulary: Vocabulary, phrases: Sequence[str], is_word: Callable[[str], bool]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """`text` with the words that the corpus does not know put right, and what was put right."""
    exempt = {spelling for phrase in phrases for spelling in spellings(phrase)}
    pieces: list[str] = []
    corrections: list[tuple[str, str]] = []
    done = 0
    for typed in _typed(text):
        if len(typed.terms) > 1 and any(map(vocabulary.frequency, stems_of(typed.joined or ""))):
            continue
        for term, spelling in zip(typed.terms, typed.spellings, strict=True):
            exempted = spelling in exempt or term.stop_word
            meant = None if exempted else _meant(spelling, term.stem, vocabulary)
            if meant and not is_word(spelling):
                as_typed = text[term.start : term.end]
                meant = meant.capitalize() if as_typed[0].isupper() else meant
                pieces += [text[done : term.start], meant]
                corrections.append((as_typed, meant))
                done = term.end
    return "".join([*pieces, text[done:]]), tuple(dict.fromkeys(corrections))


def _meant(word: str, stem: str, vocabulary: Vocabulary) -> str | None:
    """The word or two words of the corpus that an unknown word was meant to be, if any."""
    if len(word) < _SHORTEST_CORRECTED or not (word.isascii() and word.isalpha()):
        return None
    if vocabulary.frequency(stem) or vocabulary.known(word) or _occurring(other_spellings(word), vocabulary):
        return None
    nearest = _nearest(word, 1, vocabulary) or _split(word, vocabulary)
    if nearest is None and len(word) >= _SHORTEST_WITH_TWO_SLIPS:
        nearest = _nearest(word, 2, vocabulary)
    return nearest


def _nearest(word: str, distance: int, vocabulary: Vocabulary) -> str | None:
    """The commonest word near `word`; one with another first letter only where there is no other."""
    least = _least_passages(vocabulary)
    near = vocabulary.near(word, distance)
    ranked = sorted(near, key=lambda other: (other[0] != word[0], -near[other], other))
    return next(
        (
            other
            for other in ranked
            if len(other) >= _SHORTEST_CORRECTED and other.isalpha() and vocabulary.known(other) >= least
        ),
        None,
    )


def _split(word: str, vocabulary: Vocabulary) -> str | None:
    """Two words that stand side by side in the corpus and were typed without a space, the commonest pair."""
    least = _least_passages(vocabulary)
    pairs: list[tuple[int, str]] = []
    for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
        left, right = word[:at], word[at:]
        if vocabulary.known(left) and vocabulary.known(right):
            together = len(vocabulary.matching([*stems_of(left), *stems_of(right)]))
            pairs.append((together, f"{left} {right}"))
    together, pair = max(pairs, default=(0, ""))
    return pair if together >= least else None


def _least_passages(vocabulary: Vocabulary) -> int:
    return 1 if len(vocabulary) < _SMALL_CORPUS else _LEAST_PASSAGES


def _occurring(words: Iterable[str], vocabulary: Vocabulary) -> bool:
    return any(vocabulary.frequency(stem) for word in words for stem in stems_of(word))


def _spelled(word: str) -> str:
    return "".join(spellings(word))
