"""Generations of an index on disk: the layout, the manifest, the switch and the lock.

    INDEX/CURRENT                        the id of the live generation, one line
    INDEX/LOCK, INDEX/LOCK.holder        one writer at a time, and who it is
    INDEX/encoder/                       the exported model, where it was built with one
    INDEX/generations/<id>/manifest.json what the generation is and with what it was made
    INDEX/generations/<id>/catalog.sqlite, and derived from it
        columns, vectors.faiss, article-vectors.faiss, lists.faiss, terms/, article-terms/

A generation is written beside the live one; renaming CURRENT makes it live. The one before stays
until the next success.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from index.durable import drop_litter, make_folder, sync_folder, write_durably
from index.encoder import ModelIdentity
from index.errors import MEND_DERIVED, IndexDamaged, IndexLocked, IndexMissing, IndexOutdated, IndexSealed
from index.passages import PassageSettings

FORMAT = 4
"""Raised whenever an older Dateline could misread what this one writes, or this one what that wrote.

2: catalogs know addresses, stories, fingerprints and receipts.
3: vectors in half precision, columns, the manifest knows when files were written.
4: vectors and manifest have checksums, the catalog knows what the generation was made with.
"""
OLDEST_READABLE_FORMAT = 2
OLDEST_UPGRADABLE_FORMAT = 1
"""`dateline rebuild` without sources takes over the articles and vectors of formats from this on."""

RECALL_TARGET = 0.99
"""The share of the ten nearest passages that a dense search over very many should find."""

BACKUP_FILE = "backup.json"
"""Stands in the folder of an index that is a backup, and says of what: see index/backup.py."""

# From this format on a manifest without a checksum is damaged.
_FIRST_WITH_CHECKSUM = 4
_CHECKSUM_DIGITS = 16
# A writer waits for a moment, in which one may end, and as long as a reader may take to bring files in step.
_MOMENT_SECONDS, _PASSING_SECONDS = 0.2, 60.0
_PASSING = ", which reads and makes good what a writer left undone"
_HOLDER = re.compile(r"process (?P<process>[1-9]\d*) on (?P<host>.+)\n")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is.

    `change` is the last change of the catalog that terms were brought in step with, `last_passage` and
    `last_article` the highest numbers then. `files` gives the size, the SHA-256 and the time of writing (in
    nanoseconds) of each derived file as it was then, by its name in the folder. `recall_target` is the share of
    the nearest passages that a dense search should find, `lists` how those are found where there are too many
    to look at all.
    """

    generation: str
    created: str
    dateline: str
    model: ModelIdentity
    passage_settings: PassageSettings
    articles: int = 0
    passages: int = 0
    change: int = 0
    last_passage: int = 0
    last_article: int = 0
    files: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    recall_target: float = RECALL_TARGET
    lists: dict[str, float] | None = None
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of one generation are."""

    folder: Path

    @property
    def manifest(self) -> Path:
        """What the generation is."""
        return self.folder / "manifest.json"

    @property
    def catalog(self) -> Path:
        """The truth."""
        return self.folder / "catalog.sqlite"

    @property
    def vectors(self) -> Path:
        """FAISS, derived."""
        return self.folder / "vectors.faiss"

    @property
    def columns(self) -> Path:
        """What filters and groups look at, derived."""
        return self.folder / "columns"

    @property
    def article_vectors(self) -> Path:
        """The mean of each article's passages, derived."""
        return self.folder / "article-vectors.faiss"

    @property
    def lists(self) -> Path:
        """Which vectors are worth a look, derived; only there where they are many."""
        return self.folder / "lists.faiss"

    @property
    def terms(self) -> Path:
        """The words of passages, derived."""
        return self.folder / "terms"

    @property
    def article_terms(self) -> Path:
        """The words of whole articles, derived."""
        return self.folder / "article-terms"


def new_generation(root: Path) -> Layout:
    """An empty folder for a generation that is not live yet."""
    id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    layout = Layout(_generations(root) / id)
    layout.folder.mkdir(parents=True)
    return layout


