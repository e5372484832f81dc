"""`make bench`: networks in a page, by our C as WebAssembly and by LiteRT.js, and by our C on the host.

    python benchmarks/web.py FOLDER_WITH_NODE_MODULES

Our C runs as WebAssembly in node and in Chromium, and compiled for this processor; LiteRT.js, Google's
runtime for pages, runs the same .tflite in Chromium on its CPU path (XNNPACK). All use one thread, and
time is processor time, which other work on the machine disturbs little: on an idle one it is what a
clock shows.
"Wrong" counts outputs that differ from LiteRT's reference kernels. What a visitor downloads is each
file that a page needs, as it is and by gzip, as servers send it. LiteRT.js takes no int8, so all are
given and give float, with QUANTIZE and DEQUANTIZE put around a network that has none. The figures go to
data/reference/web.json, where the book finds them. Where this machine lacks a tool, it says so and the
stored figures stay.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gzip
import http.server
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from conftest import find_browser
from float_ends import with_float_ends
from mcu_host import Reference
from tqdm import tqdm

from tinyml_helpers.datasets import data_folder, read_verified, write_manifest
from tinyml_helpers.mcu import wasm
from tinyml_helpers.mcu.compiler import codegen, graph
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.system.tables import text_table

HERE = Path(__file__).parent
NETWORKS = {
    "garments, small": "small",
    "garments, large": "large",
    "keywords (MLPerf Tiny)": "keyword_spotting",
    "ResNet-8 (MLPerf Tiny)": "image_classification",
    "persons (MLPerf Tiny)": "visual_wake_words",
}
"""What int8 networks are called -> their files."""
STORED = data_folder() / "reference" / "web.json"
_LITERT = ("core/dist/index.js", "wasm-utils/dist/index.js", "core/wasm/litert_wasm_internal.js")
_LITERT += ("core/wasm/litert_wasm_internal.wasm",)
ROUNDS, LEAST_S = 3, 0.3
_IN_NODE = """
const { readFileSync } = require("fs");
const [script, runs, module, given, count] = process.argv.slice(1);
for (const file of [script, runs]) require("vm").runInThisContext(readFileSync(file, "utf8"));
const inputs = JSON.parse(readFileSync(given)).map((values) => Float32Array.from(values));
(async () => {
    const run = await ours(readFileSync(module));
    const outputs = await outputsOf(run, inputs);
    const start = process.cpuUsage();
    await repeat(run, inputs, Number(count));
    const { user, system } = process.cpuUsage(start);
    console.log(JSON.stringify({ outputs, seconds: (user + system) / 1e6 }));
})();
"""


@dataclass(frozen=True)
class Runtime:
    """A network in one runtime: its `outputs`, and what `spend` says that so many runs take.

    Args:
        outputs: of each input.
        spend: count of runs -> seconds of processor time.
    """

    outputs: Any
    spend: Callable[[int], float]

    def measure(self, wanted: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Milliseconds of processor time a run, by round, and how many outputs are not as wanted."""
        count = 8
        while (taken := self.spend(count)) < LEAST_S:
            count = max(2 * count, int(1.2 * count * LEAST_S / max(taken, 0.01)))
        rounds = sorted(1000 * self.spend(count) / count for _ in range(ROUNDS))
        return {
            "ms": [round(one, 4) for one in rounds],
            "wrong": int((np.array(self.outputs, np.float32) != wanted).sum()),
            "compared": wanted.size,
        }


