import pytest
import torch

from tinyml_helpers import datasets, models

# Most parameters, and least accuracy in percent on the 10,000 test images.
PROMISES = {"large": (600_000, 93.5), "small": (50_000, 92.5), "tiny": (10_000, 91.0)}


@pytest.mark.parametrize("name", models.NAMES)
def test_trained_networks_keep_their_promise(name):
    model = models.load_trained(name)
    most, least = PROMISES[name]
    assert sum(p.numel() for p in model.parameters()) <= most
    # test_headlines runs the network, and holds it to this figure.
    assert datasets.read_json("models/spine.json")[name]["test_accuracy_percent"] >= least
    assert not model.training


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("width", [0.01, 0.5, 1.0, 1.7])
def test_any_width_maps_images_to_ten_logits(name, width):
    assert models.build(name, width).eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_unknown_names_and_widths_are_refused():
    with pytest.raises(ValueError, match="unknown model 'medium': choose one of large, small, tiny"):
        models.build("medium")
    with pytest.raises(ValueError, match="width 0 leaves no channels"):
        models.build("small", 0)


def test_an_unknown_variant_is_refused_and_the_choices_are_named():
    with pytest.raises(datasets.DataError, match=r"small-frozen.*choose one of .*models/small"):
        models.load_trained("small", "frozen")


def test_a_damaged_network_is_never_used(copied_data):
    path = copied_data / "models" / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    with pytest.raises(datasets.DataError, match=r"models/tiny\.safetensors is damaged"):
        models.load_trained("tiny")


def test_depthwise_separable_parameters_by_hand():
    block = models.separable(16, 32)
    # 16 filters of 3x3, 16x32 of 1x1, and two numbers a channel for each batch norm.
    assert sum(p.numel() for p in block.parameters()) == 16 * 9 + 16 * 32 + 2 * 16 + 2 * 32
