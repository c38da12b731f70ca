"""Is a catalog what was stored? Every row that something can be held against is read, a few at a time.

Works on the catalog's tables, as `stories` and `journal` do. SQLite's own check knows the pages of a file and not
what is in them: a flipped bit in a text leaves a sound file with another text.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from index.article import Article
from index.database import Connection
from index.duplicates import fingerprints
from index.embeddings import embedding_name, embedding_text
from index.errors import IndexDamaged
from index.rows import READ, address_of, article_of

# Of one kind so many problems are told: who has more of them knows enough.
_MOST_TOLD = 20
# Articles of a query: memory stays flat.
_ARTICLES_A_PART = 500
_HALF_PRECISION = 2
# Tables that count on, whose next number must lie above all that are there.
_COUNTED = ("articles", "passages", "changes")

_ALONE = """
SELECT count(*) FROM articles WHERE story IS NOT NULL AND (
    NOT EXISTS (SELECT 1 FROM articles AS head WHERE head.number = articles.story AND head.story = articles.story)
    OR NOT EXISTS (SELECT 1 FROM articles AS other
                   WHERE other.story = articles.story AND other.number <> articles.number))
"""
# One flipped bit makes a text, or a number, of bytes, and there is no checksum of those.
_CHANGED_VECTORS = """
SELECT count(*) FROM vectors WHERE CASE WHEN typeof(embedding) = 'blob' AND typeof(vector) = 'blob'
                                        THEN checksum IS NOT crc32(embedding, vector) ELSE TRUE END
"""


def problems_of(
    connection: Connection, document_prompt: str | None, *, checksums: bool, prints: bool = True
) -> list[str]:
    """What is wrong with a catalog, one line each; empty when it is whole.

    Passages are held against the names of their vectors where the model's prompt is known, vectors against their
    `checksums` where there are any. Without `prints`, texts are not held against their fingerprints, which takes three
    times as long as all the rest.
    """
    found: list[str] = []
    parts = (
        _pages(connection),
        _rows(connection, document_prompt, prints=prints),
        _vectors(connection, checksums=checksums),
        _numbers(connection),
        _journal(connection),
    )
    for part in parts:
        try:
            found += islice(part, _MOST_TOLD)
        except IndexDamaged as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _pages(connection: Connection) -> Iterator[str]:
    """What SQLite finds, and what refers to nothing."""
    yield from (row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok")
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"table {table} row {row} refers to nothing in {parent}"


def _rows(connection: Connection, document_prompt: str | None, *, prints: bool) -> Iterator[str]:
    """Articles that are not what was stored, and what belongs to them and does not fit."""
    last, sampled = -(2**63), 0
    while True:
        rows = connection.execute(
            f"SELECT number, address, {READ} FROM articles WHERE number > ? ORDER BY number LIMIT ?",
            (last, _ARTICLES_A_PART),
        ).fetchall()
        if not rows:
            break
        for number, address, *row in rows:
            try:
                article = article_of(row)
            except IndexDamaged:
                yield f"article {number} ({row[0]!r}) is not what was stored"
                continue
            if address != address_of(article):
                yield f"article {number} ({article.id}) has another address than its URL"
            yield from _passage_problems(connection, number, article, document_prompt)
            if prints:
                expected = fingerprints(article.text).tolist()
                sampled += len(expected)
                if not _stand_there(connection, number, expected):
                    yield f"article {number} ({article.id}) has other fingerprints than its text"
        last = rows[-1][0]
    if prints and sampled != connection.execute("SELECT count(*) FROM fingerprints").fetchone()[0]:
        yield "there are fingerprints that no text has"
    if alone := connection.execute(_ALONE).fetchone()[0]:
        yield f"{alone} articles belong to a story that has no head or no copy"


def _passage_problems(
    connection: Connection, number: int, article: Article, document_prompt: str | None
) -> Iterator[str]:
    passages = connection.execute(
        "SELECT number, start, end, embedding FROM passages WHERE article = ? ORDER BY number", (number,)
    ).fetchall()
    if not passages:
        yield f"article {number} ({article.id}) has no passages"
    for passage, start, end, name in passages:
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(article.text)):
            yield f"passage {passage} points outside its article"
        elif document_prompt is not None:
            text = embedding_text(article.title, article.text[start:end])
            if embedding_name(document_prompt, text) != name:
                yield f"passage {passage} is not the text that was embedded"


def _stand_there(connection: Connection, number: int, expected: list[int]) -> bool:
    marks = ", ".join("?" * len(expected))
    query = f"SELECT count(*) FROM fingerprints WHERE article = ? AND fingerprint IN ({marks})"
    return bool(connection.execute(query, (number, *expected)).fetchone()[0] == len(expected))


def _vectors(connection: Connection, *, checksums: bool) -> Iterator[str]:
    lengths = Counter(dict(connection.execute("SELECT length(vector), count(*) FROM vectors GROUP BY 1").fetchall()))
    if len(lengths) > 1 or any(not length or length % _HALF_PRECISION for length in lengths):
        yield "some vectors have a wrong length"
    if checksums and (wrong := connection.execute(_CHANGED_VECTORS).fetchone()[0]):
        yield f"{wrong} vectors are not what was stored"


def _numbers(connection: Connection) -> Iterator[str]:
    """Numbers that would be used twice."""
    following = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for table in _COUNTED:
        highest = connection.execute(f"SELECT max(number) FROM {table}").fetchone()[0]
        if highest is not None and not _at_least(following.get(table), highest):
            yield f"the next number of {table} is one that is there"


def _at_least(following: Any, highest: int) -> bool:
    return isinstance(following, int) and following >= highest


def _journal(connection: Connection) -> Iterator[str]:
    """What runs left behind, as far as anything is known of how it looks."""
    for source, reason, origin, at in connection.execute("SELECT source, reason, origin, at FROM set_aside"):
        if not (isinstance(source, str) and isinstance(reason, str) and isinstance(origin, str) and _is_moment(at)):
            yield f"what was said of the document {source!r} that was set aside cannot be read"
    for row in connection.execute("SELECT * FROM receipts"):
        if not all(value is None or isinstance(value, str) for value in row):
            yield f"the receipt of {row[0]!r} cannot be read"
    for number, at, kind in connection.execute("SELECT number, at, kind FROM changes"):
        if not _is_moment(at) or kind not in ("add", "remove"):
            yield f"change {number} cannot be read"
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'made_with'").fetchone():
        for (facts,) in connection.execute("SELECT facts FROM made_with"):
            try:
                json.loads(facts)
            except (ValueError, TypeError):
                yield "what the catalog says of how it was made cannot be read"


def _is_moment(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return False
    return True
