"""What both roads of train_keywords.py share: clips as features, batches, losses, a loop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from tinyml_helpers import datasets
from tinyml_helpers.compress import distill
from tinyml_helpers.datasets.keywords.backgrounds import backgrounds
from tinyml_helpers.datasets.keywords.clips import SILENCE
from tinyml_helpers.usecases.keywords import augment, network

BATCH = 128
VERSIONS = 3
UNKNOWN_WEIGHT, SILENCE_WEIGHT = 2.5, 0.6
UNKNOWN_LABEL = network.CLASSES - 2
Forward = Callable[[torch.Tensor], torch.Tensor]
Loss = Callable[[Forward, torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Pool:
    """Features of all clips, as spoken and at other speeds: float16 [versions, N, 50, 10].

    `others` marks the words that are in no class; a teacher can speak about them, labels cannot.
    """

    raw: torch.Tensor
    labels: torch.Tensor
    split: NDArray[np.str_]
    engines: NDArray[np.str_]
    others: NDArray[np.bool_]
    noises: torch.Tensor

    def inputs(self, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return network inputs and labels of a part of the split, unaltered."""
        where = torch.from_numpy((self.split == part) & ~self.others)
        return augment.as_input(self.raw[0][where].float()), self.labels[where]

    def weights(self, parts: tuple[str, ...], *, others: bool = False) -> torch.Tensor:
        """Return how often each clip is drawn: classes nearly alike, engines nearly so."""
        drawn = np.zeros(len(self.labels))
        for label in range(network.CLASSES):
            of_class = np.isin(self.split, parts) & (self.labels.numpy() == label)
            of_class &= others | ~self.others
            for engine in np.unique(self.engines[of_class]):
                chosen = of_class & (self.engines == engine)
                drawn[chosen] = chosen.sum() ** -0.5
            drawn[of_class] /= drawn[of_class].sum()
        # Many words share the class of the unknown ones.
        drawn[self.labels.numpy() == UNKNOWN_LABEL] *= UNKNOWN_WEIGHT
        drawn[self.labels.numpy() == UNKNOWN_LABEL + 1] *= SILENCE_WEIGHT
        return torch.from_numpy(drawn / drawn.sum())


def pool(seed: int = 0) -> Pool:
    """Make the features of the shipped corpus, without its new engine: two minutes on one core."""
    words = datasets.load_keywords(seed=seed + 1)
    words = words.take(words.split != "new engine")
    others = datasets.load_keywords(vocabulary="other words")
    clips = np.concatenate([words.clips, others.clips])
    versions = [clips, *(augment.change_speed(clips, seed + n) for n in range(1, VERSIONS))]
    spoken = words.clips[(words.classes.index(SILENCE) != words.labels) & (words.split == "train")]
    noises = np.concatenate([backgrounds(1500, seed + 99)[0], babble(spoken, 1000, seed)])
    return Pool(
        torch.stack([augment.raw_features(version).half() for version in versions]),
        torch.from_numpy(np.append(words.labels, np.full(len(others), UNKNOWN_LABEL))),
        np.append(words.split, others.split),
        np.append(words.engines, others.engines),
        np.arange(len(clips)) >= len(words),
        augment.raw_features(noises),
    )


def babble(clips: NDArray[np.int16], count: int, seed: int) -> NDArray[np.int16]:
    """Let two to six words sound at once, at random levels and times: int16 [count, 16000]."""
    rng = np.random.default_rng(seed)
    out = np.zeros((count, clips.shape[1]), np.int16)
    for row in out:
        chosen = clips[rng.integers(0, len(clips), rng.integers(2, 7))].astype(np.float32)
        parts = [
            rng.uniform(0.2, 1) * np.roll(c, rng.integers(len(c))) / max(1, abs(c).max()) for c in chosen
        ]
        total = np.sum(parts, 0)
        row[:] = total / np.abs(total).max() * 20_000
    return out


