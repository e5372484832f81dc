"""The project as syntax trees: modules of the package, lessons, scripts, and what their names mean."""

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "tinyml_helpers"
# What is no lesson and uses the package all the same; the command is found in the package itself.
SCRIPTS = {"book": "book/*.py", "data/build": "data/build/*.py", "benchmarks": "benchmarks/*.py"}
COMMANDS = ("cli", "course.cli", "mcu.cli", "live.cli", "classroom.cli")
MAGIC = re.compile(r"(?m)^(\s*)[%!].*$")


@dataclass(frozen=True)
class Name:
    """Something that a module defines at its top, or, with `name` empty, the module itself."""

    module: str
    name: str = ""


def cell_sources(notebook):
    """Source of each code cell of a notebook; lines of magic become `pass`."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield MAGIC.sub(r"\1pass", "".join(cell["source"]))


class House:
    """A checkout of the project."""

    def __init__(self, root):
        self.root = Path(root)
        self.paths = {self._dotted(path): path for path in sorted((self.root / PACKAGE).rglob("*.py"))}
        self.trees = {name: ast.parse(path.read_text("utf-8")) for name, path in self.paths.items()}

    def _dotted(self, path):
        parts = path.relative_to(self.root / PACKAGE).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def lines(self, module):
        return len(self.paths[module].read_text("utf-8").splitlines())

    @cached_property
    def notebooks(self):
        """Number of a lesson -> its file."""
        found = sorted((self.root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        return {path.name[:2]: path for path in found}

    @cached_property
    def lessons(self):
        """Number of a lesson -> one tree of all its cells."""
        return {
            number: ast.parse("\n".join(cell_sources(path))) for number, path in self.notebooks.items()
        }

    @cached_property
    def scripts(self):
        """Name of a user that is no lesson -> trees of its files."""
        return {
            user: [ast.parse(path.read_text("utf-8")) for path in sorted(self.root.glob(pattern))]
            for user, pattern in SCRIPTS.items()
        }

    @cached_property
    def definitions(self):
        """Module -> name -> the statement that defines it."""
        return {module: dict(_defined(tree.body)) for module, tree in self.trees.items()}

    @cached_property
    def aliases(self):
        """Module -> name -> what was imported under it."""
        return {module: self.imports(tree) for module, tree in self.trees.items()}

    def imports(self, tree):
        """Name -> what of the package is imported under it, late and for types included."""
        return dict(self._imports(tree))

    def imported(self, module):
        """Modules of the package that a module imports, late and for types included."""
        return {thing.module for _, thing in self._imports(self.trees[module])} - {module, ""}

    def _imports(self, tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
                base = node.module.removeprefix(PACKAGE).strip(".")
                for alias in node.names:
                    yield alias.asname or alias.name, self._member(base, alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.partition(".")[0] == PACKAGE:
                        module = alias.name.removeprefix(PACKAGE).strip(".")
                        yield alias.asname or PACKAGE, Name(module if alias.asname else "")

    def _member(self, module, name):
        """What a module has under a name: a function that a room imports hides the file named alike."""
        below = f"{module}.{name}".strip(".")
        return Name(below) if below in self.paths and below not in self._hidden else Name(module, name)

    @cached_property
    def _hidden(self):
        """Modules whose name in their room is that of a function which the room imports."""
        return {
            f"{module}.{alias.asname or alias.name}".strip(".")
            for module, tree in self.trees.items()
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}.")
            for alias in node.names
            if f"{node.module.removeprefix(f'{PACKAGE}.')}.{alias.name}" not in self.paths
        }

    def source(self, thing):
        """Follow a name to where it is defined; None if that is not in the package."""
        for _ in range(10):
            if not thing.name or thing.name in self.definitions.get(thing.module, {}):
                return thing
            if thing.module not in self.paths or thing.name not in self.aliases[thing.module]:
                return None
            thing = self.aliases[thing.module][thing.name]
        return None

    def locate(self, node, names):
        """What a name or a chain of attributes says: (the thing, the attributes left over)."""
        chain = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        thing = names.get(node.id) if isinstance(node, ast.Name) else None
        while thing and chain and not thing.name:
            thing = self._member(thing.module, chain.pop(0))
        return thing, chain

    def resolve(self, node, names):
        """The same, followed to where the thing is defined; None if that is not in the package."""
        thing, rest = self.locate(node, names)
        return (self.source(thing) if thing else None), rest


def _defined(body):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from ((one.id, node) for one in ast.walk(target) if isinstance(one, ast.Name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _defined(node.body)
            yield from _defined(getattr(node, "orelse", []))


def public(tree):
    """Public functions and classes at the top of a module."""
    kinds = ast.FunctionDef | ast.ClassDef
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
