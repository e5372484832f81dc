"""Stored figures of the image classifiers are those that their networks give, run on the test images.

What is stored was measured by the scripts in data/build, which nobody runs before a release; a figure
that is edited, or a network that is trained worse, has to be noticed here.
"""

import json
import math

import numpy as np
import pytest

from tinyml_helpers import datasets, models, training
from tinyml_helpers.deploy import litert

DATA = datasets.data_folder() / "models"


def stored(file):
    return json.loads((DATA / f"{file}.json").read_text("utf-8"))


def percent(entry):
    return entry["test_accuracy_percent"]


FLOAT = {
    **{(name, ""): percent(entry) for name, entry in stored("spine").items()},
    **{
        tuple(key.split("-")): percent(entry)
        for key, entry in stored("pruned").items()
        if key != "large-slim"  # no longer of `large`'s shape; its int8 file is run below
    },
    **{(name, "distilled"): percent(entry) for name, entry in stored("distilled").items()},
}
# The full 10,000 of `large` would take a minute a network; a part of them has an error of its own.
PART = {"large": 1500, "small": 10_000, "tiny": 10_000}


def margin(percent, images):
    """Three standard errors of a part drawn from the 10,000, and what another processor rounds."""
    share = percent / 100
    return 0.05 + 300 * math.sqrt(share * (1 - share) / images * (1 - images / 10_000))


@pytest.fixture(scope="module")
def test_images():
    return datasets.load_fashion().test


@pytest.mark.parametrize(("name", "variant"), FLOAT, ids=["-".join(filter(None, key)) for key in FLOAT])
def test_a_network_in_float_reaches_its_stored_figure(name, variant, test_images):
    count = PART[name]
    images = test_images.take(slice(0, None, 10_000 // count))
    claimed = FLOAT[name, variant]
    model = models.load_trained(name, variant)
    found = training.accuracy(model, images)
    assert found == pytest.approx(claimed, abs=margin(claimed, len(images.labels)))


INT8 = {name: percent(entry) for name, entry in stored("spine_tflite")["networks"].items()}


@pytest.mark.parametrize("name", INT8)
def test_an_int8_file_reaches_its_stored_figure(name, test_images):
    count = PART[name.split("-")[0]]
    images = test_images.take(slice(0, None, 10_000 // count))
    pixels = images.images[..., None] / np.float32(255)
    if name == "small-lean":  # it takes images turned by half
        pixels = pixels[:, ::-1, ::-1]
    said = litert.load(DATA / f"{name}.tflite").predict(pixels).argmax(1)
    found = 100 * np.mean(said == images.labels)
    assert found == pytest.approx(INT8[name], abs=margin(INT8[name], len(pixels)))


def test_the_margin_is_small_where_all_images_are_run_and_honest_where_not():
    assert margin(93, 10_000) == pytest.approx(0.05)
    assert 1.5 < margin(93, 1500) < 2.0
