"""Rows of one generation on a server, and what was looked at lately of them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from index.article import Article
from index.errors import StoreChanged
from index.milvus.client import MOST_ROWS, Row, Server
from index.milvus.expressions import all_of, among
from index.milvus.facts import Facts
from index.milvus.rows import (
    ARTICLE_FIELDS,
    PASSAGE_FIELDS,
    ArticleFacts,
    PassageFacts,
    article_facts,
    article_in,
    by_article,
    passage_facts,
    text_keys,
)  # fmt: skip
from index.milvus.tables import Tables

Kept = TypeVar("Kept")

# A passage takes about 3 KB here, an article 5: some tens of megabytes.
_PASSAGES_KEPT, _ARTICLES_KEPT = 8_000, 8_000
# Rows with vectors that are asked for at a time: 3 MB of them.
_ROWS_A_QUESTION = 1_000
_TEXTS_A_QUESTION = 50
# To look for the newest, the time is gone back through in steps, each twice as long until there is enough in one.
_ENOUGH_A_STEP = 500
# Numbers that come as fast as a count of them.
_COUNTED = 1_000


class Reader:
    """Asks for rows as of the moment in which a generation was published, and keeps what it saw last."""

    def __init__(self, server: Server, tables: Tables, facts: Facts) -> None:
        self.server, self.tables, self.facts = server, tables, facts
        self._passages: _Lately[PassageFacts] = _Lately(_PASSAGES_KEPT)
        self._articles: _Lately[ArticleFacts] = _Lately(_ARTICLES_KEPT)

    def rows(self, table: str, expression: str, fields: Sequence[str], size: int = MOST_ROWS - 1) -> list[Row]:
        """Rows that fit; of more than `size` those with the lowest numbers."""
        return self.server.rows(table, expression, fields, size=size, since=self.facts.published)

    def count(self, table: str, expression: str) -> int:
        """How many rows fit. Few are counted one by one, because a mere count of none may mean that some are lost."""
        few = len(self.rows(table, expression, ("number",), size=_COUNTED + 1))
        return few if few <= _COUNTED else max(few, self.server.count(table, expression, since=self.facts.published))

    def latest(self, table: str, expression: str, fields: Sequence[str], size: int | None) -> Iterator[Row]:
        """Rows that fit, of the latest days first until there are `size`; those without a day last.

        As few as a server gives at once come in any order.
        """
        expression, since = expression or "number >= 0", self.facts.published
        if size is None:
            yield from self.server.every_row(table, expression, fields, since=since)
            return
        few = self.rows(table, expression, fields)
        if len(few) < MOST_ROWS - 1:
            yield from few
            return
        last, step, found = self.facts.last_day, 1, 0
        while last >= self.facts.first_day > 0 and found < size:
            first = max(self.facts.first_day, last - step + 1)
            days = all_of(expression, f"day >= {first} and day <= {last}")
            rows = list(self.server.every_row(table, days, fields, since=since))
            yield from rows
            found += len(rows)
            step = step * 2 if len(rows) < _ENOUGH_A_STEP else step
            last = first - 1
        if found < size:
            yield from self.server.every_row(table, all_of(expression, "day == 0"), fields, since=since)

    def nearest(
        self, field: str, vector: Any, size: int, expression: str, parameters: Mapping[str, int], witness: Any
    ) -> list[tuple[float, int]]:
        """Passages with their scores, best first, from all that the server should hold.

        One of those that were there from the beginning vouches for the others. Where none is among them, the witness
        is called, which costs a second search.
        """
        hits = self._nearest(field, vector, size, expression, parameters, None)
        if not any(row["number"] <= self.facts.sealed for _, row in hits):
            hits = self._nearest(field, vector, size, expression, parameters, witness)
        for _, row in hits:
            self._passages.keep(int(row["number"]), passage_facts(row))
        return [(score, int(row["number"])) for score, row in hits]

    def of_passages(self, numbers: Sequence[int]) -> Mapping[int, PassageFacts]:
        """What is known of these passages. Raises StoreChanged when one is gone, as all that asks by number does."""
        return self._known(self._passages, numbers, self.tables.passages, PASSAGE_FIELDS, passage_facts)

    def of_articles(self, numbers: Sequence[int]) -> Mapping[int, ArticleFacts]:
        """What is known of these articles."""
        return self._known(self._articles, numbers, self.tables.articles, ARTICLE_FIELDS, article_facts)

    def articles(self, numbers: Sequence[int]) -> dict[int, Article]:
        """These articles themselves."""
        rows: dict[int, list[Row]] = {}
        for start in range(0, len(numbers), _TEXTS_A_QUESTION):
            keys = text_keys(numbers[start : start + _TEXTS_A_QUESTION])
            rows |= by_article(self.rows(self.tables.texts, keys, ("number", "text")))
        self._require(numbers, rows)
        return {number: article_in(rows[number]) for number in numbers}

    def forget(self) -> None:
        """Keeps nothing any more."""
        self._passages.clear()
        self._articles.clear()

    def _nearest(
        self, field: str, vector: Any, size: int, expression: str, parameters: Mapping[str, int], witness: Any
    ) -> list[tuple[float, Row]]:
        return self.server.nearest(
            self.tables.passages, field, vector, size, expression, PASSAGE_FIELDS,
            since=self.facts.published, parameters=parameters, witness=witness,
        )  # fmt: skip

    def _known(
        self, lately: "_Lately[Kept]", numbers: Sequence[int], table: str, fields: Sequence[str],
        read: Callable[[Row], Kept],
    ) -> Mapping[int, Kept]:  # fmt: skip
        known, missing = lately.those(numbers)
        for start in range(0, len(missing), _ROWS_A_QUESTION):
            for row in self.rows(table, among("number", missing[start : start + _ROWS_A_QUESTION]), fields):
                known[int(row["number"])] = lately.keep(int(row["number"]), read(row))
        self._require(numbers, known)
        return known

    def _require(self, numbers: Iterable[int], found: Mapping[int, object]) -> None:
        if any(number not in found for number in numbers):
            raise StoreChanged(str(self.server.address))


class _Lately(Generic[Kept]):
    """What was looked at lately, by number; what came first goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[int, Kept] = OrderedDict()

    def those(self, numbers: Sequence[int]) -> tuple[dict[int, Kept], list[int]]:
        """Those of these numbers that are kept, and the numbers of the others."""
        known, missing = dict[int, Kept](), []
        for number in dict.fromkeys(numbers):
            kept = self._kept.get(number)
            if kept is None:
                missing.append(number)
            else:
                known[number] = kept
        return known, missing

    def keep(self, number: int, value: Kept) -> Kept:
        """Keeps a value."""
        self._kept[number] = value
        while len(self._kept) > self._most:
            try:
                self._kept.popitem(last=False)
            except KeyError:  # another thread was faster
                break
        return value

    def clear(self) -> None:
        """Keeps nothing."""
        self._kept.clear()
