"""What a network costs before it runs anywhere: parameters, MACs, bytes, time and energy.

`count` runs a network on shapes alone (PyTorch's meta device): no weights are read, no numbers
are multiplied, so GPT-2 counts as quickly as a toy. `estimate` turns the counts into a latency
and an energy on a device, as a band that says what it rests on.
"""

from tinyml_helpers.cost.counting import Comparison, compare, count
from tinyml_helpers.cost.latency import Estimate, estimate
from tinyml_helpers.cost.model import Activation, LayerCost, ModelCost

__all__ = [
    "Activation",
    "Comparison",
    "Estimate",
    "LayerCost",
    "ModelCost",
    "compare",
    "count",
    "estimate",
]
