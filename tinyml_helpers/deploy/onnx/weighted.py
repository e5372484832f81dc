"""Translate convolutions and products with constant weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.deploy.onnx.activations import finish, number_of
from tinyml_helpers.deploy.onnx.draft import Draft, as_image
from tinyml_helpers.deploy.onnx.moves import cut
from tinyml_helpers.deploy.onnx.qdq import Constant, Shape, Steps, refuse
from tinyml_helpers.deploy.onnx.windows import pad, place
from tinyml_helpers.integers import Integers

if TYPE_CHECKING:
    from onnx import NodeProto

Options = Mapping[str, Any]


def convolve(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Conv over images or sequences, with groups or without."""
    shape, out = draft.source.shape(node.input[0]), draft.source.shape(node.output[0])
    weights = _read_weights(draft, node, axis=0)
    if len(shape) not in (3, 4):
        raise refuse(node, f"over shape {shape}, supported are sequences and images")
    number = number_of(draft, node, 0, image=True)
    array, groups = weights.array, options.get("group", 1)
    placed = place(draft, node, options, array.shape[2:])
    array = array.reshape(as_image(array.shape)).transpose(0, 2, 3, 1)
    depthwise = groups == shape[1] > 1
    numbers: dict[str, Any] = {**placed.options}
    if depthwise:
        array = array.transpose(3, 1, 2, 0)
        numbers["depth_multiplier"] = out[1] // shape[1]
    inputs = [
        pad(draft, number, node.input[0], placed),
        draft.constant(array, weights.steps, axis=3 if depthwise else 0),
        _add_bias(draft, node, weights.steps, len(weights.array)),
    ]
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    finish(draft, node, kind, inputs, out, True, **numbers)


def convolve_back(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a ConvTranspose; pixels that ONNX leaves out and LiteRT does not are cut off behind."""
    y = node.output[0]
    shape, out = draft.source.shape(node.input[0]), draft.source.shape(y)
    weights, plain = _read_weights(draft, node, axis=1), options.get("auto_pad", b"NOTSET") == b"NOTSET"
    if options.get("group", 1) != 1 or max(options.get("dilations", [1])) > 1 or not plain:
        raise refuse(node, "in groups, dilated or with auto_pad; supported is one that has pads alone")
    if len(shape) not in (3, 4):
        raise refuse(node, f"over shape {shape}, supported are sequences and images")
    array = weights.array.reshape(as_image(weights.array.shape)).transpose(1, 2, 3, 0)
    number = number_of(draft, node, 0, image=True)
    steps = draft.source.steps_behind(y)
    if steps is None or len(steps.scales) != 1:
        raise refuse(node, "what comes out stays float, or is not quantized in one way")
    sizes = (as_image(shape)[2:], as_image(out)[2:], array.shape[1:3])
    places, before, whole = _scatter(*sizes, options, len(shape) - 2)
    large = (shape[0], *whole, len(array))
    inputs = [
        draft.constant(np.array(large, np.int32)),
        draft.constant(array, weights.steps),
        number,
        _add_bias(draft, node, weights.steps, len(array)),
    ]
    made = draft.operate("TRANSPOSE_CONV", inputs, large, steps, y, **places)
    if whole != as_image(out)[2:]:
        ends = [(b, b + o) for b, o in zip(before, as_image(out)[2:], strict=True)]
        made = cut(draft, made, [(0, shape[0]), *ends, (0, len(array))])
    draft.store(y, made, steps, image=True)


def _scatter(
    given: Shape, out: Shape, kernel: Shape, options: Options, n: int
) -> tuple[dict[str, Any], Shape, Shape]:
    """Options of a TRANSPOSE_CONV, the pixels to cut off before, and the size of what it makes."""
    stride = (1,) * (2 - n) + tuple(options.get("strides", (1,) * n))
    before = (0,) * (2 - n) + tuple(options.get("pads", (0,) * n)[:n])
    fulls = [(i - 1) * s + k for i, s, k in zip(given, stride, kernel, strict=True)]
    same = all(
        b == max(full - o, 0) // 2 and i == -(-o // s)
        for b, full, o, i, s in zip(before, fulls, out, given, stride, strict=True)
    )
    whole = tuple(max(b + o, full) for b, o, full in zip(before, out, fulls, strict=True))
    places = {"padding": int(not same), "stride_h": stride[0], "stride_w": stride[1]}
    return places, before, out if same else whole


def multiply(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Gemm, or a MatMul of one tensor or two that are computed."""
    out = draft.source.shape(node.output[0])
    given = number_of(draft, node, 0, image=False)
    if node.op_type == "MatMul" and node.input[1] not in draft.constants:
        both = [given, number_of(draft, node, 1, image=False)]
        finish(draft, node, "BATCH_MATMUL", both, out, False, fuses=False)
        return
    if options.get("transA") or options.get("alpha", 1) != 1 or options.get("beta", 1) != 1:
        raise refuse(node, "with transA, alpha or beta; export it from a Linear layer")
    turned = bool(options.get("transB"))
    weights = _read_weights(draft, node, axis=0 if turned else 1)
    array = weights.array if turned else weights.array.T
    if array.ndim != 2:
        raise refuse(node, f"weights of shape {weights.array.shape}, supported is a matrix")
    bias = _add_bias(draft, node, weights.steps, len(array))
    inputs = [given, draft.constant(array, weights.steps), bias]
    finish(draft, node, "FULLY_CONNECTED", inputs, out, False, keep_num_dims=int(len(out) != 2))


def _read_weights(draft: Draft, node: NodeProto, axis: int) -> Constant:
    """Weights without zero points.

    Raises:
        ModelError: they are not constant, or do not fit int8 without their zero points.
    """
    found = draft.constants.get(node.input[1])
    if found is None:
        raise refuse(node, f"weights {node.input[1]!r} are computed or float: quantize them, too")
    steps, array = found.steps, found.array
    if len(steps.scales) > 1 and steps.axis % array.ndim != axis:
        raise refuse(node, f"weight scales along dimension {steps.axis}, supported is {axis}")
    zeros = np.array(steps.zero_points).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    centred = array.astype(np.int64) - zeros
    if centred.min() < -128 or centred.max() > 127:
        raise refuse(node, "weights with a zero point; quantize with weight_type=QuantType.QInt8")
    scales = np.array(steps.scales, np.float32)
    return Constant(centred.astype(np.int8), Steps(tuple(scales.tolist()), (0,) * len(scales)))


def _add_bias(draft: Draft, node: NodeProto, weights: Steps, count: int) -> int:
    """The bias in the steps of the products, as int32."""
    given = draft.steps(node.input[0])
    assert given is not None
    scales: Any = np.float32(given.scales[0]) * np.array(weights.scales, np.float32)
    steps = Steps(tuple(scales.tolist()), (0,) * len(scales))
    name = node.input[2] if len(node.input) > 2 else ""
    if not name:
        return draft.constant(np.zeros(count, np.int32), steps)
    stored = draft.constants.get(name)
    if stored and np.allclose(stored.steps.scales, scales, rtol=1e-5, atol=0):
        return draft.constant(stored.array, steps)
    reals = stored.reals if stored else draft.source.array(node, 2)
    spread = np.broadcast_to(reals.ravel(), count)
    return draft.constant(Integers(scales, 0, np.int32).store_evenly(spread), steps)
