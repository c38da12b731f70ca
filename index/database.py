"""SQLite files: opened one way, changed in transactions, and damage called by its name.

The one module that knows sqlite3.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from index.errors import MEND_CATALOG, IndexDamaged, IndexUnwritable

# SQLite's default limit on bound values is 32,766.
_VALUES_A_QUERY = 10_000
# How long one process waits for another's transaction.
_BUSY_SECONDS = 30.0
LONG_LOG_BYTES = 16 << 20
"""How long a write-ahead log may be before who reads should begin anew, and how much of it stays then."""
# 4 MB of pages a connection: more is hardly faster, the system keeps the file in memory too.
_PRAGMAS = (
    "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -4096",
    f"journal_size_limit = {LONG_LOG_BYTES}",
)  # fmt: skip
# What the disk does, and not the file; their low byte tells the kind of an error.
_SIGNS_OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
# What the library calls an operational error, and is a text that is none any more or a schema that lost something.
_SIGNS_OF_DAMAGE = ("Could not decode", "malformed", "no such table", "no such column", "no such index")


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

    def select(self, query: str, values: Sequence[Any]) -> Iterator[Any]:
        """The rows of a query with `{}` where marks for these values belong, however many they are."""
        for start in range(0, len(values), _VALUES_A_QUERY):
            part = list(values[start : start + _VALUES_A_QUERY])
            yield from self.execute(query.format(", ".join("?" * len(part))), part).fetchall()

    def executescript(self, script: str) -> sqlite3.Cursor:
        """As in sqlite3; a damaged file raises IndexDamaged."""
        with _naming_damage():
            return super().executescript(script)


@contextmanager
def _naming_damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _SIGNS_OF_THE_DISK:
            raise IndexUnwritable("The catalog", error) from error
        # Its subclasses are locks and our own mistakes, but for these.
        if type(error) is not sqlite3.DatabaseError and not str(error).startswith(_SIGNS_OF_DAMAGE):
            raise
        raise IndexDamaged(f"The catalog is damaged ({error}). {MEND_CATALOG}") from error


def crc32(*values: bytes | None) -> int:
    """The checksum of values in a row, also in SQL."""
    return zlib.crc32(b"".join(value or b"" for value in values))


def connect(path: Path, *, immutable: bool = False) -> Connection:
    """A file opened for reading and writing in write-ahead mode, created where it is not there.

    Transactions are begun by hand; threads may share the connection, SQLite serialises them.
    `immutable` only reads what is wholly in the file, where nothing can be written.
    """
    for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if beside.is_dir():  # somebody put a folder where a file should be
            shutil.rmtree(beside, ignore_errors=True)
    with _naming_damage():
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}{'?mode=ro&immutable=1' if immutable else ''}",
            factory=Connection,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    connection.create_function("crc32", -1, crc32, deterministic=True)
    with suppress(sqlite3.DatabaseError, IndexDamaged, IndexUnwritable):  # the first real use says what is wrong
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    return connection


def require_table(connection: Connection, table: str, path: Path) -> Connection:
    """`connection`, if the file has this table. Raises IndexDamaged, and closes it, when it has not."""
    try:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")
    except IndexUnwritable:
        connection.close()
        raise
    except (sqlite3.DatabaseError, IndexDamaged) as error:
        connection.close()
        reason = error.__cause__ or error  # without the advice that it has already
        raise IndexDamaged(f"{path} cannot be read as a catalog ({reason}). {MEND_CATALOG}") from error
    return connection


def require_readable(connection: Connection, path: Path) -> Connection:
    """`connection`, if the file is a database. Raises IndexDamaged, and closes it, when it is not."""
    return require_table(connection, "sqlite_master", path)


def copy_to(connection: Connection, path: Path) -> None:
    """Writes all that a connection sees into a new file at `path`. Raises IndexUnwritable when that cannot be done."""
    with _naming_damage(), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")  # what fails is thrown away, so nothing need be written twice
        connection.backup(copy)
    connect(path).close()  # in write-ahead mode, like every other


def settle_log(path: Path) -> bool:
    """Takes a long write-ahead log into its file, as far as readers allow; whether that was long, and all of it.

    SQLite begins a log again only when nobody reads from it, so with a reader at every moment it grows for ever. Who
    reads and begins anew after this reads from the file. Waits for nobody, and where it cannot write it does nothing.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or log.stat().st_size <= LONG_LOG_BYTES:
        return False
    connection = connect(path)
    try:
        _, pages, taken = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except (sqlite3.Error, IndexDamaged, IndexUnwritable):  # the first real use says what is wrong
        return False
    finally:
        connection.close()
    return bool(pages == taken)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing, and on the disk at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error, IndexDamaged, IndexUnwritable):  # a full disk may already have rolled back
            connection.execute("ROLLBACK")
        raise
