"""An error about a model names the file that the model came from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from tinyml_helpers.datasets.strange import short
from tinyml_helpers.deploy.report import ModelError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def names_the_file(read: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a function, whose first argument is a model's path or bytes, name the file in its errors.

    The error keeps its type. A model that was given as bytes has no name, and its error stays as it is.
    """

    @functools.wraps(read)
    def named(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return read(*args, **kwargs)
        except ModelError as error:
            # A tensor's name may be as long as the file.
            error.args = (short(error, 600),)
            source = next(iter(inspect.signature(read).bind(*args, **kwargs).arguments.values()))
            if isinstance(source, str | Path) and Path(source).name not in str(error):
                error.args = (f"{Path(source).name}: {error}",)
            raise

    return named
