"""The truth about an index: articles, passages, vectors and changes in one SQLite file.

Everything else in a generation is derived from this file and can be rebuilt from it without
embedding anything again. Every batch of work is one transaction and one row of `changes`. A passage
number is never used twice, not even by another generation, and what it stands for never changes:
so a derived index is in step exactly when it holds the same numbers.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from index.article import Article, Copy, Passage
from index.database import Connection, connect, copy_to, require_readable, require_table, transaction
from index.duplicates import fingerprints
from index.embeddings import Embeddings
from index.encoder import Matrix
from index.errors import MEND_CATALOG, IndexDamaged, IndexUnwritable
from index.examination import problems_of
from index.history import History
from index.identity import has_derived_id
from index.journal import Journal, now
from index.rows import READ, STORED, article_of, row_of
from index.schema import CHECKSUMS, FOLLOWING, SCHEMA
from index.stories import Stories
from index.urls import normalised_url
from index.vectors import Numbers

_PASSAGES_A_PART = 2_000
_ARTICLES_A_PART = 200
# Passage numbers of a generation begin at a random multiple of this, so that a derived file of
# another generation shares no number with this one and cannot be mistaken for its own.
_NUMBERS_A_GENERATION = 2**32
_GENERATIONS = 2**31
# Of two that go on from one past, the chance of going on at the same place is one in so many; a catalog can be
# restored about as often until it has gone through all places.
_GENERATIONS_AHEAD = 2**16


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
        self._embeddings = Embeddings(connection)
        self.journal = Journal(connection)
        self.history = History(connection)
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty catalog at `path`."""
        connection = connect(path)
        connection.executescript(SCHEMA + FOLLOWING)
        first = secrets.randbelow(_GENERATIONS) * _NUMBERS_A_GENERATION
        connection.execute("INSERT INTO sqlite_sequence VALUES ('passages', ?)", (first,))
        return cls(connection, path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The catalog at `path`, for writing. Raises IndexDamaged when it is not one."""
        catalog = cls._existing(path)
        try:
            catalog._bring_up_to_date()
        except BaseException:
            catalog.close()
            raise
        return catalog

    def _bring_up_to_date(self) -> None:
        """Adds what catalogs of formats 2 and 3 do not have."""
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'made_with'").fetchone():
            self._connection.executescript(FOLLOWING)
        if not self._embeddings.have_checksums():
            with transaction(self._connection):
                if not self._embeddings.have_checksums():  # nobody else was faster
                    for statement in CHECKSUMS:
                        self._connection.execute(statement)

    @classmethod
    def _existing(cls, path: Path) -> Self:
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing. {MEND_CATALOG}")
        return cls(require_table(connect(path), "changes", path), path)

    @classmethod
    def snapshot(cls, path: Path) -> Self:
        """The catalog as it stands now, for reading: later changes by others are not seen."""
        try:
            catalog = cls._existing(path)
        except (IndexDamaged, IndexUnwritable):
            log = path.with_name(f"{path.name}-wal")
            if not path.is_file() or (log.is_file() and log.stat().st_size):
                raise
            # Where the folder cannot be written, SQLite can only read what is wholly in the file.
            catalog = cls(require_table(connect(path, immutable=True), "changes", path), path)
        catalog._connection.execute("BEGIN")
        catalog.counts()  # the snapshot begins with the first read
        return catalog

    @classmethod
    def donor(cls, path: Path) -> Self:
        """The catalog at `path`, however damaged, for what can still be read of it."""
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing. {MEND_CATALOG}")
        return cls(require_readable(connect(path), path), path)

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
            self._embeddings.store(vectors)
            replaced = [id for item in prepared for id in (item.article.id, item.replaces) if id]
            stale = [embedding for id in replaced for embedding in self._drop(id)]
            for item in prepared:
                self._insert(item)
            self._embeddings.forget_unused(stale)

    def remove(self, ids: Iterable[str]) -> None:
        """Removes these articles in one transaction."""
        with self._change("remove"):
            self._embeddings.forget_unused([embedding for id in ids for embedding in self._drop(id)])

    def keep_only_vectors(self) -> None:
        """Empties a catalog that was never finished of all but its vectors, which cost the most."""
        with transaction(self._connection):
            for table in (
                "fingerprints", "passages", "articles", "set_aside", "receipts", "passages_removed",
                "articles_touched", "stale", "made_with",
            ):  # fmt: skip
                self._connection.execute(f"DELETE FROM {table}")

    def begin_again(self) -> None:
        """Holds all articles for stale until a source confirms them, and forgets what runs left behind."""
        with transaction(self._connection):
            self._connection.execute("INSERT OR IGNORE INTO stale SELECT id FROM articles")
            for table in ("set_aside", "receipts", "made_with"):
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
        """Writes all of this moment into a file at `path`. Raises IndexUnwritable when that cannot be done."""
        copy_to(self._connection, path)

    def count_elsewhere(self) -> None:
        """Goes on numbering passages at another place.

        For a catalog that has its past in common with another: what is added to both from now on shares no number.
        """
        with transaction(self._connection):
            (last,) = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
            ahead = last // _NUMBERS_A_GENERATION + 1 + secrets.randbelow(_GENERATIONS_AHEAD)
            if ahead < _GENERATIONS:
                self._connection.execute(
                    "UPDATE sqlite_sequence SET seq = ? WHERE name = 'passages'", (ahead * _NUMBERS_A_GENERATION,)
                )

    def drop_unused_vectors(self) -> None:
        """Forgets the vectors that no passage uses."""
        with transaction(self._connection):
            self._embeddings.drop_unused()

    def checkpoint(self) -> None:
        """Folds the write-ahead log into the one file, as far as open snapshots allow, without waiting."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _insert(self, item: Prepared) -> None:
        row = row_of(item.article)
        number = self._connection.execute(
            f"INSERT INTO articles ({STORED}) VALUES ({', '.join('?' * len(row))}) RETURNING number", row
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
        return self._embeddings.any()

    def hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of these articles that is stored."""
        return dict(self._connection.select("SELECT id, content_hash FROM articles WHERE id IN ({})", ids))

    def passages_in(self, ids: Sequence[str]) -> int:
        """How many passages these articles have; ids that are not stored have none."""
        query = "SELECT count(*) FROM passages JOIN articles ON articles.number = article WHERE id IN ({})"
        return sum(count for (count,) in self._connection.select(query, list(dict.fromkeys(ids))))

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """For each name that is the id or the URL of a stored article, that article's id."""
        addresses = {normalised_url(name): name for name in names}
        rows = self._connection.select("SELECT address, id FROM articles WHERE address IN ({})", list(addresses))
        found = {addresses[address]: id for address, id in rows}
        return found | {id: id for (id,) in self._connection.select("SELECT id FROM articles WHERE id IN ({})", names)}

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
        """Articles by number. Raises IndexDamaged when one is not what was stored, as all that reads articles does."""
        rows = self._connection.select(f"SELECT number, {READ} FROM articles WHERE number IN ({{}})", numbers)
        return {row[0]: article_of(row[1:]) for row in rows}

    def article(self, id: str) -> tuple[int, Article] | None:
        """An article and its number, by id."""
        number = self._number(id)
        return None if number is None else (number, self.articles([number])[number])

    def all_articles(self) -> Iterator[Article]:
        """Every article, in the order of their arrival; memory stays flat."""
        for row in self._connection.execute(f"SELECT {READ} FROM articles ORDER BY number"):
            yield article_of(row)

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Passages by number."""
        rows = self._connection.select("SELECT number, article, start, end FROM passages WHERE number IN ({})", numbers)
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
        """The embeddings of these passages, shape (len(numbers), dimension).

        Raises IndexDamaged when one is not what was stored.
        """
        return self._embeddings.of(numbers.tolist(), dimension)

    def known_vectors(self, embeddings: Sequence[bytes]) -> dict[bytes, Matrix]:
        """Those of these embeddings that are stored and whole, by hash; what stands on damaged pages is left out."""
        return self._embeddings.known(embeddings)

    def keep_facts(self, facts: str) -> None:
        """Remembers with what the generation was made."""
        if self.facts() != facts:
            with transaction(self._connection):
                self._connection.execute("INSERT OR REPLACE INTO made_with VALUES (1, ?)", (facts,))

    def facts(self) -> str | None:
        """With what the generation was made; None where nobody told."""
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'made_with'").fetchone():
            return None  # a catalog of format 2 or 3 to which nobody has written since
        row = self._connection.execute("SELECT facts FROM made_with").fetchone()
        return str(row[0]) if row else None

    def problems(self, document_prompt: str | None = None, *, prints: bool = True) -> list[str]:
        """What is wrong with the file itself; empty when it is whole.

        With the prompt of the model that made the vectors, passages are held against the names of theirs; without
        `prints`, texts are not held against their fingerprints, which takes three times as long as all the rest.
        """
        checksums = self._embeddings.have_checksums()
        return problems_of(self._connection, document_prompt, checksums=checksums, prints=prints)

    def _number(self, id: str) -> int | None:
        row = self._connection.execute("SELECT number FROM articles WHERE id = ?", (id,)).fetchone()
        return None if row is None else int(row[0])
