"""The counted network: layers, parameters, MACs, weight bytes and activations over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from tinyml_helpers.system.tables import text_table

_ROWS_SHOWN = 40


@dataclass(frozen=True)
class LayerCost:
    """One layer, or one operator that a model applies itself."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    params: int
    macs: int

    @property
    def outputs(self) -> int:
        """Elements of the layer's output."""
        return math.prod(self.output_shape)


@dataclass(frozen=True)
class Activation:
    """A block of working memory and the steps in which it must not be overwritten."""

    layer: str
    elements: int
    first_step: int
    last_step: int
    item_bits: int | None = None

    def size_bytes(self, bits: float) -> int:
        """Bytes at this bit width; integers and masks keep the width they have."""
        return _packed_bytes(self.elements, self.item_bits or bits)


@dataclass(frozen=True, repr=False)
class ModelCost:
    """Cost of one inference; prints as a table.

    Attributes:
        steps: name of the layer that runs at each step. What an engine fuses into the layer
            before (batch norm, an activation function) is no step of its own.
        activations: every block of working memory, the input included.
        uncounted: operators whose multiplications are not known, with their number of calls.
    """

    name: str
    layers: tuple[LayerCost, ...]
    param_sizes: tuple[int, ...]
    buffers: int
    steps: tuple[str, ...]
    activations: tuple[Activation, ...]
    uncounted: Mapping[str, int]
    weight_bits: float = 32
    activation_bits: float = 32

    @property
    def params(self) -> int:
        """Parameters, those shared between layers counted once; buffers apart."""
        return sum(self.param_sizes)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call, padding included, as every tool counts them."""
        return sum(layer.macs for layer in self.layers)

    @property
    def live_bytes(self) -> tuple[int, ...]:
        """Bytes of activations that are alive at each step."""
        change = [0] * (len(self.steps) + 1)
        for block in self.activations:
            size = block.size_bytes(self.activation_bits)
            change[block.first_step] += size
            change[block.last_step + 1] -= size
        return tuple(accumulate(change[:-1]))

    @property
    def peak_activation_bytes(self) -> int:
        """The fullest moment of `live_bytes`: what an arena must hold at the least."""
        return max(self.live_bytes, default=0)

    @property
    def largest_activation_bytes(self) -> int:
        """The largest single block; the peak is larger, because blocks are alive together."""
        sizes = (block.size_bytes(self.activation_bits) for block in self.activations)
        return max(sizes, default=0)

    @property
    def flash_bytes(self) -> int:
        """Bytes of all parameters, each tensor rounded up: what `devices.fits` compares with flash.

        A real file is larger: biases stay 32 bits wide, scales and structure come on top.
        """
        return sum(_packed_bytes(size, self.weight_bits) for size in self.param_sizes)

    @property
    def ram_bytes(self) -> int:
        """Peak activation bytes: what `devices.fits` compares with RAM."""
        return self.peak_activation_bytes

    def at(self, bits: float, activation_bits: float | None = None) -> ModelCost:
        """The same network at other bit widths: `cost.at(8)` is what int8 would need.

        Raises:
            ValueError: a width that is not above 0.
        """
        wide = bits if activation_bits is None else activation_bits
        for width in (bits, wide):
            _packed_bytes(0, width)
        return replace(self, weight_bits=bits, activation_bits=wide)

    def __repr__(self) -> str:
        """Totals, then one row a layer."""
        return "\n".join([self._totals(), *self._table(), *self._warning()])

    def _totals(self) -> str:
        return (
            f"{self.name}: {self.params:,} parameters = {self.flash_bytes:,} B at "
            f"{self.weight_bits:g} bits, {self.macs:,} MACs, peak activations "
            f"{self.ram_bytes:,} B at {self.activation_bits:g} bits"
        )

    def _table(self) -> list[str]:
        rows = [
            (
                layer.name,
                layer.kind,
                "x".join(map(str, layer.output_shape)) or "scalar",
                f"{layer.params:,}",
                f"{layer.macs:,}",
            )
            for layer in self.layers[:_ROWS_SHOWN]
        ]
        table = text_table(("layer", "kind", "output", "params", "MACs"), rows, names=(0, 1))
        hidden = len(self.layers) - len(rows)
        return [table] + ([f"... and {hidden} more rows in .layers"] if hidden > 0 else [])

    def _warning(self) -> list[str]:
        calls = ", ".join(f"{name} ({n} x)" for name, n in sorted(self.uncounted.items()))
        return [f"NOT COUNTED, so MACs are a lower bound: {calls}"] if calls else []


def _packed_bytes(elements: int, bits: float) -> int:
    if not 0 < bits < math.inf:
        raise ValueError(f"{bits} bits: a bit width is above 0, for example 8, 4 or 1.58")
    # Exact arithmetic: 0.1 bits must not become one byte more by rounding of floats.
    return math.ceil(elements * Fraction(str(bits)) / 8)
