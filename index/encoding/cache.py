"""Where exports are kept: one folder for each model and version, in the user's cache or carried by an index.

`exports/WEIGHTS-VERSION/` holds what FastEncoder opens. `sources/NAME.json` says which export belongs to a model's
name, and how the model's files looked when it was made, so that neither torch nor a hash of all weights is needed
to find it again. Everything is made elsewhere and moved into place, by one process at a time.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from index.durable import sync_file, sync_folder
from index.encoder import ModelIdentity
from index.encoding.runtime import FACTS_FILE, Facts, FastEncoder
from index.errors import ModelError

logger = logging.getLogger(__name__)

# Part of an export's name: raise it when what export.py writes changes.
EXPORT_VERSION = 2

Looks = dict[str, tuple[int, int]]
"""Size and time of the last change, in nanoseconds, of each file."""


def cache_folder() -> Path:
    """$DATELINE_CACHE, else `dateline` in $XDG_CACHE_HOME, else in ~/.cache."""
    if given := os.environ.get("DATELINE_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dateline"


def kept_encoder(name: str, model: Path | None, *, many: bool = False) -> FastEncoder | None:
    """The export of the model called `name`, if there is one of the files that the model has now.

    `model` is the model's folder, where the name tells it; else the folder that was noted is looked at.
    """
    try:
        note = json.loads(_note(name).read_text("utf-8"))
        folder, looks = Path(note["folder"]), {file: tuple(look) for file, look in note["looks"].items()}
        same = note["version"] == EXPORT_VERSION and model in (None, folder) and looks == _looks(folder)
        export = cache_folder() / "exports" / note["export"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return opened(export, name, many=many) if same else None


def opened(folder: Path, name: str, *, many: bool = False) -> FastEncoder | None:
    """The export in a folder if it is whole, computes rightly and is of the model called `name`."""
    facts = Facts.load(folder)
    if facts is None or facts.identity.name != name:
        return None
    try:
        return FastEncoder.open(folder, many=many)
    except ModelError as error:
        logger.warning("%s", error)
        return None


def keep(
    identity: ModelIdentity, model: Path | None, write: Callable[[Path], object], *, many: bool = False
) -> FastEncoder:
    """The export of a model, made by `write` in an empty folder unless it is there by now; noted under its name.

    What `write` raises is passed on, and then nothing is kept. Raises ModelError when the cache cannot be written.
    """
    # The name and the prompts are part of what is kept, so two names of the same weights have two exports.
    words = hashlib.sha256("\0".join((identity.name, identity.query_prompt, identity.document_prompt)).encode())
    export = f"{identity.weight_hash[:24]}-{words.hexdigest()[:8]}-{EXPORT_VERSION}"
    exports = cache_folder() / "exports"
    try:
        exports.mkdir(parents=True, exist_ok=True)
        with FileLock(exports / f"{export}.lock"):
            encoder = opened(exports / export, identity.name, many=many)
            if encoder is None:
                _make(exports / export, write)
                encoder = FastEncoder.open(exports / export, many=many)
            if model is not None:
                _write_note(
                    identity.name,
                    {"folder": str(model), "looks": _looks(model), "version": EXPORT_VERSION, "export": export},
                )
    except OSError as error:
        raise ModelError(
            f"The exported model cannot be kept in {cache_folder()}: {error.strerror}. Set DATELINE_CACHE to a folder."
        ) from error
    return encoder


def carry(encoder: FastEncoder, destination: Path) -> None:
    """Puts the export into a folder of its own at `destination`, so that an index can be searched without torch.

    Files are linked where the disk allows it and copied where not. An export that is there is replaced.
    """
    carry_from(encoder.folder, encoder.facts, destination)


def carry_from(source: Path, known: Facts, destination: Path, *, linked: bool = True) -> None:
    """As `carry`, of an export that is not opened: it lies in `source`, and `known` is what stands beside it.

    Without `linked`, the files have nothing in common.
    """
    facts = Facts.load(destination)
    if facts == known and not facts.changed_files(destination):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)

    def link_all(folder: Path) -> None:
        for name in (*known.sizes, FACTS_FILE):
            if linked:
                with suppress(OSError):
                    os.link(source / name, folder / name)
                    continue
            shutil.copyfile(source / name, folder / name)

    _make(destination, link_all)


def carry_again(model: ModelIdentity, destination: Path) -> None:
    """Mends the export that an index carries from the one in the user's cache.

    Raises ModelError when there is none there of the same model.
    """
    exports = cache_folder() / "exports"
    for folder in sorted(exports.iterdir()) if exports.is_dir() else []:
        facts = Facts.load(folder)
        if facts is not None and facts.identity == model and not facts.changed_files(folder):
            carry(FastEncoder.open(folder), destination)
            return
    raise ModelError(
        f"The exported model in {destination} is damaged, and there is no other on this machine."
        " Copy the folder from a backup, or run: dateline rebuild, without sources, where the model is installed."
    )


def _make(folder: Path, write: Callable[[Path], object]) -> None:
    """Has a folder written beside its place and moves it there when it is whole."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(left, ignore_errors=True)  # by a process that was killed
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(draft)
        for file in [*draft.iterdir(), draft]:  # on the disk before anything says that it is there
            sync_file(file) if file.is_file() else sync_folder(file)
        if folder.exists():
            folder.rename(draft / "replaced")
            (draft / "new").mkdir()
            for file in [file for file in draft.iterdir() if file.is_file()]:
                file.rename(draft / "new" / file.name)
            (draft / "new").rename(folder)
        else:
            draft.rename(folder)
            folder.chmod(0o755)  # as a new folder is, not as a temporary one
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _looks(folder: Path) -> Looks:
    """How the files of a model's folder look."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            found[str(file.relative_to(folder))] = (status.st_size, status.st_mtime_ns)
    return found


def _note(name: str) -> Path:
    return cache_folder() / "sources" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _write_note(name: str, note: dict[str, object]) -> None:
    path = _note(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(note, indent=1), "utf-8")
    draft.replace(path)
