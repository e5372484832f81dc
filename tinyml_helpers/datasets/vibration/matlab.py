"""Variables of MATLAB files, read by SciPy in a process of its own.

SciPy's reader is C and trusts the sizes that a file states: a damaged one can crash it.
`python -m tinyml_helpers.datasets.vibration.matlab ENDING` reads a file from its standard input and
writes the variables of numbers whose names end so, one after another.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system import untrusted
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import one_line

SECONDS = 60


def read_variables(path: Path, ending: str) -> dict[str, NDArray[np.float64]]:
    """Return the variables of a .mat file whose names end in `ending`, each as float64 [N].

    Raises:
        DataError: no such file, or no MATLAB file.
    """
    try:
        printed = untrusted.run_isolated(
            "tinyml_helpers.datasets.vibration.matlab",
            ending,
            content=path.read_bytes(),
            seconds=SECONDS,
        )
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}): check the path") from error
    except untrusted.GuardedError as error:
        raise DataError(
            f"{path.name} is no MATLAB file, or a damaged one (the reader: {error}): fetch it again"
        ) from error
    with np.load(io.BytesIO(printed), allow_pickle=False) as found:
        if "error" in found:
            reason = one_line(found["error"])
            raise DataError(f"{path.name} is no MATLAB file, or damaged ({reason}): fetch it again")
        return dict(found)


def select(content: bytes, ending: str) -> dict[str, NDArray[np.float64]]:
    """Read a file in this very process; see `read`."""
    from scipy.io import loadmat

    found = loadmat(io.BytesIO(content))
    return {
        name: np.asarray(value, np.float64).ravel()
        for name, value in found.items()
        if name.endswith(ending) and not name.startswith("__")
    }


def _main() -> None:
    untrusted.limit_memory()
    found: dict[str, NDArray[np.float64] | str]
    try:
        found = {**select(sys.stdin.buffer.read(), sys.argv[1])}
    except Exception as error:  # loadmat raises whatever the damaged bytes lead it to
        found = {"error": f"{type(error).__name__}: {error}"}
    packed = io.BytesIO()
    np.savez(packed, **found)  # type: ignore[arg-type]
    sys.stdout.buffer.write(packed.getvalue())


if __name__ == "__main__":
    _main()
