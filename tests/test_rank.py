import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.rank import (
    RRF_K,
    group_by_article,
    lexical_share,
    reciprocal_rank_fusion,
    share_fusion,
    ungrouped,
)

cosine = st.floats(-1, 1, width=32)
bm25 = st.floats(0, 50, width=32)
candidates = st.lists(st.tuples(cosine, bm25), min_size=1, max_size=30)


def arrays(pairs):
    return tuple(np.array(column, dtype=np.float32) for column in zip(*pairs, strict=True))


@given(candidates, st.floats(50, 500))
def test_share_fusion_never_ranks_a_passage_below_one_that_is_worse_on_both_legs(pairs, ideal):
    cosines, scores = arrays(pairs)
    fused = share_fusion(cosines, scores, ideal)
    for better in range(len(pairs)):
        worse = (cosines <= cosines[better]) & (scores <= scores[better])
        assert (fused[worse] <= fused[better] + 1e-6).all()


@given(st.lists(cosine, min_size=1, max_size=30))
def test_without_any_matching_word_share_fusion_is_dense_search(cosines):
    cosines = np.array(cosines, dtype=np.float32)
    assert np.array_equal(share_fusion(cosines, np.zeros_like(cosines), 30.0), cosines)


@given(st.lists(bm25, min_size=1, max_size=30), st.just(0.0) | st.floats(0.001, 60))
def test_a_share_lies_between_nothing_and_everything(scores, ideal):
    share = lexical_share(np.array(scores, dtype=np.float32), ideal)
    assert (share >= 0).all()
    assert (share <= 1).all()


def test_a_weak_best_word_match_does_not_overrule_meaning():
    cosines, scores = np.float32([0.6, 0.2]), np.float32([0.0, 3.0])
    assert share_fusion(cosines, scores, ideal=30.0).argmax() == 0
    assert share_fusion(cosines, scores, ideal=3.0).argmax() == 1


def test_reciprocal_rank_fusion_is_the_published_formula():
    fused = reciprocal_rank_fusion(np.float32([0.9, 0.5, 0.1]), np.float32([0.0, 7.0, 3.0]))
    expected = [1 / (RRF_K + 1), 1 / (RRF_K + 2) + 1 / (RRF_K + 1), 1 / (RRF_K + 3) + 1 / (RRF_K + 2)]
    assert fused == pytest.approx(expected)


@given(st.lists(st.tuples(cosine, st.integers(1, 5)), min_size=1, max_size=30))
def test_grouping_keeps_every_passage_once_and_the_best_first(pairs):
    scores = np.array([score for score, _ in pairs], dtype=np.float32)
    articles = np.array([article for _, article in pairs])
    groups = group_by_article(scores, articles, {})
    assert sorted(position for group in groups for position in group.passages) == list(range(len(pairs)))
    assert len({group.article for group in groups}) == len(groups)
    for group in groups:
        assert group.score == pytest.approx(scores[articles == group.article].max())
        assert list(scores[list(group.passages)]) == sorted(scores[list(group.passages)], reverse=True)
    assert [group.score for group in groups] == sorted((group.score for group in groups), reverse=True)


def test_the_whole_article_counts_beside_its_best_passage():
    scores, articles = np.float32([0.50, 0.49]), np.array([1, 2])
    assert [group.article for group in group_by_article(scores, articles, {1: 0.0, 2: 0.1})] == [2, 1]


def test_ties_go_to_the_earlier_article():
    groups = group_by_article(np.float32([0.5, 0.5]), np.array([9, 4]), {})
    assert [group.article for group in groups] == [4, 9]


def test_ungrouped_ranks_every_passage_by_itself():
    groups = ungrouped(np.float32([0.1, 0.9, 0.5]), np.array([7, 7, 7]))
    assert [group.passages for group in groups] == [(1,), (2,), (0,)]
