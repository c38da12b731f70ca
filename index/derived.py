"""Bringing what is derived in step with the catalog.

No number of a passage or an article is used twice and what it names never changes, so a derived index is in step
exactly when it holds the catalog's numbers: what is missing is added, what is left over is dropped.
The same few lines build an index from nothing, catch up after a crash and repair damage. Where the manifest
says that a file was in step before, only what the catalog's history tells since is looked at.

Terms follow every change. Columns and vectors are files that are mapped and never changed: readers add in memory
what came later, and they are written anew when that is more than a little.
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import lists as inverted
from index.article import Article, Passage
from index.catalog import Catalog
from index.columns import Numbers, PassageColumns, load_columns, save_columns
from index.durable import draft_of, replace_durably
from index.encoder import Matrix
from index.errors import IndexDamaged
from index.generation import Layout, Manifest, altered_files, as_sealed, load_manifest, save_manifest, sealed
from index.recovery import facts_of, require_own
from index.terms import TermDocument, Terms, TermsDamaged, day_ordinal
from index.vectors import Vectors, write_vectors, written_numbers

log = logging.getLogger(__name__)

# Files that lag by fewer passages than these are not rewritten: readers add the rest in memory in
# milliseconds, while rewriting costs in proportion to the whole index.
_MOST_LAG, _MOST_LAG_SHARE = 1_000, 0.05
# Vectors held at a time while the files are written: 6 MB of them, whatever the size of the corpus.
_VECTORS_A_PART = 4_096
# Articles whose means are made at a time.
_ARTICLES_A_PART = 500
# Passages that cancel each other out have no direction.
_SMALLEST_NORM = 1e-6


def bring_in_step(layout: Layout, *, afresh: bool = False, copy_of: Manifest | None = None) -> Manifest:
    """Makes the files of a generation agree with its catalog and seals the manifest; needs the lock.

    `afresh` builds everything derived from nothing, whatever is there; a generation that began as the copy
    of another knows what it held by that one's manifest. Searches see what is new as soon as the
    terms have it; writing columns and vectors anew, and training lists, comes behind.
    """
    manifest = load_manifest(layout)
    catalog = Catalog.open(layout.catalog)
    try:
        # What was changed since it was sealed, and not by us, must not be sealed as it is.
        altered = altered_files(layout, manifest)
        if altered:
            log.warning("%s: not what was written, and made anew: %s", layout.folder, ", ".join(altered))
        new_terms = afresh or any("/" in name for name in altered)
        new_arrays = afresh or any("/" not in name for name in altered)
        if new_terms or not _terms_followed(catalog, layout, copy_of or manifest):
            _bring_terms(layout.terms, partial(terms_in_step, catalog), catalog.numbers(), afresh=new_terms)
            articles = catalog.article_numbers()
            _bring_terms(layout.article_terms, partial(article_terms_in_step, catalog), articles, afresh=new_terms)
        lags = new_arrays or _lags(catalog, layout, manifest)
        if not lags or (manifest.files and not altered):  # what was never sealed is seen by nobody yet
            manifest = _seal(catalog, layout, manifest)
        if lags:
            if new_arrays:  # else what is damaged would be taken over
                for arrays in (layout.lists, layout.columns):
                    _drop(arrays)
            manifest = _write_arrays(catalog, layout, manifest)
            manifest = _seal(catalog, layout, manifest)
            catalog.history.forget(load_columns(layout.columns).change)
        catalog.checkpoint()
        return manifest
    finally:
        catalog.close()


def put_right(layout: Layout) -> Manifest:
    """Brings a generation in step if its catalog is not the one that was last sealed; needs the lock.

    Before anything is added: to a catalog from a backup, whose next numbers the derived files
    already know as other passages.
    """
    manifest = load_manifest(layout)
    catalog = Catalog.open(layout.catalog)
    try:
        require_own(catalog, layout, manifest)
        change = catalog.history.last_change()
    finally:
        catalog.close()
    return manifest if change == manifest.change else bring_in_step(layout)


def known_columns(catalog: Catalog, layout: Layout) -> PassageColumns:
    """The columns as the catalog stands now: those in the file, and what has changed since."""
    try:
        before = load_columns(layout.columns)
    except IndexDamaged:
        return catalog.history.columns()
    if before.change > catalog.history.last_change():  # the catalog was restored from a backup
        return catalog.history.columns()
    columns, counts = catalog.history.columns(before), catalog.counts()
    if (len(columns.article_numbers), len(columns.numbers)) != (counts.articles, counts.passages):
        return catalog.history.columns()
    return columns


def vectors_in_step(catalog: Catalog, vectors: Vectors, numbers: Numbers) -> Vectors:
    """`vectors` holding exactly the passages `numbers` (ascending) of the catalog."""
    return _vectors_in_step(vectors, numbers, lambda missing: catalog.vectors(missing, vectors.dimension))


def article_vectors_in_step(means: Vectors, vectors: Vectors, columns: PassageColumns) -> Vectors:
    """`means` holding exactly the articles of `columns`, each as the mean direction of its passages in `vectors`."""

    def missing_means(missing: Numbers) -> Matrix:
        positions = np.searchsorted(columns.article_numbers, missing)
        return np.concatenate([*_means(vectors, columns, positions), np.empty((0, vectors.dimension), np.float32)])

    return _vectors_in_step(means, columns.article_numbers, missing_means)


def _vectors_in_step(vectors: Vectors, numbers: Numbers, load: Callable[[Numbers], Matrix]) -> Vectors:
    if np.array_equal(vectors.numbers, numbers):
        return vectors
    vectors.remove(_left_over(vectors.numbers, numbers))
    missing = _left_over(numbers, vectors.numbers)
    if len(missing) and len(vectors) and missing[0] < vectors.numbers[-1]:
        vectors, missing = Vectors.empty(vectors.dimension), numbers
    vectors.add(missing, load(missing))
    return vectors


def _left_over(numbers: Numbers, others: Numbers) -> Numbers:
    """Those of `numbers` that are not among `others`; both ascend."""
    if not len(others):
        return numbers
    places = np.minimum(np.searchsorted(others, numbers), len(others) - 1)
    return np.asarray(numbers[others[places] != numbers])


def terms_in_step(catalog: Catalog, terms: Terms, numbers: Numbers) -> Terms:
    """`terms` holding exactly the passages `numbers` (ascending) of the catalog, committed."""
    return _in_step(terms, numbers, lambda missing: _passage_documents(catalog, missing))


def article_terms_in_step(catalog: Catalog, terms: Terms, numbers: Numbers) -> Terms:
    """`terms` holding exactly the articles `numbers` (ascending) of the catalog as wholes, committed."""
    return _in_step(terms, numbers, lambda missing: _article_documents(catalog, missing))


def _in_step(terms: Terms, numbers: Numbers, documents: Callable[[Numbers], Iterator[TermDocument]]) -> Terms:
    present = terms.numbers()
    return _changed(terms, np.setdiff1d(present, numbers), documents, np.setdiff1d(numbers, present))


def _changed(
    terms: Terms, left_over: Numbers, documents: Callable[[Numbers], Iterator[TermDocument]], missing: Numbers
) -> Terms:
    if not len(left_over) and not len(missing):
        return terms  # an empty commit would still write, and a kill right after it would look like damage
    terms.remove(left_over.tolist())
    terms.add(documents(missing))
    terms.commit()
    return terms


def _terms_followed(catalog: Catalog, layout: Layout, manifest: Manifest) -> bool:
    """Brings terms that are as they were sealed in step by the catalog's history alone; says whether that was enough.

    The cost is that of the change, however large the corpus.
    """
    counts, since = catalog.counts(), manifest.change
    if not manifest.last_passage or since > counts.change or not as_sealed(layout, manifest):
        return False
    try:
        terms, articles = Terms.open(layout.terms), Terms.open(layout.article_terms)
    except IndexDamaged:
        return False
    if (len(terms), len(articles)) != (manifest.passages, manifest.articles):
        return False
    history = catalog.history
    try:
        removed, added = history.removed_passages(since), history.passages_after(manifest.last_passage)
        _changed(terms, removed, lambda missing: _passage_documents(catalog, missing), added)
        removed, added = history.removed_articles(since), history.articles_after(manifest.last_article)
        _changed(articles, removed, lambda missing: _article_documents(catalog, missing), added)
    except TermsDamaged:
        return False
    return (len(terms), len(articles)) == (counts.passages, counts.articles)


def _passage_documents(catalog: Catalog, numbers: Numbers) -> Iterator[TermDocument]:
    for passage, article in catalog.each_passage(numbers):
        yield passage_document(passage, article)


def passage_document(passage: Passage, article: Article) -> TermDocument:
    """A passage as a lexical index sees it."""
    return TermDocument(
        number=passage.number,
        text=f"{article.title}\n{article.text[passage.start : passage.end]}",
        day=day_ordinal(article.day),
        source=article.source or "",
        authors=article.authors,
        language=article.language or "",
        title=article.title,
    )


def _article_documents(catalog: Catalog, numbers: Numbers) -> Iterator[TermDocument]:
    def document(number: int, article: Article) -> TermDocument:
        return TermDocument(number, f"{article.title}\n{article.text}", spelled=False)

    return (document(number, article) for number, article in catalog.each_article(numbers))


def _bring_terms(folder: Path, in_step: Callable[[Terms, Numbers], Terms], numbers: Numbers, *, afresh: bool) -> None:
    """Has the terms in a folder hold exactly these numbers; those that cannot go on are made anew."""
    try:
        terms = Terms.create(folder) if afresh else Terms.open(folder)
    except IndexDamaged:
        terms, afresh = Terms.create(folder), True
    try:
        in_step(terms, numbers)
    except TermsDamaged as error:
        if afresh:
            raise
        log.warning("%s is made anew: %s", folder, error)
        in_step(Terms.create(folder), numbers)


def _seal(catalog: Catalog, layout: Layout, manifest: Manifest) -> Manifest:
    catalog.keep_facts(facts_of(manifest))
    counts = catalog.counts()
    last_passage, last_article = catalog.history.last_numbers()
    manifest = replace(
        manifest,
        articles=counts.articles,
        passages=counts.passages,
        change=counts.change,
        last_passage=last_passage,
        last_article=last_article,
    )
    save_manifest(layout, manifest := sealed(manifest, layout))
    return manifest


def _lags(catalog: Catalog, layout: Layout, manifest: Manifest) -> bool:
    """Whether columns or vectors are so far behind the catalog, or so broken, that they have to be written anew."""
    try:
        columns = load_columns(layout.columns)
    except IndexDamaged:
        return True
    history, dimension = catalog.history, manifest.model.dimension
    if columns.change > history.last_change():
        return True
    for path, numbers in ((layout.vectors, columns.numbers), (layout.article_vectors, columns.article_numbers)):
        written = written_numbers(path, dimension)
        if written is None or not np.array_equal(written, numbers):
            return True
    last = int(columns.numbers[-1]) if len(columns.numbers) else 0
    lag = len(history.removed_passages(columns.change)) + len(history.passages_after(last))
    return lag > max(_MOST_LAG, _MOST_LAG_SHARE * len(columns.numbers))


def _write_arrays(catalog: Catalog, layout: Layout, manifest: Manifest) -> Manifest:
    """Writes columns, vectors and, where they are many, lists; the manifest tells of the lists."""
    dimension = manifest.model.dimension
    columns = known_columns(catalog, layout)
    before = _listed(layout, dimension)
    parts = _parts(catalog, columns, dimension)
    _write(layout.vectors, lambda draft: write_vectors(draft, dimension, columns.numbers, parts))
    vectors = Vectors.load(layout.vectors, dimension)
    means = _means(vectors, columns, np.arange(len(columns.article_numbers)))
    _write(layout.article_vectors, lambda draft: write_vectors(draft, dimension, columns.article_numbers, means))
    many = len(vectors) > inverted.EXACT_UP_TO
    lists = inverted.made_lists(vectors, before, manifest.recall_target) if many else None
    if lists:
        _write(layout.lists, lists.save)
    else:
        layout.lists.unlink(missing_ok=True)
    _write(layout.columns, lambda draft: save_columns(draft, columns))
    return replace(manifest, lists=lists.told() if lists else None)


def _listed(layout: Layout, dimension: int) -> Vectors | None:
    """The vectors as they were, if there are lists over them: the next lists go on from there."""
    try:
        vectors = Vectors.load(layout.vectors, dimension, layout.lists)
    except IndexDamaged:
        return None
    return vectors if vectors.lists else None


def _parts(catalog: Catalog, columns: PassageColumns, dimension: int) -> Iterator[Matrix]:
    for start in range(0, len(columns.numbers), _VECTORS_A_PART):
        yield catalog.vectors(columns.numbers[start : start + _VECTORS_A_PART], dimension)


def _means(vectors: Vectors, columns: PassageColumns, articles: Numbers) -> Iterator[Matrix]:
    """The mean direction of the passages of each of the articles at these positions, one unit-length row an article.

    `vectors` has exactly the passages of `columns`; an article's stand together, because they were stored together.
    """
    for start in range(0, len(articles), _ARTICLES_A_PART):
        part = articles[start : start + _ARTICLES_A_PART]
        firsts = np.searchsorted(columns.article_positions, part, side="left")
        counts = np.searchsorted(columns.article_positions, part, side="right") - firsts
        offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
        rows = np.repeat(firsts - offsets, counts) + np.arange(counts.sum())
        yield mean_directions(vectors.at(rows), counts)


def mean_directions(rows: Matrix, counts: NDArray[np.intp]) -> Matrix:
    """The mean direction of each run of rows, of which `counts` says how long they are; of none it is all zeros."""
    means = np.zeros((len(counts), rows.shape[1]), dtype=np.float32)
    has = counts > 0
    if has.any():
        sums = np.add.reduceat(rows, np.concatenate([[0], np.cumsum(counts[has])[:-1]]), axis=0)
        means[has] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _SMALLEST_NORM)
    return means


def _write(path: Path, save: Callable[[Path], None]) -> None:
    """Replaces the file at `path` by what `save` writes, whole or not at all; those who map the old one keep it."""
    draft = draft_of(path)
    try:
        save(draft)
        replace_durably(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _drop(path: Path) -> None:
    """Deletes what should be a file, whatever it is."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
