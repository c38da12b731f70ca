"""BM25 over passages, and the vocabulary of the corpus. The one module that knows tantivy.

A passage is indexed as one field of title and text, which scores like BM25 over the joined text
(nDCG@10 .606 against .588 for two fields). tantivy fixes k1 at 1.2 and b at 0.75. Two more fields are
not scored: the title alone, and the words as they are spelled.
"""

import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain, islice, product
from operator import itemgetter
from pathlib import Path
from typing import Self

import numpy as np
import tantivy

from index.bm25 import K1, Matches, idf, matches, worth
from index.compounds import compounds
from index.encoder import Matrix
from index.errors import MEND_DERIVED, IndexDamaged, IndexUnwritable
from index.filters import Filters
from index.forward import GAP, Forward, code
from index.slips import beginnings, slips
from index.vectors import Numbers

_STEMS, _SPELLINGS = "news", "spelling"
_BODY, _TITLE, _WORD = "body", "title", "word"
# Memory for terms not yet on the disk; more is hardly faster and would show in the peak of a large rebuild.
_WRITER_BYTES = 20_000_000
# Segments that wait for a commit are merged at once, which takes memory; so a large rebuild commits on its way.
_DOCUMENTS_A_COMMIT = 5_000
# Longer "words" are never typed: URLs, hashes, runs of punctuation-free markup.
_LONGEST_WORD = 60
# A title is looked for in so many wordings at most: five words with two alternatives each have 32.
_MOST_WORDINGS = 64
# Runs of letters and digits, as tantivy cuts them; in scripts beyond these, some marks are letters to tantivy only.
_LETTERS = re.compile(r"[^\W_]+")
_MARKS = re.compile("[^\\x00-\u0344\u1e00-\u24b5\u2500-\u27bf]")
# What tantivy says where the system refused; of a thread that failed so it knows no more than that it is gone.
_THE_DISK_FAILED = re.compile(r"\(os error (?!2\))\d+\)|writer was killed|IoError")
# Stems of words that were seen; news has some 100,000 of them.
_STEMS_KEPT = 1 << 16
# Frequencies of stems that were asked for; the index answers in microseconds, a query asks a hundred times.
_FREQUENCIES_KEPT = 1 << 16
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
class Word:
    """A word of a query: the wordings in which it may stand in a passage, each as the stems that make it up.

    (("colour",), ("color",)) is one word spelled in two ways, (("peacekeep",), ("peac", "keep")) one
    that is written as one word or as two.
    """

    alternatives: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TermDocument:
    """A passage as the lexical index sees it; `day` is a proleptic ordinal, 0 for unknown.

    `text` is what is searched, title included; `title` is there to be searched by itself. `spelled` keeps the
    words as they are spelled too, for `known` and `near`, and their order, for `pairs`.
    """

    number: int
    text: str
    day: int = 0
    source: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""
    title: str = ""
    spelled: bool = True


Place = tuple[str, int, int]
"""A stem, and where its word starts and ends in a text, in characters."""


def analyse(text: str) -> list[Term]:
    """The words of `text` as the index knows them: folded, without accents, English-stemmed."""
    return [Term(stem, start, end, _is_stop_word(text[start:end])) for stem, start, end in stems_in(text)]


def stems_in(text: str) -> list[Place]:
    """The stems of `text`, each with where its word starts and ends: what `analyse` knows but for stop words."""
    text = _plain(text)
    if _MARKS.search(text):
        tokens = _analyzer(_STEMS).pre_tokenize(text).tokens
        return [(token.text, token.char_offset_from, token.char_offset_to) for token in tokens]
    stems = map(_stem, _LETTERS.findall(text))
    spans = [match.span() for match in _LETTERS.finditer(text)]
    return [(stem, start, end) for stem, (start, end) in zip(stems, spans, strict=True) if stem is not None]


def stems_of(text: str) -> list[str]:
    """The stems of `text` in order, those of stop words too."""
    return [stem for stem, _, _ in stems_in(text)]


def places_of(stems: Collection[str], text: str) -> list[Place]:
    """Those of `stems_in` that are among `stems`: to look at each word once costs half as much as to place them all."""
    text = _plain(text)
    if _MARKS.search(text):
        return [place for place in stems_in(text) if place[0] in stems]
    places: list[Place] = []
    # A stem begins as its word does; most words begin otherwise than all that are looked for.
    initials = {stem[:1] for stem in stems}
    initials |= {initial.upper() for initial in initials}
    for word in set(_LETTERS.findall(text)):
        if word[0] not in initials and word.isascii():
            continue
        stem = _stem(word)
        if stem is None or stem not in stems:
            continue
        start = text.find(word)
        while start >= 0:
            end = start + len(word)
            if not (start and text[start - 1].isalnum()) and not text[end : end + 1].isalnum():
                places.append((stem, start, end))
            start = text.find(word, end)
    return sorted(places, key=itemgetter(1))


