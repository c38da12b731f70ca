"""The plain way: embed everything with sentence-transformers, keep it in a flat FAISS index. Dense only."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
from protocol import Search, main, model_folder
from sentence_transformers import SentenceTransformer


def build(texts: list[str], vectors: Any, folder: Path) -> None:
    """Embeds the texts, unless their vectors are given, and writes index and texts."""
    if vectors is None:
        vectors = SentenceTransformer(model_folder()).encode(texts, normalize_embeddings=True)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(folder / "vectors.faiss"))
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")


def open_index(folder: Path) -> Search:
    """Model, index and texts in memory."""
    model = SentenceTransformer(model_folder())
    index = faiss.read_index(str(folder / "vectors.faiss"))
    texts = json.loads((folder / "texts.json").read_text("utf-8"))

    def search(query: str, wanted: int) -> Sequence[tuple[int, str]]:
        _, rows = index.search(model.encode([query], normalize_embeddings=True), wanted)
        return [(int(row), texts[row]) for row in rows[0] if row >= 0]

    return search


if __name__ == "__main__":
    main(build, open_index)
