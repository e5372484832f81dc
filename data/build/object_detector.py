"""Take a mobile object detector out of the npm package `@mediapipe/objectron`.

    npm pack @mediapipe/objectron@0.4.1675468480
    python data/build/object_detector.py mediapipe-objectron-0.4.1675468480.tgz

The package holds one file with everything in a row; its loader lists which bytes are what. The network
is written as it is, byte for byte. Run data/build/manifest.py afterwards.
"""

import hashlib
import sys
import tarfile
from pathlib import Path

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.usecases.detection import ssd

ASSETS = "package/objectron_solution_packed_assets.data"
NAMES_END, NETWORK_END = 184, 9_987_912
NETWORK_SHA256 = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"


def main(package: Path) -> None:
    """Write data/models/ssd_mobilenet_v2.tflite.

    Raises:
        SystemExit: the package is another version, or the classes are others.
    """
    with tarfile.open(package) as whole:
        member = whole.extractfile(ASSETS)
        content = member.read() if member else b""
    names, network = content[:NAMES_END], content[NAMES_END:NETWORK_END]
    if hashlib.sha256(network).hexdigest() != NETWORK_SHA256:
        raise SystemExit(f"{package.name} is not version 0.4.1675468480: its network is another one")
    classes = names.decode("ascii").split("\n")[1:-1]  # the first stands for the background
    if tuple(map(str.lower, classes)) != ssd.CLASSES:
        raise SystemExit("its classes are not those of tinyml_helpers.usecases.detection.ssd.CLASSES")
    (data_folder() / "models" / "ssd_mobilenet_v2.tflite").write_bytes(network)
    print(f"ssd_mobilenet_v2.tflite: {len(network):,} bytes, {len(classes)} classes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
