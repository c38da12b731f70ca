"""A network of floats into one whose linear layers multiply bytes, four times as many at once.

For each input channel of a linear layer, calibration says between which values it moves. It is stretched to run
from 0 to 1 there, which its weights and the layer's bias take back, and then one step size serves all channels:
an unsigned byte with no zero point, the fastest that processors multiply. Rounded weights shift a layer's mean
output; the bias takes that back too, and without it the embeddings are ten times further off (cosine .98
against .998).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_ACTIVATION_STEPS = 255
_WEIGHT_STEPS = 127
# How much of a channel's width its own scale takes up; weights that are small carry the rest. The best for each
# layer is computed, not guessed: below .5 wide channels starve the narrow, above 1 weights do.
_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_NARROWEST = 1e-6
# Constants above this are tables of embeddings.
_TABLE_NUMBERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """How the channels of one activation moved: each shape (channels,)."""

    low: Floats
    high: Floats
    mean: Floats
    square: Floats


def quantise(model: Any, token_ids: Iterable[Floats], run: Callable[[Any], Callable[[Floats], list[Floats]]]) -> None:
    """Makes the linear layers of `model` (openvino.Model) int8, in place.

    `token_ids` are texts to calibrate with, each shape (1, tokens); `run` compiles a model and returns what
    evaluates it on one of them. Raises ValueError when there is no linear layer.
    """
    from openvino import opset13 as op

    groups = _linear_layers(model)
    if not groups:
        raise ValueError("it has no linear layer")
    ranges = _ranges(model, groups, token_ids, run)
    for (_, layers), moved in zip(groups, ranges, strict=True):
        source = layers[0].input_value(0)  # an earlier layer may have been replaced by now
        weights = [_weights(layer) for layer in layers]
        low, width = moved.low, _widths(moved, weights)
        stretched = op.add(op.multiply(source, _constant(1 / width)), _constant(-low / width))
        zero, one = _constant(np.zeros(())), _constant(np.ones(()))
        rounded = op.fake_quantize(stretched, zero, one, zero, one, _ACTIVATION_STEPS + 1)
        for layer, weight in zip(layers, weights, strict=True):
            scaled, step = _rounded(weight * width)
            bias = weight @ moved.mean - (scaled * step) @ ((moved.mean - low) / width)
            product = op.matmul(
                rounded,
                op.multiply(op.convert(op.constant(scaled.astype(np.int8)), "f32"), _constant(step)),
                False,
                True,
            )
            _replace(layer, op.add(product, _constant(bias)))
    shrink_tables(model)
    model.validate_nodes_and_infer_types()


def shrink_tables(model: Any) -> None:
    """Keeps large tables of embeddings as bytes, each row with its own step: only what is looked up is widened.

    In this form a table stays in the file, which processes share; others are copied into the memory of each.
    """
    from openvino import opset13 as op

    for node in model.get_ordered_ops():
        table = _constant_behind(node.input(0)) if node.get_type_name() == "Gather" else None
        if table is not None and table.get_data().ndim == 2 and table.get_data().size > _TABLE_NUMBERS:
            rows, step = _rounded(table.get_data().astype(np.float32))
            which, axis = node.input_value(1), node.input_value(2)
            looked_up = op.convert(op.gather(op.constant(rows.astype(np.int8)), which, axis), "f32")
            _replace(node, op.multiply(looked_up, op.gather(_constant(step), which, axis)))


def _linear_layers(model: Any) -> list[tuple[Any, list[Any]]]:
    """The products with constant weights, those with one and the same input together."""
    groups: dict[tuple[str, int], tuple[Any, list[Any]]] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul" and _constant_behind(node.input(1)) is not None:
            source = node.input_value(0)
            key = (source.get_node().get_friendly_name(), source.get_index())
            groups.setdefault(key, (source, []))[1].append(node)
    return list(groups.values())


def _ranges(
    model: Any, groups: list[tuple[Any, list[Any]]], token_ids: Iterable[Floats],
    run: Callable[[Any], Callable[[Floats], list[Floats]]],
) -> list[Range]:  # fmt: skip
    """How the input of each group moves over the texts."""
    from openvino import opset13 as op

    outputs = []
    for source, _ in groups:
        axes = op.constant(np.arange(source.get_partial_shape().rank.get_length() - 1))
        outputs += [
            op.result(op.reduce_min(source, axes, False)),
            op.result(op.reduce_max(source, axes, False)),
            op.result(op.reduce_mean(source, axes, False)),
            op.result(op.reduce_mean(op.multiply(source, source), axes, False)),
        ]
    model.add_results(outputs)
    evaluate = run(model)
    texts = [evaluate(ids)[1:] for ids in token_ids]
    for output in outputs:
        model.remove_result(output)
    found = [np.stack(values) for values in zip(*texts, strict=True)]
    return [
        Range(found[n].min(0), found[n + 1].max(0), found[n + 2].mean(0), found[n + 3].mean(0))
        for n in range(0, len(found), 4)
    ]


def _widths(moved: Range, weights: list[Floats]) -> Floats:
    """How wide a window of each channel becomes 0 to 1: that which adds the least noise to the layer's output."""
    width = np.maximum(moved.high - moved.low, _NARROWEST)
    largest = np.maximum(np.max([np.abs(weight).max(0) for weight in weights], axis=0), _NARROWEST)
    spread = np.maximum(moved.square - moved.mean**2, 0)
    candidates = []
    for share in _SHARES:
        scale = width**share / largest ** (1 - share)
        scale = scale * (width / scale).max()
        noise = 0.0
        for weight in weights:
            steps = np.abs(weight * scale).max(1) / _WEIGHT_STEPS
            noise += float((weight**2 @ (scale / _ACTIVATION_STEPS) ** 2).sum())
            noise += float((steps**2).sum() * (spread / scale**2).sum())
        candidates.append((noise, scale))
    best: Floats = min(candidates, key=lambda candidate: candidate[0])[1].astype(np.float32)
    return best


def _rounded(weight: Floats) -> tuple[Floats, Floats]:
    """Whole numbers from -127 to 127 and the step of each row: shapes (out, in) and (out, 1)."""
    step = np.maximum(np.abs(weight).max(1, keepdims=True) / _WEIGHT_STEPS, _NARROWEST**2)
    return np.clip(np.round(weight / step), -_WEIGHT_STEPS, _WEIGHT_STEPS), step


def _weights(layer: Any) -> Floats:
    """The weights of a product: shape (out, in)."""
    weight: Floats = _constant_behind(layer.input(1)).get_data().astype(np.float32)
    return weight if layer.get_attributes()["transpose_b"] else weight.T


def _constant_behind(place: Any) -> Any:
    """The constant that feeds an input, if need be through a change of type; else None."""
    node = place.get_source_output().get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node if node.get_type_name() == "Constant" else None


def _constant(value: Any) -> Any:
    from openvino import opset13 as op

    return op.constant(np.asarray(value, dtype=np.float32))


def _replace(old: Any, new: Any) -> None:
    for reader in old.output(0).get_target_inputs():
        reader.replace_source_output(new.output(0))
