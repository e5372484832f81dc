"""A graph as a picture: one box for each operator, in the order in which they run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

COLUMNS = 13
# What a box of each colour does; the first kind that names the operator decides.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "integers, or to and from them": (
        "#CC79A7",
        ("QLinear", "QGemm", "Quantize", "Dequantize", "Integer"),
    ),
    "multiplies by weights": ("#0072B2", ("Conv", "Gemm", "MatMul")),
    "element by element": (
        "#C98200",
        ("Relu", "Add", "Sub", "Mul", "Div", "Clip", "BatchNorm", "Sigmoid"),
    ),
    "average": ("#009E73", ("ReduceMean", "Pool")),
}
OTHER = "moves data, or finds out shapes"
_SHORT = {
    "QuantizeLinear": "Q", "DequantizeLinear": "DQ", "ReduceMean": "Mean", "ConstantOfShape": "Const.",
    "Constant": "Const.", "Transpose": "Transp.", "Unsqueeze": "Unsq.", "ReorderInput": "Reorder",
    "ReorderOutput": "Reorder", "QLinearConv": "QConv", "BatchNormalization": "BatchN.",
    "FusedConv": "Conv+",
}  # fmt: skip


def classify(operator: str) -> str:
    """Return what an operator does, as one of `KINDS` or `OTHER`."""
    named = (name for name, (_, words) in KINDS.items() if any(word in operator for word in words))
    return next(named, OTHER)


def draw(operators: Sequence[str], title: str = "") -> Axes:
    """Draw operators as boxes in rows, coloured by what they do, with a legend.

    Args:
        operators: their types, in order, such as `onnx.operators` returns them.
        title: of the new figure.
    """
    rows = max(1, math.ceil(len(operators) / COLUMNS))
    axes = plt.subplots(figsize=(9, 1.1 + 0.32 * rows))[1]
    axes.set_title(title)
    colours = {name: colour for name, (colour, _) in KINDS.items()} | {OTHER: "#B8C4CE"}
    for place, operator in enumerate(operators):
        _box(axes, place, _SHORT.get(operator, operator), colours[classify(operator)])
    axes.set(xlim=(-0.55, COLUMNS - 0.45), ylim=(rows - 0.45, -0.55))
    axes.set_axis_off()
    used = [name for name in colours if name in set(map(classify, operators))]
    axes.legend(
        handles=[Patch(color=colours[name], label=name) for name in used],
        ncols=len(used), loc="upper left", bbox_to_anchor=(0, 0), fontsize=9, columnspacing=1,
    )  # fmt: skip
    return axes


def _box(axes: Axes, place: int, label: str, colour: str) -> None:
    row, column = divmod(place, COLUMNS)
    axes.add_patch(Rectangle((column - 0.47, row - 0.4), 0.94, 0.8, color=colour))
    ink = "black" if colour in ("#B8C4CE", "#C98200", "#CC79A7") else "white"
    axes.text(column, row, label, ha="center", va="center", fontsize=8, color=ink)


def draw_bytes(parts: Mapping[str, Mapping[str, int]], title: str = "") -> Axes:
    """Draw where the bytes of some files go: one stacked bar for each, with a legend on top.

    Args:
        parts: label -> part -> bytes, such as `ModelReport.bytes_by_part`.
        title: of the new figure.
    """
    axes = plt.subplots(figsize=(9, 1.5 + 0.45 * len(parts)))[1]
    kinds = [kind for kind in next(iter(parts.values())) if any(p.get(kind) for p in parts.values())]
    left = dict.fromkeys(parts, 0)
    for kind_ in kinds:
        sizes = [sizes.get(kind_, 0) for sizes in parts.values()]
        axes.barh(list(parts), sizes, left=list(left.values()), height=0.6)
        left = {label: start + size for (label, start), size in zip(left.items(), sizes, strict=True)}
    axes.invert_yaxis()
    axes.set(title=title, xlabel="bytes")
    handles = [bar[0] for bar in axes.containers]
    axes.legend(handles, kinds, ncols=4, loc="lower right", bbox_to_anchor=(1, 1.15), fontsize=9)
    return axes
