"""Nasty values: quotes, backslashes, wild cards, emoji, texts longer than a field, and filters that are code."""

import numpy as np
import pytest
from sample import FakeEncoder

from index.filters import Filters
from index.store import ArticleFacts, Store
from store_contract.corpus import INJECTIONS
from store_contract.legs import words
from store_contract.scopes import EVERYTHING, HALF_PRECISION, dense
from store_contract.truth import Truth

QUERIES = ["crabs walk", "no", "grève", "渡轮", "x", "été \" ' \\ % _", "נמל", "\0", "🦀"]


class Nasty:
    """That every value comes back as it was stored, and none is taken for more than a value."""

    def test_all_comes_back_as_it_was_stored(self, nasty_store: Store, nasty_truth: Truth) -> None:
        truth = nasty_truth
        assert nasty_store.counts() == truth.counts
        assert nasty_store.articles(list(truth.articles)) == truth.articles
        assert nasty_store.passages(list(truth.passages)) == truth.passages
        for number, article in truth.articles.items():
            assert nasty_store.article(article.id) == (number, article)
            assert nasty_store.passages_of(number) == truth.passages_of(number)
        facts = [ArticleFacts(one.day, one.source, one.authors, one.language) for one in truth.articles.values()]
        assert nasty_store.facts(truth.article_numbers) == facts
        days = np.nan_to_num(nasty_store.days(truth.article_numbers))
        assert days.tolist() == [truth.day(number) for number in truth.articles]

    def test_wild_cards_and_injections_are_ids_like_others(self, nasty_store: Store, nasty_truth: Truth) -> None:
        ids = {article.id for article in nasty_truth.articles.values()}
        for asked in [*INJECTIONS, "100%wild", "1__%_wild", "%", "quo", 'quo\\"ted', "i" * 2_999, "nul\0"]:
            found = nasty_store.article(asked)
            assert (found is not None) == (asked in ids), asked
            assert found is None or found[1].id == asked

    def test_every_name_finds_its_own_articles(self, nasty_store: Store, nasty_truth: Truth) -> None:
        articles = list(nasty_truth.articles.values())
        asked = [Filters(sources=(one.source,)) for one in articles if one.source]
        asked += [Filters(excluded_sources=(one.source,)) for one in articles if one.source]
        asked += [Filters(authors=(name,)) for one in articles for name in one.authors[:3]]
        asked += [Filters(first_day=one.day, last_day=one.day) for one in articles if one.day]
        asked += [Filters(title=(one.title[:200],)) for one in articles]
        for filters in asked:
            scope = nasty_store.scope(filters)
            expected = nasty_truth.left(filters)
            assert (scope.passages, scope.unknown) == (len(expected), ()), filters
            assert sorted(dense(nasty_store, filters)) == expected, filters

    @pytest.mark.parametrize("field", ["sources", "excluded_sources", "authors", "languages", "phrases", "excluded"])
    def test_injected_filters_find_what_values_find(self, nasty_store: Store, nasty_truth: Truth, field: str) -> None:
        for value in INJECTIONS:
            filters = Filters(**{field: (value,)})
            scope = nasty_store.scope(filters)
            assert scope.passages == len(nasty_truth.left(filters)), value
            assert set(scope.unknown) == nasty_truth.unknown(filters), value

    @pytest.mark.parametrize("query", QUERIES)
    def test_every_query_is_answered(
        self, nasty_store: Store, nasty_reference: Store, nasty_truth: Truth, query: str
    ) -> None:
        vector, everywhere = FakeEncoder().encode_query(query), nasty_store.scope(Filters())
        found = nasty_store.search_dense(vector, EVERYTHING, everywhere)
        assert sorted(found.numbers.tolist()) == nasty_truth.numbers.tolist()
        assert found.scores == pytest.approx(nasty_truth.rows(found.numbers) @ vector, abs=HALF_PRECISION)
        if nasty_store.lexical:
            lexical = nasty_store.search_lexical(words(query), EVERYTHING, everywhere)
            other = nasty_reference.search_lexical(words(query), EVERYTHING, nasty_reference.scope(Filters()))
            assert set(lexical.numbers.tolist()) == set(other.numbers.tolist())
        assert set(nasty_store.titled(query, 50).tolist()) == set(nasty_reference.titled(query, 50).tolist())
        assert nasty_store.sources_named(query, 5) == nasty_reference.sources_named(query, 5)
