"""The cells of a lesson that its widget needs, so that a browser test need not run all of it."""

import ast

import nbformat
import widget_states
from IPython.core.inputtransformer2 import TransformerManager


def tags(cell):
    return set(cell.metadata.get("tags", []))


def tree_of(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def fixed(tree):
    """Names that imports, functions and classes bind: using them changes nothing."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def needed_cells(cells):
    """The code cells that the widgets depend on, the widgets, and the plain figure after each.

    Conservative: a cell that so much as mentions a needed variable might change it, and counts.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    code = [cell for cell in code if not tags(cell) & {"exercise", "solution"}]
    trees = [tree_of(cell) for cell in code]
    constant = set().union(*map(fixed, trees))
    wanted, chosen = set(), set()
    for i in reversed(range(len(code))):
        binds = fixed(trees[i]) & wanted
        touches = (widget_states.names_in(trees[i]) & wanted) - constant
        if widget_states.is_widget(code[i]):
            chosen |= {i, i + 1}
        elif not (chosen and (binds or touches or "parameters" in tags(code[i]))):
            continue
        chosen.add(i)
        wanted |= widget_states.names_in(trees[i])
    return [code[i] for i in sorted(chosen)]


def reduced(notebook, state):
    """A notebook of the needed cells, without outputs, with the lesson's metadata.

    Where the state before its one widget was kept, that stands in for the cells before.
    """
    small = type(notebook)(notebook)
    cells = needed_cells(notebook.cells)
    if state.exists():
        restore = nbformat.v4.new_code_cell(widget_states.RESTORE.format(path=str(state)))
        first = [*map(widget_states.is_widget, cells)].index(True)
        cells = [restore, *cells[first:]]
    small.cells = [type(cell)(cell) for cell in cells]
    for cell in small.cells:
        cell.update(outputs=[], execution_count=None)
    return small
