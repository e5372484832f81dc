"""A page for each toolchain, from the steps that its projects bring, and what boards measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tinyml_helpers import devices
from tinyml_helpers.mcu import board_check, projects, sensors

_HEADER = ("network", "device", "toolchain", "wrong", "cycles, emulated", "cycles, measured", "stack")


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of the page about boards, and of one for each toolchain."""
    kits = projects.kits()
    listed = "\n".join(f"{kit} <boards/{kit}>" for kit in kits)
    toctree = f"\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    keys = sorted({key for kit in kits.values() for key in kit["devices"]})
    marks = [[devices.get(key).name, f"`{key}`", *_marks(key)] for key in keys]
    served = _table(["board", "`--device`", *(f"[{kit}](boards/{kit}.md)" for kit in kits)], marks)
    text = (Path(__file__).parent / "boards.md").read_text("utf-8")
    made = {"boards": served, "sensors": _sensors(), "rows": _measured(root)}
    for mark, table in made.items():
        text = text.replace(f"<!-- {mark} -->", table)
    yield "boards.md", text + toctree
    for kit in kits:
        yield f"boards/{kit}.md", _page(kit)


def _marks(key: str) -> list[str]:
    return ["yes" if key in kit["devices"] else "–" for kit in projects.kits().values()]


def _sensors() -> str:
    told = sensors.sensors().items()
    header = ["`--sensor`", "or, for the first that a board has", "what it is", "library", "carried by"]
    return _table(
        header,
        [
            [f"`{key}`", f"`{one['senses']}`", one["sensor"], one["library"], f"{one['carried']}."]
            for key, one in told
        ],
    )


def _measured(root: Path) -> str:
    told = json.loads((root / "data" / "reference" / "board_runs.json").read_text("utf-8"))
    rows = [board_check.check_row(row) for row in told["rows"]]
    if not rows:
        return "Nobody has sent a row yet: the table is empty, and yours would be the first.\n"
    cells = [
        [
            f"{row['name']} ({row['model']})",
            row["device"],
            row["kit"],
            f"{row['wrong_checks']} checks, {row['wrong_bytes']} bytes",
            f"{row['cycles_low']:,} to {row['cycles_high']:,}",
            f"{row['cycles']:,} ({row['counter']})",
            f"{row['emulated_stack_bytes']:,}, measured {row['stack_bytes']:,}",
        ]
        for row in rows
    ]
    return _table(list(_HEADER), cells)


def _page(kit: str) -> str:
    layout = projects.kits()[kit]
    key = "nano33ble" if "nano33ble" in layout["devices"] else next(iter(layout["devices"]))
    device = devices.get(key)
    words = {
        "name": "model",
        "stack_bytes": "the stack that `emulated.json` states, in",
        "core": device.core,
        "device": device.name,
    }
    steps = projects.make_steps(kit, device, words)
    return (
        f"# {kit}\n\n`tinyml deploy model.tflite --device {key} --for {kit} --export folder`; then, in "
        f"that folder, for {device.name}:\n\n{steps}\nWritten for {layout['sdk']}. {layout['tried']}\n"
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
