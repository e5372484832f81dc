"""Layers whose weights wait in flash in fewer bytes: the forms that there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.lowering.constants import Array, Constant, Struct
from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH, Address, Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.packing import PackedWeights, pack, pack_blocks
from tinyml_helpers.mcu.compiler.lowering.weights import Filters, make_channel_table
from tinyml_helpers.mcu.compiler.lowering.window import choose_tile

_TILES = (32, 16)
_LEAST_TILE = 8  # fewer pixels would be too few for what it takes to unpack a filter
_CONV_BYTES = 64  # TM_CONV_BYTES of kernels/kernels.h


def pack_convolution(context: Context, layer: Layer, f: Filters, int8_bytes: int) -> tuple[Layer, ...]:
    """A convolution that unpacks two filters at a time, or leaves out blocks of zeros.

    See kernels/conv_2d_packed.c and conv_2d_blocks.c.

    Args:
        context: the operator.
        layer: the same with weights of 8 bits.
        f: its filters.
        int8_bytes: what its weights take so.

    Returns:
        The forms that take fewer bytes; none where nobody asks for them.
    """
    quads = -(-f.weights.shape[1] // 4)
    words_bytes = (8 if context.dsp else 4) * quads

    def of_tile(pixels: int, packed: PackedWeights) -> Layer:
        if packed.steps.size:
            tile = choose_tile(context.output, pixels, 2)
            form = replace(layer, scratch_bytes=4 * quads + tile * words_bytes)
            return _in_blocks(context, form, f, packed, (tile,))
        tile = choose_tile(context.output, pixels, 3 if context.dsp else 2)
        form = replace(layer, scratch_bytes=12 * quads + tile * (4 + words_bytes))
        return _packed(context, form, packed, (tile,))

    return tuple(
        replace(of_tile(_LEAST_TILE, one), wider=tuple(of_tile(n, one) for n in _TILES))
        for one in _pack(context, f.weights, int8_bytes, blocks=True)
    )


def pack_dense(context: Context, layer: Layer, f: Filters, int8_bytes: int) -> tuple[Layer, ...]:
    """As `pack_convolution`, of a fully connected layer: see kernels/fully_connected_packed.c."""
    four_filters = 16 * -(-f.weights.shape[1] // 4)
    wider = replace(layer, scratch_bytes=layer.scratch_bytes + four_filters)
    return tuple(
        _in_blocks(context, layer, f, one) if one.steps.size else _packed(context, wider, one)
        for one in _pack(context, f.weights, int8_bytes, blocks=True)
    )


def pack_depthwise(context: Context, layer: Layer, weights: npt.NDArray[Any]) -> tuple[Layer, ...]:
    """A depthwise convolution that unpacks all of its weights first: see kernels/depthwise_packed.c.

    Args:
        context: the operator.
        layer: the same with weights of 8 bits.
        weights: in the order in which its kernel reads them.
    """
    row, behind = weights.reshape(1, -1), _CONV_BYTES + -(-weights.size // 8) * 8
    of_layer, scratch = Address(SCRATCH, 0, "const tm_conv"), Address(SCRATCH, behind)

    def moved(call: KernelCall) -> KernelCall:
        if not call.kernel.startswith("tm_depthwise"):
            return call
        _, *others = call.arguments
        ends = (scratch if isinstance(one, Address) and one.tensor == SCRATCH else one for one in others)
        return replace(call, arguments=(of_layer, *ends))

    forms = []
    for packed in _pack(context, row.astype(np.int64), weights.size, blocks=False):
        constants, name = _describe(context, packed), context.name
        first = KernelCall(
            "tm_depthwise_unpack", (f"&{name}", f"&{name}_packed", weights.size, Address(SCRATCH))
        )
        calls = (first, *map(moved, layer.calls))
        form = _with(layer, calls, (*constants, *layer.constants[1:]), packed)
        forms.append(replace(form, scratch_bytes=behind + layer.scratch_bytes))
    return tuple(forms)


def _pack(
    context: Context, rows: npt.NDArray[np.int64], int8_bytes: int, *, blocks: bool
) -> Iterator[PackedWeights]:
    if not context.packed and context.input(1).dtype != "int4":
        return
    if packed := pack(rows, int8_bytes):
        yield packed
    if blocks and (packed := pack_blocks(rows, int8_bytes, dsp=context.dsp)):
        yield packed


def _describe(context: Context, packed: PackedWeights) -> tuple[Constant, ...]:
    name = context.name
    fields: dict[str, int | str] = {"bits": packed.bits, "apart": packed.apart}
    palettes: tuple[Constant, ...] = ()
    if packed.palettes.size:
        fields["palettes"] = f"{name}_palettes"
        palettes = (Array(f"{name}_palettes", packed.palettes.ravel()),)
    struct = Struct(f"{name}_packed", "tm_packed", (fields,))
    return (Array(f"{name}_weights", packed.stored), *palettes, struct)


def _packed(context: Context, layer: Layer, packed: PackedWeights, more: tuple[int, ...] = ()) -> Layer:
    """The layer with other constants, and calls of the kernel that unpacks them."""
    calls = _calls(layer, "packed", f"&{context.name}_packed", more)
    return _with(layer, calls, (*_describe(context, packed), *layer.constants[1:]), packed)


def _in_blocks(
    context: Context, layer: Layer, f: Filters, packed: PackedWeights, more: tuple[int, ...] = ()
) -> Layer:
    """The layer with blocks of weights, biases for them, and calls of the kernel for both."""
    name, weights = context.name, f.weights
    odd = 127 * weights[:, 1::2].sum(axis=1)
    bias = 256 * (f.folded + odd) if context.dsp else f.folded - 128 * weights.sum(axis=1)
    blocks = (Array(f"{name}_weights", packed.stored), Array(f"{name}_steps", packed.steps))
    constants = (*blocks, make_channel_table(name, f, bias), *layer.constants[2:])
    return _with(layer, _calls(layer, "blocks", f"{name}_steps", more), constants, packed)


def _calls(layer: Layer, kind: str, second: str, more: tuple[int, ...]) -> tuple[KernelCall, ...]:
    calls = []
    for call in layer.calls:
        if isinstance(call.arguments[-1], Address):  # the scratch: not what clamps
            first, *others = call.arguments
            arguments = (first, second, *others, *more)
            call = replace(call, kernel=f"{call.kernel}_{kind}", arguments=arguments)
        calls.append(call)
    return tuple(calls)


def _with(
    layer: Layer,
    calls: tuple[KernelCall, ...],
    constants: tuple[Constant, ...],
    packed: PackedWeights,
) -> Layer:
    note = f"{layer.note}, weights in {packed.form}"
    return replace(layer, calls=calls, constants=constants, packed=packed, note=note)
