"""Backups: one moment of an index in a folder that is an index itself, sealed, verified, there whole or not at all.

    BACKUP/backup.json                   of what and when, and the size and SHA-256 of every other file
    BACKUP/CURRENT, generations/, encoder/   as in any index (index/generation.py), with one generation

Searching and adding go on meanwhile: the catalog is copied out of one snapshot, as SQLite does it, and nobody's lock is
taken. What is derived is never changed in place; copies of it are brought in step with the copied catalog like those of
any generation, or left out where they do not fit. Nothing is linked, so that no harm to one is harm to the other. API
keys are no part of a backup.
"""

import errno
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from index.backup_record import (
    Backup,
    backups_in,
    catalog_problems,
    number_of,
    require_space,
    save_record,
    sync_all,
    writing_to,
)
from index.catalog import Catalog
from index.derived import bring_in_step
from index.durable import sync_folder
from index.encoder import ModelIdentity
from index.encoding.cache import carry_from
from index.encoding.runtime import Facts
from index.errors import MEND_CATALOG, BackupError, IndexDamaged, UsageError
from index.generation import (
    FORMAT,
    Layout,
    Manifest,
    as_sealed,
    carried_encoder,
    file_sha256,
    live_generation,
    load_manifest,
    make_current,
    save_manifest,
    share_derived_files,
)

_DRAFT = ".dateline-backup-"
# A rebuild may go live and drop the generation that is being opened.
_ATTEMPTS = 3
# A writer is out of step with what it sealed for a moment after each commit, or for longer where lists are trained:
# what is derived is not worth waiting for that.
_SHARING_SECONDS, _PAUSE_SECONDS = 10.0, 0.1
_LOCK_SECONDS = 10.0
# What others leave in a folder that they search in: locks of tantivy's and SQLite's notes while it is open.
_NOT_PART = (".lock", "-wal", "-shm")


def back_up(root: Path, destination: Path, *, keep: int | None = None, small: bool = False) -> Backup:
    """Writes a backup of the index at `root` and returns what was written and read back.

    It appears whole at `destination`, where there must be nothing; with `keep`, in a folder in there that is named for
    the time, and then all but that many of the newest are deleted. A `small` one leaves out what can be made again
    without embedding. Raises IndexMissing, IndexDamaged or IndexOutdated where there is nothing whole to back up,
    UsageError for a destination that cannot be one and BackupError where there is no room.
    """
    live_generation(root)
    destination = destination.resolve()
    _require_place(root, destination)
    if keep:
        _require_no_index_at(destination)
        destination.mkdir(exist_ok=True)
    else:
        _require_nothing_at(destination)
    parent = destination if keep else destination.parent
    with writing_to(parent), _draft_in(parent) as draft:
        made = _written(root, draft, small=small)
        place = _dated(parent, made.made) if keep else destination
        draft.rename(place)
        sync_folder(parent)
    if keep:
        _drop_older(parent, keep, place)
    return replace(made, folder=place)


def _require_place(root: Path, destination: Path) -> None:
    if destination.is_relative_to(root.resolve()):
        raise UsageError(f"{destination} is in the index itself. Choose a folder elsewhere, best on another disk.")
    if not destination.parent.is_dir():
        raise UsageError(f"{destination.parent} is no folder. Make it, or mount its disk.")
    if destination.exists() and not destination.is_dir():
        raise UsageError(f"{destination} is a file. Choose a folder that is not there yet.")


def _require_nothing_at(destination: Path) -> None:
    if destination.is_dir() and any(destination.iterdir()):
        raise UsageError(
            f"{destination} exists and is not empty. Choose a folder that is not there yet, or give --keep N to have"
            " dated backups in this one."
        )


def _require_no_index_at(destination: Path) -> None:
    if (destination / "CURRENT").exists():
        raise UsageError(f"{destination} is an index or a backup itself. Choose a folder for backups.")


@contextmanager
def _draft_in(parent: Path) -> Iterator[Path]:
    """A hidden folder that is gone in the end, unless it was renamed. What killed processes left is dropped first.

    A lock beside it says that its maker lives, on whatever machine and in whatever container.
    """
    for left in parent.glob(f"{_DRAFT}*.lock"):
        with suppress(Timeout, OSError, NotImplementedError), FileLock(left, timeout=0):
            _drop(left.with_suffix(""), left)
    draft = parent / f"{_DRAFT}{secrets.token_hex(6)}"
    lock = FileLock(parent / f"{draft.name}.lock")
    try:
        with suppress(NotImplementedError):  # a disk without locks: nobody drops what is left there
            lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:  # it is nobody else's: where no file can be made, the library would try for ever
        raise BackupError(f"No file can be made in {parent}. Choose another folder.") from error
    try:
        draft.mkdir()
        yield draft
    finally:
        _drop(draft, Path(lock.lock_file))
        lock.release()


