"""One bad submission costs its own row: the others are graded, in bounded time, and nothing is lost."""

import csv
import errno
import json
import os
import re
import signal
import time

import psutil
import pytest

from tinyml_helpers.classroom.grade import (
    codec,
    lockdown,
    process_usage,
    report,
    slicing,
    submissions,
)
from tinyml_helpers.classroom.grade import grading as grade
from tinyml_helpers.classroom.grade import verdicts as grade_verdicts
from tinyml_helpers.classroom.grade.sandbox import Sandbox, StoppedError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
TWO = "02_post_training_quantization"
LIMITS = grade.Limits(seconds=20, memory_mib=1024, room_mib=8)
COLLIDING = (1 << 61) - 1


def hand_in(folder, learner, *sources, name=TWO):
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    place = folder / learner / f"{name}.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return place


SAY = (
    "import json, os\nfor fd in range(3, 20):\n    try:\n"
    "        os.write(fd, json.dumps({'answer': [%s]}).encode() + b'\\n')\n"
    "    except OSError: pass\nimport time; time.sleep(1)"
)
HOSTILE = {
    "half a complex number": SAY % "{'complex': []}",
    "a tensor of nothing": SAY % "{'tensor': {'thing': 'x'}}",
    "a tensor that is none": (
        "import numpy as np, torch\nclass Sly(torch.Tensor):\n"
        "    def detach(self): return self\n    def cpu(self): return self\n"
        "    def numpy(self): return np.array([object()])\n"
        "check.zero_point(torch.zeros(1).as_subclass(Sly))"
    ),
    "keys of one hash": (
        "from collections.abc import Mapping\nclass Flood(Mapping):\n"
        f"    def items(self): return [(k * {COLLIDING}, 0) for k in range(1, 150_000)]\n"
        "    def __getitem__(self, key): return 0\n    def __iter__(self): return iter(())\n"
        "    def __len__(self): return 0\ncheck.zero_point(Flood())"
    ),
    "one long text and many short ones": SAY % "{'texts': ['x' * 400_000] + ['a'] * 1000}",
    "blank lines": "\n" * 150_000 + "check.zero_point(1)",
    "more code than a learner writes": "x = 1\n" * 100_000 + "check.zero_point(1)",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_class_is_graded_whatever_one_hands_in(kind, tmp_path):
    hand_in(tmp_path, "ann", "check.zero_point(64)")
    hand_in(tmp_path, "mallory", HOSTILE[kind])
    hand_in(tmp_path, "zoe", "check.zero_point(64)")
    start = time.monotonic()
    rows = [row for row in grade.grade(tmp_path, LIMITS).rows if row.exercise in ("zero_point", "")]
    assert time.monotonic() - start < 60
    verdicts = {row.learner: row.verdict for row in rows}
    assert verdicts["ann"] == verdicts["zoe"] == "right"
    assert verdicts["mallory"] in ("error", "hint")


def test_a_judge_that_raises_costs_one_row(tmp_path, monkeypatch):
    for learner in ("ann", "bob"):
        hand_in(tmp_path, learner, "check.zero_point(64)")
    honest = grade.judge

    def judge(answer, *rest):
        if not judge.called:
            judge.called = True
            raise RuntimeError("a fault of ours")
        return honest(answer, *rest)

    judge.called = False
    monkeypatch.setattr(grade, "judge", judge)
    rows = [row for row in grade.grade(tmp_path).rows if row.exercise == "zero_point"]
    assert [row.verdict for row in rows] == ["error", "right"]
    assert "could not be judged (RuntimeError: a fault of ours)" in rows[0].message


ABOUT = b'{"exercise": "zero_point", "group": "", "learner": ""}'
ZERO_POINT = submissions.Answer("zero_point", "check.zero_point(64)", (), 1)


def test_a_judge_that_is_killed_costs_one_row_and_the_next_one_judges():
    with grade_verdicts.Assessors() as assessors:
        with assessors.one() as bench:
            os.kill(bench._process.pid, signal.SIGKILL)
        first, second = (grade_verdicts.judge(ZERO_POINT, LIMITS, assessors) for _ in range(2))
    assert first.verdict == "error"
    assert first.message == (
        "Your answer could not be judged: judging it was ended by signal 9 (Killed)."
    )
    assert second.verdict == "right"


def test_judging_has_a_deadline_of_its_own(monkeypatch):
    monkeypatch.setattr(grade_verdicts, "JUDGING", grade.Limits(seconds=0.001))
    with grade_verdicts.Assessors() as assessors:
        found = grade_verdicts.judge(ZERO_POINT, LIMITS, assessors)
    assert (found.verdict, found.message) == (
        "error", "Your answer could not be judged: judging it was not finished after 0.001 s.",
    )  # fmt: skip


def test_an_answer_that_takes_much_memory_to_read_takes_none_here(monkeypatch):
    lists = b"[" + b"[]," * 2_600_000 + b"[]]"  # 8 MB of text, and 170 MB of lists

    class Liar:
        exchange = staticmethod(lambda _: lists)

    before = psutil.Process().memory_info().rss
    monkeypatch.setattr(grade_verdicts, "JUDGING", grade.Limits(memory_mib=128))
    with grade_verdicts.Assessors() as assessors, assessors.one() as bench:
        found = grade_verdicts._judged(Liar, bench, ABOUT, lists, None)
    assert (found.verdict, found.message) == (
        "error", "Your code wrote into the grader's channel what is no answer.",
    )  # fmt: skip
    assert psutil.Process().memory_info().rss - before < 64 << 20


def test_one_judge_serves_many_answers_and_none_outlives_the_class():
    with grade_verdicts.Assessors() as assessors:
        for _ in range(2):
            assert grade_verdicts.judge(ZERO_POINT, LIMITS, assessors).verdict == "right"
            with assessors.one() as bench:
                number = bench._process.pid
            assert psutil.pid_exists(number)
        with assessors.one() as bench:
            assert bench._process.pid == number
    assert not psutil.pid_exists(number)


def test_the_judge_sees_the_answers_and_neither_network_nor_class(tmp_path):
    (tmp_path / "secret").write_text("64")
    with grade_verdicts.Assessors([tmp_path]) as assessors, assessors.one() as bench:
        held = set(bench.locked["held"])
    assert held == set(lockdown.LAYERS) - {"guarded sockets"} or bench.locked["why_not"]


@pytest.mark.parametrize(
    "line", [b"", b"[1]", b"7", b'"x"', b"[" * 10**5, b"{}", b'{"answer": 1}', b"\xff"]
)
def test_any_line_of_a_process_is_an_honest_row(line):
    class Liar:
        exchange = staticmethod(lambda _: line)

    with grade_verdicts.Assessors() as assessors, assessors.one() as bench:
        try:
            verdict = grade_verdicts._judged(Liar, bench, ABOUT, line, None).verdict
        except StoppedError:
            verdict = "error"
    assert verdict == "error"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"7",
        b'{"verdict": "best", "message": "", "figures": {}}',
        b'{"verdict": "right", "message": "", "figures": 3}',
        b"[" * 10**5,
    ],
)
def test_what_is_no_verdict_is_none(line):
    class Liar:
        exchange = staticmethod(lambda _: line)

    with pytest.raises(StoppedError, match="gave no verdict"):
        grade_verdicts._judged(Liar, Liar, ABOUT, b"{}", None)


