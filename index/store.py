"""Where passages live and are looked up, as the search side sees it.

`Store` is the wall between storage and ranking: fusion, grouping and highlighting stand above it and
know nothing of files. `EmbeddedStore` is one generation on this machine's disk.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from index.article import Article, Copy, Passage
from index.bm25 import Matches
from index.catalog import Catalog, Counts
from index.columns import Numbers, named
from index.derived import (
    article_terms_in_step,
    article_vectors_in_step,
    bring_in_step,
    known_columns,
    terms_in_step,
    vectors_in_step,
)
from index.encoder import Matrix, ModelIdentity
from index.errors import IndexDamaged, IndexLocked, IndexSealed, IndexUnwritable
from index.filters import Filters
from index.generation import FORMAT, Layout, Manifest, live_generation, load_manifest, missing_files, writer_lock
from index.names import Names
from index.recovery import require_own
from index.scope import Scope, scope_of
from index.stats import stats_of
from index.terms import Terms, Word
from index.vectors import Vectors

log = logging.getLogger(__name__)

# Where filters leave so few passages, to look at the words of each takes less time than to search for those that
# have them: 3 ms at most.
_FEW = 1_000
# Every passage of an article has its title; few articles have more passages than this.
_PASSAGES_A_TITLE = 25
# A reader that opens while a rebuild goes live may find its generation gone; the next is there.
_OPEN_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that one leg of a search found: numbers and scores, best first."""

    numbers: Numbers
    scores: Matrix

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What grouping and facets need of an article without its text."""

    day: str | None
    source: str | None
    authors: tuple[str, ...]
    language: str | None


class Vocabulary(Sized, Protocol):
    """The words of the corpus, over all passages."""

    def expect(self, stems: Iterable[str], spelled: Iterable[str] = ()) -> None:
        """These will be asked about next: a store that is far away can look them up at once."""

    def idf(self, stem: str) -> float:
        """Inverse document frequency of a stem."""

    def frequency(self, stem: str) -> int:
        """In how many passages a stem occurs."""

    def known(self, word: str) -> int:
        """In how many passages a word occurs as it is spelled."""

    def near(self, word: str, distance: int) -> Mapping[str, int]:
        """Words at most `distance` slips away, and about how many passages have each."""

    def matching(self, stems: Sequence[str]) -> Numbers:
        """The passages in which these stems stand side by side."""


class Store(Protocol):
    """What ranking needs of any place that holds passages."""

    @property
    def generation(self) -> str:
        """Names this state of the corpus; changes with every change."""

    @property
    def model(self) -> ModelIdentity:
        """The model whose embeddings are stored."""

    @property
    def lexical(self) -> bool:
        """Whether passages are found by their words; else only those near in meaning are weighed by them."""

    def in_time(self) -> AbstractContextManager[None]:
        """A search begins: whatever it asks inside, it has an answer or an error before long."""

    def scope(self, filters: Filters) -> Scope:
        """The passages that `filters` leave."""

    def search_dense(self, query: Matrix, size: int, scope: Scope) -> Candidates:
        """The passages in scope nearest to `query`: min(size, scope.passages) of them, exactly."""

    def search_lexical(self, words: Sequence[Word], size: int, scope: Scope) -> Candidates:
        """The passages in scope with the highest BM25; only those in which a word occurs."""

    def newest(self, scope: Scope, size: int | None = None) -> Numbers:
        """The first passage in scope of each article, newest article first, those without a date last.

        Of very many only the first `size`, if a store can do that cheaper than all.
        """

    def latest(self, size: int) -> Numbers:
        """The articles that were published last, newest first; of copies only the head, none without a date."""

    def similar(self, article: int, size: int) -> Candidates:
        """The articles nearest to this one in meaning, and their cosines; not it nor copies of it."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the corpus."""

    def vectors(self, numbers: Numbers) -> Matrix:
        """The embeddings of these passages, one a row."""

    def matches(self, words: Sequence[Word], pairs: Sequence[tuple[str, str]], numbers: Numbers) -> Matches:
        """What words, and pairs of stems side by side, are to each of these passages."""

    def ideal_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of a passage that matched every word fully."""

    def article_numbers(self, numbers: Numbers) -> Numbers:
        """The article of each of these passages."""

    def places(self, numbers: Numbers) -> Numbers:
        """The place of each of these passages in its article, from 0."""

    def article_cosines(self, vector: Matrix, articles: Numbers) -> Matrix:
        """Cosine with `vector` of the mean of each article's passages."""

    def article_matches(self, words: Sequence[Word], articles: Numbers) -> Matches:
        """What words are to each of these articles as wholes; of what stands side by side there nothing is known."""

    def ideal_article_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of an article that matched every word fully."""

    def days(self, articles: Numbers) -> Matrix:
        """The day of each article as a proleptic ordinal, NaN where it is not known."""

    def facts(self, articles: Numbers) -> list[ArticleFacts]:
        """What facets count of these articles."""

    def sources_named(self, typed: str, size: int) -> list[str]:
        """The commonest sources with a word in their name that begins as typed."""

    def authors_named(self, typed: str, size: int) -> list[str]:
        """The commonest authors with a word in their name that begins as typed."""

    def titled(self, typed: str, size: int) -> Numbers:
        """The newest articles with the typed words in their title, the last as a beginning; at most `size`."""

    def stories(self, articles: Numbers) -> Numbers:
        """For each article the number of the one that heads its story: its own where there is no copy."""

    def copies(self, articles: Sequence[int]) -> dict[int, list[Copy]]:
        """The other copies of each article's story, earliest first; nothing for articles without one."""

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Passages by number."""

    def passages_of(self, article: int) -> list[Passage]:
        """The passages of one article, in reading order."""

    def articles(self, numbers: Sequence[int]) -> dict[int, Article]:
        """Articles by number."""

    def article(self, id: str) -> tuple[int, Article] | None:
        """An article and its number, by id."""

    def counts(self) -> Counts:
        """How much is in it."""

    def stats(self) -> dict[str, Any]:
        """What is in it, in figures ready for JSON."""

    def written(self) -> float:
        """When it was last written, in seconds of the epoch."""

    def close(self) -> None:
        """Lets go of files."""


class EmbeddedStore:
    """One moment of the live generation: catalog snapshot, vectors and terms in step with it."""

    def __init__(self, layout: Layout, manifest: Manifest) -> None:
        self.layout = layout
        self.manifest = manifest
        self._catalog = Catalog.snapshot(layout.catalog)
        try:
            require_own(self._catalog, layout, manifest)
            self._counts = self._catalog.counts()
            if self._counts.change < manifest.change:
                log.warning(
                    "%s ends with change %d, %d were made: unless it is from a backup, the others are lost",
                    layout.catalog, self._counts.change, manifest.change,
                )  # fmt: skip
            self._columns = known_columns(self._catalog, layout)
            self._vectors = vectors_in_step(
                self._catalog,
                _load_vectors(layout.vectors, manifest.model.dimension, layout.lists),
                self._columns.numbers,
            )
            self._article_vectors = article_vectors_in_step(
                _load_vectors(layout.article_vectors, manifest.model.dimension), self._vectors, self._columns
            )
            self._terms = _open_terms(layout.terms)
            self._article_terms = _open_terms(layout.article_terms)
            self.in_step = self._is_whole()
        except BaseException:
            self._catalog.close()
            raise

    @classmethod
    def open(cls, root: Path) -> Self:
        """The live generation of the index at `root`.

        What a killed writer left undone is made good first. Raises IndexMissing, IndexDamaged or
        IndexOutdated.
        """
        store = cls._open_live(root)
        if store.in_step:
            return store
        try:
            with writer_lock(root, passing=True):
                layout = live_generation(root)
                # With no writer about, files that are not as they were sealed are damage.
                bring_in_step(layout, afresh=bool(missing_files(layout, load_manifest(layout))))
        except (IndexLocked, IndexSealed, IndexUnwritable, OSError) as error:
            # A writer at work will finish by itself; where nothing can be written, memory serves.
            log.info("lexical index of %s is not in step: %s", root, error)
            return store if isinstance(error, IndexLocked) else store._with_terms_in_memory()
        store.close()
        return cls._open_live(root)

    @classmethod
    def _open_live(cls, root: Path) -> Self:
        for _ in range(_OPEN_ATTEMPTS - 1):
            layout = live_generation(root)
            try:
                return cls(layout, load_manifest(layout))
            except (IndexDamaged, OSError):
                if live_generation(root) == layout:
                    raise
        layout = live_generation(root)
        return cls(layout, load_manifest(layout))

    @property
    def generation(self) -> str:
        """Names this state of the corpus: the generation and its last change."""
        return f"{self.manifest.generation}.{self._counts.change}"

    @property
    def model(self) -> ModelIdentity:
        """The model whose embeddings are stored."""
        return self.manifest.model

    @property
    def lexical(self) -> bool:
        """Words are always there."""
        return True

    def in_time(self) -> AbstractContextManager[None]:
        """Files always answer in time."""
        return nullcontext()

    def scope(self, filters: Filters) -> Scope:
        """The passages that `filters` leave."""
        return scope_of(filters, self._columns, self._terms, self._catalog.at_host)

    def search_dense(self, query: Matrix, size: int, scope: Scope) -> Candidates:
        """The passages in scope nearest to `query`: min(size, scope.passages) of them, exactly."""
        return Candidates(*self._vectors.search(query, size, scope.mask))

    def search_lexical(self, words: Sequence[Word], size: int, scope: Scope) -> Candidates:
        """The passages in scope with the highest BM25; only those in which a word occurs."""
        if not words or not scope.passages:
            return Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        if scope.mask is not None and scope.passages <= _FEW:
            return self._best_of_few(words, size, self._columns.numbers[scope.mask])
        asked = size
        while True:
            found = Candidates(*self._terms.search(words, asked, scope.clauses))
            kept = self._in_scope(found, scope)
            # Words to leave out are not among the clauses, nor is what a writer has just added: ask for
            # more until enough is left.
            if len(kept) >= size or len(found) < asked:
                return Candidates(kept.numbers[:size], kept.scores[:size])
            asked *= 4

    def newest(self, scope: Scope, size: int | None = None) -> Numbers:
        """The first passage in scope of each article, newest article first, those without a date last."""
        positions = self._columns.article_positions
        inside = np.arange(len(positions)) if scope.mask is None else np.flatnonzero(scope.mask)
        articles, firsts = np.unique(positions[inside], return_index=True)
        return self._columns.numbers[inside[firsts[np.lexsort((-articles, -self._columns.days[articles]))]]]

    def latest(self, size: int) -> Numbers:
        """The articles that were published last, newest first; of copies only the head, none without a date."""
        columns = self._columns
        days = np.where(columns.stories == columns.article_numbers, columns.days, 0)
        last = np.argpartition(-days, size)[:size] if size < len(days) else np.arange(len(days))
        last = last[days[last] > 0]
        return columns.article_numbers[last[np.lexsort((-last, -days[last]))]]

    def similar(self, article: int, size: int) -> Candidates:
        """The articles nearest to this one in meaning, and their cosines; not it nor copies of it."""
        at = int(self._article_positions(np.asarray([article]))[0])
        others = self._columns.stories != self._columns.stories[at]
        others[at] = False
        return Candidates(*self._article_vectors.search(self._article_vectors.at(np.asarray([at]))[0], size, others))

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the corpus."""
        return self._terms

    def vectors(self, numbers: Numbers) -> Matrix:
        """The embeddings of these passages, one a row."""
        return self._vectors.rows(numbers)

    def matches(self, words: Sequence[Word], pairs: Sequence[tuple[str, str]], numbers: Numbers) -> Matches:
        """What words, and pairs of stems side by side, are to each of these passages."""
        return self._terms.matches(words, numbers, pairs)

    def ideal_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of a passage that matched every word fully."""
        return self._terms.ideal(words)

    def article_numbers(self, numbers: Numbers) -> Numbers:
        """The article of each of these passages."""
        at = np.searchsorted(self._columns.numbers, numbers)
        return self._columns.article_numbers[self._columns.article_positions[at]]

    def places(self, numbers: Numbers) -> Numbers:
        """The place of each of these passages in its article, from 0."""
        at = np.searchsorted(self._columns.numbers, numbers)
        of = self._columns.article_positions
        # An article's passages were stored together, so they stand together.
        return at - np.searchsorted(of, of[at])

    def article_cosines(self, vector: Matrix, articles: Numbers) -> Matrix:
        """Cosine with `vector` of the mean of each article's passages."""
        return self._article_vectors.cosines(vector, articles)

    def article_matches(self, words: Sequence[Word], articles: Numbers) -> Matches:
        """What words are to each of these articles as wholes; of what stands side by side there nothing is known."""
        return self._article_terms.matches(words, articles)

    def ideal_article_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of an article that matched every word fully."""
        return self._article_terms.ideal(words)

    def days(self, articles: Numbers) -> Matrix:
        """The day of each article as a proleptic ordinal, NaN where it is not known."""
        days = self._columns.days[self._article_positions(articles)].astype(np.float32)
        return np.where(days > 0, days, np.nan)

    def facts(self, articles: Numbers) -> list[ArticleFacts]:
        """What facets count of these articles."""
        columns, at = self._columns, self._article_positions(articles)
        days = [date.fromordinal(day).isoformat() if day else None for day in columns.days[at].tolist()]
        sources = named(columns.source_names, columns.sources[at])
        languages = named(columns.language_names, columns.languages[at])
        return list(map(ArticleFacts, days, sources, map(columns.authors, at.tolist()), languages))

    def sources_named(self, typed: str, size: int) -> list[str]:
        """The commonest sources with a word in their name that begins as typed."""
        return self._source_names.beginning_with(typed, size)

    def authors_named(self, typed: str, size: int) -> list[str]:
        """The commonest authors with a word in their name that begins as typed."""
        return self._author_names.beginning_with(typed, size)

    def titled(self, typed: str, size: int) -> Numbers:
        """The newest articles with the typed words in their title, the last as a beginning; at most `size`."""
        found = self._terms.titled(typed, size * _PASSAGES_A_TITLE)
        _, known = self._vectors.positions(found)
        articles = self.article_numbers(found[known])
        return articles[np.sort(np.unique(articles, return_index=True)[1])][:size]

    @cached_property
    def _source_names(self) -> Names:
        return Names(self._columns.source_names, self._columns.sources)

    @cached_property
    def _author_names(self) -> Names:
        return Names(self._columns.author_names, self._columns.author_codes)

    def stories(self, articles: Numbers) -> Numbers:
        """For each article the number of the one that heads its story: its own where there is no copy."""
        return self._columns.stories[self._article_positions(articles)]

    def copies(self, articles: Sequence[int]) -> dict[int, list[Copy]]:
        """The other copies of each article's story, earliest first; nothing for articles without one."""
        return self._catalog.copies(articles)

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Passages by number."""
        return self._catalog.passages(numbers)

    def passages_of(self, article: int) -> list[Passage]:
        """The passages of one article, in reading order."""
        return self._catalog.passages_of(article)

    def articles(self, numbers: Sequence[int]) -> dict[int, Article]:
        """Articles by number."""
        return self._catalog.articles(numbers)

    def article(self, id: str) -> tuple[int, Article] | None:
        """An article and its number, by id."""
        return self._catalog.article(id)

    def counts(self) -> Counts:
        """How much is in it."""
        return self._counts

    def stats(self) -> dict[str, Any]:
        """What is in it, in figures ready for JSON."""
        return stats_of(self.layout)

    def written(self) -> float:
        """When it was last written, in seconds of the epoch."""
        return self.layout.manifest.stat().st_mtime

    def close(self) -> None:
        """Lets go of files."""
        self._catalog.close()

    def _best_of_few(self, words: Sequence[Word], size: int, numbers: Numbers) -> Candidates:
        """What `search_lexical` finds among these passages, by looking at each."""
        scores = self._terms.matches(words, numbers).bm25
        best = np.argsort(-scores, kind="stable")[:size]
        best = best[scores[best] > 0]
        return Candidates(numbers[best], scores[best])

    def _is_whole(self) -> bool:
        """Whether the terms are those that were sealed with this catalog: a quick look, no reading through."""
        numbers, articles = self._columns.numbers, self._columns.article_numbers
        if self.manifest.change != self._counts.change or missing_files(self.layout, self.manifest):
            return False
        if self.manifest.format < FORMAT:
            return False  # a reader brings it up to date where it can
        if len(self._terms) != len(numbers) or len(self._article_terms) != len(articles):
            return False
        # Numbers of another generation lie elsewhere.
        return not len(numbers) or (self._terms.holds(int(numbers[0])) and self._terms.holds(int(numbers[-1])))

    def _with_terms_in_memory(self) -> Self:
        self._terms = terms_in_step(self._catalog, Terms.create(None), self._columns.numbers)
        articles = self._columns.article_numbers
        self._article_terms = article_terms_in_step(self._catalog, Terms.create(None), articles)
        return self

    def _article_positions(self, articles: Numbers) -> NDArray[np.intp]:
        return np.searchsorted(self._columns.article_numbers, articles)

    def _in_scope(self, found: Candidates, scope: Scope) -> Candidates:
        positions, known = self._vectors.positions(found.numbers)
        kept = known if scope.mask is None else known & scope.mask[positions]
        return Candidates(found.numbers[kept], found.scores[kept])


def _open_terms(folder: Path) -> Terms:
    try:
        return Terms.open(folder)
    except (IndexDamaged, PermissionError) as error:
        log.info("%s", error)  # whoever opens the store makes good for it
        return Terms.create(None)


def _load_vectors(path: Path, dimension: int, lists: Path | None = None) -> Vectors:
    try:
        return Vectors.load(path, dimension, lists)
    except IndexDamaged as error:
        log.warning("%s", error)
        return Vectors.empty(dimension)
