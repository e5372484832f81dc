"""Lay the arrays of a network into one static arena: two that live at the same time never overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tinyml_helpers.mcu.compiler.graph import Network
from tinyml_helpers.mcu.compiler.lowering import Layer
from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH
from tinyml_helpers.system.tables import text_table

ALIGN_BYTES = 8
_GROWTH = 50
"""A part of so many, by which the arena may grow for faster forms of layers."""


@dataclass(frozen=True)
class Block:
    """A piece of the arena.

    Args:
        tensors: numbers of the tensors that lie in it, one after another; `SCRATCH` for
            the working memory of a layer.
        first: number of the layer that fills it; -1 for an input.
        last: number of the last layer that reads it.
        size_bytes: rounded up to `ALIGN_BYTES`.
        offset: in the arena.
        then: the smaller piece that begins at the same place, when this one is not needed any more.
    """

    tensors: tuple[int, ...]
    first: int
    last: int
    size_bytes: int
    offset: int = 0
    then: Block | None = None

    @property
    def pieces(self) -> tuple[Block, ...]:
        """Itself, and what comes then."""
        return (self, self.then) if self.then else (self,)

    def meets(self, other: Block) -> bool:
        """Whether both live at the same time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, repr=False)
class Arena:
    """Where every array lies, how large the arena is, and how small it could be at best."""

    blocks: tuple[Block, ...]
    size_bytes: int
    bound_bytes: int

    def offset(self, tensor: int) -> int:
        """Offset of a tensor in bytes."""
        return next(b.offset for b in self.blocks if tensor in b.tensors)

    def scratch(self, layer: int) -> int:
        """Offset of a layer's working memory; 0 if it has none."""
        there = (b.offset for b in self.blocks if b.tensors == (SCRATCH,) and b.first == layer)
        return next(there, 0)

    def live_bytes(self, layer: int) -> int:
        """Bytes in use while a layer runs."""
        return sum(b.size_bytes for b in self.blocks if b.first <= layer <= b.last)

    def __repr__(self) -> str:
        """Blocks in order of their lives."""
        header = ("tensors", "from layer", "to layer", "offset", "bytes")
        rows = [
            (
                "scratch" if b.tensors == (SCRATCH,) else ", ".join(map(str, b.tensors)),
                "input" if b.first < 0 else str(b.first),
                str(b.last),
                f"{b.offset:,}",
                f"{b.size_bytes:,}",
            )
            for b in sorted(self.blocks, key=lambda b: (b.first, b.offset))
        ]
        size = f"arena: {self.size_bytes:,} bytes; no plan needs less than {self.bound_bytes:,}"
        return f"{text_table(header, rows)}\n{size}"


def plan(graph: Network, layers: Sequence[Layer]) -> Arena:
    """Plan the arena of a network.

    Args:
        graph: the network.
        layers: its layers in the order in which they run.

    Returns:
        The best of several greedy plans.
    """
    blocks = _blocks(graph, layers)
    orders: tuple[Callable[[Block], tuple[int, ...]], ...] = (
        lambda b: (-b.size_bytes, b.first),
        lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first),
        lambda b: (b.first, -b.size_bytes),
        lambda b: (b.first - b.last, -b.size_bytes),
    )
    plans = [_place(sorted(blocks, key=order)) for order in orders]
    best = min(plans, key=_end)
    return Arena(tuple(best), _end(best), _peak(blocks))


def bound_bytes(graph: Network, layers: Sequence[Layer]) -> int:
    """Return what no plan can go below: the most that lives at once."""
    return _peak(_blocks(graph, layers))


def _peak(blocks: Sequence[Block]) -> int:
    pieces = [piece for block in blocks for piece in block.pieces]
    changes = sorted(
        change for b in pieces for change in ((b.first, b.size_bytes), (b.last + 1, -b.size_bytes))
    )
    return max(accumulate(change for _, change in changes))


