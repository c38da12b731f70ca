"""Exact search over vectors, against plain numpy."""

import gc
import sqlite3
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import IndexDamaged
from index.vectors import Vectors, write_vectors, written_numbers

DIMENSION = 8
ascending = st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=40).map(sorted)


def units(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    # As the catalog keeps them.
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


def filled(numbers: list[int], rows: np.ndarray) -> Vectors:
    vectors = Vectors.empty(DIMENSION)
    vectors.add(np.asarray(numbers, dtype=np.int64), rows)
    return vectors


def save(vectors: Vectors, path: Path, dimension: int = DIMENSION) -> None:
    matrix = np.resize(vectors.matrix, (len(vectors), dimension))
    write_vectors(path, dimension, vectors.numbers, np.array_split(matrix, 3))


def half_precision(metric: int) -> faiss.IndexScalarQuantizer:
    return faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_fp16, metric)


def assert_same(left: Vectors, right: Vectors) -> None:
    assert left.numbers.tolist() == right.numbers.tolist()
    assert np.array_equal(left.matrix, right.matrix)


@settings(deadline=None)
@given(numbers=ascending, seed=st.integers(0, 2**32), size=st.integers(0, 50), data=st.data())
def test_search_finds_what_numpy_finds(numbers: list[int], seed: int, size: int, data: st.DataObject) -> None:
    rows, query = units(len(numbers), seed), units(1, seed + 1)[0]
    flags = st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers))
    allowed = data.draw(st.none() | flags.map(lambda mask: np.asarray(mask, dtype=bool)))
    found, scores = filled(numbers, rows).search(query, size, allowed)

    kept = np.ones(len(numbers), dtype=bool) if allowed is None else allowed
    best = np.sort((rows @ query)[kept])[::-1][:size]
    assert np.allclose(scores, best, atol=1e-6)
    assert set(found.tolist()) <= set(np.asarray(numbers)[kept].tolist())
    assert len(set(found.tolist())) == len(found) == len(best)
    assert np.allclose([(rows @ query)[numbers.index(number)] for number in found.tolist()], scores, atol=1e-6)


@pytest.mark.parametrize("position", [0, 1, 7, 8, 63, 99])
def test_a_mask_of_one_passage_finds_that_passage(position: int) -> None:
    allowed = np.zeros(100, dtype=bool)
    allowed[position] = True
    found, scores = filled(list(range(1000, 1100)), units(100)).search(units(1, seed=9)[0], 5, allowed)
    assert found.tolist() == [1000 + position]
    assert scores == pytest.approx([units(100)[position] @ units(1, seed=9)[0]], abs=1e-6)


def test_a_mask_of_none_finds_nothing() -> None:
    found, scores = filled([3, 5], units(2)).search(units(1)[0], 5, np.zeros(2, dtype=bool))
    assert len(found) == len(scores) == 0


@pytest.mark.parametrize("allowed", [None, np.zeros(0, dtype=bool)])
def test_an_empty_index_finds_nothing(allowed: np.ndarray | None) -> None:
    vectors = Vectors.empty(DIMENSION)
    found, scores = vectors.search(units(1)[0], 5, allowed)
    assert len(vectors) == len(found) == len(scores) == 0
    assert vectors.matrix.shape == (0, DIMENSION)


@settings(deadline=None)
@given(numbers=ascending, asked=st.lists(st.integers(1, 2**63 - 1), max_size=10), data=st.data())
def test_rows_and_cosines_are_zero_for_passages_that_are_not_here(
    numbers: list[int], asked: list[int], data: st.DataObject
) -> None:
    rows, query = units(len(numbers)), units(1, seed=1)[0]
    asked += data.draw(st.lists(st.sampled_from(numbers), max_size=10)) if numbers else []
    known = dict(zip(numbers, rows, strict=True))
    expected = np.asarray([known.get(number, np.zeros(DIMENSION)) for number in asked]).reshape(-1, DIMENSION)
    vectors = filled(numbers, rows)
    assert np.array_equal(vectors.rows(np.asarray(asked, dtype=np.int64)), expected)
    assert np.allclose(vectors.cosines(query, np.asarray(asked, dtype=np.int64)), expected @ query, atol=1e-6)


@settings(deadline=None)
@given(first=ascending, second=ascending, gone=st.lists(st.integers(0, 79)), unknown=st.integers(1, 2**63 - 1))
def test_what_is_left_after_add_and_remove_is_what_was_never_removed(
    first: list[int], second: list[int], gone: list[int], unknown: int
) -> None:
    second = [number for number in second if not first or number > first[-1]]
    rows = units(len(first) + len(second))
    vectors = filled(first, rows[: len(first)])
    vectors.add(np.asarray(second, dtype=np.int64), rows[len(first) :])
    numbers = first + second
    removed = {numbers[at] for at in gone if at < len(numbers)} | {unknown}
    vectors.remove(np.asarray(sorted(removed), dtype=np.int64))
    left = [at for at, number in enumerate(numbers) if number not in removed]
    assert_same(vectors, filled([numbers[at] for at in left], rows[left]))


