"""The package keeps the house style: import order, size, docstrings, light imports."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tinyml_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Within the lowest rank the order is this.
GROUND = (
    "sharing", "places", "room", "compat", "tables", "intervals", "integers",
    "devices", "cost", "datasets", "models", "training",
)  # fmt: skip
# A module imports only from its own rank or from lower ones.
RANKS = (
    set(GROUND),
    {"compress", "signals"},
    {"deploy"},
    {"mcu"},
    {"search"},
    {"course"},
    {"deploy_cli", "class_cli"},
    {"cli"},
)


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "tinyml_helpers"
                else [node.module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("tinyml_helpers."):
                yield name.split(".")[1]


def rank(name):
    return next(number for number, rooms in enumerate(RANKS) if name in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path):
    mine = room(path)
    if mine == "__init__":
        return
    for other in imported_rooms(path):
        assert rank(other) <= rank(mine), f"{mine} imports {other}"
        if mine != other and rank(mine) == rank(other) == 0:
            assert GROUND.index(other) < GROUND.index(mine), f"{mine} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_are_short_and_explained(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 240
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public += [method for node in public if isinstance(node, ast.ClassDef) for method in node.body]
    for node in public:
        name = getattr(node, "name", "_")
        assert name.startswith("_") or ast.get_docstring(node), name


def body_lines(node):
    docstring = node.body[0] if ast.get_docstring(node) else None
    first = node.body[1 if docstring and len(node.body) > 1 else 0]
    return node.end_lineno - first.lineno + 1


def test_functions_are_short():
    lengths = [
        body_lines(node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 20
    assert max(lengths) <= 40


def test_importing_the_package_imports_nothing_else():
    """Counted, not timed: a clock fails on a busy machine, and passes an import that costs 0.1 s."""
    code = (
        "import sys; before = set(sys.modules); import tinyml_helpers; print(*set(sys.modules) - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["tinyml_helpers"]


@pytest.mark.parametrize(
    "module", ["devices", "datasets", "compat", "course.check", "course.scoreboard", "cli"]
)
def test_light_modules_need_no_framework(module):
    heavy = "bool({'torch', 'tensorflow'} & set(sys.modules))"
    code = f"import sys, tinyml_helpers.{module}; sys.exit({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_nothing_speaks_of_the_machine_it_was_made_on():
    root = PACKAGE.parent
    texts = [
        path
        for pattern in (
            "*.md",
            "*.py",
            "*.toml",
            "*.yml",
            "*.lock",
            "Makefile",
            "*.ipynb",
            "*.json",
            "*.cfg",
        )
        for path in root.rglob(pattern)
        if not {".venv", "build"} & set(path.relative_to(root).parts[:1])
        and path.parent != Path(__file__).parent
    ]
    for path in texts:
        text = path.read_text("utf-8")
        for trace in ("/root/", "/work/", "/tmp/", "site-packages", "ipykernel_"):
            assert trace not in text, f"{trace} in {path.relative_to(root)}"
