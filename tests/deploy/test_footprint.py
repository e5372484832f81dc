"""What a model file needs of a chip, told from its graph."""

import pytest

from tinyml_helpers import datasets, devices
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.footprint import footprint

SHIPPED = ("tiny_detector", "kws", "image_classification", "visual_wake_words")


@pytest.mark.parametrize("name", SHIPPED)
def test_an_interpreter_needs_no_less(name):
    content = datasets.read_verified(f"models/{name}.tflite")
    told = footprint(content)
    assert told.flash_bytes == len(content)
    # TFLM's arena holds the tensors and its own notes beside them.
    assert (
        0.6 * litert.inspect(content).arena_bytes < told.ram_bytes < litert.inspect(content).arena_bytes
    )


def test_the_small_face_network_fits_flash_and_not_ram():
    content = datasets.read_verified("models/face_small.tflite")
    told = footprint(content)
    # By hand: the input of the second block with its padding, and what it was made of.
    assert told.ram_bytes == 4 * 32 * (58 * 58 + 56 * 56) == 832_000
    fit = devices.fits(told, "nano33ble")
    assert not fit
    assert fit.flash_slack_percent > 0 > fit.ram_slack_percent
    assert devices.fits(footprint(content, float_bits=8), "nano33ble")


def test_integers_keep_their_width():
    content = datasets.read_verified("models/kws.tflite")
    assert footprint(content, float_bits=8) == footprint(content)


def test_what_has_no_footprint_is_refused():
    with pytest.raises(ModelError):
        footprint(b"no model")
    streaming = datasets.read_verified("models/wake_alexa.tflite")
    with pytest.raises(ModelError, match="2 graphs"):
        footprint(streaming)
