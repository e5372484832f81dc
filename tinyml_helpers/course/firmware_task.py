"""Exercises in C: a learner's function is compiled for an emulated core, compared, and counted.

The verdict places it on a scale: the plain loop, the best that a compiler makes of it, ours, and what
arithmetic alone would take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, hint, right
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.faults import EmulatorError
from tinyml_helpers.mcu.target.image import Image

Compiler = Callable[[Mapping[str, str]], Image]
COMPILER: ContextVar[Compiler] = ContextVar("compiler", default=toolchain.compile_c)
"""What makes a program of file name -> C text; where nothing may be started, somebody else's."""
FIGURES = ("instructions_per_mac", "flash_bytes", "stack_bytes")
"""What is counted of a right answer, the one that decides first; less is better."""
_KEPT = "__attribute__((used, retain))"  # also where a learner's function does not look at it
_FILE = "your_code.h"
_MOST_INSTRUCTIONS = 5_000_000
_MOST_CHARACTERS = 50_000
_DTYPES = {"int8_t": np.int8, "int16_t": np.int16, "int32_t": np.int32}
_OURS = ("Reset_Handler", "_halt", "_vectors", "main")
_ERROR = re.compile(rf"{re.escape(_FILE)}:(\d+):\d+: (?:fatal )?error: (.*)")


@dataclass(frozen=True)
class FirmwareTask:
    """What an exercise asks to write in C.

    Args:
        asked: one sentence that ends in a full stop.
        prototype: of the function, without a semicolon: "int32_t dot(const int8_t *x, int32_t n)".
        result: what it makes: the C type of what it returns, or the name of an array that it fills.
        arrays: name of an argument that is an array -> its C type and most elements. All others are
            numbers of type int32_t.
        reference: gives the same for numpy arguments.
        hidden: cases, arguments in their order; the last one is what is counted. An array that is
            filled is as long as what is to be written there.
        macs: multiply-accumulates of the last case.
        slips: typical wrong answers, as functions of numpy arguments.
        scale: mark -> instructions for each multiply-accumulate, least first.
        most: instructions for each multiply-accumulate that a right answer takes at most.
        tip: what a right answer that takes more is told.
        caller: C of the function whose arguments these are, where it is not the learner's own: it
            calls that, and the compiler may make one of both.
    """

    asked: str
    prototype: str
    result: str
    arrays: Mapping[str, tuple[str, int]]
    reference: Callable[..., Any]
    hidden: Sequence[cases.Case]
    macs: int
    slips: Sequence[building.Slip]
    scale: Mapping[str, float]
    most: float
    tip: str
    caller: str = ""

    @property
    def function(self) -> str:
        """The function's name."""
        return _name(self.prototype)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of a case's arguments."""
        inside = (self.caller or self.prototype).partition("(")[2].partition(")")[0]
        return tuple(re.split(r"\W+", part.strip())[-1] for part in inside.split(","))

    @property
    def main(self) -> str:
        """The C around it: variables that a run fills, and a call."""
        variables = [
            f"{_KEPT} {self.arrays[name][0]} arg_{name}[{self.arrays[name][1]}];"
            if name in self.arrays
            else f"{_KEPT} int32_t arg_{name};"
            for name in self.arguments
        ]
        given = ", ".join(f"arg_{name}" for name in self.arguments)
        call = f"{_name(self.caller or self.prototype)}({given})"
        if self.result not in self.arrays:
            variables.append(f"{_KEPT} {self.result} answer;")
            call = f"answer = {call}"
        return "\n".join([
            "#include <stdint.h>",
            *variables,
            f"{self.prototype};" if self.caller else f"__attribute__((noinline)) {self.prototype};",
            f'#include "{_FILE}"',
            self.caller,
            f"int main(void) {{ {call}; return 0; }}",
        ])  # fmt: skip


def _name(prototype: str) -> str:
    """Return the name of the function that a C text begins with."""
    return re.split(r"\W+", prototype.partition("(")[0].strip())[-1]


