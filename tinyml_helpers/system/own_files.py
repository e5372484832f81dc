"""A learner's own files and folders, named from wherever the learner stands."""

from __future__ import annotations

import os
from pathlib import Path

from tinyml_helpers.system.folders import CHECKOUT
from tinyml_helpers.system.shipped_files import DataError


def find(name: str | Path) -> Path:
    """Return a file or folder as an absolute path; `~` is the home.

    A relative name begins where you stand: in the working directory, or, in a notebook, whose working
    directory is its own folder, where Jupyter was started, or in the checkout.

    Raises:
        DataError: there is none in any of these.
    """
    wanted = Path(name).expanduser()
    places = [Path.cwd(), *filter(None, [Path(os.environ.get("PWD", ""))]), CHECKOUT]
    tried = list(dict.fromkeys((place / wanted).absolute() for place in places))
    for path in tried:
        if path.exists():
            return path.resolve()
    looked = ", ".join(str(path) for path in tried)
    raise DataError(f"there is no file or folder {str(name)!r}: looked for {looked}")
