"""The grid that the microcontroller's detector looks through: what its network, C and page agree on."""

from tinyml_helpers.datasets.images.scenes import SIDE

STRIDE = 8
"""Pixels from one cell to the next."""
CELLS = (SIDE + STRIDE - 1) // STRIDE
"""Cells along a side: 13."""
ANCHOR = 28.0
"""Side of the one anchor of each cell, pixels: a middling object."""
CODES = 4
"""Numbers of a box, before the logits of the classes."""
