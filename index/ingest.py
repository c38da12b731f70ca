"""The way of articles into a catalog: one pipeline for rebuild and add.

Documents are read and cleaned in the background, cut into passages, those whose exact text was
embedded before take that vector, the rest is embedded, and each batch is stored in one transaction.
Memory does not grow with the corpus.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from index.article import Article, Receipt, SetAside, content_hash
from index.catalog import Catalog, Prepared
from index.duplicates import fingerprints
from index.embeddings import embedding_name, embedding_text
from index.encoder import Encoder, Matrix
from index.errors import IndexDamaged
from index.identity import has_derived_id, updated
from index.passages import PassageSettings, passage_spans
from index.progress import Progress
from index.reading.pool import Item
from index.urls import normalised_url

# Characters in a batch, about a thousand passages: what a kill can cost, and enough for the encoder to sort by length.
_BATCH_CHARACTERS = 900_000
_BATCH_DOCUMENTS = 1_000
# Articles that may wait between reading and embedding.
_READ_AHEAD = 256
# Batches whose embedding is begun before they can be stored, where others embed: all have work while this one stores.
_BATCHES_AHEAD = 3
_STOP_CHECK_SECONDS = 0.2


@dataclass(slots=True)
class Tally:
    """What a run has done so far; `stages` are seconds spent in each."""

    articles: int = 0
    passages: int = 0
    reused: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Counts the time inside as spent in `stage`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - began


@runtime_checkable
class EmbedsAhead(Encoder, Protocol):
    """An encoder that embeds passages while its caller does something else."""

    def begin_passages(self, texts: Sequence[str]) -> Callable[[], Matrix]:
        """Begins; what is returned waits for the rows, shape (len(texts), dimension)."""


def ingest(
    items: Iterable[Item], catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder,
    settings: PassageSettings, tally: Tally, progress: Progress,
) -> None:  # fmt: skip
    """Stores all articles of `items` in `catalog`, batch by batch; `donors` may know vectors.

    An article that is stored just so costs a look at its hash.
    """
    progress.stage("reading and embedding")
    for batch, begun in _begun(_batches(_ahead(items), tally), catalog, donors, encoder, settings, tally):
        changed = _changed(batch, catalog)
        embedded = _store(changed, begun, catalog, donors, encoder, settings, tally)
        ids = [*batch.articles, *changed]
        with tally.timed("store"):
            catalog.confirm(ids)
            catalog.journal.write(set_aside=batch.set_aside, read=batch.read, receipts=batch.receipts)
            passages = catalog.passages_in(ids)
        tally.set_aside += batch.set_aside
        tally.articles += len(batch.articles)
        tally.passages += passages
        tally.reused += passages - embedded
        progress.advance(
            weight=batch.weight, documents=batch.documents, articles=len(batch.articles), passages=passages
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """An article to be stored; `replaces` as in Prepared."""

    article: Article
    replaces: str | None = None


@dataclass(slots=True)
class _Batch:
    """Some articles by id, of several versions the latest, and what else came with them."""

    articles: dict[str, Article] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    weight: int = 0
    documents: int = 0
    characters: int = 0

    @property
    def full(self) -> bool:
        return self.characters >= _BATCH_CHARACTERS or self.documents >= _BATCH_DOCUMENTS

    def put(self, item: Item) -> None:
        """Takes in what was read; an article as the latest version of itself."""
        self.weight += item.weight
        match item.content:
            case Receipt() as receipt:
                self.receipts.append(receipt)
                return
            case SetAside() as document:
                self.set_aside.append(document)
            case article:
                self.read.append(item.source)
                self._put(article)
        self.documents += 1

    def _put(self, article: Article) -> None:
        address = normalised_url(article.url) if article.url else None
        before = self.articles.get(article.id) or self.articles.get(self.addresses.get(address or "", ""))
        if before and (before.id == article.id or has_derived_id(article) or has_derived_id(before)):
            self.characters -= len(self.articles.pop(before.id).text)
            article = updated(before, article)
        self.articles[article.id] = article
        self.characters += len(article.text)
        if address:
            self.addresses[address] = article.id


def _batches(items: Iterator[Item], tally: Tally) -> Iterator[_Batch]:
    """What was read, about a thousand passages at a time."""
    batch = _Batch()
    while True:
        with tally.timed("read"):
            item = next(items, None)
        if item is not None:
            batch.put(item)
        if batch.full or item is None:
            yield batch
            batch = _Batch()
        if item is None:
            return


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Embeddings that were begun, by name; `rows` waits for them."""

    names: Sequence[bytes] = ()
    rows: Callable[[], Iterable[Matrix]] = tuple

    def vectors(self) -> dict[bytes, Matrix]:
        return dict(zip(self.names, self.rows(), strict=True))


