"""Generations on disk: manifest, switch and lock."""

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from index.durable import write_durably
from index.encoder import ModelIdentity
from index.errors import IndexDamaged, IndexLocked, IndexMissing, IndexOutdated
from index.generation import (
    FORMAT,
    Layout,
    being_written,
    go_live,
    live_generation,
    load_manifest,
    new_generation,
    new_manifest,
    other_generations,
    save_manifest,
    sealed,
    writer_lock,
)
from index.passages import PassageSettings

MODEL = ModelIdentity("fake", "0", 64, query_prompt="query: ")


def generation(root: Path) -> Layout:
    layout = new_generation(root)
    layout.terms.mkdir()
    layout.article_terms.mkdir()
    save_manifest(layout, new_manifest(layout, MODEL, PassageSettings.about(100)))
    return layout


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "generations").iterdir()}


def test_a_manifest_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    layout = generation(tmp_path)
    layout.vectors.write_bytes(b"vectors")
    manifest = sealed(replace(load_manifest(layout), articles=3, passages=5, change=7), layout)
    save_manifest(layout, manifest)
    assert load_manifest(layout) == manifest
    assert (manifest.generation, manifest.model) == (layout.folder.name, MODEL)
    assert manifest.passage_settings == PassageSettings.about(100)
    assert (manifest.articles, manifest.passages, manifest.change, manifest.format) == (3, 5, 7, FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"\0" * 300, b'{"format": 2}', b"[" * 100_000,
        b'{"format": 2, "model": {}, "passage_settings": {}}', b'{"format": 2, "model": 3, "passage_settings": 3}',
    ],
)  # fmt: skip
def test_a_torn_manifest_is_damaged(tmp_path: Path, content: bytes) -> None:
    layout = generation(tmp_path)
    layout.manifest.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"manifest\.json is missing or damaged .* Run: dateline check --repair"):
        load_manifest(layout)


def test_a_manifest_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    layout = generation(tmp_path)
    whole = layout.manifest.read_text("utf-8").rstrip()
    for length in range(len(whole)):
        layout.manifest.write_text(whole[:length], "utf-8")
        with pytest.raises(IndexDamaged):
            load_manifest(layout)


@pytest.mark.parametrize("field", ["generation", "model", "passage_settings"])
def test_a_manifest_without_a_field_is_damaged(tmp_path: Path, field: str) -> None:
    layout = generation(tmp_path)
    fields = json.loads(layout.manifest.read_text("utf-8"))
    del fields[field]
    layout.manifest.write_text(json.dumps(fields), "utf-8")
    with pytest.raises(IndexDamaged):
        load_manifest(layout)


def test_a_missing_manifest_is_damaged(tmp_path: Path) -> None:
    layout = generation(tmp_path)
    layout.manifest.unlink()
    with pytest.raises(IndexDamaged, match="FileNotFoundError"):
        load_manifest(layout)


@pytest.mark.parametrize("written", [0, FORMAT + 1, 99])
def test_a_manifest_of_another_format_is_outdated_and_says_what_to_do(tmp_path: Path, written: int) -> None:
    layout = generation(tmp_path)
    layout.manifest.write_text(json.dumps({"format": written, "fields": "of the future"}), "utf-8")
    with pytest.raises(IndexOutdated, match=rf"has format {written}, .* 'dateline export', and rebuild"):
        load_manifest(layout)


@pytest.mark.parametrize("exists", [False, True])
def test_an_index_that_was_never_built_is_missing(tmp_path: Path, exists: bool) -> None:
    root = tmp_path / "index"
    if exists:
        root.mkdir()
    with pytest.raises(IndexMissing, match=r"dateline rebuild SOURCE --index .*index$"):
        live_generation(root)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"20010101T000000Z-abcdef", b"/etc", b"../generations", b"..", b".", b"..\\generations",
        b"\xff\xfe", b"\0", b"a\0b", b"x" * 5_000, b"two\nlines", b"../elsewhere",
    ],
)  # fmt: skip
def test_a_current_that_names_no_generation_is_damaged(tmp_path: Path, content: bytes) -> None:
    generation(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "CURRENT").write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"CURRENT .* Run: dateline check --repair"):
        live_generation(tmp_path)


def test_a_current_that_is_a_folder_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").mkdir()
    with pytest.raises(IndexDamaged, match="cannot be read"):
        live_generation(tmp_path)


