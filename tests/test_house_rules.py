"""What holds the house finds what it should: on lines and small packages that break each rule."""

import json

import pytest
from house import lessons, measure, names, parameters, quantizers, reach
from house.source import House, Name

AFTER = "name of a loop used after it"


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        ("walrus", "if (n := len(x)) > 3: pass", "n = len(x)"),
        ("named lambda", "f = lambda x: x + 1", "widget.observe(lambda x: x)"),
        ("named lambda", "f, n = lambda x: x, 2", "def f(x):\n    return x"),
        ("comprehension in a comprehension", "[[b for b in a] for a in x]", "[b for a in x for b in a]"),
        ("comprehension in a comprehension", "{a: sum(b for b in a) for a in x}", "[f(a) for a in x]"),
        ("tuple of unlike things", "a, b = [], load()", "a, b = load('x'), load('y')"),
        ("tuple of unlike things", "low, name = 1, 'x'", "low, high = -0.5, 1"),
        ("side effect in passing", "axis.set_title('x'), axis.grid()", "axis.set_title('x')"),
        ("side effect in passing", "print(f'{waiting.pop()} left')", "print(f'{len(waiting)} left')"),
        ("bare index", "x[-2]", "x[-1]"),
        ("bare index", "x[1::-1]", "x[::-1]"),
        ("bare index", "x[0, -3]", "x[-2]  # the one before the last"),
        (AFTER, "for a in x:\n    b = a\nprint(b)", "b = 0\nfor a in x:\n    b += a\nb"),
        (AFTER, "for a in x:\n    f(a)\na", "for a in x:\n    f(a)\nfor a in y:\n    a"),
        (AFTER, "for a in x:\n    c = a\nif y:\n    g(c)", "for a in x:\n    c = a\nc = 1\nc"),
    ],
)  # fmt: skip
def test_each_rule_of_readable_code_finds_what_breaks_it(rule, wrong, right):
    assert rule in [found for found, _ in lessons.offences([wrong])]
    assert list(lessons.offences([right])) == []


def test_a_name_that_a_loop_leaves_is_found_cells_later():
    assert list(lessons.offences(["for a in x:\n    b = a", "y = 1", "print(b)"])) == [(AFTER, "b")]


@pytest.fixture
def house(tmp_path):
    """A function that makes a project of modules and lessons."""

    def make(modules, *sources):
        for name, text in modules.items():
            path = tmp_path / "tinyml_helpers" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            for folder in path.relative_to(tmp_path).parents[:-1]:
                (tmp_path / folder / "__init__.py").touch()
        for number, source in enumerate(sources):
            lesson = tmp_path / "notebooks" / f"{number:02d}_x.ipynb"
            lesson.parent.mkdir(exist_ok=True)
            cell = {"cell_type": "code", "metadata": {}, "source": [source]}
            lesson.write_text(json.dumps({"cells": [cell]}), "utf-8")
        return House(tmp_path)

    return make


CUT = "from tinyml_helpers.tools.saw import Saw\n\ndef cut(wood, deep=1):\n    return Saw(wood)\n"
SAW = """
class Saw:
    def sharpen(self, how="oil"):
        from tinyml_helpers.tools import oil
        return oil.drop()
"""
ONE = "def f():\n    pass\n"
MODULES = {"tools/cut": CUT, "tools/saw": SAW, "tools/oil": "def drop():\n    return 1\n"}


def test_use_is_followed_through_calls_and_methods(house):
    project = house(
        MODULES,
        "from tinyml_helpers.tools import cut\ncut.cut(1)",
        "from tinyml_helpers.tools.cut import cut as chop\nsaw = chop(2)\nsaw.sharpen()",
    )
    users = reach.users_of_modules(project)
    assert users["tools.cut"] == users["tools.saw"] == {"00", "01"}
    assert users["tools.oil"] == {"01"}  # only there is a saw sharpened
    assert measure.called_in(project) == {Name("tools.cut", "cut"): {"00", "01"}}


def test_a_type_is_no_use(house):
    modules = {
        **MODULES,
        "tools/see": "from tinyml_helpers.tools.saw import Saw\n\n\ndef see(it: Saw):\n    pass\n",
    }
    project = house(modules, "from tinyml_helpers.tools import see\nsee.see(1)")
    assert reach.users_of_modules(project)["tools.saw"] == set()


def test_parameters_are_given_by_name_place_star_or_partial(house):
    body = "def f(a, b=1, *, c=2, d=3):\n    pass\n"
    for call, missing in {
        "m.f(1)": {"b", "c", "d"},
        "m.f(1, 2)": {"c", "d"},
        "m.f(1, c=2)": {"b", "d"},
        "m.f(*x, d=1)": {"c"},
        "m.f(1, **x)": set(),
        "functools.partial(m.f, 1, 2)": {"c", "d"},
        "delayed(m.f)(1, c=1)": {"b", "d"},
    }.items():
        project = house({"m": body}, f"from tinyml_helpers import m\n{call}")
        assert parameters.never_given(project) == sorted(f"m.f({one})" for one in missing), call


def test_of_a_class_parameters_of_methods_count_too(house):
    project = house(MODULES, "from tinyml_helpers.tools import saw\nsaw.Saw().sharpen()")
    assert parameters.never_given(project) == ["tools.cut.cut(deep)", "tools.saw.Saw.sharpen(how)"]
    assert parameters.never_given(house(MODULES, "it.sharpen(0)")) == ["tools.cut.cut(deep)"]


def test_one_name_twice_in_a_room_and_one_name_alone_are_found(house):
    project = house(
        {"a/x": ONE, "a/y": ONE, "b/x": ONE},
        "from tinyml_helpers.a import x, y\nfrom tinyml_helpers.b.x import f",
        "from tinyml_helpers.a.x import f",
    )
    assert names.twice(project) == {"a: f": ["a.x", "a.y"]}
    assert set(names.alone(project)) == {"a.y", "b.x"}


def test_a_circle_is_found_though_one_of_its_imports_is_late(house):
    project = house({
        "x": "from tinyml_helpers import y\n",
        "y": "def f():\n    from tinyml_helpers import z\n",
        "z": "import tinyml_helpers.x as back\n",
        "w": "from tinyml_helpers import x\n",
    })  # fmt: skip
    assert measure.circles(project) == [["x", "y", "z"]]


def test_a_quantizer_of_its_own_is_found(house):
    own = "def store(x, scale):\n    return np.round(x / scale)\n"
    project = house({"mcu/m": own, "cost/m": own, "deploy/m": "def rows(x):\n    return round(x / 2)\n"})
    assert quantizers.quantizers(project) == ["mcu.m.store"]
