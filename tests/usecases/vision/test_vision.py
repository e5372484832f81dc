import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tinyml_helpers.datasets import DataError
from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.usecases.vision import letterbox

CHECKS = np.indices((40, 60)).sum(0) // 10 % 2 * 200
COLOUR = np.stack([CHECKS, CHECKS // 2, 255 - CHECKS], axis=-1).astype(np.uint8)


def packed(array, kind="PNG", **settings):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **settings)
    return file.getvalue()


def test_a_file_its_content_and_its_pixels_read_alike(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(packed(COLOUR))
    for source in (path, str(path), path.read_bytes(), COLOUR):
        photo = photo_files.read_image(source)
        assert photo.dtype == np.uint8
        assert np.array_equal(photo, COLOUR)


def test_the_photo_is_a_copy():
    photo = photo_files.read_image(COLOUR)
    photo[:] = 0
    assert COLOUR.max() == 255


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1)])
def test_grey_gets_three_equal_channels(shape):
    grey = CHECKS.astype(np.uint8).reshape(shape)
    photo = photo_files.read_image(grey)
    assert photo.shape == (40, 60, 3)
    assert (photo == CHECKS[..., None]).all()
    assert np.array_equal(photo_files.read_image(packed(grey.reshape(40, 60))), photo)


def test_sixteen_bits_become_eight():
    deep = (CHECKS * 257).astype(np.uint16)  # 200 is 51,400 of 65,535
    assert np.array_equal(photo_files.read_image(packed(deep))[..., 0], CHECKS)


def test_what_is_transparent_becomes_white():
    clear = np.dstack([COLOUR, np.full((40, 60), 255)]).astype(np.uint8)
    clear[:, :30, 3] = 0
    for source in (clear, packed(clear)):
        photo = photo_files.read_image(source)
        assert (photo[:, :30] == 255).all()
        assert np.array_equal(photo[:, 30:], COLOUR[:, 30:])


def test_a_phone_held_upright_gives_an_upright_photo():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    photo = photo_files.read_image(packed(COLOUR, exif=exif))
    assert np.array_equal(photo, np.rot90(COLOUR, -1))


@pytest.mark.parametrize("content", [b"", b"no image at all", packed(COLOUR)[:200], b"\xff\xd8\xff\xe0"])
def test_a_damaged_file_names_itself_and_the_cure(tmp_path, content):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(DataError, match=r"cannot be read as an image.*save it again"):
            photo_files.read_image(source)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_photo_or_one_clear_error(content):
    with pytest.raises(DataError):
        photo_files.read_image(content)


@settings(deadline=None)  # Pillow loads its readers at the first photo
@given(st.integers(0, 2_000), st.integers(0, 255))
def test_a_flipped_byte_gives_a_photo_or_one_clear_error(place, value):
    whole = bytearray(packed(np.tile(COLOUR, (4, 4, 1)), "JPEG"))
    whole[place % len(whole)] = value
    try:
        assert photo_files.read_image(bytes(whole)).ndim == 3
    except DataError as error:
        assert "the content given" in str(error)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataError, match=r"no image file .*nowhere\.png"):
        photo_files.read_image(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="no image file"):
        photo_files.read_image(tmp_path)


def test_tiny_and_huge_photos_are_refused(monkeypatch):
    for source in (COLOUR[:4], packed(COLOUR[:4])):
        with pytest.raises(DataError, match="60 × 4 pixels: the shorter side needs 16"):
            photo_files.read_image(source)
    monkeypatch.setattr(photo_files, "MOST_PIXELS", 2_000)
    for source in (COLOUR, packed(COLOUR)):
        with pytest.raises(DataError, match=r"60 × 40 pixels, more than .* scale it down"):
            photo_files.read_image(source)


def test_a_bomb_is_refused_before_it_is_unpacked():
    header = packed(COLOUR).replace((60).to_bytes(4, "big"), (60_000).to_bytes(4, "big"), 1)
    header = header.replace((40).to_bytes(4, "big"), (60_000).to_bytes(4, "big"), 1)
    with pytest.raises(DataError, match=r"cannot be read|more than 64 million"):
        photo_files.read_image(header)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (COLOUR / 255, "float64.*multiply by 255"),
        (COLOUR.astype(int), "int64.*use .astype"),
        (COLOUR.transpose(2, 0, 1), r"\[3, 40, 60\]: channels go last"),
        (COLOUR[None], r"\[1, 40, 60, 3\]: give one photo"),
        (COLOUR[..., :2], r"\[40, 60, 2\]"),
        (COLOUR[0, 0], r"\[3\]"),
        (COLOUR[:0], "no pixels"),
    ],
)
def test_an_array_of_another_kind_names_the_cure(array, message):
    with pytest.raises(ValueError, match=message):
        photo_files.read_image(array)


