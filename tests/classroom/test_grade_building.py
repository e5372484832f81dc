"""Grading what learners build: functions, objects and C of strangers, judged as in a notebook."""

import csv
import json
import os
import re
import sys

import pytest

from tinyml_helpers import course
from tinyml_helpers.classroom.grade import calls, codec, submissions, verdicts, worker
from tinyml_helpers.classroom.grade import grading as grade
from tinyml_helpers.classroom.grade.verdicts import Assessors, judge
from tinyml_helpers.course import check, constants
from tinyml_helpers.course.constants import Seat
from tinyml_helpers.course.exercises import build_04, build_08

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
LIMITS = grade.Limits(seconds=20, memory_mib=2048, room_mib=8)
OURS = build_08.with_offset(build_08.OURS)
EQUALIZE = """
def equalize(w1, b1, w2):
    factor = (w1.abs().amax(1) / w2.abs().amax(0)).sqrt()
    factor[~factor.isfinite() | (factor == 0)] = 1
    return w1 / factor[:, None], b1 / factor, w2 * factor
check.equalize_layers(equalize)"""
EIGHT, TWO = "08_run_on_a_microcontroller", "02_post_training_quantization"


@pytest.fixture(scope="module")
def assessors():
    with Assessors() as found:
        yield found


@pytest.fixture(autouse=True)
def nobody():
    yield
    constants.join("")


def judged(assessors, exercise, source, seat=None):
    answer = submissions.Answer(exercise, source, (), 1)
    return judge(answer, LIMITS, assessors, seat=seat or Seat())


def c_cell(text):
    return f"check.dot_product({text!r})"


def hand_in(folder, learner, lesson, *sources):
    cells = [{"cell_type": "code", "source": source, "metadata": {}} for source in sources]
    place = folder / learner / f"{lesson}.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), "utf-8")


# ----- C


def test_c_is_compiled_run_and_counted_as_in_a_notebook(assessors):
    found = judged(assessors, "dot_product", c_cell(OURS))
    here = check.exercises()["dot_product"].weigh(OURS)
    assert (found.verdict, found.message, found.figures) == ("right", here.message, dict(here.figures))


@pytest.mark.parametrize("wrong", check.exercises()["dot_product"].wrong[1:-1:3])
def test_wrong_c_gets_the_same_hint_as_in_a_notebook(assessors, wrong):
    found = judged(assessors, "dot_product", c_cell(*wrong))
    assert (found.verdict, found.message) == (
        "hint",
        check.exercises()["dot_product"].weigh(*wrong).message,
    )


ATTACKS = {
    "reads an answer": '#include "{answers}"\n',
    "embeds an answer": '__asm__(".incbin \\"{answers}\\"");\n',
    "reads a password": '#include "/etc/passwd"\n',
    "nests a billion times": "".join(
        f"#define A{n} A{n + 1} A{n + 1} A{n + 1} A{n + 1} A{n + 1} A{n + 1} A{n + 1} A{n + 1}\n"
        for n in range(12)
    ) + "int a[] = {{ A0 0 }};\n",
    "includes itself": '#include "your_code.h"\n',
    "reads without end": '#include "/dev/zero"\n',
}  # fmt: skip


@pytest.mark.parametrize("kind", ATTACKS)
def test_c_that_attacks_the_compiler_gets_nothing(assessors, kind, monkeypatch):
    head = ATTACKS[kind].format(answers=build_08.__file__)
    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "COMPILING", grade.Limits(seconds=5, memory_mib=1024, room_mib=512))
        found = judged(assessors, "dot_product", c_cell(head + OURS))
    assert found.verdict in ("hint", "error"), found
    assert "check.given" not in found.message and "root:" not in found.message
    # The next one is compiled all the same.
    assert judged(assessors, "dot_product", c_cell(OURS)).verdict == "right"


