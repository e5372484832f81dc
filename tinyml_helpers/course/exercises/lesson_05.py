"""Exercises of lesson 05, knowledge distillation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinyml_helpers.course.check import Verdict, exercise, hint, right


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@exercise(wrong=[(98.2,), (0.731,), (50,), (26.9,)])
def softened_percent(answer: float) -> Verdict:
    """Logits 4 (shirt) and 0 (coat) at temperature 4: 1 / (1 + 1/e) = 73.1 percent."""
    percent = 100 * _sigmoid(4 / 4)
    if math.isclose(answer, percent, abs_tol=0.06):
        return right(
            "At temperature 1 it was 98.2: the student would hardly have noticed that a coat is near."
        )
    if math.isclose(answer, 100 * _sigmoid(4), abs_tol=0.06):
        return hint("That is at temperature 1. Divide both logits by the temperature first.")
    if math.isclose(answer, percent / 100, abs_tol=6e-4):
        return hint("The right share; give it in percent.")
    if math.isclose(answer, 100 - percent, abs_tol=0.06):
        return hint("That is the other class.")
    return hint("Divide both logits by 4, raise e to each, and take the first one's share of the sum.")


def _loss(
    student: Any,
    teacher: Any,
    labels: Any,
    temperature: float,
    weight: float,
    power: int = 2,
    reduction: str = "batchmean",
) -> Any:
    from torch.nn import functional

    soft = functional.kl_div(
        functional.log_softmax(student / temperature, 1),
        functional.softmax(teacher / temperature, 1),
        reduction=reduction,
    )
    hard = functional.cross_entropy(student, labels)
    return weight * temperature**power * soft + (1 - weight) * hard


@exercise(
    wrong=[
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, power=0),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, power=1),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, 1 - w),),
        (lambda s, z, y, t, w: _loss(z, s, y, t, w),),
        (lambda s, z, y, t, w: _loss(s, z, y, t, w, reduction="mean"),),
        (3,),
    ]
)
def distillation_function(answer: Callable[..., Any]) -> Verdict:
    """A function of student, teacher, labels, temperature and weight that returns the whole loss."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")

    import torch

    student = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 0.2]])
    teacher = torch.tensor([[1.0, 3.0, -2.0], [-1.0, 4.0, 2.0]])
    given = student, teacher, torch.tensor([1, 2])

    def says(temperature: float, weight: float) -> tuple[float, float]:
        numbers = (temperature, weight)
        return float(answer(*given, *numbers)), float(_loss(*given, *numbers))

    if not math.isclose(*says(1.0, 0.0), rel_tol=1e-3):
        return hint("At weight 0 it must be the plain cross-entropy of the student with the labels.")
    if not math.isclose(*says(1.0, 1.0), rel_tol=1e-3):
        return hint(
            "At weight 1 and temperature 1 it must be KL(teacher || student), averaged over the images: "
            "kl_div wants the student's log-probabilities first, and reduction='batchmean'."
        )
    if not math.isclose(*says(4.0, 1.0), rel_tol=1e-3):
        return hint("Temperature 1 is right, 4 is not. Soften both networks, and mind the square.")
    if not math.isclose(*says(4.0, 0.3), rel_tol=1e-3):
        return hint("Both ends are right, the mixture is not: weight x soft + (1 - weight) x hard.")
    return right("Nine tenths of the literature on distillation is a variation on this function.")


@exercise(wrong=[(0.8,), (0.516,), (0.2236,), (0.0,)])
def paired_error(answer: float) -> Verdict:
    """Gains 0.2, 1.4, 0.6, 1.0: standard deviation 0.516, standard error of the mean 0.258."""
    gains = (0.2, 1.4, 0.6, 1.0)
    mean = sum(gains) / 4
    deviation = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / 3)
    if math.isclose(answer, deviation / 2, abs_tol=0.006):
        return right(
            "The mean gain, 0.8, is three standard errors: a good sign, and with four pairs no proof. "
            "The students' own accuracies lay up to 2.6 points apart; in pairs that does not matter."
        )
    if math.isclose(answer, deviation, abs_tol=0.006):
        return hint("That is the spread of single gains. A mean of four strays half as far.")
    if math.isclose(answer, deviation * math.sqrt(0.75) / 2, abs_tol=0.006):
        return hint("Nearly: divide the squares by 3, not by 4; the mean has used up one of them.")
    if math.isclose(answer, mean, abs_tol=0.006):
        return hint("That is the mean gain. How far would it stray if you drew four other seeds?")
    return hint(
        "Take the four differences, their standard deviation (n - 1), and divide by the root of 4."
    )
