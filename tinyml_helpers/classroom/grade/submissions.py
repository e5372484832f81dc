"""What was handed in: who, which file, which lesson, and the cells that answer its exercises.

Files are read with care and nothing in them is run: a file may be a link, a pipe, enormous, or nonsense.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.grade import calls
from tinyml_helpers.course import check, syllabus

MOST_FILE_BYTES = 20 << 20
MOST_FILES, MOST_DEPTH, MOST_OF_LEARNER = 20_000, 12, 200
MOST_CELLS, MOST_CELL_CHARACTERS, MOST_CHARACTERS = 2000, 200_000, 2_000_000
# Of programs; any other folder whose name begins with a dot can be a learner's.
_NOBODYS = ("._", ".git", ".ipynb_checkpoints", ".Trash", "__MACOSX")


class UnreadableError(ValueError):
    """A file is no notebook that can be graded; the message says why."""


@dataclass(frozen=True)
class Cell:
    """A cell of code: its `source`, the `id` that it came with, and whether it is tagged a solution.

    `names` are those that `check` has in its notebook.
    """

    source: str
    id: str = ""
    is_solution: bool = False
    names: frozenset[str] = frozenset({"check"})

    @cached_property
    def checks(self) -> set[str]:
        """Names of the exercises that it calls, whatever its name for `check`; no comment, no text."""
        return calls.find_calls(self.source, self.names) & set(check.exercises())


@dataclass(frozen=True)
class Submission:
    """One file: its `learner`, its name below the folder, its place, its `number` among theirs."""

    learner: str
    file: str
    path: Path
    number: int = 1


@dataclass(frozen=True)
class Answer:
    """The cell that answers an exercise, the cells `before` it, and how many tried to answer it."""

    exercise: str
    source: str
    before: tuple[str, ...]
    attempts: int


def find(folder: Path) -> list[Submission]:
    """List the notebooks of a folder by learner: a folder each, or a file each.

    A file `02_post_training_quantization_ann.ipynb` directly in the folder is from `ann`. A link, or a
    learner's folder without any notebook, is listed too: it gets a row that says so.

    Raises:
        ValueError: it is no folder, or holds no notebook, or far too many.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: give the one that holds the notebooks")
    found: list[Submission] = []
    count: Counter[str] = Counter()
    for path in _notebooks(folder, 0):
        parts = path.relative_to(folder).parts
        learner = parts[0] if len(parts) > 1 else _learner(path.stem)
        count[learner] += 1
        if count[learner] <= MOST_OF_LEARNER + 1:
            found.append(Submission(learner, "/".join(parts), path, count[learner]))
        if len(found) > MOST_FILES:
            raise ValueError(f"more than {MOST_FILES:,} notebooks in {folder}: grade them in parts")
    if not found:
        raise ValueError(f"no notebook in {folder}: put in a file or a folder for each learner")
    return sorted(found, key=lambda one: (one.learner, one.file))


