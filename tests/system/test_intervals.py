import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers import intervals


def test_wilson_by_hand():
    # 8 of 10, z = 1.96: centre (0.8 + z^2/20) / (1 + z^2/10), reach as Wilson has it.
    z = 1.959963985
    centre = (0.8 + z * z / 20) / (1 + z * z / 10)
    reach = z / (1 + z * z / 10) * math.sqrt(0.8 * 0.2 / 10 + z * z / 400)
    found = intervals.rate(8, 10, "photos")
    assert (found.low, found.high) == pytest.approx((100 * (centre - reach), 100 * (centre + reach)))
    assert repr(found) == "80.0 % (49.0 to 94.3, n = 10 photos)"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (intervals.rate(10_000, 10_000, "photos"), "100.00 % (99.96 to 100.00, n = 10,000 photos)"),
        (intervals.rate(300, 300, "photos"), "100.0 % (98.7 to 100.0, n = 300 photos)"),
        (intervals.rate(0, 71, "photos"), "0.0 % (0.0 to 5.1, n = 71 photos)"),
        (intervals.Interval(0.26, 0.02, 0.5, 5, "points", "seeds"), "0.26 points (0.02 to 0.50"),
        (intervals.Interval(0.29, -0.02, 0.6, 5, "points", "seeds"), "0.29 points (-0.02 to 0.60"),
        (intervals.Interval(7.0, 7.0, 7.0, 5, "%", "seeds"), "7.0 % (7.0 to 7.0, n = 5 seeds)"),
    ],
)
def test_an_end_never_reads_as_the_value_or_as_zero_if_it_is_neither(found, words):
    assert repr(found).startswith(words)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_lies_within_its_interval_and_the_interval_within_0_to_100(case):
    hits, trials = case
    found = intervals.rate(hits, trials)
    assert -1e-9 <= found.low <= found.value + 1e-9 <= found.high + 2e-9 <= 100 + 1e-6
    mirror = intervals.rate(trials - hits, trials)
    assert mirror.low == pytest.approx(100 - found.high, abs=1e-6)


def test_students_interval_by_hand():
    # Mean 90, deviation 2, root 4: error 1; t(0.975, 3) = 3.182.
    found = intervals.over_groups([88.26795, 90, 90, 91.73205])
    reach = 3.18245 * np.std([88.26795, 90, 90, 91.73205], ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((90 - reach, 90 + reach), rel=1e-5)
    assert 90 in found
    assert 80 not in found


def test_groups_that_agree_within_themselves_count_once():
    # 20 people of 100 trials each, all right or all wrong: the trials say nothing of their own.
    right = np.repeat(np.arange(20) % 2, 100) * 100.0
    people = np.repeat(np.arange(20), 100)
    by_person = intervals.resampled(right, people)
    by_trial = intervals.rate(int(right.sum() / 100), len(right))
    assert by_person.value == by_trial.value == 50
    assert by_person.half_width == pytest.approx(22, abs=2)  # 1.96 * sqrt(0.25 / 20)
    assert by_trial.half_width < 3
    assert by_person.n == 20


def verdicts(won, lost, both, neither):
    before = np.repeat([False, True, True, False], [won, lost, both, neither])
    after = np.repeat([True, False, True, False], [won, lost, both, neither])
    return before, after


def test_a_pair_counts_only_where_its_verdict_changed():
    found = intervals.gained(*verdicts(49, 60, 9229, 662))
    # By hand: (49 - 60) / 10,002 and 1.96 * sqrt(110 - 121 / 10,002) / 10,002.
    assert found.value == pytest.approx(-0.11)
    assert (found.low, found.high) == pytest.approx((-0.3155, 0.0955), abs=1e-3)
    assert 0 in found
    assert repr(found) == "-0.11 points (-0.32 to 0.10, n = 10,000 photos, 49 won, 60 lost)"


def test_a_clear_gain_excludes_nothing_at_all_and_no_change_includes_it():
    assert 0 not in intervals.gained(*verdicts(300, 100, 500, 100))
    same = intervals.gained(*verdicts(0, 0, 50, 50))
    assert same.value == 0
    assert same.low < 0 < same.high


def test_pairs_are_surer_than_their_two_rates():
    before, after = verdicts(76, 49, 9200, 675)
    apart = intervals.rate(int(before.sum()), len(before))
    assert intervals.gained(before, after).half_width < apart.half_width


def test_silence_rules_out_three_over_its_hours():
    found = intervals.per_hour(0, 1 / 6)
    assert found.value == found.low == 0
    assert found.high == pytest.approx(-6 * math.log(0.05))
    assert "n = 0 events in 10 minutes" in repr(found)


def test_poisson_by_hand():
    # Garwood's table: 10 events, 4.795 to 18.39.
    found = intervals.per_hour(10, 1)
    assert (found.low, found.high) == pytest.approx((4.795, 18.39), abs=0.005)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: intervals.rate(3, 2), "3 hits of 2 trials"),
        (lambda: intervals.rate(0, 0), "0 trials"),
        (lambda: intervals.gained([True], [True, False]), "two for each"),
        (lambda: intervals.gained([], []), "some trials"),
        (lambda: intervals.over_groups([1.0]), "two or more"),
        (lambda: intervals.over_groups([1.0, math.nan]), "finite"),
        (lambda: intervals.resampled([1, 2], [1]), "a mark for each"),
        (lambda: intervals.resampled([1, 2], [1, 1]), "two groups"),
        (lambda: intervals.per_hour(1, 0), "some time"),
    ],
)
def test_what_has_no_interval_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
