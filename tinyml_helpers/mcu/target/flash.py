"""How a device's flash answers: what its core waits for, and what a cache saves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml_helpers.devices import Device

MOST_LINES = 2048
"""Of a cache; as in stopwatch.c."""


@dataclass(frozen=True)
class Cache:
    """Lines of so many bytes, in sets of `ways`, of which the one unused for longest is replaced."""

    lines: int
    line_bytes: int
    ways: int

    def __post_init__(self) -> None:
        if not (0 < self.ways <= self.lines <= MOST_LINES and self.lines % self.ways == 0):
            raise ValueError(
                f"a cache of {self.lines} lines in sets of {self.ways}: give at most {MOST_LINES} "
                "lines, a multiple of the ways"
            )


@dataclass(frozen=True)
class Flash:
    """What a read of flash costs.

    Args:
        wait_cycles: cycles of the core that it waits for a read that no cache answers.
        read_bytes: that one read brings.
        code: the cache that instructions come through; `None` for none.
        data: the cache that constants come through; `None` for none.
        shared: constants come through the instructions' cache.
        prefetch: the instructions behind those that were fetched are read ahead.
        ram_load_cycles: further cycles of a load from RAM that overlaps with no other.
        error_percent: by how much the estimate may be wrong, where boards have shown it.
    """

    wait_cycles: int
    read_bytes: int
    code: Cache | None = None
    data: Cache | None = None
    shared: bool = False
    prefetch: bool = False
    ram_load_cycles: float = 0.0
    error_percent: float | None = None


def flash_of(device: Device) -> Flash | None:
    """The flash of a device as the catalogue has it; `None` where it says nothing.

    Raises:
        ValueError: the catalogue's figures make no cache.
    """
    if not device.memory:
        return None
    figures: dict[str, Any] = {name: value for name, (value, _) in device.memory.items()}
    shared = figures.pop("cache", None)
    code, data = figures.pop("code_cache", shared), figures.pop("data_cache", None)
    return Flash(
        code=Cache(*code) if code else None,
        data=Cache(*data) if data else None,
        shared=shared is not None,
        **figures,
    )
