"""Is the index whole, and making it whole again from its catalog."""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.columns import load_columns, same_columns
from index.derived import bring_in_step, known_columns
from index.encoding.cache import carry_again
from index.encoding.runtime import Facts
from index.errors import MEND_CATALOG, IndexDamaged, IndexMissing
from index.generation import (
    Layout,
    Manifest,
    carried_encoder,
    changed_files,
    live_generation,
    load_manifest,
    make_current,
    save_manifest,
    unknown_files,
    writer_lock,
)
from index.recovery import known_live, manifest_from, require_own
from index.terms import Terms
from index.vectors import Numbers, Vectors

# Vectors that are compared at a time.
_VECTORS_A_PART = 4_096
_NO_WAY_BACK = "cannot be repaired from itself"


def problems(root: Path) -> list[str]:
    """What is wrong with the live generation and the encoder that the index carries, one line each; empty if nothing.

    Raises IndexMissing, IndexDamaged or IndexOutdated when there is nothing to examine.
    """
    layout = live_generation(root)
    manifest = load_manifest(layout)
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        found = catalog.problems(manifest.model.document_prompt)
        found += _manifest_problems(catalog, layout, manifest)
        found += [f"{name} is not the file that was written" for name in changed_files(layout, manifest)]
        found += [f"{name} is no file of this generation" for name in unknown_files(layout, manifest)]
        found += _encoder_problems(root)
        if found:
            return found
        return [
            *_array_problems(catalog, layout, manifest),
            *_term_problems(layout.terms, "passages", catalog.numbers()),
            *_term_problems(layout.article_terms, "articles", catalog.article_numbers()),
        ]


def repair(root: Path) -> list[str]:
    """Makes anew what the catalog can make, without embedding, and returns what was wrong.

    Raises IndexDamaged when the catalog itself is not whole: then a backup helps, or a rebuild.
    """
    with writer_lock(root):
        layout, found = _known_again(root)
        with closing(Catalog.open(layout.catalog)) as catalog:
            fatal = catalog.problems(load_manifest(layout).model.document_prompt)
        if fatal:
            raise IndexDamaged(f"{layout.catalog} is damaged ({fatal[0]}) and {_NO_WAY_BACK}. {MEND_CATALOG}")
        found += problems(root)
        if _encoder_problems(root):
            carry_again(load_manifest(layout).model, carried_encoder(root))
        if found:
            bring_in_step(layout, afresh=True)
    return found


def _known_again(root: Path) -> tuple[Layout, list[str]]:
    """The live generation with CURRENT and manifest as they should be, and what was wrong with them."""
    found: list[str] = []
    try:
        layout = live_generation(root)
    except (IndexDamaged, IndexMissing):
        layout = known_live(root)
        found.append(f"CURRENT named no generation; {layout.folder.name} was written to last")
        make_current(root, layout)
    try:
        manifest = load_manifest(layout)
        with closing(Catalog.snapshot(layout.catalog)) as catalog:
            require_own(catalog, layout, manifest)
    except IndexDamaged as error:
        try:
            manifest = _manifest_again(layout)
        except IndexDamaged:
            raise IndexDamaged(f"{str(error).split('. ')[0]}, which {_NO_WAY_BACK}. {MEND_CATALOG}") from error
        found.append(str(error))
        save_manifest(layout, manifest)
    return layout, found


def _manifest_again(layout: Layout) -> Manifest:
    """A manifest without files, as the catalog remembers it: that of another generation belongs to this one now."""
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        told = manifest_from(layout, catalog.facts())
    return replace(told or load_manifest(layout), generation=layout.folder.name)


def _manifest_problems(catalog: Catalog, layout: Layout, manifest: Manifest) -> Iterator[str]:
    """What the manifest says otherwise than the catalog of the same change."""
    try:
        require_own(catalog, layout, manifest)
    except IndexDamaged as error:
        yield str(error)
    with suppress(IndexDamaged):  # which has been told
        facts = catalog.facts()
        if facts is not None and manifest_from(layout, facts) is None:
            yield "what the catalog says of how it was made is not what was stored"
        counts = catalog.counts()
        if counts.change < manifest.change:
            yield (
                f"{layout.catalog.name} ends with change {counts.change} and {layout.manifest.name} tells of change"
                f" {manifest.change}: unless the catalog is from a backup, what was stored in between is lost"
            )
        told, stored = (manifest.articles, manifest.passages), (counts.articles, counts.passages)
        if manifest.change == counts.change and told != stored:
            yield f"{layout.manifest.name} tells of other articles than the catalog has"


def _encoder_problems(root: Path) -> list[str]:
    """What is wrong with the exported model that the index carries, where it carries one."""
    folder = carried_encoder(root)
    if not folder.exists():
        return []
    facts = Facts.load(folder)
    if facts is None:
        return [f"{folder.name} is no whole exported model"]
    try:
        return [f"{folder.name}/{name} is not the file that was written" for name in facts.changed_files(folder)]
    except OSError as error:
        return [f"{folder.name} cannot be read ({error.strerror})"]


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
        books = json.loads((terms / ".managed.json").read_text("utf-8"))
        if not all(isinstance(name, str) for name in books):
            return [f"{terms.name}/.managed.json is not what was written"]
        present = Terms.open(terms).numbers()
    except IndexDamaged as error:
        return [str(error)]
    except (OSError, TypeError, ValueError) as error:  # what damaged fields look like to the library
        return [f"{terms.name} cannot be read ({error})"]
    differing = len(np.setxor1d(present, stored))
    return [f"{differing} {what} differ between {terms.name} and the catalog"] if differing else []
