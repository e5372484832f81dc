"""Faces: found, straightened, embedded; photos that have none, several, or are hard."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers import datasets
from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.datasets.images.photos import load_photos
from tinyml_helpers.usecases.faces import embedding, lbp, simulated_camera
from tinyml_helpers.usecases.vision import letterbox

PHOTOS = load_photos()
needs_networks = pytest.mark.skipif(
    embedding.list_embedders() != tuple(embedding.EMBEDDERS),
    reason="a network that describes faces is not shipped",
)
COLLINS = PHOTOS["astronaut"]


@pytest.fixture(scope="module")
def collins():
    return embedding.only_face(COLLINS)


def turned(photo, degrees, middle):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])
    size = photo.shape[:2]
    to = np.array([size[1], size[0]]) / 2
    return letterbox.warp(photo, np.column_stack([turn, to - turn @ middle]), size)


def test_the_landmarks_lie_where_a_person_sees_them(collins):
    # Read off the photo by eye, to within a tenth of the face's width.
    seen = {"right eye": (204, 109), "left eye": (244, 109), "nose": (225, 134), "mouth": (226, 150)}
    for found, (name, place) in zip(collins.landmarks, seen.items(), strict=False):
        assert np.abs(found - place).max() < 10, name
    x1, y1, x2, y2 = collins.box
    assert x1 < 204 < 244 < x2
    assert y1 < 109 < 150 < y2
    assert 80 < collins.side < 130
    assert "pixels wide at" in repr(collins)


def test_photos_with_and_without_faces():
    found = {name: len(embedding.detect(photo)) for name, photo in PHOTOS.items()}
    assert (found["astronaut"], found["hopper"], found["camera"]) == (1, 1, 1)
    assert (found["coffee"], found["rocket"]) == (0, 0)


def test_a_low_threshold_sees_a_face_in_the_cat():
    assert not embedding.detect(PHOTOS["chelsea"])
    assert embedding.detect(PHOTOS["chelsea"], 0.3)


def test_anchors_are_two_for_each_of_256_cells_and_six_for_each_of_64():
    anchors = embedding.anchors()
    assert anchors.shape == (896, 4)
    assert anchors[0].tolist() == anchors[1].tolist() == [1 / 32, 1 / 32, 1, 1]
    assert anchors[2, :2].tolist() == [3 / 32, 1 / 32]
    assert anchors[512, :2].tolist() == anchors[517, :2].tolist() == [1 / 16, 1 / 16]
    assert anchors[-1, :2].tolist() == [15 / 16, 15 / 16]


@needs_networks
@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_turned_head_gives_the_same_aligned_face(collins, degrees):
    photo = turned(COLLINS, degrees, collins.box.reshape(2, 2).mean(0))
    upright = embedding.align(COLLINS, collins).astype(int)
    again = embedding.align(photo, embedding.only_face(photo)).astype(int)
    assert np.abs(upright - again).mean() < 20
    assert embedding.embed(again.astype(np.uint8)) @ embedding.embed(upright.astype(np.uint8)) > 0.8


def test_two_faces_are_two_and_the_message_says_so():
    both = np.concatenate([COLLINS[0:300, 75:375], PHOTOS["hopper"][60:360, 90:390]], 1)
    assert len(embedding.detect(both)) == 2
    with pytest.raises(embedding.FaceError, match="2 faces found: crop the photo"):
        embedding.only_face(both)


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_no_face_says_what_a_photo_must_have(name):
    with pytest.raises(embedding.FaceError, match="no face found: it must look towards the camera"):
        embedding.embed_photo(PHOTOS[name])


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.full((16, 2000, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (40, 500, 3)).astype(np.uint8),
    ],
)
def test_plain_thin_and_noisy_photos_have_no_face(photo):
    assert embedding.detect(photo) == ()


def test_a_tiny_face_is_refused_for_its_size():
    small = letterbox.warp(COLLINS[20:240, 110:330], np.diag([0.25, 0.25, 1])[:2], 55)
    assert embedding.detect(small)
    with pytest.raises(embedding.FaceError, match="32 pixels are the least, so come closer"):
        embedding.only_face(small)


@needs_networks
def test_a_grey_photo_is_taken_and_matches(collins):
    grey = photo_files.read_image(COLLINS.mean(2).astype(np.uint8))
    assert embedding.embed_photo(grey) @ embedding.embed_photo(COLLINS) > 0.7


@pytest.mark.parametrize("least", [0, 1, -1, 7])
def test_a_threshold_outside_of_0_to_1_is_refused(least):
    with pytest.raises(ValueError, match="give a score between 0 and 1"):
        embedding.detect(COLLINS, least)


@pytest.mark.parametrize("embedder", embedding.list_embedders())
def test_the_same_person_scores_above_others(embedder):
    people = {
        name: embedding.embed_photo(PHOTOS[name], embedder) for name in ("astronaut", "hopper", "camera")
    }
    for vector in people.values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    again = embedding.embed_photo(
        simulated_camera.take_views(COLLINS, 1, seed=3, strength=0.5)[0], embedder
    )
    others = [float(again @ people[name]) for name in ("hopper", "camera")]
    assert again @ people["astronaut"] > max(others) + 0.05


@needs_networks
def test_vectors_have_the_stated_numbers():
    sizes = {name: len(embedding.embed_photo(COLLINS, name)) for name in embedding.EMBEDDERS}
    assert sizes == {"accurate": 1024, "small": 256, "patterns": 2891}


@needs_networks
def test_wrong_embedders_and_sizes_are_refused():
    with pytest.raises(ValueError, match="unknown embedder 'large': choose one of accurate, small"):
        embedding.embed_photo(COLLINS, "large")
    with pytest.raises(ValueError, match=r"'small' takes \[112, 112, 3\].*align the face first"):
        embedding.embed(np.zeros((224, 224, 3), np.uint8), "small")
    with pytest.raises(ValueError, match=r"takes \[N, 112, 112, 3\]"):
        embedding.network("face_small").predict(np.zeros((1, 3, 112, 112)))
    with pytest.raises(datasets.DataError, match=r"face_large\.tflite is not in"):
        embedding.network("face_large")


@needs_networks
def test_a_damaged_network_is_named_with_its_cure(copied_data):
    path = copied_data / "models" / "face_small.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(datasets.DataError, match=r"face_small\.tflite is damaged.*git checkout"):
        embedding.network.__wrapped__("face_small")


@settings(max_examples=50)
@given(
    st.floats(-3, 3),
    st.floats(0.2, 5),
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.sampled_from([112, 224]),
)
def test_alignment_undoes_every_turn_scale_and_shift(angle, scale, x, y, size):
    places = size * embedding.PLACES
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = places @ turn.T + [x, y]
    matrix = embedding.alignment(moved, size)
    assert np.allclose(np.c_[moved, np.ones(4)] @ matrix.T, places, atol=1e-6)


def test_alignment_is_the_least_squares_of_all_such_matrices(collins):
    points = collins.landmarks[:4].astype(float)
    # The same by solving for a, b, x, y in (ax - by + c, bx + ay + d).
    rows = [[x, -y, 1, 0] for x, y in points] + [[y, x, 0, 1] for x, y in points]
    a, b, c, d = np.linalg.lstsq(np.array(rows), (112 * embedding.PLACES).T.ravel(), rcond=None)[0]
    assert np.allclose(embedding.alignment(collins.landmarks, 112), [[a, -b, c], [b, a, d]])


def test_everything_goes_on_without_the_networks(copied_data):
    for name in ("accurate", "small"):
        (copied_data / "models" / f"face_{name}.tflite").unlink()
    datasets.write_manifest()
    assert embedding.list_embedders() == ("patterns",)
    assert len(embedding.embed_photo(COLLINS, embedding.list_embedders()[0])) == 2891
    with pytest.raises(datasets.DataError, match=r"face_accurate\.tflite is not in"):
        embedding.network.__wrapped__("face_accurate")


def test_local_patterns_by_hand():
    grey = np.array([[9, 1, 9], [1, 5, 9], [1, 1, 9]], np.uint8)
    # From the top left, clockwise: 9, 1, 9, 9, 9, 1, 1, 1 against 5.
    assert lbp.local_binary_patterns(grey).tolist() == [[0b00011101]]
    assert lbp.local_binary_patterns(np.full((5, 6), 7, np.uint8)).tolist() == [[255] * 4] * 3


def test_a_plain_face_has_one_pattern_in_every_cell():
    vector = lbp.describe_patterns(np.full((112, 112, 3), 80, np.uint8))
    assert np.count_nonzero(vector) == lbp.CELLS**2
    assert np.linalg.norm(vector) == pytest.approx(1)


@needs_networks
def test_the_account_of_the_networks_fits_their_files():
    told = json.loads((datasets.data_folder() / "models" / "faces.json").read_text("utf-8"))
    for name, account in told["networks"].items():
        assert account["bytes"] == datasets.manifest()[f"models/{name}.tflite"]["bytes"]
        assert account["numbers"] == len(embedding.embed_photo(COLLINS, name.removeprefix("face_")))


@needs_networks
@pytest.mark.parametrize(("name", "lead"), [("accurate", 0.4), ("small", 0.5)])
def test_a_network_tells_three_people_apart_in_every_view(name, lead):
    """A network that was damaged on its way gives everybody much the same vector."""
    people = {one: PHOTOS[one] for one in ("astronaut", "hopper", "camera")}
    first = {one: embedding.embed_photo(photo, name) for one, photo in people.items()}
    for one, photo in people.items():
        for view in simulated_camera.take_views(photo, 2, seed=7, strength=0.5):
            seen = embedding.embed_photo(view, name)
            others = max(float(seen @ vector) for other, vector in first.items() if other != one)
            assert seen @ first[one] > others + lead, one


def test_views_are_reproducible_and_differ():
    first, again = (
        simulated_camera.take_views(COLLINS, 2, seed=5),
        simulated_camera.take_views(COLLINS, 2, seed=5),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert all(view.shape == COLLINS.shape and view.dtype == np.uint8 for view in first)
    assert simulated_camera.take_views(COLLINS, 0) == []
    still = simulated_camera.take_views(COLLINS, 1, strength=0)[0]
    assert np.abs(still.astype(int) - COLLINS).mean() < 4


class AtTheEnd:
    """Draws the upper end of each range, and a noise that is everywhere the same."""

    def __init__(self, noise=0.0):
        self.noise = noise

    def uniform(self, _low, high, *size):
        return np.full(size[0], high) if size else high

    def standard_normal(self, shape, dtype):
        return np.full(shape, self.noise, dtype)


@pytest.mark.parametrize(("side", "radius"), [(512, 1.5), (256, 0.75)])
def test_a_shot_is_blurred_by_at_most_one_and_a_half_pixels_of_512_by_hand(side, radius):
    point = np.zeros((side, side + 64, 3), np.uint8)
    point[side // 2, side // 2] = 255
    shot = simulated_camera._faulty(point, AtTheEnd(), 1.0)
    # The peak of a Gaussian; JPEG and the blur by boxes change it a little.
    assert shot.max() == pytest.approx(255 / (2 * np.pi * radius**2), rel=0.3)
    assert simulated_camera._faulty(point, AtTheEnd(), 0.0).max() > 200


@pytest.mark.parametrize(
    ("strength", "noise", "value"), [(1, 1, 112), (1, -1, 88), (0.5, 1, 106), (0, 1, 100)]
)
def test_a_shot_has_noise_of_at_most_twelve_levels_by_hand(strength, noise, value):
    shot = simulated_camera._faulty(np.full((64, 64, 3), 100, np.uint8), AtTheEnd(noise), strength)
    assert np.abs(shot.astype(int) - value).max() <= 1


def test_light_by_hand():
    grey = np.full((33, 65, 3), 128, np.uint8)
    lit = simulated_camera._lit(grey, AtTheEnd(), 1.0).astype(int)
    # A steeper curve, a tint, and light from the right and from below, which doubles it at most.
    plain = 255 * 1.1 * (128 / 255) ** np.exp(0.4)
    for place, light in (((16, 32), 1), ((16, 64), 1.7), ((16, 0), 0.3), ((32, 32), 1.4), ((32, 64), 2)):
        assert lit[place].tolist() == pytest.approx([plain * light] * 3, abs=1.5)
    assert lit[0, 0].tolist() == pytest.approx([plain * 0.1] * 3, abs=1.5)
    assert np.abs(simulated_camera._lit(grey, AtTheEnd(), 0.0).astype(int) - 128).max() <= 1


def test_movement_by_hand():
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[95:106, 195:206] = 255  # 50 pixels right of the middle
    moved = simulated_camera._moved(photo, AtTheEnd(), 1.0)
    rows, columns = np.nonzero(moved[..., 0] > 200)
    zoom, angle = np.exp(0.1), 0.25
    depth = 1 + 0.3 / 300 * 50
    x, y = (50 * zoom * np.cos(angle) + 9) / depth, (50 * zoom * np.sin(angle) + 6) / depth
    assert columns.mean() == pytest.approx(150 + x, abs=1)
    assert rows.mean() == pytest.approx(100 + y, abs=1)
    assert (moved == 90).all(-1).any()  # what was not in the photo


def test_the_strongest_view_is_one():
    (view,) = simulated_camera.take_views(COLLINS, 1, seed=1, strength=3)
    assert (view.shape, view.dtype) == (COLLINS.shape, np.uint8)
    assert np.abs(view.astype(int) - COLLINS).mean() > 10


@pytest.mark.parametrize(("count", "strength"), [(-1, 1), (1, -0.1), (1, 3.01)])
def test_impossible_views_are_refused(count, strength):
    with pytest.raises(ValueError, match="give a count, and a strength from 0 to 3"):
        simulated_camera.take_views(COLLINS, count, strength=strength)


def test_a_plane_moves_its_corners_where_they_belong():
    here, there = [[0, 0], [10, 0], [10, 20], [0, 20]], [[3, 1], [9, 2], [8, 15], [1, 17]]
    moved = np.c_[np.array(here), np.ones(4)] @ simulated_camera.homography(here, there).T
    assert np.allclose(moved[:, :2] / moved[:, 2:], there)
    with pytest.raises(ValueError, match="span no plane"):
        simulated_camera.homography([[0, 0], [1, 1], [2, 2], [3, 3]], there)
    with pytest.raises(ValueError, match=r"give \[4, 2\] twice"):
        simulated_camera.homography(here[:3], there)


def test_a_print_covers_its_place_and_nothing_else():
    white, scene = np.full((200, 100, 3), 255, np.uint8), np.zeros((300, 400, 3), np.uint8)
    corners = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
    shot = simulated_camera.photograph_print(white, scene, corners=corners)
    assert shot.shape == scene.shape
    assert shot[100:200, 150:250].mean() > 200
    assert shot[:60].mean() < 20
    assert shot[:, :80].mean() < 20


@needs_networks
def test_a_print_is_found_and_accepted_as_the_person():
    shot = simulated_camera.photograph_print(PHOTOS["hopper"], PHOTOS["coffee"])
    (found,) = embedding.detect(shot)
    assert embedding.embed(embedding.align(shot, found)) @ embedding.embed_photo(PHOTOS["hopper"]) > 0.7
