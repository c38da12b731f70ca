"""Filling an index: rebuild, add, remove.

One pipeline serves all: documents are read and cleaned in the background, cut into passages, those
whose exact text was embedded before take that vector, the rest is embedded, and each batch is
stored in one transaction. Memory does not grow with the corpus.
"""

import hashlib
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.article import Article, SetAside, content_hash
from index.catalog import Catalog, Prepared
from index.derived import bring_in_step, put_right
from index.encoder import Encoder, Matrix, ModelIdentity
from index.errors import DatelineError, IndexDamaged, IndexingError, IndexMissing, IndexOutdated, ModelError, UsageError
from index.generation import (
    Layout,
    Manifest,
    go_live,
    live_generation,
    load_manifest,
    new_generation,
    new_manifest,
    other_generations,
    save_manifest,
    writer_lock,
)
from index.passages import PassageSettings, passage_spans
from index.progress import Progress, Silent
from index.reading.files import documents
from index.reading.pool import read_all

# Passages in a batch: what a kill can cost, and enough for the encoder to sort by length.
_BATCH_PASSAGES = 256
_BATCH_ARTICLES = 1_000
# Articles that may wait between reading and embedding.
_READ_AHEAD = 256
_KEY_BYTES = 16
_STOP_CHECK_SECONDS = 0.2

# What reading hands on: an article or a document set aside, and the bytes of source that it used up.
_Item = tuple[int, Article | SetAside]
LoadEncoder = Callable[[str | None], Encoder]


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


@dataclass(slots=True)
class _Tally:
    articles: int = 0
    passages: int = 0
    reused: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - began

    def report(self, manifest: Manifest) -> Report:
        stages = {name: round(seconds, 3) for name, seconds in self.stages.items()}
        seconds = round(time.monotonic() - self.began, 3)
        return Report(
            manifest.generation, self.articles, self.passages, self.reused, tuple(self.set_aside), seconds, stages
        )


