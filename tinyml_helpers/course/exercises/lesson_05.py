"""Exercises of lesson 05, knowledge distillation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


def _log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _loss_in_numpy(student: Any, teacher: Any, labels: Any, temperature: float, weight: float) -> Any:
    log_q, log_p = _log_softmax(student / temperature), _log_softmax(teacher / temperature)
    soft = (np.exp(log_p) * (log_p - log_q)).sum(1).mean()
    hard = -_log_softmax(student)[np.arange(len(labels)), labels].mean()
    return weight * temperature**2 * soft + (1 - weight) * hard


def _loss(
    student: Any,
    teacher: Any,
    labels: Any,
    temperature: float,
    weight: float,
    power: int = 2,
    reduction: str = "batchmean",
    hot: float = 1.0,
) -> Any:
    from torch.nn import functional

    soft = functional.kl_div(
        functional.log_softmax(student / temperature, 1),
        functional.softmax(teacher / temperature, 1),
        reduction=reduction,
    )
    hard = functional.cross_entropy(student / hot, labels)
    return weight * temperature**power * soft + (1 - weight) * hard


def _batches(temperatures: tuple[float, ...], weights: tuple[float, ...]) -> Iterator[cases.Case]:
    draw = cases.rng("distillation_function")
    for temperature in temperatures:
        for weight in weights:
            images, classes = int(draw.integers(1, 7)), int(draw.integers(2, 11))
            logits = 3 * draw.standard_normal((2, images, classes))
            yield logits[0], logits[1], draw.integers(0, classes, images), temperature, weight


_STAGES = (
    (
        ((1.0, 2.0, 4.0, 9.0), (0.0,)),
        "At weight 0 it must be the cross-entropy of the student with the labels, at temperature 1.",
    ),
    (
        ((1.0, 1.0, 1.0, 1.0), (1.0,)),
        "At weight 1 and temperature 1 it must be KL(teacher || student), averaged over the images: "
        "kl_div wants the student's log-probabilities first, and reduction='batchmean'.",
    ),
    (
        ((2.0, 3.5, 4.0, 12.0), (1.0,)),
        "Temperature 1 is right, others are not. Soften both networks, and mind the square.",
    ),
    (
        ((1.0, 4.0, 7.0), (0.1, 0.5, 0.9)),
        "Both ends are right, the mixture is not: weight x soft + (1 - weight) x hard.",
    ),
)


def _for_one_case(student: Any, teacher: Any, labels: Any, temperature: float, weight: float) -> Any:
    return _loss(student, teacher, labels, 4.0, 0.9)


@exercise(
    right=[
        (_loss,),
        (_loss_in_numpy,),
        (lambda s, z, y, t, w: float(_loss(s.float(), z.float(), y, t, w)),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, 0) * (1 - w) + w * _loss(s, z, y, t, 1),),
    ],
    wrong=[
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, power=0),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, power=1),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, 1 - w),),
        (lambda s, z, y, t, w: _loss(z, s, y, t, w),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, reduction="mean"),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, reduction="sum"),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, hot=t),),
        (lambda s, z, y, t, w: _loss(s, z / t, y, t, w),),
        (lambda s, z, y, t, w: _loss_in_numpy(s, z, 0 * y, t, w),),
        (lambda s, z, y, t, w: _loss_in_numpy(s, z, y, t, round(w)),),
        (_for_one_case,),
        (lambda s, z, y, t, w: 0.0,),
        (3,),
    ],
)
def distillation_function(answer: Callable[..., Any]) -> Verdict:
    """A function of student, teacher, labels, temperature and weight that returns the whole loss."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    for settings, advice in _STAGES:
        found = cases.first_difference(
            answer,
            _loss_in_numpy,
            _batches(*settings),
            same=lambda said, wanted: cases.agrees(said, wanted, 1e-3),
        )
        if found is not None:
            return hint(advice)
    return right("The same lines train a student of any size: they look at logits only.")


@exercise(
    right=[(0.258,), (0.26,), (0.2582,)],
    wrong=[(0.8,), (0.516,), (0.2236,), (0.129,), (0.668,), (0.0,)],
)
def paired_error(answer: float) -> Verdict:
    """Gains 0.2, 1.4, 0.6, 1.0: standard deviation 0.516, standard error of the mean 0.258.

    In a class the last twin, and so the last gain, is another one.
    """
    alone = np.array([79.0, 77.6, 80.2, 78.8])
    taught = np.array([79.2, 79.0, 80.8, constants.given("paired_error")["last_twin"]])
    gains = taught - alone
    deviation = float(gains.std(ddof=1))
    hints = {
        deviation: "That is the spread of single gains. A mean of four strays half as far.",
        deviation * math.sqrt(0.75) / 2: "Nearly: divide the squares by 3, not by 4; the mean has used "
        "up one of them.",
        deviation / 4: "Divide by the root of the number of pairs.",
        float(gains.mean()): "That is the mean gain. How far would it stray with four other seeds?",
        math.sqrt(
            (alone.var(ddof=1) + taught.var(ddof=1)) / 4
        ): "That treats them as strangers. Each has a twin: take the four differences first.",
    }
    if math.isclose(answer, deviation / 2, abs_tol=0.006):
        return right(
            "The mean gain is several of these: a good sign, and with four pairs no proof. The "
            "students' own accuracies lie further apart than their gains; in pairs that does not matter."
        )
    for wrong, advice in hints.items():
        if math.isclose(answer, wrong, abs_tol=0.006):
            return hint(advice)
    return hint(
        "Take the four differences, their standard deviation (n - 1), and divide by the root of 4."
    )
