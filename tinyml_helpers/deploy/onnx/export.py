"""Models as .onnx: look into them, see what ONNX Runtime makes of them, run them."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.model_report import ModelReport
from tinyml_helpers.deploy.onnx import graph, probe, sizes
from tinyml_helpers.deploy.onnx import session as onnx_session
from tinyml_helpers.deploy.onnx.session import LEVELS as LEVELS
from tinyml_helpers.deploy.onnx.session import Level, Model
from tinyml_helpers.system.untrusted import one_line


@names_the_file
def inspect(source: str | Path | bytes) -> ModelReport:
    """Look into an ONNX file without running it: operators, tensors, bytes by part, MACs.

    Args:
        source: path or bytes.

    Raises:
        ModelError: missing, damaged, or not an ONNX file.
    """
    content = read_model(source)
    model = graph.parse(content)
    known = graph.infer_shapes(model)
    macs, notes = graph.macs(model, known)
    if files := graph.find_external_files(model):
        notes.append(f"constants in other files, to be shipped too: {', '.join(files)}")
    return ModelReport(
        format="ONNX",
        operators=Counter(node.op_type for node in model.graph.node),
        tensors=tuple(sizes.list_tensors(model, known)),
        bytes_by_part=sizes.bytes_by_part(content, model),
        macs=macs,
        notes=tuple(notes),
    )


@names_the_file
def list_operators(source: str | Path | bytes) -> list[str]:
    """Return the type of each operator of an ONNX file, in the order in which they run.

    Raises:
        ModelError: missing, damaged, or not an ONNX file.
    """
    return [node.op_type for node in graph.parse(read_model(source)).graph.node]


@names_the_file
def optimize(source: str | Path | bytes, level: Level = "all") -> bytes:
    """Return the ONNX file that ONNX Runtime makes of another one before it runs it.

    Args:
        source: path or bytes.
        level: of optimisation, see `load`.

    Raises:
        ModelError: missing, damaged, or refused by ONNX Runtime.
        ValueError: unknown level.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimized.onnx")
        load(source, level, keep=path)
        return path.read_bytes()


@names_the_file
def load(source: str | Path | bytes, level: Level = "all", keep: Path | None = None) -> Model:
    """Load an ONNX (or .ort) file into ONNX Runtime, on one thread, after it was checked.

    It is loaded and run once in a process of its own first: a file that crashes ONNX Runtime, or takes
    all memory, does not harm yours.

    Args:
        source: path or bytes.
        level: "none" runs the file as it is; "basic" folds constants and drops what does nothing;
            "extended" also fuses operators into ones of its own; "all" also changes the layout of
            data in memory to suit this processor.
        keep: where to write the graph that ONNX Runtime makes of it.

    Raises:
        ModelError: missing, damaged, or refused by ONNX Runtime.
        ValueError: unknown level.
    """
    import onnxruntime

    options = onnx_session.make_options(level)
    if keep:
        options.optimized_model_filepath = str(keep)
    content = read_model(source)
    model: str | bytes = content
    # An .ort file has been checked when it was made, and has no schema that others could check.
    if content[4:8] != b"ORTM" and graph.find_external_files(graph.parse(content)):
        if isinstance(source, bytes):
            raise ModelError(
                "some constants lie in files beside the model: give its path, not its bytes"
            )
        model = str(source)
    probe.probe(model)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen, none of them documented
        raise ModelError(f"ONNX Runtime refuses the model: {one_line(error, 300)}") from error
    return Model(session, len(content), level)


@names_the_file
def strip_notes(source: str | Path | bytes) -> bytes:
    """Return an ONNX file without the notes of its exporter: comments, and where nodes came from.

    The graph stays the same. The notes name lines of source code, with the folders they lie in.

    Raises:
        ModelError: missing, damaged, or not an ONNX file.
    """
    model = graph.parse(read_model(source))
    sizes.remove_notes(model)
    return bytes(model.SerializeToString())


def examine(
    content: bytes, inputs: ArrayLike, expected: NDArray[np.float32], tolerance: float = 1e-4
) -> dict[str, str]:
    """Put the bytes of an ONNX file to three tests, and return for each "passes" or "FAILS".

    "checker" is `onnx.checker.check_model`, "shape inference" `onnx.shape_inference.infer_shapes`;
    "same numbers" runs the inputs and compares with the outputs that are expected.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    tests = {
        "checker": lambda: onnx.checker.check_model(model),
        "shape inference": lambda: onnx.shape_inference.infer_shapes(model, strict_mode=True),
        "same numbers": lambda: np.testing.assert_allclose(
            load(content).predict(inputs), expected, rtol=0, atol=tolerance
        ),
    }
    verdicts = dict.fromkeys(tests, "passes")
    for test, run in tests.items():
        try:
            run()
        except Exception:  # whatever it is, the test has failed
            verdicts[test] = "FAILS"
    return verdicts


def temporary_folder() -> Path:
    """Return a new folder for files, which is removed when Python ends."""
    folder = tempfile.mkdtemp(prefix="tinyml-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def to_ort(models: Mapping[str, Path], folder: Path) -> list[Path]:
    """Convert ONNX files with ONNX Runtime's command, and return all that lies in the folder then.

    Args:
        models: name of the file to ship, without its ending -> ONNX file.
        folder: is made; gets the copies, the .ort files and the list of operators that they need.

    Raises:
        ModelError: the command failed, with the last line of what it said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in models.items():
        shutil.copy(file, folder / f"{name}.onnx")
    command = [sys.executable, "-m", "onnxruntime.tools.convert_onnx_models_to_ort", str(folder)]
    command += ["--optimization_style", "Fixed"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        reason = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise ModelError(f"the conversion to .ort failed: {' '.join(reason)}")
    return sorted(folder.iterdir())


class CalibrationImages:
    """Hands inputs to ONNX Runtime's quantizer, some at a time, in the form that it asks for."""

    def __init__(self, inputs: NDArray[Any], input_name: str, batch_size: int = 64) -> None:
        """Give inputs [N, ...] of the model's dtype, and the name of the model's input."""
        starts = range(0, len(inputs), batch_size)
        self._batches = iter([{input_name: inputs[start : start + batch_size]} for start in starts])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next inputs by the name of the model's input, None after the last."""
        return next(self._batches, None)
