"""Rebuild data/fashion_mnist_*.npz from Debian's package `dataset-fashion-mnist`.

    apt-get install dataset-fashion-mnist
    python data/build/fashion_mnist.py

The test set is whole. Of the training set the first 1,200 images of each class are kept, in their
original order, so that the shipped part is balanced and the choice needs no random numbers.
"""

import sys
from pathlib import Path

import numpy as np

from tinyml_helpers.datasets import data_folder, decode_idx

PER_CLASS = 1200


def main(source: Path) -> None:
    """Write both files; `source` is the folder of the four .gz files."""
    for part, name in (("train", "train"), ("t10k", "test")):
        images = decode_idx((source / f"{part}-images-idx3-ubyte.gz").read_bytes())
        labels = decode_idx((source / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        if part == "train":
            keep = np.sort(np.concatenate([np.flatnonzero(labels == c)[:PER_CLASS] for c in range(10)]))
            images, labels = images[keep], labels[keep]
        path = data_folder() / f"fashion_mnist_{name}.npz"
        np.savez_compressed(path, images=images, labels=labels)
        print(f"{path.name}: {len(labels):,} images, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist"))
