"""Where the time of an inference goes in ONNX Runtime, by type of operator."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from tinyml_helpers.deploy.model_file import read_model
from tinyml_helpers.deploy.onnx import export
from tinyml_helpers.deploy.onnx import session as onnx_session
from tinyml_helpers.deploy.onnx.session import Level


def profile(source: str | Path | bytes, level: Level = "all", calls: int = 500) -> dict[str, float]:
    """Return the microseconds that each type of operator takes in one inference, the longest first.

    They are sums of medians. ONNX Runtime's own profiler takes them and slows each operator a little,
    so compare rows of profiles with each other; `Model.latency_ms` times a whole inference.

    Args:
        source: path or bytes of an ONNX file.
        level: of optimisation, see `onnx.load`.
        calls: how many inferences of one input, all zero.

    Raises:
        ModelError: as `onnx.load` does.
    """
    import onnxruntime

    checked = export.load(source, level)
    shape = [size if isinstance(size, int) else 1 for size in checked.input_shape]
    feed = {checked.input_name: np.zeros(shape, checked.dtype)}
    with tempfile.TemporaryDirectory() as folder:
        options = onnx_session.make_options(level)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            read_model(source), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(calls):
            session.run([checked.output_name], feed)
        return _sums(json.loads(Path(session.end_profiling()).read_text("utf-8")))


def _sums(events: list[dict[str, object]]) -> dict[str, float]:
    """Return the median of each node, added up by its type, from the events of a profile."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith("_kernel_time"):
            operator = event["args"]["op_name"]  # type: ignore[index]
            taken[str(operator), str(event["name"])].append(float(event["dur"]))  # type: ignore[arg-type]
    total = Counter[str]()
    for (operator, _), times in taken.items():
        total[operator] += statistics.median(times)  # type: ignore[assignment]
    return dict(total.most_common())
