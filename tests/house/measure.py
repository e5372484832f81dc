"""The house in numbers: lines, modules, public names, names of one lesson, circles."""

from collections import Counter

from . import names, reach
from .source import public


def circles(house):
    """Groups of modules that import each other, late and for types included."""
    reached = {module: house.imported(module) for module in house.paths}
    for _ in house.paths:
        wider = {module: by.union(*(reached[one] for one in by)) for module, by in reached.items()}
        if wider == reached:
            break
        reached = wider
    tied = {module for module in reached if module in reached[module]}
    groups = {
        frozenset(one for one in tied if one in reached[module] and module in reached[one])
        for module in tied
    }
    return sorted(sorted(group) for group in groups)


def lines_by_room(house):
    found = Counter()
    for module in house.paths:
        found[module.partition(".")[0] or "__init__"] += house.lines(module)
    return dict(found)


def called_in(house):
    """Names that lessons call, where they are defined -> numbers of those lessons."""
    found = {}
    for number, tree in house.lessons.items():
        for thing in {house.source(one) for one in names.taken(house, tree)} - {None}:
            found.setdefault(thing, set()).add(number)
    return found


def measure(house):
    """What is measured -> its number."""
    called = called_in(house)
    users = reach.users(house)
    code = reach.definitions(house)
    lines = {
        thing: sum(node.end_lineno - node.lineno + 1 for node in nodes if hasattr(node, "lineno"))
        for thing, nodes in code.items()
    }
    one = [thing for thing, by in users.items() if len(by & set(house.lessons)) == 1 and len(by) == 1]
    return {
        "lines": sum(lines_by_room(house).values()),
        "modules": len(house.paths),
        "public functions and classes": sum(len(public(tree)) for tree in house.trees.values()),
        "names that lessons call, checks left out": len(called),
        "of them in one lesson": sum(len(numbers) == 1 for numbers in called.values()),
        "lines of definitions that nobody but one lesson reaches": sum(lines[thing] for thing in one),
        "circles": len(circles(house)),
    }
