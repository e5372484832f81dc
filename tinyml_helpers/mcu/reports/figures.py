"""Pictures of a firmware: the chip it lies in, where its cost goes, and what lives in RAM when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from tinyml_helpers.mcu.compiler.arena import Block
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.compiler.lowering import Layer
from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH
from tinyml_helpers.mcu.firmware import Firmware
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.mcu.target.image import Image

if TYPE_CHECKING:
    pass

# Okabe and Ito's colours: they stay apart for people with any common colour blindness.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#C98200", "#009E73", "#D9D9D9"
_KINDS = {
    "CONV_2D": _BLUE, "DEPTHWISE_CONV_2D": _ORANGE, "FULLY_CONNECTED": _GREEN, "PAD": "#CC79A7",
    "MEAN": "#3A9BD4", "ADD": "#D55E00",
}  # fmt: skip


def chip(firmware: Firmware, run: Run, axes: Axes) -> Axes:
    """Draw a microcontroller with its core, flash and RAM, filled as far as the firmware fills them.

    Args:
        firmware: what lies in flash.
        run: for the stack.
        axes: where to draw; its frame and ticks are taken away.
    """
    device = firmware.device
    _box(axes, 0, 0, 10, 4, "#F2F2F2")
    axes.text(0.2, 3.65, f"{device.chip} ({device.name})", weight="bold", va="center")
    _box(axes, 0.3, 0.4, 2, 2.8, "#FFFFFF")
    clock = f"{device.core}\n{device.clock_hz / 1e6:.0f} MHz"
    axes.text(1.3, 1.8, f"core\n\n{clock}\n\n1 program,\nno operating\nsystem", ha="center", va="center")
    constants = "weights, scales, tables"
    parts = [("code", firmware.code_bytes, _ORANGE), (constants, firmware.constant_bytes, _BLUE)]
    _memory(axes, 1.95, "flash: kept without power, read only", device.flash_bytes, parts)
    parts = [
        ("arena and variables", firmware.ram_bytes, _GREEN),
        ("stack", run.stack_bytes, _ORANGE),
    ]
    _memory(axes, 0.4, "RAM: forgets, read and written", device.ram_bytes, parts)
    axes.set(xlim=(-0.05, 10.05), ylim=(-0.05, 4.05))
    axes.axis("off")
    return axes


def _memory(axes: Axes, bottom: float, name: str, size_bytes: int, parts: list[Any]) -> None:
    left, width = 2.6, 7.1
    axes.text(left, bottom + 1.13, f"{name}, {size_bytes / 1024:,.0f} KiB", va="center")
    axes.add_patch(_rectangle(left, bottom + 0.5, width, 0.42, "#FFFFFF"))
    start, legend = left, []
    for label, part_bytes, colour in parts:
        filled = width * part_bytes / size_bytes
        axes.add_patch(_rectangle(start, bottom + 0.5, filled, 0.42, colour))
        legend.append((f"{label}: {part_bytes:,} B", colour))
        start += filled
    for i, (text, colour) in enumerate(legend):
        axes.plot(left + 0.1 + 2.9 * i, bottom + 0.2, "s", color=colour, markersize=8)
        axes.text(left + 0.3 + 2.9 * i, bottom + 0.19, text, va="center", fontsize=10)


def smlad(x: tuple[int, int], w: tuple[int, int], total: int, axes: Axes) -> Axes:
    """Draw what SMLAD does: two products of 16-bit halves, both added to a sum of 32 bits.

    Args:
        x: the halves of one register, the upper one first.
        w: the halves of the other.
        total: the sum before.
        axes: where to draw; its frame and ticks are taken away.
    """
    rows = ((x, _BLUE, "white", "inputs"), (w, _ORANGE, "black", "weights"))
    for row, (halves, colour, ink, name) in enumerate(rows):
        for i, half in enumerate(halves):
            _box(axes, 1.5 + 2 * i, 2.9 - 0.9 * row, 2, 0.6, colour)
            place = (2.5 + 2 * i, 3.2 - 0.9 * row)
            axes.text(*place, f"{half}", ha="center", va="center", color=ink, weight="bold")
        axes.text(1.3, 3.2 - 0.9 * row, name, ha="right", va="center")
    for i in range(2):
        product = x[i] * w[i]
        axes.text(2.5 + 2 * i, 1.45, f"{x[i]} × {w[i]} = {product}", ha="center", va="center")
        arrow = {"arrowstyle": "->", "color": "#555555"}
        axes.annotate("", (3.4 + 0.2 * i, 0.65), (2.5 + 2 * i, 1.25), arrowprops=arrow)
    result = total + x[0] * w[0] + x[1] * w[1]
    _box(axes, 1.5, 0, 4, 0.6, _GREEN)
    text = f"{total} + {x[0] * w[0]} + {x[1] * w[1]} = {result}"
    axes.text(3.5, 0.3, text, ha="center", va="center", color="white", weight="bold")
    axes.text(1.3, 0.3, "sum", ha="right", va="center")
    axes.text(5.7, 2.75, "two numbers of 16 bits\nin each register", va="center", fontsize=10)
    axes.text(5.7, 0.3, "one number of 32 bits", va="center", fontsize=10)
    axes.set(xlim=(0, 8.3), ylim=(-0.1, 3.6))
    axes.axis("off")
    return axes


def by_layer(firmware: Firmware, run: Run) -> tuple[Axes, Axes, Axes]:
    """Draw instructions, flash and RAM of each layer, side by side.

    Args:
        firmware: flash is what a layer's constants take; the last row is the code of all.
        run: instructions of its profile.

    Returns:
        The three axes, from left to right.
    """
    layers = [(i, layer) for i, layer in enumerate(firmware.program.layers) if layer.calls]
    names = [f"{layer.operator.position} {short_name(layer)}" for _, layer in layers] + ["code"]
    columns = [
        [layer.instructions / 1000 for layer in run.profile],
        [constant_bytes(layer, firmware.image) / 1000 for _, layer in layers]
        + [firmware.code_bytes / 1000],
        [firmware.program.arena.live_bytes(i) / 1000 for i, _ in layers],
    ]
    colours = [_KINDS.get(layer.operator.type, _GREY) for _, layer in layers] + ["#000000"]
    height = 1.1 + 0.24 * len(names)
    axes = plt.subplots(1, 3, figsize=(9, height), sharey=True, width_ratios=[5, 4, 4])[1]
    for panel, values in zip(axes, columns, strict=True):
        panel.barh(names[: len(values)], values, color=colours[: len(values)])
    axes[0].invert_yaxis()
    axes[0].tick_params(axis="y", labelsize=10)
    return axes[0], axes[1], axes[2]


def arena(program: Program, axes: Axes) -> Axes:
    """Draw what lies where in the arena while each layer runs.

    Args:
        program: the network.
        axes: layers run from left to right, offsets in the arena upwards.
    """
    for block in program.arena.blocks:
        colour = _GREY if block.tensors == (SCRATCH,) else _BLUE if block.first < 0 else _GREEN
        left, width = block.first - 0.46, block.last - block.first + 0.92
        last = len(program.layers) - 1
        width = min(width, last + 0.46 - left)
        patch = _rectangle(left, block.offset / 1000, width, block.size_bytes / 1000, colour)
        axes.add_patch(patch)
        _label(axes, block, program, left + width / 2)
    axes.axhline(program.arena.size_bytes / 1000, color="black", ls=":", lw=1.5)
    axes.set(xlim=(-1.6, len(program.layers) - 0.4), ylim=(0, 1.08 * program.arena.size_bytes / 1000))
    names = ["in", *(f"{layer.operator.position} {short_name(layer)}" for layer in program.layers)]
    axes.set_xticks(range(-1, len(program.layers)), names, rotation=55, ha="right", fontsize=9)
    axes.grid(visible=False)
    return axes


def _label(axes: Axes, block: Block, program: Program, centre: float) -> None:
    """Name a block that is large enough to hold its name."""
    if block.size_bytes < 0.07 * program.arena.size_bytes or block.tensors == (SCRATCH,):
        return
    dims = program.graph.tensors[block.tensors[0]].dims.replace("x", "×")
    height = (block.offset + block.size_bytes / 2) / 1000
    wide = block.last > block.first + 1
    axes.text(
        centre, height, dims, ha="center", va="center", color="white", fontsize=10 if wide else 8.5
    )


def short_name(layer: Layer) -> str:
    """Name of a layer as a figure has room for it: "conv" for CONV_2D."""
    short = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}
    return short.get(layer.operator.type, layer.operator.type.lower().removesuffix("_2d"))


def constant_bytes(layer: Layer, image: Image) -> int:
    """Bytes of a program's flash that a layer's weights, scales and tables take."""
    return sum(image.symbols[constant.name].size_bytes for constant in layer.constants)


def bands(
    measured: Mapping[str, tuple[float, float]], marks: Mapping[str, Mapping[str, float]], axes: Axes
) -> Axes:
    """Draw bands, and single figures beside them, on a logarithmic scale.

    Args:
        measured: name -> low and high.
        marks: what a mark stands for -> name -> its place; not every name needs one.
        axes: one row for each name.
    """
    for row, (low, high) in enumerate(measured.values()):
        label = "emulator: band" if row == 0 else None
        axes.plot((low, high), (row, row), lw=9, color="#3A9BD4", solid_capstyle="butt", label=label)
    for (label, places), marker, colour in zip(marks.items(), "Do", (_ORANGE, "#000000"), strict=False):
        rows = [row for row, name in enumerate(measured) if name in places]
        axes.plot([places[list(measured)[row]] for row in rows], rows, marker, color=colour, label=label)
    axes.set(xscale="log", yticks=range(len(measured)), yticklabels=list(measured))
    axes.invert_yaxis()
    return axes


def against_boards(stored: Mapping[str, Any], axes: Axes) -> Axes:
    """Draw by how much the estimate missed what boards took: dots for runs, bars for ranges.

    Args:
        stored: `data/reference/board_cells.json`.
        axes: one row for each device, and one for what `make bench` repeats.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    for cell in stored["cells"]:
        rows.setdefault(cell["device"], []).append((cell["error_percent"],) * 2)
    for group in stored["ranges"]:
        rows[group["device"].replace(", ", ",\n")] = [
            (*ends,) for ends in group["error_percent"].values()
        ]
    for compiler, repeated in stored["repeated"].items():
        errors = [network["error_percent"] for network in repeated["networks"].values()]
        rows[f"CMSIS-NN by {compiler},\nrepeated here"] = [(error, error) for error in errors]
    for row, (name, ends) in enumerate(rows.items()):
        colour = _ORANGE if name.startswith("CMSIS") else _BLUE
        for low, high in ends:
            axes.plot((low, high), (row, row), "o-", color=colour, lw=5, markersize=7, alpha=0.6)
    axes.axvline(0, color="black", lw=1)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    return axes


def _rectangle(left: float, bottom: float, width: float, height: float, colour: str) -> Any:
    return Rectangle((left, bottom), width, height, facecolor=colour, edgecolor="#555555", lw=0.6)


def _box(axes: Axes, left: float, bottom: float, width: float, height: float, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((left, bottom), width, height, boxstyle=style, facecolor=colour, edgecolor="#555")
    )