def test_a_letterbox_keeps_the_shape_and_knows_the_way_back():
    box = letterbox.letterbox(COLOUR, 120, fill=7)
    assert (box.scale, box.left, box.top) == (2, 0, 20)
    assert box.image.shape == (120, 120, 3)
    assert (box.image[:20] == 7).all()
    assert (box.image[100:] == 7).all()
    assert np.abs(box.image[40, 10].astype(int) - COLOUR[10, 5]).max() <= 60
    assert box.to_photo([[0, 20, 120, 100]]).tolist() == [[0, 0, 60, 40]]
    assert box.to_photo([60, 60]).tolist() == [30, 20]
    assert "2.000 of its size" in repr(box)


@given(st.integers(16, 90), st.integers(16, 90), st.integers(16, 90), st.integers(16, 90))
def test_every_corner_comes_back_from_any_letterbox(height, width, high, wide):
    box = letterbox.letterbox(np.zeros((height, width, 3), np.uint8), (high, wide), fill=255)
    assert box.image.shape == (high, wide, 3)
    right, bottom = box.left + width * box.scale, box.top + height * box.scale
    back = box.to_photo([box.left, box.top, right, bottom])
    assert np.allclose(back, [0, 0, width, height], atol=1e-2)
    # One side is filled to within the rounding of a pixel.
    assert (box.image == 0).all(2).any(0).sum() >= wide - 1 or (box.image == 0).all(2).any(
        1
    ).sum() >= high - 1


def test_a_warp_moves_points_where_the_matrix_says():
    dot = np.zeros((50, 50, 3), np.uint8)
    dot[10:13, 20:23] = 255
    moved = letterbox.warp(dot, [[1, 0, 5], [0, 1, -4]], 50)
    assert np.array_equal(moved[6:9, 25:28], dot[10:13, 20:23])
    assert moved.astype(int).sum() == dot.astype(int).sum()
    quarter = letterbox.warp(dot, [[0, -1, 50], [1, 0, 0]], 50)  # (x, y) goes to (50 - y, x)
    assert np.array_equal(quarter, np.rot90(dot, -1))


def test_a_tilt_keeps_straight_lines_and_a_shrink_keeps_the_mean():
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    small = letterbox.warp(noise, np.diag([0.1, 0.1, 1])[:2], 40)
    # Averages of a hundred pixels scatter a tenth as much; single pixels would scatter by 74.
    assert small.std() < 12
    tilted = letterbox.warp(
        np.full((64, 64, 3), 90, np.uint8), [[1, 0, 0], [0, 1, 0], [0.002, 0, 1]], 64
    )
    assert tilted[10, 10, 0] == 90


@pytest.mark.parametrize("matrix", [np.eye(2), np.zeros((2, 3)), [[1, 2, 0], [2, 4, 0]], np.eye(4)])
def test_a_warp_that_is_none_is_refused(matrix):
    with pytest.raises(ValueError, match="warp needs a matrix"):
        letterbox.warp(COLOUR, matrix, 20)


def test_boxes_are_drawn_with_their_labels():
    axes = plt.figure().subplots()
    letterbox.draw_boxes(axes, [[1, 2, 11, 22], [5, 5, 9, 9]], ["face"])
    assert [patch.get_bbox().bounds for patch in axes.patches] == [(1, 2, 10, 20), (5, 5, 4, 4)]
    assert [text.get_text() for text in axes.texts] == ["face"]
    letterbox.draw_boxes(axes, np.zeros((0, 4)), points=[[3, 4], [5, 6]])
    assert len(axes.patches) == 2
    assert [tuple(line.get_xydata()[0]) for line in axes.lines] == [(3, 4), (5, 6)]
    plt.close(axes.figure)


def test_a_transparent_picture_wider_than_a_million_pixels_is_laid_on_white():
    wide = np.zeros((16, 1_000_001, 4), np.uint8)
    wide[1, -1] = (10, 20, 30, 255)
    laid = photo_files.read_image(wide)
    assert laid.shape == (16, 1_000_001, 3)
    assert (laid[0] == 255).all()
    assert laid[1, -1].tolist() == [10, 20, 30]
