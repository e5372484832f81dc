"""What an answer needs: the statements of a notebook that its cell depends on, and no others."""

from __future__ import annotations

import ast
import builtins
import copy
import symtable
from collections.abc import Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_INNER = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


_AROUND_PYTHON = ("%%time", "%%timeit", "%%capture", "%%prun")


def parse(source: str) -> list[ast.stmt]:
    """Parse a cell as IPython sees it; what only Jupyter understands (`%`, `!`, `?`) is left out.

    Raises:
        SyntaxError: it is not Python.
    """
    python = to_python(source)
    try:
        return _tree(python)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return [one for one in _tree(TransformerManager().transform_cell(python)) if not _is_magic(one)]


def to_python(source: str) -> str:
    """Return the Python of a cell: without a magic around it; nothing of a cell in another language."""
    first, _, rest = source.lstrip().partition("\n")
    if not first.startswith("%%"):
        return source
    return rest if first.split()[0] in _AROUND_PYTHON else ""


def _tree(source: str) -> list[ast.stmt]:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return list(compile(source, "<your cell>", "exec", flags).body)


def _is_magic(statement: ast.stmt) -> bool:
    """Tell whether a statement asks IPython for something, and gives no name to what comes of it."""
    return isinstance(statement, ast.Expr) and "get_ipython()" in ast.unparse(statement)


def select_statements(
    before: Sequence[str], answer: str, given: frozenset[str] = frozenset()
) -> list[ast.stmt]:
    """Choose what must run before a cell so that its names are known.

    Args:
        before: the cells before it, in order; those that are not Python are left out.
        answer: the cell.
        given: names that are there without any statement.

    Returns:
        Top-level statements, in order: imports, definitions and assignments that the cell needs,
        those that they need, and so on.

    Raises:
        SyntaxError: the answer is not Python.
    """
    known = given | set(dir(builtins))
    wanted: set[str] = set()
    for statement in reversed(parse(answer)):
        wanted = _wanted_before(statement, wanted) - known
    chosen: list[ast.stmt] = []
    for statement in reversed(list(_statements(before))):
        if _makes(statement) & wanted:
            part = _only(statement, wanted)
            wanted = _wanted_before(part, wanted) - known
            chosen.append(part)
    return chosen[::-1]


def _wanted_before(statement: ast.stmt, wanted: set[str]) -> set[str]:
    """Names that must be there before a statement, if these must be there after it."""
    return wanted - (_makes(statement) if _is_whole(statement) else set()) | _reads(statement)


def _statements(cells: Sequence[str]) -> Iterator[ast.stmt]:
    for cell in cells:
        try:
            yield from parse(cell)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def _reads(statement: ast.stmt) -> set[str]:
    """Names of the module that a statement looks up, at once or in the functions that it makes."""
    alike = _Generators().visit(copy.deepcopy(statement))
    whole = symtable.symtable(ast.unparse(alike), "", "exec")
    names, tables = set(), [whole]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is whole or symbol.is_global())
        }
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        names.add(statement.target.id)
    return names


class _Generators(ast.NodeTransformer):
    """Makes comprehensions generators: since Python 3.12 only those have a table of their own names."""

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """Keep what it makes, and from what."""
        return self.generic_visit(ast.GeneratorExp(node.elt, node.generators))

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        """As with a list."""
        return self.generic_visit(ast.GeneratorExp(node.elt, node.generators))

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        """As with a list, of pairs."""
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return self.generic_visit(ast.GeneratorExp(pair, node.generators))


def _makes(statement: ast.stmt) -> set[str]:
    """Names that a statement makes or changes at the top level."""
    if isinstance(statement, _SCOPES):
        return {statement.name}
    made: set[str] = set()
    for node in _outside_of_scopes(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.alias):
            made.add(_bound(node))
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            made |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        elif isinstance(node, _SCOPES):
            made.add(node.name)
    return made


def _outside_of_scopes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, (*_SCOPES, *_INNER)):
        for child in ast.iter_child_nodes(node):
            yield from _outside_of_scopes(child)


def _is_whole(statement: ast.stmt) -> bool:
    """Tell whether a statement makes its names anew, whatever they were before."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name | ast.Tuple) for target in statement.targets)
    return isinstance(statement, (*_SCOPES, ast.Import, ast.ImportFrom))


def _only(statement: ast.stmt, wanted: set[str]) -> ast.stmt:
    """Leave out of an import what nobody asks for: it may be heavy."""
    if not isinstance(statement, ast.Import | ast.ImportFrom):
        return statement
    names = [alias for alias in statement.names if _bound(alias) in wanted]
    if isinstance(statement, ast.Import):
        return ast.copy_location(ast.Import(names), statement)
    return ast.copy_location(ast.ImportFrom(statement.module, names, statement.level), statement)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]