def judge_c(task: FirmwareTask, text: Any, why: str) -> Verdict:
    """Judge the C of a learner.

    Args:
        task: what was asked.
        text: the C, with the function of the prototype.
        why: what a right answer is told.
    """
    if not isinstance(text, str):
        return hint(f"{task.asked} Give its C as text, between three quotation marks.")
    if task.function not in text or len(text) > _MOST_CHARACTERS:
        return hint(f"{task.asked} Your text must define `{task.prototype}`.")
    try:
        image = COMPILER.get()({"main.c": task.main, _FILE: text})
    except toolchain.ToolchainError as error:
        return hint(_explain_compiler(text, str(error)))
    machine, tried, runs = Machine(image), [], []
    for case in task.hidden:
        try:
            runs.append(_run(machine, task, case))
        except EmulatorError as error:
            return hint(f"It compiles, and does not run to its end: with {_quote(task, case)}, {error}.")
        wanted = task.reference(*cases.copied(case))
        tried.append(building.Tried(case, wanted, _made(task, case, runs[-1])))
    wrong = [one for one in tried if not _same(one.said, one.wanted)]
    if wrong:
        slip = building.find_slip(task.slips, tried, _same)
        right_ones = f"It compiles and runs; {len(tried) - len(wrong)} of {len(tried)} cases are right."
        return hint(" ".join(filter(None, [right_ones, slip, _explain(task, wrong[0])])))
    # With a caller, the learner's code may have become a part of main().
    ours = [name for name in _OURS if name in image.symbols and not (task.caller and name == "main")]
    flash_bytes = image.flash_bytes - sum(image.symbols[name].size_bytes for name in ours)
    stack_bytes = max(run.stack_bytes for run in runs)
    counted = (runs[-1].instructions / task.macs, flash_bytes, stack_bytes)
    return _place(task, dict(zip(FIGURES, counted, strict=True)), why)


def _run(machine: Machine, task: FirmwareTask, case: cases.Case) -> Any:
    """Run one case, from reset; arrays are filled up with ones, so that reading too far shows."""
    inputs: dict[str, Any] = {}
    for name, value in zip(task.arguments, case, strict=True):
        if name in task.arrays:
            kind, most = task.arrays[name]
            inputs[f"arg_{name}"] = np.ones(most, _DTYPES[kind])
            inputs[f"arg_{name}"][: len(value)] = value
        else:
            inputs[f"arg_{name}"] = np.array([value], np.int32)
    made = _output(task)
    return machine.run(inputs, dict([made]), limit=_MOST_INSTRUCTIONS)


def _output(task: FirmwareTask) -> tuple[str, Any]:
    """Return the variable that holds what was made, and the type of its elements."""
    if task.result in task.arrays:
        return f"arg_{task.result}", _DTYPES[task.arrays[task.result][0]]
    return "answer", _DTYPES[task.result]


def _made(task: FirmwareTask, case: cases.Case, run: Any) -> Any:
    """Return what a run made: a number; or an array, with what was written behind its end."""
    found = run.outputs[_output(task)[0]]
    if task.result not in task.arrays:
        return found[0]
    length = len(case[task.arguments.index(task.result)])
    touched = np.flatnonzero(found[length:] != 1)
    return found[: length + (touched[-1] + 1 if len(touched) else 0)]


def _same(said: Any, wanted: Any) -> bool:
    return np.array_equal(np.asarray(said), np.asarray(wanted))


def _explain_compiler(text: str, said: str) -> str:
    """Return the compiler's first sentence with the learner's line, or its first error of any kind."""
    found = _ERROR.search(said)
    if not found:
        first = next((line for line in said.splitlines() if "error:" in line), said)
        return f"The program was not built: {first.partition('error:')[2].strip() or first}"[:300]
    number, sentence = int(found[1]), found[2]
    lines = text.splitlines()
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return f"The compiler stops at line {number}, `{line[:100]}`: {sentence[:200]}."


def _explain(task: FirmwareTask, one: building.Tried) -> str:
    if task.result in task.arrays:
        made = f"{task.result} becomes {cases.show(one.said)}, and {cases.show(one.wanted)}"
    else:
        made = f"it returns {one.said:,}, and {int(one.wanted):,}"
    return f"The smallest case that fails: with {_quote(task, one.case)} {made} is wanted."


def _quote(task: FirmwareTask, case: cases.Case) -> str:
    return "hidden arguments" if task.caller else building.quote_named(task.arguments, case)


def _place(task: FirmwareTask, figures: Mapping[str, float], why: str) -> Verdict:
    """Place an answer whose bytes are right on the scale."""
    per_mac = figures[FIGURES[0]]
    marks = sorted([*task.scale.items(), ("YOURS", per_mac)], key=lambda mark: mark[1])
    scale = " · ".join(f"{name} {value:.2f}" for name, value in marks)
    counted = (
        f"Every byte is right. Instructions for each MAC: {scale}. It takes "
        f"{figures['flash_bytes']:,.0f} bytes of flash and {figures['stack_bytes']:,.0f} of stack."
    )
    if per_mac > task.most:
        return hint(f"{counted} At most {task.most:.2f} are wanted: {task.tip}")
    return right(f"{counted} {why}", figures)
