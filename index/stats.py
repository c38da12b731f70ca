"""What is in an index, in figures."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from index.article import SetAside
from index.catalog import Catalog
from index.columns import NO_NAME, Codes
from index.derived import known_columns
from index.generation import Layout, live_generation, load_manifest

_MOST_NAMED = 10


def index_stats(root: Path) -> dict[str, Any]:
    """Counts, period, sources, languages, model and size of the live generation, ready for JSON."""
    return stats_of(live_generation(root))


def stats_of(layout: Layout) -> dict[str, Any]:
    """The same of a generation, as it is now."""
    manifest = load_manifest(layout)
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        counts, columns = catalog.counts(), known_columns(catalog, layout)
    days = columns.days[columns.days > 0]
    return {
        "generation": f"{manifest.generation}.{counts.change}",
        "created": manifest.created,
        "articles": counts.articles,
        "passages": counts.passages,
        "stories": len(np.unique(columns.stories)),
        "set_aside": counts.set_aside,
        "first_day": date.fromordinal(int(days.min())).isoformat() if len(days) else None,
        "last_day": date.fromordinal(int(days.max())).isoformat() if len(days) else None,
        "sources": _most_common(columns.sources, columns.source_names),
        "languages": _most_common(columns.languages, columns.language_names),
        "model": manifest.model.name,
        "dimension": manifest.model.dimension,
        "passage_words": manifest.passage_settings.target_words,
        "dense_search": {"kind": "lists", **manifest.lists} if manifest.lists else {"kind": "exact"},
        "bytes": sum(file.stat().st_size for file in layout.folder.rglob("*") if file.is_file()),
    }


def documents_set_aside(root: Path) -> list[SetAside]:
    """The documents that did not become articles, by the names of their sources."""
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return catalog.journal.documents_set_aside()


def _most_common(codes: Codes, names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(codes[codes != NO_NAME], minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:_MOST_NAMED]
    return {names[at]: int(counts[at]) for at in order.tolist() if counts[at]}
