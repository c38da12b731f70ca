"""The catalog: one SQLite file that is always whole."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.article import Article, Receipt, SetAside, content_hash, make_article
from index.catalog import Catalog, Counts, Prepared
from index.columns import same_columns
from index.duplicates import fingerprints
from index.errors import IndexDamaged, IndexUnwritable

DIMENSION = 4


def key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def vector(text: str) -> np.ndarray:
    return np.frombuffer(key(text)[:DIMENSION], np.uint8).astype(np.float32) / 256


def prepared(id: str, *passages: str, **fields: Any) -> Prepared:
    ends = list(accumulate(len(passage) + 2 for passage in passages))
    spans = tuple((end - 2 - len(passage), end - 2) for end, passage in zip(ends, passages, strict=True))
    article = Article(id, id, "\n\n".join(passages), **fields)
    return Prepared(article, spans, tuple(map(key, passages)), fingerprints(article.text))


def store(catalog: Catalog, *items: Prepared) -> None:
    catalog.store(items, {key(text): vector(text) for item in items for text in item.article.text.split("\n\n")})


def texts_of(catalog: Catalog) -> list[str]:
    return [article.text[p.start : p.end] for p, article in catalog.each_passage(catalog.numbers())]


def edit(path: Path, command: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(command)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(Catalog.create(tmp_path / "catalog.sqlite")) as catalog:
        yield catalog


def test_an_article_comes_back_as_it_was_stored(catalog: Catalog) -> None:
    item = prepared(
        "ferry", "The ferry — “été” 😀.", "It ran aground.", url="https://coast.example.org/a?b=ü", language="en-CA",
        published="2024-09-08T07:00:00+02:00", updated="2024-09-09", authors=("Ann Ö", "Bo"), source="Coastline",
        section="News", summary="…", extra={"tags": ["a", {"b": None}], "n": 1.5},
    )  # fmt: skip
    store(catalog, item)
    number, _ = catalog.article("ferry") or (0, None)
    assert catalog.articles([number, number + 1]) == {number: item.article}
    assert [(p.start, p.end) for p in catalog.passages_of(number)] == list(item.spans)
    assert catalog.ids([item.article.url, "ferry", "other"]) == {item.article.url: "ferry", "ferry": "ferry"}
    assert catalog.hashes(["ferry", "other"]) == {"ferry": content_hash(item.article)}


TEXTS = ["one", "two", "three", "four"]
passages = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.none() | passages), max_size=12))
def test_all_tables_stay_in_step(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    catalog = Catalog.create(tmp_path_factory.mktemp("catalog") / "catalog.sqlite")
    expected: dict[str, list[str]] = {}
    seen = {0}
    earlier = [catalog.history.columns()]
    for id, texts in steps:
        before = set(catalog.numbers().tolist())
        expected.pop(id, None)
        if texts:
            expected[id] = texts
            store(catalog, prepared(id, *texts))
        else:
            catalog.remove([id])
        new = set(catalog.numbers().tolist()) - before
        assert min(new, default=2**63) > max(seen)
        seen |= new
        earlier.append(catalog.history.columns(earlier[-1]))
    everything = [text for texts in expected.values() for text in texts]
    columns, numbers = catalog.history.columns(), catalog.numbers()
    for before in earlier:
        assert same_columns(catalog.history.columns(before), columns)
    assert catalog.counts() == Counts(len(expected), len(everything), 0, change=len(steps))
    assert [article.id for article in catalog.all_articles()] == list(expected)
    assert texts_of(catalog) == everything
    assert np.allclose(catalog.vectors(numbers, DIMENSION), np.asarray([vector(t) for t in everything]).reshape(-1, 4))
    assert set(catalog.known_vectors([key(text) for text in TEXTS])) == set(map(key, everything))
    assert columns.numbers.tolist() == numbers.tolist() == sorted(numbers)
    owners = [passage.article for passage in catalog.passages(numbers.tolist()).values()]
    assert columns.article_numbers[columns.article_positions].tolist() == owners
    assert catalog.problems() == []
    catalog.close()


def test_a_vector_goes_with_the_last_passage_that_has_its_text(catalog: Catalog) -> None:
    store(catalog, prepared("a", "same", "same"), prepared("b", "same", "other"))
    assert len(catalog.known_vectors([key("same"), key("other")])) == 2
    catalog.remove(["b"])
    assert list(catalog.known_vectors([key("same"), key("other")])) == [key("same")]
    store(catalog, prepared("a", "new"))
    assert catalog.known_vectors([key("same")]) == {}


def test_two_catalogs_share_no_passage_number(tmp_path: Path) -> None:
    numbers: set[int] = set()
    for name in "abcdef":
        with closing(Catalog.create(tmp_path / name)) as catalog:
            store(catalog, prepared("a", "x", "y"))
            numbers |= set(catalog.numbers().tolist())
    assert len(numbers) == 12


def test_a_snapshot_sees_one_moment_while_the_writer_goes_on(catalog: Catalog) -> None:
    store(catalog, prepared("a", "one"), prepared("b", "two"))
    with closing(Catalog.snapshot(catalog.path)) as snapshot:
        store(catalog, prepared("a", "changed"), prepared("c", "three"))
        catalog.remove(["b"])
        assert (texts_of(snapshot), snapshot.counts().change) == (["one", "two"], 1)
    with closing(Catalog.snapshot(catalog.path)) as later:
        assert (texts_of(later), later.counts().change) == (["changed", "three"], 3)


def test_folding_the_log_does_not_wait_for_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.database._BUSY_SECONDS", 3.0)
    with closing(Catalog.create(tmp_path / "catalog.sqlite")) as writer:
        store(writer, prepared("a", "one"))
        with closing(Catalog.snapshot(writer.path)):
            store(writer, prepared("b", "two"))
            began = time.monotonic()
            writer.checkpoint()
            assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "bad", [prepared("a", "no vector"), replace(prepared("a", "three"), embeddings=()), prepared("c", "three")]
)
def test_a_failed_store_leaves_everything_as_it_was(catalog: Catalog, bad: Prepared) -> None:
    store(catalog, prepared("a", "one"), prepared("b", "two"))
    before = catalog.counts()
    with pytest.raises((sqlite3.IntegrityError, ValueError)):
        catalog.store([prepared("c", "three"), bad], {key("three"): vector("three")})
    assert (catalog.counts(), texts_of(catalog)) == (before, ["one", "two"])
    assert catalog.known_vectors([key("three")]) == {}


def test_a_full_disk_is_told_of_and_loses_nothing(catalog: Catalog) -> None:
    store(catalog, prepared("a", "one"))
    catalog._connection.execute("PRAGMA max_page_count = 1")  # SQLite goes no lower than what is there
    with pytest.raises(IndexUnwritable, match=r"could not be written \(database or disk is full\).* is kept\.$"):
        store(catalog, prepared("b", "long " * 20_000))
    assert list(catalog.hashes(["a", "b"])) == ["a"]


def test_a_log_that_cannot_be_read_is_not_passed_over(catalog: Catalog, tmp_path: Path) -> None:
    store(catalog, prepared("a", "one"))
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(catalog.path.read_bytes())
    copy.with_name("copy.sqlite-wal").write_bytes(catalog.path.with_name("catalog.sqlite-wal").read_bytes())
    copy.with_name("copy.sqlite-shm").symlink_to(tmp_path / "nowhere" / "nothing")  # as where nothing may be written
    with pytest.raises(IndexUnwritable):
        Catalog.snapshot(copy)


def test_documents_set_aside_are_remembered_once_each(catalog: Catalog) -> None:
    catalog.journal.write(set_aside=[SetAside("b.txt", "empty"), SetAside("a.txt", "no text", "/news/a.txt")])
    catalog.journal.write(set_aside=[SetAside("b.txt", "not UTF-8")])
    assert catalog.journal.documents_set_aside() == [
        SetAside("a.txt", "no text", "/news/a.txt"),
        SetAside("b.txt", "not UTF-8"),
    ]


def test_a_document_that_could_be_read_after_all_is_no_longer_set_aside(catalog: Catalog) -> None:
    catalog.journal.write(set_aside=[SetAside("b.txt", "empty"), SetAside("a.txt", "no text")])
    catalog.journal.write(read=["b.txt", "c.txt"])
    assert [document.source for document in catalog.journal.documents_set_aside()] == ["a.txt"]


def test_what_was_set_aside_before_another_try_and_not_again_is_forgotten(catalog: Catalog) -> None:
    catalog.journal.write(set_aside=[SetAside(f"{name}.csv:1", "no text", f"/{name}.csv") for name in "ab"])
    catalog.journal.forget_set_aside(["/a.csv"], before="2000-01-01")
    assert len(catalog.journal.documents_set_aside()) == 2
    catalog.journal.forget_set_aside(["/a.csv"], before="2999-01-01")
    assert [document.source for document in catalog.journal.documents_set_aside()] == ["b.csv:1"]


def test_receipts_are_kept_one_an_address(catalog: Catalog) -> None:
    feed = "https://example.org/feed"
    assert catalog.journal.receipt(feed) is None
    catalog.journal.write(receipts=[Receipt(feed, etag='"1"')])
    catalog.journal.write(receipts=[Receipt(feed, etag='"2"', stamp="2025-08-20")])
    assert catalog.journal.receipt(feed) == Receipt(feed, '"2"', None, "2025-08-20")
    assert list(catalog.journal.receipts()) == [catalog.journal.receipt(feed)]


def test_an_emptied_catalog_keeps_its_vectors_until_they_are_dropped(catalog: Catalog) -> None:
    store(catalog, prepared("a", "one", "two"))
    catalog.journal.write(set_aside=[SetAside("b.txt", "empty")], receipts=[Receipt("https://example.org/feed")])
    catalog.keep_only_vectors()
    counts = catalog.counts()
    assert (counts.articles, counts.passages, counts.set_aside) == (0, 0, 0)
    assert (list(catalog.journal.receipts()), set(catalog.known_vectors([key("one"), key("two")]))) == (
        [],
        {key("one"), key("two")},
    )
    store(catalog, prepared("b", "two"))
    catalog.drop_unused_vectors()
    assert set(catalog.known_vectors([key("one"), key("two")])) == {key("two")}
    assert catalog.has_vectors()


def test_an_article_is_found_again_by_id_or_by_address(catalog: Catalog) -> None:
    url = "https://example.org/ferry"
    store(catalog, prepared("wire-1", "one", url=url))
    derived = make_article("Two.", url="http://www.example.org/ferry/?utm_source=x")
    assert catalog.version(derived).id == "wire-1"
    assert catalog.version(prepared("wire-1", "new").article).id == "wire-1"
    assert catalog.version(prepared("wire-2", "new", url=url).article) is None
    assert catalog.version(make_article("Two.")) is None


@pytest.mark.parametrize(
    "command",
    [
        "UPDATE articles SET text = 'forged' || substr(text, 7) WHERE id = 'a'",
        "UPDATE articles SET authors = '[\"forged\"]' WHERE id = 'a'",
        "UPDATE passages SET end = 1000", "UPDATE passages SET start = end, end = start",
        "DELETE FROM articles WHERE id = 'b'", "DELETE FROM vectors", "UPDATE vectors SET vector = x'00'",
    ],
)  # fmt: skip
def test_problems_are_found(catalog: Catalog, command: str) -> None:
    store(catalog, prepared("a", "the first article"), prepared("b", "the second"))
    assert catalog.problems() == []
    edit(catalog.path, command)
    assert catalog.problems()


@pytest.mark.parametrize("page", [2, 5, 10])
def test_overwritten_pages_are_a_problem_and_no_crash(tmp_path: Path, page: int) -> None:
    with closing(Catalog.create(path := tmp_path / "catalog.sqlite")) as catalog:
        store(catalog, *(prepared(str(at), f"article {at} " * 40) for at in range(100)))
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xa5" * 4096)
    with closing(Catalog.open(path)) as catalog:
        assert catalog.problems()


NOT_CATALOGS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a database\n" * 500),
    "cut off": lambda path: (Catalog.create(path).close(), path.write_bytes(path.read_bytes()[:3000])),
    "another database": lambda path: edit(path, "CREATE TABLE other (x)"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("opened", [Catalog.open, Catalog.snapshot])
@pytest.mark.parametrize("name", NOT_CATALOGS)
def test_what_is_not_a_catalog_is_damaged(tmp_path: Path, name: str, opened: Callable[[Path], Catalog]) -> None:
    NOT_CATALOGS[name](tmp_path / "catalog.sqlite")
    with pytest.raises(IndexDamaged, match=r"catalog\.sqlite .* run: dateline rebuild SOURCE"):
        opened(tmp_path / "catalog.sqlite")
    assert (tmp_path / "catalog.sqlite").exists() == (name != "missing")


def test_a_catalog_in_a_read_only_folder_can_be_read(catalog: Catalog) -> None:
    store(catalog, prepared("a", "one"))
    catalog.close()
    catalog.path.chmod(0o444)
    catalog.path.parent.chmod(0o555)
    if os.access(catalog.path, os.W_OK):
        pytest.skip("this user may write everywhere")
    with closing(Catalog.snapshot(catalog.path)) as snapshot:
        assert texts_of(snapshot) == ["one"]
