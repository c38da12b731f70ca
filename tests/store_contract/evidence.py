"""Evidence: the vocabulary, and what words and vectors are to given passages and articles."""

import math

import numpy as np
import pytest
from sample import FakeEncoder

from index.bm25 import Matches
from index.slips import slips
from index.store import Store
from index.terms import Word
from store_contract.legs import CLOSE, QUERIES, words
from store_contract.scopes import HALF_PRECISION, QUERY
from store_contract.truth import Truth, stand, stems

STEMS = ["ferri", "strike", "ete", "automn", "l", "peac", "keep", "peacekeep", "whale", "headlin", "unheard", ""]
TYPED = ["ferry", "ferrys", "habour", "whale", "whlae", "ete", "counsil", "peacekeping", "xqzzy", "b"]
# Words in several wordings, too: the commonest counts.
WORDINGS = [*words(QUERY), Word((("peacekeep",), ("peac", "keep"))), Word((("unheard",), ("whale",), ("budget",)))]
PAIRS = [("ferri", "strike"), ("strike", "ferri"), ("peac", "keep"), ("unheard", "ferri")]


def same_matches(left: Matches, right: Matches) -> None:
    for name in ("bm25", "coverage", "pairs"):
        assert getattr(left, name) == pytest.approx(getattr(right, name), rel=CLOSE, abs=CLOSE), name


class Evidence:
    """What ranking asks of candidates that it has."""

    @pytest.mark.parametrize("stem", STEMS)
    def test_frequencies_of_stems(self, store: Store, truth: Truth, reference: Store, stem: str) -> None:
        having = sum(stem in stems(truth.text(number)) for number in truth.passages)
        if stem != "peacekeep":  # a compound, which is there besides its parts
            assert store.vocabulary.frequency(stem) == having
        passages, frequency = len(truth.passages), reference.vocabulary.frequency(stem)
        assert store.vocabulary.frequency(stem) == frequency
        expected = math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))
        assert store.vocabulary.idf(stem) == pytest.approx(expected, rel=CLOSE)

    def test_what_will_be_asked_can_be_told_before(self, store: Store, reference: Store) -> None:
        store.vocabulary.expect(STEMS, TYPED)
        store.vocabulary.expect([])
        for each in (*STEMS, *TYPED):
            assert store.vocabulary.frequency(each) == reference.vocabulary.frequency(each)
            assert store.vocabulary.known(each) == reference.vocabulary.known(each)

    @pytest.mark.parametrize("word", TYPED)
    def test_words_as_they_are_spelled_and_those_near_them(self, store: Store, reference: Store, word: str) -> None:
        assert store.vocabulary.known(word) == reference.vocabulary.known(word)
        for distance in (1, 2):
            near = dict(store.vocabulary.near(word, distance))
            # A store may find words with slips on the first letters, too.
            assert near.items() >= dict(reference.vocabulary.near(word, distance)).items()
            assert all(0 < slips(word, other, distance) <= distance for other in near)
            assert all(store.vocabulary.known(other) == passages for other, passages in near.items())
            assert list(near.values()) == sorted(near.values(), reverse=True)

    def test_the_vocabulary_is_of_all_passages(self, store: Store, truth: Truth) -> None:
        assert len(store.vocabulary) == len(truth.passages)

    @pytest.mark.parametrize(
        "phrase", ["ferry", "ferry strike", "harbour council budget", "peace-keeping", "peacekeeping", "unheard", ""]
    )
    def test_passages_in_which_words_stand_side_by_side(self, store: Store, truth: Truth, phrase: str) -> None:
        found = store.vocabulary.matching(stems(phrase))
        expected = [number for number in truth.passages if phrase and stand(phrase, truth.text(number))]
        assert sorted(found.tolist()) == sorted(expected)

    def test_vectors_come_in_the_order_asked_for(self, store: Store, truth: Truth) -> None:
        for numbers in (truth.numbers, truth.numbers[::-3], truth.numbers[:0]):
            vectors = store.vectors(numbers)
            assert vectors.shape == (len(numbers), store.model.dimension)
            assert vectors == pytest.approx(truth.rows(numbers), abs=HALF_PRECISION)

    @pytest.mark.parametrize("query", QUERIES)
    def test_words_are_to_passages_what_they_are_to_the_reference(
        self, store: Store, truth: Truth, reference: Store, query: str
    ) -> None:
        for numbers in (truth.numbers, truth.numbers[::7], truth.numbers[:1], truth.numbers[:0]):
            same_matches(store.matches(words(query), (), numbers), reference.matches(words(query), (), numbers))
        assert store.ideal_bm25(words(query)) == pytest.approx(reference.ideal_bm25(words(query)), rel=CLOSE)

    def test_wordings_and_pairs_are_to_passages_what_they_are_to_the_reference(
        self, store: Store, truth: Truth, reference: Store
    ) -> None:
        found = store.matches(WORDINGS, PAIRS, truth.numbers)
        same_matches(found, reference.matches(WORDINGS, PAIRS, truth.numbers))
        assert found.pairs.any()
        same_matches(store.matches((), PAIRS, truth.numbers), reference.matches((), PAIRS, truth.numbers))
        assert store.ideal_bm25(WORDINGS) == pytest.approx(reference.ideal_bm25(WORDINGS), rel=CLOSE)

    @pytest.mark.parametrize("query", QUERIES)
    def test_words_are_to_articles_what_they_are_to_the_reference(
        self, store: Store, truth: Truth, reference: Store, query: str
    ) -> None:
        for articles in (truth.article_numbers, truth.article_numbers[::7], truth.article_numbers[:0]):
            found, expected = (each.article_matches(words(query), articles) for each in (store, reference))
            assert found.bm25 == pytest.approx(expected.bm25, rel=CLOSE, abs=CLOSE)
            assert found.coverage == pytest.approx(expected.coverage, rel=CLOSE, abs=CLOSE)
        ideal = reference.ideal_article_bm25(words(query))
        assert store.ideal_article_bm25(words(query)) == pytest.approx(ideal, rel=CLOSE)

    def test_wordings_are_to_articles_what_they_are_to_the_reference(
        self, store: Store, truth: Truth, reference: Store
    ) -> None:
        found, expected = (each.article_matches(WORDINGS, truth.article_numbers) for each in (store, reference))
        assert found.bm25 == pytest.approx(expected.bm25, rel=CLOSE, abs=CLOSE)
        assert found.coverage == pytest.approx(expected.coverage, rel=CLOSE, abs=CLOSE)
        assert store.ideal_article_bm25(WORDINGS) == pytest.approx(reference.ideal_article_bm25(WORDINGS), rel=CLOSE)

    def test_an_article_has_the_direction_of_all_its_passages(self, store: Store, truth: Truth) -> None:
        query = FakeEncoder().encode_query(QUERY)
        for articles in (truth.article_numbers, truth.article_numbers[::5], truth.article_numbers[:0]):
            expected = np.asarray([truth.mean(article) @ query for article in articles.tolist()])
            assert store.article_cosines(query, articles) == pytest.approx(expected, abs=HALF_PRECISION)
