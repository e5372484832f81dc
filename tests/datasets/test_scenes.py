import numpy as np
import pytest

from tinyml_helpers import datasets
from tinyml_helpers.datasets.images import scenes
from tinyml_helpers.usecases.vision import boxes


@pytest.fixture(scope="module")
def objects():
    return datasets.load_fashion().train.take(slice(0, None, 40))


def test_the_same_seed_gives_the_same_scenes(objects):
    first, again, other = (scenes.compose(objects, 5, seed) for seed in (7, 7, 8))
    assert np.array_equal(first.images, again.images)
    assert all(map(np.array_equal, first.boxes, again.boxes))
    assert not np.array_equal(first.images, other.images)


@pytest.mark.parametrize("floor", ["plain", "tiled"])
def test_boxes_lie_inside_and_hardly_overlap(objects, floor):
    made = scenes.compose(objects, 60, 1, floor)
    assert made.images.shape == (60, 97, 97)
    for found, labels in zip(made.boxes, made.labels, strict=True):
        assert 1 <= len(found) == len(labels) <= 4
        assert ((found >= 0) & (found <= 97)).all()
        longer = (found[:, 2:] - found[:, :2]).max(1)
        assert ((longer >= 16) & (longer <= 40)).all()
        assert boxes.iou(found, found)[~np.eye(len(found), dtype=bool)].max(initial=0) <= 0.1
    counts = np.bincount(np.concatenate(made.labels), minlength=5)
    assert counts.min() > 0.5 * counts.max()


def test_a_box_is_exact_to_the_pixel():
    # A white rectangle of 10 x 5 pixels in a black image: whatever its size, the object fills its box.
    image = np.zeros((28, 28), np.uint8)
    image[8:13, 4:14] = 255
    pixels, cover = scenes.cut_out(image, 30)
    assert pixels.shape == (15, 30)
    assert (cover == 1).all()
    assert (pixels == 255).all()


def test_holes_belong_to_the_object_and_gaps_to_the_floor():
    ring = np.zeros((28, 28), np.uint8)
    ring[4:24, 4:24] = 200
    ring[10:18, 10:18] = 0
    _, cover = scenes.cut_out(ring, 20)
    assert (cover == 1).all()
    ring[:10, 10:18] = 0  # open at the top
    _, cover = scenes.cut_out(ring, 20)
    assert cover[2, 10] == 0


def test_every_edge_of_a_cut_out_touches_the_object(objects):
    for image in objects.images[:40]:
        _, cover = scenes.cut_out(image, 23)
        body = cover > 0.5
        assert all(edge.any() for edge in (body[0], body[-1], body[:, 0], body[:, -1]))


def test_scenes_can_be_cut_and_joined(objects):
    made = scenes.compose(objects, 6)
    joined = made.take(slice(0, 2)) + made.take(slice(2, 6))
    assert np.array_equal(joined.images, made.images)
    assert joined.boxes == made.boxes
    assert repr(made.take(slice(0, 2))).startswith("2 scenes of 97x97 pixels")
    assert made.tensors().shape == (6, 1, 97, 97)
    assert 0 <= made.tensors().min() <= made.tensors().max() <= 1


@pytest.mark.parametrize(("count", "floor"), [(0, "plain"), (3, "wooden")])
def test_what_cannot_be_composed_is_named(objects, count, floor):
    with pytest.raises(ValueError, match="plain or tiled"):
        scenes.compose(objects, count, floor=floor)


def test_a_class_without_objects_is_named(objects):
    one = objects.take(np.flatnonzero(objects.labels == 8))
    with pytest.raises(ValueError, match="every class needs an object"):
        scenes.compose(one, 1)
