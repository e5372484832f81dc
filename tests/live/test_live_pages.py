"""Pages that run a network: what is in them, and that it is what the chip computes."""

import base64
import html
import json
import re
import subprocess
import zlib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner
from wasm_node import NODE, in_node, needs_node

from tinyml_helpers import cli, datasets, mcu
from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.deploy import litert
from tinyml_helpers.integers import Integers
from tinyml_helpers.live import gestures, keywords, kinds, own_model, pictures, shipped, vibration
from tinyml_helpers.live.page import Task, make, read
from tinyml_helpers.usecases import anomaly, detection
from tinyml_helpers.usecases import gestures as movements
from tinyml_helpers.usecases import keywords as words

CLASSES = [f"class {number}" for number in range(10)]
PHOTOS = np.zeros((1, 28, 28), np.uint8)
BASELINE = np.full(anomaly.features.FEATURES, 8, np.float32)
OWN = vibration.excerpt(datasets.load_vibration(machines=[36], healthy=30, faulty=1))
MACHINE = OWN.samples


@pytest.fixture(scope="session")
def small():
    return mcu.build(datasets.read_verified("models/small.tflite"))


@pytest.fixture(scope="session")
def listening():
    content = datasets.read_verified("models/kws.tflite")
    around = words.firmware.pipeline(litert.load(content), threshold=0.8)
    return mcu.build(content, pipeline=around)


@pytest.fixture(scope="session")
def feeling():
    content = datasets.read_verified("models/gestures.tflite")
    return mcu.build(content, pipeline=movements.firmware.pipeline(litert.load(content)))


@pytest.fixture(scope="session")
def looking():
    content = datasets.read_verified("models/tiny_detector.tflite")
    return mcu.build(content, pipeline=detection.firmware.pipeline(0))


@pytest.fixture(scope="session")
def guarding():
    content = datasets.read_verified("models/vibration.tflite")
    scaling = {name: one.numpy() for name, one in anomaly.network.load_trained()[1].items()}
    detector = anomaly.firmware.Int8Autoencoder(anomaly.detect.Scaling(**scaling), litert.load(content))
    around = anomaly.firmware.pipeline(detector, BASELINE, MACHINE.shape[1])
    return mcu.build(content, pipeline=around)


def told(page):
    """What the page's scripts are given."""
    return json.loads(re.search(r'id="live">(.*?)</script>', page.text, re.DOTALL)[1])


def module(page):
    return base64.b64decode(told(page)["module"])


def test_its_test_vector_has_the_bytes_of_the_reference(small):
    probe = told(pictures.make_pad(small, PHOTOS, CLASSES))["probe"]
    [given] = probe["inputs"]
    pixels = np.frombuffer(base64.b64decode(given), np.int8).reshape(1, 28, 28, 1)
    assert len(set(pixels.ravel().tolist())) > 200
    content = datasets.read_verified("models/small.tflite")
    reference = litert.load(content, "reference").run(pixels)
    assert probe["checksum"] == f"{zlib.crc32(reference.tobytes()):08x}"


@needs_node
def test_its_module_answers_as_the_reference(small, tmp_path):
    page = pictures.make_pad(small, PHOTOS, CLASSES)
    pixels = datasets.load_fashion().test.images[:20].astype(int) - 128  # scale 1/255, zero point -128
    found = in_node(module(page), [[one] for one in pixels.astype(np.int8)], tmp_path)
    content = datasets.read_verified("models/small.tflite")
    reference = litert.load(content, "reference").run(pixels.astype(np.int8)[..., None])
    assert [run["outputs"][0] for run in found["runs"]] == reference.reshape(20, 10).tolist()


@needs_node
@pytest.mark.parametrize(("scale", "zero_point", "dtype"), [(0.5, 0, "int8"), (0.1, 7, "uint8")])
def test_a_page_rounds_real_numbers_as_the_one_quantizer(scale, zero_point, dtype):
    halves = (np.arange(-300, 300) + 0.5) * scale
    reals = np.concatenate([np.nextafter(np.float32(halves), side) for side in (-1e9, 1e9)])
    reals = np.concatenate([halves, reals.astype(float)])
    function = re.search(r"^function quantize.*?^}$", read("page.js"), re.DOTALL | re.MULTILINE)[0]
    network = {"description": {"inputs": [{"type": dtype, "scale": scale, "zero_point": zero_point}]}}
    call = f"{function} console.log(JSON.stringify(quantize({json.dumps(network)}, {reals.tolist()})))"
    done = subprocess.run([NODE, "-e", call], capture_output=True, text=True, check=True)
    wanted = Integers(scale, zero_point, np.dtype(dtype)).store(reals)
    assert json.loads(done.stdout) == wanted.tolist()
    assert len(set(wanted.tolist())) > 200


