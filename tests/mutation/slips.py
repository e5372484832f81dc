"""Find the places of a module where a slip of the hand could be, and what would stand there instead.

A comparison, `and`, `not`, a sign, a number, a default, the order of two arguments is another one; or a
guard or a statement is gone. Texts, annotations and what stands in an f-string stay as they are.
"""

import ast
import re
from dataclasses import dataclass

COMPARED = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
COMPUTED = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.MatMult: ("@", "*"),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNMIXED = ("min", "max", "minimum", "maximum", "isinstance")
"""Functions whose arguments change nothing in another order, or cannot stand in another one."""


UNSEEN = ("strict", "repr")
"""`zip(strict=)` says what holds in a right program; a class with a `__repr__` keeps it anyway."""


@dataclass(frozen=True)
class Change:
    """A place in a module, and what stands there instead.

    Args:
        kind: of change.
        line: where it is.
        start: first byte that goes.
        end: the byte behind the last one that goes.
        new: what comes in their place.
        lines: which lines run when this place does; a default stands for its whole function, and none
            are known of what runs on import.
    """

    kind: str
    line: int
    start: int
    end: int
    new: str
    lines: range


class Places(ast.NodeVisitor):
    """Walk through a module and note each change."""

    def __init__(self, text):
        self.content, self.changes = text.encode(), []
        self.lines, self.inside = range(0), False
        self.starts = [0]
        for line in self.content.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def at(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def source(self, node):
        return self.content[self.at(node) : self.end(node)].decode()

    def note(self, kind, node, new, start=None, end=None):
        start, end = self.at(node) if start is None else start, self.end(node) if end is None else end
        self.changes.append(Change(kind, node.lineno, start, end, new, self.lines))

    def between(self, kind, node, left, right, old, new):
        """Change an operator between two operands, not a bracket or a blank beside it."""
        start, end = self.end(left), self.at(right)
        mark = re.search(r"\s+".join(map(re.escape, old.split())), self.content[start:end].decode())
        if mark:
            self.note(kind, node, new, start + mark.start(), start + mark.end())

    def visit(self, node):
        outer = self.lines
        if isinstance(node, ast.stmt) and self.inside:
            body = getattr(node, "body", None)
            last = max(body[0].lineno - 1, node.lineno) if body else node.end_lineno
            self.lines = range(node.lineno, last + 1)
        super().visit(node)
        self.lines = outer

    # ----- what stays as it is

    def visit_JoinedStr(self, node):
        """Places inside of an f-string are not known before Python 3.12."""

    def visit_keyword(self, node):
        if node.arg not in UNSEEN:
            self.visit(node.value)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    # ----- expressions

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for left, kind, right in zip(operands, node.ops, operands[1:], strict=False):
            self.between("comparison", node, left, right, *COMPARED[type(kind)])
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between("boolean", node, left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not | ast.USub):
            kind = "not" if isinstance(node.op, ast.Not) else "arithmetic"
            self.note(kind, node, f"({self.source(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if type(node.op) in COMPUTED and not isinstance(node.left, ast.JoinedStr):
            self.between("arithmetic", node, node.left, node.right, *COMPUTED[type(node.op)])
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            self.note("constant", node, str(not node.value))
        elif isinstance(node.value, int | float):
            for step in (1, -1):
                self.note("constant", node, f"{node.value + step}".replace("-", " -"))

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            self.note("function", node.func, NAMES[node.func.id])
        first, second = [*node.args, None, None][:2]
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        starred = any(isinstance(one, ast.Starred) for one in (first, second))
        if second and not starred and name not in UNMIXED:
            parts = [self.source(second), self.content[self.end(first) : self.at(second)].decode()]
            swapped = "".join([*parts, self.source(first)])
            self.note("arguments", node, swapped, self.at(first), self.end(second))
        self.generic_visit(node)

    def condition(self, node):
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Call):
            self.note("not", node.test, f"(not {self.source(node.test)})")
        self.generic_visit(node)

    visit_IfExp = visit_While = condition  # noqa: N815

    # ----- statements

    def visit_If(self, node):
        if not node.orelse and isinstance(node.body[-1], ast.Raise | ast.Return | ast.Continue):
            self.note("guard", node, "pass")
        self.condition(node)

    def statement(self, node):
        self.note("statement", node, "pass")
        self.generic_visit(node)

    visit_AugAssign = visit_Continue = visit_Break = visit_Raise = statement  # noqa: N815

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):
            self.statement(node)

    def visit_Assign(self, node):
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self.note("statement", node, "pass")
        self.visit(node.value)

    def visit_FunctionDef(self, node):
        outer, self.lines = self.lines, range(node.body[0].lineno, node.end_lineno + 1)
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self.lines = outer
        for decorator in node.decorator_list:
            self.visit(decorator)
        outside, self.inside = self.inside, True
        for statement in node.body:
            self.visit(statement)
        self.inside = outside
