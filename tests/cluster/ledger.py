"""What the catalog has acknowledged, held against what the server holds: with pymilvus alone, past our own reading."""

import contextlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.generation import live_generation

BATCH = 1_000
COUNTS = 10


@dataclass(frozen=True, slots=True)
class Holding:
    """Articles by id, and passages by number."""

    articles: frozenset[str]
    passages: frozenset[int]

    def lacks(self, other: "Holding") -> str:
        """What of `other` is not here, in words; empty if nothing."""
        articles, passages = len(other.articles - self.articles), len(other.passages - self.passages)
        return f"{articles} articles, {passages} passages" if articles or passages else ""


NOTHING = Holding(frozenset(), frozenset())


def in_catalog(root: Path) -> Holding:
    """What the live generation of an index has acknowledged."""
    catalog = live_generation(root).catalog
    with closing(sqlite3.connect(f"{catalog.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return Holding(
            frozenset(id for (id,) in connection.execute("SELECT id FROM articles")),
            frozenset(number for (number,) in connection.execute("SELECT number FROM passages")),
        )


def on_server(host: str, alias: str) -> Holding:
    """What the server has under an alias, as of now, without duplicates of a key if it has any."""
    from pymilvus import MilvusClient

    client = MilvusClient(f"http://{host}", timeout=30, dedicated=True)
    try:
        passages = str(client.describe_alias(alias)["collection_name"])
        texts = {row["number"] for row in _every(client, f"{passages}_articles", "number")}
        articles = {row["id"]: row["number"] for row in _every(client, f"{passages}_articles", "id")}
        assert len(texts) == len(articles), "articles twice"
        return Holding(frozenset(articles), frozenset(row["number"] for row in _every(client, passages, "number")))
    finally:
        client.close()


def is_whole(hosts: Sequence[str], alias: str, passages: int, replicas: int) -> bool:
    """Whether all replicas of an alias's collections are up, and every count of many, each by any of them, is right."""
    from pymilvus import MilvusClient

    for host in hosts:
        client = MilvusClient(f"http://{host}", timeout=5, dedicated=True)
        try:
            name = str(client.describe_alias(alias)["collection_name"])
            for collection in (one for one in client.list_collections() if one.startswith(name)):
                up = [replica for replica in client.describe_replica(collection) if replica.shards[0].shard_nodes]
                counts = {_count(client, collection) for _ in range(COUNTS)}
                if len(up) != replicas or len(counts) != 1 or (collection == name and counts != {passages}):
                    return False
        except Exception:  # no answer is no good answer
            return False
        finally:
            client.close()
    return True


def _count(client: Any, collection: str) -> int:
    if collection.endswith("_words"):
        return len(client.query(collection, 'key >= "a"', output_fields=["key"], limit=BATCH, timeout=5))
    return int(client.query(collection, "number >= 0", output_fields=["count(*)"], timeout=5)[0]["count(*)"])


def shown(host: str) -> tuple[int, int]:
    """How many collections a server has, and rows in them, also those that are in no file yet."""
    from pymilvus import MilvusClient

    client, rows = MilvusClient(f"http://{host}", timeout=5, dedicated=True), 0
    try:
        names = client.list_collections()
        for name in names:
            with contextlib.suppress(Exception):  # not loaded yet
                counted = client.query(name, "", output_fields=["count(*)"], timeout=3, consistency_level="Eventually")
                rows += int(counted[0]["count(*)"])
        return len(names), rows
    finally:
        client.close()


def _every(client: Any, collection: str, field: str) -> list[dict[str, Any]]:
    iterator = client.query_iterator(
        collection, filter="number >= 0", output_fields=["number", field], batch_size=BATCH, consistency_level="Strong"
    )
    rows: list[dict[str, Any]] = []
    while part := iterator.next():
        rows += part
    iterator.close()
    return rows
