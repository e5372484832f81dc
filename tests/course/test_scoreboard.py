import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyml_helpers.course import scoreboard


def test_records_are_collected_by_lesson_and_replaced_by_name(results):
    scoreboard.record("b.second", 2, "points", lesson=2)
    scoreboard.record("a.first", 1, "bytes", lesson=1)
    scoreboard.record("b.second", 3.5, "points", lesson=2)
    board = scoreboard.collect()
    assert [(r.name, r.value) for r in board.records] == [("a.first", 1.0), ("b.second", 3.5)]
    assert board["b.second"] == 3.5
    assert len(board.of_lesson(1).records) == 1
    assert "b.second" in repr(board)
    assert ">3.5</td>" in board._repr_html_()


def test_an_empty_board_says_what_to_do(results):
    assert "run a lesson" in repr(scoreboard.collect())
    with pytest.raises(KeyError, match=r"nothing is recorded as 'a.b'"):
        scoreboard.collect()["a.b"]


@pytest.mark.parametrize("name", ["size", "Size.bytes", "a b.c", "a.", ".a", ""])
def test_names_must_be_dotted(results, name):
    with pytest.raises(ValueError, match="not dotted"):
        scoreboard.record(name, 1, "", lesson=1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_must_be_finite(results, value):
    with pytest.raises(ValueError, match="only finite"):
        scoreboard.record("a.b", value, "", lesson=1)


def test_a_damaged_file_is_named(results):
    scoreboard.record("a.b", 1, "", lesson=1)
    (results / "01.json").write_text('[{"name": ')
    with pytest.raises(ValueError, match=r"01\.json is damaged: delete it"):
        scoreboard.collect()


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_finite_value_survives_the_file(results, value):
    scoreboard.record("a.b", value, "", lesson=1)
    assert scoreboard.collect()["a.b"] == value
    assert not list(results.glob("*.partial"))
