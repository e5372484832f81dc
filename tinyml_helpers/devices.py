"""Devices from microcontroller to phone, each figure with its source, and whether a model fits.

The figures lie in `devices.toml` beside this module. A figure that no source states is
`None` and prints as "not stated": nothing is filled in from memory.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Protocol

from tinyml_helpers.system.tables import html_table, text_table

CODE_BYTES = 12 * 1024
"""Flash kept for the engine's code: one compiled ahead of time, -Os, on a Cortex-M4.

Measured on the MLPerf Tiny keyword network: 36.9 KB of flash in all, of which about 26 KB are
weights and scales. An interpreter needs more: TensorFlow Lite Micro with CMSIS-NN, by gcc 12 with
-Os, 126.5 KB in all for a 53.9 KB model file, so pass `code_bytes=74 * 1024`.
"""
STACK_BYTES = 2 * 1024
"""RAM kept for the stack: 0.3 to 1.7 KB were measured on the same network, rounded up."""

_FIGURES = ("clock_hz", "flash_bytes", "ram_bytes", "active_mw", "sleep_uw", "coremark_per_mhz")


class Footprint(Protocol):
    """Anything with a size: a counted model, a .tflite file, a built firmware."""

    @property
    def flash_bytes(self) -> int:
        """Bytes of weights (and code, where it is known) in flash."""

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM at the fullest moment of one inference."""


@dataclass(frozen=True, repr=False)
class Device:
    """A device and its figures; `sources` says where each figure stands, by field name."""

    key: str
    name: str
    chip: str
    core: str
    kind: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    checked: date
    active_mw: float | None = None
    sleep_uw: float | None = None
    coremark_per_mhz: float | None = None
    system_flash_bytes: int = 0
    """What the board's own system takes: its bootloader and what every program brings."""
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    memory: Mapping[str, tuple[Any, str]] = field(default_factory=dict, hash=False)
    """How the flash answers, for `mcu.target.flash`: name -> figure and where it stands."""

    def __repr__(self) -> str:
        """Every figure of the device with its source."""
        rows = (f"  {name:<19} {value:>13}  {source}" for name, value, source in self._sourced())
        return "\n".join([self._title(), *rows, f"  figures checked on {self.checked}"])

    def _repr_html_(self) -> str:
        """The same as a table for a notebook."""
        table = html_table(("figure", "value", "source"), self._sourced(), names=(0, 2))
        return f"{escape(self._title())}{table}Figures checked on {self.checked}."

    def _title(self) -> str:
        return f"{self.name} ({self.key}): {self.chip}, {self.core}, {self.kind}"

    def _sourced(self) -> list[tuple[str, str, str]]:
        figures = [(name, self._figure(name), self.sources.get(name, "")) for name in _FIGURES]
        memory = ((f"flash {name}", f"{value}", source) for name, (value, source) in self.memory.items())
        return [*figures, *memory]

    def _figure(self, name: str) -> str:
        value = getattr(self, name)
        if value is None:
            return "not stated"
        if name.endswith("_bytes"):
            return size(value)
        return f"{value / 1e6:,.0f} MHz" if name == "clock_hz" else f"{value:,g}"

    def row(self) -> tuple[str, ...]:
        """The device as one row of the catalogue, as text."""
        figures = tuple(self._figure(name) for name in _FIGURES[:5])
        return (self.key, self.name, self.core, *figures)


@dataclass(frozen=True, repr=False)
class Catalogue:
    """The devices, smallest core first; prints as a table."""

    devices: tuple[Device, ...]

    HEADER = ("key", "name", "core", "clock", "flash", "RAM", "active mW", "sleep uW")

    def __iter__(self) -> Iterator[Device]:
        """The devices in order."""
        return iter(self.devices)

    def __len__(self) -> int:
        """How many devices there are."""
        return len(self.devices)

    def keys(self) -> tuple[str, ...]:
        """The key of each device, in order."""
        return tuple(device.key for device in self.devices)

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(self.HEADER, [device.row() for device in self.devices], names=(0, 1, 2))

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        return html_table(self.HEADER, [device.row() for device in self.devices], names=(0, 1, 2))


