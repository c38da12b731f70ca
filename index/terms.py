"""BM25 over passages. The one module that knows tantivy.

A passage is indexed as one field of title and text, which scores like BM25 over the joined text
(nDCG@10 .606 against .588 for two fields). tantivy fixes k1 at 1.2 and b at 0.75.
"""

import json
import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import tantivy

from index.encoder import Matrix
from index.errors import IndexDamaged
from index.filters import Filters
from index.vectors import Numbers

K1 = 1.2
"""tantivy's term saturation: one term scores at most (K1 + 1) times its inverse document frequency."""

_ANALYZER = "news"
_BODY = "body"
# Memory for terms not yet on the disk; more is hardly faster and would show in the peak of a large rebuild.
_WRITER_BYTES = 20_000_000
# Segments that wait for a commit are merged at once, which takes memory; so a large rebuild commits on its way.
_DOCUMENTS_A_COMMIT = 5_000
# Longer "words" are never typed: URLs, hashes, runs of punctuation-free markup.
_LONGEST_WORD = 60
# Words that say nothing about a passage; they are indexed, for phrases, but not searched for.
STOP_WORDS = frozenset(
    "a about after all also an and any are as at be because been before being between both but by can could did do"
    " does doing during each few for from further had has have having he her here hers him his how i if in into is it"
    " its itself just me more most my no nor not of off on once only or other our out over own s same she should so"
    " some such t than that the their theirs them then there these they this those through to too under until up very"
    " was we were what when where which while who whom why will with would you your"
    " au aux avec ce ces cette dans de des du elle en est et il ils je l la le les leur lui ma mais mes ne nos notre"
    " nous ont ou par pas pour qu que qui sa se ses son sont sur un une vos votre vous d c j n y".split()
)


@dataclass(frozen=True, slots=True)
class Term:
    """One analysed word: its stem and where it stands in the text, in characters."""

    stem: str
    start: int
    end: int
    stop_word: bool


@dataclass(frozen=True, slots=True)
class TermDocument:
    """A passage as the lexical index sees it; `day` is a proleptic ordinal, 0 for unknown."""

    number: int
    text: str
    day: int
    source: str
    authors: tuple[str, ...]
    language: str


def analyse(text: str) -> list[Term]:
    """The words of `text` as the index knows them: folded, without accents, English-stemmed."""
    tokens = _analyzer().pre_tokenize(text).tokens
    return [
        Term(token.text, token.char_offset_from, token.char_offset_to, _is_stop_word(text, token)) for token in tokens
    ]


