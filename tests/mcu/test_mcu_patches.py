"""First layers strip by strip: the same bytes as layer by layer, in less RAM."""

import numpy as np
import pytest
from mcu_host import Reference, inputs, library, run
from tflite_maker import Network

from tinyml_helpers.mcu.compiler import codegen, graph, patches

STEPS = ["conv", "conv", "depthwise", "depthwise", "pool", "pairs", "lookup", "frame"]


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
        size, step = int(self.rng.choice([1, 3, 5, 7])), int(self.rng.choice([1, 2]))
        options = {**found[2], "padding": 0, "strideH": step, "strideW": step}
        if multiple:
            options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        return [size, size], [-(-n // step) for n in self.of(self.last)[0][1:3]], options


def picture(seed):
    """A network whose first layers are images; now and then the rest is not."""
    rng = np.random.default_rng(seed)
    net = Picture(rng)
    for _ in range(int(rng.integers(1, 7))):
        net.step(str(rng.choice(STEPS)))
    if rng.random() < 0.4:
        net.step(str(rng.choice(["mean", "dense", "softmax"])))
    return net.content([net.input], [net.last])


def in_strips(content, name, seed, dsp, monkeypatch):
    """A network with some of its first layers in some strips; None if there is nothing to cut."""
    g, rng = graph.read(content), np.random.default_rng(seed)
    stages = patches.find_stages(codegen.fold_padding(g))
    if not stages:
        return None
    stage = stages[int(rng.integers(len(stages)))] if rng.random() < 0.5 else stages[-1]
    rows = g.tensors[stage[-1].outputs[0]].shape[1]
    with monkeypatch.context() as patched:
        patched.setattr(patches, "find_stages", lambda graph: (stage,))
        return codegen.generate(
            g,
            name,
            dsp=dsp,
            trimmed=False,
            patches=int(rng.choice([1, rows, rng.integers(1, rows + 1)])),
        )


def compare(seeds, dsp, monkeypatch):
    contents = {f"n{seed}": picture(seed) for seed in seeds}
    made = {
        name: program
        for name, content in contents.items()
        if (program := in_strips(content, name, int(name[1:]), dsp, monkeypatch))
    }
    lib = library(made, dsp)
    wrong = []
    for name, program in made.items():
        g, reference = program.graph, Reference(contents[name])
        for x in inputs(g.tensors[g.inputs[0]], int(name[1:])):
            want = reference.run([x], g.outputs)
            for paint in (0x00, 0xA5):
                found = run(lib, program, x, paint)
                if any(a.tobytes() != b.tobytes() for a, b in zip(found, want, strict=True)):
                    wrong.append((name, program.strips))
    return made, wrong


@pytest.mark.parametrize("dsp", [True, False])
def test_strips_give_the_bytes_of_whole_images(dsp, monkeypatch):
    made, wrong = compare(range(120), dsp, monkeypatch)
    assert wrong == []
    assert len(made) > 80
    counts = [program.strips.count for program in made.values()]
    assert sum(count > 2 for count in counts) > 40
    assert sum(program.strips.layers > 2 for program in made.values()) > 30
