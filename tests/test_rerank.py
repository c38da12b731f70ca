"""Tiny cross-encoders, made on the spot: they know nothing, but are whole models."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ModelError
from search import rerank
from search.engine import Engine
from search.rerank import Reranker, reordered

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ferry", "aground", "budget", "town", "warm"]


def save_bert(folder, kind="BertForSequenceClassification", **options):
    import torch
    import transformers

    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        initializer_range=1.0, **{"num_labels": 1, **options},
    )  # fmt: skip
    getattr(transformers, kind)(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)})
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reranker(tmp_path_factory):
    return Reranker.load(str(save_bert(tmp_path_factory.mktemp("model") / "bert")))


def within(reranker, seconds):
    reranker.budget_seconds = seconds
    return reranker


class SlowModel:
    """Takes `seconds` by its own clock for a batch, and scores a text by its length."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.now = 0.0

    def predict(self, pairs, **_):
        self.now += self.seconds
        return np.asarray([len(text) for _, text in pairs], dtype=np.float32)


def slow_reranker(monkeypatch, seconds):
    model = SlowModel(seconds)
    monkeypatch.setattr(rerank.time, "monotonic", lambda: model.now)
    return Reranker(model, "slow")


def test_every_text_gets_the_score_the_model_gives_its_pair_alone(reranker):
    texts = ["ferry aground", "town budget", "budget", "ferry", "aground town ferry", ""]
    together = within(reranker, 60).scores("ferry", texts)
    alone = [within(reranker, 60).scores("ferry", [text])[0] for text in texts]
    assert together.dtype == np.float32
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together.round(4))) > 3


def test_no_texts_and_no_time_give_no_scores(reranker):
    assert within(reranker, 60).scores("ferry", []).shape == (0,)
    assert within(reranker, 0).scores("ferry", ["ferry"]).shape == (0,)


def test_scoring_stops_before_a_batch_that_would_break_the_budget(monkeypatch):
    slow = slow_reranker(monkeypatch, 0.3)
    assert slow.scores("q", ["x" * length for length in range(20)]).tolist() == list(range(12))


def test_the_first_batch_is_scored_whatever_it_takes_and_no_other_after_it(monkeypatch):
    assert len(slow_reranker(monkeypatch, 5.0).scores("q", ["a"] * 20)) == rerank._BATCH


def test_who_waits_longer_than_the_budget_for_another_thread_gets_no_scores(reranker):
    with reranker._lock:
        assert within(reranker, 0.01).scores("ferry", ["ferry"]).shape == (0,)


def test_a_folder_without_a_model_is_refused_and_named(tmp_path):
    with pytest.raises(ModelError, match=rf"{tmp_path}.*whole cross-encoder"):
        Reranker.load(str(tmp_path))


def test_a_name_that_is_not_here_offline_says_how_to_fetch_it(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="hf download nobody/nothing"):
        Reranker.load("nobody/nothing")


def test_offline_nothing_but_local_files_is_tried(monkeypatch):
    tried = []

    def fail(location, *, offline):
        tried.append(offline)
        raise OSError("not here")

    monkeypatch.setattr(rerank, "_cross_encoder", fail)
    for setting, expected in (("1", [True]), ("0", [True, False])):
        monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", setting)
        with pytest.raises(ModelError, match="not here"):
            Reranker.load("some/model")
        assert tried == expected
        tried.clear()


@pytest.mark.parametrize(("kind", "options"), [("BertModel", {}), ("BertForSequenceClassification", {"num_labels": 3})])
def test_a_model_of_another_kind_is_refused(tmp_path, kind, options):
    with pytest.raises(ModelError, match="not a cross-encoder that gives a pair one score"):
        Reranker.load(str(save_bert(tmp_path, kind, **options)))


def test_the_scored_come_first_by_score_and_equals_keep_their_order():
    assert reordered(6, np.asarray([0.1, 0.9, 0.9, 0.5], np.float32)) == [1, 2, 3, 0, 4, 5]
    assert reordered(3, np.empty(0, np.float32)) == [0, 1, 2]


def test_more_scores_than_candidates_are_an_error():
    with pytest.raises(ValueError, match="2 scores for 1"):
        reordered(1, np.zeros(2, np.float32))


@given(st.lists(st.floats(-9, 9, width=32)), st.integers(0, 20))
def test_reordering_loses_nobody_and_leaves_the_unscored_behind(scores, more):
    order = reordered(len(scores) + more, np.asarray(scores, np.float32))
    assert sorted(order) == list(range(len(scores) + more))
    assert order[len(scores) :] == list(range(len(scores), len(scores) + more))
    found = [scores[position] for position in order[: len(scores)]]
    assert found == sorted(found, reverse=True)


def test_a_search_puts_first_what_the_cross_encoder_scores_highest(root, load, reranker):
    plain = Engine.open(root, load).search("ferry", size=5)
    result = Engine.open(root, load, within(reranker, 60)).search("ferry", size=5, explain=True)
    scores = [hit.signals["rerank"] for hit in result]
    assert scores == sorted(scores, reverse=True)
    assert {hit.article.id for hit in result} == {hit.article.id for hit in plain}
    assert [hit.rank for hit in result] == [1, 2, 3, 4, 5]


def test_what_lies_below_the_top_keeps_its_place(root, load, reranker):
    plain = [hit.article.id for hit in Engine.open(root, load).search("ferry", size=5)]
    few = Reranker(reranker._model, "few", top=2, budget_seconds=60)
    reranked = [hit.article.id for hit in Engine.open(root, load, few).search("ferry", size=5)]
    assert reranked[2:] == plain[2:]
    assert set(reranked[:2]) == set(plain[:2])
