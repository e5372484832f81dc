import gzip
import itertools
import json

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import prune, quantize

SHARES = st.floats(0, 1)


def two_layers():
    """Magnitudes 1 to 4 in the first layer, 5 to 8 in the second."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, -4.0]]))
        model[1].weight.copy_(torch.tensor([[8.0, -7.0], [6.0, -5.0]]))
    return model


def masks(model):
    return [layer.weight_mask for _, layer in quantize.layers(model)]


def test_sparsity_counts_zeros_of_weights_by_hand():
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight[0, 0] = 0.0
        model[3].weight[:, 1] = 0.0
        model[3].bias.zero_()  # biases are not counted
    found = prune.sparsity(model)
    assert [(row.name, row.kind, row.weights, row.zeros) for row in found.layers] == [
        ("0", "Conv2d", 8, 4),
        ("3", "Linear", 6, 3),
    ]
    assert (found.weights, found.zeros, found.percent) == (14, 7, 50.0)
    assert repr(found).splitlines()[-1].split() == ["all", "14", "7", "50.0", "%"]


def test_global_masks_the_smallest_of_all_and_per_layer_the_smallest_of_each():
    everywhere, each = two_layers(), two_layers()
    prune.mask_weights(everywhere, 0.5)
    assert [mask.tolist() for mask in masks(everywhere)] == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]
    prune.mask_weights(each, 0.5, scope="layer")
    assert [mask.tolist() for mask in masks(each)] == [[[0, 0], [1, 1]], [[1, 1], [0, 0]]]


@settings(max_examples=30, deadline=None)
@given(share=SHARES, seed=st.integers(0, 1000))
def test_per_layer_masks_are_those_of_sorting_by_hand(share, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 4))
    expected = []
    for _, layer in quantize.layers(model):
        magnitudes = layer.weight.detach().abs().numpy().ravel()
        mask = np.ones_like(magnitudes)
        mask[np.argsort(magnitudes)[: round(share * len(magnitudes))]] = 0
        expected.append(mask)
    prune.mask_weights(model, share, scope="layer")
    for mask, by_hand in zip(masks(model), expected, strict=True):
        np.testing.assert_array_equal(mask.numpy().ravel(), by_hand)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_masks_agree_with_the_library(share):
    ours, theirs = models.load_trained("tiny"), models.load_trained("tiny")
    prune.mask_weights(ours, share)
    places = [(layer, "weight") for _, layer in quantize.layers(theirs)]
    torch_prune.global_unstructured(places, torch_prune.L1Unstructured, amount=share)
    assert all(torch.equal(a, b) for a, b in zip(masks(ours), masks(theirs), strict=True))


def test_random_masks_the_asked_number_and_not_the_smallest():
    torch.manual_seed(0)
    model = models.load_trained("tiny")
    before = {name: layer.weight.detach().abs() for name, layer in quantize.layers(model)}
    prune.mask_weights(model, 0.5, rule="random")
    assert prune.sparsity(model).percent == pytest.approx(50, abs=0.01)
    removed = torch.cat([before[n][layer.weight_mask == 0] for n, layer in quantize.layers(model)])
    everything = torch.cat([weight.flatten() for weight in before.values()])
    assert float(removed.mean()) == pytest.approx(float(everything.mean()), rel=0.05)


@settings(max_examples=20, deadline=None)
@given(first=SHARES, second=SHARES)
def test_a_masked_weight_stays_masked(first, second):
    first, second = sorted((first, second))
    torch.manual_seed(0)
    model = two_layers()
    prune.mask_weights(model, first, rule="random")
    before = masks(model)
    prune.mask_weights(model, second)
    for old, new in zip(before, masks(model), strict=True):
        assert not ((old == 0) & (new == 1)).any()


def test_skipped_layers_keep_all_their_weights():
    model = models.load_trained("tiny")
    prune.mask_weights(model, 0.9, skip=["depthwise", "stem"])
    for row in prune.sparsity(model).layers:
        assert (row.zeros == 0) == ("depthwise" in row.name or "stem" in row.name)


@pytest.mark.parametrize("name", ["tiny", "large"])
def test_masked_weights_stay_exactly_zero_in_training_with_weight_decay(name):
    model = models.load_trained(name)
    prune.mask_weights(model, 0.8)
    before = [mask.clone() for mask in masks(model)]
    live = [layer.weight_orig.detach().clone() for _, layer in quantize.layers(model)]
    some = datasets.load_fashion().train.take(slice(0, 64))
    training.fit(model, some, epochs=1, batch_size=32, weight_decay=0.5)
    prune.make_permanent(model)
    for (_, layer), mask, old in zip(quantize.layers(model), before, live, strict=True):
        assert torch.equal(layer.weight == 0, mask == 0)
        assert not torch.equal(layer.weight[mask == 1], old[mask == 1])
    assert not torch_prune.is_pruned(model)


def test_making_masks_permanent_keeps_the_function():
    model = models.load_trained("tiny")
    prune.mask_weights(model, 0.7)
    images = torch.rand(4, 1, 28, 28)
    before = model(images)
    prune.make_permanent(model)
    assert torch.equal(model(images), before)
    assert set(model.state_dict()) == set(models.build("tiny").state_dict())


@given(start=SHARES, target=SHARES, steps=st.lists(st.floats(-1, 2), min_size=2))
def test_the_schedule_rises_from_start_to_target(start, target, steps):
    start, target = sorted((start, target))
    shares = [prune.cubic_share(done, target, start) for done in sorted(steps)]
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(shares))
    assert all(start - 1e-12 <= share <= target + 1e-12 for share in shares)
    assert prune.cubic_share(0, target, start) == pytest.approx(start)
    assert prune.cubic_share(1, target, start) == target
    assert prune.cubic_share(0.5, 0.8) == pytest.approx(0.7)  # 0.8 (1 - 1/8)


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.75, 75)])
def test_gradual_pruning_ends_at_the_target(start, first):
    model = models.build("tiny")
    seen, hook = [], prune.schedule(model, 0.75, start=start)

    def before_step(done):
        hook(done)
        kept = sum(int(mask.sum()) for mask in masks(model))
        seen.append(100 - 100 * kept / prune.sparsity(model).weights)

    some = datasets.load_fashion().train.take(slice(0, 160))
    training.fit(model, some, epochs=2, batch_size=16, before_step=before_step)
    prune.make_permanent(model)
    assert seen == sorted(seen)
    assert (round(seen[0]), round(seen[-1])) == (first, 75)
    assert prune.sparsity(model).percent == pytest.approx(75, abs=0.01)


@settings(deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 40),
    kind=st.sampled_from([torch.float32, torch.int8]),
    seed=st.integers(0, 99),
)
def test_bytes_of_the_formats_agree_with_scipy_and_gzip(rows, columns, kind, seed):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randint(-1, 2, (rows, columns), generator=draw).to(kind)
    sizes = prune.stored_bytes([weight])
    matrix = scipy.sparse.csr_matrix(weight.numpy())
    rest = matrix.data.nbytes + matrix.indptr.nbytes
    assert sizes["CSR, 32 bits"] == rest + matrix.indices.nbytes
    assert sizes["CSR, 16 bits"] == rest + matrix.indices.astype(np.uint16).nbytes
    bits = np.packbits(weight.numpy().ravel() != 0)
    assert sizes["bitmask"] == bits.nbytes + matrix.data.nbytes
    assert sizes["dense"] == weight.numpy().nbytes
    assert sizes["gzip"] == len(gzip.compress(weight.numpy().tobytes(), mtime=0))


def test_bytes_of_the_formats_add_up_over_layers_by_hand():
    one = torch.tensor([[0.0, 1.5, 0.0, 0.0], [2.5, 0.0, 0.0, 0.0]])
    # 8 values of 4 bytes; a byte of bits and 2 values; 2 values with an index, 3 row pointers.
    # 2 values of 4 bytes, a byte for both distances.
    expected = {"dense": 32, "bitmask": 9, "CSR, 32 bits": 16 + 12, "CSR, 16 bits": 12 + 12}
    expected |= {"distances, 4 bits": 8 + 1}
    for count in (1, 2):
        sizes = prune.stored_bytes([one] * count)
        assert {name: sizes[name] for name in expected} == {
            name: count * size for name, size in expected.items()
        }


def stored_as_distances(values, most=15):
    """Distances and values, as a device would unpack them; `most` zeros can be skipped in one step."""
    steps, gap = [], 0
    for value in values:
        if value == 0 and gap < most:
            gap += 1
        else:
            steps.append((gap, value))
            gap = 0
    while steps and steps[-1][1] == 0:
        steps.pop()
    return steps


@settings(deadline=None)
@given(gaps=st.lists(st.integers(0, 70), max_size=12), tail=st.integers(0, 40))
def test_distances_can_be_unpacked_again_and_their_bytes_are_counted(gaps, tail):
    values = [value for gap in gaps for value in [0] * gap + [7]] + [0] * (tail + 1)
    steps = stored_as_distances(values)
    unpacked = [value for gap, stored in steps for value in [0] * gap + [stored]]
    assert unpacked == values[: len(unpacked)]
    assert not any(values[len(unpacked) :])
    size = prune.stored_bytes([torch.tensor([values], dtype=torch.int8)])["distances, 4 bits"]
    assert size == len(steps) + -(-len(steps) // 2)


def test_wrong_input_is_named():
    model = two_layers()
    with pytest.raises(ValueError, match=r"share 90: give one from 0 to 1"):
        prune.mask_weights(model, 90)
    with pytest.raises(
        ValueError, match=r"'both', 'magnitude': choose global or layer, and one of magnitude"
    ):
        prune.mask_weights(model, 0.5, scope="both")
    with pytest.raises(ValueError, match=r"'global', 'l2': choose"):
        prune.mask_weights(model, 0.5, rule="l2")
    with pytest.raises(ValueError, match=r"skip 'head': give a list"):
        prune.mask_weights(model, 0.5, skip="head")
    with pytest.raises(ValueError, match=r"no convolution or linear layer left"):
        prune.mask_weights(model, 0.5, skip=["0", "1"])
    with pytest.raises(ValueError, match=r"ReLU has no convolution or linear layer"):
        prune.sparsity(nn.ReLU())
    prune.mask_weights(model, 0.5)
    with pytest.raises(ValueError, match=r"share 0.2: 4 of 8 are masked already"):
        prune.mask_weights(model, 0.2)
    with pytest.raises(ValueError, match=r"rows of 65,537 values: 16 bits number 65,536 at most"):
        prune.stored_bytes([torch.zeros(2, 65_537)])
    with pytest.raises(ValueError, match=r"from 0.9 to 0.5"):
        prune.schedule(model, 0.5, start=0.9)


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_the_noted_accuracy_of_a_stored_network_is_counted_again(name):
    notes = json.loads(datasets.read_verified("models/pruned.json"))[f"{name}-pruned"]
    network = models.load_trained(name, "pruned")
    assert prune.sparsity(network).zeros == notes["zeros"]
    counted = training.accuracy(network, datasets.load_fashion().test)
    assert counted == pytest.approx(notes["test_accuracy_percent"], abs=0.05)


def brute_force_scores(weight):
    """Each squared weight over the sum of those at least as large as it, one at a time."""
    squares = weight.double().flatten() ** 2
    return [float(one / squares[squares >= one].sum()) for one in squares]


@settings(max_examples=15, deadline=None)
@given(share=SHARES, seed=st.integers(0, 1000))
def test_layer_adaptive_masks_are_those_of_a_score_worked_out_one_by_one(share, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 4))
    scores = [score for w in prune.weights(model) for score in brute_force_scores(w)]
    count = round(share * len(scores))
    expected = np.ones(len(scores))
    expected[np.argsort(scores, kind="stable")[:count]] = 0
    prune.mask_weights(model, share, rule="layer-adaptive")
    found = torch.cat([mask.flatten() for mask in masks(model)]).numpy()
    np.testing.assert_array_equal(found, expected)


def test_layer_adaptive_scores_by_hand_and_survive_zeros():
    # Squares 1 4 9 16 of 30 29 25 16 and 25 36 49 64 of 174 149 113 64: the scores are 0.033, 0.138,
    # 0.36, 1 and 0.144, 0.242, 0.434, 1.
    model = two_layers()
    prune.mask_weights(model, 0.5, rule="layer-adaptive")
    assert [mask.tolist() for mask in masks(model)] == [[[0, 0], [1, 1]], [[1, 1], [0, 0]]]
    empty = two_layers()
    with torch.no_grad():
        empty[0].weight.zero_()
    prune.mask_weights(empty, 0.5, rule="layer-adaptive")
    assert [mask.tolist() for mask in masks(empty)] == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]


def test_layer_adaptive_counts_only_what_is_not_masked_yet():
    model, same = two_layers(), two_layers()
    # The largest weight of the first layer is masked: the others' shares are of 14, not of 30.
    torch_prune.custom_from_mask(model[0], "weight", torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
    torch_prune.custom_from_mask(model[1], "weight", torch.ones(2, 2))
    with torch.no_grad():
        same[0].weight[1, 1] = 0
    for network in (model, same):
        prune.mask_weights(network, 0.625, rule="layer-adaptive")
    assert [m.tolist() for m in masks(model)] == [m.tolist() for m in masks(same)]


@pytest.mark.parametrize("shape", [(3, 8, 3, 3), (5, 12), (2, 4, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int8])
def test_two_of_each_four_inputs_stay_and_they_are_the_larger_two(shape, dtype):
    torch.manual_seed(0)
    weight = (40 * torch.randn(shape)).clamp(-127, 127).to(dtype)
    kept = prune.two_of_four(weight)
    assert kept.dtype == weight.numpy().dtype
    for output in np.ndindex(shape[0], *shape[2:]):
        before = weight.numpy()[(output[0], slice(None), *output[1:])].astype(float).reshape(-1, 4)
        after = kept[(output[0], slice(None), *output[1:])].astype(float).reshape(-1, 4)
        for four, left in zip(before, after, strict=True):
            chosen = left != 0
            assert chosen.sum() == (np.sort(np.abs(four))[2:] != 0).sum()
            np.testing.assert_array_equal(left[chosen], four[chosen])
            assert np.abs(left).sum() == pytest.approx(np.sort(np.abs(four))[2:].sum())


def test_half_of_the_blocks_of_each_filter_go_those_of_smallest_norm():
    weight = torch.zeros(2, 8, 1, 2)  # two outputs, eight inputs, a kernel of two
    weight[0, :4, 0, 0] = torch.tensor([3.0, 3.0, 3.0, 3.0])  # norm 6
    weight[0, 4:, 0, 0] = torch.tensor([0.0, 5.0, 0.0, 0.0])  # norm 5, though its largest is larger
    weight[0, :4, 0, 1] = 1.0
    weight[0, 4:, 0, 1] = 4.0
    weight[1, :, 0, 1] = torch.arange(1.0, 9.0)
    kept = prune.half_of_blocks(weight)
    expected = weight.clone()
    expected[0, 4:, 0, 0] = 0
    expected[0, :4, 0, 1] = 0
    np.testing.assert_array_equal(kept, expected.numpy())


def test_a_first_layer_and_the_weight_itself_stay_as_they_are():
    first, inner = torch.rand(4, 1, 3, 3), torch.rand(4, 8, 3, 3)
    before = inner.clone()
    for pattern in (prune.two_of_four, prune.half_of_blocks):
        np.testing.assert_array_equal(pattern(first), first.numpy())
        assert (pattern(inner) == 0).sum() == inner.numel() // 2
    assert torch.equal(inner, before)
