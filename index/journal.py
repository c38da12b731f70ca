"""What runs leave behind beside articles: documents set aside, and receipts of what was fetched.

Works on the catalog's tables.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from index.article import Receipt, SetAside
from index.database import Connection, transaction


class Journal:
    """Remembers what a later run will want to know."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(
        self, *, set_aside: Iterable[SetAside] = (), read: Iterable[str] = (), receipts: Iterable[Receipt] = ()
    ) -> None:
        """Remembers documents that could not be read, forgets that of those now `read`, and keeps receipts.

        All in one transaction, after the one that stored the articles: a receipt must not outlive them.
        """
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM set_aside WHERE source = ?", ((source,) for source in read))
            self._connection.executemany(
                "INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?)",
                ((document.source, document.reason, document.origin, now()) for document in set_aside),
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?)",
                ((receipt.url, receipt.etag, receipt.last_modified, receipt.stamp) for receipt in receipts),
            )

    def forget_set_aside(self, origins: Iterable[str], before: str) -> None:
        """Forgets documents of these origins that were set aside before a moment and not again since."""
        with transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM set_aside WHERE origin = ? AND at < ?", ((origin, before) for origin in origins)
            )

    def documents_set_aside(self) -> list[SetAside]:
        """What could not be read, in the order of the sources' names."""
        rows = self._connection.execute("SELECT source, reason, origin FROM set_aside ORDER BY 1")
        return [SetAside(*row) for row in rows]

    def receipt(self, url: str) -> Receipt | None:
        """What is known of an earlier reading of a web address."""
        row = self._connection.execute("SELECT * FROM receipts WHERE url = ?", (url,)).fetchone()
        return Receipt(*row) if row else None

    def receipts(self) -> Iterator[Receipt]:
        """Everything known of earlier readings."""
        for row in self._connection.execute("SELECT * FROM receipts"):
            yield Receipt(*row)


def now() -> str:
    """The present moment as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
