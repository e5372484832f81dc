import subprocess
import sys

import numpy as np
import onnx as library
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch.export import Dim

from tinyml_helpers.course import check
from tinyml_helpers.deploy import benchmark
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx import export, figures, profile, session

# A 3x3 convolution of 1 to 2 channels on [n, 1, 4, 4], a ReLU, and a linear layer to 3 classes.
KERNEL = np.stack([np.eye(3), -np.eye(3)])[:, None].astype(np.float32)
BIAS = np.array([0.5, 1.0], np.float32)
LINEAR = np.arange(96, dtype=np.float32).reshape(32, 3) / 10
IMAGE = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)


def network(*, note="", opset=20, batch="n"):
    """The model, written by hand."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "bias"], ["c"], pads=[1] * 4, doc_string=note),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "linear"], ["y"]),
    ]
    constants = {"kernel": KERNEL, "bias": BIAS, "linear": LINEAR}
    graph = helper.make_graph(
        nodes, "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return model.SerializeToString()


def expected(image):
    """What the model computes, by loops over the padded image."""
    padded = np.pad(image[0, 0], 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    maps = [np.maximum((windows * k[0]).sum((2, 3)) + b, 0) for k, b in zip(KERNEL, BIAS, strict=True)]
    return np.stack(maps).reshape(1, -1) @ LINEAR


def quantized():
    """A quantized tensor between Q and DQ, and a linear layer with int8 weights and a scale each."""
    constants = {
        "s": np.float32(0.5), "z": np.int8(-3), "w": np.array([[1, -2], [3, 4]], np.int8),
        "ws": np.array([0.1, 0.2], np.float32), "wz": np.zeros(2, np.int8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=1),
        helper.make_node("MatMul", ["d", "wd"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy"]
    values = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString()


def test_inspection_counts_what_was_written_by_hand():
    report = export.inspect(network(note="from layer 1"))
    assert dict(report.operators) == {"Conv": 1, "Relu": 1, "Flatten": 1, "Gemm": 1}
    assert report.macs == 2 * 16 * 9 + 32 * 3
    assert report.arena_bytes is None
    parts = report.bytes_by_part
    assert (parts["weights"], parts["biases"]) == (4 * (18 + 96), 8)
    assert parts["exporter's notes"] == len("from layer 1")
    assert report.file_bytes == len(network(note="from layer 1"))
    assert {t.name: t.shape for t in report.tensors}["c"] == (1, 2, 4, 4)
    assert "ONNX, " in repr(report)


def test_scales_and_zero_points_stand_with_their_tensor():
    report = export.inspect(quantized())
    tensors = {tensor.name: tensor for tensor in report.tensors}
    assert set(tensors) == {"x", "w", "q", "d", "wd", "y"}
    assert tensors["q"].scales == (0.5,)
    assert tensors["q"].zero_points == (-3,)
    assert tensors["w"].scales == pytest.approx((0.1, 0.2))
    assert (tensors["w"].dtype, tensors["w"].stored_bytes) == ("int8", 4)
    parts = report.bytes_by_part
    assert (parts["weights"], parts["scales"], parts["zero points"]) == (4, 12, 3)
    assert report.macs == 4


def test_open_sizes_leave_the_macs_open_and_say_so():
    model = library.load_model_from_string(network())
    for size in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.Clear()
        size.dim_param = "side"
    report = export.inspect(model.SerializeToString())
    assert report.macs is None
    assert "leaves sizes open" in " ".join(report.notes)


@pytest.mark.parametrize("level", export.LEVELS)
def test_every_level_computes_what_the_loops_do(level):
    runner = export.load(network(), level)
    np.testing.assert_allclose(runner.predict(IMAGE), expected(IMAGE), rtol=1e-5)
    many = np.concatenate([IMAGE * i for i in range(7)])
    np.testing.assert_allclose(runner.predict(many, batch_size=3), runner.predict(many), rtol=1e-6)


def test_optimization_fuses_and_the_saved_graph_computes_the_same():
    assert export.list_operators(network()) == ["Conv", "Relu", "Flatten", "Gemm"]
    fused = export.optimize(network(), "extended")
    assert "FusedConv" in export.list_operators(fused)
    np.testing.assert_allclose(export.load(fused, "none").predict(IMAGE), expected(IMAGE), rtol=1e-5)


def test_notes_are_removed_and_nothing_else():
    bare = export.strip_notes(network(note="some/folder/model.py, line 3"))
    assert b"folder" not in bare
    assert export.inspect(bare).bytes_by_part["exporter's notes"] == 0
    np.testing.assert_array_equal(
        export.load(bare).predict(IMAGE), export.load(network()).predict(IMAGE)
    )


def test_three_examinations_catch_three_injuries():
    good, outputs = network(), expected(IMAGE)
    assert set(export.examine(good, IMAGE, outputs).values()) == {"passes"}
    misspelt = export.examine(good.replace(b"Relu", b"ReLU"), IMAGE, outputs)
    assert misspelt == {"checker": "FAILS", "shape inference": "passes", "same numbers": "FAILS"}
    other = export.examine(good, IMAGE, outputs + 1)
    assert other == {"checker": "passes", "shape inference": "passes", "same numbers": "FAILS"}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (IMAGE.astype(np.float64), r"takes float32, and the array is float64: .*astype\(np.float32\)"),
        (IMAGE.astype(np.uint8), "takes float32, and the array is uint8"),
        (IMAGE[0], r"takes \['any', 1, 4, 4\], and the array is \[1, 4, 4\]"),
        (IMAGE.transpose(0, 2, 3, 1), "PyTorch keeps channels before height"),
        (IMAGE[:0], "the array is"),
    ],
)
def test_unfitting_inputs_are_named_before_the_runtime_sees_them(array, message):
    with pytest.raises(ModelError, match=message):
        export.load(network()).predict(array)


def test_a_fixed_batch_takes_its_multiples_only():
    runner = export.load(network(batch=2))
    assert runner.predict(np.concatenate([IMAGE] * 4)).shape == (4, 3)
    with pytest.raises(ModelError, match="takes 2 at a time, and 3 do not divide"):
        runner.predict(np.concatenate([IMAGE] * 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1c\0\0\0TFL3" + bytes(100), r"a \.tflite file"),
        (b"<!doctype html><html></html>", "not an ONNX file"),
        (b"", "holds no operators"),
        (network()[:200], "not an ONNX file|holds no operators|refuses"),
    ],
)
def test_other_files_are_called_what_they_are(content, message):
    for look in (export.inspect, export.load, export.list_operators):
        with pytest.raises(ModelError, match=message):
            look(content)


def test_a_missing_file_an_unknown_level_and_constants_elsewhere(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        export.inspect(tmp_path / "nowhere.onnx")
    with pytest.raises(ValueError, match="unknown level 'best': choose one of none, basic"):
        export.load(network(), "best")
    model = library.load_model_from_string(network())
    library.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="data.bin", size_threshold=0
    )
    assert "data.bin" in " ".join(export.inspect(tmp_path / "m.onnx").notes)
    np.testing.assert_allclose(
        export.load(tmp_path / "m.onnx").predict(IMAGE), expected(IMAGE), rtol=1e-5
    )
    with pytest.raises(ModelError, match="give its path, not its bytes"):
        export.load((tmp_path / "m.onnx").read_bytes())


damage = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def survives(content):
    """A damaged file gives one clear error, or a report that adds up and a run or a refusal."""
    try:
        report = export.inspect(content)
        assert report.file_bytes == len(content)
        assert repr(report)
        export.load(content).predict(IMAGE)
    except ModelError as error:
        assert len(str(error)) > 20


@damage
@given(st.integers(0, len(network()) - 1))
def test_a_truncated_file_does_no_harm(length):
    survives(network()[:length])


@damage
@given(
    st.sampled_from([network(note="a"), quantized()]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_flipped_bytes_do_no_harm(content, flips):
    damaged = bytearray(content)
    for place, value in flips:
        damaged[int(place * len(damaged))] = value
    survives(bytes(damaged))


@given(st.binary(max_size=300))
def test_random_bytes_are_no_model(content):
    for read in (export.inspect, export.load):
        with pytest.raises(ModelError, match=r".{20}"):
            read(content)


def test_the_probe_for_overflow_gives_an_answer_and_options_follow_it():
    assert session._overflows() in (True, False)
    assert session.make_options("basic").intra_op_num_threads == 1


def test_calibration_images_come_once_and_in_batches():
    reader = export.CalibrationImages(np.zeros((5, 1), np.float32), "x", batch_size=2)
    assert [len(batch["x"]) for batch in iter(reader.get_next, None)] == [2, 2, 1]
    assert reader.get_next() is None


def test_conversion_to_ort_keeps_the_answers(tmp_path):
    source = tmp_path / "m.onnx"
    source.write_bytes(network())
    files = export.to_ort({"small": source}, tmp_path / "ship")
    assert {file.name for file in files} == {"required_operators.config", "small.onnx", "small.ort"}
    np.testing.assert_allclose(
        export.load(tmp_path / "ship/small.ort").predict(IMAGE), expected(IMAGE), rtol=1e-5
    )
    with pytest.raises(ModelError, match=r"an \.ort file"):
        export.inspect(tmp_path / "ship/small.ort")


def test_a_profile_names_every_operator_that_runs():
    taken = profile.profile(network(), "none", calls=3)
    assert set(taken) == {"Conv", "Relu", "Flatten", "Gemm"}
    assert min(taken.values()) >= 0
    assert list(taken.values()) == sorted(taken.values(), reverse=True)


NUMBER, SAME = Dim("number"), Dim("same")
OPEN = (
    [{0: "batch", 2: "samples"}], ({0: "n", 2: "length"},), [{0: "batch", 1: None, 2: "samples"}],
    [{0: NUMBER, 2: Dim("samples")}], [{0: Dim.DYNAMIC, 2: Dim.DYNAMIC}],
    [{0: Dim.AUTO, 1: Dim.STATIC, 2: Dim.AUTO}], [{0: "batch", 2: Dim.DYNAMIC}],
    [("batch", None, "samples")], {"sound": {0: "batch", 2: "samples"}},
)  # fmt: skip
NOT_OPEN = (
    [{0: SAME, 2: SAME}], [{0: Dim("n"), 2: Dim("n")}], [{0: "n", 2: Dim("n")}], [{0: "n", 2: "n"}],
    [{0: Dim.STATIC, 2: "samples"}], [{0: NUMBER, 2: 2 * NUMBER}], [{0: 2, 2: 16}],
    [{0: Dim("batch", max=8), 2: "samples"}], [{0: None, 2: None}], [{0: Dim.DYNAMIC}],
)  # fmt: skip


class Ears(torch.nn.Module):
    """A network that takes sound [batch, 1, samples]."""

    def forward(self, sound):
        return sound.abs().mean(2)


def exported_axes(dynamic_shapes):
    """The sizes that PyTorch's exporter writes for the input, or None where it refuses."""
    try:
        program = torch.onnx.export(
            Ears(), (torch.zeros(2, 1, 16),), dynamo=True, dynamic_shapes=dynamic_shapes, verbose=False
        )
    except Exception:
        return None
    return [size if isinstance(size, int) else str(size) for size in program.model.graph.inputs[0].shape]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shapes", OPEN, ids=range(len(OPEN)))
