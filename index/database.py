"""SQLite files: opened one way, changed in transactions, and damage called by its name.

The one module that knows sqlite3.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from index.errors import IndexDamaged

# How long one process waits for another's transaction.
_BUSY_SECONDS = 30.0
# 4 MB of pages a connection: more is hardly faster, the system keeps the file in memory too.
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -4096")


class _Cursor(sqlite3.Cursor):
    """A cursor that calls a damaged file by its name wherever the damage shows."""

    def execute(self, *arguments: Any) -> Self:
        with _naming_damage():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Self:
        with _naming_damage():
            return super().executemany(*arguments)

    def fetchone(self) -> Any:
        with _naming_damage():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _naming_damage():
            return super().fetchall()

    def __next__(self) -> Any:
        with _naming_damage():
            return super().__next__()


class Connection(sqlite3.Connection):
    """A connection whose cursors name damage."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As in sqlite3; a damaged file raises IndexDamaged."""
        return self.cursor(_Cursor).execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """As in sqlite3; a damaged file raises IndexDamaged."""
        return self.cursor(_Cursor).executemany(*arguments)


@contextmanager
def _naming_damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its subclasses are full disks, locks, our own mistakes
            raise
        raise IndexDamaged(
            f"The catalog is damaged ({error}). Restore it from a backup, or run: dateline rebuild SOURCE"
        ) from error


def connect(path: Path, *, immutable: bool = False) -> Connection:
    """A file opened for reading and writing in write-ahead mode, created where it is not there.

    Transactions are begun by hand; threads may share the connection, SQLite serialises them.
    `immutable` only reads what is wholly in the file, where nothing can be written.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}{'?mode=ro&immutable=1' if immutable else ''}",
        factory=Connection,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    with suppress(sqlite3.DatabaseError, IndexDamaged):  # the first real use says what is wrong
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    return connection


def require_table(connection: Connection, table: str, path: Path) -> Connection:
    """`connection`, if the file has this table. Raises IndexDamaged, and closes it, when it has not."""
    try:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")
    except (sqlite3.DatabaseError, IndexDamaged) as error:
        connection.close()
        raise IndexDamaged(
            f"{path} cannot be read as a catalog ({error}). Restore it from a backup, or run: dateline rebuild SOURCE"
        ) from error
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing, and on the disk at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk may already have rolled back
            connection.execute("ROLLBACK")
        raise
