"""What a board printed, from whoever: held against the emulated run, or refused in a sentence."""

import json
import sys
import types

import pytest
from typer.testing import CliRunner

from tinyml_helpers import cli
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.mcu import board_check, board_line

EMULATED = {
    "name": "net", "model": "0badcafe", "device": "nano33ble", "checks": 44, "bytes": 4,
    "instructions": 300_000, "cycles_of_the_core": 440_000, "cycles_low": 440_000,
    "cycles_high": 750_000, "stack_bytes": 424, "kit": "arduino",
}  # fmt: skip
TOLD = {
    "tinyml": 1, "name": "net", "model": "0badcafe", "device": "nano33ble", "kit": "arduino",
    "checks": 44, "wrong_checks": 0, "bytes": 4, "wrong_bytes": 0, "cycles": 501_234,
    "counter": "DWT", "stack_bytes": 452,
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    (tmp_path / board_line.FILE).write_text(json.dumps(EMULATED))
    return tmp_path


def line(**other):
    return json.dumps(TOLD | other, separators=(",", ":"))


def run(*arguments):
    done = CliRunner().invoke(cli.app, ["board", "check", *map(str, arguments)])
    return done.exit_code, done.output


def test_a_log_with_noise_around_its_lines(project):
    log = f"boot\n{line(cycles=1)}\n\x00\xff{line()[:40]}\nI (33) {line(cycles=2)}\n{line()}\r\n"
    found = board_check.check_log(log, project)
    assert found.right and found.row["cycles"] == 501_234
    timed = f"12:00:01.250 -> {line()}\n12:00:03.250 -> {line(cycles=3)[:90]}"
    assert board_check.check_log(timed, project).row["cycles"] == 501_234
    assert "440,000 to 750,000" in repr(found) and "501,234 (DWT)" in repr(found)
    assert "about 452" in repr(found)


@pytest.mark.parametrize("fault", [{"wrong_checks": 1}, {"wrong_bytes": 4}])
def test_a_board_that_is_wrong_ends_the_command_with_1(project, fault):
    (project / "log").write_text(line(**fault))
    assert run(project, "--from-file", project / "log")[0] == 1
    (project / "log").write_text(line())
    code, said = run(project, "--from-file", project / "log", "--row", project / "row.json")
    assert (code, "0 of 44" in said) == (0, True)
    assert board_check.check_row(json.loads((project / "row.json").read_text()))["cycles"] == 501_234


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "is the program of an export running"),
        (line()[:100], "cut off"),
        ('{"tinyml":' + "[" * 100_000, "cut off"),
        (line(tinyml=2), "another version"),
        (line(more=1), "lacks a key or has another"),
        (line(cycles=-1), "expected a count"),
        (line(cycles=1 << 60), "expected a count"),
        (line(cycles=True), "expected a count"),
        (line(cycles=1.5), "expected a count"),
        (line(wrong_checks=45), "more than there are"),
        (line(counter="<script>"), "letters, digits"),
        (line(counter="x" * 81), "letters, digits"),
        (line(model="deadbeef"), "upload the program of this folder"),
        (line(device="pico"), "upload the program of this folder"),
    ],
)
def test_a_log_of_something_else_is_refused(project, log, said):
    with pytest.raises(board_check.LogError, match=said):
        board_check.check_log(log, project)


def test_files_that_are_missing_or_too_large(project, monkeypatch):
    with pytest.raises(board_check.LogError, match="cannot be read"):
        board_check.read_log(project / "none")
    (project / "large").write_bytes(b"x" * (board_check.MOST_BYTES + 1))
    with pytest.raises(board_check.LogError, match=r"more than 1\.0 MiB"):
        board_check.read_log(project / "large")
    for content in ("{", "[]", json.dumps({"name": "net"})):
        (project / board_line.FILE).write_text(content)
        with pytest.raises(board_check.LogError, match="missing or damaged"):
            board_check.check_log(line(), project)
    assert "give either --port or --from-file" in run(project)[1]


def test_a_port_is_read_until_the_line_has_come(project, monkeypatch):
    pieces = [b"boot\n", line()[:50].encode(), line()[50:].encode() + b"\r\n", b"never read"]

    class Serial:
        def __init__(self, port, baud, timeout):
            if port != "COM3":
                raise OSError("no such port")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, count):
            return pieces.pop(0)

    monkeypatch.setitem(sys.modules, "serial", types.SimpleNamespace(Serial=Serial))
    assert run(project, "--port", "COM3")[0] == 0
    assert pieces == [b"never read"]
    code, said = run(project, "--port", "COM9")
    assert (code, "is the board there" in said) == (1, True)
    monkeypatch.setitem(sys.modules, "serial", None)
    code, said = run(project, "--port", "COM3")
    assert (code, "pip install pyserial" in said) == (1, True)


def test_the_rows_that_others_sent_are_rows():
    told = json.loads((data_folder() / "reference" / "board_runs.json").read_text("utf-8"))
    for row in told["rows"]:
        board_check.check_row(row)
