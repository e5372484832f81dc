"""Grading: the right cell, the statements that it needs, answers as data, a table safe to open."""

import csv
import io
import json
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers.classroom.grade import codec, report, slicing, submissions
from tinyml_helpers.classroom.grade import grading as grade
from tinyml_helpers.course import syllabus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
TWO = "02_post_training_quantization"


def notebook(*sources, **metadata):
    """A notebook of code cells."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": metadata, "outputs": []}
        for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def hand_in(folder, learner, *sources, lesson=TWO):
    """Put a notebook into a learner's folder."""
    place = folder / learner / f"{lesson}.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(notebook(*sources), "utf-8")
    return place


def handed_in_originals(folder, numbers):
    """The lessons themselves, with the printed solution in place of each stub."""
    printed = submissions.read_exercises()
    for lesson in syllabus.select(numbers):
        content = json.loads(lesson.path.read_text("utf-8"))
        cells = [cell for cell in content["cells"] if "solution" not in cell["metadata"].get("tags", [])]
        for cell in cells:
            if "exercise" in cell["metadata"].get("tags", []):
                (name,) = submissions.Cell("".join(cell["source"])).checks
                cell["source"] = printed[name][2].source
        content["cells"] = cells
        (folder / f"{lesson.name}_ann.ipynb").write_text(json.dumps(content), "utf-8")


# ----- whole


def test_lessons_with_their_own_solutions_are_right_in_every_exercise(tmp_path):
    handed_in_originals(tmp_path, [1, 4, 9, 12])  # numbers, masks, lists, names of the package
    rows = grade.grade(tmp_path, workers=2).rows
    assert [row.verdict for row in rows] == ["right"] * 12, [row.message for row in rows]
    assert {row.learner for row in rows} == {"ann"}
    assert [row.lesson for row in rows] == [1] * 3 + [4] * 3 + [9] * 3 + [12] * 3


def test_each_verdict_comes_out_in_one_class(tmp_path):
    hand_in(
        tmp_path,
        "ann",
        "import numpy as np",
        "my_zero_point = round(1 / (4 / 255))\ncheck.zero_point(my_zero_point)",
        "my_quantize = lambda v, s, z: np.round(v / s)\ncheck.quantize_function(my_quantize)",
        "my_equalize = None\ncheck.equalize_layers(my_equalize)",
    )
    hand_in(tmp_path, "bob", "check.zero_point(1 / 0)", "check.quantize_function(print", "x = 1")
    told = grade.grade(tmp_path)
    assert [(row.learner, row.verdict) for row in told.rows] == [
        ("ann", "right"), ("ann", "hint"), ("ann", "not tried"),
        ("bob", "error"), ("bob", "error"), ("bob", "not tried"),
    ]  # fmt: skip
    assert "ZeroDivisionError" in told.rows[3].message
    assert "SyntaxError" in told.rows[4].message
    assert repr(told).splitlines() == [
        "learner  right  hint  not tried  error",
        "ann          1     1          1      0",
        "bob          0     0          1      2",
    ]


