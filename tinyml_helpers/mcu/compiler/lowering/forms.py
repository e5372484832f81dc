"""Which layers keep their weights in fewer bytes: what that saves, and the code that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from tinyml_helpers.mcu.compiler.kernel_files import files_of
from tinyml_helpers.mcu.compiler.lowering.context import Layer

_FILES = (
    "conv_2d.c",
    "conv_2d_packed.c",
    "conv_2d_blocks.c",
    "fully_connected.c",
    "fully_connected_packed.c",
    "fully_connected_blocks.c",
    "depthwise_packed.c",
    "unpack.c",
)
CODE_BYTES: Mapping[bool, Mapping[str, int]] = {
    True: dict(zip(_FILES, (2508, 2628, 1870, 828, 1026, 620, 268, 472), strict=True)),
    False: dict(zip(_FILES, (2016, 2140, 2076, 868, 944, 864, 204, 484), strict=True)),
}
"""With DSP instructions, and without -> file of kernels/ -> its code, of a Cortex-M4 and an M0+."""
_STRUCT_BYTES = 8


def choose_forms(layers: tuple[Layer, ...], *, dsp: bool) -> tuple[Layer, ...]:
    """The program that takes the least flash, code of the kernels included.

    Args:
        layers: with weights as bytes, each with its other forms.
        dsp: whether the core has DSP instructions.

    Returns:
        The same layers, each in one of its forms.
    """
    kinds = sorted({_files(form) for layer in layers for form in layer.forms})
    chosen = (
        tuple(_smallest(layer, allowed) for layer in layers)
        for count in range(len(kinds) + 1)
        for allowed in combinations(kinds, count)
    )
    return min(chosen, key=lambda form: _flash_bytes(form, CODE_BYTES[dsp]))


def _files(*layers: Layer) -> tuple[str, ...]:
    return files_of(call.kernel for layer in layers for call in layer.calls)


def _smallest(layer: Layer, allowed: tuple[tuple[str, ...], ...]) -> Layer:
    forms = (form for form in layer.forms if _files(form) in allowed)
    return min((layer, *forms), key=_weights_bytes)


def _weights_bytes(layer: Layer) -> int:
    if layer.packed:
        return layer.packed.size_bytes + _STRUCT_BYTES
    return max((form.packed.int8_bytes for form in layer.forms if form.packed), default=0)


def _flash_bytes(layers: tuple[Layer, ...], code_bytes: Mapping[str, int]) -> int:
    code = sum(code_bytes.get(file, 0) for file in _files(*layers))
    weights = {layer.operator.position: _weights_bytes(layer) for layer in layers}  # which strips share
    return code + sum(weights.values())
