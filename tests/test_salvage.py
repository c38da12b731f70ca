"""What a rebuild without sources keeps of a damaged catalog: all but what is damaged."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sample import FakeEncoder, write_jsonl

from index import check
from index.article import Receipt, SetAside
from index.build import rebuild
from index.catalog import Catalog
from index.errors import IndexDamaged
from index.generation import live_generation
from index.salvage import salvaged

PAGE = 4096
COUNT = 200


@pytest.fixture
def large(tmp_path: Path, load: Callable) -> Path:
    """An index whose articles stand on many pages."""
    records = [
        {"id": f"a{n}", "title": f"Title {n}", "text": f"Story {n}. " + f"word{n} " * 150,
         "url": f"https://news.example.org/{n}"}
        for n in range(COUNT)
    ]  # fmt: skip
    rebuild(tmp_path / "large", [str(write_jsonl(tmp_path / "many.jsonl", records))], load)
    return tmp_path / "large"


def pages_of(path: Path, table: str) -> list[int]:
    """The pages below the first one of a table."""
    with closing(sqlite3.connect(path)) as database:
        (first,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    page = path.read_bytes()[(first - 1) * PAGE :][:PAGE]
    assert page[0] in (2, 5), "the first page should be an inner one"
    offsets = [int.from_bytes(page[12 + 2 * cell : 14 + 2 * cell]) for cell in range(int.from_bytes(page[3:5]))]
    return [int.from_bytes(page[offset : offset + 4]) for offset in offsets]


def overwrite(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


def test_only_articles_on_a_damaged_page_are_lost_and_each_is_named(large: Path, encoder: FakeEncoder) -> None:
    path = live_generation(large).catalog
    with closing(Catalog.snapshot(path)) as catalog:
        stored = {article.id: article for article in catalog.all_articles()}
    overwrite(path, pages_of(path, "articles")[5])
    with pytest.raises(IndexDamaged, match="cannot be repaired from itself"):
        check.repair(large)
    encoder.encoded.clear()
    report = rebuild(large, [], lambda name, **options: encoder)
    lost = {document.source for document in report.set_aside}
    assert 1 <= len(lost) <= 10
    assert all("damaged in the catalog" in document.reason for document in report.set_aside)
    assert encoder.encoded == []
    with closing(Catalog.snapshot(live_generation(large).catalog)) as catalog:
        kept = {article.id: article for article in catalog.all_articles()}
    assert kept == {id: article for id, article in stored.items() if id not in lost}
    assert len(kept) + len(lost) == COUNT
    assert check.problems(large) == []


@pytest.mark.parametrize("table", ["vectors", "passages", "fingerprints", "changes"])
def test_no_article_is_lost_where_other_tables_are_damaged(large: Path, load: Callable, table: str) -> None:
    path = live_generation(large).catalog
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    overwrite(path, page)
    report = rebuild(large, [], load)
    assert (report.articles, report.set_aside) == (COUNT, ())
    assert check.problems(large) == []


def test_vectors_on_whole_pages_are_not_made_again(large: Path, encoder: FakeEncoder) -> None:
    path = live_generation(large).catalog
    overwrite(path, pages_of(path, "vectors")[2])
    encoder.encoded.clear()
    report = rebuild(large, [], lambda name, **options: encoder)
    assert report.articles == COUNT
    assert 1 <= len(encoder.encoded) <= 40


def test_a_changed_article_is_set_aside_with_the_address_to_read_it_again(root: Path, load: Callable) -> None:
    with closing(sqlite3.connect(live_generation(root).catalog, isolation_level=None)) as database:
        database.execute("UPDATE articles SET text = 'forged' WHERE id = 'ferry'")
    report = rebuild(root, [], load)
    [document] = report.set_aside
    assert (document.source, document.origin) == ("ferry", "https://coast.example.org/ferry")
    assert report.articles == 4


@pytest.mark.parametrize("damaged", [False, True])
def test_receipts_are_kept_only_where_no_article_was_lost(root: Path, damaged: bool) -> None:
    path = live_generation(root).catalog
    with closing(Catalog.open(path)) as catalog:
        catalog.journal.write(set_aside=[SetAside("x.json", "empty")], receipts=[Receipt("https://a.example/feed")])
    if damaged:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE articles SET text = 'forged' WHERE id = 'ferry'")
    kept = list(salvaged(path))
    assert [item for item in kept if isinstance(item, Receipt)] == (
        [] if damaged else [Receipt("https://a.example/feed")]
    )
    assert SetAside("x.json", "empty") in kept


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 1_000])
def test_of_what_is_no_database_nothing_can_be_kept(root: Path, load: Callable, content: bytes | None) -> None:
    path = live_generation(root).catalog
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexDamaged, match="dateline restore BACKUP"):
        rebuild(root, [], load)
