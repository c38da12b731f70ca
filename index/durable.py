"""Files that are replaced whole, and wait until they are on the disk.

One process writes at a time, so a draft needs no name of its own; what a killed writer left of drafts the next one
takes away.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

_DRAFT = ".draft"
# Drafts, and those of tantivy, which are the only files of its that it does not know of later.
_LITTER = (f"*{_DRAFT}", f"generations/*/*{_DRAFT}", f"generations/*/*/*{_DRAFT}", "generations/*/*/.tmp*")


def make_folder(path: Path) -> None:
    """Makes a folder and those above it that are missing, and makes their names last."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        with suppress(PermissionError):  # who may add to a folder need not be allowed to read it
            sync_folder(path.parent)


def draft_of(path: Path) -> Path:
    """Where the next content of a file is written until it is whole."""
    return path.with_name(f"{path.name}{_DRAFT}")


def write_durably(path: Path, text: str) -> None:
    """Replaces the file at `path` with `text`, atomically, and waits until it is on the disk."""
    draft = draft_of(path)
    try:
        draft.write_text(text, "utf-8")
        replace_durably(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def replace_durably(draft: Path, path: Path) -> None:
    """Renames `draft` to `path` once its bytes are on the disk, and makes the new name last."""
    if path.is_dir():  # somebody put a folder where a file should be
        shutil.rmtree(path)
    sync_file(draft)
    draft.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Waits until the bytes of a file are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    if os.name == "posix":  # a folder cannot be opened elsewhere
        sync_file(path)


def drop_litter(root: Path) -> None:
    """Deletes the drafts that killed writers left in an index; only for who has its lock."""
    for pattern in _LITTER:
        for path in root.glob(pattern):
            with suppress(OSError):
                path.unlink()
