"""A PAD that goes into the convolution behind it: the same bytes, less RAM, and when it must stay."""

import numpy as np
import pytest
from mcu_host import check, programs
from tflite_maker import Maker, framed_network

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder, read_verified
from tinyml_helpers.mcu.compiler import graph, lowering

SMALL = data_folder() / "models" / "small.tflite"
ONE = [[0, 0], [1, 1], [1, 1], [0, 0]]


def framed(
    margins=ONE, kind="CONV_2D", value=None, kernel=(3, 3), zero=7, scale=0.5, again=None, **options
):
    """One image of 2x2 pixels, a PAD, and a convolution whose weights are all 1."""
    m = Maker()
    image = m.tensor((1, 2, 2, 1), 0.5, 7)
    size = [int(n + sum(a)) for n, a in zip((1, 2, 2, 1), margins, strict=True)]
    padded = m.tensor(size, scale, zero)
    inputs = [image, m.tensor((4, 2), dtype="int32", data=margins)]
    if value is not None:
        inputs.append(m.tensor((1,), 0.5, 7, data=[value]))
    m.operator("PAD" if value is None else "PADV2", inputs, padded)
    weights = m.tensor((1, *kernel, size[3]), [1.0], 0, data=np.ones((1, *kernel, size[3])))
    bias = m.tensor((1,), [0.5], 0, "int32", [0])
    options = {"padding": 1, "strideH": 1, "strideW": 1} | options
    rows, columns = (
        n - k + 1 if options["padding"] else n for n, k in zip(size[1:3], kernel, strict=True)
    )
    out = m.tensor((1, rows, columns, 1), 0.5, 0)
    m.operator(kind, [padded, weights, bias], out, **options)
    outputs = [out]
    if again:
        outputs.append(m.operator(again, [padded], m.tensor(size, 0.5, 7)))
    return m.content([image], outputs)


def kinds(content):
    return [op.type for op in lowering.fold_padding(graph.read(content)).operators]


def test_known_answer_by_hand():
    firmware = mcu.build(framed())
    assert [layer.operator.type for layer in firmware.program.layers] == ["CONV_2D"]
    assert "with its PAD" in firmware.program.files["model.c"]
    # Steps above the zero point are 1, 2, 3, 4; each window of 3x3 sees all four, and zeros.
    run = firmware.run(np.array([8, 9, 10, 11], np.int8))
    assert run.output.ravel().tolist() == [10] * 4


@pytest.mark.parametrize("dsp", [True, False])
def test_random_frames_equal_the_reference_in_every_byte(dsp):
    contents = {seed: framed_network(seed) for seed in range(150)}
    compared, wrong = check(contents, dsp)
    assert compared > 100 * len(contents)
    assert wrong == []
    made = programs(contents, dsp).values()
    left = sum(any("PAD" in op.type for op in program.graph.operators) for program in made)
    assert 50 < left < 110  # both sorts are tried


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value": 7},
        {"margins": [[0, 0], [2, 0], [0, 2], [0, 0]]},
        {"kind": "DEPTHWISE_CONV_2D", "depthMultiplier": 1},
        {"kernel": (2, 2), "margins": [[0, 0], [1, 1], [1, 1], [0, 0]]},
    ],
)
def test_a_frame_of_zero_points_is_taken_in(changes):
    assert kinds(framed(**changes)) == [changes.get("kind", "CONV_2D")]


@pytest.mark.parametrize(
    "changes",
    [
        {"value": 8},
        {"zero": 6},
        {"scale": 0.25},
        {"padding": 0},
        {"margins": [[0, 0], [1, 1], [1, 1], [0, 1]]},
        {"margins": [[0, 0], [3, 0], [0, 0], [0, 0]]},
        {"kernel": (1, 1)},
        {"again": "RELU"},
    ],
)
def test_any_other_stays(changes):
    assert kinds(framed(**changes))[0].startswith("PAD")


def test_a_frame_of_mirrored_pixels_is_no_frame_of_zero_points():
    m = Maker()
    image, padded, out = (m.tensor((1, n, n, 1), 0.5, 7) for n in (2, 4, 2))
    m.operator("MIRROR_PAD", [image, m.tensor((4, 2), dtype="int32", data=ONE)], padded)
    weights = m.tensor((1, 3, 3, 1), [1.0], 0, data=np.ones((1, 3, 3, 1)))
    bias = m.tensor((1,), [0.5], 0, "int32", [0])
    m.operator("CONV_2D", [padded, weights, bias], out, padding=1, strideH=1, strideW=1)
    content = m.content([image], [out])
    assert kinds(content) == ["MIRROR_PAD", "CONV_2D"]
    compared, wrong = check({0: content}, dsp=True)
    assert compared > 0
    assert wrong == []


