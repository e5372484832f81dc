"""Object detection: boxes of a phone's network, and places of a microcontroller's."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "average_precision",
        "decode",
        "efficientdet",
        "figures",
        "firmware",
        "grid",
        "matches",
        "mobilenet",
        "network",
        "phone_latency",
        "requantize",
        "spread",
        "ssd",
        "train",
    ],
)
