"""The main job on the sample corpus with the real model."""

import json
from pathlib import Path

import pytest

from index.catalog import Catalog
from index.encoder import DEFAULT_MODEL, load_encoder
from index.generation import live_generation, load_manifest

SEEDS = Path(__file__).parent.parent.parent / "seeds"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_every_sample_article_is_read(seeds_report):
    assert seeds_report["set_aside"] == []
    assert seeds_report["articles"] == 71
    assert seeds_report["passages"] > 200


def test_the_manifest_names_the_bundled_model(seeds_index):
    model = load_manifest(live_generation(seeds_index)).model
    assert (model.name, model.weight_hash, model.dimension) == (DEFAULT_MODEL, WEIGHTS, 384)


def test_embeddings_are_of_unit_length_and_mean_something():
    encoder = load_encoder()
    passages = encoder.encode_passages(["A cat sat on the mat.", "The central bank raised rates.", "x" * 5000])
    assert (passages**2).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    cosines = passages @ encoder.encode_query("interest rate decision")
    assert cosines.argmax() == 1


def test_the_question_of_the_day_finds_its_paragraph(engine):
    hit = engine.search("Canada peacekeeping logistics").hits[0]
    assert hit.article.title.startswith("Canada’s top soldier joins NATO talks")
    assert "Canada would most likely help with logistics" in hit.text
    assert hit.text[slice(*hit.best_sentence)].startswith("Canada would most likely help with logistics")
    assert hit.article.source == "The Canadian Press"
    assert hit.article.published == "2025-08-20T15:07:00"


@pytest.mark.parametrize("teaser", ["Brampton shooting", "Tim Hortons racial slurs", "distraction theft Edmonton"])
def test_teasers_of_other_stories_are_not_found(engine, teaser):
    for hit in engine.search(teaser, size=100, collapse="off"):
        assert not set(teaser.split()) & {"Brampton", "Hortons", "Edmonton"} & set(hit.text.split())
    assert engine.search(teaser.split()[0], mode="lexical").total == 0


def test_every_label_names_an_article_and_a_query(seeds_index):
    catalog = Catalog.snapshot(live_generation(seeds_index).catalog)
    articles = {article.id for article in catalog.all_articles()}
    catalog.close()
    for folder in (SEEDS, SEEDS / "cross-language"):
        queries = {json.loads(line)["id"] for line in (folder / "queries.jsonl").read_text().splitlines()}
        labels = [line.split() for line in (folder / "qrels.txt").read_text().splitlines()]
        assert {label[0] for label in labels} == queries
        assert {label[2] for label in labels} <= articles
