"""First layers strip by strip: the same bytes as layer by layer, in less RAM."""

import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from mcu_host import SANITIZE, Reference, inputs, library, run
from tflite_maker import Network

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.mcu.compiler import codegen, graph, lowering, patches
from tinyml_helpers.mcu.compiler.lowering import bands, strips
from tinyml_helpers.mcu.compiler.lowering.constants import Array

# More in a long run: TINYML_NETWORKS=5000.
COUNT = int(os.environ.get("TINYML_NETWORKS", "120")) // 2
STEPS = ["conv", "conv", "depthwise", "depthwise", "pool", "pairs", "lookup", "frame"]
MODELS = data_folder() / "models"


class Picture(Network):
    """A random chain over a taller image, with kernels to 7x7 and sums over what lies far apart."""

    def __init__(self, rng):
        super().__init__(rng)
        shape = (1, int(rng.integers(8, 33)), int(rng.integers(1, 9)), int(rng.choice([1, 3, 4, 8])))
        self.last = self.input = self.image(shape)
        self.images = [self.last]

    def window(self, multiple=True):
        found = super().window(multiple)
        if self.rng.random() < 0.7:
            return found
        return self.same(int(self.rng.choice([1, 3, 5, 7])), int(self.rng.choice([1, 2])), multiple)

    def same(self, size, step, multiple=True):
        options = {"padding": 0, "strideH": step, "strideW": step}
        if multiple:
            options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        return [size, size], [-(-n // step) for n in self.of(self.last)[0][1:3]], options


class Mobile(Picture):
    """MobileNetV2 of width 0.35 up to its fifth group of blocks, for 96x96x3, of random weights."""

    def __init__(self, rng):
        super().__init__(rng)
        self.last = self.input = self.image((1, 96, 96, 3), 1 / 128, 0)
        self.filtered(16, 3, 2, 3)
        for widen, channels, count, stride in ((1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2)):
            for n in range(count):
                self.block(widen, channels, 1 if n else stride)
        shape, scale, _ = self.of(self.last)
        axes = self.tensor((2,), dtype="int32", data=[1, 2])
        mean = self.image((1, 1, 1, shape[3]), scale / 4, 0)
        self.last = self.operator("MEAN", [self.last, axes], mean, keepDims=True)

    def block(self, widen, channels, stride):
        before, (_, *_, width) = self.last, self.of(self.last)[0]
        if widen > 1:
            self.filtered(widen * width, 1, 1, 3)
        self.filtered(0, 3, stride, 3)
        self.filtered(channels, 1, 1, 0)
        shape, scale, _ = self.of(self.last)
        if shape == self.of(before)[0]:
            out = self.image(shape, max(scale, self.of(before)[1]) * 1.3, 0)
            self.last = self.operator("ADD", [before, self.last], out, fusedActivationFunction=0)

    def filtered(self, channels, size, stride, activation):
        """A convolution; of no channels, a depthwise one."""
        kernel, sizes, options = self.same(size, stride)
        given = self.of(self.last)[0][3]
        shape = (channels, *kernel, given) if channels else (1, *kernel, given)
        taps = size * size * (given if channels else 1)
        out = self.image((1, *sizes, channels or given), *((6 / 255, -128) if activation else (0.07, 0)))
        scale = 3 / (self.of(self.last)[1] * 40 * 70 * np.sqrt(taps))  # sums of about 3
        values = np.clip(self.rng.normal(size=shape) * 40, -127, 127)
        last = len(values) if channels else given
        bias = self.tensor((last,), self.of(self.last)[1] * scale, 0, "int32", np.zeros(last))
        weights = [self.last, self.tensor(shape, scale, 0, data=values), bias]
        options |= {"fusedActivationFunction": activation} | ({} if channels else {"depthMultiplier": 1})
        kind = "CONV_2D" if channels else "DEPTHWISE_CONV_2D"
        self.last = self.operator(kind, weights, out, **options)


def mobile():
    net = Mobile(np.random.default_rng(5))
    return net.content([net.input], [net.last])


def picture(seed):
    """A network whose first layers are images; now and then the rest is not."""
    rng = np.random.default_rng(seed)
    net = Picture(rng)
    for _ in range(int(rng.integers(1, 7))):
        net.step(str(rng.choice(STEPS)))
    if rng.random() < 0.4:
        net.step(str(rng.choice(["mean", "dense", "softmax"])))
    return net.content([net.input], [net.last])


def in_strips(content, name, seed, dsp):
    """A network with some of its first layers in some strips; None if there is nothing to cut."""
    g, rng = graph.read(content), np.random.default_rng(seed)
    stages = patches.find_stages(codegen.fold_padding(g))
    if not stages:
        return None
    stage = stages[int(rng.integers(len(stages)))] if rng.random() < 0.5 else stages[-1]
    rows = g.tensors[stage[-1].outputs[0]].shape[1]
    count = int(rng.choice([1, rows, rng.integers(1, rows + 1)]))
    with mock.patch.object(patches, "find_stages", lambda graph: (stage,)):
        return codegen.generate(g, name, dsp=dsp, trimmed=False, patches=count)


def compare(seeds, dsp, *flags):
    """The networks that were cut, and those of which a byte differs from the reference."""
    contents = {f"n{seed}": picture(seed) for seed in seeds}
    tried = {name: in_strips(content, name, int(name[1:]), dsp) for name, content in contents.items()}
    made = {name: program for name, program in tried.items() if program}
    lib, wrong = library(made, dsp, *flags), []
    for name, program in made.items():
        g, reference = program.graph, Reference(contents[name])
        for x in inputs(g.tensors[g.inputs[0]], int(name[1:])):
            want = reference.run([x], g.outputs)
            for paint in (0x00, 0xA5):
                found = run(lib, program, x, paint)
                if any(a.tobytes() != b.tobytes() for a, b in zip(found, want, strict=True)):
                    wrong.append((name, program.strips))
    return list(made.values()), wrong


@pytest.mark.parametrize("dsp", [True, False])
def test_strips_give_the_bytes_of_whole_images(dsp):
    made, wrong = compare(range(COUNT), dsp)
    assert wrong == []
    assert len(made) > 0.7 * COUNT
    assert sum(program.strips.count > 2 for program in made) > 0.3 * COUNT
    assert sum(program.strips.layers > 2 for program in made) > 0.15 * COUNT
    assert sum(bool(program.graph.over) for program in made) > 0.1 * COUNT


def test_a_wrong_halo_is_seen():
    def shifted(window, rows, height):
        (first, end), margins = bands.rows_under(window, rows, height)
        return ((first + 1, end + 1) if window and end < height else (first, end)), margins

    with mock.patch.object(strips, "rows_under", shifted):
        made, wrong = compare(range(20), True)
    assert len(wrong) > len(made) / 4


def test_an_output_that_covers_rows_too_early_is_seen():
    def hasty(graph, stage, bands):
        read = {i for op in stage for i in op.inputs if i >= 0 and not graph.tensors[i].data}
        image, made = min(read - set(bands)), stage[-1].outputs[0]
        fits = graph.tensors[made].size <= graph.tensors[image].size
        return {made: image} if fits and image not in graph.outputs else {}

    with mock.patch.object(strips, "find_over", hasty):
        made, wrong = compare(range(40), True)
    assert 0 < len(wrong) < len(made)


def test_strips_have_no_undefined_behaviour():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[:2000]


def weights_bytes(program):
    return sum(
        one.values.nbytes
        for layer in program.layers
        for one in layer.constants
        if isinstance(one, Array)
    )


@pytest.mark.parametrize(
    ("model", "count", "most"),
    [("visual_wake_words", 24, 0.6), ("image_classification", 16, 0.45), ("mobile", 24, 0.6)],
)
def test_arena_is_smaller_and_constants_are_there_once(model, count, most):
    content = mobile() if model == "mobile" else (MODELS / f"{model}.tflite").read_bytes()
    g = lowering.strip_float_ends(graph.read(content))
    whole, cut = codegen.generate(g), codegen.generate(g, patches=count)
    assert cut.arena.size_bytes < most * whole.arena.size_bytes
    assert cut.strips.whole_bytes == whole.arena.size_bytes
    assert cut.strips.arena_bytes == cut.arena.size_bytes
    assert weights_bytes(cut) == weights_bytes(whole)
    assert cut.macs == whole.macs  # rows that two strips see are computed once
    x = np.random.default_rng(0).integers(-128, 128, g.tensors[g.inputs[0]].shape).astype(np.int8)
    found = [run(library({"model": one}, True), one, x, 0x5A) for one in (whole, cut)]
    assert found[0][0].tobytes() == found[1][0].tobytes()
    assert len(set(found[0][0].ravel().tolist())) > 1


def test_a_network_that_does_not_fit_is_cut_until_it_does(tmp_path):
    file = MODELS / "tiny_detector.tflite"
    with pytest.raises(mcu.DoesNotFitError, match=r'RAM .* of 32,768 bytes.*patches="auto"'):
        mcu.build(file, "uno_r4")
    firmware = mcu.build(file, "uno_r4", patches="auto")
    assert firmware.program.strips.count == 3
    assert "layers run in 3 strips of rows: arena 41,624 -> " in repr(firmware)
    x = np.random.default_rng(1).integers(-128, 128, (1, 97, 97, 1)).astype(np.int8)
    whole = mcu.build(file, "nano33ble", patches="auto")
    assert whole.program.strips is None  # it fits as it is
    found, want = firmware.run(x), whole.run(x)
    assert found.ram_bytes < 32_768 < want.ram_bytes
    assert [a.tobytes() for a in found.outputs] == [b.tobytes() for b in want.outputs]
    assert [layer.name for layer in found.profile] == [layer.name for layer in want.profile]
    assert found.profile.layers[0].macs == want.profile.layers[0].macs
    assert (firmware.export(tmp_path) / "src" / "model.c").is_file()  # its self-test has run


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0, "patches=0: give a number of strips"),
        ("all", "patches='all': give a number of strips"),
        (1000, "patches=1000: the first layers of this network take at most 48 strips"),
    ],
)
def test_numbers_of_strips_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        mcu.build(MODELS / "visual_wake_words.tflite", "nucleo_l4r5zi", patches=given)


def test_a_network_without_images_is_refused():
    with pytest.raises(ValueError, match=r"patches=2: .* has no layers over images"):
        mcu.build(MODELS / "anomaly_detection.tflite", patches=2)


if __name__ == "__main__":
    sys.exit(bool(compare(range(300, 315), True, *SANITIZE)[1]))
