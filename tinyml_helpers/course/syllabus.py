"""The sixteen lessons: the plan, and the notebooks that exist."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TITLES = (
    "Start here", "Device constraints", "Post-training quantization", "Quantization-aware training",
    "Pruning", "Knowledge distillation", "TFLite export", "ONNX export", "Run it on a microcontroller",
    "Keyword spotting", "Gesture recognition", "Anomaly detection", "Object detection",
    "Face recognition", "Privacy on the device", "Capstone",
)  # fmt: skip

SOLUTIONS = "## Solutions\n"
"""How the cell begins below which a lesson's solutions stand; nothing else follows them."""

_MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class Lesson:
    """One notebook: its `number`, `title`, one-sentence `promise`, reading `time` and `path`."""

    number: int
    title: str
    promise: str
    time: str
    path: Path

    @property
    def name(self) -> str:
        """The file name without its ending, such as 02_post_training_quantization."""
        return self.path.stem


def notebooks_folder() -> Path:
    """Return the folder of the notebooks, beside the package."""
    return Path(__file__).parents[2] / "notebooks"


def lessons(folder: Path | None = None) -> list[Lesson]:
    """Read the lessons that exist, in order.

    Raises:
        FileNotFoundError: the folder holds none.
        ValueError: a notebook does not open as a lesson does.
    """
    folder = folder or notebooks_folder()
    found = [_read(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]
    if not found:
        raise FileNotFoundError(f"no lessons in {folder}: work in a checkout of the course")
    return found


def select(numbers: list[int]) -> list[Lesson]:
    """Return the lessons of these numbers, or all of them for an empty list.

    Raises:
        ValueError: there is no lesson of that number.
    """
    there = {lesson.number: lesson for lesson in lessons()}
    for number in numbers:
        if number not in there:
            raise ValueError(f"no lesson {number}: choose one of {', '.join(map(str, there))}")
    return [there[number] for number in numbers or there]


def read_notebook(path: Path) -> Any:
    """Return a notebook as nbformat reads it.

    Raises:
        ValueError: it is not a notebook, or one of more than 100 MB.
    """
    import nbformat

    wrong: dict[str, Exception] = {}
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES:,} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cells without a name, as older notebooks have them
            notebook = nbformat.read(path, as_version=4, capture_validation_error=wrong)
        for error in wrong.values():
            raise error
    except Exception as error:  # nbformat raises whatever the damaged file leads it to
        raise ValueError(
            f"{path.name} is not a notebook: restore it with `git checkout -- notebooks/{path.name}`"
        ) from error
    return notebook


def cells_to_show(notebook: Any) -> list[Any]:
    """Return the cells of a lesson, without the one that brings the course to Google Colab."""
    return [cell for cell in notebook["cells"] if "colab" not in cell["metadata"].get("tags", ())]


def _read(path: Path) -> Lesson:
    opening = next((cell.source for cell in read_notebook(path).cells), "")
    head = re.match(r"# (\d{1,2}) · (.+)\n\n(.+)\n", opening)
    time = re.search(r"\*\*Time\*\*: *(.+)", opening)
    if not head or not time:
        raise ValueError(f"{path.name} does not open with `# N · Title`, a promise and **Time**")
    return Lesson(int(head[1]), head[2], head[3], time[1], path)