def test_open_axes_that_the_exercise_accepts_are_open_and_differ(shapes):
    assert check.dynamic_axes(shapes).status == "right"
    batch, channel, samples = exported_axes(shapes)
    assert channel == 1
    assert isinstance(batch, str)
    assert isinstance(samples, str)
    assert batch != samples


@pytest.mark.parametrize("shapes", NOT_OPEN, ids=range(len(NOT_OPEN)))
def test_axes_that_are_fixed_equal_or_bounded_get_a_hint(shapes):
    assert check.dynamic_axes(shapes).status == "hint"


def test_pictures_know_every_kind_of_operator():
    assert figures.classify("FusedConv") == "multiplies by weights"
    assert figures.classify("QLinearConv") == "integers, or to and from them"
    assert figures.classify("Transpose") == figures.OTHER
    axes = figures.draw(["Conv", "Relu"] * 20, "A title")
    assert len(axes.patches) == 40
    assert axes.get_title() == "A title"
    bars = figures.draw_bytes({"a": {"weights": 3, "names": 1}, "b": {"weights": 1, "names": 0}})
    assert sum(bar.get_width() for bar in bars.patches) == 5


def test_measuring_needs_time_and_installed_packages():
    assert benchmark.median_ms(lambda: None, 0.001) >= 0
    assert benchmark.installed_mb("numpy") > 1
    with pytest.raises(ValueError, match="give a number above zero"):
        benchmark.median_ms(lambda: None, 0)
    with pytest.raises(ValueError, match="'no-such-thing' is not installed"):
        benchmark.installed_mb("no-such-thing")
    table = benchmark.Comparison()
    table.add("A", 1.5, 2000, 90.0, "numpy")
    assert "2,000" in repr(table)
    assert "<table" in table._repr_html_()


def test_keras_exports_and_litert_converts_beside_each_other():
    code = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, torch, numpy as np
from tinyml_helpers.system import compat; from tinyml_helpers import models
from tinyml_helpers.deploy import keras as twins, litert
from tinyml_helpers.deploy.onnx import export as onnx
compat.expect_export_warnings()
model, image = models.load_trained("tiny"), torch.rand(3, 1, 28, 28)
wanted, path = model(image).detach().numpy(), str(onnx.temporary_folder() / "keras.onnx")
last = np.ascontiguousarray(image.permute(0, 2, 3, 1).numpy())
twin = twins.from_torch(model)
np.testing.assert_allclose(twin.predict(last, verbose=0), wanted, atol=1e-4)
twin.export(path, format="onnx", verbose=False)
np.testing.assert_allclose(onnx.load(path).predict(last), wanted, atol=1e-4)
file = litert.from_torch(model, image[:1])
np.testing.assert_allclose(litert.load(file).predict(image.numpy()), wanted, atol=1e-4)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
