"""Latency of a detector on a phone or a single-board computer, from times published for one family.

EfficientDet-Lite0 to Lite3 in int8, four threads on the CPU of a Pixel 4: a straight line in their MACs
meets all four within 5 %. It is scaled by the clock. Processors differ in more than that, and the
band is a judgement: 1.5 either way.

Source: TensorFlow Lite Model Maker, object detection, ai.google.dev/edge/litert/libraries/modify/
object_detection; the Pixel 4's fastest core is a Cortex-A76 at 2.84 GHz (its published specifications).
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml_helpers.devices import Device, get

PUBLISHED_MS = {973_589_696: 37.0, 1_966_649_904: 49.0, 3_371_304_384: 69.0, 7_480_187_904: 116.0}
"""MACs -> milliseconds on the Pixel 4."""
CLOCK_HZ = 2.84e9
BAND = 1.5


@dataclass(frozen=True, repr=False)
class Prediction:
    """Predicted latency of one image, and the band around it; prints as such."""

    device: str
    latency_ms: float

    @property
    def low_ms(self) -> float:
        """The quick end of the band."""
        return self.latency_ms / BAND

    @property
    def high_ms(self) -> float:
        """The slow end of the band."""
        return self.latency_ms * BAND

    def __repr__(self) -> str:
        return f"{self.latency_ms:.0f} ms ({self.low_ms:.0f} to {self.high_ms:.0f})"


def line() -> tuple[float, float]:
    """Return the fitted line: milliseconds for everything else, and milliseconds a billion MACs."""
    import numpy as np

    slope, start = np.polyfit([macs / 1e9 for macs in PUBLISHED_MS], list(PUBLISHED_MS.values()), 1)
    return float(start), float(slope)


def estimate(macs: int, device: Device | str) -> Prediction:
    """Predict the latency of an int8 detector on a phone or a single-board computer, four threads.

    Args:
        macs: of one image.
        device: a device or its key.

    Raises:
        ValueError: no MACs, an unknown device, or a microcontroller: see `cost.estimate`.
    """
    chosen = get(device) if isinstance(device, str) else device
    if macs <= 0:
        raise ValueError(f"{macs} MACs: count the network first, with `cost.count`")
    if chosen.kind == "microcontroller":
        raise ValueError(
            f"{chosen.name} is no phone or computer: use `cost.estimate`, which knows microcontrollers"
        )
    start, slope = line()
    return Prediction(chosen.name, (start + slope * macs / 1e9) * CLOCK_HZ / chosen.clock_hz)