def spellings(text: str) -> list[str]:
    """The same words as those of `analyse`, one by one, not stemmed: folded and without accents."""
    return list(_analyzer(_SPELLINGS).analyze(_plain(text)))


def as_word(word: Word | str) -> Word:
    """A plain stem as the word that it is."""
    return Word(((word,),)) if isinstance(word, str) else word


class TermsDamaged(IndexDamaged):
    """A term index that can be opened is not whole."""


class Terms:
    """A tantivy index in a folder, or in memory where no folder is given."""

    def __init__(self, index: tantivy.Index, folder: Path | None = None) -> None:
        self._index = index
        self._folder = folder
        for name in (_STEMS, _SPELLINGS):
            index.register_tokenizer(name, _analyzer(name))
        self._schema = index.schema
        self._writer: tantivy.IndexWriter | None = None
        self._forward = Forward(folder)
        self.refresh()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The index in `folder`. Raises IndexDamaged when there is none that can be read."""
        try:
            if not tantivy.Index.exists(str(folder)):
                raise ValueError("no index there")
            index = tantivy.Index.open(str(folder))
            if index.schema != _schema():
                raise ValueError("another version of Dateline wrote it")
            terms = cls(index, folder)
            if len(terms._forward) < len(terms):
                raise ValueError("words are missing")
            return terms
        except BaseException as error:
            if not (isinstance(error, (ValueError, OSError)) or _is_panic(error)):
                raise
            if "Permission denied" in str(error):
                # tantivy takes a lock file even to read.
                raise PermissionError(f"{folder} cannot be opened where nothing can be written") from error
            raise IndexDamaged(f"{folder} is not a term index ({error}). {MEND_DERIVED}") from error

    @classmethod
    def create(cls, folder: Path | None) -> Self:
        """A new, empty index in `folder`, replacing what is there; in memory without a folder."""
        if folder is None:
            return cls(tantivy.Index(_schema()))
        folder.unlink() if folder.is_file() else shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        Forward(folder).flush()
        try:
            return cls(tantivy.Index(_schema(), path=str(folder), reuse=False), folder)
        except ValueError as error:
            raise IndexUnwritable(str(folder), error) from error

    def add(self, documents: Iterable[TermDocument]) -> None:
        """Adds passages whose numbers are not here yet, from the next commit on at the latest."""
        # Nothing is deleted first: tantivy keeps every deletion in memory until the commit.
        writer = self._open_writer()
        for position, document in enumerate(documents, start=1):
            if position % _DOCUMENTS_A_COMMIT == 0:
                self._forward.flush()  # first: no passage is found whose words are not there
                with self._writing():
                    writer.commit()
            text = _with_compounds(document.text)
            self._forward.add(document.number, _codes(text), ordered=document.spelled)
            indexed = tantivy.Document(
                passage=document.number,
                day=document.day,
                source=document.source,
                author=list(document.authors),
                language=document.language,
                body=text,
                word=text if document.spelled else [],
                title=_with_compounds(document.title),
            )
            with self._writing():
                writer.add_document(indexed)

    def remove(self, numbers: Iterable[int]) -> None:
        """Drops passages, from the next commit on."""
        writer = self._open_writer()
        with self._writing():
            for number in numbers:
                writer.delete_documents_by_term("passage", int(number))

    def commit(self) -> None:
        """Makes all changes durable and visible to new searches."""
        if self._writer is not None:
            self._forward.flush()
            with self._writing():
                self._writer.commit()
                self._writer.wait_merging_threads()
            self._writer = None
        self.refresh()
        self._forward.drop_gone(self.numbers, len(self))

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        """Calls damage by its name: tantivy meets it with errors and with panics, which Python has no class for."""
        try:
            yield
        except BaseException as error:
            if not (isinstance(error, (ValueError, TypeError)) or _is_panic(error)):
                raise
            raise TermsDamaged(f"{self._folder or 'The term index'} is damaged ({error}). {MEND_DERIVED}") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """As `_naming_damage`, but a disk that is full or fails is no damage."""
        try:
            with self._naming_damage():
                yield
        except IndexDamaged as error:
            if _THE_DISK_FAILED.search(str(error)):
                raise IndexUnwritable(str(self._folder), error.__cause__) from error.__cause__
            raise

    def refresh(self) -> None:
        """Sees what has been committed since."""
        with self._naming_damage():
            self._index.reload()
            self._searcher = self._index.searcher()
        self._forward.refresh()  # after it: the words of every passage are written before the passage
        self._ever = max(len(self), _documents_ever(self._folder))
        self._none_removed = self._folder is not None and self._ever == len(self)
        self._frequencies: dict[tuple[str, str], int] = {}
        self._worths: dict[Word, float] = {}

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    @property
    def ever(self) -> int:
        """What frequencies count: passages, removed ones included until their segment is merged away."""
        return self._ever

    @property
    def mean_length(self) -> float:
        """Words a passage, on average."""
        return self._forward.mean_length

    def stems(self) -> list[tuple[str, int]]:
        """Every stem, and how many passages have it, as `ever` counts."""
        return self._vocabulary(_BODY)

    def spelled(self) -> list[tuple[str, int]]:
        """Every word as it is spelled, and how many passages have it."""
        return self._vocabulary(_WORD)

    def frequency_ever(self, stem: str) -> int:
        """How many passages have a stem, as `ever` counts."""
        return self._doc_freq(_BODY, stem)

    def _vocabulary(self, field: str) -> list[tuple[str, int]]:
        with self._naming_damage():
            return list(self._searcher.terms_with_prefix(field, ""))

    def numbers(self) -> Numbers:
        """All passage numbers in the index, ascending."""
        count = max(1, len(self))
        with self._naming_damage():
            hits = self._searcher.search(tantivy.Query.all_query(), count, count=False).hits
        return np.sort(self._passage_numbers([address for _, address in hits]))

    def search(
        self, words: Sequence[Word | str], size: int, clauses: Sequence["Clause"] = ()
    ) -> tuple[Numbers, Matrix]:
        """The `size` passages with the highest BM25 for any of `words`, and their scores, best first.

        A word scores in the best of its wordings; all of them are worth the same, the least that one is worth.
        """
        return self._run([(tantivy.Occur.Must, self._any_of(words)), *clauses], size)

    def scores(self, words: Sequence[Word | str], numbers: Numbers) -> Matrix:
        """The BM25 of each of these passages for `words`; 0 where none occurs."""
        return self.matches(words, numbers).bm25

    def matches(self, words: Sequence[Word | str], numbers: Numbers, pairs: Sequence[tuple[str, str]] = ()) -> Matches:
        """What `words`, and `pairs` of stems side by side, are to each of these passages."""
        asked = [as_word(word) for word in words]
        stems = list(dict.fromkeys(chain(*(chain(*word.alternatives) for word in asked), *pairs)))
        weighed = [(word.alternatives, self._worth(word)) for word in asked]
        information = {stem: self.idf(stem) for stem in stems}
        return matches(weighed, pairs, information, self._forward.find(stems, numbers), self._forward.mean_length)

    def coverage(self, words: Sequence[Word | str], numbers: Numbers) -> Matrix:
        """The worth of the words that occur in each of these passages, however often: at most `ideal` / (k1 + 1)."""
        return self.matches(words, numbers).coverage

    def pairs(self, pairs: Sequence[tuple[str, str]], numbers: Numbers) -> Matrix:
        """For each of these passages the idf of both stems of every pair that stands side by side there, summed."""
        return self.matches((), numbers, pairs).pairs

    def matching(self, stems: Sequence[str]) -> Numbers:
        """All passages in which these stems stand side by side, ascending."""
        return self._all(self._side_by_side(_BODY, stems))

    def in_title(self, words: Sequence[Word | str]) -> Numbers:
        """All passages whose article has these words side by side in its title, ascending."""
        wordings = islice(product(*(as_word(word).alternatives for word in words)), _MOST_WORDINGS)
        phrases = [self._side_by_side(_TITLE, [stem for part in wording for stem in part]) for wording in wordings]
        return self._all(tantivy.Query.boolean_query([(tantivy.Occur.Should, phrase) for phrase in phrases]))

    def titled(self, typed: str, size: int) -> Numbers:
        """At most `size` passages with the typed words in their title, the last as a beginning; newest first."""
        *whole, last = spellings(typed) or [""]
        if not last:
            return np.empty(0, dtype=np.int64)
        with self._naming_damage():
            begun = self._searcher.terms_with_prefix(_TITLE, last)
        ends = sorted(begun, key=lambda found: -found[1])[:_MOST_WORDINGS]
        stems = dict.fromkeys([*(stem for stem, _, _ in stems_in(last)), *(stem for stem, _ in ends)])
        any_end = tantivy.Query.boolean_query([(tantivy.Occur.Should, self._side_by_side(_TITLE, [s])) for s in stems])
        wanted = [self._side_by_side(_TITLE, [stem]) for word in whole for stem, _, _ in stems_in(word)]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in (any_end, *wanted)])
        with self._naming_damage():
            hits = self._searcher.search(query, size, count=False, order_by_field="day").hits
        return self._passage_numbers([address for _, address in hits])

    def ideal(self, words: Iterable[Word | str]) -> float:
        """The BM25 of a passage that matched every word fully: (k1 + 1) · Σ idf, unknown words included."""
        return (K1 + 1) * sum(self._worth(as_word(word)) for word in words)

    def expect(self, stems: Iterable[str], spelled: Iterable[str] = ()) -> None:
        """Nothing to do: whatever is asked next is at hand."""

    def idf(self, stem: str) -> float:
        """Inverse document frequency as tantivy (after Lucene) counts it."""
        # Like tantivy's own scores, this counts removed passages until their segment is merged away.
        frequency = self._doc_freq(_BODY, stem)
        return idf(frequency, self._ever)

    def frequency(self, stem: str) -> int:
        """In how many passages a stem occurs."""
        return self._count(_BODY, stem)

    def known(self, word: str) -> int:
        """In how many passages a word occurs as it is spelled here; `word` as `spellings` gives it."""
        return self._count(_WORD, word)

    def near(self, word: str, distance: int) -> dict[str, int]:
        """Words of the corpus that are at most `distance` slips away from `word`, most frequent first.

        A slip is a letter too many, too few or wrong, or two letters in the wrong order; two on the first
        three letters are not found. Each word comes with how many passages have it, removed ones
        included until their segment is merged away.
        """
        fuzzy = tantivy.Query.fuzzy_term_query(self._schema, _WORD, word, distance)
        letters, found = set(word), dict[str, int]()
        with self._naming_damage():
            # tantivy finds the passages at once, but does not say the words
            if not self._searcher.search(fuzzy, 1).count:
                return found
            begun = [found for part in beginnings(word) for found in self._searcher.terms_with_prefix(_WORD, part)]
        for other, passages in begun:
            # Cheap looks leave few words to the slow one.
            if (
                abs(len(other) - len(word)) <= distance
                and len(letters.difference(other)) <= distance
                and len(set(other) - letters) <= distance
                and 0 < slips(word, other, distance) <= distance
            ):
                found[other] = passages
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def holds(self, number: int) -> bool:
        """Whether this passage is, or until the last merge was, in the index."""
        with self._naming_damage():
            return bool(self._searcher.doc_freq("passage", number))

    def clauses(self, filters: Filters) -> list["Clause"]:
        """`filters`, whose values are exactly the stored ones, as conditions that do not score.

        Not what is said of whole articles: words that they must not have, and hosts.
        """
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
        sought = [(_BODY, phrase) for phrase in filters.phrases] + [(_TITLE, phrase) for phrase in filters.title]
        placed = [(field, [term.stem for term in analyse(phrase)]) for field, phrase in sought]
        return clauses + [_unscored(self._side_by_side(field, stems)) for field, stems in placed if stems]

    def _any_of(self, words: Sequence[Word | str]) -> tantivy.Query:
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, self._query(as_word(word))) for word in words])

    def _query(self, word: Word) -> tantivy.Query:
        information = self._worth(word)
        wordings = []
        for stems in word.alternatives:
            terms = [tantivy.Query.term_query(self._schema, _BODY, stem, "freq") for stem in stems]
            wording = terms[0]
            if len(terms) > 1:
                wording = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
            share = information / self._information(stems)
            wordings.append(wording if share == 1 else tantivy.Query.boost_query(wording, share))
        return wordings[0] if len(wordings) == 1 else tantivy.Query.disjunction_max_query(wordings)

    def _worth(self, word: Word) -> float:
        worths = self._worths
        found = worths.get(word)
        if found is None:
            found = worth(word.alternatives, self.idf, partial(self._doc_freq, _BODY))
            if len(worths) >= _FREQUENCIES_KEPT:
                worths.clear()
            worths[word] = found
        return found

    def _information(self, stems: Sequence[str]) -> float:
        return sum(self.idf(stem) for stem in stems)

    def _side_by_side(self, field: str, stems: Sequence[str]) -> tantivy.Query:
        if len(stems) < 2:
            return tantivy.Query.term_query(self._schema, field, stems[0]) if stems else tantivy.Query.empty_query()
        return tantivy.Query.phrase_query(self._schema, field, list(stems))

    def _all(self, query: tantivy.Query) -> Numbers:
        return np.sort(self._run([_unscored(query)], max(1, len(self)))[0])

    def _count(self, field: str, term: str) -> int:
        frequency = self._doc_freq(field, term)
        if not frequency or self._none_removed:
            return frequency
        query = tantivy.Query.term_query(self._schema, field, term, "basic")
        with self._naming_damage():
            return int(self._searcher.search(query, 1).count)  # removed passages do not count

    def _doc_freq(self, field: str, term: str) -> int:
        frequencies = self._frequencies
        frequency = frequencies.get((field, term))
        if frequency is None:
            if len(frequencies) >= _FREQUENCIES_KEPT:
                frequencies.clear()
            with self._naming_damage():
                frequency = frequencies[field, term] = int(self._searcher.doc_freq(field, term))
        return frequency

    def _run(self, clauses: Sequence["Clause"], size: int) -> tuple[Numbers, Matrix]:
        if size <= 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        with self._naming_damage():
            hits = self._searcher.search(tantivy.Query.boolean_query(list(clauses)), size, count=False).hits
        scores = np.asarray([score for score, _ in hits], dtype=np.float32)
        return self._passage_numbers([address for _, address in hits]), scores

    def _passage_numbers(self, addresses: list[tantivy.DocAddress]) -> Numbers:
        with self._naming_damage():
            return np.asarray(self._searcher.fast_field_values("passage", addresses), dtype=np.int64)

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            with self._writing():
                self._writer = self._index.writer(_WRITER_BYTES, 1)
        return self._writer


def _is_panic(error: BaseException) -> bool:
    """Whether tantivy gave up; the class that says so cannot be imported."""
    return type(error).__name__ == "PanicException"


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


def _is_stop_word(word: str) -> bool:
    return word.lower() in STOP_WORDS


@lru_cache(_STEMS_KEPT)
def _stem(word: str) -> str | None:
    """The stem of one word; None where it is too long to be indexed."""
    return next(iter(_analyzer(_STEMS).analyze(word)), None)


def codes_of(text: str) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    """The words of `text` as the codes of their stems, GAP between what does not stand side by side; compounds too."""
    return np.asarray(_codes(_with_compounds(text)), dtype=np.uint32)


def vocabulary_of(text: str) -> tuple[set[str], set[str]]:
    """The stems of `text` and its words as they are spelled, compounds too: those by which it will be found."""
    texts = _with_compounds(text)
    return set(chain(*map(stems_of, texts))), set(chain(*map(spellings, texts)))


def _codes(texts: Sequence[str]) -> list[int]:
    """The words of these texts as codes, with a gap between what does not stand side by side."""
    return [value for text in texts for value in (*_codes_of(text), GAP)][:-1]


def _codes_of(text: str) -> list[int]:
    if not _MARKS.search(text):
        return [_code(word) for word in _LETTERS.findall(text)]
    codes: list[int] = []
    after = 0
    for token in _analyzer(_STEMS).pre_tokenize(text).tokens:
        codes += [GAP] * (token.position > after) + [code(token.text)]
        after = token.position + 1
    return codes


@lru_cache(_STEMS_KEPT)
def _code(word: str) -> int:
    stem = _stem(word)
    return GAP if stem is None else code(stem)


def _plain(text: str) -> str:
    """`text` without the apostrophes that Unicode counts as letters."""
    return text.replace("\u02bb", "'").replace("\u02bc", "'")


def _with_compounds(text: str) -> list[str]:
    """`text` and, apart from it so that they stand beside nothing, its compounds joined."""
    return [_plain(text), *(compound.joined for compound in compounds(text))]


@cache
def _analyzer(name: str) -> tantivy.TextAnalyzer:
    steps = [tantivy.Filter.remove_long(_LONGEST_WORD), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()]
    if name == _STEMS:
        steps.append(tantivy.Filter.stemmer("english"))
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in steps:
        builder = builder.filter(step)
    return builder.build()


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("passage", indexed=True, fast=True)
    builder.add_integer_field("day", indexed=True, fast=True)
    for name in ("source", "author", "language"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(_BODY, tokenizer_name=_STEMS)
    builder.add_text_field(_TITLE, tokenizer_name=_STEMS)
    builder.add_text_field(_WORD, tokenizer_name=_SPELLINGS, index_option="basic")
    return builder.build()
