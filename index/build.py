"""Filling an index: rebuild, add, add again what was set aside, remove."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from index.article import Receipt, SetAside
from index.catalog import Catalog
from index.derived import bring_in_step, put_right
from index.encoder import Encoder, EncoderOnDemand, LoadEncoder, ModelIdentity, matching_encoder
from index.encoding.cache import carry
from index.encoding.runtime import FastEncoder
from index.errors import DatelineError, IndexDamaged, IndexingError, IndexMissing, IndexOutdated, UsageError
from index.fetching import FetchSettings, documents_from_web
from index.generation import (
    FORMAT,
    OLDEST_READABLE_FORMAT,
    OLDEST_UPGRADABLE_FORMAT,
    RECALL_TARGET,
    Layout,
    Manifest,
    carried_encoder,
    changed_files,
    go_live,
    live_generation,
    live_id,
    load_manifest,
    new_generation,
    new_manifest,
    other_generations,
    save_manifest,
    share_derived_files,
    writer_lock,
)
from index.ingest import Tally, ingest
from index.journal import now
from index.passages import PassageSettings
from index.progress import Progress, Silent
from index.reading.documents import Document
from index.reading.fields import FieldMap
from index.reading.files import documents
from index.reading.pool import Item, read_all
from index.recovery import known_live, known_manifest
from index.salvage import salvaged
from index.urls import is_web_address


class Workforce(Protocol):
    """Other machines, which read and embed in place of this one (`index.distributed`)."""

    def read(self, documents: Iterable[Document | SetAside | Receipt], fields: FieldMap) -> Iterator[Item]:
        """What `read_all` makes of the documents."""

    def encoder(self, identity: ModelIdentity, load: Callable[[], Encoder]) -> Encoder:
        """What embeds there what the encoder that `load` makes embeds here."""


@dataclass(frozen=True, slots=True)
class Intake:
    """How sources are read: in how many processes beside this one, with what field names, how politely.

    With `elsewhere`, they are read there and not in processes of this machine, and passages are embedded there.
    """

    workers: int = 0
    fields: FieldMap = field(default_factory=FieldMap)
    fetching: FetchSettings = field(default_factory=FetchSettings)
    elsewhere: Workforce | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did; `stages` are seconds spent in each."""

    generation: str
    articles: int
    passages: int
    reused_passages: int
    set_aside: tuple[SetAside, ...]
    seconds: float
    stages: dict[str, float]


def rebuild(
    root: Path,
    sources: Sequence[str],
    load_encoder: LoadEncoder,
    *,
    model: str | None = None,
    settings: PassageSettings | None = None,
    recall_target: float | None = None,
    intake: Intake | None = None,
    progress: Progress | None = None,
) -> Report:
    """Builds a new generation from `sources` and makes it live; without any, from the stored articles.

    Unchanged articles cost next to nothing, unchanged passages keep their vectors, also those that an
    interrupted rebuild had embedded. Model, settings and `recall_target` stay the live generation's where they
    are not given. The live generation is untouched until the new one is complete. Raises IndexingError when no
    article was found.
    """
    tally, progress, intake = Tally(), progress or Silent(), intake or Intake()
    with writer_lock(root), ExitStack() as open_files:
        before = _live_manifest(root)
        encoder = load_encoder(model or (before.model.name if before else None))
        settings = settings or (before.passage_settings if before else PassageSettings())
        target = recall_target or (before.recall_target if before else RECALL_TARGET)
        with tally.timed("reuse"):
            unfinished = _unfinished(root, encoder.identity)
            copied = _copy_of_live(root, encoder.identity, settings) if sources and not unfinished else None
            layout, catalog = copied or unfinished or _new_generation(root)
        open_files.callback(_drop_unfinished, root, layout)
        open_files.callback(catalog.close)
        manifest = replace(new_manifest(layout, encoder.identity, settings), recall_target=target)
        # Without files: as long as it has none, it was never finished.
        copy_of = load_manifest(live_generation(root)) if copied else None
        save_manifest(layout, replace(manifest, change=copy_of.change if copy_of else 0))
        donors = _donors(root, layout, encoder.identity)
        for donor in donors:
            open_files.callback(donor.close)
        items = _items(sources, catalog, intake) if sources else _stored(known_live(root))
        embedder = intake.elsewhere.encoder(encoder.identity, lambda: encoder) if intake.elsewhere else encoder
        ingest(items, catalog, donors, embedder, settings, tally, progress)
        catalog.remove_stale()
        counts = catalog.counts()
        if not counts.articles:
            raise IndexingError(_nothing_found(tally))
        tally.articles, tally.passages = counts.articles, counts.passages
        progress.stage("indexing terms and vectors")
        with tally.timed("index"):
            catalog.drop_unused_vectors()
            catalog.close()
            manifest = bring_in_step(layout, copy_of=copy_of)
        if isinstance(encoder, FastEncoder):
            carry(encoder, carried_encoder(root))
        go_live(root, layout)
    return _report(tally, manifest)


