"""An ONNX file in QDQ form as an int8 .tflite: the same integers, images with channels last inside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.onnx import graph
from tinyml_helpers.deploy.onnx.draft import Draft
from tinyml_helpers.deploy.onnx.qdq import Source
from tinyml_helpers.deploy.onnx.translation import translate
from tinyml_helpers.deploy.tflite.writer import write
from tinyml_helpers.system.untrusted import one_line

if TYPE_CHECKING:
    from onnx import ModelProto

_CURE = (
    "quantize it with typical inputs: quantize_static(file, int8_file, reader, "
    "QuantFormat.QDQ, per_channel=True) of onnxruntime.quantization; lesson 07 shows it"
)
_LEAST_OPSET = 10


def is_onnx(content: bytes) -> bool:
    """Whether a file begins as ONNX files do, with their version, and is no .tflite."""
    return content[:1] == b"\x08" and content[4:8] != b"TFL3"


@names_the_file
def convert(source: str | Path | bytes) -> bytes:
    """Return the .tflite of an ONNX file in QDQ form.

    Inputs and outputs keep their order and shape, for one at a time. Each tensor has the scale and the
    zero point that the file gives it; what is uint8 there is int8 here, all less 128.

    Args:
        source: path or bytes of a file as `quantize_static` writes it.

    Raises:
        ModelError: missing, damaged, not in QDQ form (with the cure), or an operator that cannot be
            translated, by name.
    """
    content = read_model(source)
    _check_opset(content)
    model = graph.parse(content)
    if files := graph.find_external_files(model):
        raise ModelError(f"constants lie in other files: {', '.join(files)}; save it as one file")
    _check_form(node.op_type for node in model.graph.node)
    try:
        return _translate(model)
    except ModelError:
        raise
    except Exception as error:  # the checker lets much pass that makes no network
        reason = f"{type(error).__name__}: {one_line(error, 200)}"
        raise ModelError(f"its parts do not fit together ({reason}); export it again") from error


def _translate(model: ModelProto) -> bytes:
    from onnx import inliner

    if model.functions:
        model = inliner.inline_local_functions(model)
    draft = Draft(Source(model))
    for node in model.graph.node:
        translate(draft, node)
    return write(draft.finish())


def _check_opset(content: bytes) -> None:
    import onnx

    try:
        model: ModelProto = onnx.load_model_from_string(content)
    except Exception:  # said better by `graph.parse`
        return
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if 0 < opset < _LEAST_OPSET:
        raise ModelError(
            f"opset {opset}: QuantizeLinear came with {_LEAST_OPSET}, scales per channel with 13; "
            "export with opset_version=17, then quantize"
        )


def _check_form(kinds: Iterable[str]) -> None:
    known = set(kinds)
    if "DynamicQuantizeLinear" in known:
        raise ModelError(f"quantized dynamically, its scales are computed while it runs: {_CURE}")
    if found := sorted(kind for kind in known if kind.startswith(("QLinear", "QGemm"))):
        raise ModelError(f"in QOperator form ({found[0]}), not in QDQ form: {_CURE}")
    if not known & {"QuantizeLinear", "DequantizeLinear"}:
        raise ModelError(f"a float network: {_CURE}")
