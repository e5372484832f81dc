"""The same C in a page: networks that see and hear in a browser, without a server and without Python."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "cli",
        "gestures",
        "keywords",
        "kinds",
        "own_words",
        "page",
        "pictures",
        "shipped",
        "vibration",
    ],
)
