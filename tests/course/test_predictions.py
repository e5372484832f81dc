"""A guess before a measurement, both after it, and a score at the end."""

import pytest

from tinyml_helpers.course import predictions, scoreboard
from tinyml_helpers.course.predictions import predict, review

pytestmark = pytest.mark.usefixtures("results")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(predictions, "_compared", {})


def test_a_guess_is_told_compared_and_recorded(capsys):
    flash = predict("flash of `small` in int8, in KB", 40, lesson=8)
    assert capsys.readouterr().out == "● Your guess: flash of `small` in int8, 40 KB.\n"
    said = flash.compare(61.7)
    assert repr(said) == "flash of `small` in int8: you said 40, measured 61.7 KB: 1.5 times too little."
    board = scoreboard.collect()
    assert board["guess.flash_of_small_in_int8"] == 40
    assert board["guess.flash_of_small_in_int8.measured"] == 61.7
    assert {record.lesson for record in board.records} == {8}
    assert "your guess: flash of small in int8" in board._repr_html_()


def test_leaving_it_out_is_allowed_and_says_so(capsys):
    for nothing in ((), (None,)):
        guess = predict("time, in ms", *nothing, lesson=1)
        assert guess.guess is None
        assert "No guess: time, in ms? To commit yourself, put a number" in capsys.readouterr().out
        assert repr(guess.compare(3)) == "time: measured 3 ms; no guess."
    assert scoreboard.collect().records == ()
    assert "No guesses this time: put numbers" in repr(review(1))
    with pytest.raises(ValueError, match="there was no guess"):
        review(1).score  # noqa: B018


@pytest.mark.parametrize(
    ("guess", "measured", "closeness", "error"),
    [
        (40, 40, 1.0, "as measured"),
        (40.5, 40, 40 / 40.5, "as measured"),
        (80, 40, 0.5, "2.0 times too much"),
        (20, 40, 0.5, "2.0 times too little"),
        (4, 400, 0.01, "100 times too little"),
        (0, 0, 1.0, "as measured"),
        (0, 5, 0.0, "too little"),
        (3, 0, 0.0, "too much"),
        (-2, 2, 0.0, "too little"),
        (-2, -4, 0.5, "2.0 times too much"),
    ],
)
def test_how_near_a_guess_came(guess, measured, closeness, error):
    made = predictions.Comparison("x", guess, measured, "")
    assert made.closeness == pytest.approx(closeness)
    assert made.error == error


def test_the_close_lists_all_in_order_with_a_score():
    predict("first, in KB", 80, lesson=2).compare(40)
    predict("second, in times", None, lesson=2).compare(3.2)
    predict("third, in percent", 10, lesson=2).compare(10)
    predict("of another lesson", 1, lesson=3).compare(1)
    found = review(2)
    assert [one.what for one in found.comparisons] == ["first", "second", "third"]
    assert found.score == 75
    assert repr(found).splitlines() == [
        "what    your guess  measured  unit     you said",
        "first           80        40  KB       2.0 times too much",
        "second           –       3.2  times    –",
        "third           10        10  percent  as measured",
        "Calibration: 75 of 100 over 2 guesses (a guess of half or double counts 50): 1 too much, "
        "0 too little.",
    ]
    assert "75 of 100" in found._repr_html_()


def test_a_cell_that_runs_again_counts_once_with_its_last_guess():
    for number in (10, 20):
        predict("flash, in KB", number, lesson=8).compare(20)
    assert [one.guess for one in review(8).comparisons] == [20]


@pytest.mark.parametrize("wrong", ["forty", float("nan"), float("inf"), [1, 2], object()])
def test_a_guess_that_is_no_number_says_what_to_do(wrong):
    with pytest.raises(ValueError, match="is no number: give one such as 40, or None for no guess"):
        predict("flash, in KB", wrong, lesson=8)
    with pytest.raises(ValueError, match="the measurement"):
        predict("flash, in KB", 3, lesson=8).compare(wrong)


def test_a_figure_shows_the_guess_if_there_is_one():
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    predict("correct, in percent", None, lesson=2).mark(axis.axhline)
    assert axis.get_lines() == []
    predict("correct, in percent", 70, lesson=2).mark(axis.axhline)
    (line,) = axis.get_lines()
    assert (line.get_ydata()[0], line.get_label()) == (70, "your guess")


def test_words_of_any_kind_have_a_record():
    assert predict("Ω?, in kΩ", 1, lesson=1).record_name == "guess.unnamed"
    assert predict("no unit at all", 1, lesson=1).unit == ""
    predict("Ω", 1, lesson=1).compare(2)


def test_what_a_learner_writes_is_safe_html():
    made = predict("<b>, in <i>", 1, lesson=1).compare(2)
    assert "<b>" not in made._repr_html_() + review(1)._repr_html_()
