"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX and ARG_MIN, over any dimensions."""

from __future__ import annotations

import math

import numpy as np

from tinyml_helpers.mcu.compiler import fixed_point
from tinyml_helpers.mcu.compiler.float_rounding import fit_multiplier
from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.strides import join_dimensions, row_major_steps

_DIMENSIONS = 3  # that the kernel walks, of those that are kept and of those that are not


def lower_mean(context: Context) -> Layer:
    """Translate a MEAN, of int8 or int16."""
    given, output = context.input(0), context.output
    suffix = context.check_integers(given, output)
    axes = _read_axes(context)
    count = math.prod(given.shape[i] for i in axes)
    multiplier, exponent = fixed_point.quantize_multiplier(given.scale / output.scale)
    bits = min(count.bit_length() - 1, 32, 31 + exponent)
    multiplier, exponent = (multiplier << bits) // count, exponent - bits
    if context.graph.rounding == "onnx":
        factor = np.float32(given.scale) / (np.float32(output.scale) * np.float32(count))
        ends = count * np.array([-128 - given.zero_point, 127 - given.zero_point])
        multiplier, exponent = fit_multiplier(factor, ends, output.zero_point)
    if axes != list(range(axes[0], axes[-1] + 1)):
        context.check_int8(given)
        return _reduce(context, "tm_reduce_mean", axes, multiplier, -exponent)
    outer, reduced, inner = (
        math.prod(given.shape[a:b])
        for a, b in ((0, axes[0]), (axes[0], axes[-1] + 1), (axes[-1] + 1, len(given.shape)))
    )
    context.check_fields(outer, reduced, inner)
    lines = (
        {"outer": outer, "reduced": reduced, "inner": inner},
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"multiplier": multiplier, "shift": -exponent},
    )
    struct = Struct(context.name, "tm_mean", lines)
    return context.layer(
        f"tm_mean_of{suffix}", [given], (struct,), note=f"{given.dims} -> {output.dims}"
    )


def lower_sum_of(context: Context) -> Layer:
    """Translate a SUM, as LiteRT's plain kernels compute it: its reference is wrong below zero.

    Found in LiteRT 2.3: a sum of -60 at scale 0.3, to scale 1, becomes 59.
    """
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if (given.scale, given.zero_point) == (output.scale, output.zero_point):
        raise context.refuse("input and output of one scale, where LiteRT adds up bytes and overflows")
    multiplier, shift = context.multiplier(given.scale / output.scale)
    return _reduce(context, "tm_reduce_sum", _read_axes(context), multiplier, shift)


def lower_extreme_of(context: Context) -> Layer:
    """Translate a REDUCE_MAX or REDUCE_MIN."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if (given.scale, given.zero_point) != (output.scale, output.zero_point):
        raise context.refuse("input and output of different scale")
    return _reduce(context, f"tm_{context.operator.type.lower()}", _read_axes(context))


def lower_arg_extreme(context: Context) -> Layer:
    """Translate an ARG_MAX or ARG_MIN."""
    given, output = context.input(0), context.output
    context.check_int8(given)
    if output.dtype not in ("int32", "int64"):
        raise context.refuse(f"an answer of {output.dtype}, supported are int32 and int64")
    rank = len(given.shape)
    axis = int(context.constant(1, "int32").ravel()[0]) % rank
    step = math.prod(given.shape[axis + 1 :])
    outer = math.prod(given.shape[:axis])
    if output.size != outer * step:
        raise context.refuse(f"output shape {output.shape} for input shape {given.shape}")
    sign = 1 if context.operator.type == "ARG_MAX" else -1
    ends = (Address(given.index), Address(output.index, ctype="int32_t"))
    last = (outer, output.size_bytes // output.size // 4)
    call = KernelCall("tm_arg_max", (sign, given.shape[axis], step, *ends, *last))
    note = f"{given.dims} -> {output.dims}"
    return Layer(context.operator, (call,), (given.index,), output.index, note=note)


def _read_axes(context: Context) -> list[int]:
    given, output = context.input(0), context.output
    rank = len(given.shape)
    axes = sorted({int(a) % rank for a in context.constant(1, "int32").ravel() if -rank <= a < rank})
    kept = math.prod(n for i, n in enumerate(given.shape) if i not in axes)
    if not axes or output.size != kept:
        raise context.refuse(f"axes {axes} of shape {given.shape} to shape {output.shape}")
    return axes


def _reduce(
    context: Context, kernel: str, axes: list[int], multiplier: int = 0, shift: int = 0
) -> Layer:
    """A walk over what is kept, and for each place one over what is reduced."""
    given, output = context.input(0), context.output
    steps = row_major_steps(given.shape)
    sizes: dict[str, list[int]] = {}
    for name, chosen in (
        ("kept", [i for i in range(len(given.shape)) if i not in axes]),
        ("reduced", axes),
    ):
        walked = [steps[i] for i in chosen]
        dims = join_dimensions([given.shape[i] for i in chosen], walked, walked)
        if len(dims) > _DIMENSIONS:
            raise context.refuse(f"axes {axes} of shape {given.shape}")
        filled = [(1, 0, 0)] * (_DIMENSIONS - len(dims)) + dims
        context.check_fields(*(size for size, _, _ in filled))
        sizes[name], sizes[f"{name}_step"] = [d[0] for d in filled], [d[1] for d in filled]
    lines = (
        {"kept": sizes["kept"], "reduced": sizes["reduced"]},
        {"kept_step": sizes["kept_step"], "reduced_step": sizes["reduced_step"]},
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"multiplier": multiplier, "shift": shift},
    )
    struct = Struct(context.name, "tm_reduction", lines)
    return context.layer(kernel, [given], (struct,), note=f"{given.dims} -> {output.dims}")
