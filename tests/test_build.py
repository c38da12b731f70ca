"""Filling an index: rebuild, add, remove."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index import check
from index.article import Article, SetAside
from index.build import add, rebuild, remove
from index.catalog import Catalog
from index.encoder import Matrix
from index.errors import IndexingError, IndexMissing, ModelError, UsageError
from index.filters import Filters
from index.generation import live_generation, load_manifest
from index.ingest import _READ_AHEAD, _ahead
from index.passages import PassageSettings
from index.reading.pool import Item
from index.store import EmbeddedStore
from index.terms import analyse

FERRY, STRIKE, BUDGET, PONT, UNDATED = ARTICLES
WHALE = {"id": "whale", "title": "Whale ashore", "text": "A whale has been washed ashore."}
Load = Callable[[str | None], FakeEncoder]


class FailingEncoder(FakeEncoder):
    """Embeds some texts and then fails."""

    def __init__(self, texts: int, error: type[BaseException] = RuntimeError) -> None:
        super().__init__()
        self.texts, self.error = texts, error

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        if len(self.encoded) + len(texts) > self.texts:
            raise self.error
        return super().encode_passages(texts)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.ingest._BATCH_CHARACTERS", 1)


def contents(root: Path) -> tuple[dict[str, Article], list[SetAside]]:
    with closing(Catalog.snapshot(live_generation(root).catalog)) as catalog:
        return {article.id: article for article in catalog.all_articles()}, catalog.journal.documents_set_aside()


def stored(root: Path) -> dict[str, Article]:
    return contents(root)[0]


def found(root: Path, words: str) -> set[str]:
    with closing(EmbeddedStore.open(root)) as store:
        hits = store.search_lexical([term.stem for term in analyse(words)], 100, store.scope(Filters()))
        return {article.id for article in store.articles(store.article_numbers(hits.numbers).tolist()).values()}


def source(root: Path, *records: dict) -> list[str]:
    return [str(write_jsonl(root.parent / "more.jsonl", records))]


def bad_source(root: Path) -> list[str]:
    path = root.parent / "bad.jsonl"
    path.write_text('{"id": "torn", "text": \n{"id": "empty", "text": ""}\n', "utf-8")
    return [str(path)]


def test_a_rebuild_embeds_only_what_is_new(tmp_path: Path, corpus: Path, load: Load, encoder: FakeEncoder) -> None:
    root, expected = tmp_path / "index", [(5, 5, 0, ()), (5, 5, 5, ()), (6, 6, 5, ())]
    for sources, counts in zip([[], [], source(root, WHALE)], expected, strict=True):
        encoder.encoded.clear()
        report = rebuild(root, [str(corpus), *sources], load)
        assert (report.articles, report.passages, report.reused_passages, report.set_aside) == counts
        assert len(encoder.encoded) == report.passages - report.reused_passages
    assert encoder.encoded == ["Whale ashore\nA whale has been washed ashore."]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_rebuild_loses_no_embedding(
    tmp_path: Path, corpus: Path, load: Load, encoder: FakeEncoder, small_batches: None, error: type[BaseException]
) -> None:
    failing = [FailingEncoder(2, error), FailingEncoder(1, error)]
    for interrupted in failing:
        with pytest.raises(error):
            rebuild(tmp_path / "index", [str(corpus)], lambda name, it=interrupted: it)
    assert rebuild(tmp_path / "index", [str(corpus)], load).reused_passages == 3
    assert [len(interrupted.encoded) for interrupted in (*failing, encoder)] == [2, 1, 2]


def test_a_failing_rebuild_leaves_the_live_index_as_it_was(root: Path, small_batches: None) -> None:
    before = live_generation(root)
    with pytest.raises(RuntimeError):
        rebuild(root, source(root, WHALE, {**FERRY, "text": "changed"}), lambda name: FailingEncoder(1))
    assert (live_generation(root), check.problems(root)) == (before, [])
    assert found(root, "ferry whale") == {"ferry", "strike"}


def test_a_rebuild_without_sources_uses_the_stored_articles(root: Path, corpus: Path, load: Load) -> None:
    add(root, bad_source(root), load)
    before = contents(root)
    corpus.unlink()
    report = rebuild(root, [], load, settings=PassageSettings(4, 6, 1))
    assert (report.articles, len(report.set_aside), report.passages > 5, contents(root)) == (5, 2, True, before)
    assert load_manifest(live_generation(root)).passage_settings == PassageSettings(4, 6, 1)


def test_another_model_embeds_everything_anew(root: Path) -> None:
    other, asked = FakeEncoder("other", "1"), []
    for model in ("other", None):
        rebuild(root, [], lambda name: asked.append(name) or other, model=model)
        assert len(other.encoded) == 5
        assert load_manifest(live_generation(root)).model == other.identity
    assert asked == ["other", "other"]


@pytest.mark.parametrize("damage", ["page overwritten", "vectors cut short"])
def test_a_rebuild_mends_a_damaged_catalog(root: Path, corpus: Path, load: Load, damage: str) -> None:
    path = live_generation(root).catalog
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'vectors'").fetchone()
        if damage == "vectors cut short":
            database.execute("UPDATE vectors SET vector = x'00'")
    if damage == "page overwritten":
        whole = path.read_bytes()
        path.write_bytes(whole[: 4096 * (page - 1)] + b"\xa5" * 4096 + whole[4096 * page :])
    assert rebuild(root, [str(corpus)], load).articles == 5
    assert check.problems(root) == []


def test_add_inserts_and_replaces_by_id(root: Path, load: Load, encoder: FakeEncoder) -> None:
    encoder.encoded.clear()
    report = add(root, source(root, {**FERRY, "text": "The ship is afloat."}, STRIKE, WHALE), load)
    assert (report.articles, report.passages, report.reused_passages, len(encoder.encoded)) == (3, 3, 1, 2)
    assert set(stored(root)) == {"ferry", "strike", "budget", "pont", "undated", "whale"}
    assert (found(root, "sandbank coastguard"), found(root, "afloat whale")) == (set(), {"ferry", "whale"})
    assert check.problems(root) == []


def test_a_change_of_metadata_costs_no_embedding(root: Path, load: Load, encoder: FakeEncoder) -> None:
    encoder.encoded.clear()
    add(root, source(root, {**FERRY, "authors": ["Ann"]}), load)
    assert (encoder.encoded, stored(root)["ferry"].authors) == ([], ("Ann",))
    with closing(EmbeddedStore.open(root)) as store:
        scope = store.scope(Filters(authors=("Ann",)))
        assert len(store.search_lexical(["sandbank"], 5, scope)) == scope.articles == 1


def test_an_add_of_nothing_new_writes_no_derived_file(root: Path, load: Load) -> None:
    # What is written anew and not yet sealed when a kill comes would look like damage.
    layout = live_generation(root)
    before = {path: path.stat().st_mtime_ns for path in [layout.vectors, *layout.terms.iterdir()]}
    add(root, source(root, FERRY), load)
    add(root, source(root, FERRY), load)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("fill", [rebuild, add])
def test_of_the_same_id_twice_the_last_wins(
    root: Path, load: Load, fill: Callable, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.ingest._BATCH_CHARACTERS", batch)
    fill(root, source(root, WHALE, UNDATED, {**WHALE, "text": "The whale swam off."}), load)
    assert stored(root)["whale"].text == "The whale swam off."
    assert (found(root, "swam"), found(root, "washed")) == ({"whale"}, set())


def test_add_with_other_weights_is_refused(root: Path) -> None:
    with pytest.raises(ModelError, match=r"'fake' is not the one .* Run: dateline rebuild"):
        add(root, source(root, WHALE), lambda name: FakeEncoder("fake", "1"))
    assert "whale" not in stored(root)


def test_articles_are_removed_by_id_and_url_all_or_none(root: Path) -> None:
    with pytest.raises(UsageError, match="'nobody'; nothing was removed"):
        remove(root, ["ferry", "nobody"])
    assert remove(root, ["https://coast.example.org/ferry", "budget", "ferry"]) == ["ferry", "budget"]
    assert set(stored(root)) == {"strike", "pont", "undated"}
    assert found(root, "ferry council") == {"strike"}
    remove(root, ["strike", "pont", "undated"])
    assert found(root, "ferry council keeper") == set()
    assert check.problems(root) == []


def test_nothing_but_bad_documents_leaves_the_index_as_it_was(root: Path, load: Load) -> None:
    before = live_generation(root)
    with pytest.raises(IndexingError, match=r"2 documents were set aside, the first being .*bad\.jsonl:1: not JSON"):
        rebuild(root, bad_source(root), load)
    assert (live_generation(root), contents(root)[1], len(stored(root))) == (before, [], 5)
    assert list((root / "generations").iterdir()) == [before.folder]


@pytest.mark.parametrize("fill", [rebuild, add])
def test_bad_documents_are_reported_and_remembered(root: Path, load: Load, fill: Callable) -> None:
    report = fill(root, [*bad_source(root), *source(root, WHALE)], load)
    assert [aside.source.rpartition(":")[2] for aside in report.set_aside] == ["1", "2"]
    assert (contents(root)[1], found(root, "whale")) == (list(report.set_aside), {"whale"})


def test_what_is_not_there_is_said_before_anything_changes(root: Path, load: Load, tmp_path: Path) -> None:
    before = live_generation(root)
    for fill in (rebuild, add):
        with pytest.raises(UsageError, match="No such file or folder"):
            fill(root, [str(tmp_path / "nowhere")], load)
    assert live_generation(root) == before
    with pytest.raises(IndexMissing):
        add(tmp_path / "other", source(root, WHALE), load)


def test_reading_ahead_stops_when_nobody_takes_more() -> None:
    filled, item = threading.Event(), Item(0, "", SetAside("", ""))

    def items() -> Iterator[Item]:
        yield from [item] * (_READ_AHEAD + 1)
        filled.set()
        yield from [item] * 2

    ahead = _ahead(items())
    next(ahead)
    filled.wait(5)
    ahead.close()
    for thread in [thread for thread in threading.enumerate() if thread.name == "reader"]:
        thread.join(2)
        assert not thread.is_alive()


def test_one_address_is_one_article_whose_first_publication_stays(root: Path, load: Load) -> None:
    url = "https://wire.example.org/2025/whale"
    versions = [
        {"url": url, "title": "Whale ashore", "text": "A whale was washed ashore.", "published": "2025-08-20"},
        {"url": f"http://www.{url[8:]}/?utm_source=feed#top", "title": "Whale afloat", "text": "The whale swam off.",
         "published": "2025-08-22T09:00:00Z"},
    ]  # fmt: skip
    for version in versions:
        add(root, source(root, version), load)
    [whale] = [article for article in stored(root).values() if article.title.startswith("Whale")]
    assert (whale.title, whale.published, whale.updated) == ("Whale afloat", "2025-08-20", "2025-08-22T09:00:00+00:00")
    assert (found(root, "ashore"), found(root, "swam")) == (set(), {whale.id})
    change = load_manifest(live_generation(root)).change
    assert add(root, source(root, versions[1]), load).reused_passages == 1
    assert load_manifest(live_generation(root)).change == change


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("given_first", [True, False])
def test_an_address_finds_the_article_whose_id_was_given(
    root: Path, load: Load, batch: int, given_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.ingest._BATCH_CHARACTERS", batch)
    given = {**WHALE, "url": "https://wire.example.org/whale"}
    fetched = {"url": "https://m.wire.example.org/whale/", "title": "Whale", "text": "A whale has been washed ashore."}
    add(root, source(root, *([given, fetched] if given_first else [fetched, given])), load)
    assert set(stored(root)) == {"ferry", "strike", "budget", "pont", "undated", "whale"}
    assert check.problems(root) == []


def test_two_ids_that_were_given_are_two_articles_even_at_one_address(root: Path, load: Load) -> None:
    url = "https://wire.example.org/live"
    add(root, source(root, {**WHALE, "url": url}, {**WHALE, "id": "whale-2", "url": url, "text": "It swam off."}), load)
    assert {"whale", "whale-2"} <= set(stored(root))


def test_what_was_set_aside_is_tried_again_on_request(root: Path, load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    folder.mkdir()
    files = [folder / "1.json", folder / "2.jsonl"]
    files[0].write_text("{", "utf-8")
    files[1].write_text('{"text": "Fine."}\n{"text": \n', "utf-8")
    add(root, [str(folder)], load)
    assert len(contents(root)[1]) == 2
    files[0].write_text('{"text": "A zeppelin landed."}', "utf-8")
    report = add(root, [], load, retry=True)
    assert [aside.source for aside in report.set_aside] == [f"{files[1]}:2"]
    assert [aside.source for aside in contents(root)[1]] == [f"{files[1]}:2"]
    assert len(found(root, "zeppelin")) == 1
    files[1].write_text('{"text": "Fine."}\n', "utf-8")  # the bad line is gone altogether
    add(root, [], load, retry=True)
    assert contents(root)[1] == []


def test_killed_rebuilds_leave_one_unfinished_generation_at_most(
    root: Path, corpus: Path, small_batches: None, load: Load
) -> None:
    live = live_generation(root)
    more = [str(corpus), *source(root, *({**WHALE, "id": f"w{n}", "text": f"Whale number {n}."} for n in range(6)))]
    for texts in (2, 1, 1):
        with pytest.raises(RuntimeError):
            rebuild(root, more, lambda name, texts=texts: FailingEncoder(texts))
        assert len([folder for folder in (root / "generations").iterdir() if folder != live.folder]) == 1
    report = rebuild(root, more, load)
    assert (report.articles, report.reused_passages, check.problems(root)) == (11, 5 + 4, [])
