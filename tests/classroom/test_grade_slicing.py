"""Which statements an answer needs: one that changes a part of a value needs what made the whole."""

import ast

import pytest

from tinyml_helpers.classroom.grade import slicing


def needed(before, answer):
    return [ast.unparse(statement) for statement in slicing.select_statements(before, answer)]


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (["b = [0]", "a = b[0] = 5"], ["b = [0]", "a = b[0] = 5"]),
        (["b = [0]", "b[0] = a = 5"], ["b = [0]", "b[0] = a = 5"]),
        (["b = [0]", "a = b = [5]"], ["a = b = [5]"]),
        (["b = [0]", "b, a = [5], 5"], ["b, a = ([5], 5)"]),
        (["b = [0]", "b += [5]", "a = 1"], ["b = [0]", "b += [5]", "a = 1"]),
    ],
)
def test_a_value_that_was_changed_in_part_is_needed_whole(before, wanted):
    assert needed(before, "check.zero_point(b[0] + a)") == wanted
