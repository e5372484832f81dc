"""Random graphs over all operators: no byte may differ from LiteRT's reference, and none is left out."""

import os
from collections import Counter

import pytest
from graph_maker import ALIKE, random_graph
from mcu_host import check

from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.mcu.compiler.lowering import OPERATORS

# `make whole` takes 3,000.
COUNT = int(os.environ.get("TINYML_GRAPHS", "72"))
BLOCK = 36
STREAMS = {"ASSIGN_VARIABLE", "EXPAND_DIMS", "SQUEEZE", "SELECT"}
"""What the files of tests/mcu/test_mcu_streaming.py and test_mcu_graph.py try."""


def kinds_of(content):
    return Counter(op.type for op in reader.read(content).graphs[0].operators)


@pytest.fixture(scope="module")
def graphs():
    return {seed: random_graph(seed) for seed in range(COUNT)}


def test_random_graphs_equal_the_reference_in_every_byte(graphs):
    """With DSP instructions and without, with weights as bytes and packed."""
    for first in range(0, COUNT, BLOCK):
        block = {seed: graphs[seed] for seed in range(first, min(first + BLOCK, COUNT))}
        turn = first // BLOCK
        compared, wrong = check(block, turn % 2 == 0, packed=turn % 4 > 1)
        assert compared > 1000 * len(block)
        assert wrong == []


def test_graphs_of_what_the_reference_lacks_equal_the_plain_kernels():
    for first in range(0, COUNT // 12, BLOCK):
        block = {s: random_graph(s, ALIKE) for s in range(first, min(first + BLOCK, COUNT // 12))}
        compared, wrong = check(block, dsp=True, plain=True)
        assert compared > 100 * len(block)
        assert wrong == []


def test_every_operator_occurs_in_the_graphs(graphs):
    found = sum(map(kinds_of, graphs.values()), Counter())
    found += sum((kinds_of(random_graph(seed, ALIKE)) for seed in range(COUNT // 12)), Counter())
    assert {kind: found[kind] for kind in set(OPERATORS) - STREAMS if found[kind] < COUNT / 72} == {}
