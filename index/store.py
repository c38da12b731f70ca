"""Where passages live and are looked up, as the search side sees it.

`Store` is the wall between storage and ranking: fusion, grouping and highlighting stand above it and
know nothing of files. `EmbeddedStore` is one generation on this machine's disk.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from index.article import Article, Copy, Passage
from index.catalog import Catalog, Counts, PassageColumns
from index.derived import bring_in_step, terms_in_step, vectors_in_step
from index.encoder import Matrix, ModelIdentity
from index.errors import IndexDamaged, IndexLocked
from index.filters import Filters, same_language, same_name
from index.generation import Layout, Manifest, live_generation, load_manifest, missing_files, writer_lock
from index.terms import Clause, Terms, analyse
from index.vectors import Mask, Numbers, Vectors

log = logging.getLogger(__name__)

# A reader that opens while a rebuild goes live may find its generation gone; the next is there.
_OPEN_ATTEMPTS = 3
_NO_NAME = ("\0",)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that one leg of a search found: numbers and scores, best first."""

    numbers: Numbers
    scores: Matrix

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Scope:
    """The passages that filters leave: what a store needs to search only those.

    `passages` and `articles` count what is left; `unknown` lists filter values that name nothing.
    """

    mask: Mask | None
    clauses: tuple[Clause, ...]
    passages: int
    articles: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What grouping and facets need of an article without its text."""

    day: str | None
    source: str | None


class Store(Protocol):
    """What ranking needs of any place that holds passages."""

    @property
    def generation(self) -> str:
        """Names this state of the corpus; changes with every change."""

    @property
    def model(self) -> ModelIdentity:
        """The model whose embeddings are stored."""

    def scope(self, filters: Filters) -> Scope:
        """The passages that `filters` leave."""

    def search_dense(self, query: Matrix, size: int, scope: Scope) -> Candidates:
        """The passages in scope nearest to `query`: min(size, scope.passages) of them, exactly."""

    def search_lexical(self, stems: Sequence[str], size: int, scope: Scope) -> Candidates:
        """The passages in scope with the highest BM25; only those in which a stem occurs."""

    def cosines(self, query: Matrix, numbers: Numbers) -> Matrix:
        """Cosine with `query` of each of these passages."""

    def bm25(self, stems: Sequence[str], numbers: Numbers) -> Matrix:
        """BM25 of each of these passages."""

    def idf(self, stem: str) -> float:
        """Inverse document frequency of a stem among passages."""

    def ideal_bm25(self, stems: Sequence[str]) -> float:
        """The BM25 of a passage that matched every stem fully."""

    def article_numbers(self, numbers: Numbers) -> Numbers:
        """The article of each of these passages."""

    def article_cosines(self, query: Matrix, articles: Numbers) -> Matrix:
        """Cosine with `query` of the mean of each article's passages."""

    def facts(self, article: int) -> ArticleFacts:
        """Day and source of an article, by number."""

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

    def close(self) -> None:
        """Lets go of files."""