class Terms:
    """A tantivy index in a folder, or in memory where no folder is given."""

    def __init__(self, index: tantivy.Index, folder: Path | None = None) -> None:
        self._index = index
        self._folder = folder
        index.register_tokenizer(_ANALYZER, _analyzer())
        self._schema = index.schema
        self._writer: tantivy.IndexWriter | None = None
        self.refresh()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The index in `folder`. Raises IndexDamaged when there is none that can be read."""
        try:
            if not tantivy.Index.exists(str(folder)):
                raise ValueError("no index there")
            return cls(tantivy.Index.open(str(folder)), folder)
        except (ValueError, OSError) as error:
            if "Permission denied" in str(error):
                # tantivy takes a lock file even to read.
                raise PermissionError(f"{folder} cannot be opened where nothing can be written") from error
            raise IndexDamaged(f"{folder} is not a term index ({error}). Run: dateline check --repair") from error

    @classmethod
    def create(cls, folder: Path | None) -> Self:
        """A new, empty index in `folder`, replacing what is there; in memory without a folder."""
        if folder is None:
            return cls(tantivy.Index(_schema()))
        folder.unlink() if folder.is_file() else shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return cls(tantivy.Index(_schema(), path=str(folder), reuse=False), folder)

    def add(self, documents: Iterable[TermDocument]) -> None:
        """Adds passages whose numbers are not here yet, from the next commit on at the latest."""
        # Nothing is deleted first: tantivy keeps every deletion in memory until the commit.
        writer = self._open_writer()
        for position, document in enumerate(documents, start=1):
            if position % _DOCUMENTS_A_COMMIT == 0:
                writer.commit()
            writer.add_document(
                tantivy.Document(
                    passage=document.number,
                    day=document.day,
                    source=document.source,
                    author=list(document.authors),
                    language=document.language,
                    body=document.text,
                )
            )

    def remove(self, numbers: Iterable[int]) -> None:
        """Drops passages, from the next commit on."""
        writer = self._open_writer()
        for number in numbers:
            writer.delete_documents_by_term("passage", int(number))

    def commit(self) -> None:
        """Makes all changes durable and visible to new searches."""
        if self._writer is not None:
            self._writer.commit()
            self._writer.wait_merging_threads()
            self._writer = None
        self.refresh()

    def refresh(self) -> None:
        """Sees what has been committed since."""
        self._index.reload()
        self._searcher = self._index.searcher()
        self._ever = max(len(self), _documents_ever(self._folder))

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def numbers(self) -> Numbers:
        """All passage numbers in the index, ascending."""
        count = max(1, len(self))
        hits = self._searcher.search(tantivy.Query.all_query(), count, count=False).hits
        return np.sort(self._passage_numbers([address for _, address in hits]))

    def search(self, stems: Sequence[str], size: int, clauses: Sequence["Clause"] = ()) -> tuple[Numbers, Matrix]:
        """The `size` passages with the highest BM25 for any of `stems`, and their scores, best first."""
        return self._run([(tantivy.Occur.Must, self._any_of(stems)), *clauses], size)

    def scores(self, stems: Sequence[str], numbers: Numbers) -> Matrix:
        """The BM25 of each of these passages for `stems`; 0 where no stem occurs."""
        scores = np.zeros(len(numbers), dtype=np.float32)
        if not len(numbers) or not stems:
            return scores
        only = tantivy.Query.term_set_query(self._schema, "passage", [int(number) for number in numbers])
        found, found_scores = self._run([(tantivy.Occur.Must, self._any_of(stems)), _unscored(only)], len(numbers))
        order = np.argsort(numbers)
        scores[order[np.searchsorted(numbers, found, sorter=order)]] = found_scores
        return scores

    def matching(self, words: Sequence[str]) -> Numbers:
        """All passages in which these stems stand side by side, ascending."""
        if len(words) == 1:
            query = tantivy.Query.term_query(self._schema, _BODY, words[0])
        else:
            query = tantivy.Query.phrase_query(self._schema, _BODY, list(words))
        return np.sort(self._run([_unscored(query)], max(1, len(self)))[0])

    def ideal(self, stems: Iterable[str]) -> float:
        """The BM25 of a passage that matched every stem fully: (k1 + 1) · Σ idf, unknown words included."""
        return (K1 + 1) * sum(self.idf(stem) for stem in stems)

    def idf(self, stem: str) -> float:
        """Inverse document frequency as tantivy (after Lucene) counts it."""
        # Like tantivy's own scores, this counts removed passages until their segment is merged away.
        frequency = self._searcher.doc_freq(_BODY, stem)
        return math.log(1 + (self._ever - frequency + 0.5) / (frequency + 0.5))

    def holds(self, number: int) -> bool:
        """Whether this passage is, or until the last merge was, in the index."""
        return bool(self._searcher.doc_freq("passage", number))

    def clauses(self, filters: Filters) -> list["Clause"]:
        """`filters`, whose values are exactly the stored ones, as conditions that do not score."""
        clauses: list[Clause] = []
        if filters.first_day or filters.last_day:
            first, last = day_ordinal(filters.first_day) or 1, day_ordinal(filters.last_day) or None
            days = tantivy.Query.range_query(self._schema, "day", tantivy.FieldType.Integer, first, last)
            clauses.append(_unscored(days))
        named = (("source", filters.sources), ("author", filters.authors), ("language", filters.languages))
        clauses += [
            _unscored(tantivy.Query.term_set_query(self._schema, name, values)) for name, values in named if values
        ]
        if filters.excluded_sources:
            unwanted = tantivy.Query.term_set_query(self._schema, "source", filters.excluded_sources)
            clauses.append((tantivy.Occur.MustNot, unwanted))
        return clauses

    def _any_of(self, stems: Sequence[str]) -> tantivy.Query:
        terms = [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, _BODY, stem, "freq")) for stem in stems]
        return tantivy.Query.boolean_query(terms)

    def _run(self, clauses: Sequence["Clause"], size: int) -> tuple[Numbers, Matrix]:
        if size <= 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        hits = self._searcher.search(tantivy.Query.boolean_query(list(clauses)), size, count=False).hits
        scores = np.asarray([score for score, _ in hits], dtype=np.float32)
        return self._passage_numbers([address for _, address in hits]), scores

    def _passage_numbers(self, addresses: list[tantivy.DocAddress]) -> Numbers:
        return np.asarray(self._searcher.fast_field_values("passage", addresses), dtype=np.int64)

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(_WRITER_BYTES, 1)
        return self._writer


Clause = tuple[tantivy.Occur, tantivy.Query]


def day_ordinal(day: str | None) -> int:
    """An ISO date as a proleptic ordinal, so that days can be compared as numbers; 0 for none."""
    from datetime import date

    return date.fromisoformat(day[:10]).toordinal() if day else 0


def _documents_ever(folder: Path | None) -> int:
    """Documents in all segments, removed ones included; tantivy's Python face does not say."""
    if folder is None:
        return 0
    try:
        segments = json.loads((folder / "meta.json").read_text("utf-8"))["segments"]
        return sum(int(segment["max_doc"]) for segment in segments)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _unscored(query: tantivy.Query) -> Clause:
    return tantivy.Occur.Must, tantivy.Query.const_score_query(query, 0.0)


def _is_stop_word(text: str, token: tantivy.Token) -> bool:
    return text[token.char_offset_from : token.char_offset_to].lower() in STOP_WORDS


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(_LONGEST_WORD),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("passage", indexed=True, fast=True)
    builder.add_integer_field("day", indexed=True, fast=True)
    for name in ("source", "author", "language"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(_BODY, tokenizer_name=_ANALYZER)
    return builder.build()
