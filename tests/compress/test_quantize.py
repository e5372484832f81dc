import pytest
import torch

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import affine, quantize
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


def test_sensitivity_rounds_one_layer_at_a_time():
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    images = datasets.load_fashion().test.take(slice(0, 400))
    names = [name for name, _ in quantize.layers(model)]
    found = quantize.sensitivity(model, 3, images)
    assert list(found) == names
    assert all(drop.n == 400 and drop.low <= drop.value <= drop.high for drop in found.values())
    before = training.accuracy(model, images)
    for name in (names[0], names[-1]):
        alone = quantize.with_rounded_weights(model, 3, only=name)
        pairs = zip(quantize.layers(model), quantize.layers(alone), strict=True)
        changed = [one[0] for one, other in pairs if not torch.equal(one[1].weight, other[1].weight)]
        assert changed == [name]
        assert found[name].value == pytest.approx(training.accuracy(alone, images) - before)
    with pytest.raises(ValueError, match="no layer 'tail': choose one of"):
        quantize.with_rounded_weights(model, 4, only="tail")


def test_stored_tensors_are_all_that_an_int8_network_needs():
    from torch.ao import quantization as tq

    compat.expect_quantization_warnings()
    torch.backends.quantized.engine = "x86"
    model = quantize.fold_batch_norm(models.load_trained("tiny"))
    wrapped = tq.QuantWrapper(model).eval()
    blocks = [name for name, block in wrapped.named_modules() if hasattr(block, "conv")]
    wrapped = tq.fuse_modules(wrapped, [[f"{name}.conv", f"{name}.relu"] for name in blocks])
    wrapped.qconfig = tq.get_default_qconfig("x86")
    prepared = tq.prepare(wrapped)
    prepared(datasets.load_fashion().train.take(slice(0, 64)).tensors()[0])
    converted = tq.convert(prepared)
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
    made = {name: affine.affine(values.min(), values.max(), 16) for name, values in seen.items()}
    with torch.no_grad():
        difference = quantize.with_rounded_activations(model, made)(images) - model(images)
    assert 0 < float(difference.abs().max()) < 1e-2


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
