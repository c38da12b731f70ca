"""txtai's hybrid search with stored content; its own encoder, vector index, BM25 and weights are its defaults."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from protocol import Search, main, model_folder
from txtai import Embeddings


def build(texts: list[str], vectors: Any, folder: Path) -> None:
    """Indexes the texts with txtai's own encoder, or looks their vectors up where they are given."""
    embeddings = Embeddings(path=model_folder(), hybrid=True, content=True)
    if vectors is not None:
        row_of = {text: row for row, text in enumerate(texts)}

        def encode(data: list[str], category: str | None = None) -> Any:
            return np.array(vectors[[row_of[text] for text in data]])

        # Of all of txtai only the model's arithmetic is left out; what is stored is the same.
        embeddings.model.encode = encode
    embeddings.index(_rows(texts))
    embeddings.save(str(folder / "txtai"))


def open_index(folder: Path) -> Search:
    """The index as txtai loads it, with its encoder."""
    embeddings = Embeddings()
    embeddings.load(str(folder / "txtai"))

    def search(query: str, wanted: int) -> Sequence[tuple[int, str]]:
        return [(int(found["id"]), found["text"]) for found in embeddings.search(query, wanted)]

    return search


def _rows(texts: list[str]) -> Iterator[tuple[int, str, None]]:
    return ((row, text, None) for row, text in enumerate(texts))


if __name__ == "__main__":
    main(build, open_index)
