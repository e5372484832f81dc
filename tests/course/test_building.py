"""Exercises that build: the verdict says what is right, which slip it is, and the smallest case."""

import numpy as np
import pytest

from tinyml_helpers.course import building, cases, check
from tinyml_helpers.course.exercises import build_02, build_04


def _sum(values, factor):
    return values.sum() * factor


TASK = building.Task(
    asked="weighted(values, factor) returns the sum of the values, times a factor.",
    arguments=("values", "factor"),
    reference=_sum,
    draw_case=lambda draw, size: (draw.normal(size=size), float(draw.uniform(1, 2))),
    slips=(
        building.Slip(lambda values, factor: values.sum(), "The factor is missing."),
        building.Slip(lambda values, factor: values.mean() * factor, "That is the mean."),
        building.Slip(lambda values, factor: values.sum() / 0, "Divided by zero."),
    ),
    parts=(
        building.Part("one number", lambda case, said, wanted: np.ndim(said) == 0),
        building.Part("the sign", lambda case, said, wanted: said * wanted >= 0),
    ),
    same=cases.agrees,
    special=((np.array([0.0]), 1.0),),
)


def judged(answer):
    return building.judge(TASK, "weighted", answer, "Because.")


def test_right_answers_in_numpy_and_torch():
    assert repr(judged(_sum)) == "✓ Right. Because."
    assert judged(lambda values, factor: values.clone().sum() * factor).status == "right"


def test_the_verdict_says_what_is_asked_right_wrong_and_how():
    said = judged(lambda values, factor: values.sum()).message
    assert said.startswith(
        "weighted(values, factor) returns the sum of the values, times a factor. "
        "Right already: one number; the sign. The factor is missing. The smallest case that fails: of "
    )


def test_the_smallest_case_is_one_value_and_rounded():
    # Wrong for negative values only; the smallest case has one of them, the simplest a whole number.
    said = judged(lambda values, factor: np.abs(values).sum() * factor).message
    case = said.partition("of values = ")[2]
    assert case.startswith("[-") and case.index("]") < 5, said
    assert "it makes" in said and "is wanted." in said
    assert "Right already: one number." in said
    larger = judged(lambda values, factor: _sum(values[:3], factor)).message
    values = larger.partition("values = [")[2].partition("]")[0]
    assert len(values.split(",")) == 4  # three values are summed rightly


def test_a_slip_is_named_only_if_it_agrees_in_every_case():
    assert "That is the mean." in judged(lambda v, f: v.mean() * f).message
    assert "That is the mean." not in judged(lambda v, f: v.mean() * f + (len(v) == 5)).message


def test_a_slip_that_makes_no_number_is_recognized():
    with np.errstate(all="ignore"):
        assert "Divided by zero." in judged(lambda v, f: v.sum() / 0).message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (3, "Give the function itself"),
        (lambda values, factor: None, "returns nothing"),
        (lambda values: values, "stops with TypeError"),
        (lambda values, factor: values[7], "stops with IndexError"),
        (lambda values, factor: "three", "it makes 'three'"),
        (lambda values, factor: values, "it makes ["),
        (lambda values, factor: object(), "it makes <object"),
    ],
)
def test_what_is_of_another_kind_gets_a_sentence(answer, message):
    found = judged(answer)
    assert found.status == "hint"
    assert message in found.message, found.message


def test_an_answer_that_stops_for_some_cases_shows_the_smallest_of_them():
    def stops(values, factor):
        if len(values) == 4:
            raise ValueError("not four")
        return _sum(values, factor)

    said = judged(stops).message
    assert "your function stops with ValueError: not four" in said
    values = said.partition("values = [")[2].partition("]")[0]
    assert len(values.split(",")) == 4


def test_hidden_cases_cannot_be_told_from_an_example():
    example = next(iter([TASK.draw_case(cases.rng("weighted"), 1)]))
    answers = {float(example[0][0]): _sum(*example)}
    assert judged(lambda values, factor: answers.get(float(values[0]), 0.0)).status == "hint"


# ----- the exercises themselves

SLIPS = [("equalize_layers", slip) for slip in build_02.SLIPS]
SLIPS += [("scores_for_pruning", slip) for slip in build_04.SLIPS]


@pytest.mark.parametrize(
    ("name", "slip"), SLIPS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(SLIPS)]
)
def test_each_slip_gets_its_own_hint(name, slip):
    assert slip.hint in getattr(check, name)(slip.function).message


def test_equalizing_says_what_holds_already():
    said = check.equalize_layers(lambda w1, b1, w2: (w1, b1, w2)).message
    assert "Right already: three arrays of the right shapes; the outputs stay as they were." in said
    said = check.equalize_layers(build_02._each_to_one).message
    assert "the outputs stay" not in said.partition("The smallest")[0].partition("Right already")[2]


def test_scores_may_take_any_form_that_orders_alike():
    assert check.scores_for_pruning(lambda w: np.log(build_04._lamp(w) + 1e-12)).status == "right"
    assert build_04.SLIPS[0].hint in check.scores_for_pruning(lambda w: w**2 * 3 - 1).message
