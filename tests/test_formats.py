"""Indexes that older Datelines wrote: tests/data/format-N is one of each, filled with sample.ARTICLES."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index import check
from index.build import add, rebuild, remove
from index.catalog import Catalog
from index.errors import IndexOutdated
from index.filters import Filters
from index.generation import FORMAT, live_generation, load_manifest, save_manifest
from index.store import EmbeddedStore

FOLDERS = sorted((Path(__file__).parent / "data").glob("format-*"))
OLD = FOLDERS[:1]
# These are brought up to date by whoever opens them first.
READABLE = FOLDERS[1:]


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def old_index(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "index"))


@pytest.mark.parametrize("old_index", OLD, ids=lambda folder: folder.name, indirect=True)
def test_an_old_index_is_refused_with_the_command_that_brings_it_up_to_date(old_index: Path, corpus: Path) -> None:
    for refused in (lambda: EmbeddedStore.open(old_index), lambda: add(old_index, [str(corpus)], lambda _: None)):
        with pytest.raises(IndexOutdated, match="Run: dateline rebuild"):
            refused()


def test_a_rebuild_without_sources_takes_over_articles_and_vectors(old_index: Path) -> None:
    with closing(Catalog.snapshot(live_generation(old_index).catalog)) as catalog:
        stored = list(catalog.all_articles())
    encoder = FakeEncoder()
    report = rebuild(old_index, [], lambda _: encoder)
    assert (report.articles, report.reused_passages, encoder.encoded) == (len(ARTICLES), report.passages, [])
    layout = live_generation(old_index)
    assert load_manifest(layout).format == FORMAT
    catalog = Catalog.snapshot(layout.catalog)
    assert list(catalog.all_articles()) == stored
    assert [article.id for article in stored] == [record["id"] for record in ARTICLES]
    catalog.close()


@pytest.mark.parametrize("old_index", READABLE, ids=lambda folder: folder.name, indirect=True)
@pytest.mark.parametrize("first", ["a reader", "a writer"])
def test_an_index_that_can_be_read_is_brought_up_to_date_in_passing(
    old_index: Path, tmp_path: Path, first: str
) -> None:
    root = old_index
    if first == "a writer":
        record = {"id": "whale", "title": "Whale ashore", "text": "A whale has been washed ashore."}
        add(root, [str(write_jsonl(tmp_path / "more.jsonl", [record]))], lambda _: FakeEncoder())
    with closing(EmbeddedStore.open(root)) as store:
        found = store.search_dense(FakeEncoder().encode_query("ferry strike"), 20, store.scope(Filters()))
        assert len(found) == store.counts().passages == len(ARTICLES) + (first == "a writer")
    if first == "a reader" and load_manifest(live_generation(root)).format != FORMAT:
        assert check.problems(root) == []  # nothing had to be written
        remove(root, ["budget"])
    assert load_manifest(live_generation(root)).format == FORMAT
    assert check.problems(root) == []


@pytest.mark.parametrize("old_index", READABLE, ids=lambda folder: folder.name, indirect=True)
def test_vectors_get_checksums_from_the_first_writer(old_index: Path) -> None:
    remove(old_index, ["budget"])
    layout = live_generation(old_index)
    with closing(sqlite3.connect(layout.catalog, isolation_level=None)) as database:
        assert database.execute("SELECT count(*), count(checksum) FROM vectors").fetchone() == (4, 4)
        database.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
    assert "4 vectors are not what was stored" in check.problems(old_index)


def test_an_index_of_the_future_is_refused(root: Path) -> None:
    layout = live_generation(root)
    save_manifest(layout, replace(load_manifest(layout), format=FORMAT + 1))
    for refused in (lambda: EmbeddedStore.open(root), lambda: remove(root, ["ferry"]), lambda: check.repair(root)):
        with pytest.raises(IndexOutdated, match="Install the Dateline that wrote it"):
            refused()
