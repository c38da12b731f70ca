"""Candidates: dense and lexical search, what is newest, what is alike."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sample import FakeEncoder

from index.filters import Filters
from index.store import Candidates, Store
from index.terms import Word
from store_contract.corpus import WORDS
from store_contract.scopes import EVERYTHING, HALF_PRECISION, QUERY, dense, words
from store_contract.truth import Truth, stems

QUERIES = [QUERY, "harbour council", "été", "peace-keeping crews", "whale whale budget", "l'automne", "all of them"]
# Weights in float32, kept by one engine and summed by another.
CLOSE = 1e-3


def lexical_leg(store: Store) -> None:
    """Skips where the store says that it finds nothing by words."""
    if not store.lexical:
        pytest.skip("this server has no sparse vectors, so the store has no lexical leg, and says so")


def descending(found: Candidates) -> bool:
    return bool(np.all(np.diff(found.scores) <= 1e-6))


class Legs:
    """What each leg finds, in which order, with which scores."""

    @pytest.mark.parametrize("query", QUERIES)
    @pytest.mark.parametrize("size", [0, 1, 7, EVERYTHING, 100_000])
    def test_dense_search_finds_the_nearest_exactly(self, store: Store, truth: Truth, query: str, size: int) -> None:
        vector = FakeEncoder().encode_query(query)
        found, cosines = store.search_dense(vector, size, store.scope(Filters())), truth.vectors @ vector
        assert len(found) == min(size, len(truth.numbers))
        assert found.numbers.dtype == np.int64
        assert descending(found)
        assert found.scores == pytest.approx(np.sort(cosines)[::-1][:size], abs=HALF_PRECISION)
        assert found.scores == pytest.approx(truth.rows(found.numbers) @ vector, abs=HALF_PRECISION)

    @pytest.mark.parametrize("query", QUERIES)
    @pytest.mark.parametrize("size", [0, 1, 7, EVERYTHING])
    def test_lexical_search_has_the_highest_bm25(self, store: Store, reference: Store, query: str, size: int) -> None:
        lexical_leg(store)
        asked = words(query)
        found = store.search_lexical(asked, size, store.scope(Filters()))
        expected = reference.search_lexical(asked, size, reference.scope(Filters()))
        assert len(found) == len(expected)
        assert descending(found)
        assert found.scores == pytest.approx(expected.scores, rel=CLOSE)
        assert reference.matches(asked, (), found.numbers).bm25 == pytest.approx(found.scores, rel=CLOSE)

    def test_words_in_several_wordings_are_found_in_each(self, store: Store, reference: Store) -> None:
        lexical_leg(store)
        asked = [Word((("peacekeep",), ("peac", "keep"))), Word((("ferri",), ("whale",)))]
        everywhere = store.scope(Filters())
        found = store.search_lexical(asked, EVERYTHING, everywhere)
        expected = reference.search_lexical(asked, EVERYTHING, reference.scope(Filters()))
        assert set(found.numbers.tolist()) == set(expected.numbers.tolist())
        best = reference.matches(asked, (), store.search_lexical(asked, 10, everywhere).numbers).bm25
        assert np.sort(best)[::-1] == pytest.approx(expected.scores[:10], rel=0.1)

    def test_words_that_occur_nowhere_find_nothing(self, store: Store) -> None:
        scope = store.scope(Filters())
        assert len(store.search_lexical(words("unheard zeppelin"), 10, scope)) == 0
        assert len(store.search_lexical([], 10, scope)) == 0
        lexical_leg(store)
        assert len(store.search_lexical(words("unheard ferry"), 10, scope)) == 10

    @pytest.mark.parametrize(
        "filters", [Filters(excluded=("ferry strike", "whale")), Filters(phrases=("crews budget",))]
    )
    def test_phrases_and_excluded_words_starve_no_leg(self, store: Store, truth: Truth, filters: Filters) -> None:
        left, scope, asked = truth.left(filters), store.scope(filters), words(" ".join(WORDS))
        assert len(left) > 3
        assert sorted(dense(store, filters)) == left
        lexical_leg(store)
        whole = store.search_lexical(asked, EVERYTHING, scope)
        having = [number for number in left if set(stems(truth.text(number))) & set(stems(" ".join(WORDS)))]
        assert sorted(whole.numbers.tolist()) == having
        for size in range(1, len(whole) + 2):
            found = store.search_lexical(asked, size, scope)
            assert found.scores == pytest.approx(whole.scores[:size], rel=CLOSE)

    def test_the_newest_articles_come_first_and_those_without_a_date_last(self, store: Store, truth: Truth) -> None:
        for filters in (Filters(), Filters(sources=("LA VIGIE",)), Filters(languages=("en",), excluded=("whale",))):
            expected = truth.newest(truth.left(filters))
            assert store.newest(store.scope(filters)).tolist() == expected
            for size in (1, 7, EVERYTHING):
                assert store.newest(store.scope(filters), size).tolist()[:size] == expected[:size]

    def test_the_latest_articles_are_dated_and_head_their_stories(self, store: Store, truth: Truth) -> None:
        stories = dict(zip(truth.article_numbers.tolist(), store.stories(truth.article_numbers).tolist(), strict=True))
        heads = [number for number in truth.articles if truth.day(number) and stories[number] == number]
        expected = sorted(heads, key=lambda number: (-truth.day(number), -number))
        for size in (0, 1, 5, len(expected), EVERYTHING):
            found = store.latest(size).tolist()
            assert list(map(truth.day, found)) == list(map(truth.day, expected))[:size]
            # Of a day that has more articles than are asked for, any may be left out.
            assert found == sorted(set(found) & set(heads), key=lambda number: (-truth.day(number), -number))
        assert store.latest(len(expected)).tolist() == expected

    def test_similar_articles_are_the_nearest_and_no_copies(self, store: Store, truth: Truth) -> None:
        for article in [*truth.article_numbers.tolist()[:6], *map(truth.number, ("wire", "trimmed"))]:
            others = np.asarray([one for one in truth.articles if one not in truth.story(article)])
            cosines = np.asarray([truth.mean(one) for one in others.tolist()]) @ truth.mean(article)
            for size in (1, 10, EVERYTHING):
                found = store.similar(article, size)
                assert len(found) == min(size, len(others))
                assert not set(found.numbers.tolist()) & truth.story(article)
                assert found.scores == pytest.approx(np.sort(cosines)[::-1][:size], abs=HALF_PRECISION)
                own = [float(truth.mean(one) @ truth.mean(article)) for one in found.numbers.tolist()]
                assert found.scores == pytest.approx(own, abs=HALF_PRECISION)

    def test_threads_share_a_store(self, store: Store) -> None:
        def ask(at: int) -> list[int]:
            filters = [Filters(), Filters(sources=("Harbour Wire",)), Filters(excluded=("whale",))][at % 3]
            return dense(store, filters, 20)

        alone = [ask(at) for at in range(3)]
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(ask, range(24))) == alone * 8
