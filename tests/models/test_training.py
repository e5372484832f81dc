import numpy as np
import pytest
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


def test_the_hook_before_each_step_hears_how_much_is_done():
    heard = []
    training.fit(
        models.build("tiny", 0.5), small_set(), epochs=2, batch_size=64, before_step=heard.append
    )
    assert heard == [step / 8 for step in range(8)]


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="do not fill a batch of 128"):
        training.fit(models.build("tiny"), small_set(100), epochs=1)


def test_accuracy_by_hand():
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 0, 0] = [255, 0, 255, 0]
    data = datasets.ImageSet(images, np.array([1, 0, 0, 0]))

    class FirstPixel(nn.Module):
        def forward(self, batch):
            bright = batch[:, 0, 0, 0]
            return torch.stack([0.5 - bright, bright - 0.5], 1)

    assert training.accuracy(FirstPixel(), data) == 75.0


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