def plan_with_room(graph: Network, layers: Sequence[Layer]) -> tuple[tuple[Layer, ...], Arena]:
    """Plan the arena, and give each operator the widest of its forms for which the arena hardly grows.

    Returns:
        The layers in those forms, and their arena.
    """
    chosen, best = tuple(layers), plan(graph, layers)
    most_bytes = best.size_bytes + best.size_bytes // _GROWTH
    for position in dict.fromkeys(layer.operator.position for layer in layers if layer.wider):
        for n in range(max(len(one.wider) for one in layers if one.operator.position == position)):
            tried = tuple(
                one.wider[n] if one.operator.position == position and n < len(one.wider) else one
                for one in chosen
            )
            if bound_bytes(graph, tried) > most_bytes:
                continue
            arena = plan(graph, tried)
            if arena.size_bytes <= most_bytes:
                chosen, best = tried, arena
                break
    return chosen, best


def _blocks(graph: Network, layers: Sequence[Layer]) -> list[Block]:
    last = _last_use(graph, layers)
    home = {i: [i] for i in (*graph.inputs, *graph.variables)}
    first = dict.fromkeys(home, -1)
    for n, layer in enumerate(layers):
        if layer.output in home:  # a variable, or an image that another strip has begun
            continue
        # A view looks at the same bytes: none of them may be looked at later.
        done = (i for i in layer.inputs[: layer.in_place] if i in home and _end_of(home[i], last) <= n)
        lender = next((i for i in done if _room(graph, layer, i)), None)
        lender = lender if layer.calls else layer.inputs[0]
        if lender is not None:
            home[layer.output] = home[lender]
            home[lender].append(layer.output)
        else:
            home[layer.output] = [layer.output]
            first[layer.output] = n
    found: dict[int, Block] = {}
    for root, at in first.items():
        size = max(graph.tensors[i].size_bytes for i in home[root])
        found[root] = Block(tuple(home[root]), at, _end_of(home[root], last), _rounded(size))
    for made, image in graph.over.items():
        root = home[image][0]
        if made in found and found[root].last == last[image] < found[made].last:
            later = replace(found.pop(made), first=last[image] + 1)
            found[root] = replace(found[root], then=later)
    blocks = list(found.values())
    for n, layer in enumerate(layers):
        if layer.scratch_bytes:
            blocks.append(Block((SCRATCH,), n, n, _rounded(layer.scratch_bytes)))
    return blocks


def _room(graph: Network, layer: Layer, lender: int) -> bool:
    """Whether the output is no larger than an input."""
    return graph.tensors[layer.output].size_bytes <= graph.tensors[lender].size_bytes


def _end_of(tensors: Sequence[int], last: Mapping[int, int]) -> int:
    """The last layer that reads any of them."""
    return max(last[i] for i in tensors)


def _last_use(graph: Network, layers: Sequence[Layer]) -> Mapping[int, int]:
    last = dict.fromkeys(graph.inputs, 0)
    for n, layer in enumerate(layers):
        last[layer.output] = n
        last.update(dict.fromkeys(layer.inputs, n))
    last.update(dict.fromkeys((*graph.outputs, *graph.variables), len(layers)))
    # A view lives as long as what it looks at is looked at.
    for layer in reversed(layers):
        if not layer.calls:
            last[layer.inputs[0]] = max(last[layer.inputs[0]], last[layer.output])
    return last


def _place(blocks: Sequence[Block]) -> list[Block]:
    """Put each block in turn at the lowest offset that is free while it lives."""
    placed: list[Block] = []
    for block in blocks:
        pairs = [(piece, other) for piece in block.pieces for other in placed if piece.meets(other)]
        pairs.sort(key=lambda pair: pair[1].offset)
        offset = 0
        while hit := next((o for p, o in pairs if _overlap(p.size_bytes, offset, o)), None):
            offset = hit.offset + hit.size_bytes
        placed += [replace(piece, offset=offset, then=None) for piece in block.pieces]
    return placed


def _overlap(size_bytes: int, offset: int, other: Block) -> bool:
    return other.offset < offset + size_bytes and offset < other.offset + other.size_bytes


def _end(blocks: Sequence[Block]) -> int:
    return max(b.offset + b.size_bytes for b in blocks)


def _rounded(size_bytes: int) -> int:
    return -(-size_bytes // ALIGN_BYTES) * ALIGN_BYTES
