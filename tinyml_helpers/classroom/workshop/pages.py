"""What all pages of a kit share: templates, Markdown and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.workshop.schedule import format_clock

_TEMPLATES = Path(__file__).parent / "html"


@dataclass(frozen=True)
class Picture:
    """A stored figure: PNG in `base64` and its alternative text."""

    base64: str
    alt: str


def render(template: str, **values: Any) -> str:
    """Return a page made of a template of this package; every value is escaped unless marked safe."""
    return str(_environment().get_template(template).render(**values))


def render_markdown(text: str) -> str:
    """Return Markdown as HTML that a template may use as it is."""
    from markupsafe import Markup
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return Markup(markdown2html_mistune(text))


def find_pictures(cell: Any) -> list[Picture]:
    """Return the figures that a code cell shows, in order."""
    found = []
    for output in cell.get("outputs", []):
        png = output.get("data", {}).get("image/png")
        if png:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "Figure of the lesson.")
            found.append(Picture("".join(png.split()), alt))
    return found


def find_picture_cells(notebook: Any) -> Iterator[tuple[int, Any]]:
    """Yield index and cell of every code cell that shows a figure."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and find_pictures(cell):
            yield index, cell


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["markdown"] = render_markdown
    environment.filters["clock"] = format_clock
    return environment
