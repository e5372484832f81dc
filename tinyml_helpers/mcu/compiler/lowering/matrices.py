"""BATCH_MATMUL, and FULLY_CONNECTED of weights that are computed."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import (
    MOST_CALLS,
    Address,
    Context,
    KernelCall,
    Layer,
)
from tinyml_helpers.mcu.compiler.lowering.strides import broadcast_steps


def lower_batch_matmul(context: Context) -> Layer:
    """Translate a BATCH_MATMUL: one product of two matrices for each pair in the batch."""
    a, b, output = context.input(0), context.input(1), context.output
    context.check_int8(a, b, output)
    if min(len(a.shape), len(b.shape), len(output.shape)) < 2:
        raise context.refuse(f"shapes {a.shape} and {b.shape}")
    (rows, inner), (inner_b, columns) = a.shape[-2:], b.shape[-2:]
    if swapped_a := bool(context.option("adj_x")):
        rows, inner = inner, rows
    if swapped_b := bool(context.option("adj_y")):
        inner_b, columns = columns, inner_b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if inner != inner_b or output.shape[-2:] != (rows, columns):
        raise context.refuse(f"shapes {a.shape} and {b.shape} to {output.shape}")
    context.check_shape(output, (*batch, rows, columns))
    steps_a = (1, rows) if swapped_a else (inner, 1)
    steps_b = (1, inner) if swapped_b else (columns, 1)
    struct = _matrices(context, (rows, inner, columns), steps_a, steps_b, once=False)
    if math.prod(batch) > MOST_CALLS:
        raise context.refuse(f"{math.prod(batch):,} products: at most {MOST_CALLS}")
    places = list(itertools.product(*map(range, batch)))
    calls = tuple(
        _call(context, a, b, _offset(a, place), _offset(b, place), i * rows * columns)
        for i, place in enumerate(places)
    )
    return _layer(context, calls, struct, len(places) * rows * inner * columns)


def lower_computed_dense(context: Context) -> Layer:
    """Translate a FULLY_CONNECTED whose weights are computed, without a bias."""
    given, weights, output = context.input(0), context.input(1), context.output
    context.check_int8(given, weights, output)
    if context.optional(2) is not None or len(weights.shape) != 2 or given.size % weights.shape[1]:
        raise context.refuse(
            f"computed weights of shape {weights.shape} for an input of shape {given.shape}, or a bias"
        )
    columns, inner = weights.shape
    rows = given.size // inner
    if output.size != rows * columns:
        raise context.refuse(f"output shape {output.shape} for {rows} inputs and {columns} outputs")
    struct = _matrices(context, (rows, inner, columns), (inner, 1), (1, inner), once=True)
    return _layer(context, (_call(context, given, weights, 0, 0, 0),), struct, rows * inner * columns)


def _matrices(
    context: Context,
    sizes: tuple[int, int, int],
    steps_a: tuple[int, int],
    steps_b: tuple[int, int],
    *,
    once: bool,
) -> Struct:
    a, b, output = context.input(0), context.input(1), context.output
    context.check_fields(*sizes, *steps_a, *steps_b)
    if 255 * 255 * sizes[1] >= 1 << 31:
        raise context.refuse(f"sums of {sizes[1]:,} products")
    factor = a.scale * b.scale / output.scale
    multiplier, shift = context.multiplier(factor)
    low, high = context.activation_range()
    lines = (
        {"rows": sizes[0], "inner": sizes[1], "columns": sizes[2]},
        {"a_row": steps_a[0], "a_inner": steps_a[1], "b_inner": steps_b[0], "b_column": steps_b[1]},
        {"zero_point_a": a.zero_point, "zero_point_b": b.zero_point},
        {"output_zero_point": output.zero_point, "output_min": low, "output_max": high},
        {"multiplier": multiplier, "shift": shift, "once": int(once)},
    )
    return Struct(context.name, "tm_matrices", lines)


def _offset(tensor: Tensor, place: tuple[int, ...]) -> int:
    """The matrix of a place in the batch, in elements; a dimension of one repeats."""
    matrix = math.prod(tensor.shape[-2:])
    steps = broadcast_steps(tensor.shape[:-2], len(place))
    return matrix * sum(i * step for i, step in zip(place, steps, strict=True))


def _call(context: Context, a: Tensor, b: Tensor, from_a: int, from_b: int, to: int) -> KernelCall:
    ends = (Address(a.index, from_a), Address(b.index, from_b), Address(context.output.index, to))
    return KernelCall("tm_multiply", (f"&{context.name}", *ends))


def _layer(context: Context, calls: tuple[KernelCall, ...], struct: Struct, macs: int) -> Layer:
    a, b, output = context.input(0), context.input(1), context.output
    note = f"{a.dims} by {b.dims} -> {output.dims}, {macs:,} MACs"
    inputs = (a.index, b.index)
    return Layer(context.operator, calls, inputs, output.index, (struct,), macs=macs, note=note)
