"""Bringing vectors and terms in step with the catalog.

No number of a passage or an article is used twice and what it names never changes, so a derived index is in step
exactly when it holds the catalog's numbers: what is missing is added, what is left over is dropped.
The same few lines build an index from nothing, catch up after a crash and repair damage.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.encoder import Matrix
from index.errors import IndexDamaged
from index.generation import Layout, Manifest, load_manifest, replace_durably, save_manifest, sealed
from index.terms import TermDocument, Terms, day_ordinal
from index.vectors import Numbers, Vectors, write_vectors, written_numbers

# A vectors file that lags by fewer passages than these is not rewritten: readers add the rest in
# memory in milliseconds, while rewriting costs in proportion to the whole index.
_MOST_LAG, _MOST_LAG_SHARE = 1_000, 0.05
# Vectors held at a time while the file is written: 6 MB of them, whatever the size of the corpus.
_VECTORS_A_PART = 4_096


def vectors_in_step(catalog: Catalog, vectors: Vectors, numbers: Numbers, manifest: Manifest) -> Vectors:
    """`vectors` holding exactly the passages `numbers` (ascending) of the catalog."""
    vectors.remove(np.setdiff1d(vectors.numbers, numbers, assume_unique=True))
    missing = np.setdiff1d(numbers, vectors.numbers, assume_unique=True)
    if len(missing) and len(vectors) and missing[0] < vectors.numbers[-1]:
        vectors, missing = Vectors.empty(manifest.model.dimension), numbers
    vectors.add(missing, catalog.vectors(missing, manifest.model.dimension))
    return vectors


def terms_in_step(catalog: Catalog, terms: Terms, numbers: Numbers) -> Terms:
    """`terms` holding exactly the passages `numbers` (ascending) of the catalog, committed."""

    def documents(missing: Numbers) -> Iterator[TermDocument]:
        for passage, article in catalog.each_passage(missing):
            yield TermDocument(
                number=passage.number,
                text=f"{article.title}\n{article.text[passage.start : passage.end]}",
                day=day_ordinal(article.day),
                source=article.source or "",
                authors=article.authors,
                language=article.language or "",
                title=article.title,
            )

    return _in_step(terms, numbers, documents)


def article_terms_in_step(catalog: Catalog, terms: Terms, numbers: Numbers) -> Terms:
    """`terms` holding exactly the articles `numbers` (ascending) of the catalog as wholes, committed."""

    def documents(missing: Numbers) -> Iterator[TermDocument]:
        for number, article in catalog.each_article(missing):
            yield TermDocument(number, f"{article.title}\n{article.text}", spelled=False)

    return _in_step(terms, numbers, documents)


def _in_step(terms: Terms, numbers: Numbers, documents: Callable[[Numbers], Iterator[TermDocument]]) -> Terms:
    present = terms.numbers()
    left_over, missing = np.setdiff1d(present, numbers), np.setdiff1d(numbers, present)
    if not len(left_over) and not len(missing):
        return terms  # an empty commit would still write, and a kill right after it would look like damage
    terms.remove(left_over.tolist())
    terms.add(documents(missing))
    terms.commit()
    return terms


def bring_in_step(layout: Layout, *, afresh: bool = False) -> Manifest:
    """Makes the files of a generation agree with its catalog and seals the manifest; needs the lock.

    `afresh` builds both derived indexes from nothing, whatever is there.
    """
    manifest = load_manifest(layout)
    catalog = Catalog.open(layout.catalog)
    try:
        counts, numbers = catalog.counts(), catalog.numbers()
        terms_in_step(catalog, _open_or_create(layout.terms, afresh=afresh), numbers)
        article_terms_in_step(catalog, _open_or_create(layout.article_terms, afresh=afresh), catalog.article_numbers())
        if afresh or _lags(layout, numbers, manifest.model.dimension):
            _write_vectors(catalog, layout, numbers, manifest.model.dimension)
        manifest = sealed(manifest, layout, articles=counts.articles, passages=counts.passages, change=counts.change)
        save_manifest(layout, manifest)
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
        change = catalog.counts().change
    finally:
        catalog.close()
    return manifest if change == manifest.change else bring_in_step(layout)


def _open_or_create(folder: Path, *, afresh: bool) -> Terms:
    if not afresh:
        try:
            return Terms.open(folder)
        except IndexDamaged:
            pass
    return Terms.create(folder)


def _lags(layout: Layout, numbers: Numbers, dimension: int) -> bool:
    """Whether the vectors file is so far behind the catalog, or so broken, that it has to be written anew."""
    written = written_numbers(layout.vectors, dimension)
    lag = len(np.setxor1d(written, numbers))
    return (
        not layout.vectors.is_file()
        or lag > max(_MOST_LAG, _MOST_LAG_SHARE * len(numbers))
        or (lag > 0 and not len(written))
    )


def _write_vectors(catalog: Catalog, layout: Layout, numbers: Numbers, dimension: int) -> None:
    def parts() -> Iterator[Matrix]:
        for start in range(0, len(numbers), _VECTORS_A_PART):
            yield catalog.vectors(numbers[start : start + _VECTORS_A_PART], dimension)

    if layout.vectors.is_dir():
        shutil.rmtree(layout.vectors)
    draft = layout.vectors.with_name(f"{layout.vectors.name}.{os.getpid()}.draft")
    write_vectors(draft, dimension, numbers, parts())
    replace_durably(draft, layout.vectors)
