"""A class on one server: give each learner the lessons, and never take back what they wrote."""

from __future__ import annotations

import os
from pathlib import Path

from tinyml_helpers.course import syllabus
from tinyml_helpers.system.folders import write_atomically


def lessons_folder() -> Path:
    """Return the folder that is handed out: `TINYML_CLASS_LESSONS`, or the lessons of the checkout.

    Raises:
        FileNotFoundError: the folder holds no notebook.
    """
    folder = Path(os.environ.get("TINYML_CLASS_LESSONS") or syllabus.notebooks_folder())
    if not any(folder.glob("*.ipynb")):
        raise FileNotFoundError(
            f"no notebooks in {folder}: make some with `tinyml workshop --out kit` and set "
            "TINYML_CLASS_LESSONS to kit/student"
        )
    return folder


def hand_out(source: Path, home: Path) -> list[Path]:
    """Copy what a learner does not have yet to `home`/lessons; a file that is there stays as it is.

    Args:
        source: a folder of notebooks and pages.
        home: the learner's home, made where it does not exist.

    Returns:
        The files that are new, in order.
    """
    target = home / "lessons"
    target.mkdir(parents=True, exist_ok=True)
    new = []
    for path in sorted(source.iterdir()):
        copy = target / path.name
        if path.is_file() and not copy.exists():
            write_atomically(copy, path.read_bytes())
            new.append(copy)
    return new
