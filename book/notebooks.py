"""A lesson as the book shows it: solutions folded, figures described, no marks for tests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from book import sliders
from tinyml_helpers.course import syllabus

CHECKED = "# NBVAL_CHECK_OUTPUT\n"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MOVES = '<p class="moves">In JupyterLab this figure has sliders and menus. Here it is as a still.</p>'


def adapt(notebook: dict[str, Any], moving: Mapping[str, Any]) -> dict[str, Any]:
    """Change a notebook, as JSON has it, for the book.

    A solution is folded; the first line that marks a cell for tests goes; a widget becomes a slider of
    the page, or a line says that it moves elsewhere.

    Args:
        notebook: the lesson.
        moving: what `sliders.read` gives of it.
    """
    cells = []
    for cell in syllabus.cells_to_show(notebook):
        cells.append(cell)
        if cell["cell_type"] == "code":
            _adapt_code(cell)
            if "widget" in tags(cell):
                told = sliders.show(moving, str(cell.get("id")), source(cell), MOVES)
                note = {
                    "cell_type": "markdown",
                    "id": f"moves-{len(cells)}",
                    "metadata": {},
                    "source": told,
                }
                cells.append(note)
    return notebook | {"cells": cells}


def source(cell: dict[str, Any]) -> str:
    """The text of a cell, which the format allows to be a list of lines."""
    return "".join(cell["source"])


def tags(cell: dict[str, Any]) -> list[str]:
    """The tags of a cell."""
    return list(cell["metadata"].get("tags", []))


def last_heading(markdown: str) -> str:
    """The last heading of a text, without its marks; "" if it has none."""
    found = re.findall(r"^#+ +(.+)$", re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S), re.M)
    return re.sub(r"[*`]", "", found[-1]) if found else ""


def describe(code: str, heading: str) -> str:
    """What a figure shows, in words: the titles that the code gives it, and its section."""
    titles = [text for _, text in re.findall(r"\btitle=(['\"])([^'\"{}]{4,})\1", code)]
    section = f"Figure in the section “{heading}”" if heading else "Figure"
    return f"{section}: {'; '.join(titles)}" if titles else section


def _adapt_code(cell: dict[str, Any]) -> None:
    if "solution" in tags(cell):
        cell["metadata"]["tags"] = [*tags(cell), "hide-cell"]
        prompts = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
        cell["metadata"]["mystnb"] = prompts
    cell["source"] = source(cell).removeprefix(CHECKED)
    cell["outputs"] = [o for o in cell["outputs"] if WIDGET_VIEW not in o.get("data", {})]


def alt_texts(notebook: dict[str, Any]) -> dict[str, str]:
    """What each picture of a notebook shows, by the SHA-256 of the picture, as Sphinx names its file.

    The notebook's own text for it, where it has one; else the titles that the code gives it.
    """
    heading, texts = "", {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            heading = last_heading(source(cell)) or heading
        for output in cell.get("outputs", []):
            if picture := output.get("data", {}).get("image/png"):
                own = output["metadata"].get("image/png", {}).get("alt")
                digest = hashlib.sha256(base64.b64decode("".join(picture))).hexdigest()
                texts[digest] = own or describe(source(cell), heading)
    return texts
