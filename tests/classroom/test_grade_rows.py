"""What one row of the grader says, and who may read the table."""

import json
import os
import stat

import pytest

from tinyml_helpers.classroom.grade import grading as grade
from tinyml_helpers.classroom.grade import report

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")


def hand_in(folder, source):
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []}]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    place = folder / "ann" / "02_post_training_quantization.ipynb"
    place.parent.mkdir()
    place.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ArithmeticError('no scale')", "your function stopped: ArithmeticError: no scale"),
        ("return values / zero", "your function stopped: NameError: name 'zero' is not defined"),
    ],
)
def test_a_function_that_raises_is_told_its_own_error(tmp_path, body, reason):
    hand_in(
        tmp_path,
        f"def mine(values, scale, zero_point):\n    {body}\ncheck.quantize_function(mine)",
    )
    row = next(row for row in grade.grade(tmp_path).rows if row.exercise == "quantize_function")
    assert reason in row.message
    assert row.verdict != "right"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_the_table_can_be_read_by_all_and_changed_by_its_owner_whatever_the_umask(tmp_path, mask):
    row = report.Row("ann", "a.ipynb", 2, "zero_point", "right", 1, "Yes.", 0.5)
    before = os.umask(mask)
    try:
        report.Report((row,)).write(tmp_path / "grades.csv")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "grades.csv").stat().st_mode) == 0o644
