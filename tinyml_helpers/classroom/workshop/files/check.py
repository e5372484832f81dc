"""The evening before the workshop: run `python check.py` in the environment of the course.

It needs no network and changes nothing. At the end it prints one line for your instructor.
"""

import sys

CURE = (
    "TinyML NOT READY | Python {}.{} | the course is not installed in this Python.\n\n"
    "In the folder of the course, run `make lab` once (on Windows: `py -3.11 bootstrap.py`).\n"
    "Then start this check with the Python of the course: .venv/bin/python check.py\n"
    "(on Windows: .venv\\Scripts\\python check.py)."
)

if __name__ == "__main__":
    try:
        from tinyml_helpers.classroom.workshop import readiness
    except (ImportError, SyntaxError):  # an older Python may not even read the package
        sys.exit(CURE.format(*sys.version_info[:2]))
    readiness.main()