class EmbeddedStore:
    """One moment of the live generation: catalog snapshot, vectors and terms in step with it."""

    def __init__(self, layout: Layout, manifest: Manifest) -> None:
        self.layout = layout
        self.manifest = manifest
        self._catalog = Catalog.snapshot(layout.catalog)
        try:
            self._counts = self._catalog.counts()
            self._columns = self._catalog.columns()
            self._vectors = vectors_in_step(
                self._catalog, _load_vectors(layout, manifest), self._columns.numbers, manifest
            )
            self._terms, self.in_step = self._open_terms()
        except BaseException:
            self._catalog.close()
            raise
        self._article_vectors = _article_means(self._vectors, self._columns)
        self._article_position = {number: at for at, number in enumerate(self._columns.article_numbers.tolist())}

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
            with writer_lock(root):
                layout = live_generation(root)
                # With no writer about, files that are not as they were sealed are damage.
                bring_in_step(layout, afresh=bool(missing_files(layout, load_manifest(layout))))
        except (IndexLocked, OSError) as error:
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

    def scope(self, filters: Filters) -> Scope:
        """The passages that `filters` leave."""
        if not filters:
            return Scope(None, (), len(self._columns.numbers), len(self._columns.article_numbers))
        exact, unknown = self._stored_names(filters)
        articles = self._article_mask(exact)
        for words in map(_stems, filters.excluded):
            articles[self._positions_with(words)] = False
        mask = articles[self._columns.article_positions]
        for words in map(_stems, filters.phrases):
            if words:
                mask &= np.isin(self._columns.numbers, self._terms.matching(words))
        left = np.unique(self._columns.article_positions[mask])
        clauses = tuple(self._terms.clauses(exact)) if mask.any() else ()
        return Scope(mask, clauses, int(mask.sum()), len(left), unknown)

    def search_dense(self, query: Matrix, size: int, scope: Scope) -> Candidates:
        """The passages in scope nearest to `query`: min(size, scope.passages) of them, exactly."""
        return Candidates(*self._vectors.search(query, size, scope.mask))

    def search_lexical(self, stems: Sequence[str], size: int, scope: Scope) -> Candidates:
        """The passages in scope with the highest BM25; only those in which a stem occurs."""
        if not stems or not scope.passages:
            return Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        asked = size
        while True:
            found = Candidates(*self._terms.search(stems, asked, scope.clauses))
            kept = self._in_scope(found, scope)
            # Phrases and excluded words are not among the clauses, nor is what a writer has just
            # added: ask for more until enough is left.
            if len(kept) >= size or len(found) < asked:
                return Candidates(kept.numbers[:size], kept.scores[:size])
            asked *= 4

    def cosines(self, query: Matrix, numbers: Numbers) -> Matrix:
        """Cosine with `query` of each of these passages."""
        return self._vectors.cosines(query, numbers)

    def bm25(self, stems: Sequence[str], numbers: Numbers) -> Matrix:
        """BM25 of each of these passages."""
        return self._terms.scores(stems, numbers)

    def idf(self, stem: str) -> float:
        """Inverse document frequency of a stem among passages."""
        return self._terms.idf(stem)

    def ideal_bm25(self, stems: Sequence[str]) -> float:
        """The BM25 of a passage that matched every stem fully."""
        return self._terms.ideal(stems)

    def article_numbers(self, numbers: Numbers) -> Numbers:
        """The article of each of these passages."""
        at = np.searchsorted(self._columns.numbers, numbers)
        return self._columns.article_numbers[self._columns.article_positions[at]]

    def article_cosines(self, query: Matrix, articles: Numbers) -> Matrix:
        """Cosine with `query` of the mean of each article's passages."""
        return self._article_vectors[np.searchsorted(self._columns.article_numbers, articles)] @ query

    def facts(self, article: int) -> ArticleFacts:
        """Day and source of an article, by number."""
        at = self._article_position[article]
        return ArticleFacts(self._columns.days[at], self._columns.sources[at])

    def stories(self, articles: Numbers) -> Numbers:
        """For each article the number of the one that heads its story: its own where there is no copy."""
        return self._columns.stories[np.searchsorted(self._columns.article_numbers, articles)]

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

    def close(self) -> None:
        """Lets go of files."""
        self._catalog.close()

    def _open_terms(self) -> tuple[Terms, bool]:
        try:
            terms = Terms.open(self.layout.terms)
        except (IndexDamaged, PermissionError) as error:
            log.warning("%s", error)
            return Terms.create(None), False
        return terms, self._is_whole(terms)

    def _is_whole(self, terms: Terms) -> bool:
        """Whether the terms are those that were sealed with this catalog: a quick look, no reading through."""
        numbers = self._columns.numbers
        sealed = self.manifest.change == self._counts.change and len(terms) == len(numbers)
        sealed = sealed and not missing_files(self.layout, self.manifest)
        # Numbers of another generation lie elsewhere.
        return sealed and (not len(numbers) or (terms.holds(int(numbers[0])) and terms.holds(int(numbers[-1]))))

    def _with_terms_in_memory(self) -> Self:
        self._terms = terms_in_step(self._catalog, Terms.create(None), self._columns.numbers)
        return self

    def _in_scope(self, found: Candidates, scope: Scope) -> Candidates:
        positions, known = self._vectors.positions(found.numbers)
        kept = known if scope.mask is None else known & scope.mask[positions]
        return Candidates(found.numbers[kept], found.scores[kept])

    def _positions_with(self, words: Sequence[str]) -> NDArray[np.intp]:
        """Positions of the articles in which these words stand side by side."""
        if not words:
            return np.empty(0, dtype=np.intp)
        found = np.isin(self._columns.numbers, self._terms.matching(words))
        return self._columns.article_positions[found]

    def _stored_names(self, filters: Filters) -> tuple[Filters, tuple[str, ...]]:
        """`filters` with every name as it is stored, and the names that nothing has."""
        columns = self._columns
        sources, languages = _distinct(columns.sources), _distinct(columns.languages)
        authors = _distinct([name for names in columns.authors for name in names] if filters.authors else [])
        unknown: list[str] = []

        def named(wanted: tuple[str, ...], stored: list[str], same: Callable[[str, str], bool]) -> tuple[str, ...]:
            unknown.extend(asked for asked in wanted if not any(same(asked, value) for value in stored))
            found = tuple(value for value in stored if any(same(asked, value) for asked in wanted))
            # A name that nothing has must leave nothing, not everything.
            return found or (_NO_NAME if wanted else ())

        excluded = named(filters.excluded_sources, sources, same_name)
        exact = replace(
            filters,
            sources=named(filters.sources, sources, same_name),
            excluded_sources=() if excluded == _NO_NAME else excluded,
            authors=named(filters.authors, authors, same_name),
            languages=named(filters.languages, languages, same_language),
        )
        return exact, tuple(unknown)

    def _article_mask(self, exact: Filters) -> Mask:
        columns: PassageColumns = self._columns
        mask = np.ones(len(columns.article_numbers), dtype=bool)
        if exact.first_day or exact.last_day:
            first, last = exact.first_day or "", exact.last_day or "9999-12-31"
            mask &= np.fromiter((day is not None and first <= day <= last for day in columns.days), bool, len(mask))
        for wanted, stored in ((exact.sources, columns.sources), (exact.languages, columns.languages)):
            if wanted:
                names = frozenset(wanted)
                mask &= np.fromiter((value in names for value in stored), bool, len(mask))
        if exact.excluded_sources:
            unwanted = frozenset(exact.excluded_sources)
            mask &= np.fromiter((value not in unwanted for value in columns.sources), bool, len(mask))
        if exact.authors:
            people = frozenset(exact.authors)
            mask &= np.fromiter((not people.isdisjoint(names) for names in columns.authors), bool, len(mask))
        return mask


def _load_vectors(layout: Layout, manifest: Manifest) -> Vectors:
    try:
        return Vectors.load(layout.vectors, manifest.model.dimension)
    except IndexDamaged as error:
        log.warning("%s", error)
        return Vectors.empty(manifest.model.dimension)


def _article_means(vectors: Vectors, columns: PassageColumns) -> Matrix:
    """The mean direction of each article's passages, one unit-length row an article."""
    if not len(vectors):
        return np.zeros((0, vectors.matrix.shape[1]), dtype=np.float32)
    # An article's passages were stored together, so they stand together.
    positions = columns.article_positions
    firsts = np.flatnonzero(np.r_[True, positions[1:] != positions[:-1]])
    sums = np.add.reduceat(vectors.matrix, firsts, axis=0)
    means = np.zeros((len(columns.article_numbers), sums.shape[1]), dtype=np.float32)
    means[positions[firsts]] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _SMALLEST_NORM)
    return means


# Passages that cancel each other out have no direction.
_SMALLEST_NORM = 1e-6


def _stems(words: str) -> list[str]:
    return [term.stem for term in analyse(words)]


def _distinct(values: Sequence[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})
