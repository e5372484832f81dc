"""Complete projects for the toolchains of boards: where their files lie, and what fills them."""

from __future__ import annotations

import io
import string
import tomllib
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.target.cores import emulated_devices

_KITS = Path(__file__).parent / "templates" / "kits"
PLAIN = "c"
"""The project that is for no toolchain in particular."""


@cache
def kits() -> Mapping[str, Mapping[str, Any]]:
    """Name of a toolchain -> how its projects are laid out, and words for each device."""
    return tomllib.loads((_KITS / "kits.toml").read_text("utf-8"))


def check_kit(kit: str, device: Device, ram_bytes: int = 0) -> None:
    """Refuse a toolchain that does not serve a device, or a network too large for what it links.

    Args:
        kit: name of a toolchain, or `PLAIN`.
        device: what the network is built for.
        ram_bytes: that the network takes, stack included.

    Raises:
        ValueError: with the names that would do.
    """
    if kit == PLAIN:
        return
    if kit not in kits():
        raise ValueError(f"toolchain {kit!r}: choose one of {', '.join([PLAIN, *kits()])}")
    words = kits()[kit]["devices"].get(device.key)
    if words is None:
        serving = [one for one in kits() if device.key in kits()[one]["devices"]]
        serving += [PLAIN] * (device in emulated_devices())
        other = f", or --for {' or '.join(serving)}" if serving else ""
        raise ValueError(
            f"{kit} has no project for {device.name}: choose a device among "
            f"{', '.join(kits()[kit]['devices'])}{other}"
            f"{kits()[kit].get('instead', '')}"
        )
    room = 1024 * words.get("ram_kib", 0)
    if room and ram_bytes > room:
        raise ValueError(
            f"the network takes {ram_bytes:,} bytes of RAM, and of {device.name} a bare program has "
            f"{room:,} in a row: choose a larger device, or another toolchain that places arrays itself"
        )


def source_folder(kit: str, name: str) -> str:
    """Where in a project the C of a network lies."""
    return "src" if kit == PLAIN else _fill(kits()[kit]["sources"], {"name": name})


def make_project(
    kit: str,
    device: Device,
    files: Mapping[str, str],
    words: Mapping[str, str],
    more: Mapping[str, str],
) -> dict[str, bytes]:
    """Lay out a project.

    Args:
        kit: a toolchain for which `check_kit` was asked.
        device: the board's.
        files: file name -> text: all C of the network and its self-test.
        words: what templates ask for.
        more: path in the project -> text that goes along.

    Returns:
        Path in the project -> content.
    """
    layout = kits()[kit]
    folder = source_folder(kit, words["name"])
    own = {f"{words['name']}_{file}": read_kit_file(file) for file in ("board.c", "board.h", "cycles.h")}
    told = {**words, **_texts(kit, device)}
    sources = {**files, **{file: _fill(text, told) for file, text in own.items()}}
    # Paths in a CMake list are told from the file that lists them, which lies beside the folder.
    listed = sorted(f"src/{file}" for file in sources if file.endswith(".c"))
    told |= {"files": "\n    ".join(listed), "sources": f"`{folder}`"}
    told["steps"] = make_steps(kit, device, told)
    made = {**more, **{f"{folder}/{file}": text for file, text in sources.items()}}
    for place, template in (*layout["files"].items(), ("README.md", "README.md")):
        made[_fill(place, told)] = _fill(read_kit_file(template), told)
    project = {place: text.encode() for place, text in made.items()}
    if layout.get("zip"):
        project[f"{words['name']}.zip"] = _zip(words["name"], project)
    return project


def make_steps(kit: str, device: Device, words: Mapping[str, str]) -> str:
    """The steps from nothing to the serial monitor, in Markdown; `words` has the network's `name`."""
    return _fill(read_kit_file(kits()[kit]["steps"]), {**words, **_texts(kit, device)})


def read_kit_file(template: str) -> str:
    """A template as it is stored."""
    return (_KITS / template).read_text("utf-8")


def _texts(kit: str, device: Device) -> dict[str, str]:
    words = {key: str(value) for key, value in kits()[kit]["devices"][device.key].items()}
    return {
        **{key: kits()[kit][key] for key in ("sdk", "tried")},
        **words,
        "kit": kit,
        "device_key": device.key,
        "env": device.key,
        "clock_mhz": f"{device.clock_hz / 1e6:,.0f}",
        "flash_bytes": str(device.flash_bytes),
        "ram_bytes": str(1024 * int(words.get("ram_kib", 0))),
        "least_stack_bytes": "1024",
    }


def _fill(text: str, words: Mapping[str, str]) -> str:
    return string.Template(text).substitute(words)


def _zip(name: str, project: Mapping[str, bytes]) -> bytes:
    """The project as the Arduino IDE imports it; the same bytes whenever it is made."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in sorted(project.items()):
            archive.writestr(zipfile.ZipInfo(f"{name}/{place}"), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