def _notebooks(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(_NOBODYS) or (depth and entry.name.startswith(".")):
            continue
        if entry.name.lower().endswith(".ipynb") or (entry.is_symlink() and entry.is_dir()):
            yield Path(entry.path)
        elif entry.is_dir() and depth < MOST_DEPTH:
            inside = list(_notebooks(Path(entry.path), depth + 1))
            missing = depth == 0 and not entry.name.startswith(".")
            yield from inside or ([Path(entry.path)] if missing else [])


def _learner(stem: str) -> str:
    """Take the lesson's name off a file's name; a file that bears nothing else is its own learner."""
    for lesson in _lessons():
        rest = stem.replace(lesson.stem, "").strip(" _-.")
        if rest and rest != stem:
            return rest
    return stem


def read_cells(path: Path) -> list[Cell]:
    """Read the cells of code of a notebook.

    Raises:
        UnreadableError: not a plain file, too large, or no notebook of format 4.
    """
    content = _content(path)
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableError("not a notebook: its text is not UTF-8") from error
    except RecursionError as error:
        raise UnreadableError("not a notebook: nested far too deeply") from error
    except ValueError as error:
        raise UnreadableError(f"not a notebook: no JSON ({error})"[:160]) from error
    if isinstance(notebook, dict) and "worksheets" in notebook:
        raise UnreadableError("in the old format 3: open it in JupyterLab, save it, hand it in again")
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise UnreadableError("not a notebook: it has no cells")
    code = [_cell(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    if len(code) > MOST_CELLS:
        raise UnreadableError(
            f"too long: it has {len(code):,} cells of code, at most {MOST_CELLS:,} count"
        )
    lengths = [len(cell.source) for cell in code]
    if max(lengths, default=0) > MOST_CELL_CHARACTERS or sum(lengths) > MOST_CHARACTERS:
        raise UnreadableError("too long: its code is larger than a learner's can be")
    names = frozenset({"check"}.union(*(calls.names_of_check(cell.source) for cell in code)))
    return [replace(cell, names=names) for cell in code]


def _content(path: Path) -> bytes:
    """Read a plain file of a sensible size: no link is followed, no pipe waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableError(
            "a link: hand in the file itself"
            if path.is_symlink()
            else f"cannot be read ({error.strerror})"
        ) from error
    if path.is_dir():
        os.close(handle)
        raise UnreadableError(f"missing: no notebook in the folder, down to {MOST_DEPTH} folders deep")
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError("a pipe or a device, not a notebook")
        if about.st_size > MOST_FILE_BYTES:
            size = f"{about.st_size / 1e6:,.0f} MB"
            raise UnreadableError(f"too large ({size}): clear its outputs and hand it in again")
        return file.read(MOST_FILE_BYTES)


def _cell(cell: dict[str, Any]) -> Cell:
    source, metadata = cell.get("source"), cell.get("metadata")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    solution = isinstance(tags, list) and "solution" in tags
    return Cell(source if isinstance(source, str) else "", str(cell.get("id", "")), solution)


@cache
def read_exercises() -> dict[str, tuple[int, str, Cell | None]]:
    """Return for each exercise its lesson, its untouched stub, and the solution as printed."""
    found: dict[str, tuple[int, str, Cell | None]] = {}
    for lesson in _lessons():
        for cell in read_cells(lesson):
            for name in cell.checks:
                _, stub, solution = found.get(name, (0, "", None))
                made = (stub, cell) if cell.is_solution else (cell.source, solution)
                found[name] = (int(lesson.name[:2]), *made)
    return found


@cache
def _lessons() -> list[Path]:
    return sorted(syllabus.notebooks_folder().glob("[0-9][0-9]_*.ipynb"))


def list_exercises(cells: list[Cell]) -> list[str]:
    """Name the exercises that a notebook should answer: all of every lesson whose checks it calls."""
    called = set().union(*(cell.checks for cell in cells)) if cells else set()
    lessons = {read_exercises()[name][0] for name in called if name in read_exercises()}
    return [name for name, (number, _, _) in read_exercises().items() if number in lessons]


def find_answer(cells: list[Cell], exercise: str) -> Answer | None:
    """Find the last cell that answers an exercise: neither the empty stub nor the printed solution.

    Returns:
        The answer, or None if there is none.
    """
    _, stub, solution = read_exercises()[exercise]
    calling = [i for i, cell in enumerate(cells) if exercise in cell.checks]
    tried = [
        i
        for i in calling
        if not _same(cells[i].source, stub)
        and not (solution and _is_printed(cells[i], solution, first=i == calling[0]))
    ]
    if not tried:
        return None
    last = tried[-1]
    before = tuple(cell.source for i, cell in enumerate(cells[:last]) if i not in tried)
    return Answer(exercise, cells[last].source, before, len(tried))


def _is_printed(cell: Cell, solution: Cell, *, first: bool) -> bool:
    """Tell whether a cell is the course's own solution, left in the file, and not the learner's work."""
    if not _same(cell.source, solution.source):
        return False
    return cell.is_solution or cell.id == solution.id or not first


def _same(one: str, other: str) -> bool:
    """Compare code, whatever its spaces and comments: an edition for a class may drop those."""
    return "".join(calls.strip_comments(one).split()) == "".join(calls.strip_comments(other).split())
