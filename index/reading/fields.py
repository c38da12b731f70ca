"""Which field of a record is which of ours: what the user says of it, in options or a file.

    --map title=headline --map text=article.body.value --map authors=bylines.*.by

A path leads into objects by key and into lists by position, from 0, or through all of it with `*`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from index.errors import UsageError

OURS = (
    "id", "url", "title", "text", "html", "published", "updated", "authors", "source", "language", "section", "summary",
)  # fmt: skip
"""The fields of an article record, as people write them."""

# A mapping file is written by hand.
_MOST_FILE_BYTES = 2**20
_EVERY = "*"


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A mapping; the empty one leaves everything to guessing.

    `paths` are pairs of our field and a path to theirs; of several for one field the first that leads
    to a value counts. `constants` are values for fields that no path gives. `records` is the path to
    the list of records in a JSON document, and `columns` name those of a table without a header.
    """

    paths: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, Any], ...] = ()
    records: str = ""
    columns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, options: Sequence[str], file: Path | None) -> Self:
        """The mapping of `OURS=THEIRS` options and a YAML or JSON file; options count before the file.

        In the file, a field of ours has a path, a list of paths, or `{value: …}` for a constant;
        `records` and `columns` may stand beside them. Raises UsageError on what makes no sense.
        """
        paths = [_option(option) for option in options]
        constants: dict[str, Any] = {}
        records: str = ""
        columns: tuple[str, ...] = ()
        for name, value in (_content(file) if file else {}).items():
            match name:
                case "records":
                    [records] = _paths(value, name, file)
                case "columns":
                    columns = _columns(value, file)
                case _ if isinstance(value, Mapping):
                    constants[_ours(name, f"in {file}")] = _constant(value, name, file)
                case _:
                    paths += [(_ours(name, f"in {file}"), path) for path in _paths(value, name, file)]
        return cls(tuple(paths), tuple(constants.items()), records, columns)

    def paths_to(self, ours: str) -> Iterator[str]:
        """The paths that lead to a field of ours."""
        return (theirs for name, theirs in self.paths if name == ours)


GUESSED = FieldMap()
"""No mapping: everything is left to guessing."""


def value_at(record: Any, path: str) -> Any:
    """What stands at a path, or None. `*` gives the list of what stands behind each member."""
    if isinstance(record, Mapping) and path in record:  # a name may hold a dot
        return record[path]
    first, _, rest = path.partition(".")
    if first == _EVERY and isinstance(record, (list, Mapping)):
        members = list(record.values()) if isinstance(record, Mapping) else record
        found = [value_at(member, rest) if rest else member for member in members]
        return [value for value in found if value is not None] or None
    member = _member(record, first)
    return value_at(member, rest) if rest else member


def without(record: Any, path: str) -> Any:
    """A copy of `record` without what stands at a path, and without what that leaves empty."""
    if not isinstance(record, (Mapping, list)):
        return record
    if isinstance(record, Mapping) and path in record:
        return {key: member for key, member in record.items() if key != path}
    first, _, rest = path.partition(".")
    kept: list[tuple[Any, Any]] = []
    for key, member in record.items() if isinstance(record, Mapping) else enumerate(record):
        if first in (_EVERY, str(key)):
            left = without(member, rest) if rest else None
            if left in (None, {}, []):
                continue
            kept.append((key, left))
        else:
            kept.append((key, member))
    return dict(kept) if isinstance(record, Mapping) else [member for _, member in kept]


def _member(record: Any, name: str) -> Any:
    if isinstance(record, Mapping):
        return record.get(name)
    number = _position(name)
    return record[number] if isinstance(record, list) and number is not None and number < len(record) else None


def _position(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else None


def _option(option: str) -> tuple[str, str]:
    ours, equals, theirs = option.partition("=")
    if not equals or not theirs.strip():
        raise UsageError(f"--map wants OURS=THEIRS, such as title=headline, not {option!r}.")
    return _ours(ours.strip(), "of --map"), theirs.strip()


def _ours(name: Any, where: str) -> str:
    if name not in OURS:
        raise UsageError(f"{name!r} {where} is no field of an article. There are {', '.join(OURS)}.")
    return str(name)


def _content(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        if file.stat().st_size > _MOST_FILE_BYTES:
            raise UsageError(f"{file} is too long for a mapping.")
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"The mapping {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The mapping {file} should be UTF-8.") from error
    try:
        content = json.loads(text) if file.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"The mapping {file} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise UsageError(f"The mapping {file} should have a line for each field, such as 'title: headline'.")
    return content


def _paths(value: Any, name: Any, file: Path | None) -> list[str]:
    several = value if isinstance(value, list) and name != "records" else [value]
    if not several or not all(isinstance(path, (str, int)) and not isinstance(path, bool) for path in several):
        raise UsageError(f"{name!r} in {file} should be the name of a field, a list of names, or {{value: …}}.")
    return [str(path) for path in several]


def _columns(value: Any, file: Path | None) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, (str, int)) for name in value):
        raise UsageError(f"'columns' in {file} should be the list of the names of a table's columns.")
    return tuple(str(name) for name in value)


def _constant(value: Mapping[Any, Any], name: Any, file: Path | None) -> Any:
    constant = value.get("value")
    if set(value) != {"value"} or not _is_plain(constant) or name in ("id", "url", "text", "html"):
        raise UsageError(f"{name!r} in {file} cannot be this: a constant is written {{value: …}}, a field by its name.")
    return tuple(constant) if isinstance(constant, list) else constant if isinstance(constant, str) else str(constant)


def _is_plain(value: Any) -> bool:
    texts: Iterable[Any] = value if isinstance(value, list) else [value]
    return (
        value is not None
        and not isinstance(value, Mapping)
        and all(not isinstance(text, (Mapping, list)) for text in texts)
    )
