"""Anomaly detection: from vibration to a firmware that raises an alarm."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["detect", "features", "figures", "firmware", "network", "own_machine"],
)