def add(
    root: Path,
    sources: Sequence[str],
    load_encoder: LoadEncoder,
    *,
    retry: bool = False,
    intake: Intake | None = None,
    progress: Progress | None = None,
) -> Report:
    """Inserts the articles of `sources`, or new versions of those that are there; others stay.

    `retry` reads again what was set aside before. An article is safe once its batch is stored, even
    if the run is killed afterwards. Raises IndexMissing when there is no index and ModelError when
    its model is needed and cannot be had.
    """
    tally, progress, intake = Tally(), progress or Silent(), intake or Intake()
    with writer_lock(root), ExitStack() as open_files:
        layout = live_generation(root)
        manifest = put_right(layout)
        catalog = Catalog.open(layout.catalog)
        open_files.callback(catalog.close)
        began = now()
        again = _origins_set_aside(catalog) if retry else []
        encoder: Encoder = EncoderOnDemand(manifest.model, load_encoder)
        if intake.elsewhere:
            encoder = intake.elsewhere.encoder(manifest.model, lambda: matching_encoder(manifest.model, load_encoder))
        items = _items([*sources, *again], catalog, intake)
        try:
            ingest(items, catalog, [], encoder, manifest.passage_settings, tally, progress)
            catalog.journal.forget_set_aside(again, before=began)
        finally:
            # Also after an interruption: what is stored should be found.
            progress.stage("indexing terms and vectors")
            with tally.timed("index"):
                manifest = bring_in_step(layout)
    return _report(tally, manifest)


def remove(root: Path, names: Sequence[str]) -> list[str]:
    """Removes the articles with these ids or URLs and returns their ids.

    Raises UsageError, and removes none, when a name fits no article.
    """
    with writer_lock(root):
        layout = live_generation(root)
        put_right(layout)
        with closing(Catalog.open(layout.catalog)) as catalog:
            found = catalog.ids(names)
            missing = [name for name in names if name not in found]
            if missing:
                raise UsageError(f"No article has the id or URL {missing[0]!r}; nothing was removed.")
            ids = list(dict.fromkeys(found[name] for name in names))
            catalog.remove(ids)
        bring_in_step(layout)
    return ids


def _items(sources: Sequence[str], catalog: Catalog, intake: Intake) -> Iterator[Item]:
    """Everything that the sources hold, read; web addresses are fetched as `catalog` knows them."""

    def from_web(urls: Sequence[str]) -> Iterator[Document | SetAside | Receipt]:
        # A connection of its own: this runs in the thread that reads ahead.
        with closing(Catalog.open(catalog.path)) as known:
            yield from documents_from_web(urls, known.journal.receipt, intake.fetching)

    found = documents(sources, from_web, intake.fields)
    if intake.elsewhere:
        return intake.elsewhere.read(found, intake.fields)
    return read_all(found, intake.workers, intake.fields)


def _origins_set_aside(catalog: Catalog) -> list[str]:
    """What has to be read again for another try; files that are gone are no longer of interest."""
    origins = dict.fromkeys(document.origin for document in catalog.journal.documents_set_aside())
    return [origin for origin in origins if is_web_address(origin) or (origin and Path(origin).exists())]


def _stored(layout: Layout) -> Iterator[Item]:
    """Everything that a generation holds, also one of an older format; of a damaged one what is still whole."""
    try:
        journal = known_manifest(layout, oldest=OLDEST_UPGRADABLE_FORMAT).format >= OLDEST_READABLE_FORMAT
    except IndexDamaged:
        journal = True
    # Opened where it is read: in the background thread.
    for content in salvaged(layout.catalog, journal=journal):
        match content:
            case Receipt():
                yield Item(0, content.url, content)
            case SetAside():
                yield Item(0, content.source, content)
            case _:
                yield Item(0, content.id, content)


