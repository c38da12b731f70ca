"""What is loaded is data: no pickle, no code from a model's folder, and weights that are those they should be."""

import ast
import json
import pickle
import shutil
from pathlib import Path

import pytest
from sample import FakeEncoder
from test_rerank import save_bert

from index.article import Article, SetAside
from index.build import add
from index.encoder import DEFAULT_MODEL, matching_encoder
from index.encoding import original as original_module
from index.encoding.original import load_original, local_folder
from index.encoding.trust import BUNDLED_SHA256, check_bundled, check_model, weights_digest
from index.errors import ModelError
from index.reading import read
from index.reading.documents import Document
from search.engine import Engine
from search.rerank import Reranker

ROOT = Path(__file__).parent.parent
FILES = [path for room in ("index", "search", "web") for path in sorted((ROOT / room).rglob("*.py"))]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle", "commands"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.tempnam", "tempfile.mktemp", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.load", "pandas.read_pickle", "numpy.loads",
}  # fmt: skip
UNSAFE_OPTIONS = {"shell", "allow_pickle", "trust_remote_code", "unsafe"}
UNSAFE_WHEN_FALSE = {"verify", "weights_only", "use_safetensors"}
# Calls that are safe for a reason that a look at the call alone does not show.
KNOWN = {"index/reading/text.py": ["yaml.load"]}  # with a BaseLoader, which makes text and nothing else


# Nothing in the code reads what could be a program


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            if dotted(node.func) in CALLS:
                yield dotted(node.func)
            for option in node.keywords:
                value = option.value.value if isinstance(option.value, ast.Constant) else None
                if option.arg in UNSAFE_OPTIONS and value is not False:
                    yield f"{dotted(node.func)}({option.arg}=…)"
                if option.arg in UNSAFE_WHEN_FALSE and value is not True:
                    yield f"{dotted(node.func)}({option.arg}=…)"


def test_no_module_unpickles_evaluates_or_starts_a_shell():
    found = {str(path.relative_to(ROOT)): list(dangers(ast.parse(path.read_text("utf-8")))) for path in FILES}
    assert {path: names for path, names in found.items() if names} == KNOWN


def test_front_matter_makes_plain_values_only(tmp_path, marker):
    """The one known call: tags that name Python's objects stay what they are, damage."""
    text = f"---\ntitle: !!python/object/apply:pathlib.Path.touch [!!python/object:pathlib.Path {marker}]\n---\nText."
    [content] = read(Document("a.md", "markdown", text.encode(), len(text)))
    assert isinstance(content, Article | SetAside)
    assert not marker.exists()


@pytest.mark.parametrize("code", [
    "import pickle", "from marshal import loads", "eval('1')", "import yaml; yaml.load(x)",
    "np.load(f, allow_pickle=True)",
    "subprocess.run(x, shell=True)", "torch.load(f, weights_only=False)", "tempfile.mktemp()", "get(url, verify=False)",
    "AutoModel.from_pretrained(x, trust_remote_code=True)",
])  # fmt: skip
def test_the_look_at_the_code_sees_what_it_is_for(code):
    assert list(dangers(ast.parse(code)))


# Models


