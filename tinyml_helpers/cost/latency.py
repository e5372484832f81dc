"""Latency and energy of a counted network on a device, as a band that says what it rests on.

Cycles on a Cortex-M4F are a sum over the layers that multiply::

    cycles = per_mac * MACs + per_output * outputs + per_weight * weights

Three coefficients, none of them negative, are fitted to four board measurements by least squares on
the relative error (`fit` reproduces them); in each engine one of the last two ends at its bound, 0.
Fitted, the eight cells are met within 19.7 %. Left out of the fit one at a time, with that term kept
at 0, the worst is missed by 40.7 % (reference) and 33.0 % (optimized), both times the one fully
connected network. With all three fitted anew to the three cells that remain, the same network is
missed by 1,425 % and 33.0 %, and one with convolutions by 68.7 % and 42.7 %. The formula is calibrated
on these cells, not validated by them, and says nothing of other kinds of networks. Twelve runs of the
same networks on boards of a later round (`boards.UNSEEN`), of which it knows the clock alone, are met
within 27.1 %.

Other cores: cycles are divided by a speed per clock, measured where someone measured it. CoreMark
alone would be wrong by a factor of six for an optimized engine on a Cortex-M0+, which lacks the
two-products-at-once instructions that such engines live on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml_helpers.cost import boards
from tinyml_helpers.cost.model import ModelCost
from tinyml_helpers.devices import Device, get


@dataclass(frozen=True, repr=False)
class Engine:
    """Cycles that an inference engine spends on a Cortex-M4F."""

    label: str
    per_mac: float
    per_output: float = 0.0
    per_weight: float = 0.0

    def __repr__(self) -> str:
        """The engine and its three coefficients."""
        return (
            f"{self.label}: {self.per_mac:.2f} cycles a MAC, {self.per_output:.0f} an output, "
            f"{self.per_weight:.2f} a weight"
        )

    def cycles(self, cost: ModelCost) -> float:
        """Cycles of one inference on a Cortex-M4F."""
        macs, outputs, weights = features(cost)
        return self.per_mac * macs + self.per_output * outputs + self.per_weight * weights


@dataclass(frozen=True)
class Speed:
    """Speed of a core per clock, Cortex-M4F = 1, and the factor that a band is wide either way."""

    relative: float
    band: float
    basis: str


ENGINES = {
    "optimized": Engine("X-CUBE-AI 9.0", per_mac=1.587, per_weight=0.783),
    "reference": Engine(
        "TensorFlow Lite Micro 2.3.1 with the CMSIS-NN of 2021", per_mac=4.345, per_output=156.9
    ),
}
"""The engines behind the eight cells of `boards.CALIBRATION`.

