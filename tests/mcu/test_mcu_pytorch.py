"""Networks of PyTorch as people write them go to the chip whole: no float between int8 layers."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from tinyml_helpers import mcu
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite import pt2e


def block(channels, act, groups=1, kernel=3):
    convolution = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), act())


class Residual(nn.Module):
    def __init__(self, act, gate=None):
        super().__init__()
        self.inner = nn.Sequential(block(8, act, groups=8), nn.Conv2d(8, 8, 1))
        self.act = act()
        self.gate = gate and nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), gate())

    def forward(self, x):
        y = self.inner(x)
        return self.act(x + (y * self.gate(y) if self.gate else y))


class Around(nn.Module):
    """Half the size and back, then added to what came in."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        return x + f.interpolate(f.avg_pool2d(x, 2), scale_factor=2, mode=self.mode)


def network(*middle):
    head = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 6 * 6, 16), nn.ReLU(), nn.Linear(16, 5)]
    return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), *middle, *head)


NETWORKS = {
    "chain": lambda: network(nn.ReLU()),
    "residual, ReLU": lambda: network(Residual(nn.ReLU), Residual(nn.ReLU)),
    "residual, ReLU6": lambda: network(block(8, nn.ReLU6), Residual(nn.ReLU6)),
    "hard swish": lambda: network(Residual(nn.Hardswish)),
    "SiLU": lambda: network(Residual(nn.SiLU)),
    "leaky ReLU, gate": lambda: network(Residual(lambda: nn.LeakyReLU(0.1), nn.Sigmoid)),
    "GELU": lambda: network(Residual(nn.GELU)),
    "ELU": lambda: network(Residual(nn.ELU)),
    "ELU of another alpha": lambda: network(Residual(lambda: nn.ELU(0.5))),
    "PReLU": lambda: network(Residual(nn.PReLU)),
    "SELU": lambda: network(Residual(nn.SELU)),
    "CELU": lambda: network(Residual(nn.CELU)),
    "softplus": lambda: network(Residual(nn.Softplus)),
    "hard gate": lambda: network(Residual(nn.ReLU, nn.Hardsigmoid)),
    "up by neighbours": lambda: network(Around("nearest")),
    "up by lines": lambda: network(Around("bilinear")),
    "softmax": lambda: nn.Sequential(network(Residual(nn.ReLU)), nn.Softmax(1)),
}
ISLANDS = {"ELU", "ELU of another alpha", "PReLU", "SELU", "CELU", "softplus"}
"""What the converter leaves in float between int8 tensors: the engine makes tables of it."""


@pytest.fixture(scope="module")
def images():
    return torch.randn(96, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def trained(make, images):
    """A network whose batch norms know what comes; its weights are random, which is harder."""
    torch.manual_seed(1)
    made = make().train()
    made(images)
    return made.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_stays_int8_from_end_to_end_and_runs_exactly(name, images):
    made = trained(NETWORKS[name], images)
    file = litert.from_torch(made, images[:1], representative=images)
    assert ("DEQUANTIZE" in litert.inspect(file).operators) == (name in ISLANDS)
    reference, raw = litert.load(file, "reference"), np.zeros((4, 1, 24, 24), np.int8)
    raw[1:] = np.random.default_rng(2).integers(-128, 128, (3, 1, 24, 24))
    firmware = mcu.build(file, "nano33ble")
    ours = np.concatenate([firmware.run(one[None]).output.reshape(1, -1) for one in raw])
    np.testing.assert_array_equal(ours, reference.run(raw).reshape(ours.shape))
    with torch.no_grad():
        right = made(images[:32]).numpy()
    off = np.abs(reference.predict(images[:32].numpy()) - right).max() / np.ptp(right)
    assert off < 0.06  # a step is 1/256 of what comes out; errors of some ten layers add up


def test_the_residual_sums_of_the_spine_are_int8_too():
    from tinyml_helpers import datasets, models

    images = datasets.load_fashion().train.tensors()[0][:128]
    file = litert.from_torch(models.load_trained("large"), images[:1], representative=images)
    found = litert.inspect(file).operators
    assert found["ADD"] == 3
    assert "DEQUANTIZE" not in found


def slopes():
    """A PReLU with a slope for each channel."""
    made = nn.PReLU(8)
    nn.init.uniform_(made.weight, -0.2, 0.5)
    return made


@pytest.mark.parametrize(("act", "said"), [(slopes, "RELU .*of PyTorch's PReLU, one slope"),
                                           (nn.Mish, "TANH .*put another function there")])  # fmt: skip
def test_what_has_no_table_is_refused_by_name_and_with_a_cure(act, said, images):
    file = litert.from_torch(trained(lambda: network(act()), images), images[:1], representative=images)
    with pytest.raises(mcu.UnsupportedError, match=said):
        mcu.build(file, "nano33ble")


def test_without_our_marks_the_sums_stay_in_float(images, monkeypatch):
    monkeypatch.setattr(pt2e.int8_annotations, "annotate", lambda graph, config: None)
    made = trained(NETWORKS["hard swish"], images)
    file = litert.from_torch(made, images[:1], representative=images)
    with pytest.raises(mcu.UnsupportedError, match=r"ADD .* is float32"):
        mcu.build(file, "nano33ble")


def test_one_image_is_no_calibration(images):
    with pytest.raises(ValueError, match="some hundred training images"):
        litert.from_torch(network().eval(), images[:1], representative=images[:1])
