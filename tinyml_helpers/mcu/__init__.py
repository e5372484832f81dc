"""The virtual microcontroller: an int8 network as C on a Cortex-M core, run here and measured.

    firmware = mcu.build("model.tflite", device="nano33ble")
    run = firmware.run(x)

The steps are there by themselves as well: `graph` reads a .tflite, `codegen` writes C, `toolchain`
compiles it, `emulator` runs it.
"""

from tinyml_helpers.mcu.chain import Chain
from tinyml_helpers.mcu.firmware import Firmware, build
from tinyml_helpers.mcu.graph import GraphError
from tinyml_helpers.mcu.linking import DoesNotFitError
from tinyml_helpers.mcu.lowering import UnsupportedError

__all__ = ["Chain", "DoesNotFitError", "Firmware", "GraphError", "UnsupportedError", "build"]