def test_a_frame_that_is_given_out_stays():
    m = Maker()
    image, padded = m.tensor((1, 2, 2, 1), 0.5, 7), m.tensor((1, 4, 4, 1), 0.5, 7)
    m.operator("PAD", [image, m.tensor((4, 2), dtype="int32", data=ONE)], padded)
    assert kinds(m.content([image], [padded])) == ["PAD"]


def test_a_frame_around_a_constant_gives_the_same_bytes():
    m = Maker()
    x, out = m.tensor((1, 2, 2, 1), 0.5, 7), m.tensor((1, 2, 2, 1), 0.5, 7)
    fixed, padded = m.tensor((1, 2, 2, 1), 0.5, 7, data=[8, 9, 10, 11]), m.tensor((1, 4, 4, 1), 0.5, 7)
    m.operator("PAD", [fixed, m.tensor((4, 2), dtype="int32", data=ONE)], padded)
    weights = m.tensor((1, 3, 3, 1), [1.0], 0, data=np.ones((1, 3, 3, 1)))
    bias = m.tensor((1,), [0.5], 0, "int32", [0])
    m.operator("CONV_2D", [padded, weights, bias], out, padding=1, strideH=1, strideW=1)
    both = m.operator("ADD", [x, out], m.tensor((1, 2, 2, 1), 1.0, 0))
    content = m.content([x], [both])
    compared, wrong = check({0: content}, dsp=True)
    assert compared > 0
    assert wrong == []
    # As above, 1 + 2 + 3 + 4 steps of 0.5 under each window, and nothing is added to them.
    assert mcu.build(content).run(np.full(4, 7, np.int8)).output.ravel().tolist() == [5] * 4


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 2), (1, 2, 2, 2, 2)])
def test_a_frame_around_what_is_no_image_is_written(shape):
    """One of sound, or of a vector: every byte as by hand."""
    m = Maker()
    margins = [[1, 2] if size > 1 else [0, 0] for size in shape]
    size = [n + sum(a) for n, a in zip(shape, margins, strict=True)]
    x, padded, out = (m.tensor(one, 0.5, -7) for one in (shape, size, size))
    m.operator("PAD", [x, m.tensor((len(shape), 2), dtype="int32", data=margins)], padded)
    content = m.content([x], [m.operator("RELU", [padded], out)])
    values = np.arange(np.prod(shape)).astype(np.int8).reshape(shape)
    wanted = np.pad(values, margins, constant_values=-7)
    assert mcu.build(content).run(values).output.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("missing", ["sizes", "image", "weights"])
def test_a_part_that_is_missing_is_refused_by_name(missing):
    m = Maker()
    image, padded, out = (m.tensor((1, n, n, 1), 0.5, 7) for n in (2, 4, 2))
    sizes = m.tensor((4, 2), dtype="int32", data=ONE)
    pad = {"sizes": [image], "image": [-1, sizes]}.get(missing, [image, sizes])
    m.operator("PAD", pad, padded)
    m.operator("CONV_2D", [padded, -1, -1], out, padding=1, strideH=1, strideW=1)
    with pytest.raises(lowering.UnsupportedError, match=r"operator \d.*not supported here: input \d"):
        mcu.build(m.content([image], [out]))


def test_a_network_of_pytorch_needs_less_of_everything():
    small, as_written = (mcu.build(SMALL, folded=folded, trimmed=False) for folded in (True, False))
    image = np.random.default_rng(0).integers(-128, 128, 784).astype(np.int8)
    after, before = small.run(image), as_written.run(image)
    assert after.output.tobytes() == before.output.tobytes()
    assert after.instructions < before.instructions
    assert small.flash_bytes < as_written.flash_bytes
    assert after.ram_bytes < 0.65 * before.ram_bytes
    assert small.macs == as_written.macs
    assert small.program.arena.size_bytes == small.program.arena.bound_bytes


@pytest.mark.parametrize("name", ["keyword_spotting", "image_classification", "magic_wand"])
def test_a_network_without_a_pad_is_left_alone(name):
    g = graph.read(read_verified(f"models/{name}.tflite"))
    assert lowering.fold_padding(g).operators == g.operators
