"""Files of models: reading one, and errors that name the file the model came from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from tinyml_helpers.datasets import DataError, read_file
from tinyml_helpers.system.untrusted import one_line

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class ModelError(ValueError):
    """A model file is missing, damaged or not supported, or data does not fit the model."""


def read_model(source: str | Path | bytes) -> bytes:
    """Return the bytes of a model, given them or the path of a file.

    A file that ships with the course is verified.

    Raises:
        ModelError: the file is missing, unreadable, empty, or a damaged file of the course.
    """
    if isinstance(source, bytes):
        return source
    try:
        content = read_file(source)
    except DataError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror}; check the path") from error
    if not content:
        raise ModelError(f"{source} is empty: write or copy it again")
    return content


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
            error.args = (one_line(error, 600),)
            source = next(iter(inspect.signature(read).bind(*args, **kwargs).arguments.values()))
            if isinstance(source, str | Path) and Path(source).name not in str(error):
                error.args = (f"{Path(source).name}: {error}",)
            raise

    return named
