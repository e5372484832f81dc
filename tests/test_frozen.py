"""What the package returns stays as it was returned: nobody changes a result by mistake."""

import dataclasses
import importlib
from pathlib import Path

import pytest

import tinyml_helpers

PACKAGE = Path(tinyml_helpers.__file__).parent
CHANGING = {
    "classroom.grade.lockdown.Locked": "each layer enters itself when it is in place",
    "system.native_output.Captured": "its text is there when the block ends",
    "system.socket_guard.Guard": "each attempt is counted as it happens",
}
"""Classes whose objects are filled while something goes on, each with the reason."""


def dataclasses_of_the_package():
    """Every dataclass, by its dotted name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "@dataclass" in path.read_text("utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            for thing in vars(module).values():
                mine = isinstance(thing, type) and thing.__module__ == module.__name__
                if mine and dataclasses.is_dataclass(thing):
                    yield f"{module.__name__}.{thing.__name__}".removeprefix("tinyml_helpers."), thing


def can_be_changed(kind):
    one = object.__new__(kind)
    try:
        setattr(one, dataclasses.fields(kind)[0].name, None)
    except dataclasses.FrozenInstanceError:
        return False
    return True


def test_only_what_is_filled_as_it_goes_can_be_changed():
    found = dict(dataclasses_of_the_package())
    assert len(found) > 180
    assert {name for name, kind in found.items() if can_be_changed(kind)} == set(CHANGING)


def test_a_count_cannot_be_changed():
    from tinyml_helpers import cost

    row = cost.LayerCost("head", "linear", (1, 10), 650, 640)
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.macs = 0
    assert dataclasses.replace(row, macs=1).macs == 1
