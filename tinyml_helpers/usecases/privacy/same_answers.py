"""Whether a network answers the same without a network: a digest of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tinyml_helpers.deploy import litert


def digest(files: Iterable[str | Path], seed: int = 0) -> dict[str, str]:
    """Run .tflite files on seeded noise: name -> first 12 digits of the SHA-256 of what they answer."""
    said = {}
    for file in map(Path, files):
        model, draw = litert.load(file, "reference"), np.random.default_rng(seed)
        noise = draw.normal(size=model.input.shape)
        kind = np.dtype(model.input.dtype)
        raw = (noise if kind.kind == "f" else 40 * noise).astype(kind)
        said[file.stem] = hashlib.sha256(np.ascontiguousarray(model.run(raw)).tobytes()).hexdigest()[:12]
    return said