def _begun(
    batches: Iterable[_Batch], catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder,
    settings: PassageSettings, tally: Tally,
) -> Iterator[tuple[_Batch, _Ahead]]:  # fmt: skip
    """The same batches, each with the embeddings that were begun for it, by an encoder that embeds ahead.

    What is begun is a guess, by what is stored before the batches ahead of it are: it may be too much or too little.
    """
    if not isinstance(encoder, EmbedsAhead):
        yield from ((batch, _Ahead()) for batch in batches)
        return
    out: deque[tuple[_Batch, _Ahead]] = deque()
    for batch in batches:
        with tally.timed("ahead"):
            texts = _texts(_changed(batch, catalog), encoder, settings)
            known = _known(texts, catalog, donors, encoder).keys() | {name for _, begun in out for name in begun.names}
            names = [name for name in texts if name not in known]
            out.append((batch, _Ahead(names, encoder.begin_passages([texts[name] for name in names]))))
        if len(out) > _BATCHES_AHEAD:
            yield out.popleft()
    yield from out


def _texts(changes: Mapping[str, _Change], encoder: Encoder, settings: PassageSettings) -> dict[bytes, str]:
    """What is embedded of these articles, by name."""
    texts: dict[bytes, str] = {}
    for change in changes.values():
        _, names, shown = _passages(change.article, encoder, settings)
        texts.update(zip(names, shown, strict=True))
    return texts


def _changed(batch: _Batch, catalog: Catalog) -> dict[str, _Change]:
    """The articles of a batch that are not stored just so, by id, each as the new version of what is stored."""
    hashes = catalog.hashes(list(batch.articles))
    changed: dict[str, _Change] = {}
    for id, read in batch.articles.items():
        if hashes.get(id) == content_hash(read):
            continue
        stored = catalog.version(read)
        article = updated(stored, read) if stored is not None else read
        if article == stored:
            continue
        replaces = stored.id if stored is not None and stored.id != article.id else None
        changed[article.id] = _Change(article, replaces)
    return changed


def _store(
    changes: Mapping[str, _Change], begun: _Ahead, catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder,
    settings: PassageSettings, tally: Tally,
) -> int:  # fmt: skip
    """Cuts and stores what changed and embeds what is new; returns how many passages had to be embedded."""
    if not changes:
        return 0
    texts: dict[bytes, str] = {}
    prepared: list[Prepared] = []
    for change in changes.values():
        article = change.article
        with tally.timed("passages"):
            spans, keys, shown = _passages(article, encoder, settings)
        texts.update(zip(keys, shown, strict=True))
        with tally.timed("fingerprints"):
            prints = fingerprints(article.text)
        prepared.append(Prepared(article, spans, keys, prints, change.replaces))
    with tally.timed("reuse"):
        known = _known(texts, catalog, donors, encoder)
    with tally.timed("embed"):
        ahead = begun.vectors()
        vectors = {key: ahead[key] for key in texts if key in ahead} | known
        new = [key for key in texts if key not in vectors]
        vectors |= dict(zip(new, encoder.encode_passages([texts[key] for key in new]), strict=True))
    with tally.timed("store"):
        catalog.store(prepared, vectors)
    return sum(key not in known for item in prepared for key in item.embeddings)


def _passages(
    article: Article, encoder: Encoder, settings: PassageSettings
) -> tuple[tuple[tuple[int, int], ...], tuple[bytes, ...], list[str]]:
    """Where an article's passages begin and end, and what is embedded of each: its name and the text."""
    spans = tuple(passage_spans(article.text, settings))
    shown = [embedding_text(article.title, article.text[start:end]) for start, end in spans]
    return spans, tuple(embedding_name(encoder.identity.document_prompt, text) for text in shown), shown


def _known(
    names: Iterable[bytes], catalog: Catalog, donors: Sequence[Catalog], encoder: Encoder
) -> dict[bytes, Matrix]:
    """The vectors that were made before, by name."""
    known: dict[bytes, Matrix] = {}
    for source in (catalog, *donors):
        with suppress(IndexDamaged):  # a damaged donor has nothing to give
            found = source.known_vectors([name for name in names if name not in known])
            known |= {name: vector for name, vector in found.items() if len(vector) == encoder.identity.dimension}
    return known


def _ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, produced by a thread of its own that stays a little ahead."""
    waiting: queue.Queue[Item | BaseException | None] = queue.Queue(_READ_AHEAD)
    stop = threading.Event()

    def produce() -> None:
        last: BaseException | None = None
        try:
            for item in items:
                if not _put(waiting, item, stop):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            last = error
        finally:
            if isinstance(items, Generator):
                items.close()  # ends reading processes and downloads now, not when memory is tidied up
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