@pytest.mark.parametrize(
    "content",
    [
        {"complex": []},
        {"tensor": {"thing": "x"}},
        {"texts": ["x" * 400_000, *["a"] * 1000]},
        {"dict": [[k, 0] for k in range(2000)]},
        {"dict": [[k * COLLIDING, 0] for k in range(1, 9)]},
        {"array": ["<f8", [10**400], ""]},
        [0] * 200_001,
    ],
    ids=["complex", "tensor", "texts", "keys", "hashes", "shape", "items"],
)
def test_what_would_hang_or_stop_the_grader_is_no_value(content):
    with pytest.raises(ValueError):
        codec.decode(content, lambda number: len)


@pytest.mark.parametrize("unit", ["\n", " \n", "#\n", "%x\n", "check.zero_point(1)\n"])
def test_finding_exercises_takes_time_with_the_text_and_not_its_square(unit):
    def seconds(count):
        start = time.process_time()
        assert isinstance(submissions.Cell(unit * count).checks, set)
        return time.process_time() - start

    short, long = seconds(2_000), seconds(20_000)
    assert long < 40 * short + 0.5  # ten times the text; a hundred times the time would be the square


def test_5001_notebooks_of_one_learner_cost_that_learners_rows(tmp_path):
    for number in range(5001):
        place = tmp_path / "mallory" / f"{number}.ipynb"
        place.parent.mkdir(exist_ok=True)
        place.write_text("{}")
    hand_in(tmp_path, "zoe", "check.zero_point(64)")
    found = submissions.find(tmp_path)
    theirs = [one for one in found if one.learner == "mallory"]
    assert len(theirs) == submissions.MOST_OF_LEARNER + 1
    rows = grade.grade(tmp_path).rows
    assert next(r for r in rows if r.exercise == "zero_point").verdict == "right"
    assert (
        "More than 200 files of one learner" in [r.message for r in rows if r.learner == "mallory"][-1]
    )


def test_names_that_look_alike_are_told_apart(tmp_path):
    names = ("ann", "ann\u200b", "\u0430nn", "ANN", "ann ", "bob", "b0b", "anna")
    rows = [report.Row(name, "f", 2, "zero_point", "right", 1, "", 0.0) for name in names]
    whole = list(csv.DictReader(report.Report(tuple(rows)).csv().splitlines()))
    shown = [row["learner"] for row in whole]
    assert shown == [
        "ann", "ann (2)", "\u0430nn (3)", "ANN (4)", "ann (5)", "bob", "b0b (2)", "anna",
    ]  # fmt: skip
    with report.Journal(tmp_path / "grades.csv") as journal:
        for row in rows:
            journal.add(row)
        part = list(csv.DictReader((tmp_path / "grades.csv.part").open(encoding="utf-8")))
    assert [row["learner"] for row in part] == shown
    assert all(name in repr(report.Report(tuple(rows))) for name in shown)


