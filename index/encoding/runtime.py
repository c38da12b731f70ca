"""An exported model, run by OpenVINO: no torch, no transformers.

Texts are tokenised in parallel, sorted by length and packed into batches of about equally many tokens, so that
hardly anything is computed for padding; each core works on a batch of its own, which needs no waiting for one
another.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock, local
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.encoder import Matrix, ModelIdentity
from index.errors import ModelError
from index.generation import checksum_of, file_sha256

TokenIds = NDArray[np.int64]

MODEL_FILE, WEIGHTS_FILE, TOKENIZER_FILE, FACTS_FILE = "model.xml", "model.bin", "tokenizer.json", "export.json"
# Tokens in a batch: what it makes of them stays in a core's cache. 1,024 was faster than 4,096 (10,400 against
# 10,000 tokens a second and core).
_BATCH_TOKENS = 1_024
# More at once need more memory than they save time.
_MOST_STREAMS = 8
# Lengths are padded to multiples of it. A shape that is new to the runtime costs a query ten times what a known one
# does, and each is remembered: with every length its own, memory went to 410 MB and on growing, with these to 300.
_LENGTH_STEP = 8
# What an export must still say of its own probe: rounding differs from one processor to another, a broken file or
# a processor that multiplies bytes wrongly differs more.
_LEAST_PROBE_COSINE = 0.98
PROBE = "The ferry to the islands will sail again on Monday, the company said."


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands beside an exported network: `precision` is int8 or float, `probe` its embedding of PROBE.

    `sizes` and `hashes` (SHA-256) are those of its files; exports of older versions have no hashes.
    """

    identity: ModelIdentity
    max_tokens: int
    unknown: str
    precision: str
    cosine: float
    lowest_cosine: float
    probe: tuple[float, ...]
    sizes: dict[str, int]
    hashes: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes it into the folder of the export."""
        fields = asdict(self)
        written = json.dumps({**fields, "checksum": checksum_of(fields)}, indent=1, ensure_ascii=False)
        (folder / FACTS_FILE).write_text(written, "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What stands there, if the folder is an export and its files have their full sizes."""
        try:
            kept = json.loads((folder / FACTS_FILE).read_text("utf-8"))
            checksum = kept.pop("checksum", None)
            if checksum is not None and checksum != checksum_of(kept):
                return None
            facts = cls(**kept | {"identity": ModelIdentity(**kept["identity"]), "probe": tuple(kept["probe"])})
            # In a backup of somebody else a name might lead elsewhere, and what is carried would be written there.
            inside = all(Path(name).name == name for name in facts.sizes)
            whole = inside and all((folder / name).stat().st_size == size for name, size in facts.sizes.items())
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return facts if whole else None

    def changed_files(self, folder: Path) -> list[str]:
        """The files there that are not what was exported, as far as there are hashes of them. Raises OSError."""
        return [name for name, digest in self.hashes.items() if file_sha256(folder / name) != digest]


