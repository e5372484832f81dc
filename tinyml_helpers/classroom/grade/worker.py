"""The process that runs what was handed in. It locks itself in first, and judges nothing.

It speaks in lines of JSON with the grader: it says what the answer is, and calls the functions of the
answer when it is told to. Whatever it says is an answer, never a verdict.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tinyml_helpers.classroom.grade import channel, codec, slicing
from tinyml_helpers.course import constants


class Recorder(ModuleType):
    """Stands for `check` where handed-in code runs: notes what is handed in, and knows no answer.

    Constants are those of whoever handed in; a seat that the code takes itself counts for nothing.
    """

    def __init__(self) -> None:
        super().__init__("tinyml_helpers.course.check")
        self.__dict__["_handed_in"] = {}
        self.__dict__["given"] = constants.given
        self.__dict__["join"] = lambda *_, **__: constants.seat()

    def __getattr__(self, name: str) -> Callable[..., str]:
        if name.startswith("_"):
            raise AttributeError(name)

        def hand_in(*answer: Any) -> str:
            self.__dict__["_handed_in"][name] = answer
            return "Handed in."

        return hand_in


class Child:
    """Runs one exercise and answers questions about its answer."""

    def __init__(self) -> None:
        self._functions: list[Callable[..., Any]] = []
        self._check = Recorder()

    def respond(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what a message asks, and say what came of it; nothing that it raises gets through."""
        try:
            if "call" in message:
                return {"value": self._encode(self._call(**message))}
            return self._run(**message)
        except BaseException as error:
            return {"raised": f"{type(error).__name__}: {error}"[:500]}

    def _run(
        self, before: list[str], answer: str, name: str, whole: bool, group: str = "", learner: str = ""
    ) -> dict[str, Any]:
        constants.join(group, learner)
        space = self._space()
        if whole:
            ready = [statement for cell in before for statement in slicing.parse(cell)]
        else:
            ready = slicing.select_statements(before, answer, frozenset(space))
        for statement in [*ready, *slicing.parse(answer)]:
            _execute(statement, space)
        handed_in = self._check.__dict__["_handed_in"]
        if name not in handed_in:
            return {"missing": True}
        return {"answer": [self._encode(part) for part in handed_in[name]]}

    def _call(self, call: int, given: Any, named: Any, method: str = "") -> Any:
        def none(_: int) -> Callable[..., Any]:
            raise ValueError("the grader sends data only")

        called = self._functions[call]
        called = getattr(called, method) if method else called
        return called(*codec.decode(given, none), **codec.decode(named, none))

    def _encode(self, value: Any) -> Any:
        return codec.encode(value, self._keep)

    def _keep(self, function: Callable[..., Any]) -> int:
        self._functions.append(function)
        return len(self._functions) - 1

    def _space(self) -> dict[str, Any]:
        """Make the names that a cell finds; `check` is the recorder, whoever imports it."""
        import tinyml_helpers.course

        tinyml_helpers.course.__dict__["check"] = self._check
        sys.modules[self._check.__name__] = self._check
        sys.modules["tinyml_helpers.course.exercises"] = None  # type: ignore[assignment]
        return {"__name__": "__main__", "check": self._check, "display": lambda *_, **__: None}


def _execute(statement: ast.stmt, space: dict[str, Any]) -> None:
    tree = ast.Module([statement], [])
    exec(compile(ast.fix_missing_locations(tree), "<your cell>", "exec"), space)


def main() -> None:
    """Lock this process in, say what holds, then answer one line after the other."""
    line = channel.lock_in()
    child = Child()
    for message in line:
        try:
            said = json.dumps(child.respond(json.loads(message)))
        except BaseException as error:
            said = json.dumps({"raised": f"{type(error).__name__}: the answer cannot be sent"})
        line.send(said)
