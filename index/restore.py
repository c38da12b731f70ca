"""Putting a backup back, and going back to the generation before: both are a switch, which servers follow.

What is put back becomes a generation of its own, with files of its own. It has its past in common with others, and
numbers passages elsewhere from then on, so that no number ever means two passages that came after.
"""

import shutil
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from index.backup_record import Backup, backup_in, backups_in, catalog_problems, require_space, sync_all, writing_to
from index.catalog import Catalog
from index.derived import bring_in_step
from index.encoder import ModelIdentity
from index.encoding.cache import carry_again, carry_from
from index.encoding.runtime import Facts
from index.errors import BackupError, DatelineError, IndexDamaged, IndexMissing, IndexOutdated, ModelError, UsageError
from index.generation import (
    BACKUP_FILE,
    FORMAT,
    Layout,
    Manifest,
    carried_encoder,
    changed_files,
    file_sha256,
    go_live,
    live_generation,
    live_id,
    load_manifest,
    make_current,
    new_generation,
    new_manifest,
    other_generations,
    save_manifest,
    share_derived_files,
    unknown_files,
    writer_lock,
)
from index.recovery import is_finished, known_live, known_manifest

_RESTORE = "dateline restore BACKUP"
# A backup without what is derived: that takes about as much again as the catalog.
_DERIVED_SHARE = 1.0


