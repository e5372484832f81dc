"""Face recognition: from a photo to two templates that are compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "embedding",
        "evaluation",
        "lbp",
        "own_faces",
        "simulated_camera",
        "templates",
        "verification",
    ],
)
