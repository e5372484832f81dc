"""Runs of a lesson on a learner's own recordings: where these lie, and where what they gave is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyml_helpers.system import own_files

PARAMETERS = ("own_words", "recordings")
"""Parameters of lessons that name a folder of yours."""
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
    """Return where notebooks and pages go; what was measured on your recordings goes there, too.

    What lessons measure on the shipped data stays as it is.

    Args:
        parameters: of a lesson.
        usual: where a run on the shipped data goes.
    """
    if not any(_is_folder(name, value) for name, value in parameters.items()):
        return usual
    folder = usual / "own"
    shutil.rmtree(folder / "results", ignore_errors=True)  # of other recordings
    os.environ["TINYML_RESULTS"] = str(folder / "results")
    return folder


def _is_folder(name: str, value: Any) -> bool:
    return name in PARAMETERS and isinstance(value, str) and value not in ("", PUBLIC)
