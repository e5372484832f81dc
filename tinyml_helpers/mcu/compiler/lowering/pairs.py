"""Operators of two arrays, element by element: sums, products, quotients, choices, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import INT8, Address, Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.moves import check_alike
from tinyml_helpers.mcu.compiler.lowering.strides import broadcast_steps, join_dimensions, split_long
from tinyml_helpers.mcu.compiler.lowering.weights import LEAST_SHIFT, MOST_SHIFT

Factor = tuple[int, int]
_NONE: Factor = (0, 0)
COMPARISONS = {
    "EQUAL": ("tm_equal", False, False),
    "NOT_EQUAL": ("tm_equal", False, True),
    "GREATER": ("tm_greater", False, False),
    "LESS_EQUAL": ("tm_greater", False, True),
    "LESS": ("tm_greater", True, False),
    "GREATER_EQUAL": ("tm_greater", True, True),
}
"""Comparison -> kernel, whether it takes its operands swapped, and turns its answer around."""
_SUM_BITS, _SQUARE_BITS = {"": 20, "_int16": 15}, 7  # by which the reference shifts to the left


def lower_sum(context: Context) -> Layer:
    """Translate an ADD or SUB, of int8 or int16."""
    a, b, output, suffix = _integers(context)
    twice = 2 * max(a.scale, b.scale)
    factors = [context.multiplier(s / twice) for s in (a.scale, b.scale)]
    last = context.multiplier(twice / ((1 << _SUM_BITS[suffix]) * output.scale))
    if suffix:
        return _pairs(context, f"tm_{context.operator.type.lower()}{suffix}", factors, last)
    if context.operator.type == "SUB":
        return _pairs(context, "tm_sub", factors, last)
    return _add_fast(context, factors, last) or _pairs(context, "tm_add_general", factors, last)


def _add_fast(context: Context, factors: list[Factor], last: Factor) -> Layer | None:
    """The layer of `tm_add`, which takes the operand of the greater scale first, if it suits."""
    a, b, output = _operands(context)
    ends = (b, a) if a.scale < b.scale else (a, b)
    _, *steps = _walk(context, ends[0].shape, ends[1].shape, output.shape)
    factors = factors[::-1] if a.scale < b.scale else factors
    vanishes = factors[1] == _NONE or factors[1][1] > 30
    if steps[0][3] != 1 or steps[1][3] != 1 or vanishes or not LEAST_SHIFT <= last[1] <= MOST_SHIFT:
        return None
    layer = _pairs(context, "tm_add", factors, last, ends=ends)
    limits = context.activation_range()
    if limits == INT8:
        return layer
    clamp = KernelCall("tm_clamp", (*limits, Address(output.index), output.size))
    return replace(layer, calls=(*layer.calls, clamp))


def lower_squared_difference(context: Context) -> Layer:
    """Translate a SQUARED_DIFFERENCE."""
    a, b, output = _operands(context)
    twice = 2 * max(a.scale, b.scale)
    factors = [context.multiplier(s / twice) for s in (a.scale, b.scale)]
    last = context.multiplier(twice * twice / ((1 << 2 * _SQUARE_BITS) * output.scale))
    return _pairs(context, "tm_squared_difference", factors, last)


def lower_mul(context: Context) -> Layer:
    """Translate a MUL, of int8 or int16."""
    a, b, output, suffix = _integers(context)
    last = context.multiplier(_in_single_precision(a.scale, b.scale, output.scale))
    return _pairs(context, f"tm_mul{suffix}", [_NONE, _NONE], last)


def lower_div(context: Context) -> Layer:
    """Translate a DIV; divided by zero, which stops the reference, everything is zero."""
    a, b, output = _operands(context)
    if b.data and (b.array == b.zero_point).any():
        raise context.refuse(f"a division by zero: tensor {b.index}")
    last = context.multiplier(a.scale / (b.scale * output.scale))
    return _pairs(context, "tm_div", [_NONE, _NONE], last)


def lower_prelu(context: Context) -> Layer:
    """Translate a PRELU: a slope for each channel where the input is below zero."""
    a, slope, output = _operands(context)
    above = context.multiplier(float(np.float32(a.scale) / np.float32(output.scale)))
    below = context.multiplier(_in_single_precision(a.scale, slope.scale, output.scale))
    return _pairs(context, "tm_prelu", [above, _NONE], below)


def lower_extreme(context: Context) -> Layer:
    """Translate a MAXIMUM or MINIMUM of tensors of one scale."""
    a, b, output = _operands(context)
    for tensor in (a, b):
        check_alike(context, tensor, output)
    return _pairs(context, f"tm_{context.operator.type.lower()}", [_NONE, _NONE], _NONE)


def lower_comparison(context: Context) -> Layer:
    """Translate one of `COMPARISONS`."""
    a, b, output = context.input(0), context.input(1), context.output
    context.check_int8(a, b)
    if output.dtype != "bool" or max(a.scale, b.scale) >= 1:
        raise context.refuse(f"scales {a.scale:.3g} and {b.scale:.3g}, which must lie below 1, to bool")
    _check_broadcast(context, a, b)
    kernel, swapped, negated = COMPARISONS[context.operator.type]
    ends = (b, a) if swapped else (a, b)
    factors = [context.multiplier(t.scale) for t in ends]
    layer = _pairs(context, kernel, factors, _NONE, ends=ends, limits=(int(negated), 0))
    return replace(layer, in_place=0)


def lower_select(context: Context) -> Layer:
    """Translate a SELECT or SELECT_V2: from one array or another, as a third says."""
    chosen, a, b = (context.input(i) for i in range(3))
    output = context.output
    if chosen.dtype != "bool":
        raise context.refuse(f"a choice of {chosen.dtype}, supported is bool")
    for tensor in (a, b):
        check_alike(context, tensor, output)
    context.check_int8(output)
    full = list(chosen.shape)
    if context.operator.type == "SELECT" and len(full) == 1:
        full += [1] * (len(output.shape) - 1)  # one choice for each row
    shapes = (tuple(full), a.shape, b.shape)
    context.check_shape(output, np.broadcast_shapes(*shapes))
    steps = [broadcast_steps(shape, len(output.shape)) for shape in shapes]
    dims = _join_three(output.shape, *steps)
    if len(dims) > 4:
        raise context.refuse(f"shapes {shapes} repeat along more than four dimensions")
    filled = [(1, 0, 0, 0)] * (4 - len(dims)) + dims
    for row in filled:
        context.check_fields(*row)
    size, choice, step_a, step_b = map(list, zip(*filled, strict=True))
    lines = ({"shape": size, "step_chosen": choice}, {"step_a": step_a, "step_b": step_b})
    return context.layer(
        "tm_select", [chosen, a, b], (Struct(context.name, "tm_choice", lines),), note=output.dims
    )


def _join_three(
    shape: Sequence[int], first: Sequence[int], second: Sequence[int], third: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """Neighbouring dimensions that three arrays walk alike, joined."""
    dims: list[tuple[int, int, int, int]] = []
    for size, *steps in zip(shape, first, second, third, strict=True):
        if dims and list(dims[-1][1:]) == [size * step for step in steps]:
            dims[-1] = (dims[-1][0] * size, steps[0], steps[1], steps[2])
        elif size > 1:
            dims.append((size, steps[0], steps[1], steps[2]))
    return dims


def _integers(context: Context) -> tuple[Tensor, Tensor, Tensor, str]:
    """Both operands and the output, of int8 or int16, and what follows the kernel's name for them."""
    a, b, output = context.input(0), context.input(1), context.output
    suffix = context.check_integers(a, b, output)
    _check_broadcast(context, a, b)
    return a, b, output, suffix


