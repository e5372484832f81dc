"""ONNX: export, sessions, and what is in a file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["export", "figures", "graph", "legacy_export", "probe", "profile", "session", "sizes"],
)
