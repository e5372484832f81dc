"""Pages of the reference: one for each room of the package, and one for each module in it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# The rooms in the order in which they build on each other; others follow.
ORDER = ("devices", "cost", "datasets", "models", "training", "compress", "deploy", "mcu", "usecases",
         "search", "course", "classroom", "cli")  # fmt: skip
# Answers to exercises are not for reading.
LEFT_OUT = "tinyml_helpers.course.exercises"


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted `name`, the first line of its docstring, its file."""

    name: str
    summary: str
    path: Path

    @property
    def short(self) -> str:
        """The name as users write it after `from tinyml_helpers import`."""
        return self.name.partition(".")[2] or self.name

    @property
    def is_package(self) -> bool:
        """Whether it is a folder of modules."""
        return self.path.name == "__init__.py"


def modules(package: Path) -> list[Module]:
    """All public modules of the package in a folder, in order of their names."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        name = ".".join(parts).removesuffix(".__init__")
        if not (path.parent / "__init__.py").exists():
            continue  # a file that is copied to somewhere else, no module
        private = any(part.startswith("_") for part in name.split("."))
        if not private and not name.startswith(LEFT_OUT):
            docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            found.append(Module(name, docstring.split("\n")[0], path))
    return found


def rooms(found: list[Module]) -> dict[str, list[Module]]:
    """Modules by room, the room's own module first, in the order of `ORDER`."""
    named = {module.short.split(".")[0] for module in found if "." in module.name}
    known = [room for room in ORDER if room in named]
    return {
        room: sorted(
            (m for m in found if m.short.split(".")[0] == room and "." in m.name), key=lambda m: m.name
        )
        for room in (*known, *sorted(named - set(known)))
    }


def generated(package: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of each page of the reference."""
    found = rooms(modules(package))
    yield "api/index.md", _index(found)
    for room, members in found.items():
        for module in members:
            below = members[1:] if module.short == room else []
            yield f"api/{module.name}.md", _page(module, below)


def _index(found: dict[str, list[Module]]) -> str:
    rows = "\n".join(
        f"| [`{room}`]({members[0].name}.md) | {members[0].summary} |" for room, members in found.items()
    )
    return (
        "# The package\n\n"
        "`tinyml_helpers` is what the lessons stand on. Each room may use those above it, never those "
        "below. Every function says which units it takes and gives, and which errors it raises.\n\n"
        f"| room | what is in it |\n|---|---|\n{rows}\n\n"
        "The answers to the exercises (`course.exercises`) are left out on purpose.\n\n"
        + _toctree(members[0].name for members in found.values())
    )


def _page(module: Module, below: list[Module]) -> str:
    directive = f".. automodule:: {module.name}\n   :members:\n   :ignore-module-all:\n"
    text = f"# {module.short}\n\n```{{eval-rst}}\n{directive}```\n"
    if module.is_package:
        text += _exports(module)
    if below:
        rows = "\n".join(f"| [`{it.short}`]({it.name}.md) | {it.summary} |" for it in below)
        text += f"\n## Modules\n\n| module | what it does |\n|---|---|\n{rows}\n\n"
        text += _toctree(it.name for it in below)
    return text


def _exports(module: Module) -> str:
    """Where the names stand that a package hands on from its modules."""
    rows = []
    for node in ast.parse(module.path.read_text("utf-8")).body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith(module.name + ".")
        ):
            names = ", ".join(f"`{alias.name}`" for alias in node.names)
            rows.append(f"| {names} | [`{node.module.partition('.')[2]}`]({node.module}.md) |")
    if not rows:
        return ""
    first = f"\n## To hand\n\nThese names can be used as `{module.short}.NAME`.\n\n"
    return first + "| names | explained in |\n|---|---|\n" + "\n".join(rows) + "\n"


def _toctree(names: Iterable[str]) -> str:
    return "```{toctree}\n:hidden:\n\n" + "\n".join(f"{name}.md" for name in names) + "\n```\n"
