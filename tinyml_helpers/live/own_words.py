"""From recordings of your words to all that a product begins with: one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyml_helpers import mcu
from tinyml_helpers.datasets.keywords.clips import Keywords
from tinyml_helpers.live.keywords import make_listener
from tinyml_helpers.mcu import sensors
from tinyml_helpers.usecases import keywords

_HEARD = 4  # words of the recording in the page
_PAUSE = 12_800  # samples between them, four steps


def deliver(spoken: Keywords, out: Path, device: str, *, steps: int, seed: int) -> str:
    """Train, measure, compile and write: `words.tflite`, `report.txt`, `live.html` and `project/`.

    Nothing is written before all of it is made. The project is an Arduino library with a sketch that
    listens, where the board carries a microphone; elsewhere plain C.

    Args:
        spoken: what `load_keywords(folder)` gives.
        out: the folder, made if it is not there.
        device: a key of the catalogue.
        steps: of training.
        seed: of training.

    Returns:
        The report, as it stands in report.txt.

    Raises:
        ValueError: the network does not fit the device.
        OSError: a file cannot be written.
    """
    spotter = keywords.own_words.make(spoken, steps=steps, seed=seed)
    around = keywords.firmware.pipeline(
        spotter.model, threshold=spotter.threshold, words=len(spotter.words)
    )
    firmware = mcu.build(spotter.model.content, device, pipeline=around)
    said = join(spotter.test, spotter.words[:_HEARD])
    page = make_listener(firmware, spotter.classes, said, "words of your test clips")
    report = f"{spotter!r}\n\n{firmware!r}\n"
    out.mkdir(parents=True, exist_ok=True)
    if device in sensors.sensors()["pdm"]["devices"]:
        firmware.export(out / "project", toolchain="arduino", sensor="microphone")
    else:
        firmware.export(out / "project")
    (out / "words.tflite").write_bytes(spotter.model.content)
    (out / "report.txt").write_text(report, "utf-8")
    page.write(out / "live.html")
    return report


def join(clips: Keywords, words: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return the first clip of each word, with pauses between: int16 at 16 kHz."""
    pause = np.zeros(_PAUSE, np.int16)
    there = [word for word in words if word in clips.words]
    return np.concatenate([x for word in there for x in (clips.clips[clips.words == word][0], pause)])
