"""What an image of the flash gives away to whoever reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.mcu.firmware import Firmware

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 512
_KINDS = ("code and the rest", "scales and biases", "weights")


def read_flash(firmware: Firmware) -> tuple[int, bytes]:
    """Return the address where the flash begins, and its bytes."""
    parts = sorted(firmware.image.segments())
    start = parts[0][0]
    content = bytearray(b"\xff" * (max(at + len(part) for at, part in parts) - start))
    for at, part in parts:
        content[at - start : at - start + len(part)] = part
    return start, bytes(content)


def find_weights(firmware: Firmware, name: str) -> bytes:
    """Return the bytes of a symbol in flash.

    Raises:
        ValueError: no symbol of that name.
    """
    if name not in firmware.image.symbols:
        tables = [one for one in firmware.image.symbols if one.endswith("_weights")]
        raise ValueError(f"no symbol {name!r}: tables of weights are {', '.join(tables)}")
    symbol, (start, content) = firmware.image.symbols[name], read_flash(firmware)
    return content[symbol.address - start :][: symbol.size_bytes]


def draw_flash(firmware: Firmware) -> list[Axes]:
    """Draw the flash, a pixel for each byte: as it is, and what its symbols say that it is."""
    from matplotlib import pyplot as plt
    from matplotlib.colors import ListedColormap

    _, content = read_flash(firmware)
    kinds = _kinds(firmware)
    axes: list[Axes] = list(plt.subplots(2, 1, figsize=(9, 5.4))[1])
    raw = np.frombuffer(content, np.uint8)
    axes[0].imshow(_rows(raw), aspect="auto")
    axes[0].set_title("What a thief reads")
    axes[1].imshow(_rows(kinds), cmap=ListedColormap(["#0072B2", "#C98200", "#CFD8DC"]), aspect="auto")
    shares = [f"{name} {np.mean(kinds == number):.0%}" for number, name in enumerate(_KINDS)]
    axes[1].set_title(f"Blue: {shares[0]}; orange: {shares[1]}; grey: {shares[2]}", fontsize=11)
    for one in axes:
        one.set_axis_off()
    return axes


def _kinds(firmware: Firmware) -> NDArray[np.uint8]:
    start, content = read_flash(firmware)
    kinds = np.zeros(len(content), np.uint8)
    for name, symbol in firmware.image.symbols.items():
        at = symbol.address - start
        if 0 <= at < len(content):
            kind = 2 if name.endswith("_weights") else 1 if name.endswith("_channels") else 0
            kinds[at : at + symbol.size_bytes] = kind
    return kinds


def _rows(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    filled = np.zeros(-(-len(values) // WIDTH) * WIDTH, np.uint8)
    filled[: len(values)] = values
    return filled.reshape(-1, WIDTH)
