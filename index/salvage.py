"""What is still whole in a damaged catalog: every article whose hash is right, past pages that cannot be read."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from index.article import Article, Receipt, SetAside
from index.database import Connection, connect, require_readable
from index.errors import MEND_LOST, IndexDamaged
from index.journal import Journal
from index.rows import READ, article_of
from index.urls import is_web_address

# Articles of a query, as long as none of them is damaged.
_ARTICLES_A_PART = 512
_REASON = "it is damaged in the catalog; add it again from its source, or restore a backup"
# Each of these names articles from pages of its own.
_NUMBERS = (
    "SELECT number FROM articles INDEXED BY articles_by_address",
    "SELECT number FROM articles NOT INDEXED",
    "SELECT article FROM passages INDEXED BY passages_by_article",
    "SELECT article FROM passages NOT INDEXED",
    "SELECT number FROM articles INDEXED BY sqlite_autoindex_articles_1",
)


def salvaged(path: Path, *, journal: bool = True) -> Iterator[Article | SetAside | Receipt]:
    """Every whole article of the catalog at `path` in the order of arrival, and then each damaged one as set aside.

    With its `journal` also the documents that were set aside before and, where no article was lost, the receipts:
    one must not stand for an article that is gone. Raises IndexDamaged when the file cannot be read at all.
    """
    if not path.is_file():
        raise IndexDamaged(f"{path} is missing. {MEND_LOST}")
    try:
        readable = require_readable(connect(path), path)
    except IndexDamaged as error:
        raise IndexDamaged(f"{path} is no database any more. {MEND_LOST}") from error
    with closing(readable) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'articles'").fetchone():
            raise IndexDamaged(f"{path} has no articles. {MEND_LOST}")
        numbers = _numbers(connection)
        lost: list[int] = []
        for start in range(0, len(numbers), _ARTICLES_A_PART):
            yield from _articles(connection, numbers[start : start + _ARTICLES_A_PART], lost)
        yield from _set_aside(connection, lost)
        if journal:
            kept = Journal(connection)
            with suppress(IndexDamaged):
                yield from kept.documents_set_aside()
            if not lost:
                with suppress(IndexDamaged):
                    yield from list(kept.receipts())


def _numbers(connection: Connection) -> list[int]:
    """The numbers of all articles that anything still tells of, ascending."""
    found: set[int] = set()
    for query in _NUMBERS:
        with suppress(IndexDamaged):
            for (number,) in connection.execute(query):
                if isinstance(number, int):
                    found.add(number)
    return sorted(found)


def _articles(connection: Connection, numbers: list[int], lost: list[int]) -> Iterator[Article]:
    """The whole ones of these articles; the others go to `lost`. Where a page cannot be read, half are tried."""
    if not numbers:
        return
    marks = ", ".join("?" * len(numbers))
    try:
        rows = connection.execute(
            f"SELECT number, {READ} FROM articles NOT INDEXED WHERE number IN ({marks}) ORDER BY number", numbers
        ).fetchall()
    except IndexDamaged:
        if len(numbers) == 1:
            lost += numbers
            return
        half = len(numbers) // 2
        yield from _articles(connection, numbers[:half], lost)
        yield from _articles(connection, numbers[half:], lost)
        return
    read = set()
    for number, *row in rows:
        with suppress(IndexDamaged):
            article = article_of(row)
            read.add(number)
            yield article
    lost += [number for number in numbers if number not in read]


def _set_aside(connection: Connection, lost: list[int]) -> Iterator[SetAside]:
    if not lost:
        return
    ids = _ids(connection, set(lost))
    for number in lost:
        url = _value(connection, "url", number)
        origin = url if isinstance(url, str) and is_web_address(url) else ""
        yield SetAside(str(ids.get(number) or f"article {number}"), _REASON, origin)


def _ids(connection: Connection, lost: set[int]) -> dict[int, Any]:
    """What the index of ids still says of these articles: it stands on other pages than they do."""
    found: dict[int, Any] = {}
    with suppress(IndexDamaged):
        rows = connection.execute("SELECT number, id FROM articles INDEXED BY sqlite_autoindex_articles_1")
        found.update((number, id) for number, id in rows if number in lost and isinstance(id, str))
    return found


def _value(connection: Connection, column: str, number: int) -> Any:
    with suppress(IndexDamaged):
        row = connection.execute(f"SELECT {column} FROM articles WHERE number = ?", (number,)).fetchone()
        return row[0] if row else None
    return None
