"""Bringing a server in step with the catalog: what one machine wrote becomes what many search.

A server is one more thing that is derived: it is in step exactly when it holds the catalog's numbers. What is missing
is stored, what is left over deleted, first articles, then their passages, so that whatever is found can be shown; the
facts of the generation come last. A new generation gets collections of its own, and when it is whole the alias turns
to it: searches see the old or the new one. A writer that is killed leaves something half done, with which the next
goes on.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from index.article import Article, Passage
from index.catalog import Catalog
from index.columns import NO_NAME, Codes, Numbers, PassageColumns, load_columns
from index.derived import known_columns, mean_directions, passage_document, put_right
from index.encoder import Matrix
from index.errors import IndexDamaged, IndexOutdated, StoreIncomplete
from index.generation import Layout, Manifest, live_generation, writer_lock
from index.milvus.address import ATTEMPT_SECONDS, DEADLINE_SECONDS, StoreAddress
from index.milvus.client import Row, Server
from index.milvus.facts import Facts, read_facts, write_facts
from index.milvus.rows import (
    FACTS,
    article_in,
    article_row,
    by_article,
    number_of_text,
    passage_row,
    text_keys,
    text_rows,
    word_row,
)  # fmt: skip
from index.milvus.tables import (
    Tables,
    create_tables,
    generations_among,
    make_searchable,
    store_witnesses,
    tables_of,
    vector_index,
)  # fmt: skip
from index.stats import stats_of
from index.terms import Terms, vocabulary_of

log = logging.getLogger(__name__)

# About a thousand passages with their vectors: 4 MB on the wire, of the 64 that a server takes.
_ARTICLES_A_PART = 100
_ROWS_A_PART = 1_000
_WORDS_A_PART = 5_000
# What is stored by now is told at the server's next tick, which is late where it is busy or has lost a coordinator.
_ATTEMPT_SECONDS, _DEADLINE_SECONDS = 30.0, 180.0
# A server that has acknowledged rows may take this long until it counts all of them.
_SETTLE_SECONDS = 120.0
_SETTLE_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Published:
    """What a run brought to a server: `passages` are stored there now, `stored` and `deleted` is what changed."""

    store: str
    generation: str
    articles: int
    passages: int
    stored: int
    deleted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What a server lacks and what it has too much, by numbers; `restored` belong to another story than it says.

    `words` says whether all words have to be brought, or only those of new articles; `anew` that nothing is there yet.
    """

    articles: Numbers
    restored: Numbers
    passages_over: Numbers
    articles_over: Numbers
    words: bool
    anew: bool = False


def publish(root: Path, address: StoreAddress, *, thoroughly: bool = False) -> Published:
    """Brings a server in step with the live generation of the index at `root`, and has searches turn to it.

    What the server says that it has followed is believed, unless it is to be looked at `thoroughly`. The index is
    locked meanwhile. Raises StoreUnavailable when the server does not do what it should; to publish again goes on from
    there.
    """
    began = time.monotonic()
    server = Server(_patient(address))
    try:
        with writer_lock(root):
            layout = live_generation(root)
            manifest = put_right(layout)
            with closing(Catalog.open(layout.catalog)) as catalog:
                return _Publication(server, layout, manifest, catalog).run(began, thoroughly=thoroughly)
    finally:
        server.close()


def differences(root: Path, address: StoreAddress) -> list[str]:
    """In what a server differs from the live generation of the index at `root`, one line each; empty if in nothing."""
    server = Server(_patient(address))
    try:
        layout = live_generation(root)
        tables = tables_of(address.collection, layout.folder.name)
        if server.target(address.collection) != tables.passages:
            return [f"{address} does not serve the generation {layout.folder.name}"]
        with closing(Catalog.snapshot(layout.catalog)) as catalog:
            found = difference_of(server, tables, known_columns(catalog, layout))
            facts, change = read_facts(server, tables), catalog.history.last_change()
    finally:
        server.close()
    counted = (
        (len(found.articles), "articles are missing, or some of their passages"),
        (len(found.restored), "articles belong to another story"),
        (len(found.passages_over), "passages are left over"), (len(found.articles_over), "articles are left over"),
    )  # fmt: skip
    lines = [f"{address}: {count:,} {what}" for count, what in counted if count]
    if not lines and (facts is None or facts.change != change):
        lines = [f"{address} tells of change {facts.change if facts else 'none'}, the catalog of {change}"]
    return lines


