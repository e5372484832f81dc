import numpy as np
import pytest

from tinyml_helpers.datasets import DataError
from tinyml_helpers.datasets.images.photos import load_photos


@pytest.fixture(scope="module")
def photos():
    return load_photos()


def test_six_photos_in_colour(photos):
    shapes = {name: photo.shape for name, photo in photos.items()}
    assert shapes == {
        "astronaut": (512, 512, 3), "camera": (512, 512, 3), "chelsea": (300, 451, 3),
        "coffee": (400, 600, 3), "hopper": (600, 512, 3), "rocket": (427, 640, 3),
    }  # fmt: skip
    assert all(photo.dtype == np.uint8 for photo in photos.values())
    grey = photos["camera"]
    assert (grey[..., 0] == grey[..., 1]).all()
    # The cat is ginger: more red than blue.
    assert photos["chelsea"][..., 0].mean() > 1.3 * photos["chelsea"][..., 2].mean()


def test_everybody_is_credited(photos):
    text = repr(photos)
    for name in photos:
        credit = photos.credits[name]
        assert credit.terms in ("public domain", "CC0")
        assert credit.by in text
    assert "512 × 512" in text
    assert "<table>" in photos._repr_html_()


def test_drawing_on_a_photo_leaves_the_next_one_clean(photos):
    photos["coffee"][:] = 0
    assert photos["coffee"].max() == 255


def test_an_unknown_photo_lists_the_known_ones(photos):
    with pytest.raises(KeyError, match=r"no photo 'lena': choose one of astronaut"):
        photos["lena"]


def test_a_damaged_file_is_named_with_its_cure(copied_data):
    path = copied_data / "photos.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"photos\.npz is damaged.*git checkout"):
        load_photos()
