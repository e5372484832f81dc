"""`--lessons 0,1,11` runs some of the lessons; all without it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser):
    parser.addoption("--lessons", default="", help="numbers of lessons, with commas between them")


@pytest.fixture(scope="session")
def lessons(pytestconfig):
    """Numbers of the lessons to run."""
    from tinyml_helpers.course import syllabus

    asked = pytestconfig.getoption("--lessons")
    return [int(n) for n in asked.split(",")] if asked else [one.number for one in syllabus.lessons()]