def _patient(address: StoreAddress) -> StoreAddress:
    """The same address for one whom nobody waits for, where it says nothing else."""
    return replace(
        address,
        attempt=_ATTEMPT_SECONDS if address.attempt == ATTEMPT_SECONDS else address.attempt,
        deadline=_DEADLINE_SECONDS if address.deadline == DEADLINE_SECONDS else address.deadline,
    )


def difference_of(server: Server, tables: Tables, columns: PassageColumns) -> Difference:
    """What every number on the server and every number in the catalog say."""
    passages = _all(server.every_row(tables.passages, "", ("number",)), "number")
    rows = list(server.every_row(tables.articles, "", ("number", "story")))
    articles, stories = _all(rows, "number"), _all(rows, "story")
    parts = map(number_of_text, server.every_row(tables.texts, "", ("number",)))
    texts = np.unique(np.fromiter((number for number in parts if number != FACTS), dtype=np.int64))
    lacking = np.setdiff1d(columns.numbers, passages, assume_unique=True)
    of_lacking = columns.article_numbers[columns.article_positions[np.searchsorted(columns.numbers, lacking)]]
    missing = np.union1d(np.setdiff1d(columns.article_numbers, np.intersect1d(articles, texts)), of_lacking)
    both, here, there = np.intersect1d(articles, columns.article_numbers, return_indices=True)
    return Difference(
        articles=missing,
        restored=np.setdiff1d(both[stories[here] != columns.stories[there]], missing),
        passages_over=np.setdiff1d(passages, columns.numbers),
        articles_over=np.setdiff1d(np.union1d(articles, texts), columns.article_numbers),
        words=True,
    )


