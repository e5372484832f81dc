"""What a network gives away about its training images, and training that gives away less."""

import numpy as np
import pytest
import torch
from torch import nn

from tinyml_helpers import datasets, intervals, models
from tinyml_helpers.usecases.privacy import (
    defences,
    dp_training,
    last_layer,
    membership_inference,
    personal_gain,
)


@pytest.fixture(scope="module")
def images():
    return datasets.load_fashion().train


class Knows(nn.Module):
    """Is sure of a picture that is brighter than half, and right: as if it had learnt it by heart."""

    def forward(self, images):
        bright = (images.mean((1, 2, 3)) > 0.5).float()
        scores = torch.zeros(len(images), 10)
        scores[:, 0] = bright
        return scores


def flat(value, count):
    return datasets.ImageSet(np.full((count, 28, 28), value, np.uint8), np.zeros(count, np.int64))


def test_losses_are_cross_entropies():
    # Ten equal logits: ln 10. One logit of 1 against nine of 0: ln(e + 9) - 1.
    assert np.allclose(membership_inference.losses(Knows(), flat(0, 2)), np.log(10))
    assert np.allclose(membership_inference.losses(Knows(), flat(255, 2)), np.log(np.e + 9) - 1)


def test_the_attack_is_perfect_or_a_coin_where_it_must_be():
    perfect = membership_inference.attack(Knows(), flat(255, 5), flat(0, 7))
    assert (perfect.auc.value, perfect.caught.value) == (1.0, 100.0)
    coin = membership_inference.attack(Knows(), flat(0, 5), flat(0, 7))
    assert (coin.auc.value, coin.caught.value) == (0.5, 0.0)
    assert repr(coin).startswith("attack's AUC: 0.500 (0.500 to 0.500, n = 5 members)\ncaught at 1 %")


def test_the_auc_is_scikit_learns_and_its_interval_that_of_a_bootstrap():
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(0)
    for shift, decimals in ((0.0, 3), (0.3, 3), (1.0, 0)):  # rounded, so that many tie
        inside = draw.normal(-shift, 1, 200).round(decimals)
        outside = draw.normal(0, 1, 600).round(decimals)
        found = membership_inference.auc(inside, outside)
        truth = np.repeat([1, 0], [200, 600])
        assert found.value == pytest.approx(roc_auc_score(truth, -np.concatenate([inside, outside])))
        again = [
            membership_inference.auc(draw.choice(inside, 200), draw.choice(outside, 600)).value
            for _ in range(400)
        ]
        assert found.half_width == pytest.approx(1.96 * np.std(again), rel=0.15)
        assert found.n == 200


def test_the_attack_wants_both_kinds():
    with pytest.raises(ValueError, match="0 members and 7 strangers"):
        membership_inference.attack(Knows(), flat(0, 5).take(slice(0, 0)), flat(0, 7))


def test_a_long_gradient_is_cut_and_a_short_one_is_left():
    assert torch.allclose(
        membership_inference.clip_gradient(torch.tensor([3.0, 4.0]), 1.0), torch.tensor([0.6, 0.8])
    )
    short = torch.tensor([0.3, 0.4])
    assert torch.equal(membership_inference.clip_gradient(short, 1.0), short)
    assert torch.equal(membership_inference.clip_gradient(torch.zeros(2), 1.0), torch.zeros(2))


def fitted(images, **options):
    torch.manual_seed(0)
    return dp_training.fit(
        dp_training.build(channels=4), images, epochs=1, batch_size=32, delta=1e-3, **options
    )


def test_private_training_counts_epsilon_and_repeats(images):
    few = images.take(slice(0, 128))
    first, again = fitted(few), fitted(few)
    assert 0 < first.epsilon < 20
    assert fitted(few, noise=4.0).epsilon < first.epsilon
    assert fitted(few, noise=0.0).epsilon == float("inf")
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True)
    )
    assert not first.model.training
    assert "128 images, noise 1, clip 1" in repr(first)


def test_one_step_of_private_training_is_bounded(images):
    # 32 images, all in one batch, no noise: a step cannot be longer than rate x clip.
    few = images.take(slice(0, 32))
    torch.manual_seed(0)
    start = dp_training.build(channels=4)
    before = nn.utils.parameters_to_vector(start.parameters()).detach().clone()
    dp_training.fit(start, few, epochs=1, batch_size=32, noise=0.0, clip=0.01, learning_rate=1.0)
    moved = nn.utils.parameters_to_vector(start.parameters()) - before
    assert 0 < moved.norm() <= 0.01 + 1e-6


