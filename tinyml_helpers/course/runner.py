"""Run lessons from start to end, and make pages of them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyml_helpers.course import kernels, own_data, scoreboard
from tinyml_helpers.course.syllabus import TITLES, Lesson, cells_to_show, read_notebook
from tinyml_helpers.system.folders import build_folder as build_folder
from tinyml_helpers.system.folders import write_atomically
from tinyml_helpers.system.shared_folders import own_folder, sweep

CELL_SECONDS = 3600
"""Longest time for one cell, also in the full profile: a kernel that hangs must not hold the course."""
INTERRUPTED = "Interrupted. What was finished is kept, nothing is half-written: run it again."
_PAGES = Path(__file__).parent / "html"


@dataclass(frozen=True)
class Built:
    """What running a lesson left behind: the executed `notebook` and its HTML `page`."""

    lesson: Lesson
    notebook: Path
    page: Path


class LessonError(RuntimeError):
    """A cell raised an error, named with its lesson; `built` is what ran before, None for nothing."""

    built: Built | None = None


def run(lesson: Lesson, parameters: Mapping[str, Any], folder: Path, *, progress: bool = True) -> Built:
    """Execute a lesson in a fresh kernel and convert it to HTML, also where a cell fails.

    Args:
        lesson: the lesson.
        parameters: values for its `parameters` cell.
        folder: where notebook and page go.
        progress: show papermill's bar, a step for each cell.

    Raises:
        LessonError: a cell raised an error, its kernel died, or a parameter does not exist.
        OSError: there is no room; nothing half-written is left.
    """
    check_parameters(lesson, parameters)
    folder.mkdir(parents=True, exist_ok=True)
    built = _built(lesson, folder)
    sweep(folder, ".running-*")
    # Where nobody else writes: another learner may run the same lesson in the same checkout.
    with own_folder(folder, ".running-") as work:
        executed = work / lesson.path.name
        failure = _execute(lesson, executed, parameters, progress)
        try:
            _say_whose(executed, own_data.tell_whose(parameters))
            write_page(executed, built.page)
            executed.replace(built.notebook)
        except OSError as error:
            raise (failure or error) from error
    if failure:
        failure.built = built
        raise failure
    return built


def _execute(
    lesson: Lesson, executed: Path, parameters: Mapping[str, Any], progress: bool
) -> LessonError | None:
    """Run a lesson into a file; return why it ended early, with what ran in the file.

    Raises:
        LessonError: the kernel died before the first cell.
        OSError: the file may be half-written.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    name, words = f"lesson {lesson.number:02d} ({lesson.path.name})", kernels.LastWords()
    try:
        papermill.execute_notebook(
            lesson.path,
            executed,
            dict(parameters),
            cwd=lesson.path.parent,
            kernel_name="python3",
            kernel_manager_class=words.manager(),
            progress_bar=progress,
            execution_timeout=CELL_SECONDS,
        )
    except papermill.PapermillExecutionError as error:
        return _because(error, f"{name}, code cell {error.exec_count}: {error.ename}: {error.evalue}")
    except CellTimeoutError as error:
        return _because(error, f"{name}: a cell ran longer than {CELL_SECONDS} s")
    except DeadKernelError as error:
        return _because(error, f"{name}: {words.why(error)}")
    except RuntimeError as error:
        raise LessonError(f"{name}: {words.why(error)}") from error
    return None


def _say_whose(notebook: Path, note: str) -> None:
    """Put a note behind the first cell of an executed notebook, its title; nothing where it is empty."""
    if not note:
        return
    import nbformat

    told = read_notebook(notebook)
    told.cells.insert(1, nbformat.v4.new_markdown_cell(note))
    notebook.write_text(nbformat.writes(told) + "\n", "utf-8")


def _because(error: Exception, sentence: str) -> LessonError:
    failure = LessonError(sentence)
    failure.__cause__ = error
    return failure


def _built(lesson: Lesson, folder: Path) -> Built:
    return Built(lesson, folder / lesson.path.name, folder / f"{lesson.name}.html")


