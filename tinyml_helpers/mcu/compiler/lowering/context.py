"""What every operator's translation needs: the layer it makes, and the checks they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Operator, Tensor
from tinyml_helpers.mcu.compiler.checks import CURES
from tinyml_helpers.mcu.compiler.fixed_point import (
    Scale,
    quantize_multiplier,
    quantize_range,
    scale_by,
    scale_once,
)
from tinyml_helpers.mcu.compiler.graph import GraphError, Network
from tinyml_helpers.mcu.compiler.lowering.constants import Constant
from tinyml_helpers.mcu.compiler.lowering.packing import PackedWeights
from tinyml_helpers.mcu.compiler.lowering.strides import MOST_IN_A_FIELD

INT8 = (-128, 127)
Margins = tuple[tuple[int, int], tuple[int, int]]
"""Pixels (above, below) and (left, right) of an image."""
_RANGES = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
MOST_CALLS = 256
"""Of kernels, for one operator: more make no sensible program."""
SCRATCH = -1
"""In place of a tensor's number: the working memory of a layer."""


class UnsupportedError(GraphError):
    """An operator, or a form of one, that the virtual microcontroller does not have."""


@dataclass(frozen=True)
class Address:
    """Where a tensor lies, or a layer's working memory (`SCRATCH`), as an argument of a call.

    Args:
        tensor: its number.
        skipped: bytes of it that lie before.
        ctype: C type of what the kernel finds there; left out, that of the tensor.
    """

    tensor: int
    skipped: int = 0
    ctype: str = ""


