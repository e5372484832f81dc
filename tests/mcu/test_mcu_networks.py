"""Random networks and public ones: not one byte may differ from the reference kernels."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcu_host import SANITIZE, Reference, check, inputs, programs, sources
from tflite_maker import Maker, narrow_network, random_network

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder, read_verified
from tinyml_helpers.mcu.quantized_io import quantize_input
from tinyml_helpers.mcu.reports import verify
from tinyml_helpers.mcu.target import cores, toolchain
from tinyml_helpers.mcu.target.emulator import Machine

# More in a long run: TINYML_NETWORKS=5000.
COUNT = int(os.environ.get("TINYML_NETWORKS", "120"))
PUBLIC = {
    "anomaly_detection": 264_192,
    "image_classification": 12_501_632,
    "keyword_spotting": 2_656_768,
    "magic_wand": 62_016,
    "micro_speech": 336_000,
    "rock_paper_scissors": 5_870_016,
    "visual_wake_words": 4_152_278,  # of 7,489,664: the rest makes channels that are constant
}


@pytest.mark.parametrize("dsp", [True, False])
def test_random_networks_equal_the_reference_in_every_byte(dsp):
    for first in range(0, COUNT, 120):
        contents = {seed: random_network(seed) for seed in range(first, min(first + 120, COUNT))}
        compared, wrong = check(contents, dsp)
        assert compared > 100 * len(contents)
        assert wrong == []


def sum_of(scale, constant_scale):
    """An ADD of an image of every int8 value and a constant, each of its own scale."""
    m, shape = Maker(), (1, 16, 16, 1)
    a, out = m.tensor(shape, scale, -3), m.tensor(shape, max(scale, constant_scale), 5)
    b = m.tensor(shape, constant_scale, 7, data=np.arange(256)[::-1] - 128)
    m.operator("ADD", [a, b], out, fusedActivationFunction=0)
    return m.content([a], [out])


@pytest.mark.parametrize("dsp", [True, False])
def test_sums_of_very_unlike_scales_equal_the_reference_in_every_byte(dsp):
    pairs = [(1.0, 0.001), (0.001, 1.0), (0.5, 0.004), (0.004, 0.5), (1.0, 1.0), (2.0, 1e-6)]
    contents = {number: sum_of(*scales) for number, scales in enumerate(pairs)}
    compared, wrong = check(contents, dsp)
    assert compared == len(pairs) * 2 * 2 * 256
    assert wrong == []


def halves(scale, outputs, bias):
    """A dense layer of sums from -128 to 127, some in the middle of two steps."""
    m = Maker()
    image, out = m.tensor((256, 1), 1.0, 0), m.tensor((256, outputs), scale, 0)
    weights = m.tensor((outputs, 1), [1.0] * outputs, 0, data=np.ones((outputs, 1)))
    given = [image, weights, m.tensor((outputs,), [1.0] * outputs, 0, "int32", [bias] * outputs)]
    m.operator("FULLY_CONNECTED", given, out)
    return m.content([image], [out])


@pytest.mark.parametrize("dsp", [True, False])
def test_halves_of_dense_layers_round_as_the_reference(dsp):
    cases = [(s, n, bias) for s in (0.5, 1.0, 2.0, 4.0, 64.0, 3.0) for n in (1, 5) for bias in (0, -37)]
    compared, wrong = check({i: halves(*case) for i, case in enumerate(cases)}, dsp)
    assert compared == 4 * 256 * 6 * 2 * (1 + 5)
    assert wrong == []


def joined(count):
    """A CONCATENATION of an image, changed in two ways, and constants: so many inputs in all."""
    m, shape = Maker(), (1, 2, 3, 1)
    image, relu = m.tensor(shape, 0.5, 1), m.tensor(shape, 0.5, 1)
    m.operator("RELU", [image], relu)
    parts = [image, relu]
    for number in range(count - 2):
        data = np.arange(6).reshape(shape) + 4 * number - 100
        parts.append(m.tensor(shape, 0.5, 1, data=data) if number % 3 else (image, relu)[number % 2])
    out = m.tensor((1, 2, 3, count), 0.5, 1)
    m.operator("CONCATENATION", parts, out, axis=3, fusedActivationFunction=0)
    return m.content([image], [out])


def test_more_inputs_than_there_are_letters():
    """Operands have numbers; of a name made of letters the 27th would have none."""
    compared, wrong = check({number: joined(number) for number in (26, 27, 40)}, dsp=True)
    assert compared == 4 * 6 * (26 + 27 + 40)
    assert wrong == []
    run = mcu.build(joined(27)).run(np.arange(6).astype(np.int8))
    assert len(run.profile) == 2  # every copy counts for its layer
    assert run.profile.layers[1].instructions > 27 * 6


def test_kernels_have_no_undefined_behaviour():
    script = Path(__file__).parents[1] / "mcu_host.py"
    done = subprocess.run([sys.executable, script, "7000", "25"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout.count(" 0 wrong") == 6


def test_sanitizer_is_awake():
    library = toolchain.host_library(
        {"bad.c": "int f(int x) { return x + 2147483647; }"}, ["-O1", *SANITIZE]
    )
    call = f"import ctypes; ctypes.CDLL({str(library)!r}).f(5)"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True)
    assert done.returncode != 0


@pytest.mark.parametrize("make", [random_network, narrow_network])
@pytest.mark.parametrize("core", cores.CORES)
def test_random_networks_on_each_core(core, make):
    contents = {seed: make(seed) for seed in range(9000, 9024)}
    made = programs(contents, cores.CORES[core].dsp, packed=make is narrow_network)
    cases = "".join(f"case {seed}: n{seed}_invoke(); break; " for seed in contents)
    heads = "".join(f'#include "n{seed}.h"\n' for seed in contents)
    main = f"{heads}volatile int which;\nint main(void) {{ switch (which) {{ {cases} }} return 0; }}"
    machine = Machine(toolchain.compile_c({**sources(made), "main.c": main}, core, ram_bytes=1 << 20))
    for seed, content in contents.items():
        program, reference = made[f"n{seed}"], Reference(content)
        g, arena = program.graph, program.arena
        at = {
            i: f"n{seed}_arena[{arena.offset(i)}:{arena.offset(i) + g.tensors[i].size_bytes}]"
            for i in (*g.inputs, *g.outputs)
        }
        for x in inputs(g.tensors[g.inputs[0]], seed):
            run = machine.run(
                {"which": np.int32(seed), at[g.inputs[0]]: x}, {at[i]: "int8" for i in g.outputs}
            )
            for i, want in zip(g.outputs, reference.run([x], g.outputs), strict=True):
                assert run.outputs[at[i]].tobytes() == want.tobytes(), (seed, core)


@pytest.mark.parametrize("name", ["kws", "gestures", "tiny_detector"])
def test_the_networks_of_the_front_picture_equal_the_reference(name):
    found = verify.verify(data_folder() / "models" / f"{name}.tflite", inputs=10)
    assert found.wrong == 0
    assert found.compared >= 70


@pytest.mark.parametrize("name", PUBLIC)
def test_public_models_equal_the_reference_on_twenty_inputs(name):
    content = read_verified(f"models/{name}.tflite")
    firmware, reference = mcu.build(content), Reference(content)
    assert firmware.macs == PUBLIC[name]
    g, source = firmware.program.graph, firmware.source
    given, first = source.tensors[source.inputs[0]], g.tensors[g.inputs[0]]
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        level, contrast = rng.uniform(-120, 120), rng.choice([2, 10, 60])
        real = np.clip(rng.normal(level, contrast, given.shape), -128, 127)
        x = np.round(real).astype(np.int8)
        if given.dtype == "float32":
            x = ((real - first.zero_point) * first.scale).astype(np.float32)
        steps, want, value = reference.run([x], (first.index, g.outputs[0], source.outputs[0]))
        run = firmware.run(x)
        assert run.output.tobytes() == want.tobytes()
        assert quantize_input(x, first).tobytes() == steps.tobytes()
        if given.dtype == "float32":
            assert run.value.tobytes() == value.tobytes()
        seen.add(run.output.tobytes())
    assert len(seen) > 1


def test_scales_are_multiplied_in_double_precision():
    content = read_verified("models/anomaly_detection.tflite")
    firmware, reference = mcu.build(content), Reference(content)
    g, rng = firmware.program.graph, np.random.default_rng(5)
    for _ in range(2):  # the second has a sum within 3e-6 of a half: a float32 product rounds it up
        x = rng.integers(-128, 128, (1, 5, 128, 1)).astype(np.int8)
        (want,) = reference.run([g.tensors[g.inputs[0]].real(x)], g.outputs)
        assert firmware.run(x).output.tobytes() == want.tobytes()


def test_keyword_network_meets_its_budgets():
    firmware = mcu.build(read_verified("models/keyword_spotting.tflite"))
    run = firmware.run(np.zeros(500))
    assert run.instructions / firmware.macs < 1.5
    assert firmware.flash_bytes < 40_000
    assert run.ram_bytes < 10_000


@pytest.mark.parametrize("device", ["pico", "nucleo_h743zi", "pico2"])
def test_every_device_gives_the_same_bytes(device):
    content = read_verified("models/keyword_spotting.tflite")
    x = np.random.default_rng(1).normal(size=500) * 20
    want, run = (mcu.build(content, d).run(x) for d in ("nano33ble", device))
    assert run.output.tobytes() == want.output.tobytes()


def test_float_ends_can_stay():
    content = read_verified("models/magic_wand.tflite")
    x = np.random.default_rng(1).normal(size=(1, 128, 3, 1)).astype(np.float32) * 1000
    inside, outside = mcu.build(content, float_io=True), mcu.build(content)
    assert inside.run(x).output.tobytes() == outside.run(x).value.tobytes()
    assert inside.ram_bytes > outside.ram_bytes
