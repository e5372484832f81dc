"""Pruning by masks: which weights go, when they go, and how many bytes that saves.

Channels that are removed for real are in `compress.channels`.
"""

from tinyml_helpers.compress.prune.counting import (
    FORMATS,
    LayerSparsity,
    Sparsity,
    sparsity,
    stored_bytes,
    weights,
)
from tinyml_helpers.compress.prune.masks import (
    cubic_share,
    half_of_blocks,
    make_permanent,
    mask_weights,
    schedule,
    two_of_four,
)

__all__ = [
    "FORMATS",
    "LayerSparsity",
    "Sparsity",
    "cubic_share",
    "half_of_blocks",
    "make_permanent",
    "mask_weights",
    "schedule",
    "sparsity",
    "stored_bytes",
    "two_of_four",
    "weights",
]
