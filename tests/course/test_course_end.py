"""How the course ends, and what it says meanwhile: the pace by hand, the sentences, the bar."""

import io

import pytest
from rich.console import Console

from tinyml_helpers.course import cli, machine_load, pace, retold, scoreboard
from tinyml_helpers.course.scoreboard import Record, Scoreboard

EXPECTED = {0: 15.0, 1: 25.0, 2: 60.0}


def test_the_time_left_is_scaled_by_what_the_finished_lessons_took():
    start = pace.Pace(EXPECTED, alike=True)
    assert start.left_seconds(0) == 100
    assert start.left_seconds(10) == 90
    assert start.left_seconds(40) == 85  # a lesson that takes longer has nothing left, and the rest has
    later = start.after(0, 30.0).after(1, 50.0)
    assert later.factor == 2
    assert later.left_seconds(20) == 2 * 60 - 20
    assert later.after(2, 1).left_seconds(0) == 0
    assert "about 2 min left" in later.tell_left(0)
    assert "about a minute left" in later.tell_left(60)


def test_where_lessons_run_otherwise_than_measured_the_first_one_tells_the_time():
    start = pace.Pace(EXPECTED, alike=False)
    assert start.tell_left(5) == "time left: known after it"
    assert start.after(0, 150.0).tell_left(0) == "about 14 min left"


@pytest.mark.parametrize(
    ("taken", "load", "says"),
    [
        ({0: 15.0, 1: 25.0}, 9.0, ""),  # busy, and the lessons take no longer
        ({0: 22.0, 1: 37.0}, 9.0, ""),  # 1.475 times as long
        ({0: 45.0}, 9.0, ""),  # 15 s as measured say nothing yet
        ({0: 45.0, 1: 75.0}, 2.5, "Nothing is wrong: the machine is slower"),
        ({0: 45.0, 1: 75.0}, 2.6, "2.6 processes want 2 processors"),
    ],
)
def test_a_machine_is_slow_or_busy_or_neither(taken, load, says):
    told = pace.Pace(EXPECTED, alike=True, taken=taken).explain_slowness(load, processors=2)
    assert says in told
    assert bool(told) == bool(says)
    assert not told or ("3.0 times as long" in told and "about 5 minutes in place of 2." in told)
    assert not pace.Pace(EXPECTED, alike=False, taken=taken).explain_slowness(load, processors=2)


def test_the_pace_begins_with_what_was_measured(tmp_path, monkeypatch):
    stored = {one.lesson: one.seconds for one in machine_load.read_load().lessons}
    assert pace.begin([3, 2], alike=True) == pace.Pace({3: stored[3], 2: stored[2]}, alike=True)
    assert not pace.begin([3, 99], alike=True).alike  # nobody measured 99
    assert not pace.begin([3], alike=False).alike
    (tmp_path / "memory.json").write_text("{")
    monkeypatch.setattr(machine_load, "_FILE", tmp_path / "memory.json")
    with pytest.raises(ValueError, match=r"memory\.json is damaged"):
        pace.begin([3], alike=True)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_where_somebody_looks(terminal):
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, width=80)
    with pace.show_bar(console, "02  A lesson", pace.Pace({2: 600.0}, alike=True)):
        pass
    shown = said.getvalue()
    assert ("02  A lesson" in shown and "about 10 min left" in shown) == terminal
    assert bool(shown) == terminal


def test_eight_sentences_are_retold_of_a_whole_course():
    told = dict(retold.retell(scoreboard.reference()))
    assert list(told) == [0, 2, 4, 5, 8, 9, 10, 11]
    board = scoreboard.reference()
    for lesson, name, form in (
        (0, "start.ram_bytes", "{:,.0f} of RAM"),
        (8, "mcu.dscnn.flash_bytes", "{:,.0f} bytes of flash"),
        (9, "kws.synthetic.accuracy_people_percent", "114 people: {:.1f} %"),
        (11, "anomaly.autoencoder.new_machines_auc", "simulated machines never met: AUC {:.2f}"),
    ):
        assert form.format(board[name]) in told[lesson]
    assert all("{" not in sentence and "  " not in sentence for sentence in told.values())


def test_with_records_the_sentences_are_there_too(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    board = scoreboard.reference().of_lesson(8)
    for records in (True, False):
        cli._show_results(board, records)
        said = capsys.readouterr().out
        assert f"{board['mcu.dscnn.flash_bytes']:,.0f} bytes of" in " ".join(said.split())
        assert ("mcu.dscnn.flash_bytes" in said) == records
        assert (f"Figures: {len(board.records)}," in said) != records
        assert records or max(map(len, said.splitlines())) <= 80


def test_a_sentence_whose_record_is_missing_is_left_out():
    whole = scoreboard.reference().of_lesson(8)
    assert [lesson for lesson, _ in retold.retell(whole)] == [8]
    assert retold.retell(Scoreboard(whole.records[1:])) == []
    assert retold.retell(Scoreboard(())) == []
    assert retold.fill("{a.b:.1f} of {a.c:,.0f}", Scoreboard((Record("a.b", 1, "", 0),))) == ""
    both = Scoreboard((Record("a.b", 1.25, "", 0), Record("a.c", 1234.0, "", 0)))
    assert retold.fill("{a.b:.1f} of {a.c:,.0f}", both) == "1.2 of 1,234"
