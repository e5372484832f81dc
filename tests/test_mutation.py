"""Mutation testing: which mutants are made, which are killed, and that the checkout stays as it is."""

import dataclasses
import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).with_name("mutation")), str(ROOT)]
import bench  # noqa: E402
import mutants  # noqa: E402
import trial  # noqa: E402
from choice import Choice  # noqa: E402

from book.counts import mutation_counts  # noqa: E402

pytestmark = pytest.mark.skipif(os.name != "posix", reason="mutation testing needs Linux or macOS")
FIVE = '''"""Five lines."""


def least(values: list[int], floor=0) -> int | None:
    best = None
    for value in values:
        if value > floor and (best is None or value < best):
            best = value
    return best
'''
LOOP = '''"""A loop that comes to its end."""


def down(left):
    if left < 0:
        raise ValueError("above zero")
    while left:
        left -= 1
    return max(left, 0)
'''


def lines(text):
    return [(one.change.kind, one.after) for one in mutants.mutants(text)]


def test_the_mutants_of_five_lines_by_hand():
    assert lines(FIVE) == [
        ("constant", "def least(values: list[int], floor= -1) -> int | None:"),
        ("constant", "def least(values: list[int], floor=1) -> int | None:"),
        ("comparison", "if value >= floor and (best is None or value < best):"),
        ("boolean", "if value > floor or (best is None or value < best):"),
        ("comparison", "if value > floor and (best is not None or value < best):"),
        ("boolean", "if value > floor and (best is None and value < best):"),
        ("comparison", "if value > floor and (best is None or value <= best):"),
    ]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("x = a + b\n", ["x = a - b"]),
        ("x = (a) // (b)\n", ["x = (a) * (b)"]),
        ("f(a, b)\n", ["f(b, a)", "pass"]),
        ("x = f(a, *b)\n", []),
        ("x = not a\n", ["x = (a)"]),
        ("x = a if b else c\n", ["x = a if (not b) else c"]),
        ("x = a not in b\n", ["x = a in b"]),
        ("x = min(a)\n", ["x = max(a)"]),
        ("x = zip(a, strict=True)\n", []),
        ("x: int | None = None\n", []),
        ('x = f"{a + 1} é" + b\n', []),
        ('"""1 + 1"""\n', []),
        ("x.y = True\n", ["pass", "x.y = False"]),
        ("for x in a:\n    continue\n", ["pass"]),
        ("if a:\n    raise b\n", ["pass", "if (not a):", "pass"]),
        ("é = a < 2\n", ["é = a <= 2", "é = a < 1", "é = a < 3"]),
    ],
)
def test_one_mutant_for_each_slip(text, made):
    assert sorted(after for _, after in lines(text)) == sorted(made)


def test_each_mutant_is_another_program_and_differs_in_the_lines_that_it_names():
    text = (ROOT / "tinyml_helpers" / "mcu" / "compiler" / "arena.py").read_text("utf-8")
    for change in mutants.changes(text)[::9]:
        made = mutants.mutant(text, change, "arena.py")
        if made:
            compile(made.text, "arena.py", "exec")
            assert made.before != made.after
            assert mutants.differing(text, made.text) == (made.before, made.after)


def test_a_default_and_a_constant_stand_for_what_uses_them():
    made = mutants.mutants("LIMIT = 3\n\n\ndef f(a=1):\n    b = a\n    return b\n")
    assert [list(one.change.lines) for one in made if one.change.line == 4] == [[5, 6]] * 2
    assert [list(one.change.lines) for one in made if one.change.line == 1] == [[]] * 2
    found = {"tests": {"t.py::a": 1.0, "t.py::b": 0.5}, "lines": {"m.py": {"5": ["t.py::a"]}}}
    choice = Choice([found])
    assert choice.running("m.py", range(5, 7)) == {"t.py::a"}
    assert choice.running("m.py", range(1, 2)) == {
        "t.py::a"
    }  # run on import: by all that run the module
    assert choice.beside({"t.py::a"}) == {"t.py::b"}


def test_quick_tests_of_files_named_like_the_module_come_first():
    quick, slow, cost = "tests/test_a.py::quick", "tests/test_a.py::slow", "tests/cost/test_cost.py::one"
    seconds = {slow: 9.0, quick: 1.0, cost: 2.0}
    choice = Choice([{"tests": seconds, "lines": {}}])
    assert choice.by_file(set(seconds), "tinyml_helpers/cost/model.py") == [[cost], [quick], [slow]]
    assert choice.within([slow, quick], 9.5) == [slow]
    assert choice.within([slow], 1.0) == [slow]
    assert choice.within([slow], -1.0) == []