def _drop(draft: Path, lock: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    if not draft.exists():
        lock.unlink(missing_ok=True)


def _written(root: Path, draft: Path, *, small: bool) -> Backup:
    """Fills the draft from one moment of the index, reads it back and writes its record last."""
    layout, manifest, catalog = _moment(root)
    copy = Layout(draft / "generations" / layout.folder.name)
    copy.folder.mkdir(parents=True)
    with closing(catalog):
        require_space(draft, _needed(root, layout, small=small))
        counts, made = catalog.counts(), datetime.now(UTC).isoformat(timespec="seconds")
        catalog.copy_to(copy.catalog)
    sync_all(draft)
    if problems := catalog_problems(copy, manifest.model):
        raise IndexDamaged(f"{layout.catalog} is damaged ({problems[0]}), so no backup was made. {MEND_CATALOG}")
    make_current(draft, copy)
    _carry_encoder(root, draft, manifest.model)
    shared = None if small or manifest.format < FORMAT else _share(layout, copy)
    if shared:
        save_manifest(copy, shared)
        manifest = bring_in_step(copy)
    else:
        _save_as_underived(layout, manifest, copy)
    _require_one_file(copy.catalog)
    sync_all(draft)
    files = _files_of(draft)
    if shared and _differ(copy, manifest, files, draft):  # damaged where it came from, or on the way
        shared = None
        _drop_derived(copy)
        _save_as_underived(layout, manifest, copy)
        files = _files_of(draft)
    backup = Backup(
        draft, made, str(root.resolve()), version("dateline"), manifest.format, manifest.generation,
        counts.change, counts.articles, counts.passages, shared is not None, files,
    )  # fmt: skip
    save_record(backup)
    return backup


def _require_one_file(catalog: Path) -> None:
    """Raises OSError when closing a catalog did not fold its log into it, which only a failing disk prevents."""
    log = catalog.with_name(f"{catalog.name}-wal")
    if log.exists() and log.stat().st_size:
        raise OSError(errno.EIO, "The copy of the catalog cannot be written to its end", str(catalog))


def _save_as_underived(layout: Layout, manifest: Manifest, copy: Layout) -> None:
    """Writes the manifest of a copy that is the catalog alone."""
    if manifest.format == FORMAT:
        save_manifest(copy, replace(manifest, files={}, lists=None))
    else:  # it stays what it is: the program that wrote it may be wanted back
        shutil.copyfile(layout.manifest, copy.manifest)


def _moment(root: Path) -> tuple[Layout, Manifest, Catalog]:
    """The live generation, its manifest, and its catalog as it stands now, which is that of the manifest or later."""
    for _ in range(_ATTEMPTS - 1):
        layout = live_generation(root)
        try:
            return layout, load_manifest(layout), Catalog.snapshot(layout.catalog)
        except (IndexDamaged, OSError):
            if live_generation(root) == layout:
                raise
    layout = live_generation(root)
    return layout, load_manifest(layout), Catalog.snapshot(layout.catalog)


def _share(layout: Layout, copy: Layout) -> Manifest | None:
    """Copies what is derived as it was sealed and returns the manifest of that; None when it never stood still."""
    until = time.monotonic() + _SHARING_SECONDS
    while True:
        with suppress(IndexDamaged, FileNotFoundError):
            sealed = load_manifest(layout)
            share_derived_files(layout, copy, linked=False)
            if as_sealed(copy, sealed):
                return sealed
        _drop_derived(copy)
        if time.monotonic() > until or not layout.folder.is_dir():  # a rebuild has dropped it
            return None
        time.sleep(_PAUSE_SECONDS)


def _drop_derived(copy: Layout) -> None:
    for path in copy.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != copy.catalog:
            path.unlink()


def _carry_encoder(root: Path, draft: Path, model: ModelIdentity) -> None:
    """Takes along the exported model, if it is whole and that of the generation: it can be made again elsewhere."""
    source, copy = carried_encoder(root), carried_encoder(draft)
    facts = Facts.load(source)
    if facts is None or facts.identity != model:
        return
    try:
        carry_from(source, facts, copy, linked=False)
        whole = Facts.load(copy) == facts and not facts.changed_files(copy)
    except FileNotFoundError:  # a rebuild has just replaced it
        whole = False
    if not whole:
        shutil.rmtree(copy, ignore_errors=True)


def _needed(root: Path, layout: Layout, *, small: bool) -> int:
    """Bytes that a backup takes."""
    copied = layout.folder.glob(f"{layout.catalog.name}*") if small else layout.folder.rglob("*")
    return sum(_size(path) for path in (*copied, *carried_encoder(root).rglob("*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # replaced by now
        return 0


def _files_of(folder: Path) -> dict[str, tuple[int, str]]:
    names = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(_NOT_PART))
    return {path.relative_to(folder).as_posix(): (path.stat().st_size, file_sha256(path)) for path in names}


def _differ(copy: Layout, manifest: Manifest, files: dict[str, tuple[int, str]], draft: Path) -> bool:
    """Whether what was read back is not what the manifest promises of derived files."""
    inside = copy.folder.relative_to(draft).as_posix()
    return any(files.get(f"{inside}/{name}") != facts[:2] for name, facts in manifest.files.items())


def _dated(parent: Path, made: str) -> Path:
    """A name in `parent` for the moment that a backup is of, behind all others of the same second."""
    name = f"{datetime.fromisoformat(made):%Y%m%dT%H%M%SZ}"
    numbers = [number_of(other) for other in parent.glob(f"{name}*")]
    return parent / (f"{name}-{max(numbers) + 1}" if numbers else name)


def _drop_older(parent: Path, keep: int, made: Path) -> None:
    """Deletes all but the newest; never the one that was just made, whatever the clock did."""
    others = [other for other in backups_in(parent) if other != made]
    for old in others[: max(len(others) - keep + 1, 0)]:
        with _draft_in(parent) as draft:
            old.rename(draft / old.name)  # in one moment, so that half of one never looks like a backup
