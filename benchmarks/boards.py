"""The timing model against boards: CMSIS-NN's kernels, emulated and timed, and what boards took.

    python benchmarks/boards.py FOLDER_WITH_BAKENN

Four public runs on a Nucleo-L4R5ZI (MLPerf Tiny v1.0 and v1.1, TVM with CMSIS-NN) are held against the
same four architectures with the CMSIS-NN that a package carries. It is not the same program: another
commit of CMSIS-NN, another compiler, other weights, no TVM and no Zephyr. So the difference holds what
the programs differ by, beside the error of the model. It goes to data/reference/board_cells.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import cmsis_nn
import gcc
from measure import NETWORKS, Result, measure

from tinyml_helpers.datasets import data_folder, read_verified, write_manifest
from tinyml_helpers.mcu.compiler import graph, lowering
from tinyml_helpers.mcu.reports import published

STORED = data_folder() / "reference" / "board_cells.json"


def compare(results: Mapping[str, Result], rival: str, compiler: str) -> dict[str, object]:
    """Hold CMSIS-NN's runs against the board's.

    Args:
        results: network -> its run on the Cortex-M4.
        rival: which CMSIS-NN it was.
        compiler: that built it, and its flags.
    """
    rows = {}
    for network, result in results.items():
        board = published.cmsis_nn_cycles(network)
        rows[network] = {
            "board_mega_cycles": round(board / 1e6, 3),
            "estimated_mega_cycles": round(result.board_cycles / 1e6, 3),
            "table_percent": round(100 * (result.cycles / board - 1), 1),
            "error_percent": round(100 * (result.board_cycles / board - 1), 1),
        }
        print(f"{network}: {rows[network]}", flush=True)
    return {"device": "nucleo_l4r5zi", "CMSIS-NN": rival, "compiler": compiler, "networks": rows}


def store(compared: Mapping[str, Mapping[str, object]]) -> None:
    """Put comparisons, by compiler, into data/reference/board_cells.json."""
    stored = json.loads(STORED.read_text("utf-8"))
    stored["repeated"] = {**stored.get("repeated", {}), **compared}
    STORED.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write_manifest()


def main(folder: Path) -> None:
    """Measure the four networks with CMSIS-NN, by each compiler that is there, and store it."""
    rival = cmsis_nn.find_newest(folder)
    builds = {"zig": (None, cmsis_nn.ZIG)}
    if gcc.version():
        builds["gcc"] = (gcc.compile, f"{gcc.NAME} {gcc.version()}, -O2")
    found = {}
    for name, (build, compiler) in builds.items():
        results = {}
        for network, file in NETWORKS.items():
            content = read_verified(f"models/{file}.tflite")
            program = cmsis_nn.with_cmsis_nn(lowering.strip_float_ends(graph.read(content)), rival)
            how = {} if build is None else {"build": build}
            results[network] = measure(content, program, "cortex-m4", **how)
        found[name] = compare(results, rival.name, compiler)
    store(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
