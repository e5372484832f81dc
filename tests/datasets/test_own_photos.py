"""Your own photos: read from a file or a folder, scaled down, and what cannot be read is named."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinyml_helpers.datasets import DataError, load_photos
from tinyml_helpers.datasets.images import own_photos, photo_files

RAMP = np.stack([np.indices((60, 90)).sum(0)] * 3, -1).astype(np.uint8)


def packed(array, kind="JPEG", **how):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **how)
    return file.getvalue()


def grey_jpeg(width, height):
    """A JPEG of any size, all grey, in a few bits a block: cheap to make, and large to unpack.

    With the usual tables a block that is as the one before it, and flat, is 00 (no difference) and 1010
    (end of block); a grey of 128 is no difference from the start.
    """
    small = packed(np.full((8, 8), 128, np.uint8), quality=75)
    frame = small.index(b"\xff\xc0")
    scan = small.index(b"\xff\xda")
    head = small[: scan + 2 + int.from_bytes(small[scan + 2 : scan + 4], "big")]
    head = head[: frame + 5] + struct.pack(">HH", height, width) + head[frame + 9 :]
    blocks = -(-width // 8) * -(-height // 8)
    return head + bytes([0b00101000, 0b10100010, 0b10001010]) * (-(-blocks // 4)) + b"\xff\xd9"


def png_header(width, height):
    """A PNG that tells a size and holds no pixels."""
    parts = b"\x89PNG\r\n\x1a\n"
    for name, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", b""),
    ):
        parts += struct.pack(">I", len(content)) + name + content
        parts += struct.pack(">I", zlib.crc32(name + content))
    return parts


def test_a_file_of_yours_is_an_album_of_one(tmp_path):
    (tmp_path / "me.png").write_bytes(packed(RAMP, "PNG"))
    album = load_photos(tmp_path / "me.png")
    assert list(album) == ["me.png"] and np.array_equal(album["me.png"], RAMP)
    assert "90 × 60" in repr(album) and album.remarks == ()
    assert "<table>" in album._repr_html_()


def test_a_folder_is_named_from_where_you_stand_and_its_folders_are_read(tmp_path, monkeypatch):
    (tmp_path / "mine" / "anna").mkdir(parents=True)
    (tmp_path / "mine" / "anna" / "1.JPG").write_bytes(packed(RAMP))
    (tmp_path / "mine" / "street.webp").write_bytes(packed(RAMP, "WEBP"))
    (tmp_path / "mine" / ".DS_Store").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    album = load_photos("mine")
    assert list(album) == ["anna/1.JPG", "street.webp"] and album.remarks == ()
    with pytest.raises(DataError, match="no file or folder 'yours'"):
        load_photos("yours")


def test_what_cannot_be_read_is_named_with_its_cure_and_the_rest_is_kept(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a.jpg").write_bytes(packed(RAMP))
    (tmp_path / "b" / "broken.jpg").write_bytes(packed(RAMP)[:300])
    (tmp_path / "b" / "tiny.png").write_bytes(packed(RAMP[:4], "PNG"))
    for name in ("c.heic", "d.dng", "e.mov", "f.zip", "notes.txt"):
        (tmp_path / name).write_bytes(b"anything")
    album = load_photos(tmp_path)
    assert list(album) == ["a.jpg"]
    told = "\n".join(album.remarks)
    assert str(tmp_path) not in told
    for sentence in (
        "not used: b/broken.jpg cannot be read as an image", "not used: b/tiny.png is 90 × 4 pixels",
        "c.heic: not read here; save it as JPEG", "d.dng: a raw file; export it", "e.mov: a film;",
        "f.zip: unpack it", "notes.txt: no photo",
    ):  # fmt: skip
        assert sentence in told
    assert told in repr(album)


@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_folder_without_photos_is_refused_with_the_cure(tmp_path, content):
    if content:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match="can be read: put JPEG or PNG files into it") as caught:
        load_photos(tmp_path)
    assert ("a.jpg" in str(caught.value)) == bool(content)


def test_a_large_photo_is_scaled_down_and_keeps_its_shape(tmp_path):
    large = np.kron(RAMP, np.ones((40, 40, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    (tmp_path / "a.jpg").write_bytes(packed(large))
    (tmp_path / "b.png").write_bytes(packed(large, "PNG"))
    (tmp_path / "c.jpg").write_bytes(packed(large, exif=exif))
    album = load_photos(tmp_path)
    assert [photo.shape for photo in album.values()] == [(1067, 1600, 3)] * 2 + [(1600, 1067, 3)]
    assert album.remarks == ("scaled down to 1,600 pixels on the longer side: 3",)
    small = np.asarray(Image.fromarray(large).resize((1600, 1067), Image.Resampling.BOX), int)
    for photo in (album["a.jpg"], album["b.png"], np.rot90(album["c.jpg"])):
        assert np.abs(photo.astype(int) - small).mean() < 2


def test_of_many_photos_the_first_are_taken_and_the_rest_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(own_photos, "MOST_PHOTOS", 3)
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(packed(RAMP, "PNG"))
    album = load_photos(tmp_path)
    assert list(album) == ["0.png", "1.png", "2.png"]
    assert album.remarks == ("not used: 2 more photos, since 3 are looked at at a time",)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from("pqrs"), st.binary(max_size=200), max_size=4))
def test_whatever_lies_beside_a_photo_is_named_once(tmp_path_factory, strange):
    folder = tmp_path_factory.mktemp("photos")
    (folder / "good.png").write_bytes(packed(RAMP, "PNG"))
    for name, content in strange.items():
        (folder / f"{name}.jpg").write_bytes(content)
    album = load_photos(folder)
    assert np.array_equal(album["good.png"], RAMP) and len(album) == 1
    for name in strange:
        assert sum(f"{name}.jpg" in remark for remark in album.remarks) == 1


# Two hundred million pixels


def test_a_jpeg_of_two_hundred_million_pixels_is_scaled_while_it_is_unpacked(tmp_path):
    (tmp_path / "phone.jpg").write_bytes(grey_jpeg(16_320, 12_240))
    album = load_photos(tmp_path)
    assert album["phone.jpg"].shape == (1200, 1600, 3)
    assert np.abs(album["phone.jpg"].astype(int) - 128).max() <= 1
    assert "scaled down" in album.remarks[0]


def test_the_grey_jpeg_of_these_tests_is_one():
    assert (photo_files.read_image(grey_jpeg(41, 30)) == 128).all()


@pytest.mark.parametrize(
    "content", [grey_jpeg(16_320, 12_240), grey_jpeg(12_000, 9_000), png_header(16_320, 12_240)],
    ids=["200 JPEG", "108 JPEG", "200 PNG"],
)  # fmt: skip
def test_a_single_photo_too_large_to_be_read_whole_says_how_large_and_what_to_do(content):
    cure = r"1\d{4} × \d+ pixels, more than 64 million: scale it down first, to 4,000 pixels"
    with pytest.raises(DataError, match=cure):
        photo_files.read_image(content)


def test_what_cannot_be_scaled_while_it_is_unpacked_is_refused_with_the_same_cure(tmp_path):
    progressive = grey_jpeg(16_320, 12_240).replace(b"\xff\xc0", b"\xff\xc2", 1)
    beyond = grey_jpeg(20_000, 20_000)
    for name, content in (
        ("a.jpg", progressive),
        ("b.jpg", beyond),
        ("c.png", png_header(14_000, 15_000)),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.png").write_bytes(packed(RAMP, "PNG"))
    album = load_photos(tmp_path)
    assert list(album) == ["d.png"] and len(album.remarks) == 3
    assert all("pixels, more than 64 million: scale it down first" in one for one in album.remarks)


def test_of_another_kind_the_size_is_not_known_and_the_cure_is_the_same(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(DataError, match="more pixels than 64 million: scale it down first"):
        photo_files.read_image(packed(RAMP, "BMP"))
    assert photo_files.read_image(packed(RAMP, "PNG")).shape == RAMP.shape
