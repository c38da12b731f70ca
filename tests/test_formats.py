"""Indexes that older Datelines wrote: tests/data/format-N is one of each, filled with sample.ARTICLES."""

import shutil
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder

from index.article import from_record
from index.build import add, rebuild
from index.catalog import Catalog
from index.errors import IndexOutdated
from index.generation import FORMAT, live_generation, load_manifest
from index.store import EmbeddedStore

OLD = sorted((Path(__file__).parent / "data").glob("format-*"))


@pytest.fixture(params=OLD, ids=lambda folder: folder.name)
def old_index(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "index"))


def test_an_old_index_is_refused_with_the_command_that_brings_it_up_to_date(old_index: Path, corpus: Path) -> None:
    for refused in (lambda: EmbeddedStore.open(old_index), lambda: add(old_index, [str(corpus)], lambda _: None)):
        with pytest.raises(IndexOutdated, match="Run: dateline rebuild"):
            refused()


def test_a_rebuild_without_sources_takes_over_articles_and_vectors(old_index: Path) -> None:
    encoder = FakeEncoder()
    report = rebuild(old_index, [], lambda _: encoder)
    assert (report.articles, report.reused_passages, encoder.encoded) == (len(ARTICLES), report.passages, [])
    layout = live_generation(old_index)
    assert load_manifest(layout).format == FORMAT
    catalog = Catalog.snapshot(layout.catalog)
    assert list(catalog.all_articles()) == [from_record(record) for record in ARTICLES]
    catalog.close()
