"""Where an index is searched: in a folder of this machine, or on a vector server to which one was published."""

from collections.abc import Hashable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from index.encoder import ModelIdentity
from index.generation import carried_encoder, live_generation, load_manifest
from index.store import EmbeddedStore, Store

if TYPE_CHECKING:
    from index.milvus.client import Server

# In a folder a look costs two small file operations, on a server a question.
_LOOK_SECONDS, _ASK_SECONDS = 0.2, 2.0


class Place(Protocol):
    """What an engine needs of where an index is."""

    look_every: float
    """Seconds after which to look again whether something has changed."""

    @property
    def beside(self) -> Path:
        """Where the exported model may be."""

    def model(self) -> ModelIdentity:
        """The model of the index, known before it is opened."""

    def open(self) -> Store:
        """The live generation. Raises IndexMissing, IndexDamaged, IndexOutdated or StoreUnavailable."""

    def state(self) -> Hashable:
        """Changes whenever a writer has finished something. Raises as `open` does."""


class Folder:
    """An index in a folder."""

    look_every = _LOOK_SECONDS

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def beside(self) -> Path:
        """Where the exported model may be."""
        return carried_encoder(self.root)

    def model(self) -> ModelIdentity:
        """The model of the index, known before it is opened."""
        return load_manifest(live_generation(self.root)).model

    def open(self) -> Store:
        """The live generation."""
        return EmbeddedStore.open(self.root)

    def state(self) -> Hashable:
        """Changes whenever a writer has finished something."""
        layout = live_generation(self.root)
        try:
            manifest = layout.manifest.stat()
        except OSError:  # opening it says what is wrong
            return layout.folder.name, 0, 0
        return layout.folder.name, manifest.st_mtime_ns, manifest.st_ino


class Remote:
    """An index on a vector server; `root` is a folder of this machine that may hold the model, and nothing else."""

    look_every = _ASK_SECONDS

    def __init__(self, address: str, root: Path) -> None:
        self.address = address
        self.root = root

    @property
    def beside(self) -> Path:
        """Where the exported model may be."""
        return carried_encoder(self.root)

    def model(self) -> ModelIdentity:
        """The model of the index, known before it is opened."""
        from index.milvus.facts import live_facts

        return live_facts(self._server)[1].model

    def open(self) -> Store:
        """The live generation."""
        from index.milvus.store import MilvusStore

        return MilvusStore.on(self._server)

    def state(self) -> Hashable:
        """Changes whenever a writer has finished something. Raises StoreIncomplete when some of it is lost."""
        from index.milvus.store import MilvusStore

        store = MilvusStore.on(self._server)
        return store.tables, store.told.change, store.told.published

    @cached_property
    def _server(self) -> "Server":
        from index.milvus.address import StoreAddress
        from index.milvus.client import Server

        return Server(StoreAddress.parse(self.address))


def place_of(root: Path, store: str | None = None) -> Place:
    """The place that the options `--index` and `--store` name."""
    return Remote(store, root) if store else Folder(root)
