"""The words of passages by number: written, joined, found again."""

from pathlib import Path

import numpy as np
import pytest

from index import forward
from index.errors import IndexDamaged
from index.forward import GAP, Forward, code


def numbers(*values: int) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def filled(folder: Path | None, texts: dict[int, str], *, ordered: bool = True) -> Forward:
    words = Forward(folder)
    for number, text in texts.items():
        words.add(number, [GAP if stem == "|" else code(stem) for stem in text.split()], ordered=ordered)
    words.flush()
    return words


TEXTS = {3: "ferry strike ferry", 5: "", 9: "whale | strike ferry"}


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("on_disk", [True, False])
def test_words_are_counted(tmp_path: Path, *, ordered: bool, on_disk: bool) -> None:
    words = filled(tmp_path if on_disk else None, TEXTS, ordered=ordered)
    words = Forward.open(tmp_path) if on_disk else words
    found = words.find(["strike", "ferry", "unheard"], numbers(9, 4, 3, 5))
    assert found.counts.tolist() == [[1, 0, 1, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    assert found.lengths.tolist() == [3, 0, 3, 0]
    assert words.mean_length == 2


def test_what_stands_side_by_side_is_told_in_order_and_not_across_gaps_or_passages() -> None:
    found = filled(None, TEXTS).find(["ferry", "strike", "whale"], numbers(3, 9))
    beside = zip(found.first.tolist(), found.second.tolist(), found.passage.tolist(), strict=True)
    assert list(beside) == [(0, 1, 0), (1, 0, 0), (1, 0, 1)]


def test_nothing_is_found_for_no_words_or_no_passages() -> None:
    words = filled(None, TEXTS)
    assert words.find([], numbers(3)).counts.shape == (0, 1)
    assert words.find(["ferry"], numbers()).counts.shape == (1, 0)
    assert Forward(None).find(["ferry"], numbers(3)).counts.tolist() == [[0]]


@pytest.mark.parametrize("ordered", [True, False])
def test_parts_are_joined_and_readers_keep_what_they_opened(tmp_path: Path, *, ordered: bool) -> None:
    words = filled(tmp_path, {0: "ferry " * 2}, ordered=ordered)
    reader = Forward.open(tmp_path)
    for number in range(1, 200):
        words.add(number, [code("ferry")] * (number % 3) + [code(str(number))], ordered=ordered)
        words.flush()
    assert len(list(tmp_path.glob("words-*.bin"))) < 10
    assert reader.find(["ferry"], numbers(0, 1)).counts.tolist() == [[2, 0]]
    reader.refresh()
    assert reader.find(["ferry"], np.arange(200)).counts.tolist() == [[2, *(at % 3 for at in range(1, 200))]]
    assert len(reader) == 200


def test_numbers_that_come_late_are_found_too(tmp_path: Path) -> None:
    words = filled(tmp_path, {7: "ferry"})
    words.add(2, [code("ferry"), code("ferry")])
    words.flush()
    assert Forward.open(tmp_path).find(["ferry"], numbers(2, 7)).counts.tolist() == [[2, 1]]


def test_removed_passages_are_forgotten_once_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "_GONE_FOR_NOTHING", 1)
    words = filled(tmp_path, dict.fromkeys(range(10), "ferry strike"))
    words.drop_gone(lambda: pytest.fail("too few are gone"), 9)
    words.drop_gone(lambda: numbers(4, 6), 2)
    assert len(Forward.open(tmp_path)) == 2
    assert words.find(["strike"], np.arange(10)).counts.nonzero()[1].tolist() == [4, 6]


@pytest.mark.parametrize("harm", ["list", "missing", "short", "other"])
def test_damage_is_noticed(tmp_path: Path, harm: str) -> None:
    filled(tmp_path, TEXTS)
    (part,) = tmp_path.glob("words-*.bin")
    if harm == "list":
        (tmp_path / "words.json").write_text("{")
    elif harm == "missing":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-1] if harm == "short" else b"x" + part.read_bytes()[1:])
    with pytest.raises(IndexDamaged, match="check --repair"):
        Forward.open(tmp_path)
