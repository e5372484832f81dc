"""Latency of EfficientDet-Lite on a phone or a single-board computer, from the times published for it.

Lite0 to Lite4 in int8, four threads on the CPU of a Pixel 4: a straight line in their MACs meets all
five within 6 %. It is scaled by the clock. Processors differ in more than that, and the band is a
judgement: 1.5 either way. The line knows this family only: its constant is what EfficientDet does
beside its large convolutions, and `compare` shows how far it misses classifiers on the same phone.

Sources: EfficientDet on the Pixel 4: TensorFlow Lite Model Maker, object detection, ai.google.dev/edge/
litert/libraries/modify/object_detection. On the Pixel 6 (threads not stated): MediaPipe, object
detector, ai.google.dev/edge/mediapipe/solutions/vision/object_detector. EfficientNet-Lite on the
Pixel 4, four threads: tensorflow/tpu, models/official/efficientnet/lite/README.md. Fastest cores: a
Cortex-A76 at 2.84 GHz in the Pixel 4, a Cortex-X1 at 2.80 GHz in the Pixel 6 (published specifications).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tinyml_helpers.devices import Device, get
from tinyml_helpers.system.tables import html_table, text_table

CLOCKS_HZ = {"Pixel 4": 2.84e9, "Pixel 6": 2.80e9}
BAND = 1.5


class Published(NamedTuple):
    """A network's time for one image in int8 on the CPU of a phone, as its makers published it."""

    network: str
    phone: str
    macs: int
    ms: float


FAMILY = (
    Published("EfficientDet-Lite0", "Pixel 4", 973_589_696, 37),
    Published("EfficientDet-Lite1", "Pixel 4", 1_966_649_904, 49),
    Published("EfficientDet-Lite2", "Pixel 4", 3_371_304_384, 69),
    Published("EfficientDet-Lite3", "Pixel 4", 7_480_187_904, 116),
    Published("EfficientDet-Lite4", "Pixel 4", 20_168_084_000, 260),
)
"""What the line is fitted to."""
NEWER_PHONE = (
    Published("EfficientDet-Lite0", "Pixel 6", 973_589_696, 29.31),
    Published("EfficientDet-Lite2", "Pixel 6", 3_371_304_384, 70.91),
)
CLASSIFIERS = (
    Published("EfficientNet-Lite0", "Pixel 4", 407_000_000, 6.5),
    Published("EfficientNet-Lite1", "Pixel 4", 631_000_000, 9.1),
    Published("EfficientNet-Lite2", "Pixel 4", 899_000_000, 12),
    Published("EfficientNet-Lite3", "Pixel 4", 1_440_000_000, 18),
    Published("EfficientNet-Lite4", "Pixel 4", 2_640_000_000, 30),
)


@dataclass(frozen=True, repr=False)
class Prediction:
    """Predicted latency of one image, and the band around it; prints as such."""

    latency_ms: float

    @property
    def low_ms(self) -> float:
        """The quick end of the band."""
        return self.latency_ms / BAND

    @property
    def high_ms(self) -> float:
        """The slow end of the band."""
        return self.latency_ms * BAND

    def __contains__(self, measured_ms: float) -> bool:
        return self.low_ms <= measured_ms <= self.high_ms

    def __repr__(self) -> str:
        return f"{self.latency_ms:.0f} ms ({self.low_ms:.0f} to {self.high_ms:.0f})"


def line(published: Iterable[Published] = FAMILY) -> tuple[float, float]:
    """Return the fitted line: milliseconds for everything else, and milliseconds a billion MACs.

    Args:
        published: times on one phone.
    """
    import numpy as np

    macs, ms = zip(*((one.macs / 1e9, one.ms) for one in published), strict=True)
    slope, start = np.polyfit(macs, ms, 1)
    return float(start), float(slope)


def estimate(macs: int, device: Device | str) -> Prediction:
    """Predict the latency of an EfficientDet-Lite in int8, four threads.

    Args:
        macs: of one image.
        device: a phone or a single-board computer, its key, or one of `CLOCKS_HZ`.

    Raises:
        ValueError: no MACs, an unknown device, or a microcontroller: see `cost.estimate`.
    """
    if macs <= 0:
        raise ValueError(f"{macs} MACs: count the network first, with `cost.count`")
    start, slope = line()
    return Prediction((start + slope * macs / 1e9) * CLOCKS_HZ["Pixel 4"] / _clock_hz(device))


def _clock_hz(device: Device | str) -> float:
    if isinstance(device, str) and device in CLOCKS_HZ:
        return CLOCKS_HZ[device]
    chosen = get(device) if isinstance(device, str) else device
    if chosen.kind == "microcontroller":
        raise ValueError(
            f"{chosen.name} is no phone or computer: use `cost.estimate`, which knows microcontrollers"
        )
    return chosen.clock_hz


@dataclass(frozen=True, repr=False)
class Comparison:
    """Predictions beside times that the line was not fitted to; prints as a table."""

    published: tuple[Published, ...]

    _HEADER = ("network", "phone", "predicted", "published", "in the band")

    def __repr__(self) -> str:
        return text_table(self._HEADER, self._rows(), (0, 1))

    def _repr_html_(self) -> str:
        return html_table(self._HEADER, self._rows(), (0, 1))

    def _rows(self) -> list[tuple[str, ...]]:
        told = ((one, estimate(one.macs, one.phone)) for one in self.published)
        return [
            (one.network, one.phone, repr(said), f"{one.ms:g} ms", "yes" if one.ms in said else "no")
            for one, said in told
        ]


def compare() -> Comparison:
    """Return predictions beside published times: the family on a newer phone, and other networks."""
    return Comparison(NEWER_PHONE + CLASSIFIERS)
