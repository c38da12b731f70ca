"""Copies of one story, from their arrival to the search result."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sample import FakeEncoder, write_jsonl

from index import check
from index.build import add, rebuild, remove
from search.engine import Engine
from search.results import result_json
from web.app import create_app

Load = Callable[[str | None], FakeEncoder]
SYLLABLES = "har bour coun cil fer ry pi lot en gi fish may or u ni mu or chard gla cier tram light".split()
WORDS = [first + second for first in SYLLABLES for second in SYLLABLES]


def story(seed: int, sentences: int = 24) -> list[str]:
    """Sentences of invented words: two stories share words and no run of words."""
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=12)).capitalize() + "." for _ in range(sentences)]


def record(id: str, sentences: list[str], published: str | None = None, **fields: str) -> dict:
    paragraphs = [" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3)]
    return {"id": id, "title": f"Headline of {id}", "text": "\n\n".join(paragraphs), "published": published, **fields}


WIRE = record("wire", story(1), "2025-08-20T10:00:00", source="Harbour Wire")
REPRINT = record("reprint", ["Our own first line about it.", *story(1)], "2025-08-20T12:00:00", source="Gazette")
TRIMMED = record("trimmed", story(1)[:14], "2025-08-20T09:00:00", source="Free Sheet")
OTHER = record("other", story(2), "2025-08-20")
UNRELATED = [record(f"u{seed}", story(seed)) for seed in range(10, 20)]


@pytest.fixture
def wires(tmp_path: Path, load: Load) -> Path:
    corpus = write_jsonl(tmp_path / "wires.jsonl", [REPRINT, OTHER, TRIMMED, WIRE, *UNRELATED])
    rebuild(tmp_path / "index", [str(corpus)], load)
    return tmp_path / "index"


def more(root: Path, *records: dict) -> list[str]:
    return [str(write_jsonl(root.parent / "more.jsonl", records))]


def copies(root: Path, id: str) -> list[str]:
    engine = Engine.open(root, lambda _: FakeEncoder())
    try:
        return [copy.id for copy in engine.article(id).copies]
    finally:
        engine.close()


def results(root: Path, **options: str) -> dict[str, list[str]]:
    engine = Engine.open(root, lambda _: FakeEncoder())
    try:
        answer = result_json(engine.search(story(1)[2], size=20, **options))
    finally:
        engine.close()
    return {hit["article"]["id"]: [copy["id"] for copy in hit["duplicates"]] for hit in answer["results"]}


def test_copies_know_each_other_earliest_first_and_others_stay_alone(wires: Path) -> None:
    assert copies(wires, "wire") == ["trimmed", "reprint"]
    assert copies(wires, "trimmed") == ["wire", "reprint"]
    assert copies(wires, "other") == []


def test_a_story_is_one_result_under_its_earliest_complete_copy(wires: Path) -> None:
    found = results(wires, collapse="story")
    assert found["wire"] == ["trimmed", "reprint"]
    assert not {"trimmed", "reprint"} & set(found)
    assert len(found) == 12


def test_articles_are_listed_one_by_one_unless_asked_otherwise(wires: Path) -> None:
    found = results(wires)
    assert {"wire", "trimmed", "reprint"} <= set(found)
    assert found["reprint"] == ["trimmed", "wire"]


def test_a_filter_that_leaves_out_the_head_leaves_a_copy(wires: Path) -> None:
    engine = Engine.open(wires, lambda _: FakeEncoder())
    from index.filters import Filters

    [hit] = engine.search(story(1)[2], collapse="story", filters=Filters(sources=("Gazette",))).hits
    engine.close()
    assert (hit.article.id, [copy.id for copy in hit.copies]) == ("reprint", ["trimmed", "wire"])


def test_a_copy_that_arrives_later_joins_the_story(wires: Path, load: Load) -> None:
    late = record("late", ["A late edition.", *story(1)[:20]], "2025-08-21")
    add(wires, more(wires, late), load)
    assert copies(wires, "late") == ["trimmed", "wire", "reprint"]


def test_the_whole_brings_its_halves_together(wires: Path, load: Load) -> None:
    halves = [record("half1", story(30)[:12], "2025-08-20"), record("half2", story(30)[12:], "2025-08-20")]
    add(wires, more(wires, *halves), load)
    assert copies(wires, "half1") == []
    add(wires, more(wires, record("whole", story(30), "2025-08-20")), load)
    assert set(copies(wires, "half1")) == {"half2", "whole"}


def test_a_digest_of_two_stories_does_not_make_them_one(wires: Path, load: Load) -> None:
    digest = record("digest", [*story(1)[:14], *story(2)[:13], *story(40)[:10]], "2025-08-20")
    add(wires, more(wires, digest), load)
    assert "other" not in copies(wires, "wire")


def test_the_same_text_years_apart_is_no_copy_when_it_is_short(wires: Path, load: Load) -> None:
    notice = record("notice", story(50)[:8], "2025-08-20")
    add(wires, more(wires, notice, {**notice, "id": "again", "published": "2019-08-20"}), load)
    assert copies(wires, "notice") == []


def test_when_the_head_goes_another_copy_heads_the_story(wires: Path) -> None:
    remove(wires, ["wire"])
    assert results(wires, collapse="story")["reprint"] == ["trimmed"]
    remove(wires, ["reprint"])
    assert results(wires, collapse="story")["trimmed"] == []
    assert check.problems(wires) == []


def test_an_update_leaves_the_story_that_it_no_longer_tells(wires: Path, load: Load) -> None:
    add(wires, more(wires, {**REPRINT, "text": record("x", story(7))["text"]}), load)
    assert (copies(wires, "reprint"), copies(wires, "wire")) == ([], ["trimmed"])


def test_stats_count_stories(wires: Path) -> None:
    from index.stats import index_stats

    assert (index_stats(wires)["articles"], index_stats(wires)["stories"]) == (14, 12)


@pytest.fixture
def client(wires: Path):
    engine = Engine.open(wires, lambda _: FakeEncoder())
    yield create_app(lambda: engine, wires).test_client()
    engine.close()


def test_the_api_names_the_copies_of_an_article(client) -> None:
    [first, second] = client.get("/api/v1/articles/wire").get_json()["duplicates"]
    assert first == {
        "id": "trimmed", "title": "Headline of trimmed", "source": "Free Sheet", "url": None,
        "published": "2025-08-20T09:00:00",
    }  # fmt: skip
    assert second["id"] == "reprint"


def test_the_page_folds_copies_on_request_and_lists_them(client) -> None:
    folded = client.get("/", query_string={"q": story(1)[2], "collapse": "story"}).text
    assert "2 other copies of this story" in folded
    assert ">Headline of reprint</a>, Gazette, 20 August 2025, 12:00" in folded
    assert "2 other copies of this story" in client.get("/article/wire").text
    assert "other cop" not in client.get("/article/other").text


def test_what_only_a_copy_tells_is_shown_in_the_copy(wires: Path, load: Load) -> None:
    local = record("local", [*story(1), *story(60)[:9]], "2025-08-21", source="Free Sheet")
    add(wires, more(wires, local), load)
    engine = Engine.open(wires, lambda _: FakeEncoder())
    own, common = (engine.search(words, collapse="story").hits[0].article.id for words in (story(60)[5], story(1)[2]))
    engine.close()
    assert (own, common) == ("local", "wire")
