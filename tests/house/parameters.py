"""Parameters with a default that nobody gives: no lesson, script or module of the package calls with it.

A call of something whose type is not known counts for every method of that name. What a learner's
command line gives (`tinyml`) and exercises are left out: their callers are no Python.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass, field

from .source import COMMANDS, Name, public

HANDED_ON = {"partial", "delayed"}  # partial(f, a, b=1) gives f what follows
EVERYTHING = "**"
MANY = 1000  # as many as a starred argument may hold


@dataclass
class Given:
    """What calls of one function gave: names of parameters, and how many by position."""

    names: set = field(default_factory=set)
    positions: int = 0

    def note(self, call, skip=0):
        arguments = call.args[skip:]
        starred = any(isinstance(one, ast.Starred) for one in arguments)
        self.positions = max(self.positions, MANY if starred else len(arguments))
        self.names |= {one.arg or EVERYTHING for one in call.keywords}


def never_given(house):
    """`module.function(parameter)` of every public parameter with a default that nobody gives."""
    functions, methods = _calls(house)
    found = []
    for module, tree in house.trees.items():
        if module in COMMANDS or module.startswith("course.exercises"):
            continue
        for node in public(tree):
            built = functions[Name(module, node.name)]
            if isinstance(node, ast.FunctionDef):
                found += [f"{module}.{node.name}({one})" for one in _missing(node, built, 0)]
            for method in _methods(node):
                given = built if method.name == "__init__" else methods[method.name]
                name = f"{module}.{node.name}.{method.name}"
                found += [f"{name}({one})" for one in _missing(method, given, 1)]
    return sorted(found)


def _methods(node):
    if isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, ast.FunctionDef) and (one.name == "__init__" or one.name[0] != "_"):
                yield one


def _missing(node, given, bound):
    """Parameters with a default that no call gave, `bound` of them being filled by Python."""
    if EVERYTHING in given.names:
        return
    static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)
    positional = [*node.args.posonlyargs, *node.args.args][0 if static else bound :]
    first = len(positional) - len(node.args.defaults)
    for place, parameter in enumerate(positional):
        if place >= first and place >= given.positions and parameter.arg not in given.names:
            yield parameter.arg
    for parameter, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None and parameter.arg not in given.names:
            yield parameter.arg


def _calls(house):
    """What calls give: of functions and classes by definition, of methods by name."""
    functions, methods = defaultdict(Given), defaultdict(Given)
    sources = [
        (tree, {name: Name(module, name) for name in house.definitions[module]} | house.aliases[module])
        for module, tree in house.trees.items()
    ]
    trees = [*house.lessons.values(), *(one for trees in house.scripts.values() for one in trees)]
    sources += [(tree, house.imports(tree)) for tree in trees]
    for tree, names in sources:
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            for function, skip in _called(call):
                thing, rest = house.resolve(function, names)
                if thing and thing.name and not rest:
                    functions[thing].note(call, skip)
                elif isinstance(function, ast.Attribute):
                    methods[function.attr].note(call, skip)
    return functions, methods


def _called(call):
    """The functions that a call gives arguments to: (node, how many arguments come before theirs)."""
    yield call.func, 0
    if isinstance(call.func, ast.Call) and call.func.args:  # delayed(f)(1, 2)
        yield call.func.args[0], 0
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in HANDED_ON and call.args:
        yield call.args[0], 1
