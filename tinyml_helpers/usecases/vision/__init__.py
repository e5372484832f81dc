"""Photos and boxes: what detection and faces share."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["boxes", "letterbox"],
)
