"""Calls that lessons show although they are on their way out: when one is gone, this says what to do."""

import importlib
import inspect
import io
import json
import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PT2E = "show torchao's PT2E flow alone, take the call out of the cells, and its line out of compat.py"


def cells(number):
    (path,) = (ROOT / "notebooks").glob(f"{number:02d}_*.ipynb")
    return ["".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]]


def resolve(dotted):
    """The object of a dotted name, None if it is gone."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for name in parts[end:]:
            found = getattr(found, name, None)
        return found
    return None


def gone(lessons, call, cure):
    pytest.fail(f"{call}, which lesson {lessons} shows, has disappeared from this version: {cure}")


def used_of_torch_ao():
    """(lesson, dotted name) of all that lessons and package take from torch.ao."""
    for number in (2, 3, 7):
        text = "\n".join(cells(number))
        for name in re.findall(r"\btq\.(\w+)", text):
            yield number, f"torch.ao.quantization.{name}"
        for name in re.findall(r"\btorch\.ao(?:\.\w+)+", text):
            yield number, name
    for path in sorted((ROOT / "tinyml_helpers").rglob("*.py")):
        text = path.read_text("utf-8")
        for name in re.findall(r"\btorch\.ao(?:\.\w+)+", text):
            yield f"2 or 3 (through {path.name})", name


def test_what_lessons_take_from_torch_ao_is_there():
    used = sorted(set(used_of_torch_ao()), key=str)
    assert len(used) > 8
    for lesson, name in used:
        if resolve(name) is None:
            gone(lesson, name, PT2E)


def test_the_old_name_of_torch_ao_is_there():
    assert "once `torch.quantization`" in "\n".join(cells(2))
    if resolve("torch.quantization.quantize_dynamic") is None:
        gone(
            2,
            "torch.quantization",
            "say in lesson 02 that the old name is gone, and since which version",
        )


def test_torch_ao_still_says_that_it_goes():
    import torch
    from torch.ao import quantization as tq

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        tq.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(2, 2)).eval(), {torch.nn.Linear})
    said = [str(w.message) for w in seen if issubclass(w.category, DeprecationWarning)]
    assert any("torch.ao.quantization is deprecated" in one for one in said), (
        "torch.ao.quantization no longer says that it is deprecated: lessons 02 and 03 say so, and "
        f"compat.py hides that sentence; it says now: {said}"
    )


def test_the_older_exporter_to_onnx_is_there_and_says_that_it_goes():
    import torch

    assert any("dynamo=False" in cell for cell in cells(7))
    if "dynamo" not in inspect.signature(torch.onnx.export).parameters:
        cure = "drop the row of the older exporter, and let tracing.py export by torch.export"
        gone("7 (and 12, through deploy/tracing.py)", "torch.onnx.export(dynamo=False)", cure)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.onnx.export(torch.nn.Linear(2, 2).eval(), (torch.zeros(1, 2),), io.BytesIO(), dynamo=False)
    assert any(issubclass(w.category, DeprecationWarning) for w in seen), (
        "torch.onnx.export(dynamo=False) is no longer deprecated: lesson 07 and deploy/tracing.py say so"
    )


def test_tensorflows_interpreter_is_there_and_says_that_it_goes():
    from tflite_maker import random_network

    from tinyml_helpers.system import compat

    assert any("tf.lite.Interpreter(" in cell for cell in cells(6))
    tensorflow = compat.import_tensorflow()
    if not hasattr(tensorflow.lite, "Interpreter"):
        gone(
            6, "tf.lite.Interpreter", "say that it is gone, and show ai_edge_litert's Interpreter alone"
        )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        tensorflow.lite.Interpreter(model_content=random_network(1))
    assert any("deprecated" in str(w.message) for w in seen), (
        "tf.lite.Interpreter is no longer deprecated: lesson 06 says that it is"
    )


def test_every_call_that_a_lesson_names_deprecated_is_tested_here():
    here = Path(__file__).read_text("utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in cells(int(path.name[:2])):
            for line in cell.splitlines():
                if re.search(r"(?<!not )deprecated", line):
                    calls = re.findall(r"`?((?:torch|tf|onnx|keras)\.[\w.]+)", line) or re.findall(
                        r"`(\w+=\w+)`", line
                    )
                    assert any(call.rstrip("(.") in here for call in calls), f"{path.name}: {line[:200]}"


@pytest.mark.parametrize("category", [DeprecationWarning, FutureWarning, RuntimeWarning, UserWarning])
def test_a_warning_that_points_at_our_code_is_an_error(category):
    library, ours = (
        {"__name__": "library", "category": category},
        {"__name__": "tinyml_helpers.some.module"},
    )
    exec("import warnings\ndef old(): warnings.warn('it goes', category, stacklevel=2)", library)
    with pytest.raises(category, match="it goes"):
        exec("old()", ours | {"old": library["old"]})
    with pytest.raises(category, match="our own"):
        exec("import warnings; warnings.warn('our own', category)", ours | {"category": category})


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_no_lesson_is_stored_with_an_error_stream(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        said = [
            "".join(one["text"])[:300] for one in cell.get("outputs", ()) if one.get("name") == "stderr"
        ]
        assert not said
