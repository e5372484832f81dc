"""The first layers of a network, strip by strip: a few rows of an image go through all of them in turn.

Early images are the large ones. Where a whole image need not be there at once, a strip of rows is
enough, as wide as the image: what lies under the windows of a strip are neighbouring rows, and rows
lie one after another in memory. So a layer's strip is the same operator on a smaller image, with the
margins that the image has there. Rows that two strips need are computed once, and kept between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import Network, find_live_operators
from tinyml_helpers.mcu.compiler.lowering import elementwise
from tinyml_helpers.mcu.compiler.lowering.bands import (
    CONVOLUTIONS,
    POOLS,
    Band,
    Rows,
    find_bands,
    find_over,
    images_of,
    rows_under,
    window_of,
)
from tinyml_helpers.mcu.compiler.lowering.context import Address

_PAIRS = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "PRELU")
_KEEP, _VALID = "ASSIGN_VARIABLE", 1


@dataclass(frozen=True, eq=False)
class Cut:
    """A network whose first layers run strip by strip.

    Args:
        graph: with a tensor for each strip.
        operators: all that run, in order; those of strips have the option `strip`, their number.
        parts: tensors that are rows of another -> where they begin there.
    """

    graph: Network
    operators: tuple[Operator, ...]
    parts: Mapping[int, Address]


def find_stages(graph: Network) -> tuple[tuple[Operator, ...], ...]:
    """Find what may run in strips: the first layers over images, up to each that all the rest needs."""
    live, stages = find_live_operators(graph), []
    begin = next((n for n, op in enumerate(live) if _can_be_cut(graph, op)), len(live))
    for end in range(begin + 1, len(live) + 1):
        stage = live[begin:end]
        if not _can_be_cut(graph, stage[-1]):
            break
        later = {*graph.outputs, *(i for op in live[end:] for i in op.inputs)}
        if later & {op.outputs[0] for op in stage} == {stage[-1].outputs[0]}:
            stages.append(stage)
    return tuple(stages)


def cut(graph: Network, stage: Sequence[Operator], count: int) -> Cut:
    """Cut the first layers into strips.

    Args:
        graph: the network.
        stage: one of `find_stages`.
        count: of strips, 1 to the rows that the stage's output has.
    """
    bands = find_bands(graph, stage, count)
    cutter = _Cutter(graph, bands, stage[-1].outputs[0])
    for strip in range(count):
        cutter.add_strip(stage, strip)
    live = find_live_operators(graph)
    begin = live.index(stage[0])
    rest = live[begin + len(stage) :]
    whole = replace(graph, tensors=tuple(cutter.tensors), over=find_over(graph, stage, bands))
    return Cut(whole, (*live[:begin], *cutter.operators, *rest), cutter.parts)


def _can_be_cut(graph: Network, op: Operator) -> bool:
    """Whether rows of an operator's only output depend on rows of its images."""
    if len(op.outputs) != 1 or op.outputs[0] in graph.variables:
        return False
    made, images = graph.tensors[op.outputs[0]], images_of(graph, op)
    tensors = (made, *(graph.tensors[i] for i in images))
    if not images or any(len(t.shape) != 4 or t.shape[0] != 1 for t in tensors):
        return False
    if any(t.dtype not in ("int8", "uint8") for t in tensors):
        return False
    if op.type in (*CONVOLUTIONS, *POOLS):
        return images == op.inputs[:1]
    constants = [graph.tensors[i].shape for i in op.inputs if i >= 0 and graph.tensors[i].data]
    level = all((1, 1, 1, *shape)[-3] == 1 for shape in constants)
    known = op.type in _PAIRS or op.type in elementwise.TABLES
    return known and level and all(t.shape[:3] == made.shape[:3] for t in tensors)


class _Cutter:
    """The tensors and operators of strips, as they are added one after another."""

    def __init__(self, graph: Network, bands: Mapping[int, Band], last: int) -> None:
        self.graph, self.bands, self.last = graph, bands, last
        self.tensors = list(graph.tensors)
        self.operators: list[Operator] = []
        self.parts: dict[int, Address] = {}
        self._kept: dict[int, int] = {}
        self._at: dict[int, tuple[int, Rows]] = {}

    def add_strip(self, stage: Sequence[Operator], strip: int) -> None:
        """Let rows go through all layers."""
        for op in stage:
            made = op.outputs[0]
            band = self.bands[made]
            held, fresh = band.held[strip], band.fresh[strip]
            if made == self.last:
                self._at[made] = made, (0, self.graph.tensors[made].shape[1])
            elif held[0] < held[1]:
                self._at[made] = self._add(made, held), held
            if made in self._kept:
                self._copy(op, strip, "back", self._kept.pop(made), self._rows(made, band.kept(strip)))
            if fresh[0] < fresh[1]:
                self.operators.append(self._cut(op, strip, fresh))
            kept = band.kept(strip + 1) if made != self.last else (0, 0)
            if kept[0] < kept[1]:
                self._kept[made] = self._add(made, kept)
                self._copy(op, strip, "kept", self._rows(made, kept), self._kept[made])

    def _cut(self, op: Operator, strip: int, fresh: Rows) -> Operator:
        window, tensors = window_of(self.graph, op), self.graph.tensors
        options = {**op.options, "strip": strip, "part": strip}
        inputs, images = list(op.inputs), images_of(self.graph, op)
        for n, image in enumerate(op.inputs):
            if image in images:
                rows, vertical = rows_under(window, fresh, tensors[image].shape[1])
                inputs[n] = self._rows(image, rows)
        if window:
            width, columns = tensors[op.inputs[0]].shape[2], tensors[op.outputs[0]].shape[2]
            left = window.padding[1]
            reach = (columns - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
            options |= {"padding": _VALID, "margins": (vertical, (left, max(reach - left - width, 0)))}
        return replace(
            op, inputs=tuple(inputs), outputs=(self._rows(op.outputs[0], fresh),), options=options
        )

    def _copy(self, op: Operator, strip: int, why: str, given: int, made: int) -> None:
        options = {"strip": strip, "part": f"{strip}_{why}"}
        self.operators.append(Operator(_KEEP, (given,), (made,), options, op.position))

    def _rows(self, tensor: int, rows: Rows) -> int:
        """The number of a tensor for these rows of another, where that lies for this strip."""
        whole = (tensor, (0, self.graph.tensors[tensor].shape[1]))
        at, held = self._at.get(tensor, whole)
        if rows == held:
            return at
        number = self._add(tensor, rows)
        row_bytes = self.tensors[at].size_bytes // self.tensors[at].shape[1]
        self.parts[number] = Address(at, (rows[0] - held[0]) * row_bytes)
        return number

    def _add(self, like: int, rows: Rows) -> int:
        shape = (1, rows[1] - rows[0], *self.graph.tensors[like].shape[2:])
        number = len(self.tensors)
        self.tensors.append(replace(self.graph.tensors[like], shape=shape, index=number))
        return number
