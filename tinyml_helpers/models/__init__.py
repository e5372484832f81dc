"""The networks of the course, and their trained weights."""

from tinyml_helpers.models import mlperf
from tinyml_helpers.models.spine import (
    CLASSES,
    NAMES,
    Residual,
    build,
    classifier,
    conv_bn,
    load_trained,
    separable,
)

__all__ = [
    "CLASSES",
    "NAMES",
    "Residual",
    "build",
    "classifier",
    "conv_bn",
    "load_trained",
    "mlperf",
    "separable",
]