@dataclass(frozen=True)
class KernelCall:
    """One call of a kernel: the name of its C function, and its arguments as C, numbers or addresses."""

    kernel: str
    arguments: tuple[Address | str | int, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator as C: constants, and calls of kernels.

    Args:
        operator: what it was made from.
        calls: in order; none for a layer without code, whose output is its input.
        inputs: tensors that the calls read.
        output: tensor that they write.
        constants: what the calls refer to.
        scratch_bytes: memory that the kernel needs while it runs.
        macs: multiplications with a weight.
        in_place: of how many inputs, the first ones, any may lend the output its place.
        note: the layer in words, for the comment above its constants.
        wider: the same layer in forms that need more working memory, the best first.
        forms: the same layer with weights in fewer bytes.
        packed: its weights, where they take fewer than 8 bits.
    """

    operator: Operator
    calls: tuple[KernelCall, ...]
    inputs: tuple[int, ...]
    output: int
    constants: tuple[Constant, ...] = ()
    scratch_bytes: int = 0
    macs: int = 0
    in_place: int = 0
    note: str = ""
    wider: tuple[Layer, ...] = ()
    forms: tuple[Layer, ...] = ()
    packed: PackedWeights | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """One operator with its tensors, whether the core has DSP instructions, and weights are packed."""

    graph: Network
    operator: Operator
    dsp: bool
    name: str = field(default="")
    packed: bool = False

    def refuse(self, reason: str) -> UnsupportedError:
        """The error that says what cannot be done, and where."""
        return UnsupportedError(f"{self.operator.label} is not supported here: {reason}")

    def input(self, i: int) -> Tensor:
        """The i-th input.

        Raises:
            UnsupportedError: there is none.
        """
        if i >= len(self.operator.inputs) or self.operator.inputs[i] < 0:
            raise self.refuse(f"input {i} is missing")
        return self.graph.tensors[self.operator.inputs[i]]

    def optional(self, i: int) -> Tensor | None:
        """The i-th input, or `None` if it is left out."""
        inputs = self.operator.inputs
        return self.graph.tensors[inputs[i]] if i < len(inputs) and inputs[i] >= 0 else None

    @property
    def output(self) -> Tensor:
        """The only output."""
        if len(self.operator.outputs) != 1:
            raise self.refuse(f"{len(self.operator.outputs)} outputs")
        return self.graph.tensors[self.operator.outputs[0]]

    @property
    def scale(self) -> Scale:
        """How the sums of a convolution are scaled: in one rounding, or in two."""
        return scale_once if self.graph.rounding == "onnx" else scale_by

    @property
    def margins(self) -> Margins:
        """What a PAD that was folded into this operator would have put around its image."""
        folded: Margins = self.operator.options.get("margins", ((0, 0), (0, 0)))
        return folded

    def option(self, name: str, default: int = 0) -> int:
        """An option of the operator, as a whole number."""
        return int(self.operator.options.get(name, default))

    def real(self, name: str, default: float = 0.0) -> float:
        """An option of the operator, as a number."""
        return float(self.operator.options.get(name, default))

    def constant(self, i: int, dtype: str) -> npt.NDArray[Any]:
        """The values of an input that must be constant and of a type."""
        tensor = self.input(i)
        narrow = tensor.dtype == "int4" and dtype == "int8"  # whose values are read as int8
        if not tensor.data or (tensor.dtype != dtype and not narrow):
            raise self.refuse(f"input {i} is {_describe(tensor)}, supported is a constant of {dtype}")
        return tensor.array

    def check_int8(self, *tensors: Tensor) -> None:
        """Refuse tensors that are not int8 with one scale and zero point."""
        for tensor in tensors:
            if tensor.dtype != "int8" or len(tensor.scales) != 1:
                reason = f"tensor {tensor.index} is {_describe(tensor)}, supported is int8 per tensor"
                raise self.refuse(reason + CURES.get(tensor.dtype, ""))
            if not INT8[0] <= tensor.zero_point <= INT8[1] or tensor.scale == 0:
                raise self.refuse(
                    f"tensor {tensor.index} has scale {tensor.scale}, zero point {tensor.zero_point}"
                )

    def check_int16(self, *tensors: Tensor) -> None:
        """Refuse tensors that are not int16 with one scale and the zero point 0."""
        for tensor in tensors:
            if tensor.dtype != "int16" or len(tensor.scales) != 1:
                raise self.refuse(
                    f"tensor {tensor.index} is {_describe(tensor)} beside int16 per tensor"
                )
            if (zero := tensor.zero_point) or tensor.scale == 0:
                raise self.refuse(f"tensor {tensor.index} has scale {tensor.scale}, zero point {zero}")

    def check_integers(self, *tensors: Tensor) -> str:
        """Refuse tensors that are not all int8 or int16; say what follows a kernel's name for them."""
        wide = self.input(0).dtype == "int16"
        (self.check_int16 if wide else self.check_int8)(*tensors)
        return "_int16" if wide else ""

    def check_shape(self, tensor: Tensor, shape: Iterable[int]) -> None:
        """Refuse a tensor of another shape than the operator gives or takes."""
        if tensor.shape != tuple(shape):
            raise self.refuse(f"tensor {tensor.index} has shape {tensor.shape}, not {tuple(shape)}")

    def check_fields(self, *values: int) -> None:
        """Refuse sizes that the kernels' 16-bit fields do not hold."""
        if not all(0 <= v <= MOST_IN_A_FIELD for v in values):
            raise self.refuse(f"sizes {values} go beyond {MOST_IN_A_FIELD:,}")

    def layer(
        self,
        kernel: str,
        inputs: Sequence[Tensor],
        constants: tuple[Constant, ...] = (),
        *,
        first: tuple[str | int, ...] | None = None,
        last: tuple[Address | int, ...] = (),
        **facts: Any,
    ) -> Layer:
        """The layer of one call: `kernel(first, inputs, output, last)`.

        Args:
            kernel: name of its C function.
            inputs: what it reads.
            constants: what it refers to.
            first: arguments before the addresses; left out, the address of the operator's struct.
            last: arguments behind them.
            facts: what else a `Layer` says of itself.
        """
        numbers, output = tuple(tensor.index for tensor in inputs), self.output.index
        before = (f"&{self.name}",) if first is None else first
        call = KernelCall(kernel, (*before, *map(Address, (*numbers, output)), *last))
        return Layer(self.operator, (call,), numbers, output, constants, **facts)

    def activation_range(self) -> tuple[int, int]:
        """Least and greatest output under the fused activation."""
        kind = self.option("activation")
        if kind not in _RANGES:
            raise self.refuse(
                f"fused activation {kind}, supported are none, RELU, RELU_N1_TO_1 and RELU6"
            )
        return quantize_range(self.output, *_RANGES[kind])

    def multiplier(self, real: float) -> tuple[int, int]:
        """A factor as multiplier and shift to the right; negative: to the left."""
        multiplier, exponent = quantize_multiplier(real)
        if exponent > 30:
            raise self.refuse(f"scales that need a factor of {real:.3g}")
        return multiplier, -exponent


def _describe(tensor: Tensor) -> str:
    constant = "constant " if tensor.data else ""
    return f"{constant}{tensor.dtype}" + (f" with {len(tensor.scales)} scales" if tensor.scales else "")
