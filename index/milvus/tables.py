"""The collections of one generation on a server, and the names by which they are found.

    <name>                       an alias for the passages of the generation that is live
    <name>_<generation>          passages: what is searched, with what filters and ranking need of each
    <name>_<generation>_articles what grouping, ranking and facets need of each article
    <name>_<generation>_texts    the articles themselves as JSON, and under key 0 the facts of the generation
    <name>_<generation>_words    the corpus's words and names, and how often each occurs

All begin with the alias, so one switch of it moves everything at once. Milvus wants a vector in each collection; words
have one of their letters, by which misspelled ones are found.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from index.milvus.client import WITNESSES, Column, Server

MOST_BYTES = 65_535
"""What a VARCHAR holds at most, in bytes of UTF-8."""
MOST_GRAMS = 4_096
"""What an array holds at most."""
LETTERS = 38
"""Dimensions of a word's vector: letters, digits, and two for all the rest."""
NOTHING = "number < 0"
"""The condition that no passage, article or text fits."""
WITNESS_WORDS = {0: 1.0}
"""A dimension that stands for no word."""
WITNESS_LETTERS = [-1.0] * LETTERS
"""No word has fewer than no letters."""

_MOST_LABELS = 1_000
_LABEL_BYTES = 1_024
_KEY_BYTES = 1_024
# Below this many passages an exact search takes less than the way to the server and back.
_EXACT_UP_TO = 200_000
# Found .98 and more of the ten nearest in every comparison that we know of; memory goes by M.
_HNSW = {"M": 16, "efConstruction": 200}
_LEAST_EF = 400
# Lists as FAISS recommends them, and a share of them to look into.
_LISTS, _PROBED = 4_096, 64


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of one generation's collections."""

    passages: str

    @property
    def articles(self) -> str:
        """What is known of articles without their texts."""
        return f"{self.passages}_articles"

    @property
    def texts(self) -> str:
        """The articles themselves, and the facts."""
        return f"{self.passages}_texts"

    @property
    def words(self) -> str:
        """Words and names."""
        return f"{self.passages}_words"

    @property
    def all(self) -> tuple[str, ...]:
        """All four."""
        return self.passages, self.articles, self.texts, self.words


def tables_of(alias: str, generation: str) -> Tables:
    """The collections of a generation: its id has characters that Milvus allows in no name."""
    return Tables(f"{alias}_{generation.replace('-', '_')}")


def generations_among(collections: Sequence[str], alias: str) -> list[Tables]:
    """The generations of a corpus that a server with these collections holds, newest first, finished or not."""
    made = [name.removesuffix("_texts") for name in collections if name.endswith("_texts")]
    # A generation's id begins with a year; another corpus may have a name that begins as this one's.
    return [Tables(name) for name in sorted(made, reverse=True) if name.startswith(f"{alias}_2")]


def create_tables(server: Server, tables: Tables, dimension: int) -> bool:
    """Makes those of a generation's collections that are not there yet; says whether none was."""
    there = server.collections()
    key = Column("number", "INT64", is_key=True)
    labels = Column("labels", "ARRAY", element_type="VARCHAR", max_capacity=_MOST_LABELS, max_length=_LABEL_BYTES)
    words = Column("words", "VARCHAR", max_length=MOST_BYTES)
    wanted: dict[str, list[Column]] = {
        tables.passages: [
            key, *(Column(name, "INT64") for name in ("article", "place", "start", "end", "day")), labels,
            Column("grams", "ARRAY", element_type="INT32", max_capacity=MOST_GRAMS), words,
            Column("vector", "FLOAT_VECTOR", dim=dimension),
            *([Column("sparse", "SPARSE_FLOAT_VECTOR")] if server.has_sparse_vectors else []),
        ],
        tables.articles: [
            key, Column("story", "INT64"), Column("head", "BOOL"), Column("day", "INT64"), labels,
            *(Column(name, "VARCHAR", max_length=MOST_BYTES) for name in ("id", "facts")),
            words, Column("length", "INT64"), Column("vector", "FLOAT_VECTOR", dim=dimension),
        ],
        tables.texts: [key, Column("text", "VARCHAR", max_length=MOST_BYTES), Column("vector", "FLOAT_VECTOR", dim=2)],
        tables.words: [
            Column("key", "VARCHAR", is_key=True, max_length=_KEY_BYTES), Column("kind", "VARCHAR", max_length=16),
            Column("word", "VARCHAR", max_length=_KEY_BYTES),
            *(Column(name, "INT64") for name in ("passages", "ever", "articles")),
            Column("vector", "FLOAT_VECTOR", dim=LETTERS),
        ],
    }  # fmt: skip
    for name, columns in wanted.items():
        if name not in there:
            server.create(name, columns)
    return not any(name in there for name in wanted)


