"""What `check` finds beside files that are not those that were written, and what `check --repair` mends."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sample import ARTICLES, DIMENSION, FakeEncoder, write_jsonl

from index import check
from index.build import add, rebuild
from index.catalog import Catalog
from index.errors import IndexDamaged, ModelError
from index.generation import Layout, carried_encoder, live_generation, load_manifest, other_generations
from index.store import EmbeddedStore
from search.engine import Engine


def edit(layout: Layout, statement: str) -> None:
    """Changes a catalog behind the back of all that guards it."""
    with closing(sqlite3.connect(layout.catalog, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(statement)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE articles SET text = replace(text, 'ran', 'sat')", r"article 1 \('ferry'\) is not what was stored"),
        ("UPDATE articles SET title = x'ff' WHERE number = 2", r"article 2 \('strike'\) is not what was stored"),
        ("UPDATE articles SET title = CAST(x'ff' AS TEXT) WHERE number = 2", "Could not decode to UTF-8"),
        ("UPDATE articles SET authors = '[' WHERE number = 3", r"article 3 \('budget'\) is not what was stored"),
        ("UPDATE articles SET extra = '7' WHERE number = 3", r"article 3 \('budget'\) is not what was stored"),
        ("UPDATE articles SET address = 'https://b.example/' WHERE number = 1", "has another address than its URL"),
        ("UPDATE articles SET story = 2 WHERE number = 1", "1 articles belong to a story that has no head or no copy"),
        ("UPDATE passages SET end = end - 1 WHERE article = 1", "is not the text that was embedded"),
        ("UPDATE passages SET start = 10000 WHERE article = 1", "points outside its article"),
        ("DELETE FROM passages WHERE article = 4", r"article 4 \(pont\) has no passages"),
        ("DELETE FROM fingerprints WHERE article = 1", r"article 1 \(ferry\) has other fingerprints than its text"),
        ("UPDATE fingerprints SET article = 77 WHERE article = 1", "has other fingerprints than its text"),
        ("INSERT INTO fingerprints VALUES (1, 1)", "there are fingerprints that no text has"),
        ("UPDATE vectors SET vector = zeroblob(length(vector))", "5 vectors are not what was"),
        ("UPDATE vectors SET checksum = 1", "5 vectors are not what was stored"),
        ("UPDATE vectors SET vector = CAST(vector AS TEXT)", "5 vectors are not what was stored"),
        ("UPDATE vectors SET vector = x'00'", "some vectors have a wrong length|vectors are not what was stored"),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'articles'", "the next number of articles is one that is"),
        ("DELETE FROM sqlite_sequence WHERE name = 'passages'", "the next number of passages is one that is there"),
        ("UPDATE changes SET at = 'once'", "change 1 cannot be read"),
        ("INSERT INTO receipts VALUES ('https://a.example/', x'00', NULL, NULL)", "the receipt of .* cannot be read"),
        ("INSERT INTO set_aside VALUES ('a', 'because', 'b', 'once')", "'a' that was set aside cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_stored_is_named(root: Path, statement: str, problem: str) -> None:
    edit(live_generation(root), statement)
    found = check.problems(root)
    assert any(re.search(problem, line) for line in found), found
    with pytest.raises(IndexDamaged, match=r"repaired from itself.*dateline restore BACKUP.*dateline rebuild, without"):
        check.repair(root)


def test_no_article_is_shown_that_is_not_what_was_stored(root: Path, load: Callable) -> None:
    edit(live_generation(root), "UPDATE articles SET text = replace(text, 'aground', 'a-round')")
    with Engine.open(root, load) as engine:
        assert engine.search("council budget", size=1).hits
        for ask in (lambda: engine.search("ferry aground"), lambda: engine.article("ferry")):
            with pytest.raises(IndexDamaged, match=r"The article 'ferry' .* not what was stored.*dateline restore"):
                ask()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE articles SET authors = '{' WHERE id = 'ferry'", "UPDATE articles SET extra = x'00' WHERE id = 'ferry'",
        "UPDATE articles SET text = CAST(x'ff' AS TEXT) WHERE id = 'ferry'",
        "UPDATE articles SET published = 7 WHERE id = 'ferry'",
    ],
)  # fmt: skip
def test_values_of_another_kind_are_damage_and_no_crash(root: Path, load: Callable, statement: str) -> None:
    edit(live_generation(root), statement)
    with Engine.open(root, load) as engine, pytest.raises(IndexDamaged, match="dateline rebuild, without sources"):
        engine.article("ferry")


def test_a_damaged_vector_is_not_used_again(root: Path, load: Callable, encoder: FakeEncoder) -> None:
    edit(live_generation(root), "UPDATE vectors SET vector = zeroblob(128) WHERE embedding = (SELECT embedding FROM"
         " passages WHERE article = 1)")  # fmt: skip
    encoder.encoded.clear()
    report = rebuild(root, [], load)
    assert (len(encoder.encoded), report.reused_passages) == (1, 4)
    assert check.problems(root) == []


@pytest.mark.parametrize("kind", ["CAST(vector AS TEXT)", "'text'", "1.5"])
@pytest.mark.parametrize("from_source", [True, False])
def test_vectors_of_another_kind_are_made_again(
    root: Path, corpus: Path, load: Callable, kind: str, from_source: bool
) -> None:
    edit(live_generation(root), f"UPDATE vectors SET vector = {kind}")
    assert rebuild(root, [str(corpus)] if from_source else [], load).articles == 5
    assert check.problems(root) == []


def test_a_vector_that_is_gone_is_damage_and_not_zero(root: Path) -> None:
    layout = live_generation(root)
    edit(layout, "DELETE FROM vectors")
    with closing(Catalog.snapshot(layout.catalog)) as catalog, pytest.raises(IndexDamaged, match="is missing"):
        catalog.vectors(catalog.numbers(), DIMENSION)


@pytest.mark.parametrize("change", ["deleted", "a digit", "of another generation", "without its checksum"])
def test_a_lost_manifest_is_made_again_from_what_the_catalog_remembers(
    root: Path, load: Callable, corpus: Path, change: str
) -> None:
    rebuild(root, [str(corpus)], load)
    layout = live_generation(root)
    before, text = load_manifest(layout), layout.manifest.read_text("utf-8")
    match change:
        case "deleted":
            layout.manifest.unlink()
        case "a digit":
            layout.manifest.write_text(text.replace('"target_words": 150', '"target_words": 151'), "utf-8")
        case "of another generation":
            [other] = other_generations(root)
            shutil.copy(other.manifest, layout.manifest)
        case _:
            fields = json.loads(text)
            del fields["checksum"]
            layout.manifest.write_text(json.dumps(fields), "utf-8")
    with pytest.raises(IndexDamaged, match=r"manifest\.json is .*Run: dateline check --repair"):
        EmbeddedStore.open(root)
    assert any("manifest.json" in problem for problem in check.repair(root))
    assert check.problems(root) == []
    after = load_manifest(layout)
    assert (after.generation, after.model, after.passage_settings) == (
        before.generation, before.model, before.passage_settings,
    )  # fmt: skip


def test_where_the_catalog_remembers_nothing_a_lost_manifest_is_no_guess(root: Path) -> None:
    layout = live_generation(root)
    edit(layout, "DELETE FROM made_with")
    layout.manifest.unlink()
    with pytest.raises(IndexDamaged, match=r"manifest\.json is missing.*cannot be repaired.*dateline restore BACKUP"):
        check.repair(root)


def test_a_catalog_of_another_generation_is_told_from_the_own(root: Path, load: Callable, corpus: Path) -> None:
    rebuild(root, [str(corpus)], load, model="another")
    [other], layout = other_generations(root), live_generation(root)
    shutil.copy(other.catalog, layout.catalog)
    with pytest.raises(IndexDamaged, match="are not of one generation"):
        EmbeddedStore.open(root)
    assert check.repair(root)
    assert check.problems(root) == []
    with closing(EmbeddedStore.open(root)) as store:
        assert store.counts().articles == len(ARTICLES)


@pytest.mark.parametrize("current", [None, "nonsense", ""])
def test_a_lost_current_names_the_newest_finished_generation_again(
    root: Path, load: Callable, corpus: Path, current: str | None
) -> None:
    rebuild(root, [str(corpus)], load)
    layout = live_generation(root)
    (root / "CURRENT").unlink()
    if current is not None:
        (root / "CURRENT").write_text(current)
    with pytest.raises(IndexDamaged, match=r"CURRENT .*Run: dateline check --repair"):
        live_generation(root)
    assert "CURRENT named no generation" in check.repair(root)[0]
    assert live_generation(root) == layout
    assert check.problems(root) == []


def test_columns_that_lie_are_not_taken_over_by_a_repair(root: Path) -> None:
    layout = live_generation(root)
    written = bytearray(layout.columns.read_bytes())
    written[-4:] = bytes(4)  # the last author's code
    layout.columns.write_bytes(written)
    assert check.repair(root) == ["columns is not the file that was written"]
    assert check.problems(root) == []


@pytest.mark.parametrize(
    "name", ["vectors.faiss", "article-vectors.faiss", "columns", "terms/*.store", "article-terms/*.idx"]
)
def test_what_was_altered_is_made_anew_by_the_next_writer_and_never_sealed_as_it_is(
    root: Path, load: Callable, corpus: Path, tmp_path: Path, name: str
) -> None:
    [path] = list(live_generation(root).folder.glob(name))[:1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    add(root, [str(write_jsonl(tmp_path / "one.jsonl", [{"id": "new", "text": "A word of the harbour. " * 9}]))], load)
    assert check.problems(root) == []


def test_a_file_among_the_terms_that_nobody_sealed_is_named_and_goes(root: Path) -> None:
    (live_generation(root).terms / "stranger.idx").write_bytes(b"strange")
    assert check.problems(root) == ["terms/stranger.idx is no file of this generation"]
    check.repair(root)
    assert check.problems(root) == []


def test_changes_that_a_catalog_lost_are_told_of(root: Path, load: Callable, corpus: Path) -> None:
    from index.build import add

    layout = live_generation(root)
    older = layout.catalog.read_bytes()
    add(root, [str(write_jsonl(root.parent / "more.jsonl", [{"title": "New", "text": "A new article."}]))], load)
    layout.catalog.write_bytes(older)
    assert any("what was stored in between is lost" in problem for problem in check.problems(root))


def test_an_encoder_that_cannot_be_read_is_named(root: Path) -> None:
    folder = carried_encoder(root)
    folder.mkdir()
    (folder / "export.json").write_text("{}")
    assert check.problems(root) == ["encoder is no whole exported model"]
    with pytest.raises(ModelError, match="Copy the folder from a backup, or run: dateline rebuild"):
        check.repair(root)