@needs_node
def test_a_page_that_listens_reports_the_words_of_the_chip(listening, tmp_path):
    """The threshold is a variable there, and a constant on the chip: at first both are one."""
    spoken = datasets.load_keywords().part("voices")
    pause = np.zeros(12_800, np.int16)
    heard = [spoken.clips[spoken.words == word][0] for word in ("yes", "up", "down")]
    sound = np.concatenate([part for clip in heard for part in (clip, pause)])
    page = keywords.make_listener(listening, spoken.classes, sound, "three words")
    steps = sound.reshape(-1, 3200)
    found = in_node(module(page), [[step] for step in steps], tmp_path)
    runs = list(listening.stream(steps))
    assert [run["answer"] for run in found["runs"]] == [run.score for run in runs]
    assert sum(run["answer"] >= 0 for run in found["runs"]) >= 2
    assert [run["outputs"][0] for run in found["runs"]] == [run.output.ravel().tolist() for run in runs]
    assert told(page)["task"]["least"] == np.ceil(0.8 * 256 * 3)


@needs_node
def test_a_page_that_learns_a_machine_begins_as_the_chip(guarding, tmp_path):
    """What is usual is a variable there, and a constant on the chip: before it learns, both are one."""
    page = vibration.make_guard(guarding, BASELINE, OWN)
    found = in_node(module(page), [[one] for one in MACHINE[:3]], tmp_path)
    runs = [guarding.run(one) for one in MACHINE[:3]]
    assert [run["answer"] for run in found["runs"]] == [run.score for run in runs]
    assert [run["outputs"][0] for run in found["runs"]] == [run.output.ravel().tolist() for run in runs]


def test_a_recorded_machine_loses_less_than_a_step_of_its_eight_bits(guarding):
    given = told(vibration.make_guard(guarding, BASELINE, OWN))["task"]
    kept = np.frombuffer(base64.b64decode(given["recording"]), np.int8).reshape(MACHINE.shape)
    assert np.abs(kept * float(given["count"]) - MACHINE).max() <= given["count"] / 2
    assert np.abs(kept).max() > 60
    silent = told(vibration.make_guard(guarding, BASELINE, replace(OWN, samples=0 * MACHINE)))["task"]
    assert not np.frombuffer(base64.b64decode(silent["recording"]), np.int8).any()


@pytest.mark.parametrize("name", ["small", "listening", "feeling", "looking", "guarding"])
def test_a_page_asks_for_nothing_from_anywhere(name, request):
    firmware = request.getfixturevalue(name)
    page = make(firmware, Task("drawing.js", "Title", "About.", {}))
    assert "default-src 'none'" in page.text
    outside = re.sub(r'id="live">.*?</script>', "", page.text, flags=re.DOTALL)
    assert not re.search(r"https?://|src=|href=|@import|url\(", outside)
    assert "fetch(" not in re.sub(r"/\*.*?\*/", "", outside, flags=re.DOTALL)
    assert f"{firmware.flash_bytes / 1000:,.1f} KB of flash" in page.text


def test_names_of_strangers_stay_texts(small):
    bad = "</script><script>alert(1)</script>"
    page = pictures.make_pad(small, PHOTOS, [bad, *CLASSES[1:]])
    assert bad not in page.text
    assert told(page)["task"]["classes"][0] == bad
    titled = make(small, Task("drawing.js", bad, bad, {}))
    assert bad not in titled.text
    assert html.escape(bad) in titled.text
    assert bad not in titled._repr_html_()


def test_a_notebook_shows_the_page_in_a_frame(small):
    page = pictures.make_pad(small, PHOTOS, CLASSES)
    frame = re.fullmatch(
        r'<iframe title="Draw a garment".* srcdoc="(.*)"></iframe>', page._repr_html_(), re.DOTALL
    )
    assert html.unescape(frame[1]) == page.text
    assert "bytes: Draw a garment" in repr(page)


def test_a_page_is_written_as_html_only(small, tmp_path):
    page = pictures.make_pad(small, PHOTOS, CLASSES)
    assert page.write(tmp_path / "live.html").read_text("utf-8") == page.text
    with pytest.raises(ValueError, match=r"live\.txt does not end in \.html"):
        page.write(tmp_path / "live.txt")
    assert not (tmp_path / "live.txt").exists()