def store_witnesses(server: Server, tables: Tables, dimension: int) -> None:
    """Stores the row of each collection without which no answer is believed; before everything else."""
    number, key = WITNESSES["number"], WITNESSES["key"]
    passage: dict[str, Any] = dict.fromkeys(("number", "article", "place", "start", "end", "day"), number)
    passage |= {"labels": [], "grams": [], "words": "", "vector": witness_vector(dimension)}
    if server.has_sparse_vectors:
        passage["sparse"] = WITNESS_WORDS
    server.upsert(tables.passages, [passage])
    article: dict[str, Any] = {"number": number, "story": number, "head": False, "day": number, "labels": [], "id": ""}
    article |= {"facts": "", "words": "", "length": 0, "vector": witness_vector(dimension)}
    server.upsert(tables.articles, [article])
    server.upsert(tables.texts, [{"number": number, "text": "", "vector": [0.0, 0.0]}])
    word = {"key": key, "kind": "", "word": "", "passages": 0, "ever": 0, "articles": 0, "vector": WITNESS_LETTERS}
    server.upsert(tables.words, [word])


def witness_vector(dimension: int) -> list[float]:
    """Of unit length, as all are: nearer to itself than anything else."""
    return [1.0, *[0.0] * (dimension - 1)]


def make_searchable(server: Server, tables: Tables, passages: int, *, at_once: bool = False) -> None:
    """Builds the indexes of a generation and loads it; `at_once` where that was done before and rows came since."""
    exact = {"index_type": "FLAT"}
    chosen = vector_index(server, passages)
    lookups: dict[str, tuple[str, ...]] = {}
    if not server.is_lite and server.has_sparse_vectors:  # inverted indexes of scalars came with them
        lookups = {
            tables.passages: ("article", "day", "labels", "grams"), tables.articles: ("story", "day", "labels", "id"),
            tables.words: ("kind",),
        }  # fmt: skip
    jobs: dict[str, dict[str, dict[str, Any]]] = {}
    for name in tables.all:
        is_searched = name in (tables.passages, tables.articles)
        vector = {**(chosen if is_searched else exact), "metric_type": "IP" if is_searched else "L2"}
        indexes: dict[str, dict[str, Any]] = {"vector": vector}
        if name == tables.passages and server.has_sparse_vectors:
            indexes["sparse"] = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "IP"}
        indexes |= {field: {"index_type": "INVERTED"} for field in lookups.get(name, ())}
        jobs[name] = indexes
    # Seconds each, in which nothing is done here; in a file one after the other.
    with ThreadPoolExecutor(1 if server.is_lite else len(jobs)) as pool:
        done = [pool.submit(server.make_searchable, name, indexes, at_once=at_once) for name, indexes in jobs.items()]
        for job in done:
            job.result()


def vector_index(server: Server, passages: int) -> dict[str, Any]:
    """The index of so many vectors: the one that was asked for, or exact while that is fast."""
    kind = server.address.index
    if kind == "AUTO":
        kind = "FLAT" if passages <= _EXACT_UP_TO else "HNSW"
    parameters = {
        "HNSW": _HNSW,
        "IVF_FLAT": {"nlist": _LISTS},
        "IVF_SQ8": {"nlist": _LISTS},
        "SCANN": {"nlist": _LISTS},
    }
    return {"index_type": kind, "params": dict(parameters.get(kind, {}))}


def search_parameters(index: str, size: int) -> dict[str, int]:
    """How deep a search looks into an index: never less than it has to return, or some would be missing."""
    if index == "HNSW":
        return {"ef": max(size, _LEAST_EF)}
    if index == "DISKANN":
        return {"search_list": max(size, _LEAST_EF)}
    return {"nprobe": _PROBED} if index.startswith(("IVF", "SCANN")) else {}
