"""Constants of exercises: everybody's, or each learner's own in a class."""

import ast
import re
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest

from tinyml_helpers.course import check, constants, syllabus
from tinyml_helpers.course.exercises import build_08

pytestmark = pytest.mark.usefixtures("results")
NAMES = [f"learner {number}" for number in range(200)]


@pytest.fixture(autouse=True)
def nobody():
    yield
    constants.join("")


def drawn(group, name):
    constants.join(group, name)
    return constants.given("dot_product")["offset"]


def test_without_a_class_everybody_has_the_same():
    assert {drawn("", name) for name in NAMES} == {128}
    assert constants.given("scores_for_pruning") == {"percent": 70}


def test_in_a_class_nobody_has_everybodys_and_few_share():
    found = [drawn("spring", name) for name in NAMES]
    assert set(found) == set(range(101, 128))
    assert max(found.count(value) for value in found) < 30


def test_constants_depend_on_class_and_exercise_too():
    spring, autumn = ([drawn(group, name) for name in NAMES] for group in ("spring", "autumn"))
    assert sum(a == b for a, b in zip(spring, autumn, strict=True)) < 40
    constants.join("spring", "ann")
    assert set(constants.given("scores_for_pruning")["percent"] for _ in NAMES) == {
        constants.given("scores_for_pruning")["percent"]
    }


@pytest.mark.parametrize("name", ["Ann Smith", "ann_smith", " ANN-SMITH ", "\uff21nn Smith"])
def test_a_name_counts_by_its_letters(name):
    assert drawn("spring", name) == drawn("spring", "annsmith")


def test_the_same_in_another_process():
    code = (
        "from tinyml_helpers.course import constants as c\n"
        "c.join('spring', 'ann')\nprint(c.given('dot_product')['offset'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(said.stdout) == drawn("spring", "ann")


def test_a_copied_answer_is_a_wrong_answer():
    mine = build_08.with_offset(build_08.OURS, drawn("spring", "ann"))
    assert check.dot_product(mine).status == "right"
    other = next(name for name in NAMES if drawn("spring", name) != drawn("spring", "ann"))
    constants.join("spring", other)
    assert check.dot_product(mine).status == "hint"


def test_a_class_without_a_name_asks_for_it():
    for nameless in (None, "", " - "):
        assert "put the name under which you hand in" in repr(check.join("spring", nameless))
        assert "First put your name" in check.dot_product("int32_t dot() {}").message
    assert "those of ann" in repr(check.join("spring", "ann"))
    assert "No class" in repr(check.join(""))


def test_an_exercise_without_constants_says_so():
    with pytest.raises(ValueError, match="'kept_boxes' has no constants"):
        check.given("kept_boxes")


def solutions():
    """The printed solution of each exercise that has constants and is answered by a number or a word."""
    for lesson in syllabus.lessons():
        for cell in nbformat.read(lesson.path, 4).cells:
            if "solution" in cell.metadata.get("tags", ()) and "check.given(" in cell.source:
                yield re.findall(r"check\.(\w+)\(", cell.source)[-1], cell.source


SOLUTIONS = dict(solutions())
ANSWERED = sorted(set(constants.CONSTANTS) - {"dot_product", "scores_for_pruning"})


@pytest.mark.parametrize("exercise", ANSWERED)
def test_each_learner_has_an_answer_of_their_own(exercise):
    """The printed solution, run with a learner's constants, is right; everybody's answers are not."""
    [values] = constants.CONSTANTS[exercise].values()
    assert len(set(values)) == len(values)
    met = set()
    for name in NAMES:
        constants.join("spring", name)
        [mine] = check.given(exercise).values()
        if mine not in met:
            met.add(mine)
            verdict = eval_last(SOLUTIONS[exercise])
            assert verdict.status == "right", (mine, verdict)
            for copied in check.exercises()[exercise].right:
                assert check.exercises()[exercise](*copied).status == "hint", (mine, copied)
    assert met == set(values[1:])


def eval_last(source):
    """What the last line of a cell evaluates to."""
    body = ast.parse(source).body
    names = {"check": check, "np": np, "pd": pd}
    exec(compile(ast.Module(body[:-1], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(body[-1].value), "cell", "eval"), names)
