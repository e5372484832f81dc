"""Keyword spotting: from a clip to a firmware that listens."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "augment",
        "detector",
        "features",
        "figures",
        "firmware",
        "fixed_fft",
        "micro_frontend",
        "mix",
        "network",
        "own_words",
        "pcan",
        "streaming",
        "train",
        "voices",
    ],
)
