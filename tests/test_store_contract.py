"""One suite of what every store has to do, on each back end: embedded, Milvus Lite, a Milvus server.

Expected answers come from a look at every article in plain Python, or from the embedded store where they are
arithmetic over words. `pytest tests/test_store_contract.py -k Lite` tests one of them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_contract.back_ends import BackEnd, embedded, milvus_lite, milvus_server
from store_contract.corpus import ARTICLES, NASTY, SHORT_PASSAGES, build
from store_contract.evidence import Evidence
from store_contract.following import Following, from_the_start, growing
from store_contract.legs import Legs
from store_contract.nasty import Nasty
from store_contract.reading import Reading
from store_contract.scopes import Scopes
from store_contract.truth import Truth

from index.store import EmbeddedStore, Store

__all__ = ["from_the_start", "growing"]  # fixtures


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that all back ends publish."""
    return build(tmp_path_factory.mktemp("contract") / "news", ARTICLES, SHORT_PASSAGES)


@pytest.fixture(scope="module")
def nasty_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("contract") / "nasty", NASTY)


@pytest.fixture(scope="module")
def truth(root: Path) -> Truth:
    return Truth.of(root)


@pytest.fixture(scope="module")
def nasty_truth(nasty_root: Path) -> Truth:
    return Truth.of(nasty_root)


@pytest.fixture(scope="module")
def reference(root: Path) -> Iterator[Store]:
    store = EmbeddedStore.open(root)
    yield store
    store.close()


@pytest.fixture(scope="module")
def nasty_reference(nasty_root: Path) -> Iterator[Store]:
    store = EmbeddedStore.open(nasty_root)
    yield store
    store.close()


@pytest.fixture(scope="class")
def store(back_end: BackEnd, root: Path) -> Iterator[Store]:
    back_end.publish(root)
    store = back_end.open(root)
    yield store
    store.close()


@pytest.fixture(scope="class")
def nasty_store(back_end: BackEnd, nasty_root: Path) -> Iterator[Store]:
    back_end.publish(nasty_root)
    store = back_end.open(nasty_root)
    yield store
    store.close()


@pytest.fixture(scope="class", autouse=True)
def timed(back_end: BackEnd, request: pytest.FixtureRequest) -> Iterator[None]:
    """Says at the end how long a back end took, where there is a terminal to say it on."""
    began = time.monotonic()
    yield
    plugins = request.config.pluginmanager
    terminal, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    if terminal and capture:
        with capture.global_and_fixture_disabled():
            terminal.write_line(f" {back_end.name}: {time.monotonic() - began:.1f} s")


class Contract(Scopes, Legs, Evidence, Reading, Following, Nasty):
    """All of it."""


class TestEmbedded(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def back_end(cls) -> BackEnd:
        return embedded()


class TestMilvusLite(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def back_end(cls, tmp_path_factory: pytest.TempPathFactory) -> BackEnd:
        return milvus_lite(tmp_path_factory.mktemp("lite"))


class TestMilvusServer(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def back_end(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackEnd]:
        with milvus_server(tmp_path_factory.mktemp("server")) as back_end:
            yield back_end
