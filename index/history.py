"""What has changed in a catalog since when: the SQL by which derived files follow at the cost of the change.

Triggers (index/schema.py) note the articles and passages that go and the articles whose story changes; what is new
has higher numbers than all before.
"""

import json
from collections.abc import Iterator

import numpy as np

from index.columns import ArticleRow, Numbers, PassageColumns, extended, no_columns, with_stories, without
from index.database import Connection, transaction
from index.terms import day_ordinal

# Articles that go into the columns at a time: bounds memory while a large corpus is read.
_ARTICLES_A_PART = 10_000
_PAIR = np.dtype([("passage", np.int64), ("article", np.int64)])


class History:
    """The catalog's memory of its changes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_change(self) -> int:
        """The number of the last change."""
        return int(self._connection.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()[0])

    def last_moment(self) -> str:
        """When the last change was made, as ISO 8601 in UTC; empty where there was none."""
        row = self._connection.execute("SELECT at FROM changes ORDER BY number DESC LIMIT 1").fetchone()
        return str(row[0]) if row else ""

    def last_numbers(self) -> tuple[int, int]:
        """The highest numbers of a passage and an article; 0 where there is none."""
        row = self._connection.execute(
            "SELECT (SELECT coalesce(max(number), 0) FROM passages), (SELECT coalesce(max(number), 0) FROM articles)"
        ).fetchone()
        return int(row[0]), int(row[1])

    def removed_passages(self, since: int) -> Numbers:
        """Passages that were removed after this change."""
        return self._numbers("SELECT passage FROM passages_removed WHERE change > ?", since)

    def removed_articles(self, since: int) -> Numbers:
        """Articles that were removed after this change."""
        return self._numbers(
            "SELECT DISTINCT article FROM articles_touched WHERE change > ?"
            " AND article NOT IN (SELECT number FROM articles)",
            since,
        )

    def touched_articles(self, since: int) -> Numbers:
        """Articles that are there and belong to another story than before this change."""
        return self._numbers(
            "SELECT DISTINCT article FROM articles_touched WHERE change > ?"
            " AND article IN (SELECT number FROM articles)",
            since,
        )

    def passages_after(self, number: int) -> Numbers:
        """Passages with a higher number than this one, ascending."""
        return self._numbers("SELECT number FROM passages WHERE number > ? ORDER BY number", number)

    def articles_after(self, number: int) -> Numbers:
        """Articles with a higher number than this one, ascending."""
        return self._numbers("SELECT number FROM articles WHERE number > ? ORDER BY number", number)

    def columns(self, before: PassageColumns | None = None) -> PassageColumns:
        """What filtering and grouping need, as arrays; `before` are those of an earlier moment, if there are any."""
        columns = before or no_columns()
        last = int(columns.article_numbers[-1]) if len(columns.article_numbers) else 0
        if before:
            columns = without(columns, self.removed_articles(before.change))
            columns = with_stories(columns, self._stories_since(before.change, last))
        change = self.last_change()
        for articles in self._article_rows(last):
            columns = self._with(columns, change, articles)
        return columns if columns.change == change else extended(columns, change, [], *_split(_no_pairs()))

    def forget(self, until: int) -> None:
        """Drops what no derived file needs any more: they all know of this change."""
        with transaction(self._connection):
            for table in ("passages_removed", "articles_touched"):
                self._connection.execute(f"DELETE FROM {table} WHERE change <= ?", (until,))

    def _with(self, columns: PassageColumns, change: int, articles: list[ArticleRow]) -> PassageColumns:
        rows = self._connection.execute(
            "SELECT number, article FROM passages WHERE article BETWEEN ? AND ? ORDER BY number",
            (articles[0].number, articles[-1].number),
        )
        return extended(columns, change, articles, *_split(np.fromiter(rows, dtype=_PAIR)))

    def _article_rows(self, after: int) -> Iterator[list[ArticleRow]]:
        while True:
            rows = self._connection.execute(
                "SELECT number, substr(published, 1, 10), source, language, authors, coalesce(story, number)"
                " FROM articles WHERE number > ? ORDER BY number LIMIT ?",
                (after, _ARTICLES_A_PART),
            ).fetchall()
            if not rows:
                return
            yield [
                ArticleRow(number, day_ordinal(day), source, language, tuple(json.loads(authors)), story)
                for number, day, source, language, authors, story in rows
            ]
            after = rows[-1][0]

    def _stories_since(self, change: int, last: int) -> dict[int, int]:
        rows = self._connection.execute(
            "SELECT number, coalesce(story, number) FROM articles WHERE number <= ?"
            " AND number IN (SELECT article FROM articles_touched WHERE change > ?)",
            (last, change),
        )
        return dict(rows.fetchall())

    def _numbers(self, query: str, value: int) -> Numbers:
        rows = self._connection.execute(query, (value,))
        return np.fromiter((number for (number,) in rows), dtype=np.int64)


def _no_pairs() -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    return np.empty(0, dtype=_PAIR)


def _split(pairs: "np.ndarray[tuple[int], np.dtype[np.void]]") -> tuple[Numbers, Numbers]:
    return np.ascontiguousarray(pairs["passage"]), np.ascontiguousarray(pairs["article"])
