"""Translate the nodes of an ONNX graph in QDQ form to operators of LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.deploy.onnx import moves, weighted
from tinyml_helpers.deploy.onnx.activations import find_activation, finish, number_of
from tinyml_helpers.deploy.onnx.draft import Draft, as_image, channels_last
from tinyml_helpers.deploy.onnx.qdq import DEQUANTIZE, QUANTIZE, Constant, Steps, refuse
from tinyml_helpers.deploy.onnx.windows import harden, normalize, pool
from tinyml_helpers.integers import Integers

if TYPE_CHECKING:
    from onnx import NodeProto

Options = Mapping[str, Any]
_FUNCTIONS: dict[str, tuple[str, Steps | None]] = {
    "Elu": ("ELU", None),
    "Gelu": ("GELU", None),
    "HardSwish": ("HARD_SWISH", None),
    "LeakyRelu": ("LEAKY_RELU", None),
    "Sigmoid": ("LOGISTIC", Steps((1 / 256,), (-128,))),
    "Softmax": ("SOFTMAX", Steps((1 / 256,), (-128,))),
    "Tanh": ("TANH", Steps((1 / 128,), (0,))),
}
"""ONNX function -> that of LiteRT, and the steps of its output, if it has no others."""


def translate(draft: Draft, node: NodeProto) -> None:
    """Translate a node.

    Raises:
        ModelError: it cannot be translated, with its name and the reason.
    """
    from onnx import helper

    if node.output[0] in draft.done:
        return
    if node.op_type not in _KINDS:
        raise refuse(node, f"supported are {', '.join(sorted(_KINDS))}")
    options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    _KINDS[node.op_type](draft, node, options)


def _quantize(draft: Draft, node: NodeProto, options: Options) -> None:
    source, (x, y) = draft.source, (node.input[0], node.output[0])
    wanted, given = source.read_steps(node), draft.steps(x)
    if x in source.arrays:
        draft.constants[y] = _round(source.arrays[x], wanted)
    elif given is None:
        raise refuse(node, f"{x!r} is float, and what makes it is not quantized in one way")
    elif given == wanted:
        draft.alias(y, x)
    else:
        _requantize(draft, x, y, wanted)


def _round(array: Any, steps: Steps) -> Constant:
    scales, zeros = (_along(array, steps, values) for values in (steps.scales, steps.zero_points))
    return Constant(Integers(scales, zeros).store_evenly(array), steps)


def _along(array: Any, steps: Steps, values: tuple[float, ...]) -> Any:
    shape = [1] * array.ndim
    if len(values) > 1:
        shape[steps.axis] = len(values)
    return np.array(values).reshape(shape)


def _requantize(draft: Draft, x: str, y: str, steps: Steps) -> None:
    image, shape = draft.is_image(x), draft.source.shape(x)
    physical = channels_last(shape) if image else shape
    made = draft.operate("QUANTIZE", [draft.number(x, image)], physical, steps, y)
    draft.store(y, made, steps, image)


def _dequantize(draft: Draft, node: NodeProto, options: Options) -> None:
    x, y, steps = node.input[0], node.output[0], draft.source.read_steps(node)
    given = draft.steps(x)
    if x in draft.source.arrays:
        array = draft.source.arrays[x]
        if array.dtype not in (np.int8, np.uint8, np.int32):
            raise refuse(node, f"constants of {array.dtype}; int8, uint8 and int32 are taken")
        if array.dtype == np.uint8:
            array = (array.astype(np.int16) - 128).astype(np.int8)
        draft.constants[y] = Constant(array, steps)
    elif x in draft.constants:
        draft.constants[y] = draft.constants[x]
    elif given is None or given != steps:
        raise refuse(node, f"{x!r} was quantized with {given}, and is read with {steps}")
    else:
        draft.alias(y, x)


def _clip(draft: Draft, node: NodeProto, options: Options) -> None:
    x, y = node.input[0], node.output[0]
    given, wanted = draft.steps(x), draft.source.steps_behind(y)
    if given is None:
        raise refuse(node, f"{x!r} is float")
    steps = wanted or given
    kind = find_activation(draft, node, steps)
    if not kind and steps == given:
        draft.alias(y, x)
        return
    name = ("QUANTIZE", "RELU", "RELU_N1_TO_1", "RELU6")[kind]
    image, shape = draft.is_image(x), draft.source.shape(y)
    physical = channels_last(shape) if image else shape
    draft.store(y, draft.operate(name, [draft.number(x, image)], physical, steps, y), steps, image)


def _function(draft: Draft, node: NodeProto, options: Options) -> None:
    x = node.input[0]
    kind, fixed = _FUNCTIONS[node.op_type]
    shape, image = draft.source.shape(x), draft.is_image(x)
    more: dict[str, Any] = {}
    if node.op_type == "Softmax":
        first = draft.source.opset < 13  # which flattened all dimensions from the axis on
        axis = options.get("axis", 1 if first else -1) % len(shape)
        image = axis == 1 and len(shape) in (3, 4) and not first
        if axis != len(shape) - 1 and not image:
            raise refuse(node, f"along dimension {axis} of {shape}, supported are 1 and the last")
        more = {"beta": 1.0}
    elif node.op_type == "LeakyRelu":
        more = {"alpha": options.get("alpha", 0.01)}
    elif node.op_type == "Gelu":
        more = {"approximate": options.get("approximate") == b"tanh"}
    elif node.op_type == "Elu" and options.get("alpha", 1.0) != 1:
        raise refuse(node, f"alpha {options['alpha']:g}, supported is 1")
    given = [number_of(draft, node, 0, image)]
    finish(draft, node, kind, given, shape, image, fixed=fixed, fuses=False, **more)


def _pair(draft: Draft, node: NodeProto, options: Options) -> None:
    names, shape = node.input[:2], draft.source.shape(node.output[0])
    image = len(shape) in (3, 4) and any(draft.is_image(name) for name in names)
    given = [_operand(draft, node, which, len(shape), image) for which in (0, 1)]
    finish(draft, node, node.op_type.upper(), given, shape, image)


def _operand(draft: Draft, node: NodeProto, which: int, rank: int, image: bool) -> int:
    """An operand with as many dimensions as the result has."""
    name = node.input[which]
    if name in draft.constants:
        one = draft.constants[name]
        array = one.array.reshape((1,) * (rank - one.array.ndim) + one.array.shape)
        if image:
            array = np.moveaxis(array.reshape(as_image(array.shape)), 1, -1)
        return draft.constant(array, one.steps)
    shape = draft.source.shape(name) if draft.steps(name) else ()
    if len(shape) in (0, rank):
        return number_of(draft, node, which, image)
    steps, full = draft.steps(name), (1,) * (rank - len(shape)) + shape
    number = draft.reshape(draft.number(name, image=False), full)
    if not image or steps is None:
        return number
    number = draft.reshape(number, as_image(full))
    return draft.transpose(number, (0, 2, 3, 1))


def _slope(draft: Draft, node: NodeProto, options: Options) -> None:
    """A PRelu: as a LeakyRelu, where all channels have one slope."""
    shape, image = draft.source.shape(node.input[0]), draft.is_image(node.input[0])
    stored = draft.constants.get(node.input[1])
    slopes = stored.reals if stored else draft.source.array(node, 1)
    given = [number_of(draft, node, 0, image)]
    if np.ptp(slopes) == 0:
        alpha = float(slopes.ravel()[0])
        finish(draft, node, "LEAKY_RELU", given, shape, image, fuses=False, alpha=alpha)
        return
    if not stored or len(stored.steps.scales) > 1:
        steps = Steps((float(np.abs(slopes).max() / 127),), (0,))
        stored = Constant(steps.integers.store_evenly(slopes), steps)
    draft.constants[node.input[1]] = stored
    given.append(_operand(draft, node, 1, len(shape), image))
    finish(draft, node, "PRELU", given, shape, image, fuses=False)


def _mean(draft: Draft, node: NodeProto, options: Options) -> None:
    x, shape = node.input[0], draft.source.shape(node.input[0])
    rank = len(shape)
    axes = options.get("axes", range(2, rank) if node.op_type == "GlobalAveragePool" else range(rank))
    if len(node.input) > 1 and node.input[1]:
        axes = draft.source.array(node, 1).tolist()
    reduced = sorted(axis % rank for axis in axes)
    image = draft.is_image(x) or node.op_type == "GlobalAveragePool"
    order = [0, *range(2, rank), 1] if image else range(rank)
    kept = tuple(1 if i in reduced else size for i, size in enumerate(shape))
    places = [place for place, axis in enumerate(order) if axis in reduced]
    if image and rank == 3:
        places = [place + 1 if place else 0 for place in places]
    given = [number_of(draft, node, 0, image), draft.constant(np.array(places, np.int32))]
    finish(draft, node, "MEAN", given, kept, image, fuses=False, keep_dims=1)


def _alike(draft: Draft, node: NodeProto, options: Options) -> None:
    if node.input[0] in draft.constants:
        draft.constants[node.output[0]] = draft.constants[node.input[0]]
    else:
        draft.alias(node.output[0], node.input[0])


_KINDS: Mapping[str, Callable[[Draft, NodeProto, Options], None]] = {
    QUANTIZE: _quantize,
    DEQUANTIZE: _dequantize,
    "Constant": lambda draft, node, options: None,  # is read already
    "BatchNormalization": normalize,
    "Conv": weighted.convolve,
    "ConvTranspose": weighted.convolve_back,
    "HardSigmoid": harden,
    "Gemm": weighted.multiply,
    "MatMul": weighted.multiply,
    **dict.fromkeys(("MaxPool", "AveragePool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "ReduceMean"), _mean),
    **dict.fromkeys(("Add", "Sub", "Mul"), _pair),
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(("Relu", "Clip"), _clip),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"), moves.view),
    **dict.fromkeys(("Identity", "Dropout"), _alike),
    "Concat": moves.concatenate,
    "Pad": moves.put_around,
    "PRelu": _slope,
    "Slice": moves.slice_,
    "Split": moves.split,
    **dict.fromkeys(("Resize", "Upsample"), moves.resize),
}
