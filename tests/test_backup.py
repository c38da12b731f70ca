"""Backups, putting them back, and going back to the generation before."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from sample import ARTICLES, FakeEncoder, write_jsonl

from index import backup, check, restore
from index.backup import back_up
from index.backup_record import Backup, backup_in, backup_problems, backups_in
from index.build import add, rebuild
from index.catalog import Catalog
from index.command_line import run_command_line
from index.encoding.runtime import Facts
from index.errors import BackupError, IndexDamaged, IndexMissing, IndexOutdated, IndexSealed, UsageError
from index.generation import (
    FORMAT,
    Layout,
    carried_encoder,
    live_generation,
    live_id,
    load_manifest,
    other_generations,
    writer_lock,
)
from index.restore import kept_generation, rollback
from index.restore import restore as put_back
from search.engine import Engine
from web.cli import COMMANDS

PROJECT = Path(__file__).parent.parent
FORMATS = PROJECT / "tests" / "data"
Load = Callable[..., FakeEncoder]
# Larger than anything small that is written, smaller than a catalog.
MOST_BYTES_A_FILE = 20_000


def records(word: str, count: int) -> list[dict]:
    return [
        {"id": f"{word}{number}", "title": f"Report {number}", "text": f"The word {word}{number}x stands here."}
        for number in range(count)
    ]


def added(root: Path, word: str, count: int, load: Load) -> None:
    add(root, [str(write_jsonl(root.parent / f"{word}.jsonl", records(word, count)))], load)


def ids(root: Path) -> list[str]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return [article.id for article in catalog.all_articles()]


def found(root: Path, query: str) -> list[str]:
    with closing(Engine.open(root, lambda model: FakeEncoder())) as engine:
        return [hit.article.id for hit in engine.search(query, mode="lexical").hits]


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def kept(root: Path, tmp_path: Path) -> Backup:
    """A backup of the index of five articles."""
    return back_up(root, tmp_path / "backup")


def test_a_backup_is_an_index_that_can_be_searched(root: Path, kept: Backup) -> None:
    assert backup_in(kept.folder) == kept
    assert (kept.articles, kept.format, kept.derived, kept.index) == (len(ARTICLES), FORMAT, True, str(root))
    assert backup_problems(kept) == check.problems(kept.folder) == []
    assert ids(kept.folder) == ids(root)
    assert found(kept.folder, "lighthouse") == found(root, "lighthouse") == ["undated"]
    assert kept.changed_files() == []


def test_a_backup_has_nothing_in_common_with_the_index(kept: Backup) -> None:
    assert all(path.stat().st_nlink == 1 for path in kept.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("small", [False, True])
def test_nobody_writes_to_a_backup(root: Path, tmp_path: Path, load: Load, small: bool) -> None:
    made = back_up(root, tmp_path / "sealed", small=small)
    before = state(made.folder)
    for write in (
        lambda: added(made.folder, "more", 1, load), lambda: rebuild(made.folder, [], load),
        lambda: check.repair(made.folder), lambda: rollback(made.folder), lambda: put_back(root, made.folder),
    ):  # fmt: skip
        with pytest.raises(IndexSealed, match="is a backup and stays as it is"):
            write()
    assert found(made.folder, "lighthouse") == ["undated"]
    assert state(made.folder) == before


def test_a_small_backup_leaves_out_what_can_be_made_again(root: Path, tmp_path: Path, load: Load) -> None:
    made = back_up(root, tmp_path / "small", small=True)
    assert not made.derived
    assert {Path(name).name for name in made.files} == {"CURRENT", "catalog.sqlite", "manifest.json"}
    assert put_back(made.folder, tmp_path / "elsewhere").remade
    assert check.problems(tmp_path / "elsewhere") == []
    assert found(tmp_path / "elsewhere", "lighthouse") == ["undated"]


def test_a_backup_waits_for_no_writer(root: Path, tmp_path: Path) -> None:
    with writer_lock(root):
        assert back_up(root, tmp_path / "meanwhile").articles == len(ARTICLES)


def test_a_backup_between_storing_and_indexing_holds_what_is_stored(
    root: Path, tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.build.bring_in_step", load_manifest)
    added(root, "late", 3, load)
    made = back_up(root, tmp_path / "late")
    assert (made.articles, made.derived) == (len(ARTICLES) + 3, True)
    assert check.problems(made.folder) == []
    assert found(made.folder, "late2x") == ["late2"]


def test_a_backup_follows_rebuilds_that_drop_what_it_began_with(
    root: Path, tmp_path: Path, corpus: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, asked = live_id(root), []

    def overtaken(layout):
        if not asked:
            asked.append(layout)
            rebuild(root, [str(corpus)], load)
            rebuild(root, [str(corpus)], load)
        return load_manifest(layout)

    monkeypatch.setattr(backup, "load_manifest", overtaken)
    made = back_up(root, tmp_path / "overtaken")
    assert made.generation == live_id(root) != before
    assert backup_problems(made) == []


def test_what_is_derived_is_left_out_where_it_never_is_of_one_moment(
    root: Path, tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def while_adding(of, to, *, linked):
        added(root, f"word{len(ids(root))}-", 1, load)
        share(of, to, linked=linked)

    share = backup.share_derived_files
    monkeypatch.setattr(backup, "_SHARING_SECONDS", 0)
    monkeypatch.setattr(backup, "share_derived_files", while_adding)
    made = back_up(root, tmp_path / "busy")
    assert (made.articles, made.derived) == (len(ARTICLES), False)
    assert backup_problems(made) == []
    put_back(made.folder, tmp_path / "elsewhere")
    assert check.problems(tmp_path / "elsewhere") == []


def test_damage_in_what_is_derived_does_not_get_into_a_backup(root: Path, tmp_path: Path) -> None:
    path = live_generation(root).vectors
    times = path.stat()
    flip(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    made = back_up(root, tmp_path / "derived")
    assert not made.derived
    put_back(made.folder, tmp_path / "elsewhere")
    assert check.problems(tmp_path / "elsewhere") == []


def test_a_damaged_catalog_is_not_backed_up_and_older_backups_stay(root: Path, tmp_path: Path) -> None:
    first = back_up(root, tmp_path / "backups", keep=1)
    path = live_generation(root).catalog
    path.write_bytes(path.read_bytes().replace(b"ran aground on a sandbank", b"ran aground on a sandbanc"))
    with pytest.raises(IndexDamaged, match=r"catalog\.sqlite is damaged .* no backup was made"):
        back_up(root, tmp_path / "backups", keep=1)
    assert list((tmp_path / "backups").iterdir()) == [first.folder]


def test_what_a_killed_backup_left_is_dropped_and_what_a_living_one_has_is_not(root: Path, tmp_path: Path) -> None:
    parent = tmp_path / "backups"
    for name in ("dead", "living"):
        (parent / f".dateline-backup-{name}" / "generations").mkdir(parents=True)
        (parent / f".dateline-backup-{name}.lock").touch()
    with FileLock(parent / ".dateline-backup-living.lock"):
        made = back_up(root, parent / "one")
    assert {path.name for path in parent.iterdir()} == {
        "one", ".dateline-backup-living", ".dateline-backup-living.lock"
    }  # fmt: skip
    assert backups_in(parent) == []
    assert backup_problems(made) == []


def test_the_newest_dated_backups_are_kept_and_nothing_else_is_touched(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "backups"
    (parent / "notes").mkdir(parents=True)
    (parent / "20200101T000000Z").mkdir()  # no backup, whatever it is called
    own = back_up(root, parent / "before-the-upgrade")
    made = [back_up(root, parent, keep=2).folder for _ in range(4)]
    assert backups_in(parent) == made[2:]
    assert {path.name for path in parent.iterdir()} == {
        "notes", "20200101T000000Z", own.folder.name, *(folder.name for folder in made[2:])
    }  # fmt: skip
    with pytest.raises(UsageError, match=f"holds 2 backups. Name one; the newest is {made[3]}"):
        put_back(parent, tmp_path / "elsewhere")


def test_backups_of_one_second_are_in_order(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = SimpleNamespace(isoformat=lambda timespec: "2025-08-20T15:07:00+00:00")
    monkeypatch.setattr(backup, "datetime", SimpleNamespace(now=lambda zone: moment, fromisoformat=lambda _: SECOND))
    made = [back_up(root, tmp_path / "backups", keep=2, small=True).folder for _ in range(11)]
    assert [folder.name[16:] for folder in made] == ["", *(f"-{number}" for number in range(2, 12))]
    assert backups_in(tmp_path / "backups") == made[-2:]


def test_a_backup_is_never_dropped_for_those_of_a_clock_that_was_ahead(root: Path, tmp_path: Path) -> None:
    parent = tmp_path / "backups"
    ahead = back_up(root, parent, keep=1).folder.rename(parent / "29990101T000000Z")
    made = back_up(root, parent, keep=1)
    assert backups_in(parent) == [made.folder]
    assert not ahead.exists()


class _Second:
    def __format__(self, form: str) -> str:
        return "20250820T150700Z"


SECOND = _Second()


@pytest.mark.parametrize(
    ("place", "keep", "reason"),
    [
        ("index/backup", None, "in the index itself"), ("index", None, "in the index itself"),
        ("index/backups", 3, "in the index itself"), ("nowhere/backup", None, "nowhere is no folder"),
        ("nowhere/backups", 3, "nowhere is no folder"), ("articles.jsonl", None, "is a file"),
        ("full", None, "is not empty"), ("backup", None, "is not empty"), ("backup", 3, "is an index or a backup"),
    ],
)  # fmt: skip
def test_places_that_cannot_be_a_backup_are_refused(
    root: Path, tmp_path: Path, kept: Backup, place: str, keep: int | None, reason: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "of something").touch()
    before = state(tmp_path)
    with pytest.raises(UsageError, match=reason):
        back_up(root, tmp_path / place, keep=keep)
    assert state(tmp_path) == before


def test_there_must_be_an_index_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        back_up(tmp_path / "none", tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_without_room_nothing_is_begun(
    root: Path, tmp_path: Path, kept: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, before = live_id(root), set(tmp_path.iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000))
    for run in (lambda: back_up(root, tmp_path / "second"), lambda: put_back(kept.folder, root)):
        with pytest.raises(BackupError, match=r"has 0\.0 MB of free space, and about 0\.1 MB are needed\. Make room"):
            run()
    assert set(tmp_path.iterdir()) == before
    assert [layout.folder.name for layout in other_generations(root, including_live=True)] == [live]


WRITES_FAIL = f"""
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({MOST_BYTES_A_FILE}, {MOST_BYTES_A_FILE}))
runpy.run_module("index", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on the size of files is that of Unix")
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_writing_that_fails_in_the_middle_is_one_line_and_leaves_nothing(
    root: Path, tmp_path: Path, kept: Backup, command: str
) -> None:
    live, before = live_id(root), set(tmp_path.iterdir())
    place = tmp_path / "second" if command == "backup" else kept.folder
    done = subprocess.run(
        [sys.executable, "-c", WRITES_FAIL, command, str(place), "--index", str(root)],
        capture_output=True, text=True, cwd=PROJECT, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith("dateline: ")
    assert "Unexpected" not in done.stderr
    assert set(tmp_path.iterdir()) == before
    assert [layout.folder.name for layout in other_generations(root, including_live=True)] == [live]


def test_a_backup_is_put_back_where_there_is_no_index(tmp_path: Path, root: Path, kept: Backup, load: Load) -> None:
    elsewhere = tmp_path / "elsewhere"
    switched = put_back(kept.folder, elsewhere)
    assert (switched.generation, switched.articles, switched.kept) == (live_id(elsewhere), len(ARTICLES), None)
    assert not switched.remade
    assert check.problems(elsewhere) == []
    assert ids(elsewhere) == ids(root)
    added(elsewhere, "more", 2, load)
    assert found(elsewhere, "more1x") == ["more1"]
    assert check.problems(elsewhere) == []


def test_what_came_after_a_backup_is_never_taken_for_what_comes_after_restoring_it(
    root: Path, kept: Backup, load: Load
) -> None:
    added(root, "lost", 50, load)
    first = live_id(root)
    switched = put_back(kept.folder, root)
    assert (switched.kept, switched.kept_articles) == (first, len(ARTICLES) + 50)
    added(root, "new", 50, load)
    assert found(root, "new7x") == ["new7"]
    assert found(root, "lost7x") == []
    assert check.problems(root) == []
    numbers = []
    for layout in other_generations(root, including_live=True):
        with closing(Catalog.snapshot(layout.catalog)) as catalog:
            numbers.append(set(catalog.numbers().tolist()))
    assert len(numbers[0] & numbers[1]) == len(ARTICLES)
    assert rollback(root).generation == first
    added(root, "third", 5, load)
    assert (found(root, "lost7x"), found(root, "new7x"), found(root, "third3x")) == (["lost7"], [], ["third3"])
    assert check.problems(root) == []


def test_every_damaged_file_of_a_backup_is_named(tmp_path: Path, kept: Backup) -> None:
    assert len(kept.files) > 20
    for number, name in enumerate(kept.files):
        path = kept.folder / name
        path.rename(tmp_path / "aside")
        if number % 2:
            shutil.copyfile(tmp_path / "aside", path)
            flip(path)
        assert backup_problems(kept) == [f"{name} is missing or not what was written"]
        (tmp_path / "aside").replace(path)
    assert backup_problems(kept) == []


@pytest.mark.parametrize(
    "name", ["CURRENT", "manifest.json", "columns", "vectors.faiss", "meta.json", ".managed.json", ".pos"]
)
@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_what_is_damaged_but_derived_is_made_again(
    root: Path, tmp_path: Path, kept: Backup, name: str, damage: Callable[[Path], object]
) -> None:
    damage(next(kept.folder / file for file in kept.files if file.endswith(name)))
    assert put_back(kept.folder, tmp_path / "elsewhere").remade == (name != "CURRENT")
    assert check.problems(tmp_path / "elsewhere") == []
    assert ids(tmp_path / "elsewhere") == ids(root)


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_backup_with_a_damaged_catalog_is_refused(
    tmp_path: Path, kept: Backup, damage: Callable[[Path], object]
) -> None:
    damage(kept.layout.catalog)
    with pytest.raises(BackupError, match=r"catalog\.sqlite is missing or not what was written\. Restore another"):
        put_back(kept.folder, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_refused_and_a_folder_without_one_is_a_copy(
    tmp_path: Path, kept: Backup, damage: bytes
) -> None:
    path = kept.folder / "backup.json"
    path.write_bytes(damage)
    with pytest.raises(BackupError, match=r"backup\.json is damaged .* delete that file"):
        put_back(kept.folder, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    path.unlink()
    assert put_back(kept.folder, tmp_path / "elsewhere").articles == len(ARTICLES)
    assert check.problems(tmp_path / "elsewhere") == []


def test_a_record_with_one_other_digit_is_damaged(kept: Backup) -> None:
    path = kept.folder / "backup.json"
    for told, other in (('"articles": 5', '"articles": 6'), (kept.files["CURRENT"][1], "0" * 64)):
        text = path.read_text("utf-8")
        path.write_text(text.replace(told, other), "utf-8")
        with pytest.raises(BackupError, match="its checksum is wrong"):
            backup_in(kept.folder)
        path.write_text(text, "utf-8")


def test_a_copy_by_hand_with_a_damaged_catalog_is_refused(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    path = live_generation(copy).catalog
    path.write_bytes(path.read_bytes().replace(b"ran aground on a sandbank", b"ran aground on a sandbanc"))
    live = live_id(root)
    with pytest.raises(BackupError, match=r"copy is damaged: article 1 .* is not what was stored"):
        put_back(copy, root)
    assert [layout.folder.name for layout in other_generations(root, including_live=True)] == [live]


def test_what_is_no_backup_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, reason in (("empty", "is no backup"), ("nothing", "is no backup"), ("index", "is the index itself")):
        with pytest.raises(UsageError, match=reason):
            put_back(tmp_path / name, root)


def test_restoring_over_a_damaged_current_keeps_what_was_live(root: Path, kept: Backup, load: Load) -> None:
    live = live_id(root)
    (root / "CURRENT").write_text("nowhere", "utf-8")
    assert put_back(kept.folder, root).kept == live
    assert rollback(root).generation == live


@pytest.mark.parametrize("written", [2, 3])
def test_a_copy_of_an_older_format_is_brought_up_to_date_without_embedding(tmp_path: Path, written: int) -> None:
    copy = Path(shutil.copytree(FORMATS / f"format-{written}", tmp_path / "copy"))
    before = state(copy)
    assert put_back(copy, tmp_path / "index").articles == len(ARTICLES)
    assert load_manifest(live_generation(tmp_path / "index")).format == FORMAT
    assert check.problems(tmp_path / "index") == []
    assert found(tmp_path / "index", "lighthouse") == ["undated"]
    assert state(copy) == before


def test_a_copy_that_is_too_old_is_refused_with_the_command_that_helps(tmp_path: Path, load: Load) -> None:
    copy = Path(shutil.copytree(FORMATS / "format-1", tmp_path / "copy"))
    with pytest.raises(IndexOutdated, match=f"has format 1, .* Run: dateline rebuild --index {copy}, without sources"):
        put_back(copy, tmp_path / "index")
    rebuild(copy, [], load)
    assert put_back(copy, tmp_path / "index").articles == len(ARTICLES)
    assert check.problems(tmp_path / "index") == []


@pytest.mark.parametrize("written", [2, 3])
def test_a_backup_of_an_older_format_stays_what_it_is(tmp_path: Path, written: int) -> None:
    root = Path(shutil.copytree(FORMATS / f"format-{written}", tmp_path / "index"))
    manifest = live_generation(root).manifest.read_bytes()
    made = back_up(root, tmp_path / "backup")
    assert (made.format, made.layout.manifest.read_bytes()) == (written, manifest)
    assert backup_problems(made) == []
    put_back(made.folder, root)
    assert load_manifest(live_generation(root)).format == FORMAT
    assert check.problems(root) == []


def test_rolling_back_goes_to_the_generation_before_and_returns(root: Path, corpus: Path, load: Load) -> None:
    first = live_id(root)
    rebuild(root, [str(corpus), str(write_jsonl(root.parent / "more.jsonl", records("more", 2)))], load)
    second = live_id(root)
    assert kept_generation(root).folder.name == first
    switched = rollback(root)
    assert (switched.generation, switched.articles) == (first, len(ARTICLES)) == (live_id(root), len(ids(root)))
    assert (switched.kept, switched.kept_articles) == (second, len(ARTICLES) + 2)
    assert found(root, "more1x") == []
    added(root, "other", 1, load)
    assert check.problems(root) == []
    assert rollback(root).generation == second
    assert (found(root, "more1x"), found(root, "other0x")) == (["more1"], [])


def test_what_a_killed_restore_copied_is_no_generation_before(root: Path, corpus: Path, load: Load) -> None:
    before = live_generation(root)
    rebuild(root, [str(corpus)], load)
    copied = Layout(root / "generations" / "99990101T000000Z-000000")
    copied.folder.mkdir()
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        catalog.copy_to(copied.catalog)  # there was no time for a manifest
    assert kept_generation(root) == before
    assert rollback(root).generation == before.folder.name


def test_without_a_generation_before_nothing_is_rolled_back(root: Path) -> None:
    with pytest.raises(BackupError, match="keeps no generation but the live one"):
        rollback(root)
    (root / "generations" / "29990101T000000Z-unfinished").mkdir()
    with pytest.raises(BackupError, match="keeps no generation but the live one"):
        rollback(root)


def test_what_was_derived_from_the_generation_before_is_made_again(root: Path, corpus: Path, load: Load) -> None:
    rebuild(root, [str(corpus)], load)
    flip(kept_generation(root).columns)
    assert rollback(root).remade
    assert check.problems(root) == []


@pytest.mark.parametrize("name", ["catalog", "manifest"])
def test_a_generation_before_that_is_not_whole_is_no_way_back(root: Path, corpus: Path, load: Load, name: str) -> None:
    rebuild(root, [str(corpus)], load)
    live, path = live_id(root), getattr(kept_generation(root), name)
    if name == "catalog":
        path.write_bytes(path.read_bytes().replace(b"ran aground on a sandbank", b"ran aground on a sandbanc"))
    else:
        path.unlink()
    with pytest.raises(BackupError, match=r"is not whole .* the live one stays"):
        rollback(root)
    assert live_id(root) == live


def test_a_generation_before_of_format_1_is_no_way_back(tmp_path: Path, load: Load) -> None:
    root = Path(shutil.copytree(FORMATS / "format-1", tmp_path / "index"))
    rebuild(root, [], load)
    with pytest.raises(BackupError, match="has an older format"):
        rollback(root)


def exported(root: Path) -> Path:
    """An exported model as an index carries it, by its facts and files; nobody runs it here."""
    folder = carried_encoder(root)
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    identity = load_manifest(live_generation(root)).model
    Facts(identity, 256, "[UNK]", "int8", 0.99, 0.98, (1.0,), {"model.bin": 7}).save(folder)
    return folder


def test_the_exported_model_comes_along(root: Path, tmp_path: Path) -> None:
    whole = state(exported(root))
    made = back_up(root, tmp_path / "backup")
    assert state(carried_encoder(made.folder)) == whole
    put_back(made.folder, tmp_path / "elsewhere")
    assert state(carried_encoder(tmp_path / "elsewhere")) == whole
    (carried_encoder(root) / "model.bin").write_bytes(b"")
    second = back_up(root, tmp_path / "without")
    assert not carried_encoder(second.folder).exists()


def test_an_exported_model_has_no_files_elsewhere(tmp_path: Path) -> None:
    (folder := tmp_path / "encoder").mkdir()
    (tmp_path / "payload").write_text("evil")
    identity = FakeEncoder().identity
    Facts(identity, 5, "[UNK]", "int8", 1.0, 1.0, (0.0,), {"../payload": 4}).save(folder)
    assert Facts.load(folder) is None


def test_keys_and_locks_are_no_part_of_a_backup(root: Path, tmp_path: Path) -> None:
    (root / "keys.json").write_text("[]", "utf-8")
    made = back_up(root, tmp_path / "backup")
    assert {path.name for path in made.folder.iterdir()} == {"CURRENT", "backup.json", "generations"}


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["dateline", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run_command_line(COMMANDS)
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_commands_tell_what_they_did(
    root: Path, tmp_path: Path, corpus: Path, load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def dateline(*arguments: object) -> str:
        status, out, err = run(monkeypatch, capsys, *arguments)
        assert (status, err) == (0, "")
        return out

    index = ("--index", root)
    assert "Backed up 5 articles to" in dateline("backup", tmp_path / "b", *index)
    assert dateline("backup", tmp_path / "quiet", "--quiet", *index) == ""
    told = json.loads(dateline("backup", tmp_path / "dated", "--keep", 2, "--small", "--json", *index))
    assert (told["articles"], told["derived"], Path(told["folder"]).parent) == (5, False, tmp_path / "dated")
    assert dateline("check", "--index", tmp_path / "b") == "The backup is whole.\n"
    first = live_id(root)
    out = dateline("restore", tmp_path / "b", *index)
    assert f"5 articles in generation {live_id(root)}, made 20" in out
    assert f"{first} with 5 articles, is kept until the next rebuild or restore" in out
    assert json.loads(dateline("stats", "--json", *index))["kept"] == first
    assert json.loads(dateline("rollback", "--json", *index))["generation"] == first
    assert dateline("rollback", *index).startswith("Rolled back: 5 articles in generation ")
    assert "was made anew; nothing was embedded" in dateline("restore", told["folder"], *index)


def test_check_says_what_is_damaged_in_a_backup(
    kept: Backup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    flip(kept.layout.catalog)
    status, out, _ = run(monkeypatch, capsys, "check", "--index", kept.folder)
    assert status == 1
    assert "catalog.sqlite is missing or not what was written" in out
    assert out.endswith("The backup is damaged. Take another one.\n")


@pytest.mark.parametrize(("number", "error"), [(errno.EIO, OSError), (errno.ENOSPC, BackupError)])
def test_a_failed_switch_leaves_the_live_generation(
    root: Path, kept: Backup, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def broken(root, layout):
        raise OSError(number, os.strerror(number))

    live = live_id(root)
    monkeypatch.setattr(restore, "go_live", broken)
    with pytest.raises(error, match=r"Input/output error|index is full; nothing was left there\. Make room"):
        put_back(kept.folder, root)
    assert [layout.folder.name for layout in other_generations(root, including_live=True)] == [live]
    assert check.problems(root) == []
