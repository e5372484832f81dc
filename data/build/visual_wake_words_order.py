"""Which order of colours does models/visual_wake_words.tflite take? Try both on photos of your own.

    python data/build/visual_wake_words_order.py folder

`folder` holds `person/` and `non_person/`, with photos in them; Visual Wake Words itself is made from
COCO by its authors' script. The toolkit that trained the network reads photos as RGB.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.intervals import rate

CLASSES = ("person", "non_person")
SIDE = 96


def main(folder: Path) -> None:
    """Print how often the network is right in each order."""
    network = litert.load(data_folder() / "models" / "visual_wake_words.tflite")
    files = [(path, name) for name in CLASSES for path in sorted((folder / name).glob("*.[jJpP]*[gG]"))]
    if not files:
        sys.exit(f"{folder} has no photos in {' or '.join(f'{name}/' for name in CLASSES)}")
    right = {"RGB": 0, "BGR": 0}
    for path, name in tqdm(files, unit="photo"):
        # As the set was made: without a regard for the photo's proportions.
        photo = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(photo, np.float32)
        for order, one in (("RGB", pixels), ("BGR", pixels[..., ::-1])):
            right[order] += CLASSES[int(network.predict(one[None]).argmax())] == name
    for order, count in right.items():
        print(f"{order}: {rate(count, len(files), 'photos')}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
