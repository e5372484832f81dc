"""The plan of the arena: nothing that lives overlaps, and little is wasted."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_maker import Maker, random_network

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu.compiler import arena, graph, lowering
from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH


def planned(content, dsp=True):
    g = lowering.strip_float_ends(graph.read(content))
    layers = lowering.lower(g, dsp=dsp)
    return g, layers, arena.plan(g, layers)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_lives_together_does_not_overlap(seed):
    g, layers, plan = planned(random_network(seed))
    for a, b in combinations(plan.blocks, 2):
        if a.meets(b):
            assert a.offset + a.size_bytes <= b.offset or b.offset + b.size_bytes <= a.offset
    for block in plan.blocks:
        assert block.offset % 8 == 0  # as a compiler aligns what is loaded in pairs
        assert block.size_bytes % 8 == 0
        assert block.offset + block.size_bytes <= plan.size_bytes
    used = {i for layer in layers for i in (*layer.inputs, layer.output) if not g.tensors[i].data}
    assert used | set(g.inputs) == {i for b in plan.blocks for i in b.tensors if i != SCRATCH}
    assert plan.size_bytes >= plan.bound_bytes


def looked_at_again():
    """A view of an image, and the image itself read long after the view was."""
    m = Maker()
    image, kept, view, small, other, large = (
        m.tensor(shape, 0.1) for shape in ((1, 8), (1, 8), (2, 4), (2, 4), (1, 8), (1, 8))
    )
    m.operator("RELU", [image], kept)
    m.operator("RESHAPE", [kept, m.tensor((2,), dtype="int32", data=[2, 4])], view, newShape=[2, 4])
    m.operator("LOGISTIC", [view], small)
    m.graph.tensors[small].quantization.scale = [1 / 256]
    m.graph.tensors[small].quantization.zeroPoint = [-128]
    m.operator("ADD", [kept, image], other, fusedActivationFunction=0)
    m.operator("ADD", [other, kept], large, fusedActivationFunction=0)
    return m.content([image], [small, large])


def check_every_byte(g, layers, plan):
    """Run the plan with the number of a tensor in place of each of its bytes."""
    owner, memory = {i: i for i in g.inputs}, [None] * plan.size_bytes

    def place(tensor):
        return slice(plan.offset(tensor), plan.offset(tensor) + g.tensors[tensor].size_bytes)

    def paint(tensor):
        memory[place(tensor)] = [owner[tensor]] * g.tensors[tensor].size_bytes

    def check(tensor):
        assert set(memory[place(tensor)]) == {owner[tensor]}, f"tensor {tensor} was overwritten"

    for tensor in g.inputs:
        paint(tensor)
    for n, layer in enumerate(layers):
        at = plan.scratch(n)
        memory[at : at + layer.scratch_bytes] = ["scratch"] * layer.scratch_bytes
        given = [i for i in layer.inputs if not g.tensors[i].data]
        if layer.calls and not layer.in_place:
            owner[layer.output] = layer.output
            paint(layer.output)  # before the inputs are read: it may not lie upon them
        for tensor in given:
            check(tensor)
        if layer.calls:
            owner[layer.output] = layer.output
            paint(layer.output)
        else:
            owner[layer.output] = owner[given[0]]
    for tensor in g.outputs:
        check(tensor)


def test_an_image_outlives_a_view_of_it_that_nobody_reads_any_more():
    g, layers, plan = planned(looked_at_again())
    check_every_byte(g, layers, plan)
    kept = next(block for block in plan.blocks if 1 in block.tensors)
    assert {1, 2} <= set(kept.tensors)  # no copy is made of it
    assert kept.last == 4


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), dsp=st.booleans())
def test_no_layer_reads_a_byte_that_another_has_overwritten(seed, dsp):
    check_every_byte(*planned(random_network(seed), dsp))


def test_keyword_network_needs_one_image_and_a_little():
    _, _, plan = planned(read_verified("models/keyword_spotting.tflite"))
    # 25x5x64 in place, and the working memory of the first convolution with its input
    assert 8000 < plan.size_bytes == plan.bound_bytes < 9000
    assert f"arena: {plan.size_bytes:,} bytes" in repr(plan)


@pytest.mark.parametrize(
    "name", ["image_classification", "visual_wake_words", "anomaly_detection", "micro_speech"]
)
def test_public_networks_meet_the_bound(name):
    _, _, plan = planned(read_verified(f"models/{name}.tflite"))
    assert plan.size_bytes == plan.bound_bytes


def test_a_tensor_that_is_read_again_is_not_overwritten():
    m = Maker()
    a, b, c = (m.tensor((1, 4), 0.1) for _ in range(3))
    m.operator("RELU", [a], b)
    m.operator("ADD", [b, a], c)
    g, _, plan = planned(m.content([a], [c]))
    assert plan.offset(g.inputs[0]) != plan.offset(1)
    assert plan.offset(2) == plan.offset(1)  # the sum may lie where its first operand lay
    assert plan.size_bytes == 16
    assert plan.live_bytes(1) == 16
