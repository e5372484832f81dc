"""The one quantizer: held against LiteRT's own kernel, and against everything here that quantizes."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcu_host import Reference
from tflite_maker import Maker

from tinyml_helpers import mcu
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite import graph
from tinyml_helpers.integers import Integers
from tinyml_helpers.mcu import quantized_io
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.usecases.anomaly import features as anomaly_features
from tinyml_helpers.usecases.anomaly import firmware as anomaly_firmware
from tinyml_helpers.usecases.anomaly.detect import Scaling

ONE_BY_ONE = {"filterWidth": 1, "filterHeight": 1, "strideW": 1, "strideH": 1, "padding": 1}
SCALES = st.floats(2.0**-20, 2.0**10, width=32)


def around_halves(scale, steps=300):
    """Every half step from -steps to steps, and the two floats next to it on both sides."""
    halves = (np.arange(-steps, steps) + 0.5) * np.float64(scale)
    middle = halves.astype(np.float32)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    above, below = np.nextafter(middle, up), np.nextafter(middle, down)
    return np.concatenate([middle, above, below, np.nextafter(above, up), np.nextafter(below, down)])


def quantize_model(count, scale, zero_point, dtype="int8"):
    """A .tflite that holds nothing but QUANTIZE."""
    maker = Maker()
    real = maker.tensor((1, count), dtype="float32")
    stored = maker.operator("QUANTIZE", [real], maker.tensor((1, count), scale, zero_point, dtype))
    return maker.content([real], [stored]), stored


def quantize_and_copy(count, scale, zero_point):
    """QUANTIZE, and a layer that gives its input back: a maximum over windows of one."""
    maker = Maker()
    real = maker.tensor((1, count, 1, 1), dtype="float32")
    stored, out = (maker.tensor((1, count, 1, 1), scale, zero_point) for _ in range(2))
    maker.operator("QUANTIZE", [real], stored)
    maker.operator("MAX_POOL_2D", [stored], out, **ONE_BY_ONE)
    return maker.content([real], [out])


@settings(max_examples=60, deadline=None)
@given(SCALES, st.sampled_from(["int8", "uint8", "int16"]), st.data())
@example(0.5, "int8", None)
def test_it_equals_litert_s_quantize_on_all_halves(scale, dtype, data):
    limits = np.iinfo(dtype)
    # Of int16, LiteRT takes no other zero point than 0.
    zero_points = st.integers(max(limits.min, -128), min(limits.max, 255))
    zero_point = data.draw(zero_points) if data and dtype != "int16" else 0
    reals = around_halves(scale)
    content, stored = quantize_model(len(reals), scale, zero_point, dtype)
    (wanted,) = Reference(content).run([reals[None]], [stored])
    np.testing.assert_array_equal(Integers(scale, zero_point, dtype).store(reals[None]), wanted)


@pytest.mark.parametrize(("scale", "zero_point"), [(0.5, 0), (4 / 255, -64), (0.1, 127), (3.7, -128)])
def test_all_that_quantizes_here_gives_the_same_bytes(scale, zero_point):
    reals = around_halves(np.float32(scale))
    content, stored = quantize_model(len(reals), scale, zero_point)
    (wanted,) = Reference(content).run([reals[None]], [stored])
    deployed = graph.Tensor("t", reals.shape, "int8", (scale,), (zero_point,))
    np.testing.assert_array_equal(deployed.quantized(reals), wanted.ravel())
    np.testing.assert_array_equal(quantized_io.quantize_input(reals, deployed), wanted.ravel())
    firmware = mcu.build(quantize_and_copy(len(reals), scale, zero_point))
    run = firmware.run(reals.reshape(1, -1, 1, 1))
    np.testing.assert_array_equal(run.output.ravel(), wanted.ravel())


def test_an_interpreter_and_the_chip_see_the_same_bytes_for_one_float_input():
    """Scale 0.5 and 0.25, 0.75, 1.25: 1, 2, 3, where rounding to even would give 0, 2, 2."""
    maker = Maker()
    stored, out = (maker.tensor((1, 3, 1, 1), 0.5) for _ in range(2))
    maker.operator("MAX_POOL_2D", [stored], out, **ONE_BY_ONE)
    content = maker.content([stored], [out])
    reals = np.float32([0.25, 0.75, 1.25]).reshape(1, 3, 1, 1)
    for model in (litert.load(content), litert.load(content, "reference")):
        assert model.quantize(reals).ravel().tolist() == [1, 2, 3]
        assert model.predict(reals).ravel().tolist() == [0.5, 1, 1.5]
    assert mcu.build(content).run(reals).output.ravel().tolist() == [1, 2, 3]


def test_the_vibration_detector_s_c_rounds_as_it_does():
    """Its C writes steps of a feature; the last float below one half must not be rounded up."""
    ports = [
        graph.Tensor(name, (1, 56), "int8", (1.0,), (zero,)) for name, zero in (("in", -10), ("out", 0))
    ]
    network = SimpleNamespace(input=ports[0], output=ports[1])
    one = np.ones(anomaly_features.FEATURES, np.float32)
    scaling = Scaling(0 * one, one, one)
    detector = anomaly_firmware.Int8Autoencoder(scaling, network)
    files = dict(anomaly_firmware.pipeline(detector, 0 * one, 4096).files)
    files["try.c"] = files.pop("vibration.c") + "\nint32_t try_one(float x) { return stored(x); }\n"
    library = ctypes.CDLL(str(toolchain.host_library(files)))
    library.try_one.argtypes = [ctypes.c_float]
    for value in around_halves(1.0).tolist():
        assert library.try_one(value) == Integers.of(ports[0]).store(value), value


@given(SCALES, st.integers(-128, 127), st.integers(-128, 127))
def test_an_integer_that_is_read_is_stored_as_itself(scale, zero_point, integer):
    ends = Integers(scale, zero_point)
    assert ends.store(ends.read(integer)) == integer


@given(SCALES, *2 * [st.floats(-(2.0**99), 2.0**99, width=32)])
def test_it_keeps_order(scale, one, other):
    low, high = sorted((one, other))
    assert Integers(scale, 3).store(low) <= Integers(scale, 3).store(high)


def test_ends_and_what_is_no_number():
    ends = Integers(1e-38, 5)
    np.testing.assert_array_equal(
        ends.store([1e30, -1e30, np.inf, -np.inf, 0]), [127, -128, 127, -128, 5]
    )
    with pytest.raises(ValueError, match="no numbers"):
        ends.store([0, np.nan])
