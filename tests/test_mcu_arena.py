"""The plan of the arena: nothing that lives overlaps, and little is wasted."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_maker import Maker, random_network

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu import arena, graph, lowering


def planned(content, dsp=True):
    g = lowering.without_float(graph.read(content))
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
        assert block.offset % arena.ALIGN_BYTES == 0
        assert block.offset + block.size_bytes <= plan.size_bytes
    used = {i for layer in layers for i in (*layer.inputs, layer.output) if g.tensors[i].data is None}
    assert used | set(g.inputs) == {i for b in plan.blocks for i in b.tensors if i != arena.SCRATCH}
    assert plan.size_bytes >= plan.bound_bytes


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
