"""Sliders of the book: what a widget draws at each position, in one picture that a script moves.

A page has no kernel, so the positions are drawn before: `python -m book.sliders [--lesson 2]` runs a
lesson up to its last widget and stores a picture in book/static/sliders/ and its texts in book/sliders/.
"""

from __future__ import annotations

import hashlib
import html
import inspect
import io
import itertools
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from tinyml_helpers.course import alt_text, cli, syllabus, widgets

ROOT = Path(__file__).parents[1]
TEXTS = Path(__file__).parent / "sliders"
PICTURES = Path(__file__).parent / "static" / "sliders"
MOST_FRAMES = 36
"""Positions of one widget in all: a page stays small, and its picture fits a phone's memory."""
LEAST_POSITIONS = 5
"""Of one slider: with fewer it says nothing, and the figure stays a still."""
_COLOURS = 128

app = typer.Typer(add_completion=False)


@app.command()
def main(lesson: cli.Lessons = None) -> None:
    """Draw what the widgets of lessons show at each position, and store it for the book."""
    for one in syllabus.select(lesson or []):
        try:
            store(one)
        except (RuntimeError, OSError) as error:
            sys.exit(f"Stopped at lesson {one.number:02d}: {cli.why(error)}")


def store(lesson: syllabus.Lesson) -> None:
    """Run a lesson up to its last widget, and store a picture and texts of each that fits.

    Raises:
        papermill.PapermillExecutionError: a cell raised an error.
    """
    import nbformat
    import papermill

    notebook = syllabus.read_notebook(lesson.path)
    places = [i for i, cell in enumerate(notebook.cells) if "widget" in cell.metadata.get("tags", ())]
    cells = [notebook.cells[i] for i in places]
    takes = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom book import sliders\n"
    with tempfile.TemporaryDirectory() as folder:
        takes += f"sliders.take_over({[cell.id for cell in cells]!r}, {folder!r})"
        before = [cell for cell in notebook.cells[: places[-1] + 1] if not _is_task(cell)]
        notebook.cells = [nbformat.v4.new_code_cell(takes), *before]
        path = Path(folder) / lesson.path.name
        nbformat.write(notebook, path)
        os.environ["TINYML_RESULTS"] = folder  # nothing is measured here
        papermill.execute_notebook(path, path, kernel_name="python3", cwd=lesson.path.parent)
        _keep(lesson, cells, Path(folder))


def _is_task(cell: Any) -> bool:
    return bool({"exercise", "solution"} & set(cell.metadata.get("tags", ())))


def _keep(lesson: syllabus.Lesson, cells: Iterable[Any], folder: Path) -> None:
    PICTURES.mkdir(exist_ok=True)
    told = {}
    for cell in cells:
        made, kept = folder / f"{cell.id}.webp", PICTURES / f"{cell.id}.webp"
        kept.unlink(missing_ok=True)
        if made.exists():
            kept.write_bytes(made.read_bytes())
            one = json.loads(made.with_suffix(".json").read_text("utf-8"))
            told[cell.id] = {"cell": digest(cell.source), **one}
            print(f"{cell.id}: {len(one['texts'])} positions, {kept.stat().st_size / 1000:.0f} KB")
        else:
            print(f"{cell.id}: more than {MOST_FRAMES} positions, so the book shows a still")
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    path = TEXTS / f"{lesson.number:02d}.json"
    path.write_text(text, "utf-8") if told else path.unlink(missing_ok=True)


