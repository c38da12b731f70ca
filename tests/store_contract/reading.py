"""Reading: what is known of passages, articles, stories and names."""

import json
import math
import time
from contextlib import suppress
from datetime import date
from typing import Any

import numpy as np
import pytest

from index.errors import StoreChanged
from index.store import ArticleFacts, Store
from index.terms import spellings
from store_contract.scopes import EVERYTHING
from store_contract.truth import Truth, stems

BEGINNINGS = ["har", "Harbour W", "press", "la v", "VIGIE", "ann o", "öst", "bo", "x", "", " ", '"', "\\", "%", "\0"]
TITLES = ["ferry", "fer", "ferry str", "harbour ferr", "peace keep", "headline of", "ete", "unheard", "", "—", '"', "%"]


def without_its_own(stats: dict[str, Any]) -> dict[str, Any]:
    """Figures without those that depend on where the passages are."""
    return {name: value for name, value in stats.items() if name not in ("bytes", "dense_search")}


class Reading:
    """What results, facets and suggestions are made of."""

    def test_articles_come_as_they_were_stored(self, store: Store, truth: Truth) -> None:
        assert store.articles(truth.article_numbers.tolist()) == truth.articles
        first = int(truth.article_numbers[0])
        assert store.articles([first]) == {first: truth.articles[first]}

    def test_an_article_is_found_by_its_id(self, store: Store, truth: Truth) -> None:
        for number, article in truth.articles.items():
            assert store.article(article.id) == (number, article)
        for nothing in ("", "nope", "WIRE", "wire ", "%", "_ire", '" or number > 0 or "', "\0", "wire\0", "x" * 70_000):
            assert store.article(nothing) is None

    def test_passages_come_as_they_were_cut(self, store: Store, truth: Truth) -> None:
        assert store.passages(truth.numbers.tolist()) == truth.passages
        for article in truth.articles:
            assert store.passages_of(article) == truth.passages_of(article)

    def test_what_is_not_there_is_left_out(self, store: Store, truth: Truth) -> None:
        nowhere = [int(truth.numbers[-1]) + 1, 1 << 62, 0, -1]
        known, article = int(truth.numbers[0]), int(truth.article_numbers[0])
        assert store.passages([]) == store.articles([]) == store.copies([]) == {}
        # What others change meanwhile may be told of, too: by an error that says to search again.
        with suppress(StoreChanged):
            assert set(store.passages([*nowhere, known])) == {known}
        with suppress(StoreChanged):
            assert set(store.articles([int(truth.article_numbers[-1]) + 1, 1 << 62, 0, -1, article])) == {article}
        assert store.passages_of(int(truth.article_numbers[-1]) + 1) == []

    def test_passages_know_their_articles_and_their_places(self, store: Store, truth: Truth) -> None:
        for numbers in (truth.numbers, truth.numbers[::-2], np.repeat(truth.numbers[:3], 2), truth.numbers[:0]):
            passages = [truth.passages[number] for number in numbers.tolist()]
            places = [truth.passages_of(passage.article).index(passage) for passage in passages]
            assert store.article_numbers(numbers).tolist() == [passage.article for passage in passages]
            assert store.places(numbers).tolist() == places

    def test_days_and_facts_are_those_of_the_articles(self, store: Store, truth: Truth) -> None:
        for numbers in (truth.article_numbers, truth.article_numbers[::-2], truth.article_numbers[:0]):
            articles = [truth.articles[number] for number in numbers.tolist()]
            days = [float(date.fromisoformat(one.day).toordinal()) if one.day else math.nan for one in articles]
            assert np.array_equal(store.days(numbers), np.asarray(days, dtype=np.float32), equal_nan=True)
            facts = [ArticleFacts(one.day, one.source, one.authors, one.language) for one in articles]
            assert store.facts(numbers) == facts

    def test_copies_of_a_story_know_each_other_earliest_first(self, store: Store, truth: Truth) -> None:
        assert {copy.id for copy in truth.copies[truth.number("wire")]} == {"trimmed", "reprint"}
        assert store.copies(list(truth.articles)) == truth.copies
        assert store.copies([truth.number("0")]) == {}

    def test_every_copy_names_the_one_that_heads_the_story(self, store: Store, truth: Truth) -> None:
        story = {truth.number(id) for id in ("wire", "reprint", "trimmed")}
        stories = dict(zip(truth.article_numbers.tolist(), store.stories(truth.article_numbers).tolist(), strict=True))
        assert {stories[article] for article in story} == {truth.number("wire")}
        assert all(stories[article] == article for article in truth.articles if article not in story)
        assert store.stories(truth.article_numbers[:0]).tolist() == []

    @pytest.mark.parametrize("typed", BEGINNINGS)
    def test_names_go_on_as_was_typed(self, store: Store, reference: Store, typed: str) -> None:
        for size in (0, 1, 10):
            assert store.sources_named(typed, size) == reference.sources_named(typed, size)
            assert store.authors_named(typed, size) == reference.authors_named(typed, size)

    @pytest.mark.parametrize("typed", TITLES)
    def test_titles_hold_what_was_typed_newest_first(self, store: Store, truth: Truth, typed: str) -> None:
        *whole, last = spellings(typed) or [""]

        def holds(title: str) -> bool:
            having = set(stems(title))
            begun = any(stem.startswith(last) for stem in having) or set(stems(last)) & having
            return bool(last and begun and all(stem in having for word in whole for stem in stems(word)))

        expected = {number for number, article in truth.articles.items() if holds(article.title)}
        found = store.titled(typed, EVERYTHING).tolist()
        assert set(found) == expected
        assert len(set(found)) == len(found)
        days = [truth.day(number) for number in found]
        assert days == sorted(days, reverse=True)
        few = store.titled(typed, 3).tolist()
        # Fewer where an article has very many passages.
        assert min(len(expected), 1) <= len(few) <= 3
        assert [truth.day(number) for number in few] == days[: len(few)]

    def test_counts_are_those_of_the_catalog(self, store: Store, truth: Truth) -> None:
        counts = store.counts()
        assert (counts.articles, counts.passages) == (len(truth.articles), len(truth.passages))
        assert counts == truth.counts

    def test_figures_are_those_of_the_index(self, store: Store, reference: Store) -> None:
        assert without_its_own(store.stats()) == without_its_own(reference.stats())
        assert set(store.stats()) == set(reference.stats())
        json.dumps(store.stats())

    def test_it_is_known_when_it_was_written(self, store: Store, reference: Store) -> None:
        assert reference.written() - 1 <= store.written() <= time.time()

    def test_whatever_is_asked_of_it_in_one_search_is_asked_in_time(self, store: Store, truth: Truth) -> None:
        with store.in_time(), store.in_time():
            assert store.articles(truth.article_numbers.tolist()) == truth.articles
        assert store.passages(truth.numbers.tolist()) == truth.passages

    def test_the_model_is_the_one_that_embedded(self, store: Store, reference: Store) -> None:
        assert store.model == reference.model