@dataclass(frozen=True, repr=False)
class Fit:
    """Whether a model fits a device, and what it needs of each memory in bytes."""

    device: Device
    flash_needed_bytes: int
    ram_needed_bytes: int

    @property
    def ok(self) -> bool:
        """True if both RAM and the flash that the board's system leaves suffice."""
        slack = min(self.flash_slack_percent, self.ram_slack_percent)
        return slack >= 0 and not self._system_is_in_the_way

    @property
    def _system_is_in_the_way(self) -> bool:
        rest_bytes = self.device.flash_bytes - self.flash_needed_bytes
        return 0 <= rest_bytes < self.device.system_flash_bytes

    @property
    def flash_slack_percent(self) -> float:
        """Part of the flash left over; negative if it does not fit."""
        return 100 * (1 - self.flash_needed_bytes / self.device.flash_bytes)

    @property
    def ram_slack_percent(self) -> float:
        """Part of the RAM left over; negative if it does not fit."""
        return 100 * (1 - self.ram_needed_bytes / self.device.ram_bytes)

    def __bool__(self) -> bool:
        """True if it fits."""
        return self.ok

    def __repr__(self) -> str:
        """A sentence with both memories."""
        verdict = "fits" if self.ok else "does not fit"
        flash = _reason("flash", self.flash_needed_bytes, self.device.flash_bytes)
        ram = _reason("RAM", self.ram_needed_bytes, self.device.ram_bytes)
        if self._system_is_in_the_way:
            flash += f", of which the board's system takes {size(self.device.system_flash_bytes)}"
        return f"{verdict} {self.device.name}: {flash}; {ram}"


@cache
def catalogue() -> Catalogue:
    """Every device that the course knows, from the smallest microcontroller to a phone."""
    text = files("tinyml_helpers").joinpath("devices.toml").read_text(encoding="utf-8")
    return Catalogue(tuple(_device(key, entry) for key, entry in tomllib.loads(text).items()))


def get(key: str) -> Device:
    """The device with this key, for example `"nano33ble"`.

    Raises:
        ValueError: no device has this key; the message lists those that exist.
    """
    for device in catalogue():
        if device.key == key:
            return device
    raise ValueError(f"unknown device {key!r}: choose one of {', '.join(catalogue().keys())}")


def fits(
    model: Footprint,
    device: Device | str,
    code_bytes: int = CODE_BYTES,
    stack_bytes: int = STACK_BYTES,
) -> Fit:
    """Check a model against a device's flash and RAM.

    Args:
        model: anything with `flash_bytes` and `ram_bytes`.
        device: a device or its key.
        code_bytes: flash kept for the inference engine; 0 if `model` already counts it.
        stack_bytes: RAM kept for the stack; 0 if `model` already counts it.

    Returns:
        What is needed, what there is, and the slack in percent; true in an `if` if it fits.

    Raises:
        ValueError: an unknown device, or a negative reserve.
    """
    for name, value in (("code_bytes", code_bytes), ("stack_bytes", stack_bytes)):
        if value < 0:
            raise ValueError(f"{name} is {value}: a reserve is 0 or more bytes")
    chosen = get(device) if isinstance(device, str) else device
    return Fit(chosen, model.flash_bytes + code_bytes, model.ram_bytes + stack_bytes)


def size(n_bytes: int) -> str:
    """A number of bytes for people: `size(12_288)` is `"12.0 KiB"`, 1 KiB being 1024 bytes."""
    scaled, unit = float(n_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(scaled) < 1024 or unit == "GiB":
            break
        scaled /= 1024
    return f"{scaled:,.0f} {unit}" if unit == "B" else f"{scaled:,.1f} {unit}"


def _reason(memory: str, needed: int, available: int) -> str:
    slack = 100 * (1 - needed / available)
    short = f"{slack:.0f} % left" if slack >= 0 else f"{size(needed - available)} too much"
    return f"{memory} {size(needed)} of {size(available)} ({short})"


def _device(key: str, entry: dict[str, Any]) -> Device:
    figures = {name: entry[name][0] for name in _FIGURES if name in entry}
    sources = {name: entry[name][1] for name in _FIGURES if name in entry}
    text = {name: entry[name] for name in ("name", "chip", "core", "checked")}
    memory = {name: (value, source) for name, (value, source) in entry.get("memory", {}).items()}
    if "system_flash_bytes" in entry:
        figures["system_flash_bytes"] = entry["system_flash_bytes"][0]
    return Device(key=key, kind=entry["class"], sources=sources, memory=memory, **text, **figures)
