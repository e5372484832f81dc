import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import quantize
from tinyml_helpers.system import compat

WHOLE = {"per_channel": False}


def test_folding_batch_norm_keeps_the_function_and_the_original():
    model = models.load_trained("small")
    images, _ = datasets.load_fashion().test.take(slice(0, 50)).tensors()
    folded = quantize.fold_batch_norm(model)
    torch.testing.assert_close(folded(images), model(images), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())


def test_rounded_weights_take_no_more_values_than_the_bits_allow():
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    for bits in (1, 2, 4):
        for _, layer in quantize.layers(quantize.with_rounded_weights(model, bits)):
            for channel in layer.weight.flatten(1):
                assert len(channel.unique()) <= 2**bits


def test_weights_have_a_scale_per_channel_unless_one_per_layer_is_asked_for():
    layer = torch.nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[7.0, 3.4], [0.07, 0.034]])
    model = torch.nn.Sequential(layer)
    usual, one = (quantize.with_rounded_weights(model, 4, **how)[0].weight for how in ({}, WHOLE))
    # Steps of 1 and of 0.01; with one scale for both, all of the second channel is below half a step.
    assert usual.flatten().tolist() == pytest.approx([7, 3, 0.07, 0.03])
    assert one.flatten().tolist() == pytest.approx([7, 3, 0, 0])


def test_a_layer_may_have_bits_of_its_own_and_one_that_is_not_named_stays():
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    names = [name for name, _ in quantize.layers(model)]
    bits = {names[0]: 3, names[-1]: 5}
    mixed = quantize.with_rounded_weights(model, bits)
    for name, layer in quantize.layers(mixed):
        whole = quantize.with_rounded_weights(model, bits[name]) if name in bits else model
        assert torch.equal(layer.weight, whole.get_submodule(name).weight)
    with pytest.raises(ValueError, match=r"no layer tail: choose of stem\.conv, "):
        quantize.with_rounded_weights(model, {"tail": 4})


def chain(draw):
    """A 3x3, a depthwise, a 1x1 convolution and a dense layer, whose channels differ a lot."""
    inputs, channels, outputs = (draw(st.integers(1, 5)) for _ in range(3))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    model = torch.nn.Sequential(
        torch.nn.Conv2d(inputs, channels, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        torch.nn.ReLU(),
        torch.nn.Conv2d(channels, outputs, 1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(outputs, 3),
    )
    for _, layer in quantize.layers(model):
        spread = torch.exp(2 * torch.randn(len(layer.weight)))
        layer.weight.data *= spread.reshape((-1,) + (1,) * (layer.weight.ndim - 1))
        layer.bias.data *= spread
        if draw(st.booleans()):
            layer.weight.data[0] = 0  # a channel that is dead
    return model.eval(), torch.randn(4, inputs, 6, 6)


def largest(weight, axis):
    """The largest magnitude of each output (axis 0) or input (axis 1) of a layer."""
    others = [one for one in range(weight.ndim) if one != axis]
    return np.abs(weight.detach().numpy()).max(tuple(others))


@settings(deadline=None, max_examples=40)
@given(st.composite(chain)())
def test_equalizing_changes_no_output_and_makes_neighbours_alike(case):
    model, images = case
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    equal = quantize.equalize(model)
    wanted = model(images)
    torch.testing.assert_close(
        equal(images), wanted, rtol=1e-4, atol=1e-4 * max(1.0, float(wanted.detach().abs().max()))
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    first, depthwise, pointwise, dense = (layer.weight for _, layer in quantize.layers(equal))
    for made, read in (
        (largest(first, 0), largest(depthwise, 0)),
        (largest(depthwise, 0), largest(pointwise, 1)),
        (largest(pointwise, 0), largest(dense, 1)),
    ):
        alive = (made > 0) & (read > 0)
        np.testing.assert_allclose(made[alive], read[alive], rtol=0.05)


def test_equalizing_two_layers_by_hand():
    model = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    for layer, weight, bias in (
        (model[0], [[8.0], [-1.0]], [4.0, 2.0]),
        (model[2], [[2.0, 4.0]], [1.0]),
    ):
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
    equal = quantize.equalize(model)
    # 8 and 2 meet at 4, -1 and 4 at 2; each bias moves with its row, and the last one stays.
    assert equal[0].weight.tolist() == [[4.0], [-2.0]]
    assert equal[0].bias.tolist() == [2.0, 4.0]
    assert equal[2].weight.tolist() == [[4.0, 2.0]]
    assert equal[2].bias.tolist() == [1.0]


def test_equalizing_saves_a_network_that_one_scale_ruins():
    model = quantize.fold_batch_norm(models.load_trained("small"))
    images = datasets.load_fashion().test.take(slice(0, 1000))
    ruined, saved = (
        training.accuracy(quantize.with_rounded_weights(one, 6, **WHOLE), images)
        for one in (model, quantize.equalize(model))
    )
    assert ruined < 70
    assert saved > training.accuracy(model, images) - 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (models.build("small"), "stem.bn is a BatchNorm2d"),
        (quantize.fold_batch_norm(models.build("large")), "blocks.0 is a Residual"),
        (torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU6()), "1 is a ReLU6"),
    ],
)
def test_what_does_not_let_factors_through_is_not_equalized(wrong, named):
    with pytest.raises(ValueError, match=f"{named}: give a chain"):
        quantize.equalize(wrong)


