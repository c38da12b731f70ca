"""Columns in a file, and what is added to and taken from them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.columns import (
    ArticleRow,
    PassageColumns,
    extended,
    load_columns,
    named,
    no_columns,
    same_columns,
    save_columns,
    with_stories,
    without,
)
from index.errors import IndexDamaged

names = st.none() | st.sampled_from(["Harbour Wire", "Coastline Press", "Été"])
articles = st.lists(
    st.tuples(st.integers(0, 800_000), names, names, st.lists(st.sampled_from(["Ann Ö", "Bo", "Cy"]), max_size=3),
              st.integers(0, 4)),
    max_size=8,
)  # fmt: skip


def columns_of(rows: list, first: int = 1, before: PassageColumns | None = None) -> PassageColumns:
    made = [
        ArticleRow(first + at, day, source, language, tuple(authors), first + at)
        for at, (day, source, language, authors, _) in enumerate(rows)
    ]
    of = np.repeat(np.arange(first, first + len(rows)), [passages for *_, passages in rows]).astype(np.int64)
    numbers = np.arange(len(of)) + 100 * first
    return extended(before or no_columns(), 7, made, numbers, of)


def told(columns: PassageColumns) -> list[tuple]:
    """All that columns say, article by article."""
    sources, languages = named(columns.source_names, columns.sources), named(columns.language_names, columns.languages)
    return [
        (
            number, int(columns.days[at]), sources[at], languages[at], columns.authors(at),
            int(columns.stories[at]), columns.numbers[columns.article_positions == at].tolist(),
        )
        for at, number in enumerate(columns.article_numbers.tolist())
    ]  # fmt: skip


@settings(deadline=None)
@given(first=articles, second=articles)
def test_columns_in_two_steps_are_those_in_one(first: list, second: list) -> None:
    both = columns_of(second, first=len(first) + 1, before=columns_of(first))
    expected = [*told(columns_of(first)), *told(columns_of(second, first=len(first) + 1))]
    assert told(both) == expected
    assert [row[4] for row in told(both)] == [tuple(row[3]) for row in [*first, *second]]


@settings(deadline=None)
@given(rows=articles, gone=st.sets(st.integers(1, 9)))
def test_what_is_taken_out_leaves_the_rest_as_it_was(rows: list, gone: set[int]) -> None:
    columns = columns_of(rows)
    left = without(columns, np.asarray(sorted(gone), dtype=np.int64))
    assert told(left) == [row for row in told(columns) if row[0] not in gone]


@settings(deadline=None)
@given(rows=articles)
def test_saved_columns_come_back_mapped_and_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("columns") / "columns"
    columns = columns_of(rows)
    save_columns(path, columns)
    loaded = load_columns(path)
    assert told(loaded) == told(columns)
    assert loaded.change == columns.change == 7
    assert same_columns(loaded, columns)
    assert not len(rows) or isinstance(loaded.days.base, np.memmap)


def test_stories_change_in_a_copy() -> None:
    columns = columns_of([(0, None, None, [], 1)] * 3)
    changed = with_stories(columns, {3: 1})
    assert changed.stories.tolist() == [1, 2, 1]
    assert columns.stories.tolist() == [1, 2, 3]
    assert not same_columns(columns, changed)


def test_other_names_are_other_columns() -> None:
    left, right = (columns_of([(0, source, None, [], 1)]) for source in ("Harbour Wire", "Harbour Wir"))
    assert not same_columns(left, right)


def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    save_columns(tmp_path / "columns", columns_of([(738_000, "Harbour Wire", "en", ["Bo", "Cy"], 2)] * 3))
    whole = (tmp_path / "columns").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "columns").write_bytes(whole[:length])
        with pytest.raises(IndexDamaged, match="Run: dateline check --repair"):
            load_columns(tmp_path / "columns")


@pytest.mark.parametrize("content", [b"", b"\xff" * 400, b"{}" * 40, (2**62).to_bytes(8, "little") + b"{}"])
def test_what_is_no_columns_file_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "columns").write_bytes(content)
    with pytest.raises(IndexDamaged):
        load_columns(tmp_path / "columns")


def test_a_flipped_bit_leads_nowhere_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "columns"
    save_columns(path, columns_of([(738_000, "Harbour Wire", "en", ["Bo", "Cy"], 2)] * 3))
    whole, refused = path.read_bytes(), 0
    for bit in range(0, 8 * len(whole), 3):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            columns = load_columns(path)
        except IndexDamaged:
            refused += 1
            continue
        for position in range(len(columns.article_numbers)):
            columns.authors(position)
        for names, codes in ((columns.source_names, columns.sources), (columns.language_names, columns.languages)):
            named(names, codes)
        assert len(columns.article_numbers[columns.article_positions]) == len(columns.numbers)
    assert refused > len(whole)
