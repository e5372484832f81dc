"""Exercises of lesson 09, keyword spotting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tinyml_helpers.course.check import Verdict, exercise, hint, right

LOWEST_HZ, HIGHEST_HZ, CHANNELS, TONE_HZ = 20, 4000, 10, 1000
MINUTES = 10


def _mel(frequency_hz: float) -> float:
    return 1127 * math.log1p(frequency_hz / 700)


@exercise(wrong=[(2,), (5,), (10,), (3,), (4.04,)])
def channel_of_a_tone(answer: float) -> Verdict:
    """Channel, from 0, whose center lies nearest to 1,000 Hz: (1000 - 31.8) / 192.2 - 1 = 4.04."""
    spacing = (_mel(HIGHEST_HZ) - _mel(LOWEST_HZ)) / (CHANNELS + 1)
    place = (_mel(TONE_HZ) - _mel(LOWEST_HZ)) / spacing - 1
    if answer == round(place):
        return right(
            "Half of the channels lie below 1,000 Hz, a quarter of the range: there the ear and speech "
            "have most to tell apart."
        )
    if answer == round(place) + 1:
        return hint("Nearly. Ten triangles have eleven gaps between both ends; count channels from 0.")
    if answer in (2, 3):
        return hint("That divides the range in hertz. The triangles are equally wide in mel.")
    if 0 <= answer < CHANNELS and answer != int(answer):
        return hint("That is its place between the centers; the channel is a whole number.")
    return hint(
        "Turn 20, 1,000 and 4,000 Hz into mel. The distance from 20 to 4,000 has eleven equal gaps."
    )


@exercise(wrong=[(0,), (6,), (3,), (0.3,), (60,)])
def rate_not_ruled_out(answer: float) -> Verdict:
    """Rate per hour at which ten quiet minutes have a chance of 5 %: -ln(0.05) * 6 = 18."""
    per_hour = 60 / MINUTES
    if math.isclose(answer, -math.log(0.05) * per_hour, rel_tol=0.02):
        return right(
            "Three divided by the time: statisticians call it the rule of three. To promise less than "
            "one false alarm in a day you have to listen for three days."
        )
    if answer == 0:
        return hint("None was heard, but with one every hour, ten minutes are mostly quiet too.")
    if math.isclose(answer, per_hour):
        return hint("With 6 an hour you expect one in ten minutes, and get none in 37 % of the cases.")
    if math.isclose(answer, -math.log(0.05), rel_tol=0.02):
        return hint("Right for ten minutes. How many is that in an hour?")
    return hint(
        "With a rate r per hour, ten minutes are quiet with probability exp(-r / 6). Set it to 0.05."
    )


@exercise(
    wrong=[
        (lambda scores, threshold, silent: [i for i, s in enumerate(scores) if s >= threshold],),
        (lambda scores, threshold, silent: [],),
        (
            lambda scores, threshold, silent: [i for i, s in enumerate(scores) if s > threshold][
                ::silent
            ],
        ),
        (7,),
    ]
)
def report_function(answer: Callable[[Sequence[float], float, int], Sequence[int]]) -> Verdict:
    """A function that returns the windows at which a word is reported."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    scores = [0.1, 0.9, 0.95, 0.7, 0.3, 0.9, 0.8, 0.9, 0.2, 0.8]
    got, every = list(answer(scores, 0.8, 3)), list(answer(scores, 0.8, 1))
    if got == [1, 5, 9] and every == [1, 2, 5, 6, 7, 9]:
        return right(
            "Four lines, and the device no longer shouts a word three times that was said once."
        )
    if every == [1, 2, 5, 7]:
        return hint("A score of exactly the threshold reports too.")
    if got == [1, 2, 5, 6, 7, 9]:
        return hint(
            "A word stays in the window for a second: after a report, `silent` windows must pass."
        )
    if every == [1, 2, 5, 6, 7, 9]:
        return hint(
            "Count the silence from the last report: with silent = 3 after window 1, 4 is the next."
        )
    return hint("Go through the scores in order, and remember the window of the last report.")
