"""Into how many strips the first layers of a network are cut, and how many layers that are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.arena import bound_bytes
from tinyml_helpers.mcu.compiler.graph import Network
from tinyml_helpers.mcu.compiler.lowering import Layer
from tinyml_helpers.mcu.compiler.lowering.sharing import place_parts
from tinyml_helpers.mcu.compiler.lowering.strips import Cut, cut, find_stages

Stage = Sequence[Operator]
_COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True, repr=False)
class Strips:
    """What became of the first layers of a network.

    Args:
        count: of strips.
        layers: how many layers run in them.
        whole_bytes: the arena of the same network, layer by layer.
        arena_bytes: the arena with strips.
    """

    count: int
    layers: int
    whole_bytes: int
    arena_bytes: int

    def __repr__(self) -> str:
        """One line."""
        return (
            f"the first {self.layers} layers run in {self.count} strips of rows: "
            f"arena {self.whole_bytes:,} -> {self.arena_bytes:,} bytes"
        )


@dataclass(frozen=True, eq=False)
class Proposal:
    """A network with its first layers in strips, and what its arena should at least take.

    Args:
        cut: the network.
        count: of strips.
        layers: how many layers run in them.
        bound_bytes: by the working memory that whole layers need, in proportion.
    """

    cut: Cut
    count: int
    layers: int
    bound_bytes: int


def propose(graph: Network, layers: Sequence[Layer], count: int) -> Proposal:
    """Choose how many layers run in so many strips: those whose arena should be the smallest.

    Args:
        graph: the network.
        layers: as they run one after another.
        count: of strips.

    Raises:
        ValueError: the network has no such layers, or not so many rows.
    """
    stages = find_stages(graph)
    rows = _most_rows(graph, stages)
    if not rows:
        raise ValueError(f"patches={count}: the network has no layers over images to be cut; give None")
    if not 1 <= count <= rows:
        raise ValueError(f"patches={count}: the first layers of this network take at most {rows} strips")
    return _best(graph, layers, stages, count)


def propose_all(graph: Network, layers: Sequence[Layer]) -> Iterator[Proposal]:
    """Propose more and more strips, as far as there are rows."""
    stages = find_stages(graph)
    rows = _most_rows(graph, stages)
    for count in _COUNTS:
        if count <= rows:
            yield _best(graph, layers, stages, count)


def _best(graph: Network, layers: Sequence[Layer], stages: Sequence[Stage], count: int) -> Proposal:
    found = []
    for stage in stages:
        if _rows(graph, stage) >= count:
            made = cut(graph, stage, count)
            bound = bound_bytes(made.graph, place_parts(list(_sketch(made, layers)), made.parts))
            found.append(Proposal(made, count, len(stage), bound))
    return min(found, key=lambda one: one.bound_bytes)


def _most_rows(graph: Network, stages: Sequence[Stage]) -> int:
    return max((_rows(graph, stage) for stage in stages), default=0)


def _rows(graph: Network, stage: Stage) -> int:
    return graph.tensors[stage[-1].outputs[0]].shape[1]


def _sketch(made: Cut, layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers of a cut network as the planner sees them, without their code."""
    whole = {layer.output: layer for layer in layers}
    of_stage = {layer.operator.position: layer for layer in layers}
    for op in made.operators:
        if "strip" not in op.options:
            yield whole[op.outputs[0]]
            continue
        layer, tensors = of_stage[op.position], made.graph.tensors
        given = tuple(i for i in op.inputs if i >= 0 and not tensors[i].data)
        scratch_bytes, in_place = layer.scratch_bytes, layer.in_place
        if op.type != layer.operator.type:  # rows that are kept
            scratch_bytes = in_place = 0
        elif op.type == "DEPTHWISE_CONV_2D":
            image = made.graph.tensors[layer.inputs[0]]
            rows = tensors[op.inputs[0]].shape[1] + sum(op.options["margins"][0])
            scratch_bytes = scratch_bytes * rows // image.shape[1]
        yield replace(
            layer,
            operator=op,
            inputs=given,
            output=op.outputs[0],
            scratch_bytes=scratch_bytes,
            in_place=in_place,
            wider=(),
        )
