"""bm25s with a stemmer and stop words, as its own documentation begins. Words only, no meaning."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import Stemmer
from protocol import Search, main


def build(texts: list[str], _vectors: Any, folder: Path) -> None:
    """Indexes the words of the texts and writes index and texts."""
    index = bm25s.BM25(backend="numba")
    index.index(_words(texts), show_progress=False)
    index.save(str(folder / "bm25s"))
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")


def open_index(folder: Path) -> Search:
    """Index and texts in memory."""
    index = bm25s.BM25.load(str(folder / "bm25s"), show_progress=False)
    texts = json.loads((folder / "texts.json").read_text("utf-8"))

    def search(query: str, wanted: int) -> Sequence[tuple[int, str]]:
        rows, scores = index.retrieve(_words([query]), k=min(wanted, len(texts)), show_progress=False)
        return [(int(row), texts[row]) for row, score in zip(rows[0], scores[0], strict=True) if score > 0]

    return search


def _words(texts: list[str]) -> Any:
    return bm25s.tokenize(texts, stopwords="en", stemmer=_STEMMER, show_progress=False)


_STEMMER = Stemmer.Stemmer("english")


if __name__ == "__main__":
    main(build, open_index, needs_vectors=False)
