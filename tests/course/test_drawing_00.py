"""The drawings of lesson 00 show what was computed; its stored strip holds the lesson's own bytes."""

import re
import struct

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyml_helpers.course import alt_text, plots, syllabus
from tinyml_helpers.course.drawings import lesson_00
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.reports.disassembly import find_hot_loop
from tinyml_helpers.mcu.target import toolchain

CELLS = syllabus.read_notebook(syllabus.select([0])[0].path).cells
RNG = np.random.default_rng(0)
W1 = RNG.integers(-127, 128, (32, 784)).astype(np.int8)
CLASSES = [f"kind {number}" for number in range(10)]
SCORES = dict(zip(CLASSES, [3, -5, 40, 7, 0, 1, -128, 39, 2, 4], strict=True))


pytestmark = pytest.mark.usefixtures("figures")


def source_of(words):
    return next(cell.source for cell in CELLS if cell.cell_type == "code" and words in cell.source)


def said_by(words):
    """All that a stored cell printed or showed, as text."""
    cell = next(cell for cell in CELLS if cell.cell_type == "code" and words in cell.source)
    shown = [output.get("text", "") or output["data"].get("text/plain", "") for output in cell.outputs]
    return "\n".join(shown)


def header(w1=W1):
    text = "#include <stdint.h>\n" + c_source.defines({"M1": 6209, "M2": 60555})
    tables = {"w1": w1.ravel(), "b1": np.arange(32), "w2": W1[0, :320], "b2": np.arange(10)}
    for name, values in tables.items():
        text += c_source.array("int8_t" if "w" in name else "int32_t", name, values)
    return text


@pytest.fixture(scope="module")
def build():
    """Compile the lesson's program for a core."""
    names = {}
    exec(source_of('program = """'), names)
    files = {"main.c": names["program"], "network.h": header()}
    return lambda core="cortex-m4": toolchain.compile_c(files, core)


def boxes(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def assert_on_its_page(axes):
    page = axes.figure.bbox.padded(1)
    renderer = axes.figure.canvas.get_renderer()
    for text in axes.texts:
        if text.get_text():
            patch = text.get_bbox_patch()
            corners = (patch or text).get_window_extent(renderer).corners()
            assert all(page.contains(*corner) for corner in corners), text.get_text()


# The road


def test_the_road_says_its_five_stations_and_the_check():
    axes = lesson_00.road()
    assert_on_its_page(axes)
    heard = alt_text.describe(axes.figure)
    assert "(round) → int8" in heard and "(compile) → machine code; machine code (run) → chip" in heard
    assert "int8 (do both give the same bytes?) → chip" in heard


def journey(image, unit=5, pixel=300, w1=W1, weight=0.25, scores=SCORES):
    place = unit * 784 + pixel
    found = "3 of 7 bytes differ"
    return lesson_00.journey(weight, w1[unit, pixel], place, header(w1), image, scores, found)


def test_the_strip_shows_the_bytes_that_it_is_given(build):
    image = build()
    axes = journey(image)
    assert_on_its_page(axes)
    weight, byte, table, code, chip = boxes(axes)[1:10:2]
    assert weight == f"0.2500\nis 4 bytes:\n{struct.pack('<f', 0.25).hex(' ')}"
    assert byte == f"{W1[5, 300]}\nis 1 byte:\n{struct.pack('b', W1[5, 300]).hex()}"
    near = ", ".join(map(str, W1[5, 298:303]))
    assert table == f"w1[25088] = {{ …\n{near},\n… }}"
    address = image.symbols["w1"].address + 5 * 784 + 300
    assert chip == f"{address:08x}: {struct.pack('b', W1[5, 300]).hex()}\nkind 2 40\nkind 7 39"
    listed = {f"{one.code.hex(' ')} {one.name}" for one in find_hot_loop(image).instructions}
    assert len(code.splitlines()) == 3 and set(code.splitlines()) <= listed
    assert [line.split()[-1] for line in code.splitlines()] == ["ldrsb", "ldrsb", "smlabb"]
    assert "3 of 7 bytes differ" in alt_text.describe(axes.figure)


def test_the_strip_follows_its_variables(build):
    """What stands in flash is read there: a table that was not compiled in is told apart."""
    other = W1.copy()
    other[5, 300] = 1 if W1[5, 300] != 1 else 2
    shown = boxes(journey(build(), w1=other, weight=-1.5))
    assert struct.pack("<f", -1.5).hex(" ") in shown[1]
    assert shown[3].startswith(f"{other[5, 300]}\n")
    assert f" {other[5, 300]}, " in shown[5]
    assert shown[9].splitlines()[0].endswith(f": {struct.pack('b', W1[5, 300]).hex()}")


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m7", "espressif-rv32imc"])
def test_the_strip_can_be_drawn_for_other_cores(build, core):
    axes = journey(build(core))
    assert_on_its_page(axes)
    assert re.search(r"(mul|mla|sml)\w*$", boxes(axes)[7])


@pytest.mark.parametrize(("pixel", "text"), [(0, "int x;"), (784 * 32, None), (-1, None)])
def test_a_weight_that_is_not_in_the_table_is_refused(build, pixel, text):
    with pytest.raises(ValueError, match=f"no element {pixel} of a table w1"):
        lesson_00.journey(0.1, 1, pixel, text or header(), build(), SCORES, "")


def test_the_ends_of_the_table_have_fewer_neighbours(build):
    first = lesson_00.journey(0.1, 1, 0, header(), build(), SCORES, "")
    assert ", ".join(map(str, W1[0, :3])) in boxes(first)[5]


# The lesson as it is stored


def test_the_stored_strip_holds_the_lessons_own_bytes():
    strip = said_by("lesson_00.journey(")
    product = r"pixel (\d+), (\d+) x (-?\d+) = (-?[\d,]+)"
    _, light, byte, most = re.search(product, said_by("products.argmax()")).groups()
    byte = int(byte)
    assert int(light) * byte == int(most.replace(",", ""))
    assert f"became {byte};" in strip
    assert f"{byte} is 1 byte: {struct.pack('b', byte).hex()};" in strip
    weight = float(re.search(r"weight: (-?[\d.]+) became", strip)[1])
    scale = float(re.search(r"times ([\d.]+)", said_by('print("as int8:'))[1])
    assert round(weight / scale) == byte
    bits = bytes.fromhex(re.search(r"is 4 bytes: ([0-9a-f ]+);", strip)[1])
    assert struct.unpack("<f", bits)[0] == pytest.approx(weight, abs=6e-5)
    scores = np.array(re.search(r"controller: \[(.*)\]", said_by("machine = "))[1].split(), int)
    classes = re.findall(r"(?:\d: )?([\w -]+)(?:,|\.)", said_by("test.labels == kind][1]"))
    assert len(classes) >= 10
    assert re.search(rf"→ \w+: {struct.pack('b', byte).hex()} [\w -]+ {scores.max()} [\w -]+ "
                     rf"{np.sort(scores)[-2]};", strip)  # fmt: skip
    assert "int8 (0 of 100,000 bytes differ) → chip" in strip


def test_the_value_that_is_followed_by_hand_is_the_layers():
    stages = re.findall(r"^[\w .,]+?  +(-?[\d,]+)$", said_by("products.argmax()"), re.MULTILINE)
    added, with_bias, scaled, steps, kept = (int(one.replace(",", "")) for one in stages)
    m = int(re.search(r"about (\d+) /", said_by("m1 = round("))[1])
    assert added != with_bias and scaled == with_bias * m
    assert steps == (scaled + 2**23) // 2**24
    assert kept == min(max(steps, 0), 127)
    layer, by_hand = map(int, re.search(r"(\d+) by layer, (\d+) by hand", said_by("def layer")).groups())
    assert layer == by_hand == kept


# The pictures


def test_each_hidden_value_is_a_picture_under_what_it_likes():
    weights = RNG.normal(size=(16, 784)).astype(np.float32)
    means = np.zeros((10, 16))
    means[np.arange(16) % 10, np.arange(16)] = 1.0
    means[:, 3] = 0
    figure = lesson_00.units(weights, means, CLASSES).figure
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:5] == ["0: kind 0", "1: kind 1", "2: kind 2", "3: nothing", "4: kind 4"]
    assert figure.get_suptitle() == "15 of 16 hidden values found something to look for"
    np.testing.assert_array_equal(figure.axes[9].images[0].get_array(), weights[9].reshape(28, 28))
    low, high = figure.axes[0].images[0].get_clim()
    assert -low == high  # white is 0


