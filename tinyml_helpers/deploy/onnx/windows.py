"""Windows that move over images: where ONNX pads, and how LiteRT says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.onnx.activations import finish, number_of
from tinyml_helpers.deploy.onnx.draft import Draft, as_image, channels_last
from tinyml_helpers.deploy.onnx.qdq import Steps, refuse
from tinyml_helpers.integers import Integers

if TYPE_CHECKING:
    from onnx import NodeProto

Options = Mapping[str, Any]
Margins = tuple[tuple[int, int], ...]
Reals = NDArray[np.float64]
_SAME, _VALID = 0, 1


@dataclass(frozen=True)
class Placed:
    """A window: options of its operator, and pixels that must be put around the image before."""

    options: Mapping[str, Any]
    margins: Margins
    padding: Margins


_POINT = Placed({"padding": _VALID, "stride_h": 1, "stride_w": 1}, (), ())


def place(draft: Draft, node: NodeProto, options: Options, kernel: Sequence[int]) -> Placed:
    """Place the window of a Conv or a pool as its attributes say."""
    shape, out = (as_image(draft.source.shape(name))[2:] for name in (node.input[0], node.output[0]))
    n = len(kernel)
    stride, dilation = (
        (1,) * (2 - n) + tuple(options.get(name, (1,) * n)) for name in ("strides", "dilations")
    )
    reach = [(k - 1) * d + 1 for k, d in zip((1,) * (2 - n) + tuple(kernel), dilation, strict=True)]
    needed = [
        max((o - 1) * s + r - size, 0) for o, s, r, size in zip(out, stride, reach, shape, strict=True)
    ]
    same = tuple((total // 2, total - total // 2) for total in needed)
    auto = options.get("auto_pad", b"NOTSET").decode()
    if auto == "NOTSET":
        pads = options.get("pads", (0,) * 2 * n)
        before, after = ((0,) * (2 - n) + tuple(half) for half in (pads[:n], pads[n:]))
        # ceil_mode lets the last window hang over
        padding = tuple(
            (b, max(a, total - b) if options.get("ceil_mode") else a)
            for b, a, total in zip(before, after, needed, strict=True)
        )
    elif auto == "VALID":
        padding = ((0, 0), (0, 0))
    else:
        padding = same if auto == "SAME_UPPER" else tuple((a, b) for b, a in same)
    fits_same = padding == same and all(
        o == -(-size // s) for o, size, s in zip(out, shape, stride, strict=True)
    )
    inside = not any(map(any, padding))
    numbers = {"padding": _VALID if inside or not fits_same else _SAME}
    numbers |= {"stride_h": stride[0], "stride_w": stride[1]}
    if node.op_type == "Conv":
        numbers |= {"dilation_h": dilation[0], "dilation_w": dilation[1]}
    return Placed(numbers, () if inside or fits_same else padding, padding)


def pad(draft: Draft, number: int, name: str, placed: Placed, least: bool = False) -> int:
    """Put the margins around an image: of zeros, or of the least number that int8 holds."""
    steps = draft.steps(name)
    if not placed.margins or steps is None:
        return number
    n, height, width, channels = channels_last(draft.source.shape(name))
    (top, bottom), (left, right) = placed.margins
    margins = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    shape = (n, top + height + bottom, left + width + right, channels)
    inputs = [number, draft.constant(margins)]
    if least:
        inputs.append(draft.constant(np.array([-128], np.int8), steps))
    return draft.operate("PADV2" if least else "PAD", inputs, shape, steps, f"{name} padded")


def pool(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a MaxPool or AveragePool."""
    x, y = node.input[0], node.output[0]
    kernel, given = options["kernel_shape"], draft.steps(x)
    number, shape = number_of(draft, node, 0, image=True), draft.source.shape(y)
    assert given is not None
    placed = place(draft, node, options, kernel)
    if max(options.get("dilations", [1])) > 1 or len(node.output) > 1 or max(kernel) > 1024:
        raise refuse(node, f"kernel {kernel}, dilated or with indices")
    height, width = (1,) * (2 - len(kernel)) + tuple(kernel)
    sizes = {"filter_h": height, "filter_w": width}
    if node.op_type == "MaxPool":
        number = pad(draft, number, x, placed, least=True)
        made = draft.operate(
            "MAX_POOL_2D", [number], channels_last(shape), given, y, **placed.options, **sizes
        )
        draft.store(y, made, given, image=True)
        return
    padded = any(map(any, placed.padding))
    if not padded and draft.source.steps_behind(y) == given:
        finish(draft, node, "AVERAGE_POOL_2D", [number], shape, True, **placed.options, **sizes)
    elif not padded or (options.get("count_include_pad") and not options.get("ceil_mode")):
        padded_number = pad(draft, number, x, placed)
        _weigh_alike(draft, node, padded_number, placed, (height, width), 1 / (height * width))
    else:
        raise refuse(node, "margins that do not count; export with count_include_pad=True or without")


def harden(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a HardSigmoid: a line between 0 and 1, by a convolution of one weight per channel."""
    line = (options.get("alpha", 0.2), options.get("beta", 0.5))
    number, placed = number_of(draft, node, 0, image=True), _POINT
    _weigh_alike(draft, node, number, placed, (1, 1), *line, limits=(0.0, 1.0))


def normalize(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a BatchNormalization that stands alone: a line for each channel."""
    found = [
        draft.constants[name].reals if name in draft.constants else draft.source.array(node, which)
        for which, name in enumerate(node.input)
        if which
    ]
    scale, bias, mean, variance = (one.astype(np.float64).ravel() for one in found)
    factor = scale / np.sqrt(variance + options.get("epsilon", 1e-5))
    shape = draft.source.shape(node.input[0])
    flat = len(shape) == 2
    number = number_of(draft, node, 0, image=not flat)
    number = draft.reshape(number, (shape[0], 1, 1, shape[1])) if flat else number
    _weigh_alike(draft, node, number, _POINT, (1, 1), factor, bias - mean * factor)


def _weigh_alike(
    draft: Draft, node: NodeProto, number: int, placed: Placed, kernel: tuple[int, int],
    factor: float | Reals, bias: float | Reals = 0.0, limits: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """A sum over the window times a factor, and a bias: a depthwise convolution of equal weights."""
    shape, given = draft.source.shape(node.output[0]), draft.steps(node.input[0])
    assert given is not None
    weight = 127 if np.any(bias) else 1  # finer steps of the bias
    sizes = np.maximum(np.abs(np.atleast_1d(factor)), 1e-12).astype(np.float32) / np.float32(weight)
    signs = np.broadcast_to(np.sign(factor) * weight, (1, *kernel, shape[1]))
    steps, product = (
        Steps(tuple(scales.tolist()), (0,) * len(scales))
        for scales in (sizes, np.float32(given.scales[0]) * sizes)
    )
    whole: Any = np.array(product.scales)
    start = Integers(whole, 0, np.int32).store(np.broadcast_to(bias, shape[1]))
    inputs = [
        number,
        draft.constant(signs.astype(np.int8), steps, axis=3),
        draft.constant(start, product),
    ]
    numbers = {**placed.options, "dilation_h": 1, "dilation_w": 1, "depth_multiplier": 1}
    physical = (*shape, 1, 1) if len(shape) == 2 else shape
    finish(draft, node, "DEPTHWISE_CONV_2D", inputs, physical, True, limits=limits, **numbers)
