"""Which exercises a cell of a stranger calls: found by its syntax, in time that grows with the text."""

from __future__ import annotations

import ast
import re

from tinyml_helpers.classroom.grade import slicing

_CALL = re.compile(r"\bcheck\s*\.\s*(\w+)\s*\(")


def _tree(source: str) -> ast.AST | None:
    # Not as IPython would: that takes time with the square of the magics, and this is the grader.
    try:
        return ast.parse(slicing.to_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names_of_check(source: str) -> set[str]:
    """Other names under which a cell imports `check`."""
    tree = _tree(source) if "check as" in source else None
    return {
        alias.asname
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname and alias.name.rpartition(".")[2] == "check"
    }


def find_calls(source: str, names: frozenset[str]) -> set[str]:
    """Names that a cell calls on `check`, by its syntax; by its text where it is no Python."""
    if not any(name in source for name in names):
        return set()
    tree = _tree(source)
    if tree is None:
        return set(_CALL.findall(strip_comments(slicing.to_python(source))))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        call.attr
        for call in calls
        if isinstance(call, ast.Attribute)
        and isinstance(call.value, ast.Name)
        and call.value.id in names
    }


def strip_comments(source: str) -> str:
    """Return a source without the lines that are comments."""
    # Within a line, so that the time grows with the text and not with its square.
    return re.sub(r"(?m)^[^\S\n]*#.*$", "", source)


def find_name(source: str, names: frozenset[str]) -> str:
    """Return the learner's name with which a cell calls `check.join`, "" where it does not."""
    tree = _tree(source) if "join" in source else None
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and _is_join(node.func, names):
            told = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "learner")]
            if told and isinstance(told[0], ast.Constant) and isinstance(told[0].value, str):
                return told[0].value
    return ""


def _is_join(function: ast.expr, names: frozenset[str]) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "join"
        and isinstance(function.value, ast.Name)
        and function.value.id in names
    )
