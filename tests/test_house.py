"""The package keeps the house style: which way imports run, budgets, size, docstrings, light imports."""

import ast
import json
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinyml_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))
# A room imports from those before it, and from itself.
ROOMS = (
    "system", "integers", "intervals", "devices", "cost", "datasets", "models", "training", "compress",
    "deploy", "mcu", "usecases", "search", "course", "classroom", "cli",
)  # fmt: skip
# The engine may be released alone: this is all that it takes along.
ENGINE_MAY_IMPORT = (
    "system", "integers", "devices", "cost.latency",
    "deploy.model_file", "deploy.tflite", "deploy.litert",
)  # fmt: skip
# A use case stands alone, but for these.
USE_CASES_MAY_IMPORT = {
    "detection": {"vision"}, "faces": {"vision"}, "privacy": {"gestures"},
}  # fmt: skip
SHARED_BY_USE_CASES = {"alarms", "networks"}
# Lines of Python at most. Who raises one says why in the commit.
BUDGETS = {
    "__init__": 8,
    "system": 1170,
    "integers": 72,
    "intervals": 188,
    "devices": 221,
    "cost": 1020,
    "datasets": 2790,
    "models": 257,
    "training": 152,
    "compress": 1200,
    "deploy": 3510,
    "mcu": 4865,
    "usecases": 8356,
    "search": 1840,
    "course": 3810,
    "classroom": 3550,
    "cli": 204,
}
WHOLE_BUDGET = 33167
# Names that a lesson takes from the package, and modules that they come from: 30 of 12 at most. These
# lessons take more; a number here may fall, and no lesson may come to the list.
MOST_NAMES, MOST_MODULES = 30, 12
TAKE_MORE = {
    "06": (32, 16),
    "07": (41, 16),
    "08": (34, 19),
    "09": (38, 14),
    "10": (49, 19),
    "11": (44, 16),
    "12": (60, 29),
    "13": (42, 19),
    "14": (43, 22),
}


def dotted(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path): path for path in MODULES}


@cache
def imported(name):
    """Modules of the package that a module imports, late and for types included."""
    found = set()
    for node in ast.walk(ast.parse(NAMES[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE.name:
            base = node.module.removeprefix(PACKAGE.name).strip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".strip(".")
                found.add(full if full in NAMES else base)
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix(PACKAGE.name).strip(".")
                for alias in node.names
                if alias.name.partition(".")[0] == PACKAGE.name
            }
    return found - {name, ""}


def room(name):
    return name.partition(".")[0]


def is_in(name, rooms):
    return any(name == one or name.startswith(f"{one}.") for one in rooms)


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_imports_run_one_way(name):
    for other in imported(name):
        assert ROOMS.index(room(other)) <= ROOMS.index(room(name)), f"{name} imports {other}"


def test_no_files_import_each_other_in_a_circle():
    reached = {name: imported(name) for name in NAMES}
    for _ in NAMES:  # until nothing new is reached
        wider = {n: r.union(*(reached[one] for one in r)) for n, r in reached.items()}
        if wider == reached:
            break
        reached = wider
    # A room's front imports its own modules, and they may take what the front defines.
    assert [name for name in NAMES if name in reached[name]] == []


@pytest.mark.parametrize("name", [name for name in NAMES if room(name) == "mcu"])
def test_the_engine_takes_little_along(name):
    strange = {one for one in imported(name) if room(one) != "mcu" and not is_in(one, ENGINE_MAY_IMPORT)}
    assert strange == set()


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.count(".") >= 2 and room(name) == "usecases"]
)
def test_use_cases_stand_alone(name):
    mine = name.split(".")[1]
    may = {mine} | SHARED_BY_USE_CASES | USE_CASES_MAY_IMPORT.get(mine, set())
    theirs = {one.split(".")[1] for one in imported(name) if one.startswith("usecases.")}
    assert theirs <= may, f"{name} imports {sorted(theirs - may)}"


def test_each_room_keeps_its_budget():
    lines = {}
    for name, path in NAMES.items():
        here = room(name) or "__init__"
        lines[here] = lines.get(here, 0) + len(path.read_text("utf-8").splitlines())
    over = {one: count for one, count in lines.items() if count > BUDGETS.get(one, 0)}
    assert over == {}
    assert sum(lines.values()) <= WHOLE_BUDGET


def taken(notebook):
    """Names of the package that a lesson uses, each with its module: {(module, name)}."""
    cells = [c for c in json.loads(notebook.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    magic = re.compile(r"(?m)^\s*[%!].*$")
    trees = [ast.parse(magic.sub("", "".join(cell["source"]))) for cell in cells]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    bound, found = {}, set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            base = node.module.removeprefix(PACKAGE.name).strip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".strip(".")
                if full in NAMES:
                    bound[alias.asname or alias.name] = full
                else:
                    found.add((base, alias.name))
    for node in nodes:
        chain = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in bound and chain:
            module = bound[node.id]
            while chain and f"{module}.{chain[0]}" in NAMES:
                module = f"{module}.{chain.pop(0)}"
            if chain:
                found.add((module, chain[0]))
    return found


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")), ids=lambda p: p.name[:2]
)
def test_a_lesson_takes_few_names_of_the_package(notebook):
    found = {(module, name) for module, name in taken(notebook) if module != "course.check"}
    names, modules = TAKE_MORE.get(notebook.name[:2], (MOST_NAMES, MOST_MODULES))
    assert len(found) <= names
    assert len({module for module, _ in found}) <= modules
    assert (names, modules) == (MOST_NAMES, MOST_MODULES) or names > MOST_NAMES or modules > MOST_MODULES


def test_the_map_names_what_is_there():
    """The README of the package: its rooms, and the names to know first."""
    text = (PACKAGE / "README.md").read_text("utf-8")
    rooms = {name.strip("/").removesuffix(".py") for name in re.findall(r"`(\w+(?:\.py|/))`", text)}
    assert rooms == set(ROOMS)
    table = text[text.index("## Twenty-two names") : text.index("Each of them prints")]
    known = re.findall(r"`([a-z_]+(?:\.\w+)+)`", table)
    assert len(known) == 22
    for name in known:
        module = max((one for one in NAMES if one and name.startswith(f"{one}.")), key=len)
        thing = name.removeprefix(f"{module}.")
        assert thing in defined(module), name
    for page in PACKAGE.rglob("README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{link} in {page}"


def test_a_front_that_loads_late_lists_all_that_is_behind_it():
    for path in PACKAGE.rglob("__init__.py"):
        text = path.read_text("utf-8")
        if "lazy_loader.attach" in text:
            listed = re.findall(r'"(\w+)"', text[text.index("submodules=") :])
            assert sorted(listed) == sorted(p.stem for p in path.parent.glob("*.py") if p != path), path


def defined(module):
    """Names that a module defines or imports at its top."""
    found = set()
    for node in ast.parse(NAMES[module].read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return found


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
    "module", ["devices", "datasets", "system.compat", "course.check", "course.scoreboard", "cli"]
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
        and not (path.name.startswith("test_") and Path(__file__).parent in path.parents)
    ]
    for path in texts:
        text = path.read_text("utf-8")
        for trace in ("/root/", "/work/", "/tmp/", "site-packages", "ipykernel_"):
            assert trace not in text, f"{trace} in {path.relative_to(root)}"