def digest(source: str) -> str:
    """What tells whether a cell is still the one whose figures were stored."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def take_over(names: Sequence[str], folder: str) -> None:
    """In a lesson's kernel: let each call of `widgets.explore` store its figures, and show nothing.

    Args:
        names: of the cells that hold a widget, in order.
        folder: where the pictures and texts go.
    """
    following = iter(names)

    def explore(draw: Callable[..., Any], **controls: Any) -> None:
        path = Path(folder) / f"{next(following)}.webp"
        parameters = inspect.signature(draw).parameters
        starts = {name: parameters[name].default for name in controls}
        if choices := choose(controls, starts):
            told = draw_all(draw, choices, path) | {"controls": _describe(choices, controls, starts)}
            path.with_suffix(".json").write_text(json.dumps(told), "utf-8")

    widgets.explore = explore


def choose(controls: Mapping[str, Any], starts: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Label -> value of the positions to draw, for each control; None if too few would remain."""
    menus = {
        name: dict(one) if isinstance(one, Mapping) else {str(value): value for value in one}
        for name, one in controls.items()
        if not isinstance(one, tuple)
    }
    sliders = len(controls) - len(menus)
    room = MOST_FRAMES / math.prod(map(len, menus.values()))
    most = int(room ** (1 / sliders) + 1e-9) if sliders else 1
    if room < 1 or (sliders and most < LEAST_POSITIONS):
        return None
    return {name: menus.get(name) or _thin(controls[name], starts[name], most) for name in controls}


def _thin(control: tuple[float, ...], start: float, most: int) -> dict[str, float]:
    """At most so many positions of a slider, with both ends and the start."""
    low, high, *given = control
    whole = all(isinstance(number, int) for number in (*control, start))
    step = given[0] if given else (1 if whole else (high - low) / 50)
    count, first = round((high - low) / step), round((start - low) / step)
    stride = 1 if count < most else math.ceil(count / max(1, most - 3))
    kept = sorted({0, first, count, *range(first % stride, count + 1, stride)})
    values = [start if i == first else low + i * step for i in kept]
    return {f"{value:.4g}": value for value in values}


def _describe(
    choices: Mapping[str, Mapping[str, Any]], controls: Mapping[str, Any], starts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name.replace("_", " "),
            "values": list(values),
            "start": list(values.values()).index(starts[name]),
            "menu": not isinstance(controls[name], tuple),
        }
        for name, values in choices.items()
    ]


def draw_all(
    draw: Callable[..., Any], choices: Mapping[str, Mapping[str, Any]], path: Path
) -> dict[str, Any]:
    """Draw each combination, the last control's values side by side, into one lossless WebP.

    Returns:
        Width and height of a figure in pixels, columns of the picture, and the figures' texts.
    """
    import matplotlib.pyplot as plt
    from PIL import Image

    frames, texts = [], []
    for values in itertools.product(*(one.values() for one in choices.values())):
        draw(**dict(zip(choices, values, strict=True)))
        figure, png = plt.gcf(), io.BytesIO()
        figure.savefig(png, format="png")
        texts.append(alt_text.describe(figure))
        plt.close(figure)
        frames.append(Image.open(png).convert("RGB"))
    width, height = (max(sizes) for sizes in zip(*(frame.size for frame in frames), strict=True))
    columns = math.ceil(math.sqrt(len(frames) * height / width))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(frames) / columns) * height), "white")
    for i, frame in enumerate(frames):
        sheet.paste(frame, (i % columns * width, i // columns * height))
    few = sheet.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.convert("RGB").save(path, "WEBP", lossless=True, quality=100, method=6)
    return {"width": width, "height": height, "columns": columns, "texts": texts}


def read(lesson: int) -> dict[str, Any]:
    """What is stored of a lesson, by cell."""
    path = TEXTS / f"{lesson:02d}.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def show(stored: Mapping[str, Any], name: str, source: str, still: str) -> str:
    """The HTML that the book's script makes a slider of; without a script it says what `still` says.

    Args:
        stored: what `read` gave of the lesson.
        name: of the cell.
        source: of the cell; where it has changed since, the figure stays a still.
        still: a paragraph.
    """
    one = stored.get(name)
    if not one or one["cell"] != digest(source):
        return still
    told = html.escape(json.dumps({"name": name, **one}, ensure_ascii=False))
    return f'<div class="slider" data-slider="{told}">{still}</div>'


if __name__ == "__main__":
    app()
