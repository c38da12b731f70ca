"""Opening, checking and mending a generation."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index import check
from index.article import Article
from index.build import add, rebuild, remove
from index.catalog import Catalog, Prepared
from index.duplicates import fingerprints
from index.errors import IndexDamaged
from index.filters import Filters
from index.generation import Layout, live_generation, writer_lock
from index.store import Candidates, EmbeddedStore
from index.terms import Terms, analyse
from index.vectors import Vectors, write_vectors

WHALE = Article("whale", "Whale ashore", "A whale has been washed ashore.")
Damage = Callable[[Layout], object]


def stems(text: str) -> list[str]:
    return [term.stem for term in analyse(text)]


def answers(root: Path, *queries: str) -> list[dict[str, float]]:
    """What both legs find for each query: articles with their scores."""

    def found(hits: Candidates) -> dict[str, float]:
        ids = [store.articles([number])[number].id for number in store.article_numbers(hits.numbers).tolist()]
        return dict(zip(ids, np.round(hits.scores, 4).tolist(), strict=True))

    with closing(EmbeddedStore.open(root)) as store:
        scope = store.scope(Filters())
        dense = [store.search_dense(FakeEncoder().encode_query(query), 20, scope) for query in queries]
        return [found(hits) for hits in (*dense, *(store.search_lexical(stems(query), 20, scope) for query in queries))]


def everything(root: Path) -> list[dict[str, float]]:
    return answers(root, "ferry strike", "pont", "council harbour wall", "night keeper", "whale")


def replace(path: Path, content: bytes) -> None:
    """Puts other content in the place of a file; what still maps the old one keeps it and gets no SIGBUS."""
    path.unlink()
    path.write_bytes(content)


def cut(path: Path, length: int) -> None:
    replace(path, path.read_bytes()[:length])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    replace(path, bytes(content))


def segment(layout: Layout, ending: str) -> Path:
    return next(layout.terms.glob(f"*{ending}"))


def without_the_first_vector(layout: Layout) -> None:
    vectors = Vectors.load(layout.vectors, 64)
    vectors.remove(vectors.numbers[:1])
    write_vectors(layout.vectors, 64, vectors.numbers, [vectors.matrix])


def without_a_term_document(layout: Layout) -> None:
    terms = Terms.open(layout.terms)
    terms.remove(terms.numbers()[:1].tolist())
    terms.commit()


DAMAGES: dict[str, Damage] = {
    "vectors deleted": lambda layout: layout.vectors.unlink(),
    "vectors cut off": lambda layout: cut(layout.vectors, 700),
    "vectors empty": lambda layout: cut(layout.vectors, 0),
    "vectors overwritten": lambda layout: layout.vectors.write_text("noise" * 300),
    "a vector missing": without_the_first_vector,
    "terms deleted": lambda layout: shutil.rmtree(layout.terms),
    "terms a file": lambda layout: (shutil.rmtree(layout.terms), layout.terms.write_text("noise")),
    "meta.json overwritten": lambda layout: segment(layout, "meta.json").write_text("noise"),
    "both deleted": lambda layout: (shutil.rmtree(layout.terms), layout.vectors.unlink()),
    ".pos deleted": lambda layout: segment(layout, ".pos").unlink(),
    **{f"{ending} cut off": lambda layout, it=ending: cut(segment(layout, it), 20) for ending in (".idx", ".fast")},
}
QUIET_DAMAGES: dict[str, Damage] = {
    "a term document missing": without_a_term_document,
    "a byte of the vectors": lambda layout: flip(layout.vectors),
    **{f"a byte of {it}": lambda layout, it=it: flip(segment(layout, it)) for it in (".term", ".idx", ".pos", ".fast")},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_derived_files_change_no_answer(root: Path, damage: Damage) -> None:
    before = everything(root)
    damage(live_generation(root))
    assert everything(root) == before


@pytest.mark.parametrize("damage", (DAMAGES | QUIET_DAMAGES).values(), ids=(DAMAGES | QUIET_DAMAGES).keys())
def test_check_finds_and_repair_mends_damage(root: Path, damage: Damage) -> None:
    before = everything(root)
    assert check.problems(root) == check.repair(root) == []
    damage(live_generation(root))
    found = check.problems(root)
    assert found
    assert check.repair(root) == found
    assert check.problems(root) == []
    assert everything(root) == before


@pytest.mark.parametrize("articles", [ARTICLES[::-1], ARTICLES[:3], [*ARTICLES, *({**a, "id": "+"} for a in ARTICLES)]])
@pytest.mark.parametrize("name", ["vectors.faiss", "terms"])
def test_files_of_another_generation_are_found_out(
    root: Path, tmp_path: Path, load: Callable, name: str, articles: list[dict]
) -> None:
    before = everything(root)
    rebuild(tmp_path / "other", [str(write_jsonl(tmp_path / "other.jsonl", articles))], load)
    here, there = live_generation(root).folder / name, live_generation(tmp_path / "other").folder / name
    shutil.rmtree(here) if here.is_dir() else here.unlink()
    shutil.copytree(there, here) if there.is_dir() else shutil.copyfile(there, here)
    assert check.problems(root)
    assert everything(root) == before


def write_directly(catalog: Catalog, encoder: FakeEncoder) -> None:
    (vector,) = encoder.encode_passages([f"{WHALE.title}\n{WHALE.text}"])
    whole = ((0, len(WHALE.text)),)
    catalog.store([Prepared(WHALE, whole, (b"0" * 16,), fingerprints(WHALE.text))], {b"0" * 16: vector})
    catalog.remove(["budget"])


@pytest.mark.parametrize("log_left", [False, True])
def test_what_a_killed_writer_stored_is_found_at_once(
    root: Path, tmp_path: Path, encoder: FakeEncoder, log_left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.database._BUSY_SECONDS", 3.0)
    with closing(Catalog.open(live_generation(root).catalog)) as catalog:
        write_directly(catalog, encoder)
        shutil.copytree(root, tmp_path / "left")
    began = time.monotonic()
    dense, lexical = answers(tmp_path / "left" if log_left else root, "whale council")
    assert time.monotonic() - began < 3
    assert next(iter(dense)) == "whale"
    assert (set(dense), set(lexical)) == ({"whale", "ferry", "strike", "pont", "undated"}, {"whale"})


def test_a_reader_does_not_wait_for_a_writer_at_work(root: Path, encoder: FakeEncoder) -> None:
    with writer_lock(root), closing(Catalog.open(live_generation(root).catalog)) as catalog:
        write_directly(catalog, encoder)
        dense, lexical = answers(root, "whale ferry council")
    assert next(iter(dense)) == "whale"
    assert set(lexical) == {"ferry", "strike"}


def test_vectors_that_lag_too_far_are_written_anew(root: Path, load: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.derived._MOST_LAG", 0)
    monkeypatch.setattr("index.derived._MOST_LAG_SHARE", 0)
    more = [{**article, "text": "changed"} for article in ARTICLES[:2]] + [{"title": "New", "text": "new"}]
    add(root, [str(write_jsonl(root.parent / "more.jsonl", more))], load)
    assert len(Vectors.load(live_generation(root).vectors, 64)) == 6
    assert check.problems(root) == []
    assert set(answers(root, "changed")[1]) == {"ferry", "strike"}


def test_a_catalog_restored_from_a_backup_is_searched_as_it_is(root: Path, load: Callable) -> None:
    path = live_generation(root).catalog
    backup = path.read_bytes()
    add(root, [str(write_jsonl(root.parent / "a.jsonl", [{"id": "a", "title": "One", "text": "whale"}]))], load)
    path.write_bytes(backup)
    add(root, [str(write_jsonl(root.parent / "b.jsonl", [{"id": "b", "title": "Two", "text": "pumpkin"}]))], load)
    assert [set(lexical) for lexical in answers(root, "whale", "pumpkin")[2:]] == [set(), {"b"}]


@pytest.mark.parametrize("damage", ["edited", "overwritten"])
def test_a_damaged_catalog_is_reported_and_not_repaired(root: Path, damage: str) -> None:
    path = live_generation(root).catalog
    if damage == "edited":
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE articles SET text = 'forged' || substr(text, 7)")
    else:
        path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 4096 + path.read_bytes()[8192:])
        with pytest.raises(IndexDamaged):
            EmbeddedStore.open(root)
    shutil.rmtree(live_generation(root).terms)
    assert check.problems(root)
    with pytest.raises(IndexDamaged, match="cannot be repaired from itself"):
        check.repair(root)


def test_a_read_only_index_is_searched_and_whole(root: Path) -> None:
    before = everything(root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.access(root, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert everything(root) == before
    assert check.problems(root) == []


def test_terms_that_a_power_cut_set_back_beside_what_came_later_are_made_anew(root: Path) -> None:
    layout = live_generation(root)
    folders, names = (layout.terms, layout.article_terms), ("meta.json", ".managed.json")
    books = [layout.manifest, *(folder / name for folder in folders for name in names)]
    earlier = {path: path.read_bytes() for path in books}
    remove(root, ["pont"])
    for path, content in earlier.items():
        replace(path, content)
    assert answers(root, "pont")[1] == {}
    assert check.problems(root) == []
