"""Convolutions and fully connected layers whose weights wait in flash in fewer bits."""

from __future__ import annotations

from dataclasses import replace

from tinyml_helpers.mcu.compiler.lowering.constants import Array, Constant, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, Layer
from tinyml_helpers.mcu.compiler.lowering.packing import PackedWeights, pack
from tinyml_helpers.mcu.compiler.lowering.weights import Filters
from tinyml_helpers.mcu.compiler.lowering.window import choose_tile

_TILES = (32, 16)
_LEAST_TILE = 8  # fewer pixels would be too few for what it takes to unpack a filter
_STRUCT_BYTES = 8


def pack_convolution(context: Context, layer: Layer, f: Filters, int8_bytes: int) -> Layer | None:
    """A convolution that unpacks two filters at a time: see kernels/conv_2d_packed.c.

    Args:
        context: the operator.
        layer: the same with weights of 8 bits.
        f: its filters.
        int8_bytes: what its weights take so.

    Returns:
        The layer; `None` where nobody asks for it, or nothing is saved.
    """
    packed = _pack(context, f, int8_bytes)
    if packed is None:
        return None
    quads = -(-f.weights.shape[1] // 4)
    pixel_bytes = 4 + (8 if context.dsp else 4) * quads

    def of_tile(pixels: int) -> Layer:
        tile = choose_tile(context.output, pixels)
        scratch_bytes = 12 * quads + tile * pixel_bytes
        form = replace(layer, scratch_bytes=scratch_bytes)
        return _packed(context, form, packed, (tile,))

    return replace(of_tile(_LEAST_TILE), wider=tuple(map(of_tile, _TILES)))


def pack_dense(context: Context, layer: Layer, f: Filters, int8_bytes: int) -> Layer | None:
    """As `pack_convolution`, of a fully connected layer: see kernels/fully_connected_packed.c."""
    packed = _pack(context, f, int8_bytes)
    if packed is None:
        return None
    four_filters = 16 * -(-f.weights.shape[1] // 4)
    form = replace(layer, scratch_bytes=layer.scratch_bytes + four_filters)
    return _packed(context, form, packed)


def _pack(context: Context, f: Filters, int8_bytes: int) -> PackedWeights | None:
    if not context.packed and context.input(1).dtype != "int4":
        return None
    found = pack(f.weights, int8_bytes)
    return found if found and found.size_bytes + _STRUCT_BYTES < int8_bytes else None


def _packed(context: Context, layer: Layer, packed: PackedWeights, more: tuple[int, ...] = ()) -> Layer:
    """The layer with other constants, and calls of the kernel that unpacks them."""
    name = context.name
    fields: dict[str, int | str] = {"bits": packed.bits, "apart": packed.apart}
    palettes: tuple[Constant, ...] = ()
    if packed.palettes.size:
        fields["palettes"] = f"{name}_palettes"
        palettes = (Array(f"{name}_palettes", packed.palettes.ravel()),)
    struct = Struct(f"{name}_packed", "tm_packed", (fields,))
    calls = []
    for call in layer.calls:
        if isinstance(call.arguments[-1], Address):  # the scratch: not what clamps
            first, *others = call.arguments
            arguments = (first, f"&{name}_packed", *others, *more)
            call = replace(call, kernel=f"{call.kernel}_packed", arguments=arguments)
        calls.append(call)
    return replace(
        layer,
        calls=tuple(calls),
        constants=(Array(f"{name}_weights", packed.stored), *palettes, struct, *layer.constants[1:]),
        packed=packed,
        note=f"{layer.note}, weights in {packed.form}",
    )