def live_generation(root: Path) -> Layout:
    """The generation that answers searches.

    Raises IndexMissing when nothing was ever built, IndexDamaged when nothing says which it is, or it is gone.
    """
    try:
        id = (root / "CURRENT").read_text("utf-8").strip()
    except FileNotFoundError:
        if _was_finished(root) and not being_written(root, by_others=True):
            raise IndexDamaged(f"{root / 'CURRENT'} is missing. {MEND_DERIVED}") from None
        raise IndexMissing(f"No index at {root}. Build one with: dateline rebuild SOURCE --index {root}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"{root / 'CURRENT'} cannot be read ({error}). {MEND_DERIVED}") from error
    layout = Layout(_generations(root) / id)
    if not _ID.fullmatch(id) or not layout.folder.is_dir():
        raise IndexDamaged(f"{root / 'CURRENT'} names no generation in {_generations(root)}. {MEND_DERIVED}")
    return layout


def other_generations(root: Path, *, including_live: bool = False) -> list[Layout]:
    """Every generation but the live one, newest first: the one before, and what was never finished."""
    live = "" if including_live else live_id(root)
    folders = sorted(_generations(root).glob("*/"), reverse=True) if _generations(root).is_dir() else []
    return [Layout(folder) for folder in folders if folder.name != live]


def go_live(root: Path, layout: Layout) -> None:
    """Switches to `layout` atomically and drops all but it and the generation that was live."""
    before = live_id(root)
    for folder in (layout.terms, layout.article_terms, layout.folder, _generations(root)):
        sync_folder(folder)
    make_current(root, layout)
    for other in other_generations(root):
        if other.folder.name != before:
            shutil.rmtree(other.folder, ignore_errors=True)


def make_current(root: Path, layout: Layout) -> None:
    """Names the generation that is live."""
    write_durably(root / "CURRENT", f"{layout.folder.name}\n")


def save_manifest(layout: Layout, manifest: Manifest) -> None:
    """Writes the manifest so that a reader sees the old or the new one, never half of it."""
    fields = asdict(manifest)
    write_durably(layout.manifest, json.dumps({**fields, "checksum": checksum_of(fields)}, indent=2) + "\n")


def load_manifest(layout: Layout, *, oldest: int = OLDEST_READABLE_FORMAT) -> Manifest:
    """The manifest of a generation.

    Raises IndexDamaged when it is missing, not what was written or another generation's, IndexOutdated when its
    format is older than `oldest` or newer than this Dateline's.
    """
    try:
        fields: dict[str, Any] = json.loads(layout.manifest.read_text("utf-8"))
        written, checksum = fields.get("format"), fields.pop("checksum", None)
        if checksum is not None and checksum != checksum_of(fields):
            raise ValueError("its checksum is wrong")
        if isinstance(written, int) and not oldest <= written <= FORMAT:
            raise IndexOutdated(
                f"{layout.folder} has format {written}, this Dateline's is {FORMAT}. {_way_out(written)}"
            )
        if checksum is None and not (isinstance(written, int) and written < _FIRST_WITH_CHECKSUM):
            raise ValueError("it has no checksum")
        if fields["generation"] != layout.folder.name:
            raise ValueError(f"it is that of generation {fields['generation']}")
        fields["model"] = ModelIdentity(**fields["model"])
        fields["passage_settings"] = PassageSettings(**fields["passage_settings"])
        fields["files"] = {
            name: (int(size), str(digest), int(*written)) for name, (size, digest, *written) in fields["files"].items()
        }
        return Manifest(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise IndexDamaged(f"{layout.manifest} is missing or damaged ({reason}). {MEND_DERIVED}") from error


def checksum_of(fields: dict[str, Any]) -> str:
    """What stands behind facts in JSON: one changed digit in them would be another model or other passages."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:_CHECKSUM_DIGITS]


def _way_out(written: int) -> str:
    if OLDEST_UPGRADABLE_FORMAT <= written < FORMAT:
        return "Run: dateline rebuild, without sources; nothing is embedded again."
    return "Install the Dateline that wrote it, run 'dateline export', and rebuild from that file."


def new_manifest(layout: Layout, model: ModelIdentity, settings: PassageSettings) -> Manifest:
    """The manifest of a generation that is about to be filled."""
    from importlib.metadata import version

    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(layout.folder.name, created, version("dateline"), model, settings)


def share_derived_files(of: Layout, to: Layout, *, linked: bool = True) -> None:
    """Puts the derived files of one generation into another: as links where the system can, for none is ever changed.

    tantivy replaces the files that it keeps its books in, so those are copied; without `linked`, everything is.
    """
    for path in _derived_files(of):
        shared = to.folder / path.relative_to(of.folder)
        shared.parent.mkdir(exist_ok=True)
        if linked and path.suffix != ".json":
            with suppress(OSError):
                shared.hardlink_to(path)
                continue
        shutil.copy2(path, shared)
    for terms, others in ((of.terms, to.terms), (of.article_terms, to.article_terms)):
        for books in terms.glob(".*.json"):
            shutil.copy2(books, others / books.name)


def sealed(manifest: Manifest, layout: Layout) -> Manifest:
    """`manifest` with the derived files as they are now; what was not written since is not read again."""
    files: dict[str, tuple[int, str, int]] = {}
    for path in _derived_files(layout):
        name, state = path.relative_to(layout.folder).as_posix(), path.stat()
        size, digest, written = manifest.files.get(name, (-1, "", 0))
        if (size, written) != (state.st_size, state.st_mtime_ns):
            digest = file_sha256(path)
        files[name] = (state.st_size, digest, state.st_mtime_ns)
    return replace(manifest, files=files, format=FORMAT)


def as_sealed(layout: Layout, manifest: Manifest) -> bool:
    """Whether the derived files are those that were sealed: only what was written since is read."""
    now = sealed(manifest, layout).files
    return {name: facts[:2] for name, facts in now.items()} == {
        name: facts[:2] for name, facts in manifest.files.items()
    }


def altered_files(layout: Layout, manifest: Manifest) -> list[str]:
    """Files that have the name of one that was sealed and other bytes: only what was written since is read.

    Files of terms never change once they have a name, but for the library's books; arrays are replaced, and then
    a writer that was killed may not have come to seal them.
    """
    found = []
    for path in _derived_files(layout):
        name, state = path.relative_to(layout.folder).as_posix(), path.stat()
        size, digest, written = manifest.files.get(name, (state.st_size, "", state.st_mtime_ns))
        touched = path.suffix != ".json" and (size, written) != (state.st_size, state.st_mtime_ns)
        if touched and file_sha256(path) != digest:
            found.append(name)
    return found


def missing_files(layout: Layout, manifest: Manifest) -> list[str]:
    """Derived files of the manifest that are not there or not of their size: a quick look."""
    found = []
    for name, (size, *_) in manifest.files.items():
        path = layout.folder / name
        if not path.is_file() or path.stat().st_size != size:
            found.append(name)
    return found


def changed_files(layout: Layout, manifest: Manifest) -> list[str]:
    """Derived files of the manifest that do not have its checksum: all bytes are read."""
    missing = missing_files(layout, manifest)
    present = (name for name in manifest.files if name not in missing)
    return missing + [name for name in present if file_sha256(layout.folder / name) != manifest.files[name][1]]


def unknown_files(layout: Layout, manifest: Manifest) -> list[str]:
    """Files among the terms that the manifest does not know."""
    names = (path.relative_to(layout.folder).as_posix() for path in _derived_files(layout))
    return [name for name in names if name not in manifest.files]


def _derived_files(layout: Layout) -> list[Path]:
    folders = (folder for folder in (layout.terms, layout.article_terms) if folder.is_dir())
    found = (path for folder in folders for path in sorted(folder.iterdir()))
    terms = (path for path in found if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock")
    arrays = (layout.columns, layout.vectors, layout.article_vectors, layout.lists)
    return [*(path for path in arrays if path.is_file()), *terms]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def writer_lock(root: Path, *, wait_seconds: float = _MOMENT_SECONDS, passing: bool = False) -> Iterator[None]:
    """Makes this process the only writer of the index.

    `passing` is for a reader that only brings files in step: writers wait until it has, and it waits for nobody.
    Raises IndexLocked when another one is writing, and IndexSealed when it is a backup.
    """
    if (root / BACKUP_FILE).exists():
        raise IndexSealed(f"{root} is a backup and stays as it is. Put it in place with: dateline restore {root}")
    make_folder(root)
    path, holder = root / "LOCK", root / "LOCK.holder"
    if path.is_dir():  # somebody put a folder where a file should be
        shutil.rmtree(path)
    lock = FileLock(path, timeout=0 if passing else wait_seconds)
    try:
        try:
            lock.acquire()
        except Timeout:
            who = _holder(holder)
            if passing or (who and not who.endswith(_PASSING)):  # who is about to say so has not said it yet
                raise
            lock.acquire(timeout=_PASSING_SECONDS)
    except Timeout:
        who = _holder(holder) or "another process"
        raise IndexLocked(f"{root} is being written by {who}. Wait for it to end, or stop it.") from None
    try:
        with suppress(OSError):  # it only tells others who writes
            doing = _PASSING if passing else ""
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}{doing}\n", "utf-8")
        drop_litter(root)
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    """Who has the lock, as far as it says so."""
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8").strip()
    return ""


def being_written(root: Path, *, by_others: bool = False) -> bool:
    """Whether a process of this machine, or another one than this, is writing to the index, as far as it says so.

    To try the lock would make a writer fail that begins at the same moment.
    """
    try:
        written = _HOLDER.fullmatch((root / "LOCK.holder").read_text("utf-8"))
        if written is None or written["host"] != socket.gethostname():
            return False
        if by_others and int(written["process"]) == os.getpid():
            return False
        os.kill(int(written["process"]), 0)
    except PermissionError:  # it belongs to somebody else
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


def carried_encoder(root: Path) -> Path:
    """Where an index carries the exported model that it was built with, so that it is searched without torch."""
    return root / "encoder"


def live_id(root: Path) -> str:
    """The id of the live generation, empty where there is none."""
    try:
        return live_generation(root).folder.name
    except (IndexMissing, IndexDamaged):
        return ""


def _was_finished(root: Path) -> bool:
    """Whether any generation was ever sealed, as far as manifests can be read."""
    for layout in other_generations(root, including_live=True):
        with suppress(IndexDamaged, IndexOutdated):
            if load_manifest(layout).files:
                return True
    return False


def _generations(root: Path) -> Path:
    return root / "generations"
