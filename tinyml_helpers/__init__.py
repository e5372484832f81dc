"""Helpers of the TinyML course: data, models, compression, deployment and a virtual microcontroller.

Nothing heavy is imported here. Import the module that you need::

    from tinyml_helpers import cost, datasets, devices, models
"""

__version__ = "1.0.0"