def area(collection):
    """How many squares a collection fills."""
    corners = [path.vertices for path in collection.get_paths()]
    return sum(np.ptp(one[:, 0]) * np.ptp(one[:, 1]) for one in corners) / 0.84**2


def test_memory_is_drawn_as_area(build):
    image = build()
    axes = lesson_00.memory(image)
    flash, ram, constants, code, variables = axes.collections
    assert (area(flash), area(ram)) == pytest.approx((1024, 256))
    assert area(constants) == pytest.approx(image.constant_bytes / 1024)
    assert area(code) == pytest.approx(image.code_bytes / 1024)
    assert area(variables) == pytest.approx(image.ram_bytes / 1024)
    share = 100 * image.flash_bytes / 2**20
    assert axes.get_title(loc="left").startswith(f"The network fills {share:.1f} % of the flash")


def test_right_and_wrong_answers_have_their_colours():
    run = {"hidden": [0, 3, 0, 9], "scores": list(SCORES.values())}
    wrong = lesson_00.inside(np.zeros(784), run, 7, CLASSES)
    colours = [plt.matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in wrong.patches]
    assert [colours[2], colours[7]] == [plots.PALETTE[0], plots.PALETTE[1]]
    assert wrong.get_title(loc="left") == "The chip: kind 2, wrong"
    titles = [axes.get_title(loc="left") for axes in wrong.figure.axes]
    assert titles[:2] == ["In: kind 7", "2 of 4 respond"]
    right = lesson_00.inside(np.zeros(784), run, 2, CLASSES)
    assert right.get_title(loc="left") == "The chip: kind 2"


def test_the_first_answer_needs_no_truth():
    axes = lesson_00.answer(np.zeros((28, 28)), np.array([list(SCORES.values())]), CLASSES)
    assert axes.get_title(loc="left") == "The chip: kind 2"
    assert [bar.get_width() for bar in axes.patches] == list(SCORES.values())