"reference" means MLPerf Tiny's reference submission, built with CMSIS-NN (mlcommons/tiny #34, #85).
TensorFlow Lite Micro without it is about ten times slower still: 587 against 53 ms in one published
case (mit-han-lab/tinyengine, README).
"""

_FOUR, _ONE, _COREMARK = "4 networks", "1 network", "CoreMark per MHz only"
SPEEDS = {
    ("Cortex-M4F", "optimized"): Speed(1.0, 1.5, _FOUR),
    ("Cortex-M4F", "reference"): Speed(1.0, 1.5, _FOUR),
    ("Cortex-M33", "optimized"): Speed(1.13, 1.5, _FOUR),
    ("Cortex-M7", "optimized"): Speed(1.70, 1.5, _FOUR),
    ("Xtensa LX7", "optimized"): Speed(0.89, 2.0, f"{_ONE}, ESP-NN"),
    ("Cortex-M0+", "reference"): Speed(0.69, 2.0, _ONE),
    ("Cortex-M33", "reference"): Speed(4.02 / 3.40, 2.5, _COREMARK),
    ("Cortex-M7", "reference"): Speed(5.05 / 3.40, 2.5, _COREMARK),
}
"""(core, engine) -> speed. Measured ones: geometric mean of the cells of `boards.OTHER_CORES`."""


@dataclass(frozen=True)
class Estimate:
    """Predicted latency and energy of one inference; prints as a sentence.

    Attributes:
        low_ms: a lucky build: latency divided by the band.
        high_ms: an unlucky one: latency times the band.
        energy_uj: active power times latency; `None` where no active power is stated.
        basis: what the numbers rest on.
    """

    device: str
    engine: str
    latency_ms: float
    low_ms: float
    high_ms: float
    energy_uj: float | None
    basis: str

    def __repr__(self) -> str:
        """The numbers with their band, then the basis."""
        energy = "energy not stated" if self.energy_uj is None else f"{self.energy_uj:,.0f} uJ"
        return (
            f"{self.device}, {self.engine}: {self.latency_ms:,.1f} ms "
            f"({self.low_ms:,.1f} to {self.high_ms:,.1f}), {energy}\n  basis: {self.basis}"
        )


def estimate(cost: ModelCost, device: Device | str, engine: str = "optimized") -> Estimate:
    """Predict latency and energy of one int8 inference.

    Args:
        cost: a network counted for one input.
        device: a device or its key.
        engine: "optimized" (a vendor's engine) or "reference" (MLPerf Tiny's own).

    Raises:
        ValueError: an unknown device or engine, or a core that nobody measured with this engine.
    """
    chosen = get(device) if isinstance(device, str) else device
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}: choose one of {', '.join(ENGINES)}")
    speed = _speed(chosen, engine)
    latency_ms = 1e3 * ENGINES[engine].cycles(cost) / speed.relative / chosen.clock_hz
    energy_uj = None if chosen.active_mw is None else chosen.active_mw * latency_ms
    return Estimate(
        chosen.name,
        engine,
        latency_ms,
        latency_ms / speed.band,
        latency_ms * speed.band,
        energy_uj,
        _basis(chosen, engine, speed),
    )


def features(cost: ModelCost) -> tuple[int, int, int]:
    """MACs, outputs and weights of the layers that multiply."""
    layers = [layer for layer in cost.layers if layer.macs]
    outputs = sum(layer.outputs for layer in layers)
    return cost.macs, outputs, sum(layer.params for layer in layers)


def calibration_rows(
    costs: Mapping[str, ModelCost], engine: str
) -> tuple[list[tuple[int, int, int]], list[float]]:
    """Features and measured cycles of an engine's four cells in `boards.CALIBRATION`.

    Args:
        costs: task -> counted network.
        engine: a key of `ENGINES`.
    """
    runs = [run for run in boards.CALIBRATION if run.engine == engine]
    cycles = [1e-3 * run.latency_ms * run.clock_hz for run in runs]
    return [features(costs[run.task]) for run in runs], cycles


def fit(rows: Sequence[Sequence[float]], cycles: Sequence[float]) -> tuple[float, ...]:
    """Coefficients of at least 0 that minimise the squared relative error of `rows @ them`.

    Args:
        rows: one row of features a measurement.
        cycles: what was measured.
    """
    import numpy as np
    from scipy.optimize import nnls

    scaled = np.asarray(rows, dtype=float) / np.asarray(cycles, dtype=float)[:, None]
    return tuple(float(value) for value in nnls(scaled, np.ones(len(cycles)))[0])


def leave_one_out_errors(
    costs: Mapping[str, ModelCost], engine: str, *, anew: bool = False
) -> dict[str, float]:
    """Error in percent of each task when it is predicted from the other three.

    Args:
        costs: task -> counted network.
        engine: a key of `ENGINES`.
        anew: fit all three coefficients to the three; else the term that is 0 in the full fit, which
            has seen all four, stays 0.
    """
    known = ENGINES[engine]
    used = [i for i, x in enumerate((known.per_mac, known.per_output, known.per_weight)) if x or anew]
    rows, cycles = calibration_rows(costs, engine)
    chosen = [[row[i] for i in used] for row in rows]
    errors = []
    for out, row in enumerate(chosen):
        found = fit(chosen[:out] + chosen[out + 1 :], cycles[:out] + cycles[out + 1 :])
        guess = sum(a * b for a, b in zip(row, found, strict=True))
        errors.append(100 * (guess / cycles[out] - 1))
    tasks = [run.task for run in boards.CALIBRATION if run.engine == engine]
    return dict(zip(tasks, errors, strict=True))


def _basis(device: Device, engine: str, speed: Speed) -> str:
    core = f" and to the {device.core} ({speed.basis})" if device.core != "Cortex-M4F" else ""
    return (
        f"{ENGINES[engine].label} on a Cortex-M4F ({_FOUR}, 120 MHz), "
        f"scaled to {device.clock_hz / 1e6:.0f} MHz{core}"
    )


def _speed(device: Device, engine: str) -> Speed:
    speed = SPEEDS.get((device.core, engine))
    if speed is None:
        known = sorted({core for core, name in SPEEDS if name == engine})
        others = [name for core, name in SPEEDS if core == device.core]
        cure = f"use engine={others[0]!r}" if others else "measure it on the device"
        raise ValueError(
            f"no basis to estimate the {engine} engine on {device.name} ({device.core}): "
            f"measured are {', '.join(known)}; {cure}"
        )
    return speed
