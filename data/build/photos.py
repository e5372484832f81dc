"""Rebuild data/photos.npz from the wheels of `scikit-image` and `matplotlib`.

    pip download --no-deps scikit-image==0.26.0 matplotlib
    python data/build/photos.py scikit_image-0.26.0-*.whl matplotlib-*.whl

The wheels are unzipped, not installed. Of scikit-image only photos are taken that its
`skimage/data/_fetchers.py` says to be in the public domain or CC0; matplotlib's is the Navy's official
portrait. PNG files become JPEG of quality 90 without colour subsampling, a sixth of the size; what
is JPEG already stays as it is.
"""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tinyml_helpers.datasets import data_folder

QUALITY = 90
# name -> file, what it shows, who made it, and the terms
PHOTOS = {
    "astronaut": ("skimage/data/astronaut.png", "Eileen Collins, astronaut", "NASA", "public domain"),
    "camera": ("skimage/data/camera.png", "a man behind a camera, grey", "Lav Varshney", "CC0"),
    "chelsea": ("skimage/data/chelsea.png", "Chelsea, a cat", "Stefan van der Walt", "CC0"),
    "coffee": (
        "skimage/data/coffee.png",
        "a cup of coffee",
        "Rachel Michetti, Pikolo Espresso Bar",
        "CC0",
    ),
    "hopper": (
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "Grace Hopper, computer scientist",
        "United States Navy",
        "public domain",
    ),
    "rocket": ("skimage/data/rocket.jpg", "the launch of DSCOVR", "SpaceX", "public domain"),
}


def as_jpeg(content: bytes) -> bytes:
    """Return an image file as JPEG; one that is JPEG already comes back unchanged."""
    image = Image.open(io.BytesIO(content))
    if image.format == "JPEG":
        return content
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return packed.getvalue()


def main(*wheels: Path) -> None:
    """Write data/photos.npz: a JPEG file for each photo, and the credits."""
    files: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as whole:
            there = set(whole.namelist())
            files |= {
                name: as_jpeg(whole.read(file)) for name, (file, *_) in PHOTOS.items() if file in there
            }
    if missing := sorted(set(PHOTOS) - set(files)):
        raise ValueError(
            f"no photo {missing[0]!r} in {', '.join(w.name for w in wheels)}: give both wheels"
        )
    credits = {name: told for name, (_, *told) in PHOTOS.items()}
    path = data_folder() / "photos.npz"
    arrays: dict[str, Any] = {name: np.frombuffer(files[name], np.uint8) for name in PHOTOS}
    np.savez(path, credits=np.array(json.dumps(credits)), **arrays)
    print(f"{path.name}: {len(files)} photos, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
