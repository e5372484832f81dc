"""Fashion-MNIST: grey photos of clothing, as shipped or whole from its public home."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.download import fetch
from tinyml_helpers.system.shipped_files import DataError, cache_folder, read_verified
from tinyml_helpers.system.untrusted import one_line

if TYPE_CHECKING:
    import torch

FASHION_CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_MOST_BYTES = 64_000_000  # unpacked; all training images are 47 million
# The set's public home and the MD5 sums that its authors and torchvision publish.
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
_MOST_FETCHED_BYTES = 30_000_000  # the largest of the files has 26 million


@dataclass(frozen=True, repr=False)
class ImageSet:
    """Labelled grey images: `images` uint8 [N, 28, 28], `labels` int64 [N], `classes` names."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...] = FASHION_CLASSES

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        height, width = self.images.shape[1:]
        return f"{len(self):,} images of {height}x{width} pixels in {len(self.classes)} classes"

    def take(self, indices: slice | NDArray[np.int64]) -> ImageSet:
        """Return the images at `indices` (a slice or an int array [M])."""
        return ImageSet(self.images[indices], self.labels[indices], self.classes)

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images as float32 [N, 1, 28, 28] in 0..1, and labels as int64 [N]."""
        import torch

        return torch.from_numpy(self.images).float().div(255)[:, None], torch.from_numpy(self.labels)


@dataclass(frozen=True, repr=False)
class Fashion:
    """Fashion-MNIST: `train` and `test`, each an `ImageSet`."""

    train: ImageSet
    test: ImageSet

    def __repr__(self) -> str:
        return f"Fashion-MNIST\n  train: {self.train!r}\n  test:  {self.test!r}"


def load_fashion(*, full: bool = False) -> Fashion:
    """Load Fashion-MNIST.

    Args:
        full: False reads what ships with the course: all 10,000 test images and a stratified
            12,000 of the 60,000 training images. True fetches the whole set from its public home
            (30 MB, once, verified, kept in `cache_folder()`).

    Raises:
        DataError: a file is missing or damaged, or the download failed.

    Source: Xiao, Rasul and Vollgraf, arXiv 1708.07747.
    """
    if full:
        return Fashion(_fetch_fashion("train"), _fetch_fashion("t10k"))
    return Fashion(_read_images("fashion_mnist_train.npz"), load_fashion_test())


def load_fashion_test() -> ImageSet:
    """Load the 10,000 test images alone.

    Raises:
        DataError: the file is missing or damaged.
    """
    return _read_images("fashion_mnist_test.npz")


def _read_images(name: str) -> ImageSet:
    with np.load(io.BytesIO(read_verified(name)), allow_pickle=False) as arrays:
        return ImageSet(arrays["images"], arrays["labels"].astype(np.int64))


def _fetch_fashion(part: str) -> ImageSet:
    images = decode_idx(_fetch(f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = decode_idx(_fetch(f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return ImageSet(images, labels.astype(np.int64))


def _fetch(name: str) -> Path:
    folder = cache_folder() / "fashion_mnist"
    try:
        return fetch(FASHION_URL + name, FASHION_MD5[name], folder, _MOST_FETCHED_BYTES)
    except DataError as error:
        raise DataError(f"{error}, or use load_fashion() without full=True, which needs none") from error


def decode_idx(packed: bytes) -> NDArray[np.uint8]:
    """Decode a gzipped IDX file of unsigned bytes into an array of the shape in its header.

    Raises:
        DataError: it is not gzip, or not an IDX file of unsigned bytes.
    """
    try:
        # 31: with the header of gzip.
        raw = zlib.decompressobj(31).decompress(packed, _MOST_BYTES)
        shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
        if raw[:3] != b"\x00\x00\x08":
            raise ValueError(f"its header is {raw[:4].hex()}, not that of unsigned bytes")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()
    except (zlib.error, IndexError, ValueError) as error:
        raise DataError(f"not a gzipped IDX file: {one_line(error)}; fetch it again") from error