class FastEncoder:
    """An exported model with its own query and document prompts. Safe to share between threads."""

    def __init__(self, folder: Path, facts: Facts, network: Any, tokenizer: Any) -> None:
        self.folder = folder
        self.facts = facts
        self._network = network
        self._tokenizer = tokenizer
        self._own = local()
        self._lock = Lock()
        self._queue: Any = None

    @classmethod
    def open(cls, folder: Path, *, many: bool = False) -> Self:
        """The export in a folder; all cores work at one query together, or with `many` each at passages of its own.

        Raises ModelError when it is not an export, is damaged, or computes wrongly here.
        """
        facts = Facts.load(folder)
        if facts is None:
            raise ModelError(f"There is no whole exported model in {folder}. Run: dateline rebuild.")
        try:
            if changed := facts.changed_files(folder):
                raise RuntimeError(f"{', '.join(changed)} is not what was exported")
            settings = {} if many else {"NUM_STREAMS": 1}
            network = compiled(folder / MODEL_FILE, **settings)
            encoder = cls(folder, facts, network, open_tokenizer(folder, facts.max_tokens))
            cosine = float(encoder._embedded(PROBE) @ np.array(facts.probe, dtype=np.float32))
        except Exception as error:  # OpenVINO and tokenizers raise RuntimeError, Exception and more
            raise ModelError(f"The exported model in {folder} does not load: {_first_line(error)}.") from error
        if not cosine >= _LEAST_PROBE_COSINE:
            raise ModelError(f"The exported model in {folder} does not compute here what it did when it was exported.")
        return encoder

    @property
    def identity(self) -> ModelIdentity:
        """The model behind it."""
        return self.facts.identity

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text: shape (len(texts), dimension). Best with some hundred at a time."""
        rows = np.empty((len(texts), self.identity.dimension), dtype=np.float32)
        if not texts:
            return rows
        with self._lock:
            if self._queue is None:
                self._queue = openvino().AsyncInferQueue(self._network)
            tokenised = self._tokenised(texts)
            self._queue.set_callback(lambda request, which: _keep(rows, which, request))
            for which in _batches([len(one) for one in tokenised]):
                ids, mask = _padded([tokenised[row].ids for row in which], self.facts.max_tokens)
                self._queue.start_async({0: ids, 1: mask}, which)
            self._queue.wait_all()
        return rows

    def batches(self, texts: Sequence[str]) -> list[list[int]]:
        """Which of these texts `encode_passages` computes together, in its order.

        A model in bytes makes a little of one text by the others beside it: who splits the work keeps these together.
        """
        return list(_batches([len(one) for one in self._tokenised(texts)]))

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector: shape (dimension,)."""
        return self._embedded(self.identity.query_prompt + text)

    def begin_query(self, text: str) -> Callable[[], Matrix]:
        """Embeds a query on another core, if one is free; what is returned waits for it."""
        return self._begun(self.identity.query_prompt + text)

    def knows(self, word: str) -> bool:
        """Whether the tokenizer has the word in one piece: the common words of its language."""
        pieces = self._tokenizer.encode(word, add_special_tokens=False).tokens
        return len(pieces) == 1 and pieces[0] != self.facts.unknown

    def _tokenised(self, texts: Sequence[str]) -> Any:
        prompt = self.identity.document_prompt
        return self._tokenizer.encode_batch_fast([prompt + text for text in texts])

    def _embedded(self, text: str) -> Matrix:
        return self._begun(text)()

    def _begun(self, text: str) -> Callable[[], Matrix]:
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        request = self._own.request
        request.wait()  # for one that nobody waited for, because what came between failed
        ids, mask = _padded([self._tokenizer.encode(text).ids], self.facts.max_tokens)
        request.start_async({0: ids, 1: mask})

        def embedding() -> Matrix:
            request.wait()
            return np.array(request.get_output_tensor(0).data[0], dtype=np.float32)

        return embedding


def open_tokenizer(folder: Path, max_tokens: int) -> Any:
    """The tokenizer of an export, that cuts texts where the model does."""
    # Asked for on purpose: without it the library warns whenever a process is forked.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def compiled(model: Any, **settings: Any) -> Any:
    """A model, or the file of one, ready to run on all cores: each works at something of its own."""
    cores = _cores()
    # Not pinned: other processes run here too.
    usual = {"NUM_STREAMS": min(cores, _MOST_STREAMS), "INFERENCE_NUM_THREADS": cores, "ENABLE_CPU_PINNING": False}
    return openvino().Core().compile_model(model, "CPU", usual | settings)


def openvino() -> Any:
    """The library, without its converter of models: that reports how it is used, and takes most of the import."""
    converter = "openvino.tools.ovc"
    left_out = converter not in sys.modules
    if left_out:
        sys.modules[converter] = None  # type: ignore[assignment] # the library goes without what cannot be imported
    try:
        import openvino as library
    finally:
        if left_out:
            del sys.modules[converter]
    return library


def multiplies_bytes() -> bool:
    """Whether OpenVINO has int8 for this processor."""
    return "INT8" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _cores() -> int:
    # The usual word for how many threads a process may have; a server gives it to its workers.
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _keep(rows: Matrix, which: list[int], request: Any) -> None:
    rows[which] = request.get_output_tensor(0).data


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of texts that are computed together, the longest first, so that all cores end at once."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _padded(texts: Sequence[Sequence[int]], most: int) -> tuple[TokenIds, TokenIds]:
    """Token ids and which are text: each shape (texts, longest), `longest` a multiple of the step, at most `most`."""
    longest = min(-(-max(len(text) for text in texts) // _LENGTH_STEP) * _LENGTH_STEP, most)
    ids, mask = np.zeros((2, len(texts), longest), dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
