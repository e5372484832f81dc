"""Compare seven photos of five people, four of which do not ship, by each way to describe a face.

    pip download --no-deps --no-binary :all: face_recognition==1.3.0
    python data/build/faces_check.py face_recognition-1.3.0.tar.gz

One person is there three times: three photos of a president of the United States and one of another
lie in the tests of the package. They carry terms of their own, so they are only looked at here. The
detector's second look, its thresholds, and where a face is cut, were chosen on these seven: they say
little about other photos, but more than one photo shot anew.
"""

import json
import sys
import tarfile
from itertools import combinations
from pathlib import Path
from typing import Any

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.datasets.images.photos import load_photos
from tinyml_helpers.usecases.faces import embedding

FILES = ("obama", "obama2", "obama3", "biden")
SHIPPED = ("astronaut", "hopper", "camera")


def main(package: Path) -> None:
    """Write data/models/faces_check.json."""
    photos: dict[str, Any] = {name: load_photos()[name] for name in SHIPPED}
    with tarfile.open(package) as whole:
        for name in FILES:
            file = whole.extractfile(
                f"{package.name.removesuffix('.tar.gz')}/tests/test_images/{name}.jpg"
            )
            photos[name] = photo_files.read_image(file.read() if file else b"")
    told = {}
    for embedder in embedding.EMBEDDERS:
        vectors = {name: embedding.embed_photo(photo, embedder) for name, photo in photos.items()}
        same: list[float] = []
        other: list[float] = []
        for a, b in combinations(vectors, 2):
            one = a.startswith("obama") and b.startswith("obama")
            (same if one else other).append(round(float(vectors[a] @ vectors[b]), 3))
        told[embedder] = {
            "same person": sorted(same),
            "lowest same": min(same),
            "highest other": max(other),
        }
    path = data_folder() / "models" / "faces_check.json"
    path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
