"""The words of a corpus on a server: looked up many at once, and remembered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.bm25 import idf
from index.columns import Numbers
from index.milvus.client import Server
from index.milvus.expressions import quoted
from index.milvus.facts import Facts
from index.milvus.rows import cut, letters_of, word_key
from index.milvus.tables import WITNESS_LETTERS, Tables
from index.slips import slips

# Words asked for since the generation was opened; a corpus has more, but nobody asks for them.
_KEPT = 200_000
_KEYS_A_QUESTION = 1_000
# Words of nearly the same letters: of a vocabulary of 200,000, some dozens have those of any word but for two slips.
_NEIGHBOURS = 1_000
# Two slips may take away the same letter twice, and put in another twice.
_SQUARES = {1: 2, 2: 8}


@dataclass(frozen=True, slots=True)
class Frequencies:
    """In how many passages a word occurs, and what idf counts: passages and articles, removed ones too for a while."""

    passages: int = 0
    ever: int = 0
    articles: int = 0


_NOWHERE = Frequencies()


class MilvusVocabulary:
    """The words of a corpus, over all passages; `matching` finds passages by stems that stand side by side."""

    def __init__(
        self, server: Server, tables: Tables, facts: Facts, matching: Callable[[Sequence[str]], Numbers]
    ) -> None:
        self._server, self._tables, self._facts, self._since = server, tables, facts, facts.published
        self._matching = matching
        self._known: dict[str, Frequencies] = {}

    def __len__(self) -> int:
        return self._facts.passages

    def expect(self, stems: Iterable[str], spelled: Iterable[str] = ()) -> None:
        """Looks up all of these at once, for what is asked about them next."""
        keys = dict.fromkeys([*(word_key("stem", stem) for stem in stems), *(word_key("spelling", w) for w in spelled)])
        unknown = [key for key in keys if key not in self._known]
        if len(self._known) > _KEPT:
            self._known = {}
        for start in range(0, len(unknown), _KEYS_A_QUESTION):
            part = unknown[start : start + _KEYS_A_QUESTION]
            expression = f"key in [{', '.join(map(quoted, part))}]"
            rows = self._server.rows(
                self._tables.words, expression, ("passages", "ever", "articles"), key="key", since=self._since
            )
            found = {row["key"]: Frequencies(row["passages"], row["ever"], row["articles"]) for row in rows}
            self._known |= {key: found.get(key, _NOWHERE) for key in part}

    def idf(self, stem: str) -> float:
        """Inverse document frequency of a stem."""
        return idf(self.frequencies(stem).ever, self._facts.passages_ever)

    def frequency(self, stem: str) -> int:
        """In how many passages a stem occurs."""
        return self.frequencies(stem).passages

    def frequencies(self, stem: str) -> Frequencies:
        """In how many passages and articles a stem occurs, and what idf counts."""
        return self._of("stem", stem)

    def known(self, word: str) -> int:
        """In how many passages a word occurs as it is spelled."""
        return self._of("spelling", word).passages

    def near(self, word: str, distance: int) -> Mapping[str, int]:
        """Words at most `distance` slips away, and in how many passages each occurs, the commonest first."""
        rows = self._server.nearest(
            self._tables.words, "vector", letters_of(word), _NEIGHBOURS, 'kind == "spelling"', ("word", "passages"),
            key="key", metric="L2", since=self._since, witness=WITNESS_LETTERS,
        )  # fmt: skip
        likely = [row for squares, row in rows if squares <= _SQUARES.get(distance, 2 * distance**2) + 1e-3]
        found = {
            row["word"]: int(row["passages"]) for row in likely if 0 < slips(word, row["word"], distance) <= distance
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def matching(self, stems: Sequence[str]) -> Numbers:
        """The passages in which these stems stand side by side."""
        return self._matching(stems) if stems else np.empty(0, dtype=np.int64)

    def beginning_with(self, kind: str, typed: str, size: int) -> list[str]:
        """The commonest of some words that begin so."""
        pattern = cut(typed, 200).replace("\\", "").replace("%", "").replace("_", "")
        rows = self._server.rows(
            self._tables.words, f"kind == {quoted(kind)} and word like {quoted(f'{pattern}%')}",
            ("word", "passages"), key="key", since=self._since,
        )  # fmt: skip
        rows.sort(key=lambda row: (-int(row["passages"]), row["word"]))
        return [row["word"] for row in rows[:size]]

    def names(self, kind: str) -> dict[str, int]:
        """All names of a kind, and how many articles have each."""
        rows = self._server.every_row(self._tables.words, f"kind == {quoted(kind)}", ("word", "articles"), key="key")
        return {row["word"]: int(row["articles"]) for row in rows if row["articles"]}

    def _of(self, kind: str, word: str) -> Frequencies:
        key = word_key(kind, word)
        if key not in self._known:
            self.expect([word] if kind == "stem" else [], [word] if kind == "spelling" else [])
        return self._known[key]
