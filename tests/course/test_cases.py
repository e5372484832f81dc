import numpy as np
import pytest
import torch

from tinyml_helpers.course import cases

RNG = cases.rng("an exercise")
CASES = [(RNG.normal(size=size), 0.5) for size in (5, 3, 4)]


def scaled(values, factor):
    return values * factor


def test_an_answer_in_numpy_and_one_in_torch_are_both_taken():
    assert cases.first_difference(lambda v, f: v * f, scaled, CASES) is None
    assert cases.first_difference(lambda v, f: torch.mul(v, f).clamp(min=-9.0), scaled, CASES) is None


def test_the_smallest_case_that_fails_is_the_one_returned():
    found = cases.first_difference(lambda v, f: v, scaled, CASES)
    assert len(found.given[0]) == 3
    np.testing.assert_array_equal(found.wanted, found.given[0] / 2)


def test_an_answer_that_writes_into_its_arguments_spoils_no_case():
    def spoils(values, factor):
        values *= factor
        return values

    before = CASES[0][0].copy()
    assert cases.first_difference(spoils, scaled, CASES) is None
    np.testing.assert_array_equal(CASES[0][0], before)


def test_the_error_of_the_numpy_call_is_the_one_that_is_raised():
    with pytest.raises(ZeroDivisionError):
        cases.first_difference(lambda v, f: 1 / 0, scaled, CASES)


@pytest.mark.parametrize(
    ("said", "wanted", "same"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.001, False),
        ([1, 2], np.array([1, 2]), True),
        (np.array([[1, 2]]), np.array([1, 2]), False),  # another shape is another answer
        ([1, 0], np.array([True, False]), True),
        ([2, 0], np.array([True, False]), False),
        ("1", 1, False),
        (None, 1, False),
        ([[1], [1, 2]], [1, 2], False),
        (float("nan"), 1.0, False),
    ],
)
def test_what_agrees(said, wanted, same):
    assert cases.agrees(said, wanted) is same


def test_random_numbers_are_the_same_each_time_and_differ_by_exercise():
    again = cases.rng("an exercise").normal(size=5)
    np.testing.assert_array_equal(again, CASES[0][0])
    assert cases.rng("another").normal() != again[0]


def test_values_are_quoted_short():
    assert cases.quote([np.arange(100), 0.123456]) == "[ 0,  1,  2, ..., 97, 98, 99], 0.1235"
