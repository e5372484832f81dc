"""Functions that turn real numbers into steps of a scale by themselves, in place of `Integers.store`."""

import ast

ROOMS = ("deploy", "mcu", "usecases")
ROUNDING = {"round", "rint", "trunc", "around", "floor", "_round"}


def quantizers(house):
    """`module.function` of what divides by a scale and rounds, in the rooms that have to agree."""
    return sorted(
        f"{module}.{node.name}"
        for module, tree in house.trees.items()
        if module.partition(".")[0] in ROOMS
        for node in ast.walk(tree)
        if _quantizes(node) and not any(_quantizes(one) for one in ast.walk(node) if one is not node)
    )


def _quantizes(node):
    return isinstance(node, ast.FunctionDef) and _divides_by_scale(node) and _rounds(node)


def _divides_by_scale(function):
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and "scale" in ast.unparse(node.right).lower()
        for node in ast.walk(function)
    )


def _rounds(function):
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    names = {getattr(one, "attr", getattr(one, "id", "")) for one in called}
    return bool(names & ROUNDING)
