"""Five seconds of lesson 09 as a strip that moves: sound in, bytes through the chip, words out.

    python -m book.front_strip        # writes data/reference/front.gif; a minute

The sound is the lesson's own scene, by a synthetic voice that no network here was trained on. Every
word, byte and count in the strip comes from the firmware's run on the emulated chip.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.patches import Rectangle

from tinyml_helpers import datasets, mcu
from tinyml_helpers.deploy import litert
from tinyml_helpers.system.folders import write_atomically
from tinyml_helpers.usecases import alarms, keywords
from tinyml_helpers.usecases.keywords.detector import Outcome, Spoken

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

    from tinyml_helpers.mcu.run import Run

RATE_HZ, HOP, FRAMES_HZ = 16_000, 3_200, 50
LONG_S, WORDS = 5, 2
INK, PALE, FOUND, SOUND = "#333333", "#BBBBBB", "#D55E00", "#0072B2"


@dataclass(frozen=True, eq=False)
class Scene:
    """What was played, and what the chip did in each hop of 200 ms.

    `sound` int16 at 16 kHz; `spectrogram` [50 frames a second, channels] is what the network is given;
    `said` are the words in it, their times from its start; `words` names the answers.
    """

    sound: npt.NDArray[np.int16]
    spectrogram: npt.NDArray[np.uint16]
    said: tuple[Spoken, ...]
    runs: tuple[Run, ...]
    flash_bytes: int
    words: tuple[str, ...]


def play() -> Scene:
    """Play the first five seconds in which two words are said and both found to the firmware.

    Chosen so, they show how it looks when it works; lesson 09 says how often it does.
    """
    folder = datasets.data_folder() / "models"
    spoken = datasets.load_keywords()
    counts = datasets.read_json("models/keywords.json")["kws"]["stream"]["voices"]
    threshold = alarms.TradeOff.load(counts).least_threshold(most_an_hour=30)
    network = litert.load(folder / "kws.tflite")
    clips = spoken.part("new engine")
    clips = clips.take(clips.words != "silence")
    session = keywords.streaming.listen(network.predict, clips, seed=0)
    start_s = _first_found(session.at(threshold), session.keys)
    # The second before fills the window: the strip begins as a device does that has listened.
    heard = session.sound[(start_s - 1) * RATE_HZ : (start_s + LONG_S) * RATE_HZ]
    pipeline = keywords.firmware.pipeline(network, threshold=threshold)
    firmware = mcu.build(folder / "kws.tflite", "nano33ble", pipeline=pipeline)
    runs = list(firmware.stream(heard.reshape(-1, HOP)))
    spectrogram = keywords.features.micro_frontend(heard)[-LONG_S * FRAMES_HZ :]
    words = [word for word in session.keys if start_s <= word.start_s < start_s + LONG_S]
    said = tuple(Spoken(w.start_s - start_s, w.end_s - start_s, w.word) for w in words)
    after = tuple(runs[RATE_HZ // HOP :])
    return Scene(heard[RATE_HZ:], spectrogram, said, after, firmware.flash_bytes, tuple(spoken.classes))


def _first_found(outcome: Outcome, keys: tuple[Spoken, ...]) -> int:
    """Return the first whole second from which two words are said, and two reports come, in five."""
    for start_s in range(1, int(outcome.seconds) - LONG_S):
        end_s = start_s + LONG_S
        said = [word for word in keys if start_s <= word.start_s < end_s]
        hits = [hit for hit in outcome.hits if start_s + 0.5 <= hit.time_s < end_s - 0.5]
        if len(said) == len(hits) == WORDS and [w.word for w in said] == [hit.word for hit in hits]:
            return start_s
    raise LookupError("nowhere in the scene two words are found within five seconds")


def strip(scene: Scene) -> bytes:
    """Return the scene as a GIF that runs in its own time, five pictures a second."""
    from PIL import Image

    pages = [_page(scene, hop) for hop in range(len(scene.runs))]
    # The colours of all pictures: one in which no word is lit has no orange to give.
    height = sum(page.height for page in pages)
    together = Image.new("RGB", (pages[0].width, height))
    for place, page in enumerate(pages):
        together.paste(page, (0, place * page.height))
    palette = together.quantize(64)
    quantized = [page.quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]
    gif = io.BytesIO()
    hop_ms = 1000 * HOP // RATE_HZ
    times_ms = [hop_ms] * (len(pages) - 1) + [2000]
    quantized[0].save(
        gif, "GIF", save_all=True, append_images=quantized[1:], duration=times_ms, loop=0, optimize=True
    )
    return gif.getvalue()


def _page(scene: Scene, hop: int) -> Image.Image:
    """One picture: all that is known once this hop is computed."""
    import matplotlib.pyplot as plt
    from PIL import Image

    figure, axes = plt.subplots(
        2, 2, figsize=(9, 3.7), dpi=100, width_ratios=(1, 1), height_ratios=(3, 4), facecolor="white"
    )
    now_s = (hop + 1) * HOP / RATE_HZ
    _sound(axes[0, 0], scene, now_s)
    _spectrogram(axes[1, 0], scene, now_s)
    _bytes(axes[0, 1], scene, hop)
    _words(axes[1, 1], scene, hop)
    figure.subplots_adjust(left=0.07, right=0.985, top=0.92, bottom=0.13, hspace=0.42, wspace=0.1)
    page = _as_image(figure)
    plt.close(figure)
    return Image.fromarray(page)


def _as_image(figure: Figure) -> npt.NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _sound(axis: Axes, scene: Scene, now_s: float) -> None:
    times = np.arange(len(scene.sound))[::20] / RATE_HZ
    levels = scene.sound[::20] / 32_768
    axis.plot(times[times <= now_s], levels[times <= now_s], color=SOUND, linewidth=0.6)
    for word in scene.said:
        if word.start_s < now_s:
            axis.text(word.start_s, 0.62, f"“{word.word}”", color=INK, fontsize=11)
    axis.set(xlim=(0, LONG_S), ylim=(-0.9, 0.9), xticks=[], yticks=[])
    axis.set_title("sound in: 16,000 numbers a second", fontsize=10, loc="left", color=INK)


def _spectrogram(axis: Axes, scene: Scene, now_s: float) -> None:
    seen = scene.spectrogram.astype(float)
    seen[int(now_s * FRAMES_HZ) :] = np.nan
    span = (0, LONG_S, 0, seen.shape[1])
    quiet, loud = np.percentile(scene.spectrogram, (20, 100))
    axis.imshow(seen.T, origin="lower", aspect="auto", extent=span, cmap="Blues", vmin=quiet, vmax=loud)
    height = seen.shape[1] - 0.1
    axis.add_patch(Rectangle((now_s - 1, 0.05), 1, height, fill=False, edgecolor=FOUND, linewidth=1.8))
    axis.set(yticks=[], xlim=(0, LONG_S), xlabel="seconds")
    axis.set_title("what the network sees: the last second", fontsize=10, loc="left", color=INK)


def _bytes(axis: Axes, scene: Scene, hop: int) -> None:
    done = sum(run.instructions for run in scene.runs[: hop + 1])
    scores = "".join(f"{byte:5d}" for byte in scene.runs[hop].outputs[0].ravel()[:10])
    lines = (
        f"{scene.flash_bytes:,} bytes of flash, {scene.runs[hop].ram_bytes:,} of RAM",
        f"{done:>11,} instructions so far",
        f"int8 out:{scores}",
    )
    for place, line in enumerate(lines):
        size = 7.1 if "int8" in line else 10.5
        axis.text(0, 0.82 - 0.36 * place, line, family="monospace", fontsize=size, color=INK)
    axis.set_axis_off()
    axis.set_title("on the emulated chip, a Cortex-M4", fontsize=10, loc="left", color=INK)


def _words(axis: Axes, scene: Scene, hop: int) -> None:
    scores = (scene.runs[hop].outputs[0].ravel().astype(int) + 128) / 256
    # A report stays lit for a second: three hops are hardly read.
    lit = {run.score for run in scene.runs[max(hop - 4, 0) : hop + 1]} - {-1}
    count = 10
    colours = [FOUND if place in lit else PALE for place in range(count)]
    axis.bar(range(count), scores[:count], color=colours, width=0.7)
    axis.set(ylim=(0, 1.15), yticks=[], xticks=range(count), xticklabels=scene.words[:count])
    for place, label in enumerate(axis.get_xticklabels()):
        label.set(fontsize=9, color=INK)
        if place in lit:
            label.set(fontweight="bold", color=FOUND)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
    axis.set_title(
        "words out: a score for each, in orange what is reported", fontsize=10, loc="left", color=INK
    )


if __name__ == "__main__":
    write_atomically(datasets.data_folder() / "reference" / "front.gif", strip(play()))
