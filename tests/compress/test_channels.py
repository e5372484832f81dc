import copy

import pytest
import torch
import torch_pruning as tp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tinyml_helpers import cost, models
from tinyml_helpers.compress import channels, prune

IMAGE = torch.zeros(1, 1, 28, 28)


def silence(model, group, chosen):
    """Set every number that belongs to the chosen channels of a group to zero."""
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name, role in group.roles.items():
            module = modules[name]
            if role == "reads":
                module.weight[:, chosen] = 0
            else:
                module.weight[chosen] = 0
                if getattr(module, "bias", None) is not None:
                    module.bias[chosen] = 0


@pytest.mark.parametrize("name", ["large", "small"])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_removing_silent_channels_keeps_the_function(name, seed):
    draw = torch.Generator().manual_seed(seed)
    model = models.load_trained(name)
    for group in channels.coupling(model, IMAGE).groups:
        order = torch.randperm(group.channels, generator=draw)
        silence(model, group, order[: group.channels // 2])
    smaller = channels.remove_channels(model, IMAGE, 0.5)
    images = torch.rand(3, 1, 28, 28, generator=draw)
    with torch.no_grad():
        torch.testing.assert_close(smaller(images), model(images), rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in smaller.parameters()) < 0.4 * sum(
        p.numel() for p in model.parameters()
    )


@pytest.mark.parametrize("name", models.NAMES)
def test_half_the_channels_make_the_network_of_half_the_width(name):
    model = models.load_trained(name)
    before = copy.deepcopy(model.state_dict())
    smaller, narrow = channels.remove_channels(model, IMAGE, 0.5), models.build(name, width=0.5)
    assert {k: v.shape for k, v in smaller.state_dict().items()} == {
        k: v.shape for k, v in narrow.state_dict().items()
    }
    assert cost.count(smaller, IMAGE).macs == cost.count(narrow, IMAGE).macs
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("between", [[], [torch.nn.ReLU()]])
def test_channels_are_counted_where_they_are_made_not_where_they_are_flat(between):
    flat = [*between, torch.nn.Flatten(), torch.nn.Linear(4 * 26 * 26, 3)]
    (group,) = channels.coupling(torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), *flat), IMAGE).groups
    assert group.channels == 4
    assert sorted(group.roles.values()) == ["makes", "reads"]


def test_a_shortcut_ties_the_layers_at_both_its_ends():
    groups = channels.coupling(models.load_trained("large"), IMAGE).groups
    assert [group.channels for group in groups] == [32, 64, 64, 128, 128, 128]
    stream = next(group for group in groups if "head" in group.roles)
    assert sorted(name for name, role in stream.roles.items() if role == "makes") == [
        "blocks.1.second.conv",
        "blocks.1.shortcut.conv",
        "blocks.2.second.conv",
    ]
    assert stream.roles["blocks.2.first.conv"] == stream.roles["head"] == "reads"
    assert stream.roles["blocks.2.second.bn"] == "passes"


def test_a_depthwise_convolution_passes_channels_on():
    first = channels.coupling(models.load_trained("tiny"), IMAGE).groups[0]
    assert first.channels == 12
    assert first.roles == {
        "stem.conv": "makes",
        "stem.bn": "passes",
        "blocks.0.depthwise.conv": "passes",
        "blocks.0.depthwise.bn": "passes",
        "blocks.0.pointwise.conv": "reads",
    }


def test_the_table_has_a_row_for_each_layer_and_a_column_for_each_group():
    found = channels.coupling(models.load_trained("tiny"), IMAGE)
    lines = repr(found).splitlines()
    assert lines[0].split() == ["layer", "12", "ch", "24", "ch", "32", "ch", "48", "ch", "64", "ch"]
    assert lines[1].split() == ["stem.conv", "makes"]
    assert lines[-1].split() == ["head", "reads"]
    assert len(lines) == 1 + 2 * 9 + 1


def test_a_network_of_ones_own_works_too():
    model = nn.Sequential(nn.Conv1d(3, 10, 3), nn.ReLU(), nn.Conv1d(10, 7, 3))
    smaller = channels.remove_channels(model, torch.zeros(1, 3, 16), 0.6)
    assert smaller[0].weight.shape == (4, 3, 3)
    assert smaller[2].weight.shape == (7, 4, 3)


class HeadFirst(nn.Module):
    """Its last layer is not its output."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 6)
        self.body = nn.Linear(4, 8)

    def forward(self, values):
        return self.head(torch.relu(self.body(values)))


def test_an_output_that_would_shrink_is_refused():
    with pytest.raises(ValueError, match=r"to \[\(1, 3\)\]: let the layer that makes it be the last"):
        channels.remove_channels(HeadFirst(), torch.zeros(1, 4), 0.5)


def test_wrong_input_is_named():
    model = models.load_trained("tiny")
    for share in (0, 1, 50):
        with pytest.raises(ValueError, match=rf"share {share}: give one between"):
            channels.remove_channels(model, IMAGE, share)
    with pytest.raises(ValueError, match=r"ReLU has no convolution or linear layer"):
        channels.coupling(nn.ReLU(), IMAGE)
    with pytest.raises(ValueError, match=r"no channel to remove: every output must stay"):
        channels.coupling(nn.Sequential(nn.Linear(2, 2)), torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"frozen parameters cannot be traced"):
        channels.coupling(models.load_trained("tiny").requires_grad_(False), IMAGE)
    frozen_in_part = models.load_trained("tiny")
    next(frozen_in_part.parameters()).requires_grad_(False)
    with pytest.raises(ValueError, match=r"frozen parameters cannot be traced"):
        channels.coupling(frozen_in_part, IMAGE)
    prune.mask_weights(model, 0.5)
    with pytest.raises(ValueError, match=r"has masks: call prune.make_permanent"):
        channels.remove_channels(model, IMAGE, 0.5)


def cut_by_hand(block, channel):
    """As lesson 04 does: the channel between the two convolutions of a residual block."""
    keep = torch.arange(len(block.first.conv.weight)) != channel
    norm = block.first.bn
    block.first.conv.weight.data = block.first.conv.weight.data[keep]
    for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        numbers.data = numbers.data[keep]
    block.second.conv.weight.data = block.second.conv.weight.data[:, keep]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("channel", [0, 5, 63])
def test_a_channel_cut_by_hand_is_a_silent_one_and_the_librarys_cut(place, channel):
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    whole, silent, cut, library = (models.load_trained("large") for _ in range(4))
    with torch.no_grad():
        silent.blocks[place].first.bn.weight[channel] = 0
        silent.blocks[place].first.bn.bias[channel] = 0
    cut_by_hand(cut.blocks[place], channel)
    graph = tp.DependencyGraph().build_dependency(library, IMAGE)
    first = library.blocks[place].first.conv
    graph.get_pruning_group(first, tp.prune_conv_out_channels, [channel]).prune()
    with torch.no_grad():
        torch.testing.assert_close(cut(images), silent(images), rtol=0, atol=1e-5)
        assert not torch.allclose(cut(images), whole(images), rtol=0, atol=1e-5)
    ours, theirs = cut.state_dict(), library.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
