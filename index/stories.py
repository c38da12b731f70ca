"""Which stored articles are copies of one story: the SQL beside `duplicates`, which does the judging.

Works on the catalog's tables, inside its transactions. `articles.story` is the number of the article
that heads the story, NULL where there is no copy.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from index.article import Copy
from index.database import Connection
from index.duplicates import LEAST_SHARED, CopyFacts, days_apart, head_of, is_copy, shared_words

# Of a fingerprint that very many articles hold, the latest are enough to find a story by: its copies
# share nearly all fingerprints with them, pages with the same furniture only a few.
_MOST_HOLDERS = 50
# Judging compares whole texts: the likeliest candidates first, and no more than this.
_MOST_JUDGED = 20
# An article makes one story of two only if it is each of them by half; a digest is neither.
_BRIDGE_SHARE = 0.5


class Stories:
    """Keeps copies together while articles come and go."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enter(self, number: int, text: str, published: str | None, fingerprints: NDArray[np.int64]) -> None:
        """Joins a newly stored article to the stories that it is a copy of."""
        copies: dict[int, int] = {}
        for candidate, story, other, date in self._candidates(fingerprints):
            if story not in copies and is_copy(text, other, days_apart(published, date)):
                if copies and min(shared_words(text, other)) < _BRIDGE_SHARE:
                    continue
                copies[story] = candidate
        self._connection.executemany(
            "INSERT INTO fingerprints VALUES (?, ?)", ((value, number) for value in fingerprints.tolist())
        )
        if copies:
            self._settle([number, *copies.values(), *self._members(copies)])

    def leave(self, number: int, fingerprints: NDArray[np.int64]) -> None:
        """Takes out an article that is about to be deleted; its copies stay together."""
        self._connection.executemany(
            "DELETE FROM fingerprints WHERE fingerprint = ? AND article = ?",
            ((value, number) for value in fingerprints.tolist()),
        )
        (story,) = self._connection.execute("SELECT story FROM articles WHERE number = ?", (number,)).fetchone()
        if story is not None:
            self._connection.execute("UPDATE articles SET story = NULL WHERE number = ?", (number,))
            self._settle(self._members([story]))

    def copies(self, numbers: Sequence[int]) -> dict[int, list[Copy]]:
        """The other copies of each of these articles' stories, earliest first; nothing for articles without one."""
        rows = self._connection.execute(
            "SELECT one.number, other.number, other.id, other.title, other.source, other.url, other.published"
            " FROM articles AS one JOIN articles AS other ON other.story = one.story AND other.number <> one.number"
            f" WHERE one.number IN ({_marks(numbers)}) ORDER BY other.published IS NULL, other.published, other.number",
            list(numbers),
        )
        found: dict[int, list[Copy]] = {}
        for number, *copy in rows.fetchall():
            found.setdefault(number, []).append(Copy(*copy))
        return found

    def _candidates(self, fingerprints: NDArray[np.int64]) -> Iterator[tuple[int, int, str, str | None]]:
        """Articles that share fingerprints, likeliest first: number, story (its own if alone), text, date."""
        shared: Counter[int] = Counter()
        for value in fingerprints.tolist():
            rows = self._connection.execute(
                "SELECT article FROM fingerprints WHERE fingerprint = ? ORDER BY article DESC LIMIT ?",
                (value, _MOST_HOLDERS),
            )
            shared.update(article for (article,) in rows.fetchall())
        likely = [article for article, count in shared.most_common(_MOST_JUDGED) if count >= LEAST_SHARED]
        for article in likely:
            found = self._connection.execute(
                "SELECT number, coalesce(story, number), text, published FROM articles WHERE number = ?", (article,)
            ).fetchone()
            if found:  # in a damaged table a fingerprint may be left of an article that is gone
                yield found

    def _members(self, stories: Iterable[int]) -> list[int]:
        values = list(stories)
        rows = self._connection.execute(f"SELECT number FROM articles WHERE story IN ({_marks(values)})", values)
        return [number for (number,) in rows.fetchall()]

    def _settle(self, members: Iterable[int]) -> None:
        """Makes one story of these articles, under the right head; one alone is no story."""
        values = list(dict.fromkeys(members))
        rows = self._connection.execute(
            f"SELECT number, published, length(text) FROM articles WHERE number IN ({_marks(values)})", values
        )
        facts = [CopyFacts(*row) for row in rows.fetchall()]
        head = facts[head_of(facts)].number if len(facts) > 1 else None
        self._connection.execute(f"UPDATE articles SET story = ? WHERE number IN ({_marks(values)})", [head, *values])


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
