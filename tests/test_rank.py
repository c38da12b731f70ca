import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.rank import (
    GATE_CEILING,
    GATE_FLOOR,
    HALF_LIFE_DAYS,
    RRF_K,
    Evidence,
    centre_of_the_first,
    gate,
    group_by_article,
    recency,
    reciprocal_rank_fusion,
    share,
    total,
    ungrouped,
    weighed,
)

cosine = st.floats(-1, 1, width=32)
bm25 = st.floats(0, 50, width=32)
candidates = st.lists(st.tuples(cosine, bm25), min_size=1, max_size=30)


def arrays(pairs):
    return tuple(np.array(column, dtype=np.float32) for column in zip(*pairs, strict=True))


def evidence(legs, ideal, **more):
    cosines, scores = arrays(legs)
    share_ = share(scores, ideal)
    return Evidence(cosines, scores, share_, places=np.zeros(len(cosines), dtype=np.int64), **more)


@given(candidates, st.floats(50, 500))
def test_no_passage_ranks_below_one_that_is_worse_on_both_legs(pairs, ideal):
    cosines, scores = arrays(pairs)
    fused = total(weighed(evidence(pairs, ideal)))
    for better in range(len(pairs)):
        worse = (cosines <= cosines[better]) & (scores <= scores[better])
        assert (fused[worse] <= fused[better] + 1e-5).all()


@given(candidates, st.floats(50, 500), st.data())
def test_more_evidence_of_any_kind_never_lowers_a_score(pairs, ideal, data):
    unit = st.lists(st.floats(0, 1, width=32), min_size=len(pairs), max_size=len(pairs)).map(np.float32)
    names = ("pairs", "article_cosines", "article_shares", "article_coverage", "feedback")
    more = {name: data.draw(unit) for name in names}
    before = total(weighed(evidence(pairs, ideal, words=12, **more)))
    name = data.draw(st.sampled_from(names))
    raised = more | {name: np.minimum(more[name] + np.float32(0.1), 1)}
    assert (total(weighed(evidence(pairs, ideal, words=12, **raised))) >= before - 1e-5).all()


@given(st.lists(cosine, min_size=1, max_size=30))
def test_without_any_matching_word_meaning_alone_decides(cosines):
    pairs = [(value, 0.0) for value in cosines]
    order = np.argsort(-total(weighed(evidence(pairs, 30.0))), kind="stable")
    assert (np.diff(np.float32(cosines)[order]) <= 1e-6).all()


@given(st.lists(bm25, min_size=1, max_size=30), st.just(0.0) | st.floats(0.001, 60))
def test_a_share_lies_between_nothing_and_everything(scores, ideal):
    found = share(np.array(scores, dtype=np.float32), ideal)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_weak_best_word_match_does_not_overrule_meaning():
    weak = [(0.6, 0.0), (0.4, 3.0)]
    assert total(weighed(evidence(weak, ideal=30.0))).argmax() == 0
    assert total(weighed(evidence(weak, ideal=3.0))).argmax() == 1


def test_a_word_everywhere_in_a_long_question_counts_and_in_a_short_one_does_not():
    whole = {"article_coverage": np.float32([1.0, 0.5])}
    short, long = (weighed(evidence([(0.5, 0), (0.5, 0)], 9, words=words, **whole))["coverage"] for words in (3, 12))
    assert short.tolist() == [0, 0]
    assert long[0] > 20 * long[1]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, 1), (HALF_LIFE_DAYS, 0.5), (2 * HALF_LIFE_DAYS, 0.25), (-1, 1), (-2, 0), (np.nan, 0), (10_000, 0)],
)
def test_freshness_halves_with_age_and_what_lies_ahead_is_not_fresh(age, expected):
    assert recency(np.float32([age]))[0] == pytest.approx(expected, abs=1e-6)


def test_what_is_near_the_first_passages_is_what_feedback_looks_for():
    vectors = np.eye(4, dtype=np.float32)
    scores = np.float32([0.9, 0.8, 0.1, 0.0])
    centre = centre_of_the_first(scores, vectors)
    assert np.linalg.norm(centre) == pytest.approx(1)
    assert centre == pytest.approx(np.full(4, 0.5))  # fewer than FEEDBACK_PASSAGES: all of them


@given(st.lists(st.floats(0, 3), max_size=30), st.booleans())
def test_the_best_hit_passes_the_gate_unless_nothing_answers(scores, comparable):
    lowest = gate(scores, comparable=comparable)
    best = max(scores, default=0)
    assert lowest <= max(best, GATE_FLOOR)
    assert not comparable or not scores or GATE_FLOOR <= lowest <= GATE_CEILING


def test_reciprocal_rank_fusion_is_the_published_formula():
    fused = reciprocal_rank_fusion(np.float32([0.9, 0.5, 0.1]), np.float32([0.0, 7.0, 3.0]))
    expected = [1 / (RRF_K + 1), 1 / (RRF_K + 2) + 1 / (RRF_K + 1), 1 / (RRF_K + 3) + 1 / (RRF_K + 2)]
    assert fused == pytest.approx(expected)


@given(st.lists(st.tuples(cosine, st.integers(1, 5)), min_size=1, max_size=30))
def test_grouping_keeps_every_passage_once_and_the_best_first(pairs):
    scores = np.array([score for score, _ in pairs], dtype=np.float32)
    articles = np.array([article for _, article in pairs])
    groups = group_by_article(scores, articles)
    assert sorted(position for group in groups for position in group.passages) == list(range(len(pairs)))
    assert len({group.article for group in groups}) == len(groups)
    for group in groups:
        assert group.score == pytest.approx(scores[articles == group.article].max())
        assert list(scores[list(group.passages)]) == sorted(scores[list(group.passages)], reverse=True)
    assert [group.score for group in groups] == sorted((group.score for group in groups), reverse=True)


def test_ties_go_to_the_earlier_article():
    groups = group_by_article(np.float32([0.5, 0.5]), np.array([9, 4]))
    assert [group.article for group in groups] == [4, 9]


def test_ungrouped_ranks_every_passage_by_itself():
    groups = ungrouped(np.float32([0.1, 0.9, 0.5]), np.array([7, 7, 7]))
    assert [group.passages for group in groups] == [(1,), (2,), (0,)]
