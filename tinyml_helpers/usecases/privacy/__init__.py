"""What leaks from a device, and what is learned on it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "cloud",
        "defences",
        "dp_training",
        "flash_dump",
        "isolation",
        "last_layer",
        "membership_inference",
        "on_device_learning",
        "personal_gain",
        "same_answers",
        "signing",
    ],
)
