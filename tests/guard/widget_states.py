"""What a widget needs of its lesson, kept while nbval runs it, so that no browser test runs it again.

As a plugin of pytest (`-p widget_states`): before nbval runs a cell that holds a widget, the variables
which that cell uses are pickled in the lesson's kernel. The file's name is a digest of the lesson, the
package, the data and the locked packages, so what has changed since is not found. Where nothing is
found, because the notebooks did not run or a variable cannot be pickled, a browser test runs the cells.
"""

import ast
import builtins
import hashlib
import io
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEEP_SECONDS = 120
RESTORE = """import cloudpickle
from pathlib import Path
from tinyml_helpers.course import plots
plots.use_house_style()
globals().update(cloudpickle.loads(Path({path!r}).read_bytes()))"""


def names_in(tree):
    """All names that code reads, writes or might change in place."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))


def place(lesson, number):
    """Where the state before a lesson's widget lies, counted from 0."""
    digest = hashlib.sha256(lesson.read_bytes())
    package = (path for path in (ROOT / "tinyml_helpers").rglob("*") if path.is_file())
    for path in sorted(one for one in package if "__pycache__" not in one.parts):
        digest.update(path.read_bytes())
    for name in ("requirements.lock", "requirements-torch.lock", "data/manifest.json"):
        digest.update((ROOT / name).read_bytes())
    return ROOT / "build" / "widget-states" / f"{lesson.stem}-{number}-{digest.hexdigest()[:16]}.pickle"


def again(one):
    """How to make an interpreter or an emulated chip anew, whose memory lies outside of Python."""
    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu.target.emulator import Machine

    if isinstance(one, Model):
        return Model, (one.content, one.kernels, one.graph)
    if isinstance(one, Machine):
        return Machine, (one._image,)
    return None


def keep(variables, names, path):
    """In a lesson's kernel: pickle the variables of these names, or none if one cannot be."""
    import cloudpickle

    from tinyml_helpers.system.folders import write_atomically

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, one):
            return again(one) or super().reducer_override(one)

    used = {name: variables[name] for name in names if name in variables}
    buffer = io.BytesIO()
    try:
        Pickler(buffer).dump(used)
        content = buffer.getvalue()
    except Exception:  # pickling runs code of any library; the browser then runs the cells themselves
        return
    write_atomically(Path(path), content)


def is_widget(cell):
    return "widget" in cell.metadata.get("tags", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    """Keep what a widget needs, in the kernel that is about to show it."""
    if not (hasattr(item, "cell") and is_widget(item.cell)):
        return
    code = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"]
    at = code.index(item.cell)
    shown = "\n".join(cell.source for cell in code[at : at + 2])  # and the figure that stands in for it
    path = place(Path(item.path), sum(map(is_widget, code[:at])))
    call = f"keep(globals(), {sorted(names_in(ast.parse(shown)))!r}, {str(path)!r})"
    kernel = item.parent.kernel
    sent = kernel.execute_cell_input(f"__import__('widget_states').{call}", allow_stdin=False)
    kernel.await_reply(sent, timeout=KEEP_SECONDS)
    kernel.await_idle(sent, timeout=KEEP_SECONDS)