def _report(tally: Tally, manifest: Manifest) -> Report:
    stages = {name: round(seconds, 3) for name, seconds in tally.stages.items()}
    seconds = round(time.monotonic() - tally.began, 3)
    set_aside = tuple(tally.set_aside)
    return Report(manifest.generation, tally.articles, tally.passages, tally.reused, set_aside, seconds, stages)


def _live_manifest(root: Path) -> Manifest | None:
    try:
        return known_manifest(known_live(root), oldest=OLDEST_UPGRADABLE_FORMAT)
    except (IndexMissing, IndexDamaged, IndexOutdated):
        return None  # a rebuild is how these are mended


def _copy_of_live(root: Path, model: ModelIdentity, settings: PassageSettings) -> tuple[Layout, Catalog] | None:
    """A generation that begins as the live one, all of whose articles are stale; None where it is not sound.

    What is derived is shared with it: those files are never changed, only replaced.
    """
    try:
        live = live_generation(root)
        manifest = load_manifest(live)
        if (manifest.format, manifest.model, manifest.passage_settings) != (FORMAT, model, settings):
            return None
        put_right(live)
        with closing(Catalog.snapshot(live.catalog)) as catalog:
            # A rebuild without sources makes fingerprints anew; with them, nobody should wait for those to be compared.
            if catalog.problems(model.document_prompt, prints=False) or changed_files(live, load_manifest(live)):
                return None
            layout = new_generation(root)
            catalog.copy_to(layout.catalog)
    except (IndexMissing, IndexDamaged, IndexOutdated):
        return None
    share_derived_files(live, layout)
    copy = Catalog.open(layout.catalog)
    copy.begin_again()
    return layout, copy


def _unfinished(root: Path, model: ModelIdentity) -> tuple[Layout, Catalog] | None:
    """The generation that a killed rebuild left, emptied of all but its vectors."""
    for layout in other_generations(root):
        try:
            manifest = load_manifest(layout)
            if not manifest.files and manifest.model == model:  # it was never sealed
                catalog = Catalog.open(layout.catalog)
                catalog.keep_only_vectors()
                for arrays in (layout.columns, layout.vectors, layout.article_vectors, layout.lists):
                    arrays.unlink(missing_ok=True)
                for terms in (layout.terms, layout.article_terms):
                    shutil.rmtree(terms, ignore_errors=True)
                return layout, catalog
        except (IndexDamaged, IndexOutdated):
            continue
    return None


def _new_generation(root: Path) -> tuple[Layout, Catalog]:
    layout = new_generation(root)
    return layout, Catalog.create(layout.catalog)


def _donors(root: Path, new: Layout, model: ModelIdentity) -> list[Catalog]:
    """Catalogs of other generations, finished or not, whose vectors the same model made."""
    donors = []
    for layout in other_generations(root, including_live=True):
        try:
            if layout != new and known_manifest(layout, oldest=OLDEST_UPGRADABLE_FORMAT).model == model:
                donors.append(Catalog.donor(layout.catalog))
        except (IndexDamaged, IndexOutdated):
            continue
    return donors


def _drop_unfinished(root: Path, layout: Layout) -> None:
    """Deletes a generation that failed before it held a single vector worth keeping."""
    if layout.folder.name == live_id(root):
        return
    try:
        with closing(Catalog.open(layout.catalog)) as catalog:
            # A copy of the live generation, to which nothing was added, is worth nothing either.
            empty = not catalog.has_vectors() or catalog.history.last_change() == load_manifest(layout).change
    except DatelineError:
        empty = True
    if empty:
        shutil.rmtree(layout.folder, ignore_errors=True)


def _nothing_found(tally: Tally) -> str:
    if tally.set_aside:
        first = tally.set_aside[0]
        return (
            f"No article was found; {len(tally.set_aside)} documents were set aside, the first being {first.source}:"
            f" {first.reason}. The index was left as it was."
        )
    return "No article was found in the sources. The index was left as it was."