def test_stored_tensors_are_all_that_an_int8_network_needs():
    compat.expect_quantization_warnings()
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    images = datasets.load_fashion().train.take(slice(0, 64)).tensors()[0]
    converted = quantize.convert_eagerly(model, images, "x86")
    assert torch.backends.quantized.engine == "x86"
    stored = quantize.extract_tensors(converted)
    weights = {name: t for name, t in stored.items() if name.endswith(".weight")}
    assert sum(t.numel() for t in weights.values()) == sum(
        layer.weight.numel() for _, layer in quantize.layers(model)
    )
    assert all(t.dtype == torch.int8 for t in weights.values())
    assert training.accuracy(converted, datasets.load_fashion().test.take(slice(0, 500))) > 80


def test_rounding_activations_with_fine_steps_changes_next_to_nothing():
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    images, _ = datasets.load_fashion().train.take(slice(0, 64)).tensors()
    seen = quantize.observe(model, images)
    assert list(seen)[-1] == "head"
    assert all(not module._forward_hooks for module in model.modules())
    fine, coarse = (quantize.with_rounded_activations(model, seen, "min-max", bits) for bits in (16, 3))
    with torch.no_grad():
        assert 0 < float((fine(images) - model(images)).abs().max()) < 1e-2
        assert len(coarse(images).unique()) <= 2**3


def test_activations_are_rounded_over_the_range_that_was_seen():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False))
    model[0].weight.data = torch.ones(1, 1)
    rounded = quantize.with_rounded_activations(model, {"0": torch.tensor([0.0, 3.0])}, "min-max", 2)
    # Steps of 1 from 0 to 3: what lies outside is clipped.
    assert rounded(torch.tensor([[-1.0], [0.4], [1.6], [7.0]])).flatten().tolist() == [0, 0, 2, 3]


def test_bytes_by_part_add_up_to_the_file(tmp_path):
    from safetensors.torch import save_file

    tensors = {
        "a.weight": torch.zeros(4, 3, dtype=torch.int8),
        "a.weight_scale": torch.zeros(4),
        "a.bias": torch.zeros(4),
        "a.zero_point": torch.zeros((), dtype=torch.uint8),
    }
    parts = quantize.bytes_by_part(tensors)
    assert parts | {"header": 0} == {
        "weights": 12,
        "biases": 16,
        "scales": 16,
        "zero points": 1,
        "header": 0,
    }
    save_file(tensors, tmp_path / "file")
    assert sum(parts.values()) == (tmp_path / "file").stat().st_size
    with pytest.raises(ValueError, match=r"cannot tell what 'a\.mean' is"):
        quantize.bytes_by_part({"a.mean": torch.zeros(1)})
