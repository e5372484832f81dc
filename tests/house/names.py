"""Public names: what lessons take, which stand twice in a room, and which alone in a short file."""

import ast
from collections import defaultdict

from .source import public

SHORT = 60


def room(module):
    """Where a module belongs; each use case is a room."""
    first, _, rest = module.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "usecases" and "." in rest else first


def taken(house, tree):
    """Names of the package that a lesson takes, as it says them: {(module, name)}.

    Checks and predictions are left out: they are the same in each lesson, and are learnt once.
    """
    names = house.imports(tree)
    said = {thing for thing in names.values() if thing.name}
    chains = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    said |= {
        thing for thing, _ in (house.locate(node, names) for node in chains) if thing and thing.name
    }
    return {thing for thing in said if thing.module not in ("course.check", "course.predictions")}


def twice(house):
    """`room: name (modules)` of every public function or class that a room has more than once."""
    found = defaultdict(list)
    for module, tree in house.trees.items():
        for node in public(tree):
            if not module.startswith("course.exercises."):
                found[room(module), node.name].append(module)
    return {f"{where}: {name}": modules for (where, name), modules in found.items() if len(modules) > 1}


def alone(house):
    """Short modules with one public name that fewer than two files import, and who imports them."""
    trees = {f"lesson {number}": tree for number, tree in house.lessons.items()}
    trees |= {module: tree for module, tree in house.trees.items()}
    for user, scripts in house.scripts.items():
        trees |= {f"{user} {place}": tree for place, tree in enumerate(scripts)}
    importers = defaultdict(set)
    for user, tree in trees.items():
        for thing in used(house, tree):
            importers[thing].add(user)
    return {
        module: sorted(importers[module])
        for module, tree in house.trees.items()
        if len(public(tree)) == 1
        and house.lines(module) < SHORT
        and len(importers[module] - {module}) < 2
    }


def used(house, tree):
    """Modules that a file imports, or takes names from through the room that they are in."""
    names = house.imports(tree)
    found = set()
    for thing in names.values():
        source = house.source(thing)
        found |= {thing.module} | ({source.module} if source else set())
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Attribute)):
        thing, _ = house.resolve(node, names)
        if thing:
            found.add(thing.module)
    return found
