"""The virtual microcontroller: an int8 network as C on a Cortex-M or RISC-V core, run here and measured.

    firmware = mcu.build("model.tflite", device="nano33ble")
    run = firmware.run(x)

The steps are there by themselves as well: `compiler.graph` reads a .tflite, `compiler.codegen` writes
C, `target.toolchain` compiles it, `target.emulator` runs it. README.md beside this file is the map.
"""

from tinyml_helpers.mcu.compiler.graph import GraphError
from tinyml_helpers.mcu.compiler.lowering import UnsupportedError
from tinyml_helpers.mcu.firmware import Firmware, build
from tinyml_helpers.mcu.linking import DoesNotFitError
from tinyml_helpers.mcu.pipeline import Pipeline

__all__ = ["DoesNotFitError", "Firmware", "GraphError", "Pipeline", "UnsupportedError", "build"]
