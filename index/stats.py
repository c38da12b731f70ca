"""What is in an index, in figures."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from index.article import SetAside
from index.catalog import Catalog
from index.generation import live_generation, load_manifest

_MOST_NAMED = 10


def index_stats(root: Path) -> dict[str, Any]:
    """Counts, period, sources, languages, model and size of the live generation, ready for JSON."""
    layout = live_generation(root)
    manifest = load_manifest(layout)
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        counts, columns = catalog.counts(), catalog.columns()
    days = sorted(day for day in columns.days if day)
    return {
        "generation": f"{manifest.generation}.{counts.change}",
        "created": manifest.created,
        "articles": counts.articles,
        "passages": counts.passages,
        "stories": len(np.unique(columns.stories)),
        "set_aside": counts.set_aside,
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "sources": _most_common(columns.sources),
        "languages": _most_common(columns.languages),
        "model": manifest.model.name,
        "dimension": manifest.model.dimension,
        "passage_words": manifest.passage_settings.target_words,
        "bytes": sum(file.stat().st_size for file in layout.folder.rglob("*") if file.is_file()),
    }


def documents_set_aside(root: Path) -> list[SetAside]:
    """The documents that did not become articles, by the names of their sources."""
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return catalog.journal.documents_set_aside()


def _most_common(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(value for value in values if value).most_common(_MOST_NAMED))
