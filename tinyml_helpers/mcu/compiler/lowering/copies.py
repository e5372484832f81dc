"""One array copied into another, each walked in an order of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import (
    MOST_CALLS,
    Address,
    Context,
    KernelCall,
    Layer,
)
from tinyml_helpers.mcu.compiler.lowering.strides import join_dimensions, row_major_steps, split_long

_DIMENSIONS = 4  # that `tm_copy` walks; calls stand for the others


@dataclass(frozen=True)
class Walk:
    """How an array is walked: its element where that begins, and the steps along each dimension."""

    steps: Sequence[int]
    start: int = 0


@dataclass(frozen=True)
class Copy:
    """A copy as C: one struct of its sizes for each call of `tm_copy`."""

    given: Tensor
    structs: tuple[Struct, ...]

    def calls(self, output: Tensor) -> tuple[KernelCall, ...]:
        """The calls that move bytes, whatever type they have."""
        ends = [
            Address(t.index, ctype="" if t.dtype == "int8" else "int8_t") for t in (self.given, output)
        ]
        return tuple(KernelCall("tm_copy", (f"&{s.name}", *ends)) for s in self.structs)


def copy(
    context: Context, given: Tensor, shape: Sequence[int], source: Walk, target: Walk, name: str = ""
) -> Copy:
    """Plan a copy.

    Args:
        context: the operator.
        given: what is read.
        shape: of the walk.
        source: how the input is walked.
        target: how the output is.
        name: of the struct; left out, that of the layer.

    Raises:
        UnsupportedError: more dimensions than a few calls of the kernel walk.
    """
    name, item = name or context.name, given.size_bytes // given.size
    dims = join_dimensions(shape, source.steps, target.steps)
    dims = [(size, one * item, other * item) for size, one, other in dims]
    if item > 1:
        whole = dims and dims[-1][1:] == (item, item)
        dims = [*dims[:-1], (dims[-1][0] * item, 1, 1)] if whole else [*dims, (item, 1, 1)]
    if not dims or dims[-1][2] != 1:
        dims = [*dims, (1, 1, 1)]
    dims = split_long(dims)
    outer, inner = dims[:-_DIMENSIONS], dims[-_DIMENSIONS:]
    if math.prod(size for size, _, _ in outer) > MOST_CALLS:
        raise context.refuse(f"shape {tuple(shape)}: more than four dimensions to walk")
    places = list(itertools.product(*(range(size) for size, _, _ in outer)))
    filled = [(1, 0, 0)] * (_DIMENSIONS - len(inner)) + inner
    context.check_fields(*(size for size, _, _ in filled))
    starts = [
        [start * item + sum(i * dim[n] for i, dim in zip(place, outer, strict=True))
         for n, start in ((1, source.start), (2, target.start))]
        for place in places
    ]  # fmt: skip
    names = [name] if len(starts) == 1 else [f"{name}_{i}" for i in range(len(starts))]
    structs = (_struct(n, filled, *start) for n, start in zip(names, starts, strict=True))
    return Copy(given, tuple(structs))


def copy_layer(
    context: Context, given: Tensor, shape: Sequence[int], source: Walk, target: Walk | None = None
) -> Layer:
    """The layer of one copy; left out, the target is all of the output, in its own order."""
    moved = copy(context, given, shape, source, target or Walk(row_major_steps(shape)))
    return layer_of_copies(context, [moved], f"{given.dims} -> {context.output.dims}")


def layer_of_copies(context: Context, copies: Sequence[Copy], note: str) -> Layer:
    """The layer of several copies, one after another, into the operator's output."""
    output = context.output
    return Layer(
        context.operator,
        tuple(call for one in copies for call in one.calls(output)),
        tuple(one.given.index for one in copies),
        output.index,
        tuple(struct for one in copies for struct in one.structs),
        note=note,
    )


def _struct(name: str, dims: Sequence[tuple[int, int, int]], start: int, to: int) -> Struct:
    sizes, from_step, to_step = map(list, zip(*dims, strict=True))
    lines = ({"shape": sizes}, {"from_step": from_step, "to_step": to_step, "from": start, "to": to})
    return Struct(name, "tm_move", lines)
