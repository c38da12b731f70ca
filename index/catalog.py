"""The truth about an index: articles, passages, vectors and changes in one SQLite file.

Everything else in a generation is derived from this file and can be rebuilt from it without
embedding anything again. Every batch of work is one transaction and one row of `changes`. A passage
number is never used twice, not even by another generation, and what it stands for never changes:
so a derived index is in step exactly when it holds the same numbers.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.article import Article, Copy, Passage, content_hash
from index.database import Connection, connect, require_table, transaction
from index.duplicates import fingerprints
from index.encoder import Matrix
from index.errors import IndexDamaged
from index.history import History
from index.identity import has_derived_id
from index.journal import Journal, now
from index.schema import FOLLOWING, SCHEMA
from index.stories import Stories
from index.urls import normalised_url
from index.vectors import Numbers

_ARTICLE_COLUMNS = "id, title, text, url, published, updated, authors, source, language, section, summary, extra"
# Half precision moves a cosine by less than 0.001 and halves the file.
_STORED_VECTOR = np.dtype("<f2")
# SQLite's default limit on bound values is 32,766.
_ROWS_A_QUERY = 10_000
_PASSAGES_A_PART = 2_000
_ARTICLES_A_PART = 200
# Passage numbers of a generation begin at a random multiple of this, so that a derived file of
# another generation shares no number with this one and cannot be mistaken for its own.
_NUMBERS_A_GENERATION = 2**32


@dataclass(frozen=True, slots=True)
class Prepared:
    """An article ready to be stored: its passages as spans, each with the hash of what was embedded.

    `fingerprints` are those of its text; `replaces` is the id of the stored article that it is another
    version of, where that is not its own.
    """

    article: Article
    spans: tuple[tuple[int, int], ...]
    embeddings: tuple[bytes, ...]
    fingerprints: NDArray[np.int64]
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in a catalog."""

    articles: int
    passages: int
    set_aside: int
    change: int