@dataclass(frozen=True, slots=True)
class Switched:
    """The generation that is live now, when it was made and what it holds; `kept` is the one that was live before.

    `kept_articles` are those of that one, None where they cannot be counted; `remade` says that what is derived
    was made anew, because it was damaged or not there.
    """

    generation: str
    created: str
    articles: int
    passages: int
    kept: str | None
    kept_articles: int | None
    remade: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A generation to put back, and the record of the backup that it is in, if it is in one.

    `derived` says whether what is derived can be taken over.
    """

    folder: Path
    layout: Layout
    manifest: Manifest
    record: Backup | None
    derived: bool


def restore(folder: Path, root: Path) -> Switched:
    """Puts the backup in a folder into the index at `root`, beside what is live there, and switches to it.

    The folder may also be an index that was copied by hand, of any format that can be read; it is brought up to date.
    Everything is held against its checksums first. The generation that was live is kept. Raises UsageError where there
    is no backup, BackupError where it is not whole or there is no room, and IndexOutdated for a format that is too old.
    """
    if folder.resolve() == root.resolve():
        raise UsageError(f"{folder} is the index itself. Name a backup of it, or run: dateline rollback")
    source = _examined(folder)
    with writer_lock(root), writing_to(root):
        require_space(root, _needed(source))
        _name_live(root)
        layout = new_generation(root)
        try:
            remade = _put(source, layout)
            _carry_encoder(source, root)
            kept = live_id(root)
            go_live(root, layout)
        except BaseException:
            if live_id(root) != layout.folder.name:
                shutil.rmtree(layout.folder, ignore_errors=True)
            raise
        return _switched(root, layout, kept, remade=remade)


def rollback(root: Path) -> Switched:
    """Switches to the generation that was live before, which is verified first; done again, it returns.

    Raises BackupError when none is kept or it is not whole; then nothing changes.
    """
    with writer_lock(root):
        live = live_generation(root)
        layout = kept_generation(root)
        if layout is None:
            raise BackupError(f"{root} keeps no generation but the live one. Put a backup in place: {_RESTORE}")
        try:
            manifest = load_manifest(layout)
            problems = catalog_problems(layout, manifest.model)
        except IndexOutdated as error:
            raise BackupError(
                f"The generation before, {layout.folder.name}, has an older format, which only the Dateline that wrote"
                " it reads."
            ) from error
        except IndexDamaged as error:
            problems = [str(error).split(". ")[0]]
        if problems:
            raise BackupError(
                f"The generation before, {layout.folder.name}, is not whole ({problems[0]}); the live one stays."
                f" Put a backup in place: {_RESTORE}"
            )
        _count_elsewhere(layout)
        remade = bool(changed_files(layout, manifest) or unknown_files(layout, manifest))
        bring_in_step(layout, afresh=remade)
        _carry_own_encoder(root, manifest.model)
        make_current(root, layout)
        return _switched(root, layout, live.folder.name, remade=remade)


def kept_generation(root: Path) -> Layout | None:
    """The generation that `rollback` switches to; None where there is none."""
    return next(filter(_was_whole, other_generations(root)), None)


def _was_whole(layout: Layout) -> bool:
    try:
        return bool(load_manifest(layout, oldest=0).files)
    except DatelineError:
        return is_finished(layout)


def _examined(folder: Path) -> _Source:
    """What is to be put back, as far as it is whole. Raises BackupError when its catalog is not."""
    record = backup_in(folder)
    if record is None:
        return _copied_by_hand(folder)
    changed = record.changed_files()
    inside = record.layout.folder.relative_to(folder).as_posix()
    if f"{inside}/{record.layout.catalog.name}" in changed:
        raise BackupError(
            f"{folder} is damaged: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} missing or not what was"
            " written. Restore another backup."
        )
    layout = record.layout
    manifest = known_manifest(layout)
    own = [name for name in changed if name.startswith(f"{inside}/")]
    derived = not own and bool(manifest.files) and manifest.format == FORMAT
    return _Source(folder, layout, manifest, record, derived=derived)


def _copied_by_hand(folder: Path) -> _Source:
    if not (folder / "CURRENT").exists():
        if inside := backups_in(folder):
            raise UsageError(f"{folder} holds {len(inside)} backups. Name one; the newest is {inside[-1]}")
        raise UsageError(f"{folder} is no backup: it has neither {BACKUP_FILE} nor CURRENT.")
    layout = known_live(folder)
    try:
        manifest = known_manifest(layout)
    except IndexOutdated as error:
        raise IndexOutdated(
            f"{str(error).split(' Run: ')[0]} Run: dateline rebuild --index {folder}, without sources; then restore it."
        ) from error
    derived = manifest.format == FORMAT and bool(manifest.files) and not changed_files(layout, manifest)
    return _Source(folder, layout, manifest, None, derived=derived)


def _needed(source: _Source) -> int:
    """Bytes that a generation takes."""
    catalog = source.layout.catalog.stat().st_size
    if not source.derived:
        return int(catalog * (1 + _DERIVED_SHARE))
    return catalog + sum(size for size, *_ in source.manifest.files.values())


def _name_live(root: Path) -> None:
    """Puts CURRENT right where it is damaged, so that what it should name is kept."""
    with suppress(IndexMissing, IndexDamaged):
        if (live := known_live(root)).folder.name != live_id(root):
            make_current(root, live)


def _put(source: _Source, layout: Layout) -> bool:
    """Fills a new generation; says whether what is derived was made anew."""
    before = source.manifest
    _copy_catalog(source, layout)
    manifest = replace(
        new_manifest(layout, before.model, before.passage_settings),
        recall_target=before.recall_target,
        lists=before.lists if source.derived else None,
        change=before.change if source.derived else 0,
    )
    _count_elsewhere(layout)
    if problems := catalog_problems(layout, before.model):
        raise BackupError(f"{source.folder} is damaged: {problems[0]}. Restore another backup.")
    derived = source.derived
    if derived:
        share_derived_files(source.layout, layout, linked=False)
        derived = not changed_files(layout, before)
    # Without files: as long as it has none, it was never finished.
    save_manifest(layout, manifest)
    bring_in_step(layout, afresh=not derived, copy_of=before if derived else None)
    sync_all(layout.folder)
    return not derived


def _copy_catalog(source: _Source, layout: Layout) -> None:
    if source.record is None:
        with closing(Catalog.snapshot(source.layout.catalog)) as catalog:
            catalog.copy_to(layout.catalog)
        return
    shutil.copyfile(source.layout.catalog, layout.catalog)
    sync_all(layout.folder)
    name = source.layout.catalog.relative_to(source.folder).as_posix()
    if file_sha256(layout.catalog) != source.record.files[name][1]:
        raise BackupError(f"{layout.catalog} does not read as it was written. Is the disk whole? Choose another.")


def _count_elsewhere(layout: Layout) -> None:
    with closing(Catalog.open(layout.catalog)) as catalog:
        catalog.count_elsewhere()


def _carry_encoder(source: _Source, root: Path) -> None:
    """Takes over the exported model of a backup where the index has none of the model that it needs now."""
    model, copy = source.manifest.model, carried_encoder(source.folder)
    facts = Facts.load(copy)
    if _carries(root, model) or facts is None or facts.identity != model or facts.changed_files(copy):
        return _carry_own_encoder(root, model)
    carry_from(copy, facts, carried_encoder(root), linked=False)
    return None


def _carry_own_encoder(root: Path, model: ModelIdentity) -> None:
    """Has the index carry the exported model of a generation again, where it carries another one's."""
    if carried_encoder(root).exists() and not _carries(root, model):
        with suppress(ModelError):  # this machine keeps none: then it is exported again, or run by torch
            carry_again(model, carried_encoder(root))


def _carries(root: Path, model: ModelIdentity) -> bool:
    facts = Facts.load(carried_encoder(root))
    return facts is not None and facts.identity == model


def _switched(root: Path, layout: Layout, kept: str, *, remade: bool) -> Switched:
    manifest = load_manifest(layout)
    return Switched(
        manifest.generation, manifest.created, manifest.articles, manifest.passages,
        kept or None, _articles(root, kept), remade,
    )  # fmt: skip


def _articles(root: Path, generation: str) -> int | None:
    if generation:
        for layout in other_generations(root):
            if layout.folder.name == generation:
                with suppress(IndexDamaged), closing(Catalog.donor(layout.catalog)) as catalog:
                    return catalog.counts().articles
    return None
