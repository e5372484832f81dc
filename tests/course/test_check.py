import numbers
import re

import numpy as np
import pytest

from tinyml_helpers.course import check

EXERCISES = check.exercises()


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_answered_not_tried_yet(name):
    assert getattr(check, name)(None).status == "not tried yet"


WRONG = [(name, wrong) for name, made in EXERCISES.items() for wrong in made.wrong]


@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=[f"{n}-{i}" for i, (n, _) in enumerate(WRONG)])
def test_a_wrong_answer_gets_a_hint(name, wrong):
    verdict = getattr(check, name)(*wrong)
    assert verdict.status == "hint"
    assert len(verdict.message) > 20


RIGHT = [(name, right) for name, made in EXERCISES.items() for right in made.right]


@pytest.mark.parametrize(("name", "right"), RIGHT, ids=[f"{n}-{i}" for i, (n, _) in enumerate(RIGHT)])
def test_a_right_answer_is_accepted(name, right):
    verdict = getattr(check, name)(*right)
    assert verdict.status == "right", verdict.message


def numbers_in(value):
    """The numbers of an answer, which a verdict must not give away."""
    if isinstance(value, bool | str) or callable(value):
        return []
    parts = np.ravel(np.asarray(value, dtype=object))
    return [float(part) for part in parts if isinstance(part, numbers.Real)]


@pytest.mark.parametrize("name", EXERCISES)
def test_no_verdict_gives_the_answer_away(name):
    made = EXERCISES[name]
    secret = {number for right in made.right for part in right for number in numbers_in(part)}
    # What nobody could hide: it is in every sentence.
    secret -= {0.0, 1.0}
    for answer in (*made.right, *made.wrong):
        message = getattr(check, name)(*answer).message
        said = {float(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?", message)}
        assert not said & secret, message


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_knows_a_right_answer(name):
    assert EXERCISES[name].right


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("nonsense", ["words", [], object(), lambda: 1 / 0, float("nan"), -1])
def test_nonsense_gets_a_hint_and_never_an_error(name, nonsense):
    assert getattr(check, name)(nonsense).status == "hint"


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_is_tried_with_two_wrong_answers_at_least(name):
    assert len(EXERCISES[name].wrong) >= 2


@pytest.mark.parametrize("answer", ["27", " 27.0 ", "-3"])
def test_a_number_in_quotation_marks_is_told_to_be_text(answer):
    verdict = check.windows_in_recording(answer)
    assert verdict.status == "hint" and "without quotation marks" in verdict.message


def test_a_function_that_forgets_to_return_is_told_so():
    verdict = check.report_function(lambda scores, threshold, silent: None)
    assert verdict.status == "hint" and "returns nothing: end it with return" in verdict.message


def test_a_function_that_stops_is_to_be_called_by_its_learner():
    stopped = check.report_function(lambda scores, threshold, silent: 1 / 0)
    assert "ZeroDivisionError" in stopped.message and "Call your function yourself" in stopped.message
    assert "Is it of the kind" in check.macs_left(0.5).message


def test_an_unknown_exercise_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no exercise 'zero': choose one of .*zero_point"):
        check.zero  # noqa: B018


def test_verdicts_are_safe_html():
    assert "&lt;b&gt;" in check.hint("<b>")._repr_html_()
    assert repr(check.right("Why.")) == "✓ Right. Why."
