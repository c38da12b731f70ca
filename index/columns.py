"""What filtering and grouping need to know of every passage and article, as arrays that processes share.

Kept in a file that is mapped, not read, and that holds one moment of the catalog; a reader adds what has
changed since (`Catalog.columns`). The file has the layout of safetensors: eight bytes with the length of a
JSON header, the header, the arrays.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import MEND_DERIVED, IndexDamaged

Numbers = NDArray[np.int64]
Codes = NDArray[np.int32]

_TYPES: dict[str, Any] = {"I64": np.int64, "I32": np.int32}
_ALIGNMENT = 8
# One more than the last day that Python knows, in the year 9999.
_DAYS = date.max.toordinal() + 1
NO_NAME = -1
"""The code of what has no name."""


@dataclass(frozen=True, slots=True)
class PassageColumns:
    """Every passage and every article, both ascending by number.

    `numbers`, `article_positions`: shape (passages,); the latter point into what has one entry for each
    article: `article_numbers`, `days` (proleptic ordinals, 0 for unknown), `sources` and `languages`
    (codes: positions in `source_names` and `language_names`, NO_NAME for none), `stories` (the number of the
    article that heads the story, its own where there is no copy). The authors of the article at position i
    are `author_codes[author_offsets[i] : author_offsets[i + 1]]`, positions in `author_names`. `change` is
    the catalog's when they were taken.
    """

    change: int
    numbers: Numbers
    article_positions: Codes
    article_numbers: Numbers
    days: Codes
    sources: Codes
    languages: Codes
    stories: Numbers
    author_codes: Codes
    author_offsets: Numbers
    source_names: tuple[str, ...] = ()
    language_names: tuple[str, ...] = ()
    author_names: tuple[str, ...] = ()

    def authors(self, position: int) -> tuple[str, ...]:
        """The authors of the article at a position."""
        first, last = self.author_offsets[position : position + 2].tolist()
        return tuple(self.author_names[code] for code in self.author_codes[first:last].tolist())


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """An article as it goes into the columns; `day` as a proleptic ordinal, 0 for unknown."""

    number: int
    day: int
    source: str | None
    language: str | None
    authors: tuple[str, ...]
    story: int


# Those of eight bytes first, so that all are aligned.
_ARRAYS = (
    "numbers", "article_numbers", "stories", "author_offsets",
    "article_positions", "days", "sources", "languages", "author_codes",
)  # fmt: skip
_NAMES = ("source_names", "language_names", "author_names")


def no_columns() -> PassageColumns:
    """Columns of nothing."""
    empty, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    return PassageColumns(
        change=0, numbers=empty, article_positions=codes, article_numbers=empty, days=codes, sources=codes,
        languages=codes, stories=empty, author_codes=codes, author_offsets=np.zeros(1, dtype=np.int64),
    )  # fmt: skip


def extended(
    columns: PassageColumns, change: int, articles: Iterable[ArticleRow], numbers: Numbers, of: Numbers
) -> PassageColumns:
    """`columns` with `articles` behind the others, and the passages `numbers` of the articles `of`.

    Both ascend and lie above what is there.
    """
    coded = _Coded(columns)
    rows = list(articles)
    article_numbers = _appended(columns.article_numbers, [row.number for row in rows])
    offsets = columns.author_offsets[-1] + np.cumsum([len(row.authors) for row in rows], dtype=np.int64)
    return PassageColumns(
        change=change,
        numbers=_appended(columns.numbers, numbers),
        article_positions=_appended(columns.article_positions, np.searchsorted(article_numbers, of)),
        article_numbers=article_numbers,
        days=_appended(columns.days, [row.day for row in rows]),
        sources=_appended(columns.sources, coded.codes("source_names", (row.source for row in rows))),
        languages=_appended(columns.languages, coded.codes("language_names", (row.language for row in rows))),
        stories=_appended(columns.stories, [row.story for row in rows]),
        author_codes=_appended(
            columns.author_codes, coded.codes("author_names", (name for row in rows for name in row.authors))
        ),
        author_offsets=_appended(columns.author_offsets, offsets),
        **coded.names(),
    )


def without(columns: PassageColumns, articles: Numbers) -> PassageColumns:
    """`columns` without these articles and their passages; numbers that are not there are ignored."""
    kept = ~np.isin(columns.article_numbers, articles)
    if kept.all():
        return columns
    passages = kept[columns.article_positions]
    counts = np.diff(columns.author_offsets)
    moved = np.cumsum(kept, dtype=np.int32) - 1
    return replace(
        columns,
        numbers=columns.numbers[passages],
        article_positions=moved[columns.article_positions[passages]],
        article_numbers=columns.article_numbers[kept],
        days=columns.days[kept],
        sources=columns.sources[kept],
        languages=columns.languages[kept],
        stories=columns.stories[kept],
        author_codes=columns.author_codes[np.repeat(kept, counts)],
        author_offsets=np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64),
    )


def with_stories(columns: PassageColumns, stories: dict[int, int]) -> PassageColumns:
    """`columns` in which these articles, by number, belong to these stories."""
    if not stories:
        return columns
    changed = columns.stories.copy()
    changed[np.searchsorted(columns.article_numbers, list(stories))] = list(stories.values())
    return replace(columns, stories=changed)


def same_columns(left: PassageColumns, right: PassageColumns) -> bool:
    """Whether both say the same of the same passages, whatever codes they use."""
    numbers = ("numbers", "article_numbers", "article_positions", "days", "stories", "author_offsets")
    if not all(np.array_equal(getattr(left, name), getattr(right, name)) for name in numbers):
        return False
    coded = (("sources", "source_names"), ("languages", "language_names"), ("author_codes", "author_names"))
    return all(
        named(getattr(left, names), getattr(left, codes)) == named(getattr(right, names), getattr(right, codes))
        for codes, names in coded
    )


def save_columns(path: Path, columns: PassageColumns) -> None:
    """Writes `columns` for `load_columns`."""
    header: dict[str, Any] = {}
    end = 0
    for name in _ARRAYS:
        array: NDArray[Any] = getattr(columns, name)
        kind = next(key for key, type in _TYPES.items() if array.dtype == type)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    names = {name: json.dumps(getattr(columns, name), ensure_ascii=False) for name in _NAMES}
    header["__metadata__"] = {"change": str(columns.change), **names}
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_ALIGNMENT, "little"))
        file.write(text)
        for name in _ARRAYS:
            file.write(np.ascontiguousarray(getattr(columns, name)).data)


def load_columns(path: Path) -> PassageColumns:
    """The columns saved at `path`, mapped. Raises IndexDamaged when there are none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_ALIGNMENT), "little")
            header: dict[str, Any] = json.loads(file.read(length) if length < path.stat().st_size else b"")
        start = _ALIGNMENT + length
        arrays: dict[str, Any] = {name: _mapped(path, start, header[name]) for name in _ARRAYS}
        told = header["__metadata__"]
        names: dict[str, Any] = {name: tuple(json.loads(told[name])) for name in _NAMES}
        columns = PassageColumns(change=int(told["change"]), **arrays, **names)
        if not _is_sound(columns):
            raise ValueError("it points nowhere")
        return columns
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError) as error:
        raise IndexDamaged(f"{path} is missing or damaged. {MEND_DERIVED}") from error