class _Publication:
    """One run: a generation in the catalog, and the collections that it becomes."""

    def __init__(self, server: Server, layout: Layout, manifest: Manifest, catalog: Catalog) -> None:
        self._server, self._layout, self._manifest, self._catalog = server, layout, manifest, catalog
        self._counts = catalog.counts()  # nobody else writes meanwhile
        self._alias = server.address.collection
        self._tables = tables_of(self._alias, manifest.generation)
        self._columns = known_columns(catalog, layout)
        self._terms, self._article_terms = Terms.open(layout.terms), Terms.open(layout.article_terms)
        self._stored = self._deleted = 0

    def run(self, began: float, *, thoroughly: bool) -> Published:
        server, tables = self._server, self._tables
        before = server.target(self._alias)
        is_new = create_tables(server, tables, self._manifest.model.dimension)
        if before != tables.passages:
            store_witnesses(server, tables, self._manifest.model.dimension)
        if not is_new:
            make_searchable(server, tables, len(self._columns.numbers), at_once=True)
        known = self._known() if before == tables.passages else None
        if known is None or thoroughly or not self._follows(known):
            self._bring(self._everything() if is_new else difference_of(server, tables, self._columns), known)
            make_searchable(server, tables, len(self._columns.numbers))
            self._settle()
        write_facts(server, tables, self._facts(known.sealed if known else None))
        server.point(self._alias, tables.passages)
        self._drop_all_but(before)
        seconds = round(time.monotonic() - began, 3)
        return Published(
            str(server.address), self._manifest.generation, self._counts.articles, self._counts.passages, self._stored,
            self._deleted, seconds,
        )  # fmt: skip

    def _known(self) -> Facts | None:
        """What the server says of this generation, if it was finished there once."""
        try:
            return read_facts(self._server, self._tables)
        except (IndexDamaged, IndexOutdated) as error:
            log.warning("%s", error)
            return None

    def _follows(self, known: Facts) -> bool:
        """Brings what has changed since the server was in step, by the catalog's history; says if that was enough."""
        try:
            remembered = load_columns(self._layout.columns).change <= known.change <= self._counts.change
        except IndexDamaged:
            remembered = False
        if not remembered or known.generation != self._manifest.generation:
            return False
        history = self._catalog.history
        new = history.articles_after(known.last_article)
        self._bring(
            Difference(
                articles=new,
                restored=np.setdiff1d(history.touched_articles(known.change), new),
                passages_over=history.removed_passages(known.change),
                articles_over=history.removed_articles(known.change),
                words=False,
            ),
            known,
        )
        return self._settled()

    def _everything(self) -> Difference:
        nothing = np.empty(0, dtype=np.int64)
        return Difference(self._columns.article_numbers, nothing, nothing, nothing, words=True, anew=True)

    def _bring(self, what: Difference, known: Facts | None) -> None:
        """Stores and deletes, so that at every moment whatever passage is found has an article that can be shown."""
        server, tables = self._server, self._tables
        if known is not None and len(what.articles_over) + len(what.passages_over):
            write_facts(server, tables, replace(known, least=max(0, known.passages - len(what.passages_over))))
        for part in _parts(what.articles, _ARTICLES_A_PART):
            self._store_articles(part)
        for part in _parts(what.restored, _ARTICLES_A_PART):
            articles = self._catalog.articles(part.tolist())
            rows = [self._article_row(n, one, self._with_vectors(n)[1]) for n, one in articles.items()]
            server.upsert(tables.articles, rows)
        going, texts = self._going(what.articles_over)
        words = set[str]()
        for rows in _batched(self._word_rows(what, going), _WORDS_A_PART):
            server.upsert(tables.words, rows)
            words.update(row["key"] for row in rows)
        if what.words and not what.anew:
            there = (row["key"] for row in server.every_row(tables.words, "", ("key",), key="key"))
            server.delete(tables.words, [key for key in there if key not in words])
        server.delete(tables.passages, what.passages_over.tolist())
        server.delete(tables.articles, what.articles_over.tolist())
        server.delete(tables.texts, texts)
        self._deleted += len(what.passages_over)

    def _going(self, numbers: Numbers) -> tuple[list[Article], list[int]]:
        """The articles that are about to be deleted, of which only the server knows any more, and their texts' keys."""
        articles, keys = list[Article](), list[int]()
        for part in _parts(numbers, _ARTICLES_A_PART):
            texts = self._server.rows(self._tables.texts, text_keys(part.tolist()), ("number", "text"))
            keys += [row["number"] for row in texts]
            for rows in by_article(texts).values():
                with suppress(IndexDamaged):  # then its words are counted too often until the next rebuild
                    articles.append(article_in(rows))
        return articles, keys

    def _store_articles(self, numbers: Numbers) -> None:
        texts, articles, passages = list[Row](), list[Row](), list[Row]()
        for number, article in self._catalog.articles(numbers.tolist()).items():
            inside, vectors = self._with_vectors(number)
            texts += text_rows(number, article)
            articles.append(self._article_row(number, article, vectors))
            passages += self._passage_rows(article, inside, vectors)
        for table, rows in (
            (self._tables.texts, texts), (self._tables.articles, articles), (self._tables.passages, passages),
        ):  # fmt: skip
            for part in _batched(rows, _ROWS_A_PART):
                self._server.upsert(table, part)
        self._stored += len(passages)

    def _with_vectors(self, article: int) -> tuple[list[Passage], Matrix]:
        """The passages of an article, and their vectors."""
        passages = self._catalog.passages_of(article)
        numbers = np.asarray([passage.number for passage in passages], dtype=np.int64)
        return passages, self._catalog.vectors(numbers, self._manifest.model.dimension)

    def _article_row(self, number: int, article: Article, vectors: Matrix) -> Row:
        story = self._columns.stories[np.searchsorted(self._columns.article_numbers, number)]
        [mean] = mean_directions(vectors, np.asarray([len(vectors)]))
        return article_row(number, int(story), article, mean)

    def _passage_rows(self, article: Article, passages: Sequence[Passage], vectors: Matrix) -> Iterator[Row]:
        mean = self._terms.mean_length if self._server.has_sparse_vectors else None
        for place, (passage, vector) in enumerate(zip(passages, vectors, strict=True)):
            yield passage_row(passage, place, article, passage_document(passage, article), vector, mean)

    def _word_rows(self, what: Difference, going: Sequence[Article]) -> Iterator[Row]:
        """The words and names of articles that come and go, or of the whole corpus, and how often each occurs now."""
        terms, wholes = self._terms, self._article_terms
        stems, words = set[str](), set[str]()
        if what.words:
            stems, words = {stem for stem, _ in terms.stems()}, {word for word, _ in terms.spelled()}
        else:
            coming = (article for _, article in self._catalog.each_article(what.articles))
            for article in chain(coming, going):
                stems_here, words_here = vocabulary_of(f"{article.title}\n{article.text}")
                stems |= stems_here
                words |= words_here
        for stem in sorted(stems):
            yield word_row(
                "stem", stem, terms.frequency(stem), terms.frequency_ever(stem), wholes.frequency_ever(stem)
            )  # fmt: skip
        yield from (word_row("spelling", word, terms.known(word)) for word in sorted(words))
        if what.words or len(what.articles) or len(what.articles_over):
            yield from _name_rows(self._columns)

    def _settle(self) -> None:
        """Waits until the server counts what the catalog does. Raises StoreIncomplete when it never does."""
        until = time.monotonic() + _SETTLE_SECONDS
        while not self._settled():
            if time.monotonic() > until:
                raise StoreIncomplete(str(self._server.address), "what was stored is not counted")
            time.sleep(_SETTLE_PAUSE_SECONDS)

    def _settled(self) -> bool:
        tables = self._tables
        held = tuple(self._server.count(table, "number > 0") for table in (tables.passages, tables.articles))
        return held == (self._counts.passages, self._counts.articles)

    def _facts(self, sealed: int | None) -> Facts:
        columns, counts = self._columns, self._counts
        last_passage, last_article = self._catalog.history.last_numbers()
        days = columns.days[columns.days > 0]
        return Facts(
            generation=self._manifest.generation, change=counts.change, model=self._manifest.model,
            articles=counts.articles, passages=counts.passages, set_aside=counts.set_aside,
            last_article=last_article, passages_ever=self._terms.ever,
            articles_ever=self._article_terms.ever, mean_length=self._terms.mean_length,
            mean_article_length=self._article_terms.mean_length,
            first_day=int(days.min()) if len(days) else 0, last_day=int(days.max()) if len(days) else 0,
            index=str(vector_index(self._server, counts.passages)["index_type"]), published=int(time.time() * 1000),
            least=counts.passages, sealed=last_passage if sealed is None else sealed,
            stats=stats_of(self._layout),
        )  # fmt: skip

    def _drop_all_but(self, before: str | None) -> None:
        """Deletes generations that are neither live nor the one before, on which searches may still be under way."""
        there = self._server.collections()
        for tables in generations_among(there, self._alias):
            if tables.passages not in (self._tables.passages, before):
                for name in (name for name in tables.all if name in there):
                    self._server.drop(name)


def _name_rows(columns: PassageColumns) -> Iterator[Row]:
    """The names of sources and authors, and how many articles have each."""
    for kind, names, codes in (
        ("source", columns.source_names, columns.sources),
        ("author", columns.author_names, columns.author_codes),
    ):
        for name, count in zip(names, _counts(codes, len(names)), strict=True):
            yield word_row(kind, name, articles=count)


def _counts(codes: Codes, names: int) -> list[int]:
    return [int(count) for count in np.bincount(codes[codes != NO_NAME], minlength=names)]


def _all(rows: Iterator[Row] | Sequence[Row], field: str) -> Numbers:
    return np.fromiter((int(row[field]) for row in rows), dtype=np.int64)


def _batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part


def _parts(numbers: Numbers, size: int) -> Iterator[Numbers]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