def _operands(context: Context) -> tuple[Tensor, Tensor, Tensor]:
    a, b, output = context.input(0), context.input(1), context.output
    context.check_int8(a, b, output)
    _check_broadcast(context, a, b)
    return a, b, output


def _check_broadcast(context: Context, a: Tensor, b: Tensor) -> None:
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError as error:
        raise context.refuse(f"shapes {a.shape} and {b.shape}") from error
    context.check_shape(context.output, shape)


def _pairs(
    context: Context,
    kernel: str,
    factors: list[Factor],
    last: Factor,
    *,
    ends: tuple[Tensor, Tensor] | None = None,
    limits: tuple[int, int] | None = None,
) -> Layer:
    a, b = ends or (context.input(0), context.input(1))
    output = context.output
    shape, steps_a, steps_b = _walk(context, a.shape, b.shape, output.shape)
    low, high = limits or context.activation_range()
    lines = (
        {"shape": shape, "step_a": steps_a, "step_b": steps_b},
        {"zero_point_a": a.zero_point, "zero_point_b": b.zero_point},
        {"output_zero_point": output.zero_point, "output_min": low, "output_max": high},
        {"shift_a": factors[0][1], "shift_b": factors[1][1], "shift": last[1]},
        {"multiplier_a": factors[0][0], "multiplier_b": factors[1][0], "multiplier": last[0]},
    )
    return context.layer(
        kernel,
        [a, b],
        (Struct(context.name, "tm_pairs", lines),),
        in_place=(a.shape == output.shape) * (1 + (b.shape == output.shape)),
        note=f"{a.dims} and {b.dims} -> {output.dims}",
    )


def _walk(
    context: Context, a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]
) -> list[list[int]]:
    """Shape and both steps in four dimensions: those that both walk alike become one."""
    steps = (broadcast_steps(a, len(out)), broadcast_steps(b, len(out)))
    dims = split_long(join_dimensions(out, *steps))
    if len(dims) > 4:
        raise context.refuse(f"shapes {a} and {b} repeat along more than four dimensions")
    filled = [(1, 0, 0)] * (4 - len(dims)) + dims
    for row in filled:
        context.check_fields(*row)
    return [list(column) for column in zip(*filled, strict=True)]


def _in_single_precision(a: float, b: float, divisor: float) -> float:
    """The factor a * b / divisor in float32, as the reference takes it."""
    return float(np.float32(a) * np.float32(b) / np.float32(divisor))
