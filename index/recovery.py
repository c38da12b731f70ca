"""The two small files without which nothing is found, CURRENT and a manifest, known from what else there is.

What a generation was made with is told twice: in its manifest and, from the first time that it was whole, in its
catalog. So each can be held against the other, and a lost manifest costs nothing.
"""

import json
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from index.catalog import Catalog
from index.encoder import ModelIdentity
from index.errors import MEND_DERIVED, IndexDamaged, IndexMissing, IndexOutdated
from index.generation import (
    OLDEST_READABLE_FORMAT,
    Layout,
    Manifest,
    checksum_of,
    live_generation,
    load_manifest,
    new_manifest,
    other_generations,
)
from index.passages import PassageSettings

_TOLD = ("generation", "model", "passage_settings", "recall_target")


def facts_of(manifest: Manifest) -> str:
    """What a catalog remembers of the manifest, as JSON with a checksum."""
    fields = asdict(manifest)
    facts = {name: fields[name] for name in _TOLD}
    return json.dumps({**facts, "checksum": checksum_of(facts)}, ensure_ascii=False)


def manifest_from(layout: Layout, facts: str | None) -> Manifest | None:
    """A manifest without files from what a catalog remembers; None where that is nothing, or not whole.

    Its generation is the one that the catalog was part of.
    """
    try:
        told: dict[str, Any] = json.loads(facts or "")
        if told.pop("checksum") != checksum_of(told):
            return None
        model, settings = ModelIdentity(**told["model"]), PassageSettings(**told["passage_settings"])
        made = new_manifest(layout, model, settings)
        return replace(made, generation=str(told["generation"]), recall_target=float(told["recall_target"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def require_own(catalog: Catalog, layout: Layout, manifest: Manifest) -> None:
    """Raises IndexDamaged when the catalog is another generation's, or was made with another model than is told."""
    told = manifest_from(layout, catalog.facts())
    if told and any(getattr(told, name) != getattr(manifest, name) for name in _TOLD):
        raise IndexDamaged(f"{layout.catalog} and {layout.manifest} are not of one generation. {MEND_DERIVED}")


def known_manifest(layout: Layout, *, oldest: int = OLDEST_READABLE_FORMAT) -> Manifest:
    """The manifest of a generation or, where that is damaged, what its catalog remembers of it.

    Raises what `load_manifest` raises where that is nothing.
    """
    try:
        return load_manifest(layout, oldest=oldest)
    except IndexDamaged:
        with suppress(IndexDamaged), closing(Catalog.donor(layout.catalog)) as catalog:
            if told := manifest_from(layout, catalog.facts()):
                return told
        raise


def known_live(root: Path) -> Layout:
    """The live generation or, where CURRENT is lost, of those that were ever finished the one that was written to last.

    Raises what `live_generation` raises where there is none.
    """
    try:
        return live_generation(root)
    except (IndexDamaged, IndexMissing):
        if finished := list(filter(is_finished, other_generations(root, including_live=True))):
            return max(finished, key=lambda layout: (_last_written(layout), layout.folder.name))
        raise


def is_finished(layout: Layout) -> bool:
    """Whether a generation was ever whole, as far as its manifest or its catalog can still tell."""
    try:
        return bool(load_manifest(layout).files)
    except IndexOutdated:
        return False
    except IndexDamaged:
        # A catalog is told what it was made with when the generation is sealed; one that was copied for a generation
        # that was never finished still tells of the other one.
        with suppress(IndexDamaged), closing(Catalog.donor(layout.catalog)) as catalog:
            facts = catalog.facts()
            told = manifest_from(layout, facts)
            return facts is not None and (told is None or told.generation == layout.folder.name)
        return False


def _last_written(layout: Layout) -> tuple[str, int]:
    """The moment of its last change and, where another generation is a copy of it, of its file's."""
    with suppress(IndexDamaged, OSError), closing(Catalog.donor(layout.catalog)) as catalog:
        return catalog.history.last_moment(), layout.catalog.stat().st_mtime_ns
    return "", 0
