"""Pages of the course's own networks, ready to open."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tinyml_helpers import datasets, mcu
from tinyml_helpers.datasets.images import scenes
from tinyml_helpers.datasets.images.fashion_mnist import ImageSet, load_fashion_test
from tinyml_helpers.deploy import litert
from tinyml_helpers.live.gestures import make_watch
from tinyml_helpers.live.keywords import make_listener
from tinyml_helpers.live.kinds import Kind
from tinyml_helpers.live.own_words import join
from tinyml_helpers.live.page import Page
from tinyml_helpers.live.pictures import make_pad, make_viewer
from tinyml_helpers.live.vibration import excerpt, make_guard
from tinyml_helpers.usecases import anomaly, detection, gestures, keywords
from tinyml_helpers.usecases.alarms import TradeOff

_SPOKEN = 4  # words of the recording that the page brings
_UNKNOWN_PERSON = "10"
_SURE = 0.3  # score at which the C counts an object


def draw(device: str, content: bytes | None = None) -> Page:
    """Draw for `small`, or a network of yours: with a test photo of each kind to begin with."""
    test = load_fashion_test()
    firmware = mcu.build(content or datasets.read_verified("models/small.tflite"), device)
    return make_pad(firmware, one_of_each(test), test.classes)


def one_of_each(pictures: ImageSet) -> npt.NDArray[np.uint8]:
    """Return a picture of each class, the last class first: uint8 [classes, height, width]."""
    chosen = [pictures.images[pictures.labels == kind][1] for kind in range(len(pictures.classes))]
    return np.stack(chosen[::-1])


def listen(device: str, content: bytes | None = None) -> Page:
    """Speak to `kws`, or yours, at the threshold by which `kws` gives thirty false alarms an hour."""
    content = content or datasets.read_verified("models/kws.tflite")
    stored = json.loads(datasets.read_verified("models/keywords.json"))["kws"]["stream"]
    threshold = TradeOff.load(stored["voices"]).least_threshold(most_an_hour=30)
    around = keywords.firmware.pipeline(litert.load(content), threshold=threshold)
    spoken = datasets.load_keywords().part("voices")
    words = spoken.classes[:_SPOKEN]
    firmware = mcu.build(content, device, pipeline=around)
    says = f"{', '.join(words)}, by synthetic voices"
    return make_listener(firmware, spoken.classes, join(spoken, words), says)


def move(device: str) -> Page:
    """Movements of person 10, on whom this network was not trained, or of a phone."""
    recordings = datasets.load_gestures()
    known = gestures.features.cut(recordings).without(_UNKNOWN_PERSON)
    twin = gestures.network.keras_twin(gestures.network.load_trained(_UNKNOWN_PERSON))
    content = litert.from_keras(twin, "int8", gestures.features.calibration_inputs(known))
    day = gestures.stream.join(recordings.of(_UNKNOWN_PERSON).arm("left"))
    around = gestures.firmware.pipeline(litert.load(content))
    firmware = mcu.build(content, device, pipeline=around)
    return make_watch(firmware, day.classes, day.raw, day.truth)


def guard(device: str) -> Page:
    """Guard simulated machine 33, which this network never met, or one of your own."""
    content = datasets.read_verified("models/vibration.tflite")
    scaling = {name: tensor.numpy() for name, tensor in anomaly.network.load_trained()[1].items()}
    detector = anomaly.firmware.Int8Autoencoder(anomaly.detect.Scaling(**scaling), litert.load(content))
    seen = datasets.load_vibration(machines=[33], healthy=30, faulty=9)
    own = excerpt(seen.take(seen.healthy | (seen.fault == "outer race")))
    baseline = anomaly.features.features(seen.samples[seen.commissioning()]).mean(0)
    around = anomaly.firmware.pipeline(detector, baseline, own.samples.shape[1])
    firmware = mcu.build(content, device, pipeline=around)
    return make_guard(firmware, baseline, own)


def find(device: str, content: bytes | None = None) -> Page:
    """Find garments in scenes of test photos, by the course's detector or one of yours."""
    content = content or datasets.read_verified("models/tiny_detector.tflite")
    model = litert.load(content)
    least = detection.firmware.logit_threshold(
        _SURE, model.output.scales[0], model.output.zero_points[0]
    )
    shown = scenes.compose(load_fashion_test(), 6, 3)
    firmware = mcu.build(content, device, pipeline=detection.firmware.pipeline(least))
    return make_viewer(firmware, shown.images, scenes.SCENE_CLASSES)


PAGES: Mapping[Kind, Callable[[str], Page]] = {
    Kind.drawing: draw,
    Kind.keywords: listen,
    Kind.gestures: move,
    Kind.vibration: guard,
    Kind.detector: find,
}
"""Each page, for a device of the catalogue."""
