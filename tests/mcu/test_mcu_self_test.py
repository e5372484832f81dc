"""Does the self-test of an export see a broken network? Each fault is made in the C and tried."""

import ctypes
import re

import numpy as np
import pytest

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.mcu import export
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine

MODELS = data_folder() / "models"
NETWORKS = ["magic_wand", "micro_speech", "keyword_spotting", "anomaly_detection", "small"]
BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "int32_t": 4, "net_tm_channel": 12}
ARRAY = re.compile(r"^(\w+|_Alignas\(4\) \w+) (\w+)((?:\[\d+\])+) = \{$", re.MULTILINE)
# Rounding in the kernels' arithmetic, as somebody might break it.
ROUNDING = {
    "no rounding": ("high_mul(x, y, 0x8000)", "high_mul(x, y, 0)"),
    "halves up, not away from zero": (" + (doubled >> 31)) >> shift", ") >> shift"),
    "a shift too many": (
        "half_saturate8(int32_t x) { return clamp(x >> 1",
        "half_saturate8(int32_t x) { return clamp(x >> 2",
    ),
    "no lower limit": ("clamp(x >> 1, -128, 127)", "clamp(x >> 1, -127, 127)"),
}


def sources(model, device="pico"):
    """The exported C of a network, whose constants a test may change."""
    files = export.network_files(mcu.build(MODELS / f"{model}.tflite", device, name="net"))
    files["net.c"] = files["net.c"].replace("static const ", "")
    return files


def wrong(library):
    first = ctypes.c_uint32()
    return library.net_self_test(ctypes.byref(first))


def memory(library, name, size_bytes):
    return np.frombuffer((ctypes.c_uint8 * size_bytes).in_dll(library, name), np.uint8)


def arrays(library, text):
    """Each constant array, as bytes, by its name."""
    found = {}
    for ctype, name, shape in ARRAY.findall(text):
        size = int(np.prod([int(n) for n in re.findall(r"\d+", shape)]))
        found[name] = memory(library, name, size * BYTES[ctype.split()[-1]])
    return found


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    files = sources(request.param)
    return ctypes.CDLL(str(toolchain.host_library(files))), files


def seen(library, place, values):
    """How many of the values, put into one place each, make the test fail."""
    count = 0
    for (array, index), value in zip(place, values, strict=True):
        before = array[index].copy()
        array[index] = value
        count += wrong(library) > 0
        array[index] = before
    return count


def test_a_sound_network_passes_and_flipped_constants_are_seen(network):
    library, files = network
    assert wrong(library) == 0
    rng, found = np.random.default_rng(0), arrays(library, files["net.c"])
    weights = [array for name, array in found.items() if name.endswith("_weights")]
    chosen = [weights[i] for i in rng.integers(len(weights), size=40)]
    place = [(array, rng.integers(array.size)) for array in chosen]
    assert seen(library, place, [array[i] ^ 1 << rng.integers(8) for array, i in place]) >= 38
    channels = [array.view(np.int32) for name, array in found.items() if name.endswith("_channels")]
    chosen = [channels[i] for i in rng.integers(len(channels), size=30)]
    place = [
        (array, 3 * rng.integers(array.size // 3) + column)
        for array, column in zip(chosen, [0, 1, 2] * 10, strict=True)
    ]
    assert seen(library, place, [array[i] + 1 for array, i in place]) >= 29
    assert wrong(library) == 0


def changed(files, pattern, make, limit=4):
    """Copies of the sources, in each of which one number of a layer is another."""
    for match in list(re.finditer(pattern, files["net.c"]))[:limit]:
        text = files["net.c"]
        number = make(int(match[2]))
        yield files | {"net.c": f"{text[: match.start(2)]}{number}{text[match.end(2) :]}"}


def test_other_zero_points_are_seen():
    """They stand in structs beside addresses, which no sum covers: what layers answer shows them."""
    made = []
    for model in ("magic_wand", "keyword_spotting"):
        made += changed(
            sources(model),
            r"(output_zero_point = )(-?\d+)",
            lambda zero: zero + 1 if zero < 0 else zero - 1,
        )
    answers = [wrong(ctypes.CDLL(str(toolchain.host_library(files)))) for files in made]
    assert len(answers) >= 8
    assert sum(answer > 0 for answer in answers) >= 0.95 * len(answers)


@pytest.mark.parametrize("fault", ROUNDING)
def test_kernels_that_round_otherwise_are_seen(fault):
    before, after = ROUNDING[fault]
    for model in ("magic_wand", "micro_speech"):
        files = sources(model)
        assert before in files["arithmetic.h"]
        files["arithmetic.h"] = files["arithmetic.h"].replace(before, after)
        assert wrong(ctypes.CDLL(str(toolchain.host_library(files)))) > 0, model


@pytest.mark.parametrize("model", ["magic_wand", "keyword_spotting"])
def test_kernels_of_dsp_instructions_that_do_not_round_are_seen(model):
    files = export.network_files(mcu.build(MODELS / f"{model}.tflite", name="net"))
    main = '#include "net_self_test.h"\nuint32_t wrong, first;\n'
    main += "int main(void) { wrong = net_self_test(&first); }\n"
    answers = []
    for change in ("smmlar", "smmla"):
        broken = {name: text.replace('"smmlar ', f'"{change} ') for name, text in files.items()}
        run = Machine(toolchain.compile_c({**broken, "main.c": main})).run({}, {"wrong": np.uint32})
        answers.append(int(run.outputs["wrong"][0]))
    assert answers[0] == 0
    assert answers[1] > 0
