"""A handout for each lesson: one printed page with its promise, pictures, figures and exercises."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.workshop import pages
from tinyml_helpers.classroom.workshop.pages import Picture
from tinyml_helpers.course import scoreboard, wording
from tinyml_helpers.course.scoreboard import Record
from tinyml_helpers.course.syllabus import Lesson

_CHOICES = Path(__file__).parent / "handouts.toml"
_MAGIC = re.compile(r"^%\w+ ", re.MULTILINE)  # %time, before a statement
_MOST_RECORDS = 4
_MOST_FUNCTIONS = 7
_SKIPPED = ("compat", "course", "datasets")  # the same in every lesson


@dataclass(frozen=True)
class Function:
    """A function that a lesson calls: as it is written there, and what it does."""

    call: str
    does: str


@dataclass(frozen=True)
class Handout:
    """What stands on the page."""

    lesson: Lesson
    goals: tuple[str, ...]
    pictures: tuple[Picture, ...]
    formulas: tuple[str, ...]
    records: tuple[Record, ...]
    functions: tuple[Function, ...]
    exercises: tuple[str, ...]


def render_handout(lesson: Lesson, notebook: Any) -> str:
    """Return the handout of a lesson as HTML for one A4 page."""
    return pages.render("handout.html.j2", handout=collect(lesson, notebook), names=wording.WORDS)


def collect(lesson: Lesson, notebook: Any) -> Handout:
    """Gather what the handout of a lesson shows."""
    chosen = read_choices().get(f"{lesson.number:02d}", {})
    cells = core_cells(notebook)
    return Handout(
        lesson=lesson,
        goals=tuple(re.findall(r"^- (.+)$", notebook.cells[0].source, re.MULTILINE)),
        pictures=_pictures(notebook, chosen.get("pictures", [])),
        formulas=tuple(chosen.get("formulas", [])),
        records=_records(lesson.number),
        functions=find_functions([cell.source for cell in cells if cell.cell_type == "code"]),
        exercises=find_questions(notebook),
    )


@cache
def read_choices() -> Mapping[str, Any]:
    """Return pictures and formulas by lesson, as handouts.toml chooses them."""
    return tomllib.loads(_CHOICES.read_text("utf-8"))


def core_cells(notebook: Any) -> list[Any]:
    """Return the cells before the exercises."""
    heads = (i for i, cell in enumerate(notebook.cells) if "## Exercises" in cell.source)
    return list(notebook.cells[: next(heads, len(notebook.cells))])


def find_questions(notebook: Any) -> tuple[str, ...]:
    """Return the questions of the exercises, as Markdown."""
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    _, _, part = texts.partition("## Exercises")
    part, _, _ = part.partition("## What you measured")
    return tuple(q.strip() for q in re.split(r"^\*\*\d\.\*\*", part, flags=re.MULTILINE)[1:])


def find_functions(sources: list[str]) -> tuple[Function, ...]:
    """Return the functions of tinyml_helpers that the cells call, in order, with what they do."""
    modules: dict[str, str] = {}
    found: dict[str, Function] = {}
    for source in sources:
        tree = ast.parse(_MAGIC.sub("", source))
        modules |= _modules(tree)
        for name, attribute in _calls(tree):
            module = modules.get(name)
            call = f"{name}.{attribute}"
            if module and call not in found and (does := _purpose(module, attribute)):
                found[call] = Function(call, does)
    return tuple(found.values())[:_MOST_FUNCTIONS]


def _modules(tree: ast.AST) -> dict[str, str]:
    """Return alias -> module for what a cell imports from the package."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinyml_helpers"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full.split(".")[1] not in _SKIPPED:
                    found[alias.asname or alias.name] = full
    return found


def _calls(tree: ast.AST) -> list[tuple[str, str]]:
    """Return what is called as name.attribute, in the order of the text."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ]
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    return [(node.func.value.id, node.func.attr) for node in calls]  # type: ignore[attr-defined]


def _purpose(module: str, attribute: str) -> str:
    """Return the first line of a function's docstring, or "" where there is none."""
    try:
        member = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return ""
    line = (inspect.getdoc(member) or "").partition("\n")[0]
    return re.split(r"[:;]\s|\.$|\.\s", line)[0]


def _pictures(notebook: Any, lines: list[str]) -> tuple[Picture, ...]:
    """Return the first figure of each cell with one of the lines; else the first and last of all."""
    cells = [cell for _, cell in pages.find_picture_cells(notebook)]
    chosen = [
        cell
        for line in lines
        for cell in cells
        if line in (text.strip() for text in cell.source.splitlines())
    ]
    return tuple(pages.find_pictures(cell)[0] for cell in chosen or cells[:1] + cells[-1:])


def _records(number: int) -> tuple[Record, ...]:
    """Return what the lesson measured: what the README names first, then the rest."""
    order = {name: place for place, name in enumerate(wording.WORDS)}
    records = scoreboard.reference().of_lesson(number).records
    return tuple(sorted(records, key=lambda r: order.get(r.name, len(order)))[:_MOST_RECORDS])
