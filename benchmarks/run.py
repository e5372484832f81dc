"""`make bench`: our kernels, CMSIS-NN and plain loops, in one run, on one emulator.

    python benchmarks/run.py FOLDER_WITH_BAKENN [NETWORK ...]

Every build runs the same inputs; "wrong" counts output bytes that differ from LiteRT's reference
kernels. "cycles" are by the table of the core's manual; "on the board" adds the waits for the flash of a
board whose estimate was held against public runs (`measure.BOARDS`). What was measured is left in
data/reference/kernels.json, where lesson 08 finds it. The rival is the newest CMSIS-NN that lies in the
folder, built with whichever flag is fastest: by zig's clang, and by GCC for Arm where that is installed.
With names of networks or layers only these are measured, and take the place of what was stored of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boards
import gcc
import numpy as np
from cmsis_nn import Rival, find_newest, with_bakenn, with_cmsis_nn, with_plain_loops
from measure import BOARDS, NETWORKS, Result, measure_best
from tflite_maker import Maker

from tinyml_helpers.datasets import data_folder, read_verified, write_manifest
from tinyml_helpers.mcu.compiler import codegen, graph, lowering
from tinyml_helpers.mcu.target import cores
from tinyml_helpers.system.tables import text_table

ENGINES = ("ours", "CMSIS-NN", "bakenn", "plain loops")
HEADER = ("instructions per MAC", *ENGINES, "cycles per MAC", "CMSIS-NN", "on the board", "CMSIS-NN")
HEADER += ("flash", "CMSIS-NN", "RAM", "wrong")
ZIG_FLAGS = ("-O2", "-O3")
STORED = data_folder() / "reference" / "kernels.json"


def layers() -> dict[str, bytes]:
    """The five kinds of layers that the course compares, one network each."""
    conv, rng = ("CONV_2D", 0), np.random.default_rng(0)
    return {
        "3x3 conv 16->32": _layer(rng, *conv, (16, 16, 16), (32, 3, 3, 16), 1),
        "1x1 conv 64->64": _layer(rng, *conv, (25, 5, 64), (64, 1, 1, 64), 1),
        "3x3 depthwise 64": _layer(rng, "DEPTHWISE_CONV_2D", 3, (25, 5, 64), (1, 3, 3, 64), 1),
        "10x4 conv 1->64": _layer(rng, *conv, (49, 10, 1), (64, 10, 4, 1), 2),
        "dense 256->128": _layer(rng, "FULLY_CONNECTED", 0, (256,), (128, 256), 1),
    }


def _layer(
    rng: np.random.Generator,
    kind: str,
    axis: int,
    image: tuple[int, ...],
    shape: tuple[int, ...],
    stride: int,
) -> bytes:
    made, n = Maker(), shape[axis]
    dense = kind == "FULLY_CONNECTED"
    given = made.tensor((1, *image), 1 / 64, -128)
    scales = 0.004 if dense else rng.uniform(0.002, 0.006, n)
    weights = made.tensor(shape, scales, 0, data=rng.integers(-127, 128, shape), axis=axis)
    bias = made.tensor((n,), np.float32(scales) / 64, 0, "int32", rng.integers(-2000, 2000, n))
    size = (n,) if dense else (*(-(-s // stride) for s in image[:2]), n)
    out = made.tensor((1, *size), 0.05, -128)
    options = {} if dense else {"strideH": stride, "strideW": stride, "padding": 0}
    options |= {"depthMultiplier": 1} if kind.startswith("DEPTH") else {}
    made.operator(kind, [given, weights, bias], out, fusedActivationFunction=1, **options)
    return made.content([given], [out])


def builds(content: bytes, core: str, rival: Rival, bakenn: Path) -> dict[str, codegen.Program | None]:
    """Our kernels, CMSIS-NN's, bakenn's portable ones and plain loops."""
    g, dsp = lowering.strip_float_ends(graph.read(content)), cores.CORES[core].dsp
    return {
        "ours": codegen.generate(g, dsp=dsp, trimmed=False),  # the same network as the others
        "CMSIS-NN": with_cmsis_nn(g, rival),
        "bakenn": with_bakenn(content, g, bakenn),
        "plain loops": with_plain_loops(g, dsp=dsp),
    }


def row(name: str, results: dict[str, Result | None]) -> tuple[str, ...]:
    """Figures of one network on one core."""
    ours, arm = results["ours"], results["CMSIS-NN"]
    assert ours is not None and arm is not None
    return (
        name,
        *(f"{r.instructions / r.macs:.2f}" if r else "" for r in results.values()),
        *(f"{r.cycles / r.macs:.2f}" for r in (ours, arm)),
        *(f"{r.board_cycles / r.macs:.2f}" for r in (ours, arm)),
        *(f"{r.flash_bytes:,}" for r in (ours, arm)),
        f"{ours.ram_bytes:,}",
        " ".join(str(r.wrong) if r else "-" for r in results.values()),
    )


def versions(rival: Rival, bakenn: Path) -> dict[str, str]:
    """What the figures depend on."""
    wheel = next(bakenn.glob("bakenn-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    return {
        "compiler": f"clang of ziglang {version('ziglang')}, -O2; CMSIS-NN by the best of {ZIG_FLAGS}",
        "unicorn": version("unicorn"),
        "bakenn": wheel,
        "CMSIS-NN": rival.name,
    }


def by_zig(
    contents: Mapping[str, bytes], rival: Rival, bakenn: Path
) -> dict[str, dict[str, dict[str, Result | None]]]:
    """Core -> network -> engine -> what it took; prints a table for each core."""
    found: dict[str, dict[str, dict[str, Result | None]]] = {}
    for core in BOARDS:
        rows, networks = [], {}
        for name, content in contents.items():
            results: dict[str, Result | None] = {}
            for engine, program in builds(content, core, rival, bakenn).items():
                flags = ZIG_FLAGS if engine == "CMSIS-NN" else ZIG_FLAGS[:1]
                results[engine] = measure_best(content, program, core, flags) if program else None
            networks[name] = results
            rows.append(row(name, results))
        found[core] = networks
        print(f"\n{core}, {BOARDS[core]}\n{text_table(HEADER, rows)}", flush=True)
    return found


def by_gcc(contents: Mapping[str, bytes], rival: Rival, bakenn: Path) -> dict[str, Any]:
    """Our kernels and CMSIS-NN's by GCC, or what was stored of it where there is no GCC."""
    found = gcc.version()
    if found is None:
        print(f"{gcc.NAME} is not installed: its figures stay as they are stored")
        return dict(json.loads(STORED.read_text("utf-8"))["gcc"])
    core, measured = "cortex-m4", {}
    for name, content in contents.items():
        made = builds(content, core, rival, bakenn)
        engines = {key: made[key] for key in ("ours", "CMSIS-NN")}
        measured[name] = {
            engine: measure_best(content, program, core, gcc.FLAGS, gcc.compile)
            for engine, program in engines.items()
            if program
        }
        print(name, *measured[name].values(), sep="\n  ", flush=True)
    return {"compiler": f"{gcc.NAME} {found}, the best of {', '.join(gcc.FLAGS)}", core: measured}


def main(bakenn: Path, *names: str) -> None:
    """Measure everything, or some networks and layers, and store it."""
    contents = {**layers(), **{k: read_verified(f"models/{v}.tflite") for k, v in NETWORKS.items()}}
    chosen = {name: contents[name] for name in names or contents}
    rival = find_newest(bakenn)
    print(rival.name)
    zig, by = by_zig(chosen, rival, bakenn), by_gcc(chosen, rival, bakenn)
    stored = json.loads(STORED.read_text("utf-8"))
    for core, networks in zig.items():
        stored["cores"][core] |= networks
    stored["gcc"] = {**by, "cortex-m4": {**stored["gcc"]["cortex-m4"], **by["cortex-m4"]}}
    stored["versions"] = versions(rival, bakenn)
    STORED.write_text(json.dumps(stored, indent=1, default=asdict) + "\n", "utf-8")
    write_manifest()
    if not names:
        boards.main(bakenn)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