def test_a_still_stands_where_no_page_can(small):
    page = pictures.make_pad(small, PHOTOS, CLASSES)
    picture, metadata = page._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 20_000
    assert metadata["alt"].startswith("Draw a garment A page that answers in a browser.")
    assert f"{small.flash_bytes / 1000:,.1f} KB of flash" in metadata["alt"]


def test_a_network_of_another_kind_is_refused_with_the_cure(small, listening):
    with pytest.raises(ValueError, match="784 pixels, and this network takes"):
        pictures.make_pad(listening, PHOTOS, CLASSES)
    with pytest.raises(ValueError, match="3 classes for 10 scores"):
        pictures.make_pad(small, PHOTOS, CLASSES[:3])
    with pytest.raises(ValueError, match=r"build it with keywords\.firmware\.pipeline"):
        keywords.make_listener(small, CLASSES, np.zeros(1, np.int16), "")
    with pytest.raises(ValueError, match="has a pipeline"):
        own_model.make_bench(listening, "Words")
    with pytest.raises(ValueError, match="10 names for 12 classes"):
        keywords.make_listener(listening, CLASSES, np.zeros(1, np.int16), "")
    with pytest.raises(ValueError, match=r"build it with gestures\.firmware\.pipeline"):
        gestures.make_watch(small, CLASSES, np.zeros((300, 6), np.int16), np.zeros(300, np.int64))
    with pytest.raises(ValueError, match=r"build it with detection\.firmware"):
        pictures.make_viewer(small, np.zeros((1, 97, 97), np.uint8), CLASSES)
    with pytest.raises(ValueError, match=r"build it with anomaly\.firmware\.pipeline"):
        vibration.make_guard(small, BASELINE, OWN)


def test_recordings_and_scenes_of_another_shape_are_refused(feeling, looking, guarding):
    with pytest.raises(ValueError, match=r"shape \[16, 8192\]: give \[17 or more, 8192\]"):
        vibration.make_guard(guarding, BASELINE, OWN.take(np.arange(26) < 16))
    with pytest.raises(ValueError, match=r"shape \[26, 4096\]"):
        vibration.make_guard(guarding, BASELINE, replace(OWN, samples=MACHINE[:, :4096]))
    with pytest.raises(ValueError, match="the first of them healthy"):
        vibration.make_guard(guarding, BASELINE, OWN.take(np.arange(26) > 4))
    with pytest.raises(ValueError, match=r"baseline of shape \[28\]: give \[56\]"):
        vibration.make_guard(guarding, BASELINE[:28], OWN)
    with pytest.raises(ValueError, match=r"shape \[200, 6\]: give \[more than 200, 6\]"):
        gestures.make_watch(feeling, CLASSES, np.zeros((200, 6), np.int16), np.zeros(200, np.int64))
    with pytest.raises(ValueError, match="3 labels for 300 samples"):
        gestures.make_watch(feeling, CLASSES, np.zeros((300, 6), np.int16), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"shape \[0, 97, 97\]: give \[1 or more, 97, 97\]"):
        pictures.make_viewer(looking, np.zeros((0, 97, 97), np.uint8), CLASSES)
    with pytest.raises(ValueError, match=r"shape \[1, 96, 96\]"):
        pictures.make_viewer(looking, np.zeros((1, 96, 96), np.uint8), CLASSES)


def test_a_phone_is_told_the_units_of_the_watch(feeling):
    page = gestures.make_watch(
        feeling, CLASSES[:7], np.zeros((300, 6), np.int16), np.zeros(300, np.int64)
    )
    assert told(page)["task"]["units"] == UNITS.tolist()


def test_the_command_writes_a_page_and_says_where(tmp_path):
    path = tmp_path / "mine.html"
    done = CliRunner().invoke(cli.app, ["live", "drawing", "--out", str(path), "--no-show"])
    assert done.exit_code == 0, done.output
    assert "Draw a garment" in done.output
    assert path.read_text("utf-8").startswith("<!doctype html>")


def test_the_command_refuses_in_a_sentence(tmp_path):
    for asked, said in (
        (["drawing", "--device", "toaster"], "toaster"),
        (["drawing", "--out", str(tmp_path / "no" / "page.html")], "page.html"),
        (["drawing", "--out", str(tmp_path / "page.txt")], "does not end in .html"),
        (["painting"], "painting"),
    ):
        done = CliRunner().invoke(cli.app, ["live", *asked, "--no-show"])
        assert done.exit_code != 0
        assert said in done.output
        assert "Traceback" not in done.output


def test_the_course_has_a_page_for_each_task():
    assert set(shipped.PAGES) == set(kinds.Kind)