def test_a_sample_is_the_same_for_a_seed_and_has_each_kind():
    package = "tinyml_helpers/cost"
    one, again, other = (trial.sample(ROOT, package, 24, seed) for seed in (1, 1, 2))
    assert one == again != other
    kinds = [mutant.change.kind for mutant in one]
    assert {kinds.count(kind) for kind in set(kinds)} <= {2, 3}


# ----- a whole trial, of a package of two modules


@pytest.fixture
def tree(tmp_path):
    """A course of two functions; the test of the first leaves something open."""
    files = {
        "tinyml_helpers/__init__.py": "",
        "tinyml_helpers/cost/__init__.py": "",
        "tinyml_helpers/cost/five.py": FIVE,
        "tinyml_helpers/cost/loop.py": LOOP,
        "tests/test_five.py": "from tinyml_helpers.cost.five import least\n\n\ndef test_least():\n"
        "    assert least([3, 1, 2]) == 1\n",
        "tests/cost/test_loop.py": "import pytest\n\nfrom tinyml_helpers.cost.loop import down\n\n\n"
        "def test_down():\n    assert down(3) == 0\n\n\n"
        "def test_below():\n    with pytest.raises(ValueError):\n        down(-1)\n",
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }
    for name, text in files.items():
        (tmp_path / "course" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "course" / name).write_text(text, "utf-8")
    return tmp_path / "course"


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_killed_mutants_and_survivors_are_told_apart_and_nothing_is_changed(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "PATIENCE", (15.0, 1.0))
    known = ("tinyml_helpers/cost/five.py", "if value > floor and (best is None or value < best):")
    same = (*known, "if value > floor and (best is None or value <= best):")
    monkeypatch.setattr(trial, "known_equivalent", lambda: {same})
    package, before = "tinyml_helpers/cost", content(tree)
    found = [
        mutants.mutant((tree / module).read_text("utf-8"), change, module)
        for module in (f"{package}/five.py", f"{package}/loop.py")
        for change in mutants.changes((tree / module).read_text("utf-8"))
    ]
    wanted = {
        "def least(values: list[int], floor= -1) -> int | None:": "survived",
        "if value >= floor and (best is None or value < best):": "survived",
        "if value > floor or (best is None or value < best):": "killed",
        "if value > floor and (best is None or value <= best):": "equivalent",
        "left += 1": "time-out",
        "while (not left):": "killed",
        "if left <= 0:": "survived",
    }
    chosen = [(package, one) for one in found if one and one.after in wanted]
    state = tmp_path / "state"
    verdicts = list(trial.judge_all(tree, chosen, [package], state, workers=2, loaded=["pytest"]))
    assert {one.mutant.after: one.fate for one in verdicts} == {
        one.after: wanted[one.after] for _, one in chosen
    }
    assert content(tree) == before
    score = trial.score(tree, verdicts, seed=0)
    assert {one["after"] for one in score["survivors"]} < set(wanted)
    counted = score["packages"]["cost"]
    assert counted["mutants"] == len(chosen)
    assert counted["places"] >= len(found)
    assert counted["equivalent"] == 1
    assert trial.percent(score) == pytest.approx(100 * counted["killed"] / (len(chosen) - 1))
    survivor = next(one for one in verdicts if one.fate == "survived")
    later = trial.mended(score, [dataclasses.replace(survivor, fate="killed")])
    assert later["packages"]["cost"] == {**counted, "killed": counted["killed"] + 1}
    assert len(later["survivors"]) == len(score["survivors"]) - 1
    left = {str(one.mutant) for one in verdicts if one.fate == "survived"}
    assert {str(one) for one in trial.listed(tree, score["survivors"])} == left


