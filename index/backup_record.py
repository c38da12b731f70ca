"""What a backup promises, held against what is there, and what writing one and putting one back have in common."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.catalog import Catalog
from index.durable import sync_file, sync_folder, write_durably
from index.encoder import ModelIdentity
from index.errors import BackupError
from index.generation import (
    BACKUP_FILE,
    Layout,
    checksum_of,
    file_sha256,
    load_manifest,
)

_SECOND = len("20250820T150700Z")
_DATED = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
# Beside what is copied: what derived files are brought in step with, and the record.
_SPACE_BESIDE = 1.05


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup and what it promises.

    `made` is the moment of which it is, in UTC; `index` the folder that it is of, `format` that of its generation and
    `change` the last that it holds; `derived` says whether what is derived is in it. `files` gives the size and
    SHA-256 of every file by its name in the folder.
    """

    folder: Path
    made: str
    index: str
    dateline: str
    format: int
    generation: str
    change: int
    articles: int
    passages: int
    derived: bool
    files: dict[str, tuple[int, str]]

    @property
    def layout(self) -> Layout:
        """The generation in it."""
        return Layout(self.folder / "generations" / self.generation)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())

    def changed_files(self) -> list[str]:
        """Its files that are missing or not what was written: all bytes are read."""
        return [name for name, (size, digest) in self.files.items() if not _is(self.folder / name, size, digest)]


def save_record(backup: Backup) -> None:
    """Writes what a backup says of itself into its folder: from then on it is one."""
    fields = asdict(backup)
    del fields["folder"]
    told = json.dumps({**fields, "checksum": checksum_of(fields)}, indent=1, ensure_ascii=False)
    write_durably(backup.folder / BACKUP_FILE, f"{told}\n")


def backup_in(folder: Path) -> Backup | None:
    """The backup in a folder, by what it says of itself; None where there is none.

    Raises BackupError when that is damaged.
    """
    path = folder / BACKUP_FILE
    try:
        fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if fields.pop("checksum") != checksum_of(fields):
            raise ValueError("its checksum is wrong")
        fields["files"] = {name: (int(size), str(digest)) for name, (size, digest) in fields["files"].items()}
        return Backup(folder=folder, **fields)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackupError(
            f"{path} is damaged ({error}), so nothing tells what the backup should hold. Take another backup; or delete"
            " that file, and the folder is taken for a copy that was made by hand."
        ) from error


def backups_in(folder: Path) -> list[Path]:
    """The dated backups in a folder, oldest first."""
    names = (entry for entry in folder.iterdir() if _DATED.fullmatch(entry.name)) if folder.is_dir() else ()
    return sorted(
        (entry for entry in names if (entry / BACKUP_FILE).is_file()),
        key=lambda entry: (entry.name[:_SECOND], number_of(entry)),
    )


def backup_problems(backup: Backup) -> list[str]:
    """What is wrong with a backup, one line each: files that changed, and what is not whole in its catalog."""
    found = [f"{name} is missing or not what was written" for name in backup.changed_files()]
    return found or catalog_problems(backup.layout, load_manifest(backup.layout).model)


def catalog_problems(layout: Layout, model: ModelIdentity) -> list[str]:
    """What is wrong with the catalog of a generation whose vectors this model made."""
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        return catalog.problems(model.document_prompt)


def require_space(folder: Path, needed: int) -> None:
    """Raises BackupError when the disk of a folder has less room than `needed` bytes and a little."""
    needed, free = int(needed * _SPACE_BESIDE), shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"{folder} has {_megabytes(free)} of free space, and about {_megabytes(needed)} are needed."
            " Make room, or choose another disk."
        )


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Has what meets a full disk say which: libraries name the file that they read."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BackupError(
            f"The disk of {folder} is full; nothing was left there. Make room, or choose another."
        ) from error


def sync_all(folder: Path) -> None:
    """Waits until everything in a folder is on the disk and no longer in memory, so that it is next read from there."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            sync_file(path)
            _forget(path)


def _is(path: Path, size: int, digest: str) -> bool:
    try:
        return path.stat().st_size == size and file_sha256(path) == digest
    except OSError:
        return False


def number_of(folder: Path) -> int:
    """Which of the backups of one second a dated folder is, from 1."""
    _, _, number = folder.name.partition("-")
    return int(number) if number.isdecimal() else 1


def _forget(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