def test_a_learners_folder_may_be_hidden_or_deep(tmp_path):
    hand_in(tmp_path, ".ann", "check.zero_point(64)")
    hand_in(tmp_path / "bob/1/2/3/4/5", "6", "check.zero_point(64)")
    hand_in(tmp_path, ".ipynb_checkpoints", "check.zero_point(64)")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "._02.ipynb").write_text("")
    assert [one.learner for one in submissions.find(tmp_path)] == [".ann", "bob"]


def test_threads_are_counted(tmp_path):
    code = (
        "import threading, time\n"
        "for _ in range(99): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "time.sleep(5)"
    )
    limits = grade.Limits(seconds=20, threads=50)
    with Sandbox(limits) as sandbox, pytest.raises(StoppedError, match="more than 50 threads"):
        sandbox.ask({"before": [], "answer": code, "name": "x", "whole": False})


# ----- honest learners lose nothing


@pytest.mark.parametrize(
    "cells",
    [
        ("value = (319\n    % 255)", "check.zero_point(value)"),
        ("files = !ls\nscale = 64", "check.zero_point(scale)"),
        ("len?\nscale = 64", "check.zero_point(scale)"),
        ("%matplotlib inline\nscale = 64", "%time check.zero_point(scale)\ncheck.zero_point(scale)"),
        ("%%time\nscale = 64", "check.zero_point(scale)"),
        ("%%bash\nscale = 1", "scale = 64\ncheck.zero_point(scale)"),
        ("from tinyml_helpers.course import check as c", "c.zero_point(64)"),
        ("check.zero_point(64)", "note = 'I called check.zero_point(1)'"),
        ("check.zero_point(64)", "x = 1  # see check.zero_point(1)"),
    ],
)
def test_what_jupyter_runs_is_graded(cells, tmp_path):
    hand_in(tmp_path, "ann", *cells)
    rows = [row for row in grade.grade(tmp_path).rows if row.exercise == "zero_point"]
    assert [row.verdict for row in rows] == ["right"], rows[0].message


def test_a_cell_in_another_language_is_no_python():
    assert slicing.parse("%%bash\nls -l") == []
    assert len(slicing.parse("%%time\nx = 1")) == 1


# ----- nothing is lost


def invoke(tmp_path, monkeypatch, *arguments):
    from typer.testing import CliRunner

    from tinyml_helpers import cli

    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke(cli.app, ["grade", "class", "--seconds", "30", *arguments])


def test_ctrl_c_keeps_what_is_graded(tmp_path, monkeypatch):
    for learner in ("ann", "bob"):
        hand_in(tmp_path / "class", learner, "check.zero_point(64)")
    honest = grade.judge

    def judge(answer, *rest):
        if judge.called:
            raise KeyboardInterrupt
        judge.called = True
        return honest(answer, *rest)

    judge.called = False
    monkeypatch.setattr(grade, "judge", judge)
    said = invoke(tmp_path, monkeypatch)
    assert said.exit_code == 1
    assert re.search(r"stopped; the \d rows that were graded are kept", said.output)
    rows = list(csv.DictReader((tmp_path / "grades.csv").open()))
    assert rows[0]["learner"] == "ann" and rows[0]["verdict"] == "right"
    assert not (tmp_path / "grades.csv.part").exists()


def test_a_full_disk_prints_the_table(tmp_path, monkeypatch):
    hand_in(tmp_path / "class", "ann", "check.zero_point(64)")

    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report.Report, "write", full)
    said = invoke(tmp_path, monkeypatch)
    assert said.exit_code == 1
    assert "ann" in said.output and "zero_point,right" in said.output
    assert (
        "grades.csv could not be written (No space left on device): the table stands above"
        in said.output
    )


def test_rows_are_in_a_file_as_they_come(tmp_path):
    row = report.Row("ann", "a.ipynb", 2, "zero_point", "right", 1, "Yes.", 0.1)
    with report.Journal(tmp_path / "grades.csv") as journal:
        for learner in ("ann", "bob"):
            journal.add(report.Row(learner, *list(vars(row).values())[1:]))
            part = list(csv.DictReader((tmp_path / "grades.csv.part").open()))
            assert part[-1]["learner"] == learner
        assert len(part) == 2
        journal.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["grades.csv"]


def test_a_folder_without_notebooks_leaves_no_file(tmp_path, monkeypatch):
    (tmp_path / "class").mkdir()
    assert invoke(tmp_path, monkeypatch).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["class"]


def test_files_at_any_depth_count(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "big").write_bytes(bytes(1 << 20))
    assert process_usage.size_bytes(tmp_path) > 1 << 20
