import copy
from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import nn

from tinyml_helpers import datasets, models, training


def small_set(count=256):
    return datasets.load_fashion().train.take(slice(0, count))


def trained(seed):
    torch.manual_seed(0)
    model = models.build("tiny", 0.5)
    history = training.fit(model, small_set(), epochs=2, batch_size=64, seed=seed)
    return model, history


def test_training_is_repeatable_and_depends_on_the_seed():
    first, again, other = (trained(seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_lowers_the_loss_and_leaves_evaluation_mode():
    model, history = trained(0)
    assert history.losses[-1] < history.losses[0]
    assert not model.training
    assert "2 epochs of 256 images" in repr(history)


def test_a_loss_of_ones_own_sees_the_batch_as_the_network_does():
    seen = []

    def loss(images, logits, labels):
        seen.append((images.shape, logits.shape, labels.shape))
        return (logits**2).mean()

    training.fit(models.build("tiny", 0.5), small_set(), epochs=1, batch_size=64, loss=loss)
    assert seen == [((64, 1, 28, 28), (64, 10), (64,))] * 4


def test_several_targets_reach_the_loss_side_by_side_and_one_alone():
    images, labels = small_set().tensors()
    places = torch.arange(len(images))
    met = []

    def loss(seen, logits, told):
        truth, which = told
        assert torch.equal(seen, images[which]) and torch.equal(truth, labels[which])
        met.extend(which.tolist())
        return nn.functional.cross_entropy(logits, truth)

    first, second = models.build("tiny", 0.5), models.build("tiny", 0.5)
    second.load_state_dict(first.state_dict())
    several = torch.utils.data.TensorDataset(images, labels, places)
    settings = {"epochs": 1, "batch_size": 64, "augment": False}
    training.fit(first, several, **settings, loss=loss)
    assert sorted(met) == places.tolist()
    training.fit(second, small_set(), **settings)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("steps", range(1, 13))
def test_a_training_may_be_as_short_as_it_likes(steps):
    """Of five steps, one in five before the peak is one: the first step is the peak."""
    rates = []

    class Spy(torch.optim.AdamW):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Spy)
        training.fit(
            models.build("tiny", 0.25), small_set(4 * steps), epochs=1, batch_size=4, learning_rate=1e-2
        )
    assert len(rates) == steps
    assert all(np.isfinite(rates)) and rates[-1] < 1e-4
    if steps == 5:
        assert rates[0] == pytest.approx(1e-2)
        assert rates == sorted(rates, reverse=True)


def test_the_hook_before_each_step_hears_how_much_is_done():
    heard = []
    training.fit(
        models.build("tiny", 0.5), small_set(), epochs=2, batch_size=64, before_step=heard.append
    )
    assert heard == [step / 8 for step in range(8)]


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="100 examples x 1 epochs do not fill a batch of 128"):
        training.fit(models.build("tiny"), small_set(100), epochs=1)
    with pytest.raises(ValueError, match="256 examples x 0 epochs"):
        training.fit(models.build("tiny"), small_set(), epochs=0)


def test_batches_are_drawn_one_by_one_and_each_takes_a_step():
    """Against the loop as PyTorch's tutorials write it, in the same numbers."""
    draw, seen = torch.Generator().manual_seed(0), []

    def batches():
        for _ in range(6):
            seen.append([parameter.detach().clone() for parameter in model.parameters()])
            yield torch.randn(8, 1, 28, 28, generator=draw), {"half": torch.randn(8, 10, generator=draw)}

    def loss(inputs, outputs, targets):
        assert inputs.shape == (8, 1, 28, 28)
        return ((outputs - 2 * targets["half"]) ** 2).mean()

    torch.manual_seed(0)
    model = models.build("tiny", 0.5)
    plain = copy.deepcopy(model).train()
    losses = training.fit_batches(
        model, batches(), steps=6, learning_rate=1e-2, weight_decay=0.1, loss=loss,
        progress=False,
    )  # fmt: skip
    assert len(losses) == len(seen) == 6
    assert all(not torch.equal(one[0], other[0]) for one, other in pairwise(seen))
    assert not model.training
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    again = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(plain.parameters(), 1e-2, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=6)
    for step in range(6):
        images, half = (torch.randn(shape, generator=again) for shape in ((8, 1, 28, 28), (8, 10)))
        optimizer.zero_grad()
        cost = ((plain(images) - 2 * half) ** 2).mean()
        cost.backward()
        optimizer.step()
        schedule.step()
        assert losses[step] == pytest.approx(cost.item(), rel=1e-4)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_an_epoch_shows_each_example_once_but_those_that_fill_no_batch():
    assert training.count_steps(10, 4, 3) == 6
    batches = list(training.shuffle(10, 4, 3, torch.Generator().manual_seed(0)))
    assert [len(one) for one in batches] == [4] * 6
    epochs = [torch.cat(batches[start : start + 2]).tolist() for start in (0, 2, 4)]
    assert all(len(set(epoch)) == 8 and set(epoch) <= set(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_mean_losses_by_hand():
    assert training.mean_losses([1.0, 3.0, 5.0, 9.0], 2) == (2.0, 7.0)
    assert training.mean_losses([1.0, 3.0, 5.0], 2) == (2.0, 5.0)  # the first part gets what is over


def test_accuracy_by_hand():
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 0, 0] = [255, 0, 255, 0]
    data = datasets.ImageSet(images, np.array([1, 0, 0, 0]))

    class FirstPixel(nn.Module):
        def forward(self, batch):
            bright = batch[:, 0, 0, 0]
            return torch.stack([0.5 - bright, bright - 0.5], 1)

    assert training.accuracy(FirstPixel(), data) == 75.0


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, list])
def test_balanced_accuracy_by_hand(kind, recwarn):
    labels, found = [0, 0, 0, 1, 3], [0, 0, 1, 1, 2]
    # 2/3 of class 0, all of 1, none of 3; class 2 is answered, and there is none of it.
    assert training.balanced_percent(kind(found), kind(labels)) == pytest.approx(100 * (2 / 3 + 1) / 3)
    assert training.balanced_percent(kind([4]), kind([4])) == 100
    theirs = 100 * sklearn.metrics.balanced_accuracy_score([0, 0, 0, 1, 3], [0, 0, 1, 1, 3])
    assert training.balanced_percent(kind([0, 0, 1, 1, 3]), kind(labels)) == theirs
    assert not recwarn


def test_shift_and_mirror_moves_pixels_and_makes_none():
    images = torch.zeros(200, 1, 28, 28)
    images[:, 0, 10, 5] = 1
    moved = training.shift_and_mirror(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert (moved.sum((1, 2, 3)) == 1).all()
    rows, columns = moved[:, 0].nonzero()[:, 1:].T
    assert set(rows.tolist()) == {8, 9, 10, 11, 12}
    mirrored = {27 - column for column in range(3, 8)}
    assert set(columns.tolist()) == set(range(3, 8)) | mirrored


def test_latency_is_a_time_for_any_batch_and_changes_nothing():
    model = models.build("tiny").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for count in (1, 8):
        assert training.latency_ms(model, torch.zeros(count, 1, 28, 28), 0.02) > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
