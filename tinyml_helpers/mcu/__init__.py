"""The virtual microcontroller: compile C for a Cortex-M core, run it here, measure it.

Two steps::

    image = toolchain.compile(source, core="cortex-m4")
    run = emulator.run(image, inputs={"pixels": pixels}, outputs={"scores": "int8"})
"""