def check_parameters(lesson: Lesson, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the lesson's `parameters` cell does not set.

    Raises:
        LessonError: the lesson has no parameter of that name.
    """
    import papermill

    known = papermill.inspect_notebook(lesson.path)
    for name in parameters:
        if name not in known:
            raise LessonError(
                f"lesson {lesson.number:02d} has no parameter {name!r}: choose one of {', '.join(known)}"
            )


def write_page(notebook: Path, page: Path) -> None:
    """Convert an executed notebook to one HTML file that needs no network."""
    shown = strip_widgets(read_notebook(notebook))
    shown.cells = cells_to_show(shown)
    body, _ = page_exporter().from_notebook_node(shown)
    # What scrolls must be reached by keyboard; rich's tables scroll.
    body = body.replace('.ipynb"', '.html"').replace('<pre style="', '<pre tabindex="0" style="')
    write_atomically(page, body)


def page_exporter() -> Any:
    """Return the exporter of a lesson to one HTML file: pictures inside, folded text folded."""
    from jinja2 import pass_context
    from nbconvert import HTMLExporter

    class Exporter(HTMLExporter):  # type: ignore[misc]
        @pass_context
        def markdown2html(self, context: Any, source: str) -> Any:
            # Where it embeds pictures, it closes each piece of HTML by itself: <details> would end
            # right behind its summary, and its text stand open below.
            self.embed_images = "<details" not in source
            return super().markdown2html(context, source)

    return Exporter(template_name="lesson", extra_template_basedirs=[str(_PAGES)], embed_images=True)


def strip_widgets(notebook: Any) -> Any:
    """Drop what only a live kernel can show: widget views, their state, progress bars."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
            ]
    return notebook


def write_index(lessons: list[Lesson], board: scoreboard.Scoreboard, folder: Path) -> Path:
    """Write scoreboard.json and the index page, which links the lessons that were run."""
    from jinja2 import Environment, FileSystemLoader

    pages = {lesson.number: _built(lesson, folder) for lesson in lessons}
    built = {number: made for number, made in pages.items() if made.page.exists()}
    environment = Environment(loader=FileSystemLoader(_PAGES), autoescape=True)
    template = environment.get_template("index.html.j2")
    page = template.render(titles=TITLES, built=built, board=board.records)
    write_atomically(folder / "index.html", page)
    records = json.dumps([asdict(record) for record in board.records], indent=2)
    write_atomically(folder / "scoreboard.json", records + "\n")
    return folder / "index.html"


def refresh_outputs(lesson: Lesson) -> None:
    """Execute a lesson and store its outputs in the notebook itself, without state or timestamps.

    Raises:
        LessonError: a cell raised an error or its kernel died; the notebook is left as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    notebook = read_notebook(lesson.path)
    cells = sum(cell.cell_type == "code" for cell in cells_to_show(notebook))
    words = kernels.LastWords()
    with tqdm(total=cells, desc=lesson.name, unit="cell") as bar:
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            kernel_manager_class=words.manager(),
            log=logging.getLogger("papermill"),
            resources={"metadata": {"path": str(lesson.path.parent)}},
            on_cell_complete=lambda **_: bar.update(),
        )
        try:
            _run_cells(client)
        except CellExecutionError as error:
            raise LessonError(f"lesson {lesson.number:02d}: {error.ename}: {error.evalue}") from error
        except RuntimeError as error:
            raise LessonError(f"lesson {lesson.number:02d}: {words.why(error)}") from error
    for cell in strip_widgets(notebook).cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = {"name": "python"}
    write_atomically(lesson.path, nbformat.writes(notebook) + "\n")


def _run_cells(client: Any) -> None:
    """Run a client's notebook cell by cell: its own `execute` takes Ctrl-C for a kernel that died."""
    with client.setup_kernel(env={**os.environ, "OMP_NUM_THREADS": "1"}):
        for cell in cells_to_show(client.nb):
            index = client.nb.cells.index(cell)
            client.execute_cell(cell, index, execution_count=client.code_cells_executed + 1)