def rebuild(
    root: Path,
    sources: Sequence[str],
    load_encoder: LoadEncoder,
    *,
    model: str | None = None,
    settings: PassageSettings | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Builds a new generation from `sources` and makes it live; without any, from the stored articles.

    Unchanged passages keep their vectors, also those that an interrupted rebuild had embedded.
    Model and settings stay the live generation's where they are not given. The live generation is
    untouched until the new one is complete. Raises IndexingError when no article was found.
    """
    tally, progress = _Tally(), progress or Silent()
    with writer_lock(root), ExitStack() as open_files:
        before = _live_manifest(root)
        encoder = load_encoder(model or (before.model.name if before else None))
        layout = new_generation(root)
        open_files.callback(_drop_unfinished, root, layout)
        settings = settings or (before.passage_settings if before else PassageSettings())
        save_manifest(layout, manifest := new_manifest(layout, encoder.identity, settings))
        catalog = Catalog.create(layout.catalog)
        open_files.callback(catalog.close)
        donors = _donors(root, layout, encoder.identity)
        for donor in donors:
            open_files.callback(donor.close)
        items = read_all(documents(sources), workers) if sources else _stored(live_generation(root))
        _ingest(items, catalog, donors, encoder, settings, tally, progress)
        counts = catalog.counts()
        if not counts.articles:
            raise IndexingError(_nothing_found(tally))
        tally.articles, tally.passages = counts.articles, counts.passages
        progress.stage("indexing terms and vectors")
        with tally.timed("index"):
            manifest = bring_in_step(layout)
        catalog.close()
        go_live(root, layout)
    return tally.report(manifest)


def add(
    root: Path, sources: Sequence[str], load_encoder: LoadEncoder, *, workers: int = 1, progress: Progress | None = None
) -> Report:
    """Inserts the articles of `sources`, or replaces those with the same id; others stay.

    An article is safe once its batch is stored, even if the run is killed afterwards. Raises
    IndexMissing when there is no index and ModelError when its model cannot be had.
    """
    tally, progress = _Tally(), progress or Silent()
    with writer_lock(root), ExitStack() as open_files:
        layout = live_generation(root)
        manifest = put_right(layout)
        encoder = matching_encoder(manifest.model, load_encoder)
        catalog = Catalog.open(layout.catalog)
        open_files.callback(catalog.close)
        items = read_all(documents(sources), workers)
        try:
            _ingest(items, catalog, [], encoder, manifest.passage_settings, tally, progress)
        finally:
            # Also after an interruption: what is stored should be found.
            progress.stage("indexing terms and vectors")
            with tally.timed("index"):
                manifest = bring_in_step(layout)
    return tally.report(manifest)


def remove(root: Path, names: Sequence[str]) -> list[str]:
    """Removes the articles with these ids or URLs and returns their ids.

    Raises UsageError, and removes none, when a name fits no article.
    """
    with writer_lock(root):
        layout = live_generation(root)
        put_right(layout)
        catalog = Catalog.open(layout.catalog)
        try:
            found = catalog.ids(names)
            missing = [name for name in names if name not in found]
            if missing:
                raise UsageError(f"No article has the id or URL {missing[0]!r}; nothing was removed.")
            ids = list(dict.fromkeys(found[name] for name in names))
            catalog.remove(ids)
        finally:
            catalog.close()
        bring_in_step(layout)
    return ids


def matching_encoder(model: ModelIdentity, load_encoder: LoadEncoder) -> Encoder:
    """The encoder that made an index. Raises ModelError when what has its name is another model."""
    encoder = load_encoder(model.name)
    if encoder.identity != model:
        raise ModelError(
            f"The model '{model.name}' is not the one that this index was built with."
            " Run: dateline rebuild, to embed the stored articles anew."
        )
    return encoder


def embedding_text(title: str, passage: str) -> str:
    """What is embedded for a passage: the title travels with it."""
    return f"{title}\n{passage}"


def _ingest(
    items: Iterable[_Item], catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder,
    settings: PassageSettings, tally: _Tally, progress: Progress,
) -> None:  # fmt: skip
    """Stores all articles of `items`, batch by batch."""
    progress.stage("reading and embedding")
    for batch in _batches(_ahead(items), settings, tally):
        if batch.set_aside:
            catalog.set_aside(batch.set_aside)
            tally.set_aside += batch.set_aside
        stored = catalog.hashes(list(batch.cuts))
        changed = [cut for id, cut in batch.cuts.items() if stored.get(id) != content_hash(cut.article)]
        embedded = _store(changed, catalog, donors, encoder, tally)
        tally.articles += len(batch.cuts)
        tally.passages += batch.passages
        tally.reused += batch.passages - embedded
        progress.advance(weight=batch.weight, articles=len(batch.cuts), passages=batch.passages)


@dataclass(frozen=True, slots=True)
class _Cut:
    """An article and the spans of its passages."""

    article: Article
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Batch:
    """Articles by id, so that of two with one id the later counts; and how much of the sources they took."""

    cuts: dict[str, _Cut] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    weight: int = 0

    @property
    def passages(self) -> int:
        return sum(len(cut.spans) for cut in self.cuts.values())

    @property
    def full(self) -> bool:
        return self.passages >= _BATCH_PASSAGES or len(self.cuts) + len(self.set_aside) >= _BATCH_ARTICLES


def _batches(items: Iterator[_Item], settings: PassageSettings, tally: _Tally) -> Iterator[_Batch]:
    """Articles cut into passages, some hundred passages at a time."""
    batch = _Batch()
    while True:
        with tally.timed("read"):
            weight, item = next(items, (0, None))
        batch.weight += weight
        if isinstance(item, Article):
            with tally.timed("passages"):
                batch.cuts[item.id] = _Cut(item, tuple(passage_spans(item.text, settings)))
        elif item is not None:
            batch.set_aside.append(item)
        if batch.full or item is None:
            yield batch
            batch = _Batch()
        if item is None:
            return


def _store(cuts: Sequence[_Cut], catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder, tally: _Tally) -> int:
    """Embeds what is new and stores the cuts; returns how many of their passages had to be embedded."""
    if not cuts:
        return 0
    texts: dict[bytes, str] = {}
    prepared: list[Prepared] = []
    for cut in cuts:
        article = cut.article
        shown = [embedding_text(article.title, article.text[start:end]) for start, end in cut.spans]
        keys = [_key(encoder.identity, text) for text in shown]
        texts.update(zip(keys, shown, strict=True))
        prepared.append(Prepared(article, cut.spans, tuple(keys)))
    known: dict[bytes, Matrix] = {}
    with tally.timed("reuse"):
        for source in (catalog, *donors):
            with suppress(IndexDamaged):  # a damaged donor has nothing to give
                found = source.known_vectors([key for key in texts if key not in known])
                known |= {key: vector for key, vector in found.items() if len(vector) == encoder.identity.dimension}
    new = [key for key in texts if key not in known]
    with tally.timed("embed"):
        vectors = encoder.encode_passages([texts[key] for key in new])
    with tally.timed("store"):
        catalog.store(prepared, known | dict(zip(new, vectors, strict=True)))
    return sum(key not in known for item in prepared for key in item.embeddings)


def _key(model: ModelIdentity, text: str) -> bytes:
    """Names what was embedded: the text as the model sees it."""
    return hashlib.sha256(f"{model.document_prompt}\0{text}".encode()).digest()[:_KEY_BYTES]


def _stored(layout: Layout) -> Iterator[_Item]:
    # Opened where it is read: in the background thread.
    catalog = Catalog.snapshot(layout.catalog)
    try:
        yield from ((0, document) for document in catalog.documents_set_aside())
        yield from ((0, article) for article in catalog.all_articles())
    finally:
        catalog.close()


def _ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """The same items, produced by a thread of its own that stays a little ahead."""
    waiting: queue.Queue[_Item | BaseException | None] = queue.Queue(_READ_AHEAD)
    stop = threading.Event()

    def produce() -> None:
        last: BaseException | None = None
        try:
            for item in items:
                if not _put(waiting, item, stop):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            last = error
        _put(waiting, last, stop)

    producer = threading.Thread(target=produce, name="reader", daemon=True)
    producer.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


def _put(waiting: "queue.Queue[Any]", item: Any, stop: threading.Event) -> bool:
    """Puts an item as soon as there is room; says whether anybody still waits for it."""
    while not stop.is_set():
        with suppress(queue.Full):
            waiting.put(item, timeout=_STOP_CHECK_SECONDS)
            return True
    return False


def _live_manifest(root: Path) -> Manifest | None:
    try:
        return load_manifest(live_generation(root))
    except (IndexMissing, IndexDamaged, IndexOutdated):
        return None  # a rebuild is how these are mended


def _donors(root: Path, new: Layout, model: ModelIdentity) -> list[Catalog]:
    """Catalogs of other generations, finished or not, whose vectors the same model made."""
    donors = []
    for layout in other_generations(root, including_live=True):
        try:
            if layout != new and load_manifest(layout).model == model:
                donors.append(Catalog.snapshot(layout.catalog))
        except (IndexDamaged, IndexOutdated):
            continue
    return donors


def _drop_unfinished(root: Path, layout: Layout) -> None:
    """Deletes a generation that failed before it held a single vector worth keeping."""
    try:
        live = live_generation(root)
    except DatelineError:
        live = None
    if layout == live:
        return
    try:
        catalog = Catalog.open(layout.catalog)
        empty = not catalog.counts().articles
        catalog.close()
    except DatelineError:
        empty = True
    if empty:
        shutil.rmtree(layout.folder, ignore_errors=True)


def _nothing_found(tally: _Tally) -> str:
    if tally.set_aside:
        first = tally.set_aside[0]
        return (
            f"No article was found; {len(tally.set_aside)} documents were set aside, the first being {first.source}:"
            f" {first.reason}. The index was left as it was."
        )
    return "No article was found in the sources. The index was left as it was."