def on_host(program: codegen.Program, inputs: Sequence[np.ndarray[Any, Any]]) -> Runtime:
    """Our C, compiled for this kind of processor, called from Python."""
    library = ctypes.CDLL(str(toolchain.host_library(program.files)))
    arena = (ctypes.c_uint8 * program.arena.size_bytes).in_dll(library, f"{program.name}_arena")
    ports = []
    for index in (program.graph.inputs[0], program.graph.outputs[0]):
        start, tensor = program.arena.offset(index), program.graph.tensors[index]
        ports.append(np.frombuffer(arena, np.float32, tensor.size_bytes // 4, start))
    invoke = getattr(library, f"{program.name}_invoke")

    def run(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        ports[0][:] = values.ravel()
        invoke()
        return ports[1].copy()

    def spend(count: int) -> float:
        start = time.process_time()
        for i in range(count):
            run(inputs[i % len(inputs)])
        return time.process_time() - start

    return Runtime([run(values) for values in inputs], spend)


def in_node(folder: Path, name: str) -> Runtime:
    """Our WebAssembly in node."""

    def answer(count: int) -> dict[str, Any]:
        files = [folder / "network.js", HERE / "web.js", folder / f"{name}.wasm", folder / "given.json"]
        command = ["node", "-e", _IN_NODE, *files, str(count)]
        return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))

    return Runtime(answer(0)["outputs"], lambda count: float(answer(count)["seconds"]))


def in_page(page: Any, runtime: str) -> Runtime:
    """A network that the page has prepared; time is that of Chromium's renderer."""
    told = page.context.browser.new_browser_cdp_session()

    def renderer_s() -> float:
        processes = told.send("SystemInfo.getProcessInfo")["processInfo"]
        return float(sum(one["cpuTime"] for one in processes if one["type"] == "renderer"))

    def spend(count: int) -> float:
        start = renderer_s()
        page.evaluate(f"(count) => repeat(runs.{runtime}, inputs, count)", count)
        return renderer_s() - start

    return Runtime(page.evaluate(f"outputsOf(runs.{runtime}, inputs)"), spend)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def page_at(address: str) -> Iterator[Any]:
    """Open the page of this benchmark in the machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if root else []
        browser = driver.chromium.launch(executable_path=find_browser(), args=arguments)
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(f"{address}/web.html")
        page.wait_for_function("document.title === 'ready'")
        yield page
        browser.close()


def downloads(folder: Path, name: str) -> dict[str, dict[str, int]]:
    """Bytes of the files that a page needs for one network, by runtime."""
    litert = [folder / "node_modules" / "@litertjs" / one for one in _LITERT]
    files = {
        "ours": [folder / f"{name}.wasm", folder / "network.js"],
        "LiteRT.js": [folder / f"{name}.tflite", *litert],
    }
    return {
        runtime: {
            "bytes": sum(path.stat().st_size for path in paths),
            "gzip_bytes": sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in paths),
        }
        for runtime, paths in files.items()
    }


def measure(folder: Path, name: str, page: Any) -> dict[str, Any]:
    """One network everywhere."""
    content, rng = with_float_ends(read_verified(f"models/{name}.tflite")), np.random.default_rng(0)
    source, reference = graph.read(content), Reference(content)
    portable = codegen.generate(source, "model", dsp=False, folded=False)  # the C of a page
    quantized = source.tensors[source.operators[0].outputs[0]]
    inputs = [quantized.real(rng.integers(-128, 128, quantized.shape)) for _ in range(8)]
    wanted = np.array([reference.run([x], source.outputs)[0].ravel() for x in inputs])
    folder.joinpath(f"{name}.tflite").write_bytes(content)
    module = wasm.compile_module(portable, None)
    wasm.write_module(module, folder / f"{name}.wasm").rename(folder / "network.js")
    given = [x.ravel().tolist() for x in inputs]
    folder.joinpath("given.json").write_text(json.dumps(given), "utf-8")
    prepare = "([name, given, shape]) => prepare(name, given, shape)"
    page.evaluate(prepare, [name, given, list(inputs[0].shape)])
    runtimes = {
        "ours, this processor": on_host(portable, inputs),
        "ours, node": in_node(folder, name),
        "ours, Chromium": in_page(page, "ours"),
        "LiteRT.js, Chromium": in_page(page, "litert"),
    }
    found = {runtime: one.measure(wanted) for runtime, one in runtimes.items()}
    return {"macs": portable.macs, "runs": found, "downloads": downloads(folder, name)}


def machine(page: Any, node_modules: Path) -> dict[str, str | float]:
    """What the figures depend on; the load is that of the last minute, before and after."""
    core = json.loads((node_modules / "@litertjs" / "core" / "package.json").read_text("utf-8"))
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    kinds = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ] if Path("/proc/cpuinfo").exists() else []  # fmt: skip
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": kinds[0] if kinds else platform.processor(),
        "cores": os.cpu_count() or 1,
        "LiteRT.js": core["version"],
        "Chromium": page.context.browser.version,
        "node": node.stdout.strip().removeprefix("v"),
        "compiler": f"clang of ziglang {version('ziglang')}, -O2",
    }


def missing(node_modules: Path) -> list[str]:
    """What this benchmark needs and this machine lacks."""
    return [
        *(tool for tool in ("node", "npm") if shutil.which(tool) is None),
        *([] if find_spec("playwright") else ["playwright (pip install)"]),
        *([] if find_browser() else ["Chromium or Chrome"]),
        *([] if (node_modules / "@litertjs").is_dir() else ["@litertjs/core (npm install)"]),
    ]


def main(folder: Path) -> None:
    """Measure all networks and store it, or say what is missing."""
    node_modules = folder / "node_modules"
    if lacking := missing(node_modules):
        print(f"Networks in a page: {', '.join(lacking)} missing, so the stored figures stay.")
        return
    with tempfile.TemporaryDirectory() as made:
        site = Path(made)
        (site / "node_modules").symlink_to(node_modules.resolve())
        for name in ("web.html", "web.js"):
            shutil.copy(HERE / name, site)
        site.joinpath("network.js").write_text(wasm.script(), "utf-8")
        with served(site) as address, page_at(address) as page:
            before = os.getloadavg()[0]
            networks = {
                says: measure(site, name, page) for says, name in tqdm(NETWORKS.items(), unit="network")
            }
            about = machine(page, node_modules)
            about["load_before"], about["load_after"] = round(before, 1), round(os.getloadavg()[0], 1)
    store({"about": about, "networks": networks})


def store(told: Mapping[str, Any]) -> None:
    """Print the table, and put it where the book finds it."""
    header = ("network", "runtime", "ms a run", "wrong")
    print(text_table(header, [
        (says, runtime, " ".join(f"{ms:.3f}" for ms in run["ms"]), str(run["wrong"]))
        for says, one in told["networks"].items() for runtime, run in one["runs"].items()
    ]))  # fmt: skip
    STORED.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    write_manifest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
