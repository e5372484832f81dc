"""Your own words, from recordings to an int8 network with a threshold, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from tinyml_helpers import intervals
from tinyml_helpers.datasets.keywords.clips import SILENCE, UNKNOWN, Keywords
from tinyml_helpers.datasets.keywords.load import load_keywords
from tinyml_helpers.deploy import keras as twins
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite.interpreter import Model
from tinyml_helpers.intervals import Interval
from tinyml_helpers.system.tables import text_table
from tinyml_helpers.usecases.alarms import Tally
from tinyml_helpers.usecases.keywords import augment, network, train
from tinyml_helpers.usecases.keywords.detector import cut_windows, smooth
from tinyml_helpers.usecases.keywords.features import features, network_input
from tinyml_helpers.usecases.keywords.mix import mix_scene
from tinyml_helpers.usecases.keywords.streaming import Session

MOST_AN_HOUR = 6.0
"""False alarms an hour that the threshold may give among other words, where it is chosen."""
_MINUTES = 20.0
_CALIBRATION = 300  # clips


@dataclass(frozen=True, repr=False, eq=False)
class Spotter:
    """A keyword spotter for words of yours; prints as the report of what it is worth.

    Attributes:
        model: int8, with a softmax; its outputs are `classes`.
        words: those of the classes that are words, the first of them.
        learnt: the clips on which it was trained.
        test: the clips on which it was measured, and never trained.
        found: int64 [clips of `test`], the class that each was taken for.
        threshold: of the averaged score; chosen on synthetic voices that say other words.
        alarms: false alarms at that threshold, among other words of an engine that chose nothing.
    """

    model: Model
    classes: tuple[str, ...]
    words: tuple[str, ...]
    learnt: Keywords
    test: Keywords
    found: NDArray[np.int64]
    threshold: float
    alarms: Tally

    @property
    def accuracy(self) -> Interval:
        """Test clips that the int8 network gets right; the interval is that of drawing clips."""
        right = int((self.found == self.test.labels).sum())
        return intervals.rate(right, len(self.test), "clips")

    def rates(self, names: NDArray[np.str_]) -> dict[str, Interval]:
        """Test clips that are right, by what is said or who says it.

        Args:
            names: str [clips of `test`], such as `test.words` or `test.voices`.
        """
        right = self.found == self.test.labels
        return {
            str(name): intervals.rate(
                int(right[names == name].sum()), int((names == name).sum()), "clips"
            )
            for name in np.unique(names)
        }

    def __repr__(self) -> str:
        parts = [
            f"words: {', '.join(self.words)}\n{_who(self.learnt)}\n"
            f"right on test clips, int8: {self.accuracy}\n"
            f"{self.test.caution or 'Nobody who speaks in the test was trained on.'}",
            _table("said", self.rates(self.test.words)),
        ]
        if not self.test.caution:  # or nobody knows who speaks
            parts.append(_table("by", self.rates(self.test.voices)))
        parts.append(
            f"threshold {self.threshold:.2f}: the least with {MOST_AN_HOUR:g} false alarms an hour or "
            "fewer while synthetic voices say other words\n"
            "false alarms at it, while another synthetic voice says other words: "
            f"{self.alarms.an_hour}\n"
            "People in your room may give more: listen to the page for an evening."
        )
        if self.test.notes:
            parts.append("\n".join(f"{what}: {count:,}" for what, count in self.test.notes))
        if self.test.skipped:
            parts.append("\n".join(["skipped:", *(f"  {reason}" for reason in self.test.skipped)]))
        return "\n\n".join(parts)


def _who(learnt: Keywords) -> str:
    lines = []
    for engine in dict.fromkeys(learnt.engines.tolist()):
        by = learnt.voices[learnt.engines == engine]
        voices = "" if learnt.caution else f", voices: {len(np.unique(by))}"
        lines.append(f"trained on {len(by)} clips ({engine}){voices}")
    if UNKNOWN not in learnt.words:
        lines.append(
            "Nothing is called unknown, so it takes any other word for one of these: record others into "
            "a folder of that name."
        )
    return "\n".join(lines)


def _table(head: str, rates: dict[str, Interval]) -> str:
    return text_table((head, "right"), [(name, str(rate)) for name, rate in rates.items()], (0, 1))


def make(spoken: Keywords, *, steps: int = 600, seed: int = 0) -> Spotter:
    """Train a keyword spotter on your words, take it to int8, and choose its threshold.

    Args:
        spoken: what `load_keywords(folder)` gives for a folder of yours.
        steps: of training, 128 altered clips each.
        seed: of training and of the scenes of other words.

    Returns:
        The spotter, measured.

    Raises:
        ValueError: no steps.
        DataError: no clip is left to train or to test on.
    """
    model = train.load_start(len(spoken.classes))
    learnt = spoken.part("train")
    train.fit(model, learnt, steps=steps, learning_rate=8e-3, seed=seed)
    clips = learnt.clips[np.random.default_rng(0).permutation(len(learnt))[:_CALIBRATION]]
    bar = tqdm(total=3, desc="to int8", unit="stage", leave=False)
    tflite = litert.load(to_int8(model.eval(), augment.as_input(augment.raw_features(clips))))
    bar.update()
    words = tuple(name for name in spoken.classes if name not in (UNKNOWN, SILENCE))
    test = spoken.part("test")
    found = _predict(tflite, features(test.clips)).argmax(1)
    sessions = []
    for part in ("voices", "new engine"):
        bar.set_description("hearing others")
        sessions.append(_hear_others(tflite, words, part, seed))
        bar.update()
    bar.close()
    chosen_on, measured_on = sessions
    threshold = chosen_on.trade_off().least_threshold(MOST_AN_HOUR)
    alarms = measured_on.tally(threshold)
    return Spotter(tflite, spoken.classes, words, learnt, test, found, threshold, alarms)


def to_int8(model: nn.Module, inputs: torch.Tensor) -> bytes:
    """Return the int8 .tflite of a network, a softmax added: int8 in (0 to 1) and out.

    Args:
        model: trained, in evaluation mode.
        inputs: float32 [N, 1, 50, 10], to calibrate with.
    """
    twin = twins.from_torch(model, (1, network.FRAMES, network.BANDS))
    import keras

    whole = keras.Model(twin.inputs, keras.layers.Softmax(name="softmax")(twin.outputs[0]))
    given = inputs.permute(0, 2, 3, 1).numpy()
    given[0, 0, 0], given[0, 0, 1] = 0.0, 1.0  # both ends, so that the scale of the input is 1/255
    return litert.from_keras(whole, "int8", given)


def _predict(tflite: Model, raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = tflite.predict(network_input(raw)[..., None])
    return scores


def _hear_others(tflite: Model, words: tuple[str, ...], part: str, seed: int) -> Session:
    """Play a scene in which nobody says one of the words, and let the network hear it."""
    draw = np.random.default_rng(seed)
    shipped = load_keywords().part(part)
    others = shipped.take(~np.isin(shipped.words, [*words, SILENCE]))
    chosen = draw.integers(len(others), size=round(60 * _MINUTES / 3))
    clips = list(others.clips[chosen])
    sound, spoken = mix_scene(clips, others.words[chosen].tolist(), 60 * _MINUTES, draw)
    seen = cut_windows(sound)
    scores = smooth(_predict(tflite, seen.features), 3)
    return Session(sound, tuple(spoken), (), words, seen.end_s, scores)
