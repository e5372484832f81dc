"""Layers of strips put together: rows get their place in whole images, constants are there once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinyml_helpers.mcu.compiler.lowering.constants import Array, Constant, Fields, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, KernelCall, Layer


def place_parts(layers: Sequence[Layer], parts: Mapping[int, Address]) -> tuple[Layer, ...]:
    """Let layers read and write rows where they lie in a whole tensor.

    Args:
        layers: in order.
        parts: tensors that are rows of another -> where they begin there.
    """
    return tuple(_placed(layer, parts) for layer in layers)


def _placed(layer: Layer, parts: Mapping[int, Address]) -> Layer:
    def address(given: Address | str | int) -> Address | str | int:
        if not isinstance(given, Address) or given.tensor not in parts:
            return given
        there = parts[given.tensor]
        return replace(given, tensor=there.tensor, skipped=given.skipped + there.skipped)

    def whole(tensor: int) -> int:
        return parts[tensor].tensor if tensor in parts else tensor

    calls = (replace(call, arguments=tuple(map(address, call.arguments))) for call in layer.calls)
    lending = [*layer.inputs[: layer.in_place]] if layer.output not in parts else []
    apart = (n for n, i in enumerate(lending) if i in parts and parts[i].skipped)
    return replace(
        layer,
        calls=tuple(calls),
        inputs=tuple(map(whole, layer.inputs)),
        output=whole(layer.output),
        in_place=next(apart, len(lending)),
        wider=place_parts(layer.wider, parts),
    )


def share_constants(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Keep one of the constants of strips that are alike, and let all of them name that one."""
    known: dict[Hashable, str] = {}
    return tuple(
        _shared(layer, known) if "strip" in layer.operator.options else layer for layer in layers
    )


def _shared(layer: Layer, known: dict[Hashable, str]) -> Layer:
    names: dict[str, str] = {}
    kept: list[Constant] = []
    for constant in layer.constants:
        if isinstance(constant, Struct):
            constant = replace(constant, lines=tuple(_named(line, names) for line in constant.lines))
        first = known.setdefault(_content(constant), constant.name)
        names[constant.name] = first
        if first == constant.name:
            kept.append(constant)
    names |= {f"&{old}": f"&{new}" for old, new in names.items()}
    calls = (_renamed(call, names) for call in layer.calls)
    return replace(layer, calls=tuple(calls), constants=tuple(kept))


def _content(constant: Constant) -> Hashable:
    if isinstance(constant, Array):
        values = constant.values
        return constant.struct, values.dtype.str, values.shape, values.tobytes()
    return constant.ctype, repr(constant.lines)


def _named(fields: Fields, names: Mapping[str, str]) -> Fields:
    return {
        key: names.get(value, value) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def _renamed(call: KernelCall, names: Mapping[str, str]) -> KernelCall:
    arguments: tuple[Any, ...] = tuple(
        names.get(one, one) if isinstance(one, str) else one for one in call.arguments
    )
    return replace(call, arguments=arguments)