def _is_sound(columns: PassageColumns) -> bool:
    """Whether all that points into something points into it: a look at every value, a millisecond a million."""
    articles, offsets = len(columns.article_numbers), columns.author_offsets
    coded = (
        (columns.article_positions, 0, articles),
        (columns.days, 0, _DAYS),
        (columns.sources, NO_NAME, len(columns.source_names)),
        (columns.languages, NO_NAME, len(columns.language_names)),
        (columns.author_codes, 0, len(columns.author_names)),
    )
    one_an_article = (columns.days, columns.sources, columns.languages, columns.stories, offsets[1:])
    return (
        len(columns.article_positions) == len(columns.numbers)
        and all(array.ndim == 1 and len(array) == articles for array in one_an_article)
        and all(not len(codes) or (codes.min() >= least and codes.max() < end) for codes, least, end in coded)
        and (offsets[0], offsets[-1]) == (0, len(columns.author_codes))
        and all(_ascends(array) for array in (columns.numbers, columns.article_numbers))
        and not np.any(offsets[1:] < offsets[:-1])
    )


def _ascends(numbers: Numbers) -> bool:
    return not np.any(numbers[1:] <= numbers[:-1])


def _mapped(path: Path, start: int, entry: dict[str, Any]) -> NDArray[Any]:
    type, shape = _TYPES[entry["dtype"]], tuple(entry["shape"])
    if not all(shape):
        return np.empty(shape, dtype=type)
    first, end = entry["data_offsets"]
    if path.stat().st_size < start + end:
        raise ValueError("cut off")
    # A plain array over the mapped file: every slice of a numpy.memmap costs microseconds.
    return np.asarray(np.memmap(path, dtype=type, mode="r", offset=start + first, shape=shape))


class _Coded:
    """Names as codes: those of the columns at hand keep theirs, new ones come behind."""

    def __init__(self, columns: PassageColumns) -> None:
        self._codes = {kind: {name: at for at, name in enumerate(getattr(columns, kind))} for kind in _NAMES}

    def codes(self, kind: str, names: Iterable[str | None]) -> list[int]:
        known = self._codes[kind]
        return [NO_NAME if name is None else known.setdefault(name, len(known)) for name in names]

    def names(self) -> dict[str, Any]:
        return {kind: tuple(codes) for kind, codes in self._codes.items()}


def _appended(array: NDArray[Any], values: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.asarray(values, dtype=array.dtype)]) if len(values) else array


def named(names: Sequence[str], codes: Codes) -> list[str | None]:
    """The name that each code stands for."""
    return [None if code == NO_NAME else names[code] for code in codes.tolist()]
