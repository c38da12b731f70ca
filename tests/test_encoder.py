"""The exported model against the original, and where exports are kept."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index.encoder import DEFAULT_MODEL, ModelIdentity, begun_query, load_encoder
from index.encoding import cache, runtime
from index.encoding.cache import carry, carry_again, kept_encoder, opened
from index.encoding.original import load_original, local_folder
from index.encoding.runtime import (
    FACTS_FILE,
    MODEL_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Facts,
    FastEncoder,
    _batches,
    _padded,
)
from index.errors import ModelError

PROJECT = Path(__file__).parent.parent
TEXTS = [
    "Ferry crews call off strike\nThe union of ferry deckhands has called off its strike. Wages rise by four per cent.",
    "Town council passes budget\nThe council passed a budget with money for roads, libraries and the harbour wall.",
    "Lobster",
    "Le pont restera fermé jusqu’à l’automne, a annoncé le ministère.",
    "Rates\n" + "The central bank left its rate unchanged and spoke of patience. " * 60,
]


@pytest.fixture(scope="module")
def original():
    return load_original(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A cache folder that holds an export of the bundled model."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("DATELINE_CACHE")
    os.environ["DATELINE_CACHE"] = str(folder)
    yield folder
    os.environ.pop("DATELINE_CACHE")
    if before is not None:
        os.environ["DATELINE_CACHE"] = before


@pytest.fixture(scope="module")
def fast(cached):
    encoder = load_encoder(kind="fast")
    assert isinstance(encoder, FastEncoder)
    return encoder


@pytest.fixture
def copy(fast, tmp_path):
    """A folder with the export, to be spoilt."""
    return Path(shutil.copytree(fast.folder, tmp_path / "export"))


def test_the_export_embeds_as_the_original_does(fast, original):
    cosines = (fast.encode_passages(TEXTS) * original.encode_passages(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.99
    # Calibration knows no text without words; nobody asks for one.
    assert fast.encode_query("") @ original.encode_query("") > 0.9
    assert fast.encode_query("who won?") @ original.encode_query("who won?") > 0.98
    assert fast.identity == original.identity


def test_embeddings_do_not_depend_on_what_stands_beside_a_text(fast):
    together = fast.encode_passages(TEXTS * 7)
    assert np.allclose(together[: len(TEXTS)], together[-len(TEXTS) :], atol=0.02)
    alone = np.concatenate([fast.encode_passages([text]) for text in TEXTS])
    assert ((together[: len(TEXTS)] * alone).sum(axis=1) > 0.995).all()
    assert (together**2).sum(axis=1) == pytest.approx(1.0, abs=1e-3)


def test_nothing_to_embed_is_no_rows(fast):
    assert fast.encode_passages([]).shape == (0, 384)


@pytest.mark.parametrize("word", ["ferry", "Lobster", "xqzzt", "walkouts", "größer", "", "ferry crew"])
def test_both_know_the_same_words(fast, original, word):
    assert fast.knows(word) == original.knows(word)


def test_a_second_start_needs_neither_torch_nor_the_weights(fast, cached):
    code = (
        "import sys\nfrom index.encoder import load_encoder\n"
        "encoder = load_encoder()\nencoder.encode_query('a ferry'), encoder.encode_passages(['a', 'b'])\n"
        "heavy = ('torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'openvino_telemetry')\n"
        "print(type(encoder).__name__, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.strip() == "FastEncoder []", done.stderr


def test_an_index_carries_the_export(fast, tmp_path, monkeypatch):
    carry(fast, tmp_path / "index" / "encoder")
    carry(fast, tmp_path / "index" / "encoder")  # again, over what is there
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("index.encoding.original.load_original", _must_not)
    found = load_encoder(beside=tmp_path / "index" / "encoder")
    assert found.identity == fast.identity
    assert np.allclose(found.encode_query("a ferry"), fast.encode_query("a ferry"), atol=0.02)
    assert [entry.name for entry in (tmp_path / "index").iterdir()] == ["encoder"]
    other = FastEncoder(fast.folder, fast.facts, None, None)
    shutil.rmtree(tmp_path / "index" / "encoder")
    carry(other, tmp_path / "index" / "encoder")
    assert opened(tmp_path / "index" / "encoder", "another model") is None


def _must_not(*_):
    raise AssertionError("there is an export")


def test_a_short_file_is_no_export(copy, fast):
    with (copy / WEIGHTS_FILE).open("r+b") as file:
        file.truncate(1000)
    assert Facts.load(copy) is None
    assert opened(copy, DEFAULT_MODEL) is None


@pytest.mark.parametrize("facts", ["", "{", "[]", "{}", '{"identity": 3}', '"text"'])
def test_broken_facts_are_no_export(copy, facts):
    (copy / FACTS_FILE).write_text(facts)
    assert Facts.load(copy) is None
    with pytest.raises(ModelError, match="no whole exported model"):
        FastEncoder.open(copy)


def test_weights_that_changed_are_noticed(copy):
    size = (copy / WEIGHTS_FILE).stat().st_size
    (copy / WEIGHTS_FILE).write_bytes(np.random.default_rng(0).bytes(size))
    assert opened(copy, DEFAULT_MODEL) is None


@pytest.mark.parametrize("name", [MODEL_FILE, WEIGHTS_FILE, TOKENIZER_FILE])
def test_one_changed_bit_is_noticed(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is not what was exported"):
        FastEncoder.open(copy)


def test_one_changed_digit_in_the_facts_is_noticed(copy):
    facts = (copy / FACTS_FILE).read_text("utf-8")
    (copy / FACTS_FILE).write_text(facts.replace('"max_tokens": 256', '"max_tokens": 255'), "utf-8")
    assert Facts.load(copy) is None


def test_an_export_of_an_older_version_without_hashes_still_opens(copy):
    facts = json.loads((copy / FACTS_FILE).read_text("utf-8"))
    del facts["hashes"], facts["checksum"]
    (copy / FACTS_FILE).write_text(json.dumps(facts), "utf-8")
    assert opened(copy, DEFAULT_MODEL) is not None


def test_an_index_gets_a_whole_export_again_from_the_cache(fast, copy):
    (copy / WEIGHTS_FILE).write_bytes(bytes(1_000))
    carry_again(fast.identity, copy)
    assert Facts.load(copy) == fast.facts
    assert fast.facts.changed_files(copy) == []


def test_a_network_that_does_not_parse_is_noticed(copy):
    size = (copy / MODEL_FILE).stat().st_size
    (copy / MODEL_FILE).write_bytes(b" " * size)
    with pytest.raises(ModelError, match="does not load"):
        FastEncoder.open(copy)


def test_a_model_that_changed_is_not_taken_for_the_one_that_was_exported(cached, copy, tmp_path, monkeypatch):
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("1")
    identity = ModelIdentity(**json.loads((copy / FACTS_FILE).read_text())["identity"])
    kept = cache.keep(identity, model, lambda folder: shutil.copytree(copy, folder, dirs_exist_ok=True))
    assert isinstance(kept, FastEncoder)
    assert kept_encoder(DEFAULT_MODEL, model)
    (model / "weights").write_text("22")
    assert kept_encoder(DEFAULT_MODEL, model) is None
    assert kept_encoder(DEFAULT_MODEL, tmp_path) is None


def test_what_fails_half_way_leaves_nothing(fast, tmp_path, monkeypatch):
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path))

    def fail(folder):
        (folder / MODEL_FILE).write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.keep(fast.identity, None, fail)
    assert [entry.name for entry in (tmp_path / "exports").iterdir() if entry.is_dir()] == []


def _keep_at_once(folder, export, answers):
    os.environ["DATELINE_CACHE"] = str(folder)
    written = []

    def write(draft):
        written.append(draft)
        shutil.copytree(export, draft, dirs_exist_ok=True)

    encoder = cache.keep(Facts.load(export).identity, None, write)
    answers.put((len(written), float(np.linalg.norm(encoder.encode_query("a ferry")))))


def test_of_two_that_export_at_once_one_waits_and_takes_what_the_other_made(fast, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    both = [spawn.Process(target=_keep_at_once, args=(tmp_path, fast.folder, answers)) for _ in range(2)]
    for process in both:
        process.start()
    got = [answers.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert sorted(written for written, _ in got) == [0, 1]
    assert all(length == pytest.approx(1, abs=1e-3) for _, length in got)


def test_a_cache_that_cannot_be_written_leaves_torch(original, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("index.encoding.original.load_original", lambda name: original)
    assert load_encoder() is original
    assert "run by torch" in caplog.text
    with pytest.raises(ModelError, match="DATELINE_CACHE"):
        load_encoder(kind="fast")


def test_a_model_of_other_parts_is_run_by_torch(original, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path))
    monkeypatch.setattr("index.encoding.original.load_original", lambda name: original)
    monkeypatch.setattr("index.encoding.export._pooling", lambda encoder: _refuse())
    assert load_encoder() is original
    assert caplog.text.count("made of Dense") == 1


def _refuse():
    from index.encoding.export import CannotExport

    raise CannotExport("it is made of Dense")


def test_an_export_that_differs_is_refused(original, tmp_path, monkeypatch):
    from index.encoding.export import CannotExport, export

    monkeypatch.setattr("index.encoding.export._LEAST_MEAN", 0.99999)
    monkeypatch.setattr("index.encoding.export.multiplies_bytes", lambda: True)
    monkeypatch.setattr("index.encoding.export.quantise", lambda *_: None)
    folder = tmp_path / "export"
    folder.mkdir()
    monkeypatch.setattr("index.encoding.export._FIRST", "mean")  # pools wrongly
    with pytest.raises(CannotExport, match="differ from the original"):
        export(original, folder)


def test_torch_is_asked_for_by_name(original, monkeypatch):
    monkeypatch.setattr("index.encoding.original.load_original", lambda name: original)
    assert load_encoder(kind="torch") is original


def test_without_torch_and_export_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("DATELINE_CACHE", str(tmp_path))
    monkeypatch.setattr("index.encoding.original.importlib.util.find_spec", _without("sentence_transformers"))
    with pytest.raises(ModelError, match="pip install dateline"):
        load_encoder()


def _without(library):
    from importlib.util import find_spec

    return lambda name: None if name == library else find_spec(name)


def test_batches_hold_every_text_once_and_few_tokens():
    lengths = list(np.random.default_rng(1).integers(2, 257, 500))
    batches = list(_batches(lengths))
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    assert all(len(batch) * max(lengths[row] for row in batch) <= runtime._BATCH_TOKENS for batch in batches)
    assert list(_batches([5_000])) == [[0]]


def test_short_texts_are_padded_to_few_lengths_but_never_beyond_the_model():
    ids, mask = _padded([[1, 2, 3]], 256)
    assert ids.shape == (1, 8)
    assert mask.sum() == 3
    assert _padded([[1] * 10], 10)[0].shape == (1, 10)


def test_the_bundled_model_is_found_without_importing_anything():
    assert (local_folder(DEFAULT_MODEL) / "tokenizer.json").is_file()


def test_a_query_is_embedded_while_its_caller_does_something_else(fast):
    waiting = [begun_query(fast, text) for text in TEXTS[:1]]
    assert np.array_equal(waiting[0](), fast.encode_query(TEXTS[0]))


def test_a_query_that_nobody_waits_for_spoils_no_later_one(fast):
    fast.begin_query(TEXTS[0])
    later = fast.begin_query(TEXTS[1])
    assert np.allclose(later(), fast.encode_query(TEXTS[1]), atol=1e-6)


def test_an_encoder_that_cannot_wait_is_asked_at_once():
    class Plain:
        def encode_query(self, text):
            return np.ones(3, dtype=np.float32)

    assert begun_query(Plain(), "ferry")().tolist() == [1, 1, 1]
