"""The passages of an index as peers read them: the same texts, cut the same way, with or without vectors."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.embeddings import embedding_text
from index.generation import live_generation, load_manifest


def export(index: Path, folder: Path, *, vectors: bool) -> int:
    """Writes passages.jsonl and, if wanted, vectors.npy in the same order to `folder`; returns how many.

    Raises IndexMissing when there is no index.
    """
    layout = live_generation(index)
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        numbers = catalog.numbers()
        with (folder / "passages.jsonl").open("w", encoding="utf-8") as file:
            for passage, article in catalog.each_passage(numbers):
                text = embedding_text(article.title, article.text[passage.start : passage.end])
                file.write(json.dumps({"article": article.id, "text": text}) + "\n")
        if vectors:
            dimension = load_manifest(layout).model.dimension
            np.save(folder / "vectors.npy", catalog.vectors(numbers, dimension))
    return len(numbers)
