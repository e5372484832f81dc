"""Whole lessons under hard conditions: the same results, nothing half-written, nobody's files touched.

make whole                              all lessons: about an hour on two idle cores
make whole ARGS="--lessons 0,1,11"      some of them
make whole ARGS="-k hostile"            one of the runs
"""

import hashlib
import shutil
from pathlib import Path

import compare
import conditions
import pytest
from conditions import GERMAN, HOSTILE, Conditions, Outcome

STORED = conditions.ROOT / "notebooks"


def digests(checkout):
    """Return the digest of every file of a checkout that a run must leave alone."""
    return {
        path.relative_to(checkout): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in checkout.rglob("*")
        if path.is_file() and not {"build", "__pycache__"} & set(path.relative_to(checkout).parts)
    }


def leftovers(folder):
    """Return what a run must not leave where its results are."""
    patterns = ("*.partial", ".running-*", "*.tmp", ".export-*")
    return [path for pattern in patterns for path in folder.rglob(pattern)]


class Checkout:
    """A copy of the checkout, and the runs of the lessons in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = conditions.copy_checkout(folder)
        self.work = folder.with_name(f"work {folder.name}")
        self.before = digests(self.folder)

    def start(self, lessons, how, name="one"):
        return conditions.start(self.folder, lessons, how, self.work / name)

    def finish(self, process, how, name="one") -> Outcome:
        outcome = conditions.finish(process, self.folder, how, self.work / name)
        assert outcome.code == 0, outcome.said[-3000:]
        assert digests(self.folder) == self.before
        assert leftovers(outcome.folder) == []
        # The folder from which it was started got nothing but what we put there.
        assert {path.name for path in (self.work / name).iterdir()} <= {"said.txt", "tmp"}
        return outcome

    def run(self, lessons, how) -> Outcome:
        return self.finish(self.start(lessons, how), how)


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory):
    """A copy of the checkout, in an ordinary place."""
    return Checkout(tmp_path_factory.mktemp("whole") / "course")


@pytest.fixture(scope="session")
def first(ordinary, lessons):
    """What the first, ordinary run left: the folder that the others are held against."""
    outcome = ordinary.run(lessons, Conditions())
    kept = ordinary.work / "first"
    shutil.move(outcome.folder, kept)
    return kept


def test_ordinary_runs_show_what_is_stored(first):
    """Checked outputs are those of the notebooks as they are in the checkout."""
    for path in sorted(first.glob("[0-9][0-9]_*.ipynb")):
        assert compare.changed(STORED / path.name, path) == []


def test_again_gives_the_same(ordinary, first, lessons):
    """A second run in the same place."""
    again = ordinary.run(lessons, Conditions())
    assert compare.differences(first, again.folder) == []
    shutil.rmtree(again.folder)


@pytest.mark.skipif(bool(conditions.why_not()), reason=conditions.why_not() or "-")
def test_hostile_places_give_the_same(first, lessons, tmp_path_factory):
    """No network, a read-only checkout, no home, odd letters in the path, the last lesson first."""
    checkout = Checkout(tmp_path_factory.mktemp("whole") / "Straße mit é und 漢字")
    outcome = checkout.run(lessons, HOSTILE)
    assert "nothing can be written to" in outcome.said
    assert compare.differences(first, outcome.folder) == []


def test_other_languages_and_threads_give_nearly_the_same(first, lessons, tmp_path_factory):
    """German, another time zone, a wide terminal, two threads."""
    checkout = Checkout(tmp_path_factory.mktemp("whole") / "german")
    outcome = checkout.run(lessons, GERMAN)
    assert compare.differences(first, outcome.folder, threads=True) == []


def test_two_learners_in_one_checkout_give_the_same(first, lessons, tmp_path_factory):
    """Both run the same lessons at the same time, in the same build folder."""
    checkout, how = Checkout(tmp_path_factory.mktemp("whole") / "shared"), Conditions()
    started = [(name, checkout.start(lessons, how, name)) for name in ("ann", "bob")]
    for _, process in started:
        process.wait()
    for name, process in started:
        outcome = checkout.finish(process, how, name)
        assert compare.differences(first, outcome.folder) == []