def test_going_live_keeps_exactly_the_generation_before(tmp_path: Path) -> None:
    first = generation(tmp_path)
    go_live(tmp_path, first)
    assert names(tmp_path) == {first.folder.name}
    _unfinished, second = generation(tmp_path), generation(tmp_path)
    go_live(tmp_path, second)
    assert live_generation(tmp_path) == second
    assert names(tmp_path) == {first.folder.name, second.folder.name}
    third = generation(tmp_path)
    go_live(tmp_path, third)
    assert names(tmp_path) == {second.folder.name, third.folder.name}
    assert other_generations(tmp_path) == [second]
    assert set(other_generations(tmp_path, including_live=True)) == {second, third}


def test_going_live_mends_a_damaged_current(tmp_path: Path) -> None:
    layout = generation(tmp_path)
    (tmp_path / "CURRENT").write_text("nowhere", "utf-8")
    go_live(tmp_path, layout)
    assert live_generation(tmp_path) == layout


def test_writing_durably_replaces_the_file_and_leaves_no_draft(tmp_path: Path) -> None:
    for text in ("first\n", "été\n"):
        write_durably(tmp_path / "CURRENT", text)
        assert (tmp_path / "CURRENT").read_bytes() == text.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["CURRENT"]


def test_a_failed_durable_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    write_durably(tmp_path / "CURRENT", "old")
    with pytest.raises(UnicodeEncodeError):
        write_durably(tmp_path / "CURRENT", "\ud800")
    assert (tmp_path / "CURRENT").read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["CURRENT"]


def test_the_name_of_a_new_index_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited_for: list[Path] = []
    monkeypatch.setattr("index.durable.sync_folder", waited_for.append)
    with writer_lock(tmp_path / "news" / "index"):
        assert waited_for == [tmp_path, tmp_path / "news"]


def test_the_next_writer_takes_away_the_drafts_of_a_killed_one(tmp_path: Path) -> None:
    layout = generation(tmp_path)
    litter = [tmp_path / "CURRENT.draft", layout.folder / "columns.draft", layout.terms / ".tmpa1b2c3"]
    for path in litter:
        path.write_text("half", "utf-8")
    with writer_lock(tmp_path):
        pass
    assert not any(path.exists() for path in litter)
    assert layout.manifest.is_file()


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    root = tmp_path / "index"
    told = pytest.raises(IndexLocked, match=f"is being written by process {os.getpid()} on ")
    with writer_lock(root), told, writer_lock(root):
        pytest.fail("two writers at once")
    with writer_lock(root):
        assert (root / "LOCK.holder").is_file()
    assert not (root / "LOCK.holder").exists()


def test_a_writer_waits_for_a_reader_that_brings_files_in_step_and_for_no_writer(tmp_path: Path) -> None:
    holding, goes_on = threading.Event(), threading.Event()

    def read() -> None:
        with writer_lock(tmp_path, passing=True):
            assert not being_written(tmp_path)  # nobody need be told that there will be news
            holding.set()
            goes_on.wait(10)

    reader = threading.Thread(target=read)
    reader.start()
    assert holding.wait(10)
    threading.Timer(0.6, goes_on.set).start()
    with writer_lock(tmp_path), pytest.raises(IndexLocked), writer_lock(tmp_path, passing=True):
        pytest.fail("a reader waits for nobody")
    reader.join()


def test_a_folder_in_place_of_the_lock_does_not_keep_writers_away(tmp_path: Path) -> None:
    (tmp_path / "LOCK" / "inside").mkdir(parents=True)
    with writer_lock(tmp_path):
        assert (tmp_path / "LOCK").is_file()


def test_the_lock_is_released_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writer_lock(tmp_path):
        raise ZeroDivisionError
    with writer_lock(tmp_path):
        pass


HOLD = """
import sys
from dataclasses import replace
from pathlib import Path
from index.generation import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_another_process_keeps_the_lock_until_it_ends(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    project = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(IndexLocked, match=f"process {other.pid} on "), writer_lock(tmp_path):
            pytest.fail("two writers at once")
        if end == "kill":
            other.kill()
        other.communicate()
    with writer_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "LOCK.holder").read_text("utf-8")


def test_who_writes_can_be_seen_without_getting_in_the_way(tmp_path: Path) -> None:
    assert not being_written(tmp_path)
    with writer_lock(tmp_path):
        assert being_written(tmp_path)
    assert not being_written(tmp_path)


@pytest.mark.parametrize("holder", ["", "process 0 on here\n", "process 99999999999999999999 on {host}\n", "\udcff"])
def test_a_holder_that_is_gone_or_unreadable_does_not_write(tmp_path: Path, holder: str) -> None:
    text = holder.replace("{host}", socket.gethostname())
    (tmp_path / "LOCK.holder").write_text(text, "utf-8", errors="surrogateescape")
    assert not being_written(tmp_path)
