"""Runs of a lesson on a learner's own files: where these lie, and where what they gave is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyml_helpers.system import own_files

PARAMETERS = ("own_words", "recordings", "own_photos")
"""Parameters of lessons that name a folder of yours, or a photo."""
PUBLIC = "cwru"
"""In place of a folder: a public set that lesson 11 fetches."""


def resolve(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with each folder as an absolute path: a kernel works in a folder of its own.

    Raises:
        DataError: there is no such folder.
    """
    return {
        name: str(own_files.find(value)) if _is_folder(name, value) else value
        for name, value in parameters.items()
    }


def choose_folder(parameters: Mapping[str, Any], usual: Path) -> Path:
    """Return where notebooks and pages go; what was measured on your files goes there, too.

    What lessons measure on the shipped data stays as it is.

    Args:
        parameters: of a lesson.
        usual: where a run on the shipped data goes.
    """
    if not any(_is_folder(name, value) for name, value in parameters.items()):
        return usual
    folder = usual / "own"
    shutil.rmtree(folder / "results", ignore_errors=True)  # of other files
    os.environ["TINYML_RESULTS"] = str(folder / "results")
    return folder


def tell_whose(parameters: Mapping[str, Any]) -> str:
    """Return what a page says that was made of your files, in Markdown; "" where none were given."""
    given = [f"`{name} = {value}`" for name, value in parameters.items() if _is_folder(name, value)]
    if not given:
        return ""
    return (
        f"> **Run on your own files**: {', '.join(given)}. What was measured on them stands in the "
        "outputs of the cells, and under names that begin with `own.` at the end. The text, and every "
        "figure in it, was written about the course's own data and stays as it was."
    )


def _is_folder(name: str, value: Any) -> bool:
    return name in PARAMETERS and isinstance(value, str) and value not in ("", PUBLIC)