FORGERIES = {
    "a program in place of C": "check.dot_product({'elf': 'AAAA'})",
    "a text that is none": (
        "class T(str):\n    __contains__ = lambda *_: True\ncheck.dot_product(T('x'))"
    ),
    "a line for the compiler": "check.dot_product('{\"compile\": {}} dot')",
    "a verdict": "check.dot_product('{\"verdict\": \"right\", \"figures\": {}} dot')",
    "figures": "check.dot_product({'dict': [['instructions_per_mac', 0.1]]})",
    "its own compiler": (
        "from tinyml_helpers.course import firmware_task\n"
        "firmware_task.COMPILER.set(lambda sources: None)\n"
        f"check.dot_product({build_08.with_offset(build_08.NAIVE)!r})"
    ),
    "its own constants": (
        "from tinyml_helpers.course import constants\n"
        "constants.CONSTANTS['dot_product']['offset'] = (0,)\n"
        f"check.dot_product({build_08.with_offset(build_08.OURS, 0)!r})"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGERIES)
def test_forged_programs_verdicts_and_figures_are_hints(assessors, kind):
    found = judged(assessors, "dot_product", FORGERIES[kind])
    assert (found.verdict, found.figures) == ("hint", {}), found


# ----- functions and objects


def test_functions_in_numpy_and_torch_are_right(assessors):
    assert judged(assessors, "equalize_layers", EQUALIZE).verdict == "right"
    lamp = (
        "def scores(weights):\n"
        "    order = abs(weights).ravel().argsort()[::-1]\n"
        "    squares = weights.ravel()[order].astype('float64') ** 2\n"
        "    made = squares.copy()\n"
        "    made[order] = squares / squares.cumsum()\n"
        "    return made.reshape(weights.shape)\n"
        "check.scores_for_pruning(scores)"
    )
    assert judged(assessors, "scores_for_pruning", lamp).verdict == "right"


@pytest.mark.parametrize(
    ("source", "verdict", "message"),
    [
        ("check.equalize_layers(lambda w1, b1, w2: (w1, b1, w2))", "hint", "the outputs stay"),
        ("def f(*_):\n    while True: pass\ncheck.equalize_layers(f)", "error", "not finished|signal"),
        ("def f(*_):\n    import os; os._exit(0)\ncheck.equalize_layers(f)", "error", "ended before"),
        ("def f(*_):\n    return b'x' * (20 << 20)\ncheck.equalize_layers(f)", "hint", "it makes"),
        ("check.scores_for_pruning(abs)", "hint", re.escape(build_04.SLIPS[0].hint)),
        ("check.scores_for_pruning(lambda w: [w] * 200_001)", "hint", "longer than 200,000 items"),
    ],
)  # fmt: skip
def test_wrong_functions_get_hints(assessors, source, verdict, message):
    name = re.search(r"check\.(\w+)", source)[1]
    # Only what never ends meets a short limit: a busy machine may take its time for the others.
    seconds = 3 if "while" in source else 60
    limits = grade.Limits(seconds=seconds, memory_mib=2048, room_mib=8)
    found = judge(submissions.Answer(name, source, (), 1), limits, assessors)
    assert re.fullmatch(verdict, found.verdict), found
    assert re.search(message, found.message), found.message


def test_objects_of_a_learners_class_are_used_where_they_are(monkeypatch):
    # What a worker puts in place of the checks, in this process until the test ends.
    monkeypatch.setitem(vars(course), "check", check)
    for name in ("check", "exercises"):
        monkeypatch.setitem(sys.modules, f"{course.__name__}.{name}", None)
    child = worker.Child()
    source = (
        "class Count:\n    def __init__(self): self.total = 0\n"
        "    def add(self, x):\n        self.total += x\n        return self.total\n"
        "    def _hidden(self): return 1\n"
        "check.zero_point(Count)"
    )
    said = child.respond({"before": [], "answer": source, "name": "zero_point", "whole": False})
    asked = []

    def fetch(number, method=""):
        def call(*given):
            message = {"call": number, "given": codec.encode(list(given), None), "named": {"dict": []}}
            asked.append(method)
            return codec.decode(
                child.respond(message | ({"method": method} if method else {}))["value"], fetch
            )

        return call

    count = codec.decode(said["answer"][0], fetch)()
    assert repr(count) == "<a Count>"
    assert (count.add(2), count.add(3)) == (2, 5)
    assert not hasattr(count, "_hidden")
    assert asked == ["", "add", "add"]


@pytest.mark.parametrize(
    "content", [["K", 1], ["K", "x", []], ["K", 1, "add"], ["K", 1, [f"m{n}" for n in range(1001)]], 3]
)
def test_damaged_objects_are_refused(content):
    with pytest.raises(ValueError):
        codec.decode({"object": content}, lambda number, method: len)


def test_an_object_has_the_methods_of_its_kind_only():
    made = codec.decode({"object": ["K", 1, ["add", "__class__", "a b", 3, "_x"]]}, lambda n, m: (n, m))
    assert vars(made) == {"_kind": "K", "add": (1, "add")}


# ----- classes


def test_a_class_has_constants_of_its_own_and_a_copy_is_wrong(assessors):
    constants.join("spring", "ann")
    mine = c_cell(build_08.with_offset(build_08.OURS, constants.given("dot_product")["offset"]))
    assert judged(assessors, "dot_product", mine, Seat("spring", "ann")).verdict == "right"
    assert judged(assessors, "dot_product", mine, Seat("spring", "bob")).verdict == "hint"
    assert judged(assessors, "dot_product", mine).verdict == "hint"
    assert judged(assessors, "dot_product", c_cell(OURS), Seat("spring", "ann")).verdict == "hint"


def test_an_answer_sees_the_constants_of_whoever_handed_it_in(assessors):
    source = (
        "check.join('spring', 'somebody else')\n"
        "offset = str(check.given('dot_product')['offset'])\n"
        f"check.dot_product({build_08.OURS!r}.replace('OFFSET', offset))"
    )
    assert judged(assessors, "dot_product", source, Seat("spring", "ann")).verdict == "right"


def test_grading_a_class_says_under_which_name_a_notebook_was_made(tmp_path):
    constants.join("spring", "ann")
    mine = c_cell(build_08.with_offset(build_08.OURS, constants.given("dot_product")["offset"]))
    seat = "check.join('spring', learner='ann')"
    hand_in(tmp_path, "ann", EIGHT, seat, mine)
    hand_in(tmp_path, "bob", EIGHT, seat, mine)
    hand_in(tmp_path, "cem", EIGHT, mine)
    rows = [
        row
        for row in grade.grade(tmp_path, LIMITS, group="spring").rows
        if row.exercise == "dot_product"
    ]
    assert [row.verdict for row in rows] == ["right", "hint", "hint"]
    assert "worked on under the name 'ann'; it was graded as that of 'bob'" in rows[1].message
    assert "worked on without a name in check.join" in rows[2].message
    assert re.fullmatch(
        r"instructions_per_mac=[\d.]+; flash_bytes=\d+; stack_bytes=\d+", rows[0].figures
    )
    assert [row.figures for row in rows[1:]] == ["", ""]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("check.join('spring', 'ann')", "ann"),
        ("check.join('spring', learner='ann')", "ann"),
        ("check.join('spring', learner=None)", ""),
        ("check.join('spring')", ""),
        ("', '.join('spring', 'ann')", ""),
        ("other.join('spring', learner='ann')", ""),
        ("# check.join('spring', 'ann')", ""),
        ("check.join('spring', learner=name)", ""),
        ("check.join(", ""),
        # Python would refuse the next two: they must not stop the grader.
        ("check.join('spring', name, learner='ann')", ""),
        ("check.join('spring', 'ann', learner=name)", "ann"),
    ],
)
def test_the_name_in_a_notebook_is_found_by_its_syntax(source, name):
    assert calls.find_name(source, frozenset({"check"})) == name


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from tinyml_helpers.course import check as c", {"c"}),
        ("import tinyml_helpers.course.check as c\nimport numpy as np", {"c"}),
        ("import numpy as np\nfrom tinyml_helpers.course import check, check as c", {"c"}),
        ("import numpy as np  # check as c", set()),
        ("from tinyml_helpers.course import check", set()),
        ("import check as", set()),
    ],
)
def test_other_names_of_check_are_found_by_their_syntax(source, names):
    assert calls.names_of_check(source) == names


