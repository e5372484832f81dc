"""Faces in your own photos: who is compared with whom, and what is said of it."""

import numpy as np
import pytest

from tinyml_helpers.datasets.images.photos import load_photos
from tinyml_helpers.usecases.faces import embedding, own_faces, simulated_camera

PHOTOS = load_photos()
EMBEDDER = embedding.list_embedders()[-1]  # "patterns": needs no network but the detector


@pytest.fixture(scope="module")
def mine():
    """Two shots of one person, one of another in a folder, a cup, and two faces in one picture."""
    first, second = simulated_camera.take_views(PHOTOS["hopper"], 2, seed=1)
    both = np.concatenate([PHOTOS["astronaut"][:300, 75:375], PHOTOS["hopper"][60:360, 90:390]], axis=1)
    names = ("a.jpg", "b.jpg", "eileen/1.jpg", "cup.jpg", "two.jpg")
    pictures = (first, second, PHOTOS["astronaut"], PHOTOS["coffee"], both)
    return dict(zip(names, pictures, strict=True))


@pytest.fixture(scope="module")
def known():
    return {"camera": embedding.embed_photo(PHOTOS["camera"], EMBEDDER)}


@pytest.fixture(scope="module")
def found(mine, known):
    return own_faces.compare(mine, known, EMBEDDER, 0.5)


def test_each_is_compared_with_each_and_with_those_who_are_known(found, mine, known):
    assert tuple(found.crops) == ("a.jpg", "b.jpg", "eileen/1.jpg")
    one = [embedding.embed_photo(mine[name], EMBEDDER) for name in found.crops]
    expected = np.array(one) @ np.array([*one, known["camera"]]).T
    np.testing.assert_allclose(found.cosines, expected, atol=1e-6)
    np.testing.assert_allclose(found.same, [expected[0, 1]], atol=1e-6)
    strangers = [expected[0, 2], expected[1, 2], *expected[:, 3]]
    np.testing.assert_allclose(np.sort(found.different), np.sort(strangers), atol=1e-6)
    assert found.extremes["lowest_same"] == found.same.min()
    assert found.extremes["highest_other"] == found.different.max()


def test_it_says_what_a_lock_would_do_and_what_the_figures_are_not(found):
    told = repr(found)
    reach = int((found.different >= 0.5).sum())
    assert f"pairs of two people: cosines from {found.different.min():.2f}" in told
    assert f"{reach} of 5 reach the threshold of 0.50" in told
    assert "and no rate" in told and "Photos in one folder were taken for one person" in told
    assert "<table>" in found._repr_html_() and "no rate" in found._repr_html_()


def test_photos_without_one_face_are_named_with_the_reason(found):
    assert found.left_out[0].startswith("cup.jpg: no face found: it must look towards the camera")
    assert found.left_out[1] == "two.jpg: 2 faces found: crop the photo to one of them"
    assert all(reason in repr(found) for reason in found.left_out)


def test_one_photo_is_compared_with_strangers_alone(mine, known):
    alone = own_faces.compare({"a.jpg": mine["a.jpg"]}, known, EMBEDDER, 0.5)
    assert "lowest_same" not in alone.extremes and len(alone.different) == 1
    assert "no second photo of the same person: add one, taken on another day" in repr(alone)


def test_without_any_face_there_is_nothing_to_compare(mine, known):
    none = own_faces.compare({"cup.jpg": mine["cup.jpg"]}, known, EMBEDDER, 0.5)
    assert none.extremes == {} and none.crops == {}
    assert "No photo of yours shows exactly one face" in repr(none)
    assert "<table>" not in none._repr_html_() and "cup.jpg" in none._repr_html_()
    assert none.show() is not None


def test_a_name_of_a_file_is_no_html(known):
    none = own_faces.compare({"<b>.jpg": PHOTOS["coffee"]}, known, EMBEDDER, 0.5)
    assert "<b>" not in none._repr_html_()


def test_it_shows_each_face_under_its_name(found):
    titles = [axes.get_title() for axes in found.show().axes]
    assert titles[:3] == ["a.jpg", "b.jpg", "eileen/1.jpg"] and set(titles[3:]) == {""}
