"""C around a network: samples in, an answer out."""

import numpy as np
import pytest
from test_mcu_firmware import STUBS, exported_sources

from tinyml_helpers import mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import EmulatorError, Machine

MAGIC_WAND = read_verified("models/magic_wand.tflite")
HALVE = """#include <stdint.h>
void halve(const int16_t *samples, int8_t *input) {
    for (int i = 0; i < 384; i++) input[i] = (int8_t)(samples[i] >> 8);
}
"""
LARGEST = """#include <stdint.h>
int32_t calls;
int32_t largest(const int8_t *output) {
    int32_t most = 0;
    for (int i = 1; i < 4; i++) if (output[i] > output[most]) most = i;
    return 1000 * ++calls + most;
}
"""


def pipeline(**changes):
    settings = {
        "files": {"halve.c": HALVE, "largest.c": LARGEST},
        "before": "halve",
        "samples": "int16_t",
        "count": 384,
        "after": "largest",
    }
    return mcu.Pipeline(**{**settings, **changes})


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).integers(-(2**15), 2**15, 384).astype(np.int16)


@pytest.fixture(scope="module")
def firmware():
    return mcu.build(MAGIC_WAND, pipeline=pipeline())


def test_a_pipeline_gives_what_its_parts_give(firmware, samples):
    alone = mcu.build(MAGIC_WAND).run((samples >> 8).astype(np.int8))
    run = firmware.run(samples)
    assert run.output.tobytes() == alone.output.tobytes()
    assert run.score == 1000 + int(alone.output.argmax())
    assert firmware.run(samples).score == run.score  # every run starts from reset
    assert alone.score is None


def test_instructions_are_told_apart_and_add_up(firmware, samples):
    alone = mcu.build(MAGIC_WAND).run((samples >> 8).astype(np.int8))
    run = firmware.run(samples)
    first, *layers, last = run.profile
    assert (first.name, last.name) == ("halve", "largest")
    assert 384 <= first.instructions <= 384 * 12
    assert sum(part.instructions for part in run.profile) == pytest.approx(run.instructions, abs=40)
    network = [layer.instructions for layer in alone.profile]
    assert [layer.instructions for layer in layers] == pytest.approx(network, abs=20)
    assert len(layers) == len(network)


def test_samples_lie_in_no_ram_of_the_firmware(firmware, samples):
    alone = mcu.build(MAGIC_WAND)
    assert firmware.ram_bytes - alone.ram_bytes == 8  # `calls` and `score`
    assert firmware.image.sensor_bytes == 768
    assert "behind halve" in repr(firmware)
    assert "the chain's answer" in repr(firmware.run(samples))


def test_without_an_after_the_output_is_the_answer(samples):
    run = mcu.build(MAGIC_WAND, "pico", pipeline=pipeline(after=None)).run(samples)
    assert run.score is None
    first, *_, last = run.profile
    assert (first.name, last.name.split()[0]) == ("halve", "SOFTMAX")


@pytest.mark.parametrize(
    ("ctype", "dtype"), [("int8_t", "int8"), ("uint8_t", "uint8"), ("float", "float32")]
)
def test_samples_of_every_type(ctype, dtype):
    code = f"""#include <stdint.h>
    void take(const {ctype} *samples, int8_t *input) {{
        for (int i = 0; i < 384; i++) input[i] = (int8_t)(samples[i] / 2);
    }}"""
    given = np.arange(384) % 100
    around = pipeline(files={"take.c": code}, before="take", samples=ctype, after=None)
    run = mcu.build(MAGIC_WAND, pipeline=around).run(given.astype(dtype))
    assert (
        run.output.tobytes() == mcu.build(MAGIC_WAND).run((given // 2).astype(np.int8)).output.tobytes()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"before": "2nd"}, "'2nd' is no C identifier"),
        ({"after": "a b"}, "'a b' is no C identifier"),
        ({"samples": "double"}, "choose one of int8_t, uint8_t, int16_t, float"),
        ({"count": 0}, "takes at least 1"),
        ({"hop": -1}, "a hop of -1"),
        ({"hop": 1 << 20}, "a hop of 1048576"),
    ],
)
def test_a_wrong_pipeline_is_refused_at_once(changes, message):
    with pytest.raises(ValueError, match=message):
        pipeline(**changes)


def test_a_pipeline_that_does_not_go_with_the_network():
    with pytest.raises(ValueError, match=r"'model\.c' of the pipeline is one of the network's"):
        mcu.build(MAGIC_WAND, pipeline=pipeline(files={"model.c": HALVE}))
    with pytest.raises(toolchain.ToolchainError, match="undefined symbol: halved"):
        mcu.build(MAGIC_WAND, pipeline=pipeline(before="halved"))
    with pytest.raises(ValueError, match="float_io"):
        mcu.build(read_verified("models/visual_wake_words.tflite"), float_io=True, pipeline=pipeline())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros(3, np.int16), "3 samples given, the pipeline takes 384"),
        (np.full(384, 40_000), "do not fit int16_t"),
        (np.full(384, 0.5), "float64 do not fit int16_t: round"),
    ],
)
def test_wrong_samples_name_the_cure(firmware, given, message):
    with pytest.raises(ValueError, match=message):
        firmware.run(given)


def test_the_sensor_cannot_be_written(samples):
    code = HALVE.replace("{\n", "{\n    ((volatile int16_t *)samples)[0] = 1;\n", 1)
    firmware = mcu.build(MAGIC_WAND, pipeline=pipeline(files={"halve.c": code}, after=None))
    with pytest.raises(EmulatorError, match="0x60000000"):
        firmware.run(samples)


@pytest.mark.parametrize("after", ["largest", None])
def test_an_exported_pipeline_compiles_and_passes_its_own_test(tmp_path, after):
    folder = mcu.build(MAGIC_WAND, pipeline=pipeline(after=after)).export(tmp_path)
    files = exported_sources(folder)
    run = Machine(toolchain.compile_c(files | STUBS)).run({}, {"wrong_checks": "uint32"})
    assert run.outputs["wrong_checks"][0] == 0
    assert {"halve.c", "largest.c", "model_chain.h"} <= set(files)
    assert "Call `halve` with 384 samples" in (folder / "README.md").read_text("utf-8")
    assert "src/halve.c" in (folder / "CMakeLists.txt").read_text("utf-8")
