"""Is the index whole, and making it whole again from its catalog."""

from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.columns import load_columns, same_columns
from index.derived import bring_in_step, known_columns
from index.errors import IndexDamaged
from index.generation import Layout, Manifest, changed_files, live_generation, load_manifest, writer_lock
from index.terms import Terms
from index.vectors import Numbers, Vectors

# Vectors that are compared at a time.
_VECTORS_A_PART = 4_096


def problems(root: Path) -> list[str]:
    """What is wrong with the live generation, one line each; empty when it is whole.

    Raises IndexMissing, IndexDamaged or IndexOutdated when there is nothing to examine.
    """
    layout = live_generation(root)
    manifest = load_manifest(layout)
    catalog = Catalog.snapshot(layout.catalog)
    try:
        changed = [f"{name} is not the file that was written" for name in changed_files(layout, manifest)]
        if found := catalog.problems() + changed:
            return found
        return [
            *_array_problems(catalog, layout, manifest),
            *_term_problems(layout.terms, "passages", catalog.numbers()),
            *_term_problems(layout.article_terms, "articles", catalog.article_numbers()),
        ]
    finally:
        catalog.close()


def repair(root: Path) -> list[str]:
    """Builds the derived files anew from the catalog, without embedding, and returns what was wrong.

    Raises IndexDamaged when the catalog itself is not whole: then only a backup or a rebuild helps.
    """
    with writer_lock(root):
        layout = live_generation(root)
        catalog = Catalog.open(layout.catalog)
        try:
            fatal = catalog.problems()
        finally:
            catalog.close()
        if fatal:
            raise IndexDamaged(
                f"{layout.catalog} is damaged ({fatal[0]}) and cannot be repaired from itself."
                " Restore it from a backup, or run: dateline rebuild SOURCE"
            )
        found = problems(root)
        if found:
            bring_in_step(layout, afresh=True)
    return found


def _array_problems(catalog: Catalog, layout: Layout, manifest: Manifest) -> list[str]:
    """What is wrong with columns and vectors; what has come or gone since they were written is no damage."""
    dimension = manifest.model.dimension
    try:
        load_columns(layout.columns)
        columns, stored = known_columns(catalog, layout), catalog.history.columns()
        vectors = Vectors.load(layout.vectors, dimension)
        Vectors.load(layout.article_vectors, dimension)
    except IndexDamaged as error:
        return [str(error)]
    found = []
    if not same_columns(columns, stored):
        found.append(f"{layout.columns.name} holds other facts than the catalog")
    shared = np.intersect1d(vectors.numbers, stored.numbers, assume_unique=True)
    parts = np.array_split(shared, len(shared) // _VECTORS_A_PART + 1)
    if not all(np.array_equal(vectors.rows(part), catalog.vectors(part, dimension)) for part in parts):
        found.append(f"{layout.vectors.name} holds other vectors than the catalog")
    return found


def _term_problems(terms: Path, what: str, stored: Numbers) -> list[str]:
    try:
        present = Terms.open(terms).numbers()
    except IndexDamaged as error:
        return [str(error)]
    except (TypeError, ValueError) as error:  # what damaged fields look like to the library
        return [f"{terms.name} cannot be read ({error})"]
    differing = len(np.setxor1d(present, stored))
    return [f"{differing} {what} differ between {terms.name} and the catalog"] if differing else []
