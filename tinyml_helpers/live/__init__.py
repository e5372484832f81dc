"""The same C in a page: networks that see and hear in a browser. And a page that records your words."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "cli", "gestures", "keywords", "kinds", "own_model", "own_words", "page", "pictures",
        "recorder", "shipped", "takes", "vibration",
    ],
)  # fmt: skip
