"""Exporting a sentence-transformers model once, so that it runs faster and without torch.

The network is taken over by OpenVINO's own reader of torch models, with pooling and scaling to unit length in it,
made int8 where the processor multiplies bytes, and compared with the original on news passages that it was not
calibrated with.
"""

import importlib.resources
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.encoder import Matrix
from index.encoding.original import SentenceTransformerEncoder
from index.encoding.quantise import Floats, quantise, shrink_tables
from index.encoding.runtime import (
    MODEL_FILE,
    PROBE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Facts,
    FastEncoder,
    compiled,
    multiplies_bytes,
    open_tokenizer,
    openvino,
)
from index.generation import file_sha256

# Mean and lowest cosine between an export's embeddings and the original's. int8 of the bundled model has .998 and
# .995; an export that is wrong somewhere falls far below.
_LEAST_MEAN, _LEAST_LOWEST = 0.98, 0.9
_MEAN, _FIRST = "mean", "cls"


class CannotExport(Exception):
    """The model has parts that an export lacks, or its export differs from it; the message says which."""


def export(encoder: SentenceTransformerEncoder, folder: Path) -> Facts:
    """Writes the model, its tokenizer and facts into an empty folder. Raises CannotExport."""
    model = encoder.model
    pooling = _pooling(encoder)
    max_tokens = int(model.max_seq_length or 0)
    if max_tokens <= 0:
        raise CannotExport("it has no longest text")
    model.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    tokenizer = open_tokenizer(folder, max_tokens)
    calibration, unseen = sample_passages()
    expected = encoder.encode_passages(unseen)
    reasons = []
    for precision in ("int8", "float") if multiplies_bytes() else ("float",):
        try:
            network = _network(model, pooling)
            if precision == "int8":
                quantise(network, [_ids(tokenizer, text) for text in calibration], _runner)
            else:
                shrink_tables(network)
            _save(network, folder)
            return _checked(encoder, folder, precision, max_tokens, unseen, expected)
        except CannotExport as refused:
            reasons.append(f"{precision}: {refused}")
        except Exception as error:  # noqa: BLE001 - torch, OpenVINO and models of others' making raise all sorts
            reasons.append(f"{precision}: {(str(error).strip().splitlines() or [type(error).__name__])[0]}")
    raise CannotExport("; ".join(reasons))


def sample_passages() -> tuple[list[str], list[str]]:
    """Invented news passages and headlines: some to calibrate with, others to check with."""
    text = (importlib.resources.files("index.encoding") / "sample.json").read_text("utf-8")
    passages = json.loads(text)
    return passages[0::2], passages[1::2]


def _pooling(encoder: SentenceTransformerEncoder) -> str:
    """How the model makes one vector of many: mean or cls. Raises CannotExport for what has other parts."""
    modules = list(encoder.model)
    names = [type(module).__name__ for module in modules]
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise CannotExport(f"it is made of {', '.join(names)}")
    pooling = modules[1]
    modes = pooling.pooling_mode
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if modes not in ((_MEAN,), (_FIRST,)):
        raise CannotExport(f"it pools by {', '.join(modes)}")
    if not pooling.include_prompt and (encoder.identity.query_prompt or encoder.identity.document_prompt):
        raise CannotExport("it leaves its prompt out of the mean")
    if getattr(modules[0], "do_lower_case", False) or not hasattr(encoder.model.tokenizer, "backend_tokenizer"):
        raise CannotExport("its tokenizer is not one that the tokenizers library has")
    return str(modes[0])


def _network(model: Any, pooling: str) -> Any:
    """The transformer with pooling and scaling as an openvino.Model: token ids and mask in, unit vectors out."""
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    transformer = model[0].auto_model
    typed = "token_type_ids" in model.tokenizer.model_input_names

    class Pooled(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            types = {"token_type_ids": torch.zeros_like(input_ids)} if typed else {}
            states = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **types)[0]
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            # Unit length is the same for a sum as for a mean.
            pooled = states[:, 0] if pooling == _FIRST else (states * weights).sum(1)
            return pooled / pooled.norm(dim=-1, keepdim=True)

    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    example = {"input_ids": torch.ones_like(mask), "attention_mask": mask}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing tells of every branch that it follows
        # Not openvino.convert_model, which reports to its makers how it is used.
        decoder = TorchScriptPythonDecoder(Pooled().eval(), example_input=example)
        frontend = FrontEndManager().load_by_framework("pytorch")
        network = frontend.convert(frontend.load(decoder))
    network.validate_nodes_and_infer_types()
    return network


def _runner(network: Any) -> Callable[[Floats], list[Floats]]:
    """What evaluates a network on one text of token ids."""
    request = compiled(network, INFERENCE_PRECISION_HINT="f32").create_infer_request()

    def evaluate(ids: Floats) -> list[Floats]:
        request.infer({0: ids, 1: np.ones_like(ids)})
        return [np.array(tensor.data) for tensor in request.output_tensors]

    return evaluate


def _ids(tokenizer: Any, text: str) -> Any:
    return np.array([tokenizer.encode(text).ids], dtype=np.int64)


def _save(network: Any, folder: Path) -> None:
    openvino().save_model(network, folder / MODEL_FILE, compress_to_fp16=False)


def _checked(
    encoder: SentenceTransformerEncoder, folder: Path, precision: str, max_tokens: int, unseen: Sequence[str],
    expected: Matrix,
) -> Facts:  # fmt: skip
    """The facts of an export that agrees with the original. Raises CannotExport."""
    sizes = {name: (folder / name).stat().st_size for name in (MODEL_FILE, WEIGHTS_FILE, TOKENIZER_FILE)}
    draft = Facts(encoder.identity, max_tokens, str(encoder.model.tokenizer.unk_token), precision, 0.0, 0.0, (), sizes)
    fast = FastEncoder(folder, draft, compiled(folder / MODEL_FILE), open_tokenizer(folder, max_tokens))
    cosines = (fast.encode_passages(unseen) * expected).sum(axis=1)
    mean, lowest = float(cosines.mean()), float(cosines.min())
    if not (mean >= _LEAST_MEAN and lowest >= _LEAST_LOWEST):
        raise CannotExport(f"its embeddings differ from the original's: cosine {mean:.3f}, lowest {lowest:.3f}")
    probe = tuple(float(number) for number in fast._embedded(PROBE).round(5))
    facts = Facts(
        encoder.identity, max_tokens, draft.unknown, precision, round(mean, 5), round(lowest, 5), probe, sizes,
        hashes={name: file_sha256(folder / name) for name in sizes},
    )  # fmt: skip
    facts.save(folder)
    return facts
