"""ONNX: export, sessions, what is in a file, and one in QDQ form as a .tflite."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "activations", "draft", "export", "figures", "graph", "legacy_export", "moves", "probe",
        "profile", "qdq", "session", "sizes", "to_tflite", "translation", "weighted", "windows",
    ],
)  # fmt: skip
