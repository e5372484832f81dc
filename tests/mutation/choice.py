"""Which tests run which line: measured by coverage.py, kept for each file of tests until it changes."""

import ast
import bisect
import hashlib
import itertools
import json
import re
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import coverage
import pytest
from tqdm import tqdm

LONGEST_SECONDS = 3600
APART = ("browser", "whole")  # folders of tests that have a command of their own
QUICK_SECONDS = 5.0
"""What the quick tests of one file may take, before it is the next file's turn."""


class Watch:
    """A plugin of pytest that notes which lines of some folders each test runs, and for how long."""

    def __init__(self, tree, folders, out):
        self.tree, self.out = Path(tree), Path(out)
        self.folders = [str(self.tree / folder) for folder in folders]
        self.seconds, self.passed = {}, {}

    def begin(self):
        self.coverage = coverage.Coverage(data_file=None, source=self.folders, config_file=False)
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        start = time.perf_counter()
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.perf_counter() - start, 3)

    def pytest_runtest_logreport(self, report):
        done = self.passed.get(report.nodeid, True)
        self.passed[report.nodeid] = done and report.outcome == "passed"

    def end(self):
        self.coverage.stop()
        data, lines = self.coverage.get_data(), {}
        for file in data.measured_files():
            ran = {
                line: sorted(test for test in tests if self.passed.get(test))
                for line, tests in data.contexts_by_lineno(file).items()
            }
            lines[Path(file).relative_to(self.tree).as_posix()] = {k: v for k, v in ran.items() if v}
        found = {
            "tests": {test: self.seconds[test] for test, passed in self.passed.items() if passed},
            "left out": sorted(test for test, passed in self.passed.items() if not passed),
            "lines": {module: ran for module, ran in lines.items() if ran},
        }
        self.out.write_text(json.dumps(found), "utf-8")


class Choice:
    """The tests for a line, from what `measure` has noted."""

    def __init__(self, found):
        self.seconds = {}
        self.lines = defaultdict(lambda: defaultdict(set))
        for one in found:
            self.seconds |= one["tests"]
            for module, ran in one["lines"].items():
                for line, tests in ran.items():
                    self.lines[module][int(line)].update(tests)

    def running(self, module, lines):
        """Tests that run one of the lines; for what runs on import, those that run any of its module."""
        ran = self.lines[module]
        direct = set().union(*(ran[line] for line in lines if line in ran))
        return direct or set().union(*ran.values())

    def beside(self, tests):
        """All other tests of the same files: they may use what a fixture made when one of these ran."""
        files = {test.partition("::")[0] for test in tests}
        return {test for test in self.seconds if test.partition("::")[0] in files} - tests

    def named(self, folder):
        """All tests of the room or files that are called as a package is: where nothing was measured."""
        room = Path(folder).name
        return {test for test in self.seconds if f"/{room}/" in test or f"/test_{room}" in test}

    def by_file(self, tests, module):
        """Tests by file: the quick ones of each, then all others; files named like the module first."""
        files, about = defaultdict(list), words(module)
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            files[test.partition("::")[0]].append(test)
        order = sorted(files, key=lambda file: (-len(about & words(file)), len(files[file]), file))
        quick = {file: self.within(files[file], QUICK_SECONDS) for file in order}
        rest = (files[file][len(quick[file]) :] for file in order)
        return [part for part in (*quick.values(), *rest) if part]

    def within(self, tests, seconds):
        """The first of some tests that fit into a time; one at least if there is any time."""
        ends = list(itertools.accumulate(self.seconds[test] for test in tests))
        return tests[: max(bisect.bisect_right(ends, seconds), int(seconds > 0))]


def words(name):
    return set(re.split(r"[/_.]", name)) - {"tinyml", "helpers", "py", "tests", "test", ""}


def test_files(root, folders):
    """Files of tests that import something of the folders."""
    rooms = tuple(f"{Path(folder).as_posix().replace('/', '.')}." for folder in folders)
    tests = Path(root) / "tests"
    found = sorted(tests.rglob("test_*.py"))
    files = [file for file in found if file.relative_to(tests).parts[0] not in APART]
    return [file for file in files if any(f"{name}.".startswith(rooms) for name in imported(file))]


def imported(file):
    """The dotted names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def measure(root, benches, folders, state):
    """Note for each file of tests what it runs, as far as that is not known already.

    Returns:
        What was noted, a dict for each file.
    """
    state = Path(state)
    state.mkdir(parents=True, exist_ok=True)
    free = list(benches)

    def one(file):
        place = state / f"{file.stem}.json"
        if not is_fresh(place, root, file):
            bench = free.pop()
            out = bench.tree / "found.json"
            out.unlink(missing_ok=True)
            name = file.relative_to(root).as_posix()
            ran = bench.run([name], LONGEST_SECONDS, Watch(bench.tree, folders, out))
            free.append(bench)
            if not out.exists():
                raise RuntimeError(f"{file.name} did not run to its end:\n{ran.said[-2000:]}")
            found = json.loads(out.read_text("utf-8"))
            found["digest"] = digest(root, file, found["lines"])
            place.write_text(json.dumps(found), "utf-8")
        return json.loads(place.read_text("utf-8"))

    files = test_files(root, folders)
    with ThreadPoolExecutor(len(free)) as pool:
        found = list(tqdm(pool.map(one, files), "which tests run which lines", len(files), unit="file"))
    return found


def is_fresh(place, root, file):
    if not place.exists():
        return False
    found = json.loads(place.read_text("utf-8"))
    return found["digest"] == digest(root, file, found["lines"])


def digest(root, file, modules):
    """A digest of a file of tests, of what tests share, and of the modules that it runs."""
    root = Path(root)
    shared = sorted(set((root / "tests").rglob("*.py")) - set((root / "tests").rglob("test_*.py")))
    made = hashlib.sha256()
    for path in (file, *shared, *(root / module for module in sorted(modules))):
        made.update(path.read_bytes() if path.exists() else b"gone")
    return made.hexdigest()
