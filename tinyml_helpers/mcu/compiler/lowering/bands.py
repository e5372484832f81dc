"""Which rows of which image a strip needs, and which of them the strip before has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import Network
from tinyml_helpers.mcu.compiler.lowering.context import Context
from tinyml_helpers.mcu.compiler.lowering.window import Window, place_window

Rows = tuple[int, int]
"""The first row, and the one behind the last."""
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


@dataclass(frozen=True, eq=False)
class Band:
    """Rows of one tensor: for each strip those that wait in memory, and those that are made for it."""

    held: Sequence[Rows]
    fresh: Sequence[Rows]

    def kept(self, strip: int) -> Rows:
        """Rows that a strip takes over from the one before."""
        if strip in (0, len(self.held)):
            return (0, 0)
        first, end = self.held[strip][0], self.held[strip - 1][1]
        return (first, end) if first < min(end, self.held[strip][1]) else (0, 0)


def images_of(graph: Network, op: Operator) -> tuple[int, ...]:
    """What an operator reads that is computed."""
    return tuple(i for i in op.inputs if i >= 0 and not graph.tensors[i].data)


def window_of(graph: Network, op: Operator) -> Window | None:
    """The window that moves over an operator's image, if there is one."""
    context = Context(graph, op, dsp=False)
    if op.type in CONVOLUTIONS:
        height, width = context.input(1).shape[1:3]
    elif op.type in POOLS:
        height, width = context.option("filter_h"), context.option("filter_w")
    else:
        return None
    return place_window(context, (height, width), context.output.shape[3])


def rows_under(window: Window | None, rows: Rows, height: int) -> tuple[Rows, Rows]:
    """Rows of an image of this height that such rows of the output see, and margins above and below."""
    if window is None:
        return rows, (0, 0)
    step, above = window.stride[0], window.padding[0]
    reach = (window.kernel[0] - 1) * window.dilation[0] + 1
    first, end = rows[0] * step - above, (rows[1] - 1) * step - above + reach
    return (max(first, 0), min(end, height)), (max(-first, 0), max(end - height, 0))


def find_bands(graph: Network, stage: Sequence[Operator], count: int) -> Mapping[int, Band]:
    """For each tensor that the stage makes, the rows that its strips hold and make."""
    last = stage[-1].outputs[0]
    height = graph.tensors[last].shape[1]
    ends = [height * n // count for n in range(count + 1)]
    strips = list(pairwise(ends))
    bands = {last: Band(strips, strips)}
    seen: dict[int, list[list[Rows]]] = {op.outputs[0]: [[] for _ in strips] for op in stage}
    for op in reversed(stage):
        made = op.outputs[0]
        band = bands.setdefault(made, _band(seen[made]))
        window = window_of(graph, op)
        for image in set(images_of(graph, op)) & set(seen):
            for strip, rows in enumerate(band.fresh):
                if rows[0] < rows[1]:
                    seen[image][strip].append(rows_under(window, rows, graph.tensors[image].shape[1])[0])
    return bands


def _band(seen: Sequence[Sequence[Rows]]) -> Band:
    """What must be held for a strip: from the first row that it or a later one sees, to the last one."""
    held: list[Rows] = []
    fresh: list[Rows] = []
    before = 0
    for strip, rows in enumerate(seen):
        first = min((r[0] for later in seen[strip:] for r in later), default=before)
        end = max([before, *(r[1] for r in rows)])
        held.append((first, max(first, end)))
        fresh.append((max(first, before), max(first, end)))
        before = max(before, end)
    return Band(held, fresh)


def find_over(graph: Network, stage: Sequence[Operator], bands: Mapping[int, Band]) -> Mapping[int, int]:
    """Whether the stage's output may grow over its only image, whose rows have been read by then."""
    last, made = stage[-1].outputs[0], graph.tensors[stage[-1].outputs[0]]
    read = {i for op in stage for i in images_of(graph, op)} - set(bands)
    image = graph.tensors[min(read)]
    kept = image.index in (*graph.outputs, *graph.variables) or image.size < made.size
    if len(read) > 1 or kept or image.index in stage[-1].inputs:
        return {}
    needed = [image.shape[1]] * (len(bands[last].fresh) + 1)
    for op in stage:
        for strip, rows in enumerate(bands[op.outputs[0]].fresh):
            if image.index in op.inputs and rows[0] < rows[1]:
                first = rows_under(window_of(graph, op), rows, image.shape[1])[0][0]
                needed[: strip + 1] = (min(one, first) for one in needed[: strip + 1])
    behind = zip(bands[last].fresh, needed[1:], strict=True)
    covers = (
        rows[1] * (made.size // made.shape[1]) > free * (image.size // image.shape[1])
        for rows, free in behind
    )
    return {} if any(covers) else {last: image.index}
