"""Inverted lists, against exact search in numpy."""

from pathlib import Path

import numpy as np
import pytest

from index import lists as inverted
from index.lists import Lists, made_lists
from index.vectors import Vectors, write_vectors

DIMENSION = 32
TARGET = 0.95
FIRST = 2**40


def topics(count: int, seed: int = 0, spread: float = 1.2) -> np.ndarray:
    """Unit vectors around sixty directions, as articles are around topics."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(60, DIMENSION))
    rows = centres[random.integers(60, size=count)] + spread * random.normal(size=(count, DIMENSION))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16).astype(np.float32)


def written(path: Path, rows: np.ndarray, numbers: np.ndarray | None = None) -> Vectors:
    numbers = FIRST + np.arange(len(rows)) if numbers is None else numbers
    write_vectors(path, DIMENSION, numbers, [rows])
    return Vectors.load(path, DIMENSION)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inverted, "EXACT_UP_TO", 200)
    monkeypatch.setattr(inverted, "_CANDIDATES", 20)
    return tmp_path


@pytest.fixture
def listed(folder: Path) -> Vectors:
    """4,000 vectors with lists over them, both mapped."""
    lists = made_lists(written(folder / "vectors", topics(4_000)), None, TARGET)
    assert lists
    lists.save(folder / "lists")
    return Vectors.load(folder / "vectors", DIMENSION, folder / "lists")


def recall(vectors: Vectors, allowed: np.ndarray | None = None) -> float:
    """The share of the ten nearest that searches for other vectors of the same kind find."""
    rows, numbers, found = vectors.matrix, vectors.numbers, 0
    queries = topics(50, seed=7)
    for query in queries:
        scores = rows @ query
        if allowed is not None:
            scores[~allowed] = -np.inf
        best = set(numbers[np.argsort(-scores)[:10]].tolist())
        got, cosines = vectors.search(query, 10, allowed)
        assert len(got) == 10
        assert np.all(np.diff(cosines) <= 0)
        assert np.allclose(cosines, scores[np.searchsorted(numbers, got)], atol=1e-5)
        found += len(best & set(got.tolist()))
    return found / (10 * len(queries))


def test_lists_find_what_they_were_made_to_find(listed: Vectors) -> None:
    assert listed.lists
    assert listed.lists.facts.recall >= TARGET
    assert listed.lists.probes < len(listed.lists)
    assert recall(listed) >= TARGET - 0.05


def test_a_lower_target_looks_into_fewer_lists(folder: Path, listed: Vectors) -> None:
    few = made_lists(Vectors.load(folder / "vectors", DIMENSION), None, 0.5)
    assert few
    assert listed.lists
    assert few.probes < listed.lists.probes


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.06, 0.03])
def test_filters_leave_all_that_is_asked_for(listed: Vectors, share: float) -> None:
    allowed = np.random.default_rng(3).random(len(listed)) < share
    assert recall(listed, allowed) >= TARGET - 0.05


def test_one_topic_far_from_the_query_is_found_when_nothing_else_is_allowed(listed: Vectors) -> None:
    scores = listed.matrix @ topics(1, seed=11)[0]
    far = np.argsort(scores)[:300]
    allowed = np.zeros(len(listed), dtype=bool)
    allowed[far] = True
    found, _ = listed.search(topics(1, seed=11)[0], 250, allowed)
    assert len(set(found.tolist()) & set(listed.numbers[far].tolist())) == 250


def test_what_comes_and_goes_after_the_lists_were_made_is_searched_exactly(listed: Vectors) -> None:
    gone = listed.numbers[::7]
    listed.remove(gone)
    new = topics(100, seed=5)
    listed.add(FIRST + 10_000 + np.arange(100), new)
    assert recall(listed) >= TARGET - 0.05
    for at in (0, 50, 99):
        found, scores = listed.search(new[at], 1)
        assert found.tolist() == [FIRST + 10_000 + at]
        assert scores[0] == pytest.approx(1, abs=1e-2)
    everything, _ = listed.search(new[0], len(listed))
    assert sorted(everything.tolist()) == listed.numbers.tolist()
    assert not set(everything.tolist()) & set(gone.tolist())


def test_new_lists_go_on_from_the_old_ones(folder: Path, listed: Vectors) -> None:
    rows, numbers = listed.matrix, listed.numbers
    kept = np.arange(len(rows)) % 9 > 0
    more = topics(500, seed=6)
    new = written(
        folder / "new",
        np.concatenate([rows[kept], more]),
        np.concatenate([numbers[kept], FIRST + 9_000 + np.arange(500)]),
    )
    lists = made_lists(new, listed, TARGET)
    assert lists
    assert lists.facts.trained == 4_000
    lists.save(folder / "new-lists")
    again = Vectors.load(folder / "new", DIMENSION, folder / "new-lists")
    assert again.lists
    assert recall(again) >= TARGET - 0.05


@pytest.mark.parametrize("change", ["growth", "drift"])
def test_lists_are_trained_anew_when_the_corpus_is_another(
    folder: Path, listed: Vectors, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = topics(9_000, seed=8)
    monkeypatch.setattr(inverted, "_CANDIDATES", 50)
    if change == "drift":
        monkeypatch.setattr(inverted, "_MOST_DRIFT", 0.0)  # no recall is reached in one list
        rows = rows[:5_000]
    lists = made_lists(written(folder / "new", rows), listed, TARGET)
    assert lists
    assert lists.facts.trained == len(rows)
    assert lists.facts.recall >= TARGET


def test_where_lists_cannot_find_enough_there_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted, "_LOOKED_AT", (1,))
    monkeypatch.setattr(inverted, "_CANDIDATES", 1)  # ten exact looks are too few for codes of one bit
    assert made_lists(written(folder / "vectors", topics(1_000)), None, 1.0) is None


def test_lists_over_other_vectors_are_not_used(folder: Path, listed: Vectors) -> None:
    for numbers in (listed.numbers[:-1], listed.numbers[1:], listed.numbers + 1, listed.numbers[:0]):
        assert Lists.load(folder / "lists", numbers, DIMENSION) is None
    assert Lists.load(folder / "lists", listed.numbers, DIMENSION + 8) is None
    assert Lists.load(folder / "vectors", listed.numbers, DIMENSION) is None
    assert Lists.load(folder / "missing", listed.numbers, DIMENSION) is None


def test_lists_cut_off_anywhere_are_not_used(folder: Path, listed: Vectors) -> None:
    whole = (folder / "lists").read_bytes()
    for length in [*range(0, len(whole), 997), len(whole) - 1]:
        (folder / "cut").write_bytes(whole[:length])
        assert Lists.load(folder / "cut", listed.numbers, DIMENSION) is None