class Catalog:
    """An open catalog file. One process writes; any number read, each seeing one moment."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self._connection = connection
        self._stories = Stories(connection)
        self.journal = Journal(connection)
        self.history = History(connection)
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty catalog at `path`."""
        connection = connect(path)
        connection.executescript(SCHEMA + FOLLOWING)
        first = secrets.randbelow(2**31) * _NUMBERS_A_GENERATION
        connection.execute("INSERT INTO sqlite_sequence VALUES ('passages', ?)", (first,))
        return cls(connection, path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The catalog at `path`, for writing. Raises IndexDamaged when it is not one."""
        catalog = cls._existing(path)
        known = catalog._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'stale'").fetchone()
        if not known:  # an index of format 2
            catalog._connection.executescript(FOLLOWING)
        return catalog

    @classmethod
    def _existing(cls, path: Path) -> Self:
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing. Restore it from a backup, or run: dateline rebuild SOURCE")
        return cls(require_table(connect(path), "changes", path), path)

    @classmethod
    def snapshot(cls, path: Path) -> Self:
        """The catalog as it stands now, for reading: later changes by others are not seen."""
        try:
            catalog = cls._existing(path)
        except IndexDamaged:
            if not path.is_file():
                raise
            # Where the folder cannot be written, SQLite can only read what is wholly in the file.
            catalog = cls(require_table(connect(path, immutable=True), "changes", path), path)
        catalog._connection.execute("BEGIN")
        catalog.counts()  # the snapshot begins with the first read
        return catalog

    def close(self) -> None:
        """Closes the file; a snapshot is let go."""
        self._connection.close()

    # -- writing ---------------------------------------------------------------------------------

    def store(self, prepared: Sequence[Prepared], vectors: Mapping[bytes, Matrix]) -> None:
        """Inserts or replaces articles in one transaction.

        `vectors` holds the embeddings that the catalog does not have yet. When this returns, the
        articles are on the disk.
        """
        with self._change("add"):
            self._connection.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                ((key, vector.astype(_STORED_VECTOR).tobytes()) for key, vector in vectors.items()),
            )
            replaced = [id for item in prepared for id in (item.article.id, item.replaces) if id]
            stale = [embedding for id in replaced for embedding in self._drop(id)]
            for item in prepared:
                self._insert(item)
            self._forget_unused(stale)

    def remove(self, ids: Iterable[str]) -> None:
        """Removes these articles in one transaction."""
        with self._change("remove"):
            self._forget_unused([embedding for id in ids for embedding in self._drop(id)])

    def keep_only_vectors(self) -> None:
        """Empties a catalog that was never finished of all but its vectors, which cost the most."""
        with transaction(self._connection):
            for table in (
                "fingerprints", "passages", "articles", "set_aside", "receipts", "passages_removed",
                "articles_touched", "stale",
            ):  # fmt: skip
                self._connection.execute(f"DELETE FROM {table}")

    def begin_again(self) -> None:
        """Holds all articles for stale until a source confirms them, and forgets what runs left behind."""
        with transaction(self._connection):
            self._connection.execute("INSERT OR IGNORE INTO stale SELECT id FROM articles")
            for table in ("set_aside", "receipts"):
                self._connection.execute(f"DELETE FROM {table}")

    def confirm(self, ids: Iterable[str]) -> None:
        """These articles are there now: they are not stale."""
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM stale WHERE id = ?", ((id,) for id in ids))

    def remove_stale(self) -> None:
        """Removes the articles that no source has confirmed."""
        if ids := [id for (id,) in self._connection.execute("SELECT id FROM stale")]:
            self.remove(ids)
            self.confirm(ids)

    def copy_to(self, path: Path) -> None:
        """Writes all of this moment into a file at `path`."""
        copy = connect(path)
        try:
            self._connection.backup(copy)
        finally:
            copy.close()

    def drop_unused_vectors(self) -> None:
        """Forgets the vectors that no passage uses."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM vectors WHERE embedding NOT IN (SELECT embedding FROM passages)")

    def checkpoint(self) -> None:
        """Folds the write-ahead log into the one file, as far as open snapshots allow, without waiting."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _insert(self, item: Prepared) -> None:
        row = _article_row(item.article)
        columns = f"{_ARTICLE_COLUMNS}, content_hash, address"
        number = self._connection.execute(
            f"INSERT INTO articles ({columns}) VALUES ({', '.join('?' * len(row))}) RETURNING number", row
        ).fetchone()[0]
        passages = (
            (number, start, end, embedding) for (start, end), embedding in zip(item.spans, item.embeddings, strict=True)
        )
        self._connection.executemany(
            "INSERT INTO passages (article, start, end, embedding) VALUES (?, ?, ?, ?)", passages
        )
        self._stories.enter(number, item.article.text, item.article.published, item.fingerprints)

    def _drop(self, id: str) -> list[bytes]:
        """Deletes an article and its passages; returns the embeddings that those used."""
        number = self._number(id)
        if number is None:
            return []
        rows = self._connection.execute("DELETE FROM passages WHERE article = ? RETURNING embedding", (number,))
        embeddings = [embedding for (embedding,) in rows.fetchall()]
        (text,) = self._connection.execute("SELECT text FROM articles WHERE number = ?", (number,)).fetchone()
        self._stories.leave(number, fingerprints(text))
        self._connection.execute("DELETE FROM articles WHERE number = ?", (number,))
        return embeddings

    def _forget_unused(self, embeddings: Iterable[bytes]) -> None:
        self._connection.executemany(
            "DELETE FROM vectors WHERE embedding = ?1"
            " AND NOT EXISTS (SELECT 1 FROM passages WHERE passages.embedding = ?1)",
            ((embedding,) for embedding in embeddings),
        )

    @contextmanager
    def _change(self, kind: str) -> Iterator[None]:
        with transaction(self._connection):
            self._connection.execute("INSERT INTO changes (at, kind) VALUES (?, ?)", (now(), kind))
            yield

    # -- reading ---------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """How much is in it."""
        row = self._connection.execute(
            "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM passages),"
            " (SELECT count(*) FROM set_aside), (SELECT coalesce(max(number), 0) FROM changes)"
        ).fetchone()
        return Counts(*row)

    def has_vectors(self) -> bool:
        """Whether anything was embedded."""
        return self._connection.execute("SELECT 1 FROM vectors LIMIT 1").fetchone() is not None

    def hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of these articles that is stored."""
        return dict(self._select("SELECT id, content_hash FROM articles WHERE id IN ({})", ids))

    def passages_in(self, ids: Sequence[str]) -> int:
        """How many passages these articles have; ids that are not stored have none."""
        query = "SELECT count(*) FROM passages JOIN articles ON articles.number = article WHERE id IN ({})"
        return sum(count for (count,) in self._select(query, list(dict.fromkeys(ids))))

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """For each name that is the id or the URL of a stored article, that article's id."""
        addresses = {normalised_url(name): name for name in names}
        rows = self._select("SELECT address, id FROM articles WHERE address IN ({})", list(addresses))
        found = {addresses[address]: id for address, id in rows}
        return found | {id: id for (id,) in self._select("SELECT id FROM articles WHERE id IN ({})", names)}

    def version(self, article: Article) -> Article | None:
        """The stored article that is the same as this one, if there is one (see index/identity.py).

        What is stale is no version: in a rebuild only what its sources say counts.
        """
        rows = self._connection.execute(
            "SELECT number FROM articles WHERE id = ? AND id NOT IN (SELECT id FROM stale)", (article.id,)
        )
        if found := rows.fetchone():
            return self.articles(found)[found[0]]
        if not article.url:
            return None
        rows = self._connection.execute(
            "SELECT number FROM articles WHERE address = ? AND id NOT IN (SELECT id FROM stale) ORDER BY number",
            (normalised_url(article.url),),
        )
        stored = self.articles([number for (number,) in rows.fetchall()]).values()
        return next((other for other in stored if has_derived_id(article) or has_derived_id(other)), None)

    def copies(self, numbers: Sequence[int]) -> dict[int, list[Copy]]:
        """The other copies of each of these articles' stories, earliest first."""
        return self._stories.copies(numbers)

    def articles(self, numbers: Sequence[int]) -> dict[int, Article]:
        """Articles by number."""
        rows = self._select(f"SELECT number, {_ARTICLE_COLUMNS} FROM articles WHERE number IN ({{}})", numbers)
        return {row[0]: _article(row[1:]) for row in rows}

    def article(self, id: str) -> tuple[int, Article] | None:
        """An article and its number, by id."""
        number = self._number(id)
        return None if number is None else (number, self.articles([number])[number])

    def all_articles(self) -> Iterator[Article]:
        """Every article, in the order of their arrival; memory stays flat."""
        for row in self._connection.execute(f"SELECT {_ARTICLE_COLUMNS} FROM articles ORDER BY number"):
            yield _article(row)

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Passages by number."""
        rows = self._select("SELECT number, article, start, end FROM passages WHERE number IN ({})", numbers)
        return {row[0]: Passage(*row) for row in rows}

    def passages_of(self, article: int) -> list[Passage]:
        """The passages of one article, in reading order."""
        rows = self._connection.execute(
            "SELECT number, article, start, end FROM passages WHERE article = ? ORDER BY start", (article,)
        )
        return [Passage(*row) for row in rows]

    def each_passage(self, numbers: Numbers) -> Iterator[tuple[Passage, Article]]:
        """These passages, each with its article; memory stays flat."""
        for start in range(0, len(numbers), _PASSAGES_A_PART):
            part = numbers[start : start + _PASSAGES_A_PART].tolist()
            passages = self.passages(part)
            articles = self.articles(sorted({passage.article for passage in passages.values()}))
            for number in part:
                yield passages[number], articles[passages[number].article]

    def each_article(self, numbers: Numbers) -> Iterator[tuple[int, Article]]:
        """These articles by number; memory stays flat."""
        for start in range(0, len(numbers), _ARTICLES_A_PART):
            yield from self.articles(numbers[start : start + _ARTICLES_A_PART].tolist()).items()

    def at_host(self, host: str) -> Numbers:
        """The articles whose address is at this host or below it, ascending."""
        rows = self._connection.execute(
            "SELECT number FROM articles WHERE address LIKE ?1 OR address LIKE ?2 ORDER BY number",
            (f"https://{host}/%", f"https://%.{host}/%"),
        )
        return np.fromiter((number for (number,) in rows), dtype=np.int64)

    def article_numbers(self) -> Numbers:
        """The numbers of all articles, ascending."""
        rows = self._connection.execute("SELECT number FROM articles ORDER BY number")
        return np.fromiter((number for (number,) in rows), dtype=np.int64)

    def numbers(self) -> Numbers:
        """The numbers of all passages, ascending."""
        rows = self._connection.execute("SELECT number FROM passages ORDER BY number")
        return np.fromiter((number for (number,) in rows), dtype=np.int64)

    def vectors(self, numbers: Numbers, dimension: int) -> Matrix:
        """The embeddings of these passages, shape (len(numbers), dimension)."""
        matrix: Matrix = np.zeros((len(numbers), dimension), dtype=np.float32)
        query = "SELECT number, vector FROM passages JOIN vectors USING (embedding) WHERE number IN ({})"
        position = {number: row for row, number in enumerate(numbers.tolist())}
        for number, blob in self._select(query, numbers.tolist()):
            if len(blob) != dimension * _STORED_VECTOR.itemsize:
                raise IndexDamaged(f"A vector in {self.path} has a wrong length. Run: dateline rebuild")
            matrix[position[number]] = np.frombuffer(blob, dtype=_STORED_VECTOR)
        return matrix

    def known_vectors(self, embeddings: Sequence[bytes]) -> dict[bytes, Matrix]:
        """Those of these embeddings that are stored, by hash."""
        rows = self._select("SELECT embedding, vector FROM vectors WHERE embedding IN ({})", embeddings)
        size = _STORED_VECTOR.itemsize
        whole = ((key, blob) for key, blob in rows if len(blob) % size == 0)
        return {key: np.frombuffer(blob, _STORED_VECTOR).astype(np.float32) for key, blob in whole}

    def problems(self) -> list[str]:
        """What is wrong with the file itself; empty when it is whole."""
        try:
            return self._problems()
        except IndexDamaged as error:
            return [str(error)]

    def _problems(self) -> list[str]:
        execute = self._connection.execute
        problems = [row[0] for row in execute("PRAGMA integrity_check") if row[0] != "ok"]
        problems += [
            f"table {row[0]} row {row[1]} refers to nothing in {row[2]}" for row in execute("PRAGMA foreign_key_check")
        ]
        outside = execute(
            "SELECT count(*) FROM passages JOIN articles ON articles.number = article"
            " WHERE start < 0 OR start >= end OR end > length(text)"
        ).fetchone()[0]
        if outside:
            problems.append(f"{outside} passages point outside their article")
        lengths = [length for (length,) in execute("SELECT DISTINCT length(vector) FROM vectors")]
        if len(lengths) > 1 or any(length % _STORED_VECTOR.itemsize for length in lengths):
            problems.append("some vectors have a wrong length")
        for number, stored in execute("SELECT number, content_hash FROM articles").fetchall():
            if content_hash(self.articles([number])[number]) != stored:
                problems.append(f"article {number} is not what was stored")
        return problems

    def _number(self, id: str) -> int | None:
        row = self._connection.execute("SELECT number FROM articles WHERE id = ?", (id,)).fetchone()
        return None if row is None else int(row[0])

    def _select(self, query: str, values: Sequence[Any]) -> Iterator[Any]:
        for part in _parts(values, _ROWS_A_QUERY):
            yield from self._connection.execute(query.format(", ".join("?" * len(part))), part).fetchall()


def _article_row(article: Article) -> tuple[Any, ...]:
    return (
        article.id, article.title, article.text, article.url, article.published, article.updated,
        json.dumps(article.authors, ensure_ascii=False), article.source, article.language, article.section,
        article.summary, json.dumps(dict(article.extra), ensure_ascii=False), content_hash(article),
        normalised_url(article.url) if article.url else None,
    )  # fmt: skip


def _article(row: Sequence[Any]) -> Article:
    id, title, text, url, published, updated, authors, source, language, section, summary, extra = row
    return Article(
        id=id, title=title, text=text, url=url, published=published, updated=updated,
        authors=tuple(json.loads(authors)), source=source, language=language, section=section,
        summary=summary, extra=json.loads(extra),
    )  # fmt: skip


def _parts(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