def test_the_command_writes_a_table(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from tinyml_helpers import cli

    hand_in(tmp_path / "class", "ann", "check.zero_point(64)")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(cli.app, ["grade", "class", "--seconds", "30"])
    assert said.exit_code == 0, said.output
    assert "3 rows are in grades.csv" in said.output
    rows = list(csv.DictReader((tmp_path / "grades.csv").open()))
    assert rows[0]["verdict"] == "right"
    assert CliRunner().invoke(cli.app, ["grade", "nowhere"]).exit_code == 1
    lost = CliRunner().invoke(cli.app, ["grade", "class", "--out", "nowhere/grades.csv"])
    assert (lost.exit_code, "cannot be written" in lost.output) == (1, True)


def test_all_cells_run_if_asked(tmp_path):
    # The value is made by a call without an assignment, which only --whole runs.
    cells = ("found = []", "[].append(0)\nfound.append(64)", "check.zero_point(found[0])")
    hand_in(tmp_path, "ann", *cells)
    assert grade.grade(tmp_path).rows[0].verdict == "error"
    assert grade.grade(tmp_path, whole=True).rows[0].verdict == "right"


# ----- which cell


def test_stubs_and_printed_solutions_do_not_count():
    printed = submissions.read_exercises()
    _, stub, solution = printed["zero_point"]
    empty = submissions.Cell(stub)
    assert submissions.find_answer([empty, solution], "zero_point") is None
    # Some tools drop tags and ids: the solution that follows the stub is still the printed one.
    bare = submissions.Cell(solution.source)
    assert submissions.find_answer([empty, bare], "zero_point") is None
    # An edition for a class may drop the comment that our own tests need.
    tagged = submissions.Cell(solution.source.partition("\n")[2], "another", is_solution=True)
    assert submissions.find_answer([tagged], "zero_point") is None
    # A learner who writes the same into the only cell has answered.
    assert submissions.find_answer([bare], "zero_point").attempts == 1


def test_the_last_attempt_counts_and_all_are_counted():
    cells = [submissions.Cell(f"check.zero_point({n})") for n in (1, 2, 64)]
    found = submissions.find_answer([submissions.Cell("x = 3"), *cells], "zero_point")
    assert (found.source, found.before, found.attempts) == ("check.zero_point(64)", ("x = 3",), 3)


def test_a_check_in_a_comment_is_none():
    assert submissions.Cell("# check.zero_point(64)\nx = 1").checks == set()
    assert submissions.Cell("check.nothing_known(1)").checks == set()


def test_learners_by_folder_and_by_file(tmp_path):
    for name in (f"{TWO}_ann.ipynb", f"bob-{TWO}.ipynb", f"{TWO}.ipynb", "cem.ipynb"):
        (tmp_path / name).write_text(notebook("x = 1"), "utf-8")
    hand_in(tmp_path, "dora", "x = 1")
    (tmp_path / "emil").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a.ipynb").write_text("", "utf-8")
    assert [one.learner for one in submissions.find(tmp_path)] == sorted(
        ["ann", "bob", TWO, "cem", "dora", "emil"]
    )
    rows = {row.learner: row for row in grade.grade(tmp_path).rows}
    assert (
        rows["emil"].message
        == "The file is missing: no notebook in the folder, down to 12 folders deep."
    )
    assert rows["cem"].message == "The file has no exercise of the course."


@pytest.mark.parametrize(("name", "message"), [("none", "no folder"), ("empty", "no notebook in")])
def test_a_folder_with_nothing_says_so(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        grade.grade(tmp_path / name)


# ----- what a cell needs


def run_of(before, answer):
    import ast

    return [ast.unparse(statement) for statement in slicing.select_statements(before, answer)]


def test_only_what_is_needed_runs():
    before = [
        "import numpy as np, torch\nfrom a import b, c as d",
        "fashion = load()\ntorch.manual_seed(0)",
        "k = 2\ndef double(x):\n    k2 = k\n    return np.float64(k2 * x)",
        "x = torch.ones(3)",
    ]
    found = run_of(before, "check.zero_point([double(x) for x in range(3)])")
    assert [line.split("\n")[0] for line in found] == ["import numpy as np", "k = 2", "def double(x):"]
    assert run_of(before, "x = 1\ncheck.zero_point(x)") == []
    assert run_of(before, "check.zero_point(d)") == ["from a import c as d"]


@pytest.mark.parametrize(
    "answer",
    [
        "f([x + a for x in b])",
        "f({x + a for x in b})",
        "f({x: a for x in b})",
        "f(lambda n: [x for y in n for x in y if a in b])",
        "def g():\n    return {x: [a for y in x] for x in b}\nf(g)",
    ],
)
def test_names_of_a_comprehension_are_its_own(answer):
    before = ["x = y = 1", "a = 2", "b = [3]"]
    assert run_of(before, answer) == ["a = 2", "b = [3]"]


def test_changes_in_place_and_the_latest_definition_count():
    before = [
        "a = 1",
        "a = [0]\na[0] = 5\na += [1]",
        "for i in range(2):\n    total = i",
        "(syntax error",
    ]
    assert run_of(before, "f(a)") == ["a = [0]", "a[0] = 5", "a += [1]"]
    assert run_of(before, "f(lambda i: total)") == ["for i in range(2):\n    total = i"]
    assert run_of(["n = 1"], "n += 1\nf(n)") == ["n = 1"]
    assert run_of(["n = 1"], "!ls\n%matplotlib inline\nf(n)") == ["n = 1"]


# ----- answers as data

single = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain_data = st.recursive(
    single | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(-(1 << 60), 1 << 60), inner, max_size=3)
    ),
    max_leaves=10,
)


def there_and_back(value, functions=()):
    kept = list(functions)

    def keep(function):
        kept.append(function)
        return len(kept) - 1

    return codec.decode(json.loads(json.dumps(codec.encode(value, keep))), kept.__getitem__)


@settings(max_examples=100, deadline=None)
@given(plain_data)
def test_data_arrives_equal_and_of_the_same_type(value):
    assert repr(there_and_back(value)) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.int8).reshape(2, 3),
        np.array([True, False]),
        np.array(2.5),
        np.zeros((0, 3), np.float32),
        np.array(["ann", "bob"]),
        np.arange(6)[::2],
    ],
)
def test_arrays_arrive_equal(value):
    back = there_and_back(value)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert np.array_equal(back, value)


