"""A corpus on a Milvus server, as ranking sees it: what `EmbeddedStore` is for files.

A search asks for candidates of both legs and for what is known of their articles, all with the words in them, and
weighs them here. Nothing of the corpus is held but what was looked at lately: any number of readers may come and go.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np

from index.article import Article, Copy, Passage
from index.bm25 import K1, Matches, idf, matches, worth
from index.catalog import Counts
from index.columns import Numbers
from index.encoder import Matrix, ModelIdentity
from index.errors import QueryError, StoreIncomplete
from index.filters import Filters
from index.forward import Forward
from index.milvus.address import StoreAddress
from index.milvus.client import MOST_ROWS, Server
from index.milvus.expressions import (
    all_of,
    among,
    holding,
    holding_any,
    named,
    of_articles,
    of_titles,
    quoted,
)  # fmt: skip
from index.milvus.facts import Facts, live_facts, read_facts
from index.milvus.reading import Reader
from index.milvus.rows import (
    ARTICLE_FIELDS,
    PASSAGE_FIELDS,
    ArticleFacts,
    article_facts,
    dimension_of,
    passage_facts,
    phrase_grams,
    stand_side_by_side,
)  # fmt: skip
from index.milvus.tables import WITNESS_WORDS, Tables, search_parameters, witness_vector
from index.milvus.vocabulary import MilvusVocabulary
from index.names import Names
from index.scope import Scope
from index.store import ArticleFacts as Facets
from index.store import Candidates
from index.terms import Word, as_word, spellings, stems_of

# Words of titles that begin as was typed: the commonest of them.
_MOST_ENDINGS = 64
# A word in two wordings counts at most twice, so what belongs among the first is hardly ever farther down.
_DEEPER = 3
_PAUSE_SECONDS = 0.2


class MilvusStore:
    """One generation of a corpus on a server. Safe to share between threads."""

    def __init__(self, server: Server, tables: Tables, facts: Facts) -> None:
        self.server, self.tables, self.told = server, tables, facts
        self._reader = Reader(server, tables, facts)
        self._vocabulary = MilvusVocabulary(server, tables, facts, self._side_by_side)

    @classmethod
    def open(cls, address: StoreAddress) -> Self:
        """The live generation at an address. Raises IndexMissing, StoreUnavailable or StoreIncomplete."""
        return cls.on(Server(address))

    @classmethod
    def on(cls, server: Server) -> Self:
        """The live generation on a server."""
        tables, facts = live_facts(server)
        store = cls(server, tables, facts)
        store.require_whole()
        return store

    @property
    def lexical(self) -> bool:
        """Whether passages are found by their words; else only those near in meaning are weighed by them."""
        return self.server.has_sparse_vectors

    @property
    def generation(self) -> str:
        """Names this state of the corpus: the generation and its last change."""
        return f"{self.told.generation}.{self.told.change}"

    @property
    def model(self) -> ModelIdentity:
        """The model whose embeddings are stored."""
        return self.told.model

    def in_time(self) -> AbstractContextManager[None]:
        """Within it, all questions together have the time that one has by itself."""
        return self.server.within(self.server.address.deadline)

    def require_whole(self) -> None:
        """Raises StoreIncomplete when the server holds fewer passages than were published, and goes on doing so."""
        until = time.monotonic() + self.server.address.deadline
        while (held := self.server.count(self.tables.passages, since=self.told.published)) < self.told.passages:
            now = read_facts(self.server, self.tables)
            if now is not None and held >= now.least:  # a writer is taking some away
                return
            if time.monotonic() > until:
                shown = f"{held:,} of {self.told.passages:,} passages"
                raise StoreIncomplete(str(self.server.address), shown)
            time.sleep(_PAUSE_SECONDS)

    def scope(self, filters: Filters) -> Scope:
        """The passages that `filters` leave."""
        if not filters:
            return Scope(None, (), self.told.passages, self.told.articles)
        whole = of_articles(filters)
        inside = all_of(self._with_phrases(filters.phrases), of_titles(filters))
        barred = self._barred(filters.excluded)
        expression = all_of(whole, inside, f"not ({among('article', barred)})" if barred else "")
        passages = self._reader.count(self.tables.passages, expression) if expression else self.told.passages
        if inside or barred:
            articles = self._articles_among(expression, passages)
        else:
            articles = self._reader.count(self.tables.articles, whole) if whole else self.told.articles
        return Scope(None, (), passages, articles, self._unknown(filters), expression, not inside)

    def search_dense(self, query: Matrix, size: int, scope: Scope) -> Candidates:
        """The passages in scope nearest to `query`: at most MOST_ROWS, and fewer only where there are no more."""
        if not scope.passages:
            return _candidates([])
        parameters = search_parameters(self.told.index, size)
        witness = witness_vector(self.model.dimension)
        return _candidates(self._reader.nearest("vector", query.tolist(), size, scope.expression, parameters, witness))

    def search_lexical(self, words: Sequence[Word], size: int, scope: Scope) -> Candidates:
        """The passages in scope with the highest BM25; only those in which a word occurs."""
        if not words or not scope.passages or not self.lexical:
            return _candidates([])
        # What stands in two wordings counts twice there: enough more is asked for that none of the best is missing.
        asked = size * (_DEEPER if any(len(word.alternatives) > 1 for word in map(as_word, words)) else 1)
        found = self._reader.nearest("sparse", self._weights(words), asked, scope.expression, {}, WITNESS_WORDS)
        numbers = np.asarray([number for _, number in found], dtype=np.int64)
        exact = self.matches(words, (), numbers).bm25
        best = np.argsort(-exact, kind="stable")
        best = best[exact[best] > 0][:size]
        return Candidates(numbers[best], exact[best])

    def newest(self, scope: Scope, size: int | None = None) -> Numbers:
        """The first passage in scope of each article, newest article first, those without a date last."""
        expression = all_of(scope.expression, "place == 0") if scope.whole else scope.expression
        rows = self._reader.latest(self.tables.passages, expression, ("number", "article", "day"), size)
        firsts: dict[int, tuple[int, int]] = {}
        for row in rows:
            number = min(row["number"], firsts.get(row["article"], (0, row["number"]))[1])
            firsts[row["article"]] = (row["day"], number)
        ranked = sorted((-day, -article, number) for article, (day, number) in firsts.items())
        return np.asarray([number for *_, number in ranked][:size], dtype=np.int64)

    def latest(self, size: int) -> Numbers:
        """The articles that were published last, newest first; of copies only the head, none without a date."""
        rows = self._reader.latest(self.tables.articles, "head == true and day > 0", ("number", "day"), size)
        ranked = sorted((-row["day"], -row["number"]) for row in rows)[:size]
        return np.asarray([-number for _, number in ranked], dtype=np.int64)

    def similar(self, article: int, size: int) -> Candidates:
        """The articles nearest to this one in meaning, and their cosines; not it nor copies of it."""
        one = self._reader.of_articles([article])[article]
        found = self.server.nearest(
            self.tables.articles, "vector", one.vector.tolist(), size, f"story != {one.story} and number != {article}",
            ("number",), since=self.told.published, parameters=search_parameters(self.told.index, size),
            witness=witness_vector(self.model.dimension),
        )  # fmt: skip
        return _candidates([(score, int(row["number"])) for score, row in found])

    @property
    def vocabulary(self) -> MilvusVocabulary:
        """The words of the corpus."""
        return self._vocabulary

    def vectors(self, numbers: Numbers) -> Matrix:
        """The embeddings of these passages, one a row."""
        known = self._reader.of_passages(numbers.tolist())
        rows = [known[number].vector for number in numbers.tolist()]
        return np.stack(rows) if rows else np.empty((0, self.model.dimension), dtype=np.float32)

    def matches(self, words: Sequence[Word], pairs: Sequence[tuple[str, str]], numbers: Numbers) -> Matches:
        """What words, and pairs of stems side by side, are to each of these passages."""
        known = self._reader.of_passages(numbers.tolist())
        runs = Forward(None)
        for number in np.unique(numbers).tolist():
            runs.add_ordered(number, known[number].codes)
        runs.flush()
        vocabulary = self._vocabulary
        return self._matched(words, pairs, numbers, runs, vocabulary.idf, vocabulary.frequency, self.told.mean_length)

    def ideal_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of a passage that matched every word fully."""
        self._vocabulary.expect(_stems(words, ()))
        return (K1 + 1) * sum(self._worth(as_word(word)) for word in words)

    def article_numbers(self, numbers: Numbers) -> Numbers:
        """The article of each of these passages."""
        known = self._reader.of_passages(numbers.tolist())
        return np.asarray([known[number].passage.article for number in numbers.tolist()], dtype=np.int64)

    def places(self, numbers: Numbers) -> Numbers:
        """The place of each of these passages in its article, from 0."""
        known = self._reader.of_passages(numbers.tolist())
        return np.asarray([known[number].place for number in numbers.tolist()], dtype=np.int64)

    def article_cosines(self, vector: Matrix, articles: Numbers) -> Matrix:
        """Cosine with `vector` of the mean of each article's passages."""
        known = self._reader.of_articles(articles.tolist())
        means = [known[number].vector for number in articles.tolist()]
        return np.asarray(np.stack(means) @ vector if means else np.empty(0), dtype=np.float32)

    def article_matches(self, words: Sequence[Word], articles: Numbers) -> Matches:
        """What words are to each of these articles as wholes; of what stands side by side there nothing is known."""
        known = self._reader.of_articles(articles.tolist())
        runs = Forward(None)
        for number in np.unique(articles).tolist():
            one = known[number]
            runs.add_counted(number, one.codes, one.often, one.length)
        runs.flush()
        return self._matched(
            words, (), articles, runs, self._article_idf, self._articles_with, self.told.mean_article_length
        )

    def ideal_article_bm25(self, words: Sequence[Word]) -> float:
        """The BM25 of an article that matched every word fully."""
        self._vocabulary.expect(_stems(words, ()))
        worths = (worth(word.alternatives, self._article_idf, self._articles_with) for word in map(as_word, words))
        return (K1 + 1) * sum(worths)

    def days(self, articles: Numbers) -> Matrix:
        """The day of each article as a proleptic ordinal, NaN where it is not known."""
        known = self._reader.of_articles(articles.tolist())
        return np.asarray([known[number].day or np.nan for number in articles.tolist()], dtype=np.float32)

    def facts(self, articles: Numbers) -> list[Facets]:
        """What facets count of these articles."""
        known = self._reader.of_articles(articles.tolist())
        return [_facets(known[number]) for number in articles.tolist()]

    def sources_named(self, typed: str, size: int) -> list[str]:
        """The commonest sources with a word in their name that begins as typed."""
        return self._source_names.beginning_with(typed, size)

    def authors_named(self, typed: str, size: int) -> list[str]:
        """The commonest authors with a word in their name that begins as typed."""
        return self._author_names.beginning_with(typed, size)

    def titled(self, typed: str, size: int) -> Numbers:
        """The newest articles with the typed words in their title, the last as a beginning; at most `size`."""
        *whole, last = spellings(typed) or [""]
        if not last or size < 1:
            return np.empty(0, dtype=np.int64)
        begun = self._vocabulary.beginning_with("stem", last, _MOST_ENDINGS)
        ends = dict.fromkeys([*stems_of(last), *begun])
        whole_words = [stem for word in whole for stem in stems_of(word)]
        conditions = [holding_any([gram for stem in ends for gram in phrase_grams([stem], in_title=True)])]
        conditions += [holding(phrase_grams([stem], in_title=True)) for stem in whole_words]
        rows = self._reader.latest(self.tables.passages, all_of("place == 0", *conditions), ("article", "day"), size)
        ranked = sorted((-row["day"], -row["article"]) for row in rows)[:size]
        return np.asarray([-article for _, article in ranked], dtype=np.int64)

    def stories(self, articles: Numbers) -> Numbers:
        """For each article the number of the one that heads its story: its own where there is no copy."""
        known = self._reader.of_articles(articles.tolist())
        return np.asarray([known[number].story for number in articles.tolist()], dtype=np.int64)

    def copies(self, articles: Sequence[int]) -> dict[int, list[Copy]]:
        """The other copies of each article's story, earliest first; nothing for articles without one."""
        known = self._reader.of_articles(articles)
        stories = sorted({one.story for one in known.values()})
        rows = self._reader.rows(self.tables.articles, among("story", stories), ARTICLE_FIELDS) if stories else []
        members = [article_facts(row) for row in rows]
        members.sort(key=lambda one: (one.published is None, one.published or "", one.number))
        found: dict[int, list[Copy]] = {}
        for number in articles:
            others = [one for one in members if one.story == known[number].story and one.number != number]
            if others:
                found[number] = list(map(_copy, others))
        return found

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Passages by number."""
        return {number: facts.passage for number, facts in self._reader.of_passages(numbers).items()}

    def passages_of(self, article: int) -> list[Passage]:
        """The passages of one article, in reading order."""
        rows = self._reader.rows(self.tables.passages, f"article == {article}", ("number", "article", "start", "end"))
        passages = [Passage(row["number"], row["article"], row["start"], row["end"]) for row in rows]
        return sorted(passages, key=lambda passage: passage.start)

    def articles(self, numbers: Sequence[int]) -> dict[int, Article]:
        """Articles by number."""
        return self._reader.articles(numbers)

    def article(self, id: str) -> tuple[int, Article] | None:
        """An article and its number, by id."""
        rows = self._reader.rows(self.tables.articles, f"id == {quoted(id)}", ("number",))
        number = max((int(row["number"]) for row in rows), default=None)
        return None if number is None else (number, self.articles([number])[number])

    def counts(self) -> Counts:
        """How much is in it."""
        return self.told.counts

    def stats(self) -> dict[str, Any]:
        """What is in it, in figures ready for JSON, as its writer counted."""
        return self.told.stats

    def written(self) -> float:
        """When it was last written, in seconds of the epoch."""
        return self.told.published / 1000

    def close(self) -> None:
        """Forgets what was looked at; the connection stays, for it is shared with the next generation."""
        self._reader.forget()

    # -- asking the server -------------------------------------------------------------------------

    def _articles_among(self, expression: str, passages: int) -> int:
        """How many articles so many passages are of; at most that many, where a server cannot tell them all."""
        if passages >= MOST_ROWS:
            return passages
        rows = self._reader.rows(self.tables.passages, expression, ("article",))
        return len({int(row["article"]) for row in rows})

    def _side_by_side(self, stems: Sequence[str]) -> Numbers:
        """The passages in which these stems stand side by side; of more than MOST_ROWS only some."""
        return np.sort(np.asarray([number for number, _ in self._having(stems)], dtype=np.int64))

    def _having(self, stems: Sequence[str]) -> list[tuple[int, int]]:
        """The same passages, each with its article."""
        expression = holding(phrase_grams(stems))
        if len(stems) <= 2:
            rows = self._reader.rows(self.tables.passages, expression, ("article",))
            return [(row["number"], row["article"]) for row in rows]
        # Pairs that follow each other may stand in different places.
        read = map(passage_facts, self._reader.rows(self.tables.passages, expression, PASSAGE_FIELDS))
        return [
            (one.passage.number, one.passage.article) for one in read if stand_side_by_side(stems, one.codes)
        ]  # fmt: skip

    def _with_phrases(self, phrases: Sequence[str]) -> str:
        """Where each of these stands: in the language of the server as far as that can say it, else by number."""
        conditions = []
        for stems in filter(None, map(stems_of, phrases)):
            conditions.append(holding(phrase_grams(stems)))
            if len(stems) > 2 and self._reader.count(self.tables.passages, conditions[-1]) < MOST_ROWS - 1:
                conditions[-1] = among("number", self._side_by_side(stems).tolist())
        return all_of(*conditions)

    def _barred(self, excluded: Sequence[str]) -> list[int]:
        """The articles in which one of these words or phrases stands. Raises QueryError when they are too many."""
        articles: set[int] = set()
        for words in excluded:
            found = self._having(stems) if (stems := stems_of(words)) else []
            if len(found) >= MOST_ROWS - 1:
                raise QueryError(f"'{words}' stands in too many passages to leave them out.", "q")
            articles.update(article for _, article in found)
        return sorted(articles)

    def _unknown(self, filters: Filters) -> tuple[str, ...]:
        """Names among the filters that no article has."""
        asked = [(name, "source") for name in (*filters.excluded_sources, *filters.sources)]
        asked += [(name, "author") for name in filters.authors] + [(name, "language") for name in filters.languages]
        return tuple(
            name
            for name, kind in asked
            if not self._reader.rows(self.tables.articles, named(kind, name), ("number",), size=1)
        )

    # -- words -------------------------------------------------------------------------------------

    def _weights(self, words: Sequence[Word]) -> dict[int, float]:
        """A query as a sparse vector: its product with a passage's is about the passage's BM25.

        Only about, because there a word that stands in two wordings counts twice; what is found is weighed exactly.
        """
        self._vocabulary.expect(_stems(words, ()))
        weights: dict[int, float] = {}
        for word in map(as_word, words):
            value = self._worth(word)
            for stems in word.alternatives:
                information = sum(map(self._vocabulary.idf, stems))
                for stem in stems:
                    weight = value / information * self._vocabulary.idf(stem)
                    at = dimension_of(stem)
                    weights[at] = max(weights.get(at, 0.0), weight)
        return weights

    def _worth(self, word: Word) -> float:
        return worth(word.alternatives, self._vocabulary.idf, self._vocabulary.frequency)

    def _matched(
        self, words: Sequence[Word], pairs: Sequence[tuple[str, str]], numbers: Numbers, runs: Forward,
        information: Callable[[str], float], occurs: Callable[[str], int], mean_length: float,
    ) -> Matches:  # fmt: skip
        asked = [as_word(word) for word in words]
        stems = _stems(asked, pairs)
        self._vocabulary.expect(stems)
        weighed = [(word.alternatives, worth(word.alternatives, information, occurs)) for word in asked]
        return matches(weighed, pairs, {s: information(s) for s in stems}, runs.find(stems, numbers), mean_length)

    def _articles_with(self, stem: str) -> int:
        return self._vocabulary.frequencies(stem).articles

    def _article_idf(self, stem: str) -> float:
        return idf(self._articles_with(stem), self.told.articles_ever)

    @cached_property
    def _source_names(self) -> Names:
        return Names.counted(self._vocabulary.names("source"))

    @cached_property
    def _author_names(self) -> Names:
        return Names.counted(self._vocabulary.names("author"))


def _candidates(found: Sequence[tuple[float, int]]) -> Candidates:
    numbers = np.asarray([number for _, number in found], dtype=np.int64)
    return Candidates(numbers, np.asarray([score for score, _ in found], dtype=np.float32))


def _stems(words: Sequence[Word], pairs: Sequence[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(chain(*(chain(*as_word(word).alternatives) for word in words), *pairs)))


def _copy(one: ArticleFacts) -> Copy:
    return Copy(one.number, one.id, one.title, one.source, one.url, one.published)


def _facets(one: ArticleFacts) -> Facets:
    day = date.fromordinal(one.day).isoformat() if one.day else None
    return Facets(day, one.source, one.authors, one.language)
