"""Slides of a lesson, where it marks them: one HTML file that needs no network."""

from __future__ import annotations

import copy
import re
from html import escape
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.workshop import pages
from tinyml_helpers.classroom.workshop.schedule import (
    Section,
    find_headings,
    find_sections,
    format_clock,
)
from tinyml_helpers.course.syllabus import Lesson

_TEMPLATES = Path(__file__).parent / "html"
_HEADING = re.compile(r"^#{1,2} .+$", re.MULTILINE)


def is_marked(notebook: Any) -> bool:
    """Say whether a lesson marks slides, in the metadata that Jupyter's slide menu writes."""
    return any(slide_type(cell) in ("slide", "subslide") for cell in notebook.cells)


def slide_type(cell: Any) -> str:
    """Return how a cell is marked: slide, subslide, fragment, skip, notes, or "-" for none of it."""
    return str(cell.metadata.get("slideshow", {}).get("slide_type", "") or "-")


def render_deck(lesson: Lesson, notebook: Any) -> str:
    """Return the slides of a lesson as one HTML file.

    Arrow keys move, s opens the speaker's window, n shows the notes, p prints.

    Raises:
        ValueError: the lesson marks no slides.
    """
    if not is_marked(notebook):
        raise ValueError(f"{lesson.path.name} marks no slides")
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(template_name="slides", extra_template_basedirs=[str(_TEMPLATES)])
    title = f"{lesson.number} · {lesson.title}"
    body, _ = exporter.from_notebook_node(prepare(notebook), {"deck": _parts(title)})
    # Links to neighbours lead nowhere from a deck.
    return re.sub(r'<a href="(?!https?:|#)[^"]*">(.*?)</a>', r"\1", body, flags=re.DOTALL)


def prepare(notebook: Any) -> Any:
    """Return a copy whose cells carry what the template shows: title, clock and notes of each slide."""
    prepared = copy.deepcopy(notebook)
    spoken = {section.cell: section for section in find_sections(notebook)}
    section: Section | None = None
    for index, cell in enumerate(prepared.cells):
        section = spoken.get(index, section)
        if "solution" in cell.metadata.get("tags", []) and slide_type(cell) == "-":
            cell.metadata["slideshow"] = {"slide_type": "skip"}
        if slide_type(cell) in ("slide", "subslide"):
            _cut_before_heading(cell)
        cell.metadata["deck"] = {
            "title": _title(cell, section),
            "clock": format_clock(section) if section else "",
        }
        cell.metadata["deck_notes"] = _notes(section)
        for output in cell.get("outputs", []):
            _still(output.get("data", {}))
        cell.source = cell.source.removeprefix("# NBVAL_CHECK_OUTPUT\n")
        # A room looks at results: code only where the lesson says so.
        hide = cell.cell_type == "code" and not cell.metadata.get("tinyml", {}).get("code")
        cell.metadata["transient"] = {"remove_source": hide}
    _gather_notes(prepared.cells)
    return prepared


def _parts(title: str) -> dict[str, str]:
    from pygments.formatters import HtmlFormatter

    return {
        "title": escape(title),
        "code_css": HtmlFormatter(style="default").get_style_defs(".highlight"),
        "css": (_TEMPLATES / "slides.css").read_text("utf-8"),
        "script": (_TEMPLATES / "slides.js").read_text("utf-8"),
    }


def _still(data: Any) -> None:
    """Leave of a page in a frame the picture that stands in for it: a deck is looked at."""
    if "image/png" in data and "<iframe" in data.get("text/html", ""):
        del data["text/html"]


def _cut_before_heading(cell: Any) -> None:
    """Leave out what belongs to the section before: a cell may close one and open the next."""
    heading = _HEADING.search(cell.source) if cell.cell_type == "markdown" else None
    if heading:
        cell.source = cell.source[heading.start() :]


def _title(cell: Any, section: Section | None) -> str:
    own = find_headings(cell.source) if cell.cell_type == "markdown" else []
    return (own or [section.title if section else ""])[0]


def _notes(section: Section | None) -> str:
    if section is None:
        return ""
    title, notes = escape(section.title), pages.render_markdown(section.notes)
    return f"<p><b>{title}, {format_clock(section)}</b></p>{notes}"


def _gather_notes(cells: list[Any]) -> None:
    """Add what stands in cells marked as notes to the slide that they follow."""
    extra = ""
    for cell in cells:
        if slide_type(cell) in ("slide", "subslide"):
            extra = ""
        elif slide_type(cell) == "notes":
            extra += pages.render_markdown(cell.source)
        cell.metadata["deck_notes"] += extra