def test_what_is_no_data_arrives_as_a_name():
    class Sly:
        def __eq__(self, other):
            return True

        def __float__(self):
            return 64.0

    arrived = there_and_back([Sly()])[0]
    assert repr(arrived) == "<a Sly>"
    assert arrived != 64
    assert there_and_back(range(3)) == [0, 1, 2]
    assert there_and_back({1: 2}.keys()) == [1]
    assert math.isnan(there_and_back(float("nan")))
    assert there_and_back(np.float32(0.5)) == np.float32(0.5)
    assert there_and_back(len)("four") == 4


def test_tensors_and_tables_of_pandas():
    import pandas as pd
    import torch

    assert torch.equal(there_and_back(torch.tensor([1.5, 2])), torch.tensor([1.5, 2]))
    assert there_and_back(pd.Series([1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize(
    "message",
    [
        {"pickle": "gASV"},
        {"a": 1, "b": 2},
        {"array": ["O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [10**12], "AAAAAAAAAAA="]},
        {"array": ["<f8", [-5], "AAAAAAAAAAA="]},
        {"array": ["<f8", None, "!!"]},
        {"array": 3},
        {"texts": [[1], 2]},
        {"texts": {"a": 1}},
        {"dict": [[[1], 2]]},
        {"dict": [1]},
        {"tuple": 3},
        {"complex": []},
        {"function": "x"},
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    ],
)
def test_messages_that_describe_no_value_are_refused(message):
    with pytest.raises(ValueError):
        codec.decode(message, lambda number: len)


def test_what_cannot_be_sent_says_so():
    nested: list = []
    for _ in range(50):
        nested = [nested]
    with pytest.raises(ValueError, match="deep"):
        there_and_back(nested)
    with pytest.raises(ValueError, match="longer than 200,000 items"):
        there_and_back(iter(int, 1))
    with pytest.raises(ValueError, match="too large"):
        there_and_back(np.zeros(10**6))


# ----- the table


def row(**changes):
    usual = ("ann", "ann/a.ipynb", 2, "zero_point", "right", 1, "Good.", 0.123, "")
    return report.Row(**{**dict(zip(report.Row.__dataclass_fields__, usual, strict=True)), **changes})


def test_a_spreadsheet_finds_no_formula_and_a_terminal_no_codes():
    sly = ('=HYPERLINK("x")', "+1", "-2", "@sum", "\t=1", "\x1b[2Jgone", "a\nb,right", "\u202egnp.x")
    text = report.Report(tuple(row(learner=name, message=name) for name in sly)).csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [one["learner"] for one in rows] == [
        "'=HYPERLINK(\"x\")", "'+1", "'-2", "'@sum", "'=1", "[2Jgone", "a b,right", "gnp.x",
    ]  # fmt: skip
    assert "\x1b" not in repr(report.Report((row(learner="\x1b[2J"),)))


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    report.Report((row(learner="caf\udce9"),)).write(tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text("utf-8").count("\n") == 2


def test_the_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    out = tmp_path / "grades.csv"
    out.write_text("before", "utf-8")
    monkeypatch.setattr(report.Report, "csv", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.Report((row(),)).write(out)
    assert out.read_text("utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["grades.csv"]


def test_windows_is_told_where_it_works(monkeypatch):
    from tinyml_helpers.classroom.grade import sandbox

    monkeypatch.setattr(sandbox, "os", type("os", (), {"name": "nt"}))
    with pytest.raises(RuntimeError, match="on Windows run it in WSL"):
        sandbox.Sandbox(grade.Limits())


def test_numbers_of_system_calls_are_those_of_the_kernels_headers():
    import re
    from pathlib import Path

    import ziglang

    from tinyml_helpers.classroom.grade import seccomp

    headers = Path(ziglang.__path__[0], "lib", "libc", "include")
    for column, places in (
        (0, ["x86-linux-any/asm/unistd_64.h"]),
        (1, ["aarch64-linux-any/asm/unistd_64.h", "any-linux-any/asm-generic/unistd.h"]),
    ):
        place = next(headers / place for place in places if (headers / place).exists())
        text = place.read_text("utf-8")
        known = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
        tables = (seccomp.TABLE, seccomp.ON_SELF, seccomp.CLONES, *seccomp.REFUSED_VALUES)
        ours = {name: n for table in tables for name, n in seccomp.numbers(table, column).items()}
        assert {name: known.get(name) for name in ours} == ours
