"""Targets that are given the files which Dateline keeps or is set up with: manifest, columns, keys, options, rules."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from fuzzing import Target, encoded, scratch, words_of
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.build import rebuild
from index.columns import load_columns
from index.configuration import default_map, table_of
from index.errors import IndexDamaged, IndexingError, UsageError
from index.generation import checksum_of, live_generation, load_manifest
from index.reading.files import documents
from web.cli import COMMANDS
from web.keys import SCOPES, KeyRing, KeysDamaged, load_keys


@cache
def small_index() -> Path:
    """A real index of a few articles, which stays as long as the process."""
    folder = scratch()
    rebuild(folder / "index", [str(write_jsonl(folder / "articles.jsonl", ARTICLES))], _load)
    return folder / "index"


def _load(name: str | None, **options: object) -> FakeEncoder:
    return FakeEncoder()


def _placed(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _manifest(data: bytes) -> None:
    layout = live_generation(small_index())
    whole = layout.manifest.read_bytes()
    try:
        # With the checksum that would be right, so that what is behind it is reached too.
        for text in (data, _vouched(data)):
            try:
                load_manifest(type(layout)(_placed(_folder() / layout.folder.name / "manifest.json", text).parent))
            except IndexingError as error:
                assert str(error).endswith((".", "!")) or "Run:" in str(error)
    finally:
        assert layout.manifest.read_bytes() == whole


def _vouched(data: bytes) -> bytes:
    try:
        fields = json.loads(data)
        fields.pop("checksum", None)
        return json.dumps(fields | {"checksum": checksum_of(fields)}).encode()
    except (ValueError, AttributeError, TypeError, RecursionError, KeyError):
        return data


@cache
def _folder() -> Path:
    folder = scratch() / "files"
    (folder / live_generation(small_index()).folder.name).mkdir(parents=True, exist_ok=True)
    return folder


def _current(data: bytes) -> None:
    root = scratch() / "other"
    (root / "generations").mkdir(parents=True, exist_ok=True)
    _placed(root / "CURRENT", data)
    try:
        found = live_generation(root)
    except IndexingError:
        return
    assert found.folder.resolve().is_relative_to(root.resolve())


def _columns(data: bytes) -> None:
    try:
        columns = load_columns(_placed(_folder() / "columns", data))
    except IndexDamaged:
        return
    for position in range(min(len(columns.article_numbers), 50)):
        assert all(isinstance(name, str) for name in columns.authors(position))
    assert all(isinstance(name, str) for name in (*columns.source_names, *columns.language_names))
    columns.article_numbers[columns.article_positions]


def _keys(data: bytes) -> None:
    path = _placed(_folder() / "keys.json", data)
    os.utime(path, ns=(0, 0))
    try:
        keys = load_keys(path)
    except KeysDamaged:
        keys = ()
    for key in keys:
        assert isinstance(key.name, str) and key.name.isprintable()
        assert set(key.scopes) <= set(SCOPES)
        assert key.rate is None or (type(key.rate) is int and key.rate > 0)
    assert KeyRing(path).find("dateline_anything") is None


def _options(data: bytes) -> None:
    try:
        default_map(_group(), table_of(_placed(_folder() / "dateline.toml", data)), "dateline.toml")
    except UsageError as error:
        assert str(error)


@cache
def _group() -> Any:
    from index.command_line import command_line

    return command_line(COMMANDS)


def _rules(data: bytes) -> None:
    folder = _folder() / "ignoring"
    folder.mkdir(exist_ok=True)
    for name in ("a.txt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.md"):
        (folder / name).write_text("Words.")
    _placed(folder / ".datelineignore", data)
    assert all(found.source for found in documents([str(folder)]))


def _manifests() -> tuple[bytes]:
    return (live_generation(small_index()).manifest.read_bytes(),)


def _all_columns() -> tuple[bytes]:
    return (live_generation(small_index()).columns.read_bytes(),)


_KEY = (
    '{"format":1,"keys":[{"name":"a","sha256":"' + "0" * 64 + '","scopes":["read"],"rate":60,"created":"2025-08-20"}]}'
)
_TOML = (
    'index = "i"\n[serve]\nport = 9000\nallow-host = ["news.local"]\nlog-queries = true\n[search]\nsize = 5\n',
    '[keys.add]\nscope = ["read"]\nrate = 5\n', 'since = 2025-08-20\n[rebuild]\ndelay = 1.5\n[search]\nas-of ='
    ' 2025-08-20T00:00:00Z',
)  # fmt: skip
_JSON_WORDS = words_of('{ } [ ] , : " null true -1 0 1e999 NaN 99999999999999999999 "é" "\\ud800" "" [[ {"a": 4 3 2')
_TOML_WORDS = words_of(
    'index = " \n [serve] [search] [keys.add] [ ] { } port workers allow-host size as-of mode true false 0 -1 1e9 inf'
    " nan 2025-08-20 07:32:00 ''' \"\"\" , . 9999999999999999999999 # \\u0000 allow_host [[serve]] a.b.c ="
)
_RULE_WORDS = words_of(
    "* ** / ! [ ] [!a] [a- \\ ? # a a* **/a* *.txt \n \r [[:alpha:]] { } $ ^ ( ) + . [] [^ **/**/ \x00 é"
)
TARGETS = (
    Target("manifest", _manifest, _manifests, _JSON_WORDS),
    Target(
        "current",
        _current,
        (b"20250820T150700-abc\n", b"../../x", b"/etc", b""),
        words_of(". .. / \\ \x00 \n é generations"),
    ),
    Target("columns", _columns, _all_columns, _JSON_WORDS, longest=8_000),
    Target("keys", _keys, encoded((_KEY,)), _JSON_WORDS),
    Target("options", _options, encoded(_TOML), _TOML_WORDS),
    Target("ignore-rules", _rules, encoded(("*.log\n!a.txt\n/b/\n**/c*\n[a-z]?.md\n",)), _RULE_WORDS, longest=1_000),
)