def test_guesses_are_never_graded(tmp_path):
    hand_in(
        tmp_path, "ann", TWO,
        "from tinyml_helpers.course.predictions import predict",
        "guess = predict('x, in KB', 'nonsense', lesson=2)",
        "check.zero_point(64)",
    )  # fmt: skip
    row = grade.grade(tmp_path, LIMITS).rows[0]
    assert (row.exercise, row.verdict) == ("zero_point", "right")


def test_the_command_takes_a_class_and_writes_figures(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from tinyml_helpers import cli

    monkeypatch.chdir(tmp_path)
    constants.join("spring", "ann")
    mine = build_08.with_offset(build_08.OURS, constants.given("dot_product")["offset"])
    hand_in(tmp_path / "class", "ann", EIGHT, c_cell(mine))
    said = CliRunner().invoke(cli.app, ["grade", "class", "--class", "spring"])
    assert said.exit_code == 0, said.output
    rows = {row["exercise"]: row for row in csv.DictReader((tmp_path / "grades.csv").open())}
    assert rows["dot_product"]["figures"].startswith("instructions_per_mac=")
    said = CliRunner().invoke(cli.app, ["leaderboard", "."])
    assert re.search(r"dot_product\n +learner +instructions per mac .*\n1 +ann .* graded", said.output)
    assert CliRunner().invoke(cli.app, ["leaderboard", "nowhere"]).exit_code == 1