def test_private_training_refuses_what_would_break_its_promise(images):
    few = images.take(slice(0, 64))
    with pytest.raises(ValueError, match="batch norm mixes"):
        dp_training.fit(models.build("tiny"), few, epochs=1, batch_size=32)
    with pytest.raises(ValueError, match="64 images do not fill"):
        dp_training.fit(dp_training.build(), few, epochs=1, batch_size=128)
    with pytest.raises(ValueError, match="promises nothing to 64 people"):
        dp_training.fit(dp_training.build(), few, epochs=1, batch_size=32, delta=0.1)


# ----- learning on the device


def problem(seed=0, count=12):
    draw = np.random.default_rng(seed)
    start = last_layer.Layer(
        draw.normal(size=(3, 5)).astype(np.float32), draw.normal(size=3).astype(np.float32)
    )
    return start, draw.integers(0, 100, (count, 5)).astype(np.int8), draw.integers(0, 3, count)


def test_steps_are_those_of_pytorch():
    start, raw, labels = problem()
    theirs = nn.Linear(5, 3)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(start.weights))
        theirs.bias.copy_(torch.from_numpy(start.biases))
    optimizer = torch.optim.SGD(theirs.parameters(), 0.1)
    features = torch.from_numpy(raw).float() / 64
    for _ in range(2):
        for x, label in zip(features, torch.from_numpy(labels), strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(theirs(x[None]), label[None]).backward()
            optimizer.step()
    ours = last_layer.learn(start, features.numpy(), labels, rate=0.1, passes=2)
    assert np.allclose(ours.weights, theirs.weight.detach(), atol=1e-5)
    assert np.allclose(ours.biases, theirs.bias.detach(), atol=1e-5)
    assert ours(features.numpy()).shape == (12,)
    assert repr(start) == "5 features to 3 classes, 72 bytes in float32"


@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m0plus"])
def test_the_c_learns_the_same_on_the_virtual_core(core):
    from tinyml_helpers.mcu.target import emulator, toolchain

    start, raw, labels = problem()
    image = toolchain.compile_c(last_layer.c_program(3, 5, 12), core)
    given = {
        "weights": start.weights,
        "biases": start.biases,
        "rate": np.float32([0.1]),
        "scale": np.float32([1 / 64]),
        "features": raw,
        "labels": labels.astype(np.uint8),
    }
    run = emulator.Machine(image).run(given, {"weights": "float32", "biases": "float32"})
    ours = last_layer.learn(start, raw / 64, labels, rate=0.1)
    assert np.allclose(run.outputs["weights"].reshape(3, 5), ours.weights, atol=1e-4)
    assert np.allclose(run.outputs["biases"], ours.biases, atol=1e-4)


def test_learning_refuses_what_does_not_fit():
    start, raw, labels = problem()
    for features, truth in ((raw[:, :4], labels), (raw, labels[:5]), (raw[:0], labels[:0])):
        with pytest.raises(ValueError, match=r"give \[N, 5\] and \[N\]"):
            last_layer.learn(start, features, truth)
    with pytest.raises(ValueError, match="give 0 to 2"):
        last_layer.learn(start, raw, labels + 1)
    with pytest.raises(ValueError, match="0 classes"):
        last_layer.c_program(0, 5, 1)


def test_replay_mixes_own_and_stored_examples():
    order = last_layer.mix_replay(np.array([1, 2]), np.array([7, 8, 9]), share=3)
    usual = last_layer.mix_replay(np.array([1, 2]), np.array([7, 8, 9]))
    assert usual.tolist() == order.tolist()  # three of others for one of one's own
    assert usual[::4].tolist() == [1, 2]
    assert set(usual.reshape(2, 4)[:, 1:].ravel()) <= {7, 8, 9}
    assert order.shape == (8,)
    assert order[::4].tolist() == [1, 2]
    assert set(np.delete(order, [0, 4])) <= {7, 8, 9}
    labels = np.array([0, 0, 0, 1, 1, 0])
    store = last_layer.draw_of_each_class(labels, np.arange(1, 6), 2)
    assert sorted(labels[store]) == [0, 0, 1, 1]
    assert 0 not in store


def test_an_owner_gains_and_replay_keeps_the_others():
    gestures = datasets.load_gestures()
    table = personal_gain.personalize_everybody(gestures.of("1", "2"), each=5, passes=3)
    assert table.case.tolist() == list(personal_gain.CASES) * 2
    means = table.groupby("case")[["owner", "others"]].mean()
    shipped, alone, replay = (means.loc[case] for case in personal_gain.CASES)
    assert alone.owner > shipped.owner
    assert replay.others > alone.others
    told = personal_gain.mean_by_case(table)
    assert told.index.tolist() == list(personal_gain.CASES)
    assert [told.owner[case].value for case in told.index] == [means.owner[case] for case in told.index]
    assert {one.n for one in told.others} == {2}
    owners = personal_gain.by_owner(table)
    assert owners.index.tolist() == ["1", "2"]
    gained = personal_gain.replay_gains(table)
    assert gained.tolist() == (owners["with replay"] - owners["as shipped"]).tolist()
    axes = personal_gain.draw_gains(table)
    assert {text.get_text() for text in axes.texts} == {"1", "2"}
    drawn = np.concatenate([line.get_ydata() for line in axes.lines[1:]])
    assert sorted(drawn) == pytest.approx(sorted(gained))


def test_a_core_counts_what_learning_takes():
    from tinyml_helpers.usecases.privacy import on_device_learning

    start, raw, labels = problem()
    learnt = on_device_learning.learn_on_core(start, raw.astype(np.float32), labels, rate=0.001)
    assert learnt.agrees
    assert learnt.layer.weights.shape == (3, 5)
    assert (learnt.layer_bytes, learnt.example_bytes) == (72, 6)
    assert 100 < learnt.instructions_per_step < 2000
    assert "it learnt the same as numpy" in repr(learnt)
    with pytest.raises(ValueError, match="all features are zero"):
        on_device_learning.learn_on_core(start, np.zeros((2, 5), np.float32), labels[:2])


def test_defences_are_what_their_names_say(images):
    members = images.take(slice(0, 100))
    start = models.build("tiny").eval()
    rounded = defences.train_defences(start, members)
    assert list(rounded) == ["weights in 8 bits", "weights in 4 bits", "stopped early", "augmented"]
    assert len(torch.unique(rounded["weights in 4 bits"].head.weight[0].detach())) <= 16
    kept = defences.train_privately(members)
    assert [one.noise for one in kept.values()] == [0, 0, 2]
    assert kept["tanh, clipping"].epsilon == float("inf") > kept["tanh, clipping and noise"].epsilon


def test_pictures_show_everybody():
    import matplotlib

    matplotlib.use("Agg")
    low, high = intervals.rate(80, 100), intervals.rate(90, 100)
    one = membership_inference.Membership(
        membership_inference.auc(np.arange(5.0), np.arange(2.0, 9.0)), low, high, low
    )
    axes = defences.draw_trade({"a": one, "b": one})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    losses = np.array([0.001, 0.1, 1.0], np.float32)
    axes = defences.draw_histogram(losses, losses + 1, 0.01)
    assert axes.get_title() == "Accused: 33 % of members, 0 % of strangers"
    bars = [sum(patch.get_height() for patch in part) for part in axes.containers]
    assert bars == pytest.approx([100, 100])  # percent of strangers and of members
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["strangers", "members"]


def test_a_gradient_is_the_picture(images):
    torch.manual_seed(0)
    layer = nn.Linear(784, 10)
    (picture, label), more = images.take(slice(0, 1)).tensors(), images.take(slice(0, 4)).tensors()
    loss = nn.functional.cross_entropy(layer(picture.flatten(1)), label)
    weight, bias = torch.autograd.grad(loss, layer.parameters())
    assert torch.allclose(membership_inference.reconstruct(weight, bias), picture[0, 0], atol=1e-4)
    assert torch.allclose(
        membership_inference.reconstruct(weight, bias, clip=0.01), picture[0, 0], atol=1e-4
    )
    assert torch.allclose(
        membership_inference.reconstruct(weight, bias, unit=3), picture[0, 0], atol=1e-3
    )
    noisy = membership_inference.reconstruct(weight, bias, noise=0.1)
    assert not torch.allclose(noisy, picture[0, 0], atol=0.1)
    defences.draw_row({"one": picture[0, 0], "other": more[0][1, 0]})


def test_the_three_that_are_compared_start_from_the_same_small_network(monkeypatch):
    started = []

    def fit(network, *_args, **options):
        started.append((network, options))

    monkeypatch.setattr(defences.dp_training, "fit", fit)
    defences.train_privately(None, seed=1)
    weights = [torch.cat([p.detach().flatten() for p in one.parameters()]) for one, _ in started]
    assert all(torch.equal(one, weights[0]) for one in weights) and len(weights) == 3
    first = next(one for one in started[0][0].modules() if isinstance(one, nn.Conv2d))
    assert first.out_channels == 8
    assert [options["noise"] for _, options in started] == [0, 0, 2]
