"""The channel between a locked process and the grader, and how much a notebook may hold."""

import json
import os
import subprocess
import sys

import pytest

from tinyml_helpers.classroom.grade import submissions

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
CELL, WHOLE = submissions.MOST_CELL_CHARACTERS, submissions.MOST_CHARACTERS


def test_what_code_of_others_prints_goes_nowhere_and_what_is_sent_arrives():
    code = (
        "import os, sys\nfrom tinyml_helpers.classroom.grade.channel import Channel\nline = Channel()\n"
        "print('noise')\nos.write(1, b'noise')\nos.write(2, b'noise')\nassert os.read(0, 9) == b''\n"
        "for given in line:\n    line.send('heard ' + given.strip())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="one\ntwo\n", capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard one\nheard two\n", "")


@pytest.mark.parametrize(
    ("lengths", "taken"),
    [
        ([10, CELL], True),
        ([10, CELL + 1], False),
        ([CELL] * (WHOLE // CELL), True),
        ([CELL] * (WHOLE // CELL + 1), False),
    ],
)
def test_a_notebook_may_hold_so_much_code_and_no_more(tmp_path, lengths, taken):
    cells = [{"cell_type": "code", "source": "#" * n, "metadata": {}, "outputs": []} for n in lengths]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    if taken:
        assert [len(cell.source) for cell in submissions.read_cells(path)] == lengths
    else:
        with pytest.raises(submissions.UnreadableError):
            submissions.read_cells(path)


@pytest.mark.parametrize("more", [0, 1])
def test_a_notebook_may_have_so_many_cells_and_no_more(tmp_path, more):
    code = {"cell_type": "code", "source": "", "metadata": {}, "outputs": []}
    text = {"cell_type": "markdown", "source": "", "metadata": {}}
    cells = [code] * (submissions.MOST_CELLS + more) + [text] * 10  # text does not count
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    if more:
        with pytest.raises(submissions.UnreadableError, match=r"2,001 cells of code, at most 2,000"):
            submissions.read_cells(path)
    else:
        assert len(submissions.read_cells(path)) == 2000
