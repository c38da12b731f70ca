"""The places where passages can live, each ready to be tested."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from index.store import EmbeddedStore, Store

_NO_CLIENT = "pymilvus is not installed; pip install 'dateline[milvus]' brings it"
_NO_LITE = "milvus-lite is not installed; pip install 'dateline[milvus]' brings it"


@dataclass(frozen=True)
class BackEnd:
    """Where passages can live: how an index folder's live generation gets there, and how a store there is opened."""

    name: str
    publish: Callable[[Path], None]
    open: Callable[[Path], Store]


def embedded() -> BackEnd:
    """The index folder itself: what is written there need not be published."""
    return BackEnd("embedded", lambda root: None, EmbeddedStore.open)


def milvus_lite(folder: Path) -> BackEnd:
    """Milvus Lite in this process: a file for each index. Skips where it is not installed."""
    require_client()
    _require("milvus_lite", _NO_LITE)
    return _milvus("Milvus Lite", lambda name: f"milvus-lite:{folder / name}.db")


@contextmanager
def milvus_server(folder: Path) -> Iterator[BackEnd]:
    """A real Milvus server, started for this: a collection for each index. Skips where it cannot run."""
    require_client()
    from cluster.servers import standalone_server

    with standalone_server(folder) as host:
        yield _milvus("Milvus server", lambda name: f"milvus://{host}/{name}")


def _milvus(name: str, address: Callable[[str], str]) -> BackEnd:
    """Milvus at the address that each index has by its name."""
    from index.milvus.address import StoreAddress
    from index.milvus.publishing import publish
    from index.milvus.store import MilvusStore

    def of(root: Path) -> StoreAddress:
        return StoreAddress.parse(address(root.name.replace("-", "_")))

    return BackEnd(name, lambda root: publish(root, of(root)), lambda root: MilvusStore.open(of(root)))


def require_client() -> None:
    """Skips where Milvus cannot be spoken to."""
    _require("pymilvus", _NO_CLIENT)


def _require(library: str, reason: str) -> None:
    if find_spec(library) is None:
        pytest.skip(reason)
