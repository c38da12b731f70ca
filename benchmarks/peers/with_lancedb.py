"""LanceDB's hybrid search: vectors in an IVF-PQ index, words in a full-text one, fused by reciprocal ranks.

All is LanceDB's default but for the distance, which is the one the model was trained for, and ten times as many
compressed vectors looked at again in full, as its documentation advises for recall.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS, IvfPq
from lancedb.rerankers import RRFReranker
from protocol import Search, main, model_folder
from sentence_transformers import SentenceTransformer

_REFINED = 10
_FEWEST_FOR_TRAINING = 256
"""Product quantisation has 256 centres; LanceDB refuses to train them on fewer rows."""


def build(texts: list[str], vectors: Any, folder: Path) -> None:
    """Embeds the texts, unless their vectors are given, and indexes both."""
    if vectors is None:
        vectors = SentenceTransformer(model_folder()).encode(texts, normalize_embeddings=True)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    rows = pa.table({"row": pa.array(range(len(texts))), "text": pa.array(texts), "vector": column})
    table = lancedb.connect(str(folder / "lancedb")).create_table("passages", rows, mode="overwrite")
    table.create_index("text", config=FTS())
    if len(texts) >= _FEWEST_FOR_TRAINING:
        table.create_index("vector", config=IvfPq(distance_type="cosine"))


def open_index(folder: Path, *, exact: bool = False) -> Search:
    """The table, and sentence-transformers for the queries; `exact` passes over the vector index."""
    table = lancedb.connect(str(folder / "lancedb")).open_table("passages")
    model = SentenceTransformer(model_folder())
    reranker = RRFReranker()

    def search(query: str, wanted: int) -> Sequence[tuple[int, str]]:
        asked = table.search(query_type="hybrid").vector(model.encode(query, normalize_embeddings=True)).text(query)
        asked = asked.distance_type("cosine").rerank(reranker).limit(wanted).select(["row", "text"])
        asked = asked.bypass_vector_index() if exact else asked.refine_factor(_REFINED)
        return [(found["row"], found["text"]) for found in asked.to_list()]

    return search


if __name__ == "__main__":
    main(build, open_index)