class Payload:
    """What runs when it is unpickled: it leaves a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "it ran"


@pytest.fixture
def bert(tmp_path):
    """A whole tiny model that sentence-transformers loads, with mean pooling."""
    return Path(save_bert(tmp_path / "bert", "BertModel"))


@pytest.fixture
def cross(tmp_path):
    return Path(save_bert(tmp_path / "cross"))


def pickled(marker):
    return pickle.dumps({"embeddings.word_embeddings.weight": Payload(marker)})


def test_the_payload_would_run(marker):
    pickle.loads(pickled(marker))
    assert marker.exists()


@pytest.mark.parametrize("load", [load_original, Reranker.load], ids=["model", "cross-encoder"])
def test_pickled_weights_are_refused_and_never_read(bert, cross, marker, load):
    folder = bert if load == load_original else cross
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickled(marker))
    with pytest.raises(ModelError, match=r"as a pickle \(pytorch_model.bin\)") as refused:
        load(str(folder))
    assert "safetensors" in str(refused.value)
    assert not marker.exists()


@pytest.mark.parametrize("load", [load_original, Reranker.load], ids=["model", "cross-encoder"])
def test_the_libraries_are_told_to_read_no_pickle_either(bert, cross, marker, load, monkeypatch):
    """Where the folder was not looked at first, as with a model that is fetched by its name."""
    monkeypatch.setattr("index.encoding.original.check_model", lambda folder, name: None)
    monkeypatch.setattr("search.rerank.check_model", lambda folder, name: None)
    folder = bert if load == load_original else cross
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickled(marker))
    with pytest.raises(ModelError):
        load(str(folder))
    assert not marker.exists()


def test_a_pickle_beside_safe_weights_is_not_read(bert, marker):
    (bert / "pytorch_model.bin").write_bytes(pickled(marker))
    assert load_original(str(bert)).identity.dimension == 16
    assert not marker.exists()


def test_a_pickle_in_a_part_of_a_model_is_refused(bert, marker):
    (bert / "2_Dense").mkdir()
    (bert / "2_Dense" / "pytorch_model.bin").write_bytes(pickled(marker))
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model\.bin"):
        load_original(str(bert))


def test_code_in_a_folder_is_not_run(bert, marker):
    (bert / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Module:\n    pass\n", "utf-8")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]
    (bert / "modules.json").write_text(json.dumps(modules), "utf-8")
    with pytest.raises(ModelError, match=r"code of its own \(evil.Module\)"):
        load_original(str(bert))
    assert not marker.exists()


def test_code_that_a_configuration_names_is_not_run(bert, marker):
    (bert / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Model:\n    pass\n", "utf-8")
    config = json.loads((bert / "config.json").read_text("utf-8"))
    config |= {"auto_map": {"AutoConfig": "evil.Model", "AutoModel": "evil.Model"}, "model_type": "unheard_of"}
    (bert / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError):
        load_original(str(bert))
    assert not marker.exists()


def test_what_a_folder_says_of_its_modules_may_be_anything(tmp_path):
    for text in ("", "[", "{}", "[1]", '[{"type": null}]', "[{}]"):
        (tmp_path / "modules.json").write_text(text, "utf-8")
        try:
            check_model(tmp_path, "model")
        except ModelError as error:
            assert "None" in str(error)


# Weights by their hash


def test_the_bundled_weights_are_those_that_dateline_was_made_with():
    assert weights_digest(local_folder(DEFAULT_MODEL)) == BUNDLED_SHA256


def test_a_bundled_model_with_other_weights_is_refused_before_it_is_loaded(bert, monkeypatch):
    monkeypatch.setattr(original_module, "local_folder", lambda name: bert)
    monkeypatch.setattr(original_module, "_load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match="not those that Dateline was made with"):
        load_original(DEFAULT_MODEL)
    for digest in (None, "0" * 64):
        with pytest.raises(ModelError):
            check_bundled(digest)


def test_an_index_is_neither_searched_nor_added_to_with_other_weights(root, corpus, tmp_path):
    def load(name, **options):
        return FakeEncoder(weight_hash="1")

    with pytest.raises(ModelError, match="not the one that this index was built with"):
        matching_encoder(FakeEncoder().identity, load)
    with pytest.raises(ModelError, match="not the one that this index was built with"):
        Engine.open(root, load).search("ferry")
    more = shutil.copy(corpus, tmp_path / "more.jsonl")
    Path(more).write_text(json.dumps({"id": "new", "title": "New", "text": "Quite another story."}), "utf-8")
    with pytest.raises(ModelError, match="not the one that this index was built with"):
        add(root, [str(more)], load)
