"""`make bench`: our kernels, CMSIS-NN and plain loops, in one run, on one emulator, by one compiler.

    python benchmarks/run.py FOLDER_WITH_BAKENN

Every build runs the same inputs; "wrong" counts output bytes that differ from LiteRT's reference
kernels. "cycles" are what the Cortex-M4's timing table makes of the executed instructions. What was
measured is left in data/reference/kernels.json, where lesson 08 finds it. Where GCC for Arm is
installed, our kernels and CMSIS-NN are measured by that compiler too, on the Cortex-M4.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import gcc
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from cmsis_nn import with_bakenn, with_cmsis_nn, with_plain_loops
from mcu_host import Reference
from tflite_maker import Maker

from tinyml_helpers import devices
from tinyml_helpers.datasets import data_folder, read_verified, write_manifest
from tinyml_helpers.mcu.compiler import codegen, graph, lowering
from tinyml_helpers.mcu.target import timing, toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.system.tables import text_table

CORES = ("cortex-m4", "cortex-m7", "cortex-m0plus")
NETWORKS = {
    "DS-CNN": "keyword_spotting",
    "ResNet-8": "image_classification",
    "visual wake words": "visual_wake_words",
    "autoencoder": "anomaly_detection",
}
HEADER = (
    "instructions per MAC",
    "ours",
    "CMSIS-NN",
    "bakenn C",
    "plain loops",
    "cycles per MAC",
    "CMSIS-NN",
)
HEADER += ("flash", "CMSIS-NN", "RAM", "wrong")
STORED = data_folder() / "reference" / "kernels.json"
MAIN = '#include "model.h"\nint main(void) { model_invoke(); return 0; }'


@dataclass(frozen=True)
class Result:
    """One build of one network on one core."""

    instructions: int
    cycles: int
    macs: int
    flash_bytes: int
    ram_bytes: int
    wrong: int


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


def measure(
    content: bytes,
    program: codegen.Program,
    core: str,
    build: Callable[..., Image] = toolchain.compile_c,
) -> Result:
    """Build and run on three inputs."""
    image = build({**program.files, "main.c": MAIN}, core, flash_bytes=4 << 20, ram_bytes=2 << 20)
    machine, reference, g = Machine(image), Reference(content), program.graph
    (first,), (last,) = g.inputs, g.outputs
    spans = [(program.arena.offset(i), g.tensors[i].size_bytes) for i in (first, last)]
    given, out = (f"model_arena[{start}:{start + size}]" for start, size in spans)
    source = graph.read(content)
    tensor, rng, wrong = source.tensors[source.inputs[0]], np.random.default_rng(0), 0
    for _ in range(3):
        x = rng.integers(-128, 128, tensor.shape).astype(np.int8)
        if tensor.dtype == "float32":
            x = (rng.normal(size=tensor.shape) * 60 * g.tensors[first].scale).astype(np.float32)
        quantized, want = reference.run([x], (first, last))
        run = machine.run({given: quantized}, {out: "int8"})
        wrong += int((run.outputs[out] != want.ravel()).sum())
    cycles = timing.estimate(
        image, machine.blocks(), devices.get("nucleo_l4r5zi" if "m0" not in core else "pico")
    )
    ram = program.arena.size_bytes + run.stack_bytes
    return Result(run.instructions, cycles.low, program.macs, image.flash_bytes, ram, wrong)


def builds(content: bytes, core: str, bakenn: Path) -> dict[str, codegen.Program | None]:
    """Our kernels, CMSIS-NN's, bakenn's portable ones and plain loops."""
    g, dsp = lowering.strip_float_ends(graph.read(content)), toolchain.CORES[core].dsp
    return {
        "ours": codegen.generate(g, dsp=dsp, trimmed=False),  # the same network as the others
        "CMSIS-NN": with_cmsis_nn(g, bakenn),
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
        *(f"{r.flash_bytes:,}" for r in (ours, arm)),
        f"{ours.ram_bytes:,}",
        " ".join(str(r.wrong) if r else "-" for r in results.values()),
    )


def versions(bakenn: Path) -> dict[str, str]:
    """What the figures depend on."""
    bundle = next(bakenn.rglob("cmsis_nn/bundle.py")).read_text("utf-8")
    release = re.search(r'CMSIS_NN_VERSION = "([\d.]+)"', bundle)
    header = next(bakenn.rglob("arm_nnfunctions.h")).read_text("utf-8")
    date = re.search(r"\$Date:\s*(.+)", header)
    wheel = next(bakenn.glob("bakenn-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    return {
        "compiler": f"clang of ziglang {version('ziglang')}, -O2",
        "unicorn": version("unicorn"),
        "bakenn": wheel,
        "CMSIS-NN in it": release[1] if release else "not stated",
        "date of its header": date[1].strip() if date else "not stated",
    }


def main(bakenn: Path) -> None:
    """Print a table for each core, and store what was measured."""
    contents = {**layers(), **{k: read_verified(f"models/{v}.tflite") for k, v in NETWORKS.items()}}
    found: dict[str, dict[str, dict[str, Result | None]]] = {}
    for core in CORES:
        rows, found[core] = [], {}
        for name, content in contents.items():
            made = builds(content, core, bakenn)
            results = {k: measure(content, p, core) if p else None for k, p in made.items()}
            found[core][name] = results
            rows.append(row(name, results))
        print(f"\n{core}\n{text_table(HEADER, rows)}", flush=True)
    store({"versions": versions(bakenn), "cores": found, "gcc": by_gcc(contents, bakenn)})


def by_gcc(contents: dict[str, bytes], bakenn: Path) -> dict[str, object]:
    """Our kernels and CMSIS-NN's by GCC, or what was stored of it where there is no GCC."""
    found = gcc.version()
    if found is None:
        print(f"{gcc.NAME} is not installed: its figures stay as they are stored")
        return dict(json.loads(STORED.read_text("utf-8"))["gcc"])
    core, measured = "cortex-m4", {}
    for name, content in contents.items():
        made = builds(content, core, bakenn)
        engines = {key: made[key] for key in ("ours", "CMSIS-NN")}
        measured[name] = {k: measure(content, p, core, gcc.compile) for k, p in engines.items() if p}
        print(name, *measured[name].values(), sep="\n  ", flush=True)
    return {"compiler": f"{gcc.NAME} {found}, {gcc.OPTIMIZE}", core: measured}


def store(measured: dict[str, object]) -> None:
    """Write data/reference/kernels.json; an engine that cannot do a network has `null` there."""
    STORED.write_text(json.dumps(measured, indent=1, default=asdict) + "\n", "utf-8")
    write_manifest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
