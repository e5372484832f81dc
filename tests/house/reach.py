"""Who uses what: from the lessons and commands along calls and attributes to every definition.

An attribute of something whose type is not known counts for every class that was met and has it; so
"is reached" may say too much, and never too little, but for a name that is put together at run time.
Annotations are no use.
"""

import ast
from dataclasses import dataclass

from .source import COMMANDS, PACKAGE, Name

# Methods of a class with such a base are called by others, under names that stand nowhere.
CALLED_FROM_OUTSIDE = {"NodeVisitor", "Thread", "HTMLParser", "StrEnum"}


@dataclass(frozen=True)
class References:
    """What a piece of code refers to: things of the package, and attributes of whatever it may be."""

    things: frozenset[Name]
    attributes: frozenset[str]


def users(house):
    """Every definition -> who reaches it: numbers of lessons, "tinyml", and names of scripts."""
    code = definitions(house)
    references = {
        thing: refers(house, nodes, _names(house, thing.module)) for thing, nodes in code.items()
    }
    roots = {number: [tree] for number, tree in house.lessons.items()} | house.scripts
    starts = {
        user: [refers(house, [tree], house.imports(tree)) for tree in trees]
        for user, trees in roots.items()
    }
    starts["tinyml"] = [found for thing, found in references.items() if thing.module in COMMANDS]
    found = {thing: set() for thing in code}
    for user, start in starts.items():
        for thing in _reached(start, references):
            found[thing].add(user)
    return found


def users_of_modules(house):
    """Module -> who reaches anything in it."""
    found = {module: set() for module in house.paths}
    for thing, by in users(house).items():
        found[thing.module] |= by
    return found


def definitions(house):
    """Every definition -> its syntax trees; methods apart from their classes, `Class.method`.

    What else stands at the top of a module goes under the module's own name.
    """
    code = {}
    for module, tree in house.trees.items():
        named = house.definitions[module]
        for name, node in named.items():
            code[Name(module, name)] = [node]
            if isinstance(node, ast.ClassDef) and (methods := _methods(node)):
                apart = set(map(id, methods))
                code[Name(module, name)] = [
                    one for one in ast.iter_child_nodes(node) if id(one) not in apart
                ]
                for one in methods:
                    code.setdefault(Name(module, f"{name}.{one.name}"), []).append(one)
        known = set(map(id, named.values()))
        imports = (ast.Import, ast.ImportFrom)
        code[Name(module)] = [
            node for node in tree.body if id(node) not in known and not isinstance(node, imports)
        ]
    return code


def _methods(node):
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    if bases & CALLED_FROM_OUTSIDE or any(isinstance(base, ast.Attribute) for base in node.bases):
        return []
    return [
        one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("__")
    ]


def _names(house, module):
    return {name: Name(module, name) for name in house.definitions[module]} | house.aliases[module]


def refers(house, trees, names):
    """Find what code refers to, `names` being what its names stand for."""
    things, attributes = set(), set()
    for node in (node for tree in trees for node in _without_annotations(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.startswith(f"{PACKAGE}."):  # a module that is run by its name
                things.add(Name(node.value.removeprefix(f"{PACKAGE}.")))
            elif node.value.isidentifier():
                attributes.add(node.value)
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        if isinstance(node, ast.Attribute | ast.Name):
            thing, _ = house.resolve(node, names)
            if thing and thing.name:
                things.add(thing)
            elif isinstance(node, ast.Attribute) and _is_check(house, node.value, names):
                things |= {
                    Name(module, node.attr)
                    for module in house.paths
                    if module.startswith("course.exercises.")
                }
    return References(frozenset(things), frozenset(attributes))


def _is_check(house, node, names):
    return isinstance(node, ast.Name) and names.get(node.id) == Name("course.check")


def _without_annotations(tree):
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns"):
                values = value if isinstance(value, list) else [value]
                todo += [one for one in values if isinstance(one, ast.AST)]


def _reached(start, references):
    """All that can be reached from some references."""
    members = {}
    for thing in references:
        owner, _, member = thing.name.rpartition(".")
        if owner:
            members.setdefault(member, []).append((Name(thing.module, owner), thing))
    seen, attributes = set(), set()
    todo = [thing for one in start for thing in one.things]
    attributes = {name for one in start for name in one.attributes}
    while todo:
        while todo:
            thing = todo.pop()
            if thing not in seen and thing in references:
                seen.add(thing)
                todo += references[thing].things | ({Name(thing.module)} if thing.name else set())
                attributes |= references[thing].attributes
        todo = [
            thing
            for name in attributes
            for owner, thing in members.get(name, ())
            if owner in seen and thing not in seen
        ]
    return seen
