"""Files of LiteRT, once TensorFlow Lite: reading, running, and what is in them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "comparison",
        "figures",
        "flatbuffer",
        "footprint",
        "graph",
        "int8_annotations",
        "interpreter",
        "options",
        "probe",
        "pt2e",
        "reader",
        "sizes",
        "tflm",
        "writer",
    ],
)