@pytest.mark.parametrize(
    ("text", "named"),
    [("MOST = 3\n", True), ("def most():\n    return 3\n", False)],
)
def test_what_runs_on_import_meets_all_tests_of_its_package(text, named):
    """No test runs a line of a table of numbers: whoever imports it first seems to."""
    tried = []

    class Passing:
        def spoiled(self, _, arguments, __):
            tried.extend(arguments[1:])
            return bench.Outcome(0, 0.1, "")

    module = "tinyml_helpers/cost/table.py"
    first, other = "tests/test_all.py::test_a", "tests/cost/test_costs.py::test_b"
    found = {"tests": {first: 1, other: 1}, "lines": {module: {"1": [first], "2": [first]}}}
    one = mutants.mutant(text, mutants.changes(text)[0], module)
    verdict = trial.judge(Passing(), Choice([found]), "tinyml_helpers/cost", one, 60)
    assert verdict.fate == "survived"
    assert tried == ([first, other] if named else [first])


def test_of_two_equal_lines_the_nearer_one_is_meant(tree):
    """Else one survivor would be tried twice, and counted as two that are killed."""
    module = "tinyml_helpers/cost/five.py"
    text = "def f(a):\n    return a + 1\n\n\ndef g(a):\n    return a + 1\n"
    (tree / module).write_text(text, "utf-8")
    plus = {"module": module, "kind": "arithmetic", "before": "return a + 1", "after": "return a - 1"}
    for line, found_at in ((2, 2), (6, 6), (5, 6), (3, 2)):
        (found,) = trial.listed(tree, [{**plus, "line": line}])
        assert (found.change.line, found.after) == (found_at, "return a - 1")
    assert trial.listed(tree, [{**plus, "line": 2, "after": "return a * 1"}]) == []
    score = {
        "packages": {"cost": {"killed": 0, "equivalent": 0, "timeouts": 0}},
        "survivors": [{**plus, "line": 2}, {**plus, "line": 6}],
    }
    both = trial.listed(tree, score["survivors"])
    verdict = trial.Verdict(both[1], "tinyml_helpers/cost", "killed")
    once = trial.mended(score, [verdict])
    assert (once["packages"]["cost"]["killed"], once["survivors"]) == (1, [{**plus, "line": 2}])
    assert len(score["survivors"]) == 2


def test_a_run_that_is_ended_leaves_no_process_behind(tree, tmp_path):
    import psutil

    (tree / "tests" / "test_five.py").write_text(
        "import subprocess, sys, time\n\n\ndef test_slow():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "    open('child', 'w').write(str(child.pid))\n    time.sleep(600)\n"
    )
    place = bench.Bench(tree, tmp_path / "bench", tmp_path / "cache", loaded=["pytest"])
    ended = place.run(["tests/test_five.py"], 6.0)
    assert ended.code is None
    child = int((place.tree / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


# ----- what is stored


def stored():
    return json.loads((ROOT / "tests" / "mutation" / "score.json").read_text("utf-8"))


def test_the_stored_score_is_of_a_large_sample_and_high_enough():
    found = stored()
    assert set(found["packages"]) == {one.removeprefix("tinyml_helpers/") for one in trial.PACKAGES}
    for counts in found["packages"].values():
        assert counts["mutants"] >= 25
        assert counts["killed"] + counts["equivalent"] <= counts["mutants"]
    total = {
        name: sum(one[name] for one in found["packages"].values())
        for name in ("mutants", "killed", "equivalent")
    }
    assert all(one["killed_at_first"] <= one["killed"] for one in found["packages"].values())
    assert total["mutants"] - total["killed"] - total["equivalent"] == len(found["survivors"])
    assert trial.percent(found) >= 95


def test_the_page_shows_the_stored_score():
    page = (ROOT / "book" / "how_tested.md").read_text("utf-8")
    shown = re.findall(r"([\d,]+)<!-- (mutants\w*) -->", page)
    found = mutation_counts(ROOT)
    assert len(shown) > 30
    assert {name: int(value.replace(",", "")) for value, name in shown}.items() <= found.items()
    assert found["mutants_percent"] == int(trial.percent(stored()))
    assert found["mutants"] == sum(one["mutants"] for one in stored()["packages"].values())


def test_known_equivalents_are_mutants_of_the_package_with_a_reason():
    import tomllib

    given = tomllib.loads((ROOT / "tests" / "mutation" / "equivalent.toml").read_text("utf-8"))["mutant"]
    assert all(len(one["reason"].split()) > 4 for one in given)
    found = trial.listed(ROOT, given)
    assert len(found) == len(given)
    assert {(one.module, one.before, one.after) for one in found} == {
        (one["module"], one["before"], one["after"]) for one in given
    }