def fit(
    model: nn.Module,
    data: Pool,
    weights: torch.Tensor,
    loss: Loss,
    steps: int,
    rate: float,
    seed: int,
    *,
    bfloat16: bool = True,
) -> nn.Module:
    """Train on random batches: AdamW, one cycle. Returns the model in evaluation mode.

    In bfloat16 and channels last a step takes half the time; fake quantizers need float32.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    if bfloat16:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.15)
    model.train()
    forward = partial(logits, model, bfloat16=bfloat16)
    for _ in range(steps):
        places = torch.multinomial(weights, BATCH, replacement=True, generator=rng)
        versions = torch.randint(len(data.raw), (BATCH,), generator=rng)
        value = loss(forward, data.raw[versions, places].float(), data.labels[places], rng)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def logits(model: nn.Module, inputs: torch.Tensor, *, bfloat16: bool = True) -> torch.Tensor:
    """Return float32 logits; channels last is what the convolutions are fastest with."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        out: torch.Tensor = model(inputs.contiguous(memory_format=torch.channels_last))
    return out.float()


def labelled(data: Pool, strength: augment.Strength, mix: float = 0.3) -> Loss:
    """Return the loss of the first road: the true labels of altered clips, blended by mixup."""

    def loss(
        forward: Forward, raw: torch.Tensor, labels: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        inputs = augment.as_input(augment.alter(raw, data.noises, rng, strength))
        hot = functional.one_hot(labels, network.CLASSES).float()
        share = torch.distributions.Beta(mix, mix).sample((len(raw), 1))
        share = torch.maximum(share, 1 - share)
        other = torch.randperm(len(raw), generator=rng)
        wide = share[:, :, None, None]
        blend = wide * inputs + (1 - wide) * inputs[other]
        target = share * hot + (1 - share) * hot[other]
        return functional.cross_entropy(forward(blend), target, label_smoothing=0.03)

    return loss


def taught(
    data: Pool,
    teacher: nn.Module,
    strength: augment.Strength,
    same_share: float = 1.0,
    temperature: float = 3.0,
) -> Loss:
    """Return the loss of the second road: what the teacher says of the altered clip, no label.

    Of a share 1 - same_share of the clips the teacher hears the clip without noise, the student with.
    """
    quiet = replace(strength, noise_chance=0.0)

    def loss(
        forward: Forward, raw: torch.Tensor, labels: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        heard = augment.alter(raw, data.noises, rng, quiet)
        level = augment.PER_DB * (30 * torch.rand(len(raw), 1, 1, generator=rng))
        noise = data.noises[torch.randint(len(data.noises), (len(raw),), generator=rng)]
        noisy = augment.mix(heard, noise, level)
        loud = torch.rand(len(raw), 1, 1, generator=rng) < strength.noise_chance
        student_hears = torch.where(loud, noisy, heard)
        same = torch.rand(len(raw), 1, 1, generator=rng) < same_share
        teacher_hears = torch.where(same, student_hears, heard)
        with torch.no_grad():
            says = logits(teacher, augment.as_input(teacher_hears))
        answer = forward(augment.as_input(student_hears))
        return distill.soft_loss(answer, says, temperature)

    return loss


def percent(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, lowered: float = 0.0) -> float:
    """Return the share of right answers in percent, each class weighing alike.

    Args:
        model: in evaluation mode.
        inputs: float32 [N, 1, 50, 10].
        labels: int64 [N].
        lowered: what the unknown class's logit is lowered by.
    """
    with torch.no_grad():
        says = torch.cat([model(batch) for batch in inputs.split(512)])
    says[:, UNKNOWN_LABEL] -= lowered
    return balanced(says.argmax(1).numpy(), labels.numpy())


def balanced(says: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the mean over the classes of the share that was recognised, in percent."""
    shares = [(says[labels == label] == label).mean() for label in np.unique(labels)]
    return round(100 * float(np.mean(shares)), 2)