@pytest.mark.parametrize("numbers", [[11, 11], [12, 11], [10, 11], [9, 11]], ids=str)
def test_numbers_that_do_not_ascend_are_refused_and_change_nothing(numbers: list[int]) -> None:
    vectors = filled([5, 10], units(2))
    with pytest.raises(ValueError, match="ascend"):
        vectors.add(np.asarray(numbers), units(2))
    assert_same(vectors, filled([5, 10], units(2)))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_saved_index_is_loaded_as_it_was(tmp_path: Path, count: int) -> None:
    saved = filled([2**40 + 3 * at for at in range(count)], units(count))
    save(saved, tmp_path / "vectors.faiss")
    assert_same(Vectors.load(tmp_path / "vectors.faiss", DIMENSION), saved)


def test_a_loaded_index_can_be_changed_and_saved_again(tmp_path: Path) -> None:
    save(filled([1, 2, 3], units(3)), tmp_path / "vectors.faiss")
    vectors = Vectors.load(tmp_path / "vectors.faiss", DIMENSION)
    gc.collect()
    vectors.remove(np.asarray([2]))
    vectors.add(np.asarray([4]), units(4)[3:])
    save(vectors, tmp_path / "vectors.faiss")
    assert_same(Vectors.load(tmp_path / "vectors.faiss", DIMENSION), filled([1, 3, 4], units(4)[[0, 2, 3]]))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_the_file_is_byte_for_byte_what_faiss_writes_and_the_numbers(tmp_path: Path, count: int) -> None:
    numbers = np.asarray([2**40 + 3 * at for at in range(count)], dtype=np.int64)
    save(filled(numbers.tolist(), units(count)), tmp_path / "ours.faiss")
    theirs = half_precision(faiss.METRIC_INNER_PRODUCT)
    theirs.add(units(count))
    faiss.write_index(theirs, str(tmp_path / "theirs.faiss"))
    written = (tmp_path / "theirs.faiss").read_bytes()
    ours = (tmp_path / "ours.faiss").read_bytes()
    assert ours[: len(written)] == written
    assert np.frombuffer(ours[len(ours) - 8 * count :], dtype=np.int64).tolist() == numbers.tolist()
    assert len(ours) - 8 * count - len(written) < 8


def write_truncated(path: Path) -> None:
    save(filled([1, 2, 3], units(3)), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE vectors (number INTEGER)")
    database.close()


def write_index(index: Callable[[], faiss.Index], numbers: list[int] | None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        made = index()
        if numbers is None:
            made.add(units(3))
        else:
            made.add_with_ids(np.resize(units(3), (3, made.d)), np.asarray(numbers))
        faiss.write_index(made, str(path))

    return write


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a vector index at all\n" * 100),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(2_000)),
    "a folder": lambda path: path.mkdir(),
    "truncated": write_truncated,
    "a database": write_database,
    "without numbers": write_index(lambda: half_precision(faiss.METRIC_INNER_PRODUCT), None),
    "Euclidean distance": write_index(lambda: half_precision(faiss.METRIC_L2), None),
    "format 2": write_index(lambda: faiss.IndexIDMap(faiss.IndexFlatIP(DIMENSION)), [1, 2, 3]),
    "another dimension": lambda path: save(filled([1, 2], units(2)), path, dimension=2 * DIMENSION),
    "descending numbers": lambda path: write_vectors(path, DIMENSION, np.array([3, 2, 1]), [units(3)]),
    "repeated numbers": lambda path: write_vectors(path, DIMENSION, np.array([1, 2, 2]), [units(3)]),
    "a graph index": write_index(lambda: faiss.IndexIDMap(faiss.IndexHNSWFlat(DIMENSION, 4)), [1, 2, 3]),
}


@pytest.mark.parametrize("name", ["missing", "empty", "text", "noise", "a folder", "truncated", "another dimension"])
def test_a_file_that_is_not_ours_holds_no_numbers(tmp_path: Path, name: str) -> None:
    NOT_OURS[name](tmp_path / "vectors.faiss")
    assert written_numbers(tmp_path / "vectors.faiss", DIMENSION) is None


@pytest.mark.parametrize("write", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_a_file_that_is_not_such_an_index_is_damaged(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path / "vectors.faiss")
    with pytest.raises(IndexDamaged, match=r"vectors\.faiss is .* Run: dateline check --repair"):
        Vectors.load(tmp_path / "vectors.faiss", DIMENSION)


def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    save(filled([1, 2, 3], units(3)), path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(IndexDamaged):
            Vectors.load(path, DIMENSION)
