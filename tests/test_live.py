"""The engine that follows an index, looked at step by step."""

import gc
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

import index.database
import web.live
from index.build import add, rebuild
from index.errors import IndexDamaged, IndexMissing, ModelError
from index.generation import live_generation
from search.query import SearchRequest
from web.live import LiveEngine, NotReady


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, encoder: FakeEncoder) -> list[str | None]:
    """Without the real model and without waiting; the models that were loaded."""
    loaded: list[str | None] = []

    def load(name: str | None, *, kind: str, beside: Path) -> FakeEncoder:
        loaded.append(name)
        return encoder

    monkeypatch.setattr(web.live, "load_encoder", load)
    monkeypatch.setattr(web.live, "_KEPT_SECONDS", 0)
    return loaded


def change(root: Path, load: Callable, folder: Path, name: str) -> None:
    source = write_jsonl(folder / f"{name}.jsonl", [{"id": name, "title": f"A {name} landed", "text": f"The {name}."}])
    add(root, [str(source)], load)


def test_it_turns_to_each_new_state_and_loads_the_model_once(root, load, tmp_path, quick):
    live = LiveEngine(root)
    assert live.generation() is None
    assert live.look()
    first = live.generation()
    assert not live.look()
    change(root, load, tmp_path, "zeppelin")
    assert live.look()
    assert live.engine().search("zeppelin").hits[0].article.id == "zeppelin"
    rebuild(root, [], load)
    assert live.look()
    assert len({first, live.generation()}) == 2
    assert quick == ["fake"]


def test_a_log_of_the_catalog_that_became_long_is_used_again(root, load, tmp_path, monkeypatch):
    catalog = live_generation(root).catalog
    log = catalog.with_name(f"{catalog.name}-wal")
    two = [LiveEngine(root), LiveEngine(root)]  # as two workers of one server
    sizes = []
    for number in range(6):
        change(root, load, tmp_path, f"zeppelin{number}")
        for live in two:
            assert live.look()
            assert not live.begin_anew()  # the log is short
        gc.collect()  # closes what was open before
        sizes.append(log.stat().st_size)
    assert sizes == sorted(set(sizes))  # it only grows
    monkeypatch.setattr(index.database, "LONG_LOG_BYTES", sizes[0])
    assert [live.begin_anew() for live in two] == [True, True]
    assert [live.begin_anew() for live in two] == [False, False]
    gc.collect()
    change(root, load, tmp_path, "balloon")
    with sqlite3.connect(catalog) as other:
        assert other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1] * 4096 < sizes[-1] / 2
    other.close()
    for live in two:
        assert live.look()
        assert live.engine().search("balloon").hits[0].article.id == "balloon"


def test_the_new_state_has_answered_what_people_ask_before_it_answers_them(root, load, tmp_path, monkeypatch):
    asked: list[tuple[str, str]] = []
    search = web.live.Engine.search

    def noting(engine, request, **options):
        asked.append((request.query, live.generation()))
        return search(engine, request, **options)

    monkeypatch.setattr(web.live.Engine, "search", noting)
    live = LiveEngine(root)
    live.look()
    before = live.generation()
    assert [generation for _, generation in asked] == [None]
    for number in range(20):
        live.remember(SearchRequest(f"ferry {number}"))
    live.remember(SearchRequest("ferry", page=10_000))  # refused by the engine
    asked.clear()
    change(root, load, tmp_path, "zeppelin")
    live.look()
    assert live.generation() != before
    assert {generation for _, generation in asked} == {before}
    assert ("ferry 19", before) in asked
    assert ("ferry 3", before) not in asked


def test_a_search_ends_on_the_state_it_began_on_which_is_then_closed(root, load, tmp_path):
    live = LiveEngine(root)
    live.look()
    engine, before = live.engine(), live.generation()
    store = engine.store
    change(root, load, tmp_path, "zeppelin")
    live.look()
    found = engine.search("ferry")
    assert (found.generation, bool(found.hits)) == (before, True)
    assert store.article("ferry")
    del engine
    with pytest.raises(Exception, match="closed"):
        store.article("ferry")


def test_what_cannot_be_opened_leaves_the_state_before(root, load, tmp_path):
    live = LiveEngine(root)
    live.look()
    before = live.generation()
    current = (root / "CURRENT").read_text()
    (root / "CURRENT").write_text("nothing\n")
    with pytest.raises(IndexDamaged):
        live.look()
    assert live.generation() == before
    assert live.engine().search("ferry").hits
    (root / "CURRENT").write_text(current)
    change(root, load, tmp_path, "zeppelin")
    assert live.look()


def test_another_model_of_the_same_name_is_loaded_again(root, corpus, monkeypatch, quick):
    live = LiveEngine(root)
    live.look()
    other = FakeEncoder(weight_hash="1")
    rebuild(root, [str(corpus)], lambda name: other)
    with pytest.raises(ModelError):
        live.look()
    monkeypatch.setattr(web.live, "load_encoder", lambda name, **_: other)
    assert live.look()
    assert live.engine().search("ferry").hits


def test_it_says_why_it_is_not_ready_and_turns_ready(tmp_path, corpus, load):
    root = tmp_path / "later"
    live = LiveEngine(root)
    with pytest.raises(IndexMissing):
        live.look()
    live.start(wait=10)
    try:
        with pytest.raises(NotReady, match="dateline rebuild SOURCE"):
            live.engine()
        rebuild(root, [str(corpus)], load)
        deadline = time.monotonic() + 20
        while live.generation() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert live.engine().store.counts().articles == len(ARTICLES)
    finally:
        live.stop()


def test_an_index_that_is_there_is_open_when_start_returns(root):
    live = LiveEngine(root).start(wait=20)
    try:
        assert live.generation()
    finally:
        live.stop()


def test_a_manifest_written_again_is_a_new_state_and_a_missing_one_is_told(root):
    live = LiveEngine(root)
    live.look()
    [manifest] = root.glob("generations/*/manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text())))
    assert live.look()
    manifest.unlink()
    with pytest.raises(IndexDamaged):
        live.look()
