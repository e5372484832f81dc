"""Fake quantization by hand, by PyTorch and by property; what prepare, freeze and assemble promise."""

import copy
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load
from torch.ao import quantization as tq

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import affine, qat, quantize
from tinyml_helpers.course import scoreboard
from tinyml_helpers.system import compat

values = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20).map(torch.tensor)
scales = st.floats(2**-10, 10, width=32).map(torch.tensor)
tops = st.integers(2, 8).map(lambda bits: 2 ** (bits - 1) - 1)


def rounded(x, scale, top):
    return qat.StraightThrough.apply(x, scale, -top, top)


def fashion(count=64):
    return datasets.load_fashion().train.take(slice(0, count))


@pytest.fixture(autouse=True)
def _quiet():
    compat.expect_quantization_warnings()


@pytest.fixture
def tiny():
    return models.load_trained("tiny")


@given(values, scales, tops)
@settings(deadline=None)
def test_fake_quantization_is_idempotent_and_monotone(x, scale, top):
    once = rounded(x, scale, top)
    assert torch.equal(rounded(once, scale, top), once)
    order = x.argsort()
    assert (once[order].diff() >= 0).all()


@given(values, scales, tops)
@settings(deadline=None)
def test_values_and_gradients_equal_pytorch_to_the_last_bit(x, scale, top):
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    a = rounded(ours, scale, top)
    b = torch.fake_quantize_per_tensor_affine(theirs, scale, torch.tensor(0).int(), -top, top)
    a.sum().backward()
    b.sum().backward()
    assert torch.equal(a, b)
    assert torch.equal(ours.grad, theirs.grad)


def test_values_and_gradients_worked_out_by_hand():
    x = torch.tensor([-2.0, -1.6, 0.1, 0.3, 1.7, 1.9], requires_grad=True)
    result = rounded(x, torch.tensor(0.5), 3)
    assert result.tolist() == [-1.5, -1.5, 0, 0.5, 1.5, 1.5]
    (result * torch.arange(1.0, 7)).sum().backward()
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 0]


def test_a_zero_point_shifts_the_range():
    part = qat.prepare(models.build("tiny"), 4, 3).head.activation_post_process
    part(torch.tensor([-0.5, 1.25]))  # seven steps of 0.25, zero at the second
    part.disable_observer()
    x = torch.tensor([-0.7, -0.6, 0.0, 1.3, 1.4], requires_grad=True)
    result = part(x)
    assert result.tolist() == [-0.5, -0.5, 0, 1.25, 1.25]
    result.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_the_quantizer_of_weights_agrees_with_pytorch_and_with_affine():
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))
    ours = qat.prepare(models.build("tiny"), 4).head.weight_fake_quant
    theirs = tq.FakeQuantize(
        tq.MovingAveragePerChannelMinMaxObserver, quant_min=-7, quant_max=7, dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
    )  # fmt: skip
    assert torch.equal(ours(weight), theirs(weight))
    assert torch.equal(ours.scale, theirs.scale)
    made = affine.weight_affine(weight, 4)
    torch.testing.assert_close(ours.scale.squeeze(), made.scale)
    torch.testing.assert_close(ours(weight), made.round_trip(weight))


def test_the_quantizer_of_activations_agrees_with_pytorch():
    part = qat.prepare(models.build("tiny"), 4, 8).pool.activation_post_process
    theirs = tq.FakeQuantize(tq.MovingAverageMinMaxObserver, quant_min=0, quant_max=255)
    for seed in range(3):
        batch = torch.rand(40, generator=torch.Generator().manual_seed(seed)) * (seed + 1)
        assert torch.equal(part(batch), theirs(batch))
    assert torch.equal(part.scale, theirs.scale)


@pytest.mark.parametrize("name", models.NAMES)
def test_all_that_flows_between_layers_takes_few_values(name):
    prepared = qat.prepare(models.load_trained(name), 4, 4)
    seen = []
    for module in prepared.modules():
        is_layer = hasattr(module, "weight_fake_quant")
        if is_layer or isinstance(module, torch.nn.ReLU | torch.nn.AdaptiveAvgPool2d):
            module.register_forward_hook(lambda _m, _i, output: seen.append(output.unique().numel()))
    qat.calibrate(prepared, fashion().tensors()[0])
    places = {"tiny": 11, "small": 13, "large": 14}
    assert len(seen) == places[name]
    assert max(seen) <= 16


def test_sixteen_bits_change_next_to_nothing_and_the_model_nothing_at_all(tiny):
    images = fashion().tensors()[0]
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    prepared = qat.calibrate(qat.prepare(tiny, 16, 16), images)
    with torch.no_grad():
        torch.testing.assert_close(prepared(images), tiny(images), rtol=1e-2, atol=1e-2)
    assert not tiny.training
    assert all(torch.equal(before[name], tensor) for name, tensor in tiny.state_dict().items())


def activation_state(prepared):
    """Ranges of activations and batch-norm statistics."""
    return {
        name: tensor.clone()
        for name, tensor in prepared.state_dict().items()
        if "weight_fake_quant" not in name
        and any(kind in name for kind in ("activation_post_process", "running_", "num_batches"))
    }


def test_frozen_means_that_a_training_step_changes_no_range_and_no_statistic(tiny):
    prepared = qat.prepare(tiny, 4)
    training.fit(prepared, fashion(128), epochs=1, batch_size=64)
    before = activation_state(prepared)
    weight = prepared.stem.conv.weight.detach().clone()
    training.fit(prepared, fashion(128), epochs=1, batch_size=64)
    assert any(not torch.equal(before[n], t) for n, t in activation_state(prepared).items())
    before = activation_state(qat.freeze(prepared))
    training.fit(prepared, fashion(128), epochs=1, batch_size=64)
    assert all(torch.equal(before[n], t) for n, t in activation_state(prepared).items())
    assert not torch.equal(weight, prepared.stem.conv.weight)
    images = fashion().tensors()[0]
    with torch.no_grad():
        assert torch.equal(prepared.train()(images), prepared.eval()(images))


