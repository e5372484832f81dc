"""A class's table of results: who is first, what was graded, and files that lie or are damaged."""

import json

import pytest

from tinyml_helpers.classroom import leaderboard

HEADER = "learner,file,lesson,exercise,verdict,attempts,message,seconds,figures\n"


def row(learner, per_mac, verdict="right", exercise="dot_product"):
    figures = f"instructions_per_mac={per_mac}; flash_bytes=90; stack_bytes=16" if per_mac else ""
    return f"{learner},f,8,{exercise},{verdict},1,m,0.5,{figures}\n"


def records(folder, learner, **figures):
    place = folder / learner / "08.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    kept = [
        {"name": f"built.dot_product.{name}", "value": value, "unit": "", "lesson": 8}
        for name, value in figures.items()
    ]
    place.write_text(json.dumps(kept), "utf-8")


def test_the_best_come_first_and_equals_share_a_place(tmp_path):
    (tmp_path / "grades.csv").write_text(
        HEADER + row("ann", 2.5) + row("bob", 1.9) + row("cem", 2.5) + row("dora", ""), "utf-8"
    )
    records(tmp_path, "emil", instructions_per_mac=2.0, flash_bytes=80.0, stack_bytes=8.0)
    assert repr(leaderboard.read(tmp_path)).splitlines() == [
        "dot_product",
        "   learner  instructions per mac  flash bytes  stack bytes  measured",
        "1  bob                       1.9           90           16  graded",
        "2  emil                        2           80            8  as handed in",
        "3  ann                       2.5           90           16  graded",
        "3  cem                       2.5           90           16  graded",
    ]


def test_what_was_graded_counts_before_what_was_handed_in(tmp_path):
    records(tmp_path, "ann", instructions_per_mac=0.01, flash_bytes=1.0, stack_bytes=0.0)
    (tmp_path / "grades.csv").write_text(HEADER + row("ann", 2.5), "utf-8")
    (only,) = leaderboard.read(tmp_path).entries
    assert (only.is_graded, only.figures["instructions_per_mac"]) == (True, 2.5)


def test_the_better_of_two_graded_counts_and_hints_never(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + row("ann", 2.5) + row("bob", 1, "hint"), "utf-8")
    (tmp_path / "b.csv").write_text(HEADER + row("ann", 2.1) + row("ann", 2.9), "utf-8")
    (only,) = leaderboard.read(tmp_path).entries
    assert (only.learner, only.figures["instructions_per_mac"]) == ("ann", 2.1)


def test_other_records_exercises_and_figures_are_left_out(tmp_path):
    records(tmp_path, "ann", accuracy=1.0)
    (tmp_path / "grades.csv").write_text(HEADER + row("ann", 1, exercise="no_such"), "utf-8")
    (tmp_path / "old.csv").write_text("learner,verdict\nann,right\n", "utf-8")
    assert "Nothing was built" in repr(leaderboard.read(tmp_path))


def test_files_that_are_damaged_or_links_are_named(tmp_path):
    for name, content in {
        "text": "no JSON", "list": "[1]", "nested": "[" * 100_000, "nan": '[{"name": "a.b"}]'
    }.items():  # fmt: skip
        place = tmp_path / name / "08.json"
        place.parent.mkdir()
        place.write_text(content, "utf-8")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "08.json").symlink_to(tmp_path / "text" / "08.json")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "é".encode("latin-1"))
    (tmp_path / "figures.csv").write_text(HEADER + row("ann", "two"), "utf-8")
    found = leaderboard.read(tmp_path)
    assert found.entries == ()
    assert len(found.unread) == 7
    assert "Not read: link/08.json" in repr(found)


def test_names_cannot_move_a_cursor_or_pass_for_another(tmp_path):
    for name in ("ann", "\u0430nn", "b\x1b[2Job"):
        records(tmp_path, name, instructions_per_mac=2.0)
    shown = repr(leaderboard.read(tmp_path))
    assert "\x1b" not in shown
    assert "(2)" in shown


def test_no_folder_says_so(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        leaderboard.read(tmp_path / "none")
