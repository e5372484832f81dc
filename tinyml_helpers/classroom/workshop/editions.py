"""Two editions of a lesson: what learners get, and what the one who teaches it gets."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from typing import Any

from tinyml_helpers.classroom.workshop.schedule import Section, find_sections, format_clock
from tinyml_helpers.course.constants import CONSTANTS
from tinyml_helpers.course.syllabus import SOLUTIONS, cells_to_show

STUDENT_NOTE = (
    "*Workshop edition. Run a cell to see its result; the solutions of the exercises are with your "
    "instructor.*"
)
SEAT_CELL = """\
# Constants of some exercises are yours alone. In place of None: the name under which you hand in.
check.join({}, learner=None)"""
_IMPORT = re.compile(r"^from tinyml_helpers.course import .*\bcheck\b", re.MULTILINE)
# A link to a neighbour: neither a picture nor a place on the web or on the page.
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")
_HEADING = re.compile(r"^#{1,2} .+$", re.MULTILINE)


def make_student_edition(notebook: Any, there: Collection[str], group: str = "") -> Any:
    """Return a lesson without solutions, outputs and speaker notes; all else is as stored.

    Args:
        notebook: the stored lesson, which is not changed.
        there: names of the notebooks that stand beside it; links to other files become plain text.
        group: name of the class; where constants differ by learner, a cell asks for a name.
    """
    edition = copy.deepcopy(notebook)
    edition.cells = [cell for cell in cells_to_show(edition) if not _is_solution(cell)]
    for cell in edition.cells:
        cell.metadata.pop("tinyml", None)
        cell.metadata.pop("slideshow", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = _with_links(cell.source, there)
    edition.cells[0].source += f"\n\n{STUDENT_NOTE}"
    if group:
        _add_seat(edition, group)
    return edition


def _add_seat(edition: Any, group: str) -> None:
    """Put a cell behind the imports that takes a seat, where an exercise has constants."""
    import nbformat

    source = "\n".join(cell.source for cell in edition.cells if cell.cell_type == "code")
    if any(f"check.{name}(" in source for name in CONSTANTS):
        places = (i for i, cell in enumerate(edition.cells) if _IMPORT.search(cell.source))
        seat = nbformat.v4.new_code_cell(SEAT_CELL.format(repr(group)), id="seat")
        edition.cells.insert(next(places) + 1, seat)


def _is_solution(cell: Any) -> bool:
    return "solution" in cell.metadata.get("tags", []) or cell.source.startswith(SOLUTIONS)


def make_instructor_edition(notebook: Any, there: Collection[str]) -> Any:
    """Return a lesson with open solutions, all outputs, and a box of notes under each section's heading.

    Args:
        notebook: the stored lesson, which is not changed.
        there: names of the notebooks that stand beside it; links to others become plain text.
    """
    edition = copy.deepcopy(notebook)
    for section in find_sections(notebook):
        cell = edition.cells[section.cell]
        cell.source = _with_box(cell.source, section)
    edition.cells = cells_to_show(edition)
    for cell in edition.cells:
        cell.metadata.pop("tinyml", None)
        cell.metadata.pop("jupyter", None)
        if cell.cell_type == "markdown":
            cell.source = _with_links(cell.source, there)
    return edition


def _with_box(source: str, section: Section) -> str:
    """Put the notes under the first heading of a cell, as a quotation that any viewer shows."""
    lines = [f"**🕐 {format_clock(section)}**", "", *section.notes.splitlines()]
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    box = f"\n\n{quoted}"
    heading = _HEADING.search(source)
    end = heading.end() if heading else 0
    return source[:end] + box + source[end:]


def _with_links(source: str, there: Collection[str]) -> str:
    return _LINK.sub(lambda found: found[0] if found[2] in there else found[1], source)
