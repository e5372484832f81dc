"""Make the mutants of a module: copies that differ in one small place, as a slip of the hand would."""

import ast
from dataclasses import dataclass
from functools import lru_cache

from slips import Change, Places


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Args:
        module: its path below the root.
        change: what was changed.
        before: the changed lines, blanks between words made one.
        after: the same lines, changed.
        text: of the whole module.
    """

    module: str
    change: Change
    before: str
    after: str
    text: str

    def __str__(self):
        where = f"{self.module}:{self.change.line} ({self.change.kind})"
        return f"{where}\n    - {self.before}\n    + {self.after}"


def changes(text):
    """Every change of a module's text, in order; not every one leaves Python behind."""
    found = Places(text)
    found.visit(ast.parse(text))
    return sorted(set(found.changes), key=lambda one: (one.start, one.end, one.new))


def mutant(text, change, module=""):
    """The module with one change, or None where that is no Python, or is the same program."""
    content = text.encode()
    changed = (content[: change.start] + change.new.encode() + content[change.end :]).decode()
    if not another_program(changed, text):
        return None
    return Mutant(module, change, *differing(text, changed), changed)


def mutants(text):
    """Every mutant of a short text."""
    return [made for change in changes(text) if (made := mutant(text, change))]


@lru_cache(maxsize=1)
def program(text):
    """A module's syntax, without blanks and comments; kept, for a module has hundreds of mutants."""
    return ast.dump(ast.parse(text))


def another_program(changed, text):
    try:
        return ast.dump(ast.parse(changed)) != program(text)
    except (SyntaxError, ValueError):
        return False


def differing(text, changed):
    """The lines in which two texts differ."""
    old, new = text.splitlines(), changed.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return tuple(" ".join(" ".join(lines).split()) for lines in (old, new))
