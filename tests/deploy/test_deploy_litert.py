"""Conversion and the loaded model, on one network of the spine that is converted once."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tinyml_helpers import cli, cost, models
from tinyml_helpers.datasets import load_fashion
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import figures, pt2e, reader, tflm
from tinyml_helpers.system import compat, native_output

needs_tflm = pytest.mark.skipif(not tflm.is_available(), reason=tflm.MISSING)


@pytest.fixture(scope="module")
def images():
    """Test images, channels first."""
    return load_fashion().test.tensors()[0][:60]


@pytest.fixture(scope="module")
def inputs(images):
    """The same, channels last."""
    return images.permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def tiny():
    return models.load_trained("tiny")


@pytest.fixture(scope="module")
def twin(tiny):
    return from_torch(tiny)


@pytest.fixture(scope="module")
def float_file(twin):
    return litert.from_keras(twin)


@pytest.fixture(scope="module")
def int8_file(twin, inputs):
    return litert.from_keras(twin, "int8", inputs)


@pytest.fixture(scope="module")
def between(twin):
    """The two files that a phone can run and TFLM cannot."""
    return {mode: litert.from_keras(twin, mode) for mode in ("dynamic", "float16")}


@pytest.fixture(scope="module")
def lean_file(tiny, inputs):
    return litert.from_keras(from_torch(tiny, lean=True), "int8", inputs[:, ::-1, ::-1])


def logits(model, images):
    with torch.no_grad():
        return model(images).numpy()


@pytest.mark.parametrize("name", models.NAMES)
def test_the_twin_computes_what_pytorch_computes(name, images, inputs):
    model = models.load_trained(name)
    twin = from_torch(model)
    np.testing.assert_allclose(twin(inputs).numpy(), logits(model, images), atol=1e-4)
    batch_norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    kept = [type(layer).__name__ for layer in twin.layers].count("BatchNormalization")
    assert kept == batch_norms


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_the_lean_twin_computes_the_same_on_turned_images(name, images, inputs):
    model = models.load_trained(name)
    twin = from_torch(model, lean=True)
    turned = np.ascontiguousarray(inputs[:, ::-1, ::-1])
    np.testing.assert_allclose(twin(turned).numpy(), logits(model, images), atol=1e-4)
    assert not any(type(layer).__name__ == "ZeroPadding2D" for layer in twin.layers)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.Conv2d(2, 4, 5, stride=3, padding=2),
        nn.Conv2d(2, 4, 3, padding=2),
        nn.Conv2d(2, 4, (3, 1), padding=(1, 0)),
        nn.Conv2d(2, 4, 3, padding=2, dilation=2),
        nn.Conv2d(2, 2, 3, stride=2, padding=1, groups=2, bias=False),
    ],
)
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("lean", [False, True])
def test_every_padding_is_carried(convolution, size, lean):
    assert_carried(convolution, size, lean)


def assert_carried(convolution, size, lean):
    model = behind(convolution)
    images = torch.randn(2, 2, size, size)
    given = images.permute(0, 2, 3, 1).numpy()
    given = np.ascontiguousarray(given[:, ::-1, ::-1]) if lean else given
    twin = from_torch(model, (2, size, size), lean=lean)
    np.testing.assert_allclose(twin(given).numpy(), logits(model, images), atol=1e-5)


def behind(convolution):
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(convolution.out_channels, 2)
    return nn.Sequential(convolution, *head).eval()


@pytest.mark.parametrize(
    ("convolution", "skips", "meets_all"),
    [(nn.Conv2d(2, 4, 1, stride=2), 8, 9), (nn.Conv2d(2, 4, 3, stride=3), 8, 9)],
)
def test_a_convolution_that_skips_the_last_pixels_has_no_lean_twin(convolution, skips, meets_all):
    # Steps of 2 meet pixels 0, 2, 4, 6 of eight, and not the last; of nine they meet it.
    with pytest.raises(ValueError, match=r"0 skips the last pixels.*not lean"):
        from_torch(behind(convolution), (2, skips, skips), lean=True)
    assert_carried(convolution, skips, lean=False)
    assert_carried(convolution, meets_all, lean=True)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (nn.GELU(), r"cannot carry GELU \(0\) over to Keras: known are Conv2d"),
        (nn.Conv2d(4, 4, 3, groups=2), "0: 2 groups; carried are 1 or one for each channel"),
        (nn.Conv2d(4, 4, 3, padding="same"), "0: give the padding of a convolution as numbers"),
        (nn.AdaptiveAvgPool2d(2), "0: average pooling to 2; only to 1 is carried"),
        (nn.Flatten(), "0: flattening .* would order the values differently"),
    ],
)
def test_what_cannot_be_carried_is_named(module, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_torch(nn.Sequential(module), (4, 8, 8))


def test_a_float_file_gives_the_logits_of_pytorch(float_file, tiny, images, inputs):
    model = litert.load(float_file)
    np.testing.assert_allclose(model.predict(inputs), logits(tiny, images), atol=1e-4)


@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_files_between_are_smaller_and_nearly_as_exact(mode, between, float_file, tiny, images, inputs):
    assert len(between[mode]) < 0.8 * len(float_file)
    answers = litert.load(between[mode]).predict(inputs)
    assert (answers.argmax(1) == logits(tiny, images).argmax(1)).mean() > 0.9


def test_int8_takes_and_gives_bytes(int8_file, tiny, images, inputs):
    model = litert.load(int8_file)
    assert (model.input.dtype, model.output.dtype) == ("int8", "int8")
    raw = model.quantize(inputs)
    np.testing.assert_array_equal(raw, np.round(inputs * 255).astype(int) - 128)
    assert model.run(raw).dtype == np.int8
    assert (model.predict(inputs).argmax(1) == logits(tiny, images).argmax(1)).mean() > 0.9
    assert "scale 0.00392157, zero point -128" in repr(model)


@pytest.mark.parametrize("kernels", litert.available_kernels())
def test_batches_give_what_single_images_give(int8_file, inputs, kernels):
    model = litert.load(int8_file, kernels)
    raw = model.quantize(inputs[:7])
    one_by_one = np.concatenate([model.run(raw[i : i + 1]) for i in range(7)])
    np.testing.assert_array_equal(model.run(raw, batch_size=3), one_by_one)


def test_wrong_inputs_are_named_before_the_runtime_sees_them(int8_file, float_file, inputs, images):
    model = litert.load(int8_file)
    with pytest.raises(ModelError, match="takes int8, and the array is float32: `predict` quantizes"):
        model.run(inputs)
    with pytest.raises(ModelError, match=r"takes \[N, 28, 28, 1\].*\[60, 1, 28, 28\].*channels first"):
        model.predict(images)
    with pytest.raises(ModelError, match=r"the array is \[0, 28, 28, 1\]"):
        model.predict(inputs[:0])
    with pytest.raises(ModelError, match=r"the array is \[\]"):
        model.predict(3.0)
    with pytest.raises(ModelError, match="not finite"):
        model.predict(np.full_like(inputs[:1], np.nan))
    with pytest.raises(ModelError, match=r"takes float32, and the array is int8: convert it with"):
        litert.load(float_file).run(inputs.astype(np.int8))


def test_a_wrong_mode_and_missing_images_are_named(twin):
    with pytest.raises(ValueError, match="unknown mode 'int4': choose one of float32, dynamic"):
        litert.from_keras(twin, "int4")
    with pytest.raises(ValueError, match="int8 needs representative inputs"):
        litert.from_keras(twin, "int8")


def test_inside_the_last_step_is_the_output(int8_file, inputs):
    model = litert.load(int8_file, "reference")
    raw = model.quantize(inputs[:3])
    inside = model.look_inside(raw)
    assert list(inside) == [i for operator in model.graph.operators for i in operator.outputs]
    np.testing.assert_array_equal(inside[model.graph.outputs[0]], model.run(raw))


def test_batch_norms_are_folded_and_relus_fused(twin, int8_file):
    graph = reader.read(int8_file).graphs[0]
    layers = [type(layer).__name__ for layer in twin.layers[1:]]
    groups = list(figures.group_layers(layers, graph))
    assert [name for _, taken in groups for name in taken] == layers
    for operator, taken in groups:
        assert (operator.activation == "RELU") == ("ReLU" in taken)
    axes = figures.before_and_after(twin, graph, plt.subplots()[1])
    assert len(axes.patches) == len(layers) + len(groups)
    plt.close()


def test_parts_add_up_for_every_mode(tiny, float_file, int8_file):
    layers = [module for module in tiny.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for file, item_bytes in ((float_file, 4), (int8_file, 1)):
        report = litert.inspect(file)
        assert report.file_bytes == len(file)
        weights = sum(layer.weight.numel() for layer in layers)
        assert report.bytes_by_part["weights"] == weights * item_bytes
        # A folded batch norm leaves a bias for each channel.
        assert report.bytes_by_part["biases"] == sum(len(layer.weight) for layer in layers) * 4
        assert report.macs == cost.count(tiny, (1, 1, 28, 28)).macs


@needs_tflm
def test_reference_kernels_and_tflm_agree_in_every_byte_of_the_lean_file(lean_file, inputs):
    model = litert.load(lean_file)
    compared = litert.compare(lean_file, model.quantize(inputs[:, ::-1, ::-1]))
    assert compared.output_bytes == 600
    assert compared.count_differing("tflm") == 0
    assert compared.count_differing("default") > 0
    assert compared.same_class("tflm") == 1
    assert "600" in repr(compared)


def test_only_bytes_are_compared(float_file, inputs):
    with pytest.raises(ModelError, match="its output is float32: compare an int8 model"):
        litert.compare(float_file, inputs[:1])


@needs_tflm
def test_the_arena_of_the_lean_file_is_what_the_activations_need(tiny, int8_file, lean_file):
    predicted = cost.count(tiny, (1, 1, 28, 28)).at(8).peak_activation_bytes
    assert tflm.measure_arena(lean_file).activation_bytes == predicted
    assert tflm.measure_arena(int8_file).activation_bytes > 1.5 * predicted
    axes = figures.arenas(
        {"PAD": tflm.measure_arena(int8_file), "lean": tflm.measure_arena(lean_file)}, predicted
    )
    assert len(axes.containers) == len(tflm.measure_arena(int8_file).bytes_by_purpose)
    plt.close()


@needs_tflm
@pytest.mark.parametrize(("mode", "reason"), [("dynamic", "Hybrid models"), ("float16", "DEQUANTIZE")])
def test_tflm_refuses_what_phones_can_run_and_says_why(between, mode, reason):
    with pytest.raises(ModelError, match=f"tflm interpreter refuses the model: .*{reason}"):
        litert.load(between[mode], "tflm")


def test_zeros_below_and_to_the_right_are_same_padding_and_need_no_pad_operator():
    """What lesson 06 says of stride 2; given as `F.pad` to litert-torch they stay an operator."""
    import keras

    class Below(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, stride=2, groups=4)

        def forward(self, x):
            return self.conv(nn.functional.pad(x, (0, 1, 0, 1)))

    below, x = Below().eval(), torch.randn(1, 4, 8, 8)
    image = keras.Input((8, 8, 4))
    layer = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")
    twin = keras.Model(image, layer(image))
    weight, bias = (parameter.detach().numpy() for parameter in below.conv.parameters())
    layer.set_weights([weight.transpose(2, 3, 0, 1), bias])
    file = litert.from_keras(twin, "float32")
    given = litert.load(file).predict(x.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(given, below(x).detach().permute(0, 2, 3, 1), atol=1e-5)
    assert [op.type for op in reader.read(file).graphs[0].operators] == ["DEPTHWISE_CONV_2D"]
    direct = reader.read(litert.from_torch(below, x)).graphs[0]
    assert "PAD" in [op.type for op in direct.operators]


def test_pytorch_goes_to_tflite_in_int8_after_training_with_rounding(tiny, images):
    prepared, quantizer = pt2e.prepare_qat(tiny, images[:2])
    prepared.train()
    prepared(images)
    file = litert.from_torch(pt2e.convert_qat(prepared), images[:1], quantizer=quantizer)
    model = litert.load(file)
    assert model.input.dtype == "int8"
    assert (model.predict(images).argmax(1) == logits(tiny, images).argmax(1)).mean() > 0.9
    kinds = [operator.type for operator in model.graph.operators]
    assert "BATCH_NORM" not in kinds
    assert kinds.count("PAD") == 2


@pytest.mark.parametrize(("channels_last", "transposes"), [(False, 2), (True, 1)])
def test_a_picture_of_three_channels_is_transposed_at_the_border(channels_last, transposes):
    model = nn.Conv2d(3, 4, 3).eval()
    file = litert.from_torch(model, torch.zeros(1, 3, 8, 8), channels_last=channels_last)
    kinds = [operator.type for operator in reader.read(file).graphs[0].operators]
    assert kinds.count("TRANSPOSE") == transposes


def test_a_model_in_training_mode_is_not_converted(images):
    with pytest.raises(ValueError, match="training mode: call its `eval` first"):
        litert.from_torch(models.build("tiny"), images[:1])


def test_what_c_code_prints_is_caught_and_the_streams_come_back(capfd):
    import os

    with native_output.capture() as printed:
        os.write(1, b"out ")
        os.write(2, b"err")
        print("py", flush=True)
    assert "out err" in printed.text
    os.write(1, b"after")
    assert capfd.readouterr().out.endswith("after")


def test_tensorflow_comes_without_chatter_and_with_its_own_keras():
    code = (
        "from tinyml_helpers.system import compat; compat.import_tensorflow();"
        "import keras; print(keras.config.backend())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("tensorflow\n", "")


def test_another_backend_of_keras_is_named(monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(ImportError, match="Keras already runs on torch"):
        compat.import_tensorflow()


def inspect(*arguments):
    return CliRunner().invoke(cli.app, ["inspect", *arguments])


def test_inspect_shows_operators_bytes_and_tensors(tmp_path, int8_file):
    path = tmp_path / "model.bin"  # the content decides, not the name
    path.write_bytes(int8_file)
    result = inspect(str(path))
    assert result.exit_code == 0, result.output
    for part in ("DEPTHWISE_CONV_2D", "zero points", "MACs", f"{len(int8_file):,} bytes", "1x28x28x1"):
        assert part in result.output


def test_inspect_names_what_is_wrong_in_one_sentence(tmp_path, int8_file):
    cut, other = tmp_path / "cut.tflite", tmp_path / "other.txt"
    cut.write_bytes(int8_file[:5000])
    other.write_text("no model at all")
    for path, sentence in (
        (cut, "damaged"),
        (other, "not an ONNX file"),
        (tmp_path / "no", "No such file"),
    ):
        result = inspect(str(path))
        assert result.exit_code == 1
        assert sentence in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