def test_the_range_of_a_weight_follows_it_when_frozen(tiny):
    prepared = qat.calibrate(qat.prepare(tiny, 4), fashion().tensors()[0])
    with torch.no_grad():
        prepared.head.weight *= 3
    before = prepared.head.weight_fake_quant.scale.clone()
    prepared(fashion().tensors()[0])
    torch.testing.assert_close(prepared.head.weight_fake_quant.scale, 3 * before)


@pytest.mark.parametrize("name", models.NAMES)
def test_what_is_stored_computes_the_same(name):
    model, images = models.load_trained(name), fashion().tensors()[0]
    prepared = qat.calibrate(qat.prepare(model, 4), images)
    stored = qat.export_tensors(prepared)
    weights = {n: t for n, t in stored.items() if n.endswith(".weight")}
    assert {t.dtype for t in weights.values()} == {torch.int8}
    assert all(t.abs().max() <= 7 for t in weights.values())
    shapes = {n: layer.weight.shape for n, layer in quantize.layers(model)}
    assert {n.removesuffix(".weight"): t.shape for n, t in weights.items()} == shapes
    with torch.no_grad():
        result, expected = qat.assemble(models.build(name), stored)(images), prepared(images)
    # One activation may round the other way where sums differ in their last bit.
    assert (result - expected).abs().mean() < 0.02 * expected.std()
    assert quantize.bytes_by_part(stored)["weights"] == sum(t.numel() for t in weights.values())


def test_storing_leaves_the_network_as_it_was(tiny):
    prepared = qat.prepare(tiny, 4)
    prepared(fashion().tensors()[0])
    before = copy.deepcopy(prepared.state_dict())
    qat.export_tensors(prepared)
    assert prepared.training
    assert all(torch.equal(before[name], tensor) for name, tensor in prepared.state_dict().items())


@pytest.mark.parametrize("name", models.NAMES)
def test_the_stored_checkpoints_classify(name):
    part = datasets.load_fashion().test.take(slice(0, 300))
    assert training.accuracy(qat.load_trained(name), part) > 85


def test_wrong_input_is_refused(tiny):
    for bits in ((1, 8), (4, 17)):
        with pytest.raises(ValueError, match=r"(1|17) bits: choose 2 to 16"):
            qat.prepare(tiny, *bits)
    with pytest.raises(ValueError, match="no blocks with `conv` and `bn`"):
        qat.prepare(quantize.fold_batch_norm(tiny))
    for bits in ((9, 8), (4, 4), (4, 16)):
        with pytest.raises(ValueError, match="give weights at most 8 bits, activations just 8"):
            qat.export_tensors(qat.calibrate(qat.prepare(tiny, *bits), fashion().tensors()[0]))
    with pytest.raises(ValueError, match="unknown model 'huge'"):
        qat.load_trained("huge")
    with pytest.raises(datasets.DataError, match="tiny-qat5"):
        qat.load_trained("tiny", "qat5")


@pytest.mark.parametrize("bits", [4, 2])
def test_the_noted_accuracy_of_a_stored_network_is_counted_again(bits):
    notes = json.loads(datasets.read_verified("models/qat.json"))[f"tiny-qat{bits}"]
    counted = training.accuracy(qat.load_trained("tiny", f"qat{bits}"), datasets.load_fashion().test)
    assert counted == pytest.approx(notes["test_accuracy_percent"], abs=0.05)


def test_the_noted_verdicts_of_each_form_are_found_again():
    fashion_set = datasets.load_fashion()
    some, truth = fashion_set.test.take(slice(300)), torch.from_numpy(fashion_set.test.labels)
    noted = load(datasets.read_verified("models/qat-verdicts.safetensors"))
    small = models.load_trained("small")
    rounded = [
        qat.calibrate(qat.prepare(small, bits), fashion_set.train.tensors()[0][::24]) for bits in (8, 4)
    ]
    for form, verdicts in zip((small, *rounded, qat.load_trained("small")), noted["small"], strict=True):
        found = training.predict(form, some).argmax(1) == truth[:300]
        assert (found == verdicts[:300]).sum() >= 298  # a near tie may fall the other way
    recipes = json.loads(datasets.read_verified("models/qat.json"))
    for name, verdicts in noted.items():
        percent = 100 * verdicts[3].double().mean().item()
        assert percent == pytest.approx(recipes[f"{name}-qat4"]["test_accuracy_percent"], abs=0.05)


def test_what_is_published_of_rounded_networks_follows_from_the_noted_verdicts():
    published, forms = scoreboard.reference(), ("float", "ptq8", "ptq4", "qat4")
    for name, noted in load(datasets.read_verified("models/qat-verdicts.safetensors")).items():
        for form, right in zip(forms, noted, strict=True):
            percent = 100 * right.double().mean().item()
            assert published[f"qat.{name}.{form}_percent"] == pytest.approx(percent, abs=0.05)


@pytest.mark.parametrize("bits", [8, 4])
def test_what_is_published_of_tiny_rounded_after_training_is_counted_again(bits):
    fashion_set, tiny = datasets.load_fashion(), models.load_trained("tiny")
    rounded = qat.calibrate(qat.prepare(tiny, bits), fashion_set.train.tensors()[0][::24])
    published = scoreboard.reference()[f"qat.tiny.ptq{bits}_percent"]
    assert training.accuracy(rounded, fashion_set.test) == pytest.approx(published, abs=0.1)
