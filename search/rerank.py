"""Reading query and passage together: an optional cross-encoder over the first candidates.

It weighs every word of one against every word of the other, which two embeddings cannot, and costs a run of
the model a pair. So it sees few candidates and a budget of time, and what it did not come to keeps its place.
"""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from index.encoding.trust import NUMBERS_ONLY, check_model
from index.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

Scores = NDArray[np.float32]

RERANKED = 50
"""Candidates worth a cross-encoder's time: what stands lower is hardly ever lifted to the first page."""
BUDGET_SECONDS = 1.0
"""What a search may take longer by. Small models score some fifty passages in it on two cores."""
_BATCH = 4
"""Pairs between two looks at the clock: small, to stop close to the budget."""
_OFFLINE = frozenset({"1", "ON", "YES", "TRUE"})  # as huggingface_hub reads HF_HUB_OFFLINE
_SCORING = ("ForSequenceClassification", "ForCausalLM")  # the latter answers yes or no


class Reranker:
    """A cross-encoder. Safe to share between threads, one of which uses it at a time."""

    def __init__(
        self, model: "CrossEncoder", name: str, top: int = RERANKED, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        self.name = name
        self.top = top
        self.budget_seconds = budget_seconds
        self._model = model
        self._lock = threading.Lock()
        # The first run of a model is slower than any other and belongs to no search's budget.
        self._scored([("warm", "warm")] * _BATCH)

    @classmethod
    def load(cls, name_or_path: str, top: int = RERANKED, budget_seconds: float = BUDGET_SECONDS) -> Self:
        """The cross-encoder in a folder, or with a name on the hub of models, for the first `top` candidates.

        A name is looked for on this machine first, and nowhere else where HF_HUB_OFFLINE is set. Raises
        ModelError when it cannot be had, or is a model of another kind.
        """
        folder = Path(name_or_path).expanduser()
        here = folder.is_dir()
        if here:
            check_model(folder, name_or_path)
        location = str(folder) if here else name_or_path
        try:
            model = _cross_encoder(location, offline=True)
        except Exception as error:  # the library raises OSError, ValueError, KeyError and more
            if here or _is_offline():
                raise ModelError(_unavailable(name_or_path, error, here=here)) from error
            try:
                model = _cross_encoder(location, offline=False)
            except Exception as failure:
                raise ModelError(_unavailable(name_or_path, failure, here=here)) from failure
        if not _scores_pairs(model):
            raise ModelError(
                f"'{name_or_path}' is not a cross-encoder that gives a pair one score."
                " Name one, such as cross-encoder/ms-marco-MiniLM-L6-v2, or its folder."
            )
        return cls(model, name_or_path, top, budget_seconds)

    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        """How well each of the first n texts answers `query`, for as many as fit in the budget: shape (n,).

        Higher is better; only scores of one query can be compared. Waiting for another thread is part of the
        budget. It is kept by stopping when the slowest batch so far would not fit in any more.
        """
        began = time.monotonic()
        scores: list[Scores] = []
        if not self._lock.acquire(timeout=max(0.0, self.budget_seconds)):
            return np.empty(0, dtype=np.float32)
        try:
            slowest = 0.0
            for first in range(0, len(texts), _BATCH):
                start = time.monotonic()
                if start - began + slowest >= self.budget_seconds:
                    break
                scores.append(self._scored([(query, text) for text in texts[first : first + _BATCH]]))
                slowest = max(slowest, time.monotonic() - start)
        finally:
            self._lock.release()
        return np.concatenate(scores) if scores else np.empty(0, dtype=np.float32)

    def _scored(self, pairs: Sequence[tuple[str, str]]) -> Scores:
        scores: Any = self._model.predict(list(pairs), batch_size=_BATCH, show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32).reshape(len(pairs))


def reordered(count: int, scores: Scores) -> list[int]:
    """The positions of `count` candidates: those with a score, best first, then the others as they were.

    `scores` are those of the first candidates; equal ones keep their order. Raises ValueError when there are
    more scores than candidates.
    """
    if len(scores) > count:
        raise ValueError(f"{len(scores)} scores for {count} candidates")
    return [*np.argsort(-scores, kind="stable").tolist(), *range(len(scores), count)]


def _cross_encoder(location: str, *, offline: bool) -> "CrossEncoder":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for library in ("sentence_transformers", "huggingface_hub", "transformers"):
        logging.getLogger(library).setLevel(logging.ERROR)
    from sentence_transformers import CrossEncoder
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    return CrossEncoder(
        location, local_files_only=offline, trust_remote_code=False, model_kwargs=dict(NUMBERS_ONLY)
    )  # fmt: skip


def _scores_pairs(model: "CrossEncoder") -> bool:
    """Whether the model was made to score pairs. Any other gets a head of random weights from the library."""
    made_for = getattr(model.config, "architectures", None) or []
    return model.num_labels == 1 and any(name.endswith(_SCORING) for name in made_for)


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _OFFLINE


def _unavailable(name: str, error: Exception, *, here: bool) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if here:
        advice = "Check that the folder holds a whole cross-encoder, as its save_pretrained writes it."
    elif _is_offline():
        advice = f"Fetch it once where there is a network with: hf download {name}. Or name a folder that holds it."
    else:
        advice = "Check the name and the connection, or name a folder that holds the model."
    return f"Cannot load the cross-encoder '{name}': {reason} {advice}"
