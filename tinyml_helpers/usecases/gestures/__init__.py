"""Gestures: from the movement of a wrist to a firmware that names it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "augment",
        "features",
        "figures",
        "firmware",
        "network",
        "personalize",
        "random_forest",
        "stream",
        "train",
        "vote",
    ],
)
