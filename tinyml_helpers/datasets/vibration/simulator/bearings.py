"""Rolling bearings: from their geometry to the frequencies of their faults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Bearing:
    """A rolling bearing whose outer race stands still while its inner race turns with the shaft.

    Args:
        name: the maker's.
        balls: how many rolling elements.
        ball_mm: their diameter.
        pitch_mm: diameter of the circle on which their centres run.
        contact_degrees: angle between the load and the plane of that circle.
    """

    name: str
    balls: int
    ball_mm: float
    pitch_mm: float
    contact_degrees: float = 0.0

    def __post_init__(self) -> None:
        if self.balls < 1 or not 0 < self.ball_mm < self.pitch_mm:
            raise ValueError(
                f"{self.balls} balls of {self.ball_mm} mm on a circle of {self.pitch_mm} mm "
                "cannot be: give at least one ball, smaller than the circle"
            )

    @cached_property
    def orders(self) -> dict[str, float]:
        """Fault -> blows for each turn of the shaft; "cage" -> turns of the cage.

        With g = ball / pitch * cos(contact)::

            cage (FTF)          (1 - g) / 2
            outer race (BPFO)   balls (1 - g) / 2
            inner race (BPFI)   balls (1 + g) / 2
            ball (2 BSF)        pitch / ball (1 - g^2): a pit strikes both races in a turn of the ball

        Source: Randall and Antoni, Mechanical Systems and Signal Processing 25, 2011, eqs. 1 to 4.
        """
        g = self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_degrees))
        return {
            "cage": (1 - g) / 2,
            "outer race": self.balls * (1 - g) / 2,
            "inner race": self.balls * (1 + g) / 2,
            "ball": self.pitch_mm / self.ball_mm * (1 - g * g),
        }

    def rates_hz(self, shaft_hz: float) -> dict[str, float]:
        """Fault -> blows a second, at `shaft_hz` turns of the shaft a second."""
        return {fault: order * shaft_hz for fault, order in self.orders.items()}


_INCH = 25.4
BEARINGS = (
    Bearing("6205-2RS", 9, 0.3126 * _INCH, 1.537 * _INCH),
    Bearing("6203-2RS", 8, 0.2656 * _INCH, 1.122 * _INCH),
    Bearing("ZA-2115", 16, 0.331 * _INCH, 2.815 * _INCH, 15.17),
)
"""Geometries as published with two well-known sets of recordings.

The first two are the drive end and the fan end of the Case Western Reserve University test rig, the
third is that of the IMS test rig (University of Cincinnati, NASA prognostics repository).
"""
