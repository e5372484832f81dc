"""Count what holds the course together: tests, mutants, checked outputs, records, verified files."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from book import notebooks
from tinyml_helpers.course import syllabus

FIGURE = re.compile(r"[\d,]+<!-- (\w+) -->")
"""A count as a page stores it: readable as it stands, and marked with its name for whoever renews it."""


def renew(page: str, root: Path) -> str:
    """Return a page with fresh counts.

    Raises:
        KeyError: it asks for a count that nobody makes.
    """
    found = count(root)
    return FIGURE.sub(lambda mark: f"{found[mark[1]]}<!-- {mark[1]} -->", page)


@cache
def count(root: Path) -> dict[str, str]:
    """Counts for the page on tests, as text, by the name that the page uses.

    Raises:
        FileNotFoundError: a part of the checkout is missing.
    """
    figures = lesson_counts(root) | test_counts(root) | data_counts(root) | package_counts(root)
    figures |= mutation_counts(root)
    return {name: f"{figure:,}" for name, figure in figures.items()}


def lesson_counts(root: Path) -> dict[str, int]:
    """Lessons, and what is in them."""
    cells = [cell for path in lesson_files(root) for cell in _cells(path)]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    marked = [cell for cell in code if notebooks.source(cell).startswith(notebooks.CHECKED)]
    figures = [o for cell in code for o in cell["outputs"] if "image/png" in o.get("data", {})]
    return {
        "lessons": len(lesson_files(root)),
        "code_cells": len(code),
        "checked_outputs": len(marked),
        "exercises": sum("exercise" in notebooks.tags(cell) for cell in code),
        "widgets": sum("widget" in notebooks.tags(cell) for cell in code),
        "figures": len(figures),
    }


def lesson_files(root: Path) -> list[Path]:
    """The notebooks of the lessons, in order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def _cells(path: Path) -> list[dict[str, Any]]:
    return syllabus.cells_to_show(json.loads(path.read_text("utf-8")))


def test_counts(root: Path) -> dict[str, int]:
    """Test functions, files of tests, and functions that are fed invented input by hypothesis."""
    files = sorted((root / "tests").rglob("test_*.py"))
    functions = [
        node
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    marks = [
        {ast.unparse(mark).split("(")[0] for mark in function.decorator_list} for function in functions
    ]
    return {
        "test_files": len(files),
        "tests": len(functions),
        "parametrized": sum("pytest.mark.parametrize" in mark for mark in marks),
        "invented": sum("given" in mark for mark in marks),
    }


def mutation_counts(root: Path) -> dict[str, int]:
    """The stored score of mutation testing, whole and by package: `mutants`, `mutants_mcu` and so on."""
    found = json.loads((root / "tests" / "mutation" / "score.json").read_text("utf-8"))
    of = {f"_{name.rpartition('/')[2]}": counts for name, counts in found["packages"].items()}
    of[""] = {name: sum(counts[name] for counts in of.values()) for name in next(iter(of.values()))}
    figures = {"mutants_seed": int(found["seed"])}
    for package, counts in of.items():
        possible = counts["mutants"] - counts["equivalent"]
        figures |= {
            f"mutants{package}": counts["mutants"],
            f"mutants_places{package}": counts["places"],
            f"mutants_equivalent{package}": counts["equivalent"],
            f"mutants_first{package}": counts["killed_at_first"],
            f"mutants_killed{package}": counts["killed"],
            f"mutants_timeouts{package}": counts["timeouts"],
            f"mutants_survived{package}": possible - counts["killed"],
            f"mutants_first_percent{package}": 100 * counts["killed_at_first"] // possible,
            f"mutants_percent{package}": 100 * counts["killed"] // possible,
        }
    return figures


def data_counts(root: Path) -> dict[str, int]:
    """Files that are verified by their SHA-256, and what the lessons recorded."""
    manifest = json.loads((root / "data" / "manifest.json").read_text("utf-8"))
    records = json.loads((root / "data" / "reference" / "scoreboard.json").read_text("utf-8"))
    locks = (
        (root / name).read_text("utf-8") for name in ("requirements.lock", "requirements-torch.lock")
    )
    packages = re.findall(r"^[\w.-]+==", "".join(locks), re.MULTILINE)
    return {"data_files": len(manifest["files"]), "records": len(records), "packages": len(packages)}


def package_counts(root: Path) -> dict[str, int]:
    """Modules and public functions and classes of the package."""
    found = [
        path
        for path in (root / "tinyml_helpers").rglob("*.py")
        if (path.parent / "__init__.py").exists() and "exercises" not in path.parts
    ]
    public = [
        node
        for path in found
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    return {"modules": len(found), "public_names": len(public)}
