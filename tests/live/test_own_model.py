"""A page of somebody's own `.tflite`, by the command and in node."""

import base64
import json
import re

import numpy as np
from tflite_maker import random_network
from typer.testing import CliRunner
from wasm_node import in_node, needs_node

from tinyml_helpers import cli, datasets, mcu

MODELS = datasets.data_folder() / "models"


def make(tmp_path, *arguments):
    path = tmp_path / "page.html"
    done = CliRunner().invoke(cli.app, ["live", *map(str, arguments), "--out", str(path), "--no-show"])
    return done, path


def told(path):
    found = re.search(r'id="live">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    return json.loads(found[1])


@needs_node
def test_a_network_of_yours_answers_in_the_page_as_the_reference(tmp_path):
    path = tmp_path / "mine-1 (2).tflite"
    path.write_bytes(random_network(7))
    done, page = make(tmp_path, path)
    assert done.exit_code == 0, done.output
    assert "mine-1 (2): " in done.output
    given = told(page)
    firmware = mcu.build(path)
    inputs = [np.frombuffer(base64.b64decode(one), np.int8) for one in given["probe"]["inputs"]]
    found = in_node(base64.b64decode(given["module"]), [inputs], tmp_path)
    wanted = firmware.run(*(x.reshape(firmware.program.graph.tensors[i].shape) for x, i in zip(
        inputs, firmware.program.graph.inputs, strict=True)))  # fmt: skip
    assert found["runs"][0]["outputs"] == [out.ravel().tolist() for out in wanted.outputs]
    assert given["task"] == {"classes": []}


def test_every_task_that_a_file_is_enough_for_takes_its_own_network(tmp_path):
    for task, name in (("drawing", "tiny"), ("keywords", "kws-small"), ("detector", "tiny_detector")):
        done, page = make(tmp_path, MODELS / f"{name}.tflite", "--task", task)
        assert done.exit_code == 0, done.output
        firmware_bytes = len(base64.b64decode(told(page)["module"]))
        assert firmware_bytes > 5_000


def test_a_pad_for_something_else_than_garments_has_its_names_and_no_photos(tmp_path):
    digits = ",".join(map(str, range(10)))
    done, page = make(tmp_path, MODELS / "tiny.tflite", "--task", "drawing", "--classes", digits)
    assert done.exit_code == 0, done.output
    assert told(page)["task"] == {"classes": list("0123456789"), "photos": []}
    assert "clothes" not in page.read_text("utf-8").partition("<script")[0]


def test_a_network_that_does_not_fit_is_refused_with_what_is_asked_for(tmp_path):
    small = MODELS / "small.tflite"
    for arguments, said in (
        ([small, "--task", "keywords"], "int8 [1, 28, 28, 1] -> int8 [1, 10]: a page for keywords asks"),
        ([small, "--task", "gestures"], "help(live.gestures.make_watch)"),
        ([small, "--task", "vibration"], "help(live.vibration.make_guard)"),
        ([small, "--classes", "a,b"], "2 classes for 10 scores"),
        ([MODELS / "kws.tflite", "--task", "keywords", "--classes", "a"], "leave them out"),
        ([MODELS / "kws.tflite", "--task", "drawing", "--classes", "a"], "784 pixels"),
        (["drawing", "--task", "drawing"], "are for a .tflite file"),
        ([tmp_path / "none.tflite"], "none.tflite"),
    ):
        done, page = make(tmp_path, *arguments)
        assert done.exit_code == 1, arguments
        assert said in done.output
        assert "Traceback" not in done.output
        assert not page.exists()
