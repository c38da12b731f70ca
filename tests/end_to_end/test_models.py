"""Models other than the default one."""

import numpy as np
import pytest
from sample import ARTICLES, write_jsonl

from index.build import add, rebuild
from index.encoder import load_encoder
from index.errors import ModelError
from search.engine import Engine

PROMPTS = {"query": "Question: ", "document": "News: "}


@pytest.fixture(scope="module")
def bundled():
    return load_encoder()


@pytest.fixture(scope="module")
def prompted(tmp_path_factory, bundled):
    """The folder of a model that wants prompts."""
    from sentence_transformers import SentenceTransformer

    from index.encoding.original import local_folder

    folder = tmp_path_factory.mktemp("model") / "prompted"
    SentenceTransformer(str(local_folder(bundled.identity.name)), prompts=PROMPTS, device="cpu").save(str(folder))
    return folder


def test_a_model_gets_its_own_prompts(prompted, bundled):
    encoder = load_encoder(str(prompted))
    assert encoder.identity.query_prompt == PROMPTS["query"]
    assert encoder.identity.document_prompt == PROMPTS["document"]
    assert np.allclose(encoder.encode_query("lobster"), bundled.encode_query("Question: lobster"), atol=1e-5)
    assert np.allclose(encoder.encode_passages(["lobster"]), bundled.encode_passages(["News: lobster"]), atol=1e-5)


def test_an_index_is_built_and_searched_with_another_model(prompted, tmp_path):
    articles = str(write_jsonl(tmp_path / "articles.jsonl", ARTICLES))
    rebuild(tmp_path / "index", [articles], load_encoder, model=str(prompted))
    engine = Engine.open(tmp_path / "index")
    assert engine.store.model.query_prompt == PROMPTS["query"]
    assert engine.search("who stopped the walkout of the boat staff?").hits[0].article.id == "strike"
    assert add(tmp_path / "index", [articles], load_encoder).reused_passages > 0


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path, content):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match="Cannot load the model") as refused:
        load_encoder(str(tmp_path))
    assert "\n" not in str(refused.value)
