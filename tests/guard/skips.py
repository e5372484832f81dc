"""A skipped test ran nowhere: its reason is printed, and where CI is set it has to be listed.

`tests/skips.toml` is the list. An entry names tests and reason as patterns of `fnmatch`, why the skip is
accepted, what covers the same instead, and, where it is one of a kind of machine only, `on`: values of
`sys.platform`, or "root". Anything else that is skipped in CI fails the run, because a layer that nobody
tests would look like one that holds.
"""

import fnmatch
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "skips.toml"


@dataclass(frozen=True)
class Listed:
    """A skip that is accepted."""

    tests: str
    reason: str
    accepted: str
    instead: str
    on: tuple[str, ...] = ()

    def covers(self, test, reason, machine):
        """Say whether a test that was skipped for a reason on this machine is meant."""
        if self.on and not set(self.on) & machine:
            return False
        pairs = ((test, self.tests), (reason, self.reason))
        return all(fnmatch.fnmatchcase(told, pattern) for told, pattern in pairs)


def load(path=TABLE):
    """Read the list."""
    entries = tomllib.loads(path.read_text("utf-8")).get("skip", [])
    return [Listed(**{**entry, "on": tuple(entry.get("on", ()))}) for entry in entries]


def machine():
    """What kind of machine this is, in the words of the list."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {sys.platform} | ({"root"} if root else set())


def in_ci():
    """Say whether nobody looks at what is printed."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def reason_of(report):
    """Return why a test was skipped, as pytest was told."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


class Watch:
    """Collects what is skipped and not listed, and fails the run for it in CI."""

    def __init__(self, listed):
        self.listed, self.unlisted = listed, {}

    def pytest_runtest_logreport(self, report):
        self._note(report)

    def pytest_collectreport(self, report):
        self._note(report)

    def _note(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = reason_of(report)
            if not any(one.covers(report.nodeid, reason, machine()) for one in self.listed):
                self.unlisted[report.nodeid] = reason

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if self.unlisted and in_ci():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if not self.unlisted:
            return
        fate = "so this run fails" if in_ci() else "which fails where the variable CI is set"
        terminalreporter.section(f"skipped and not listed in {TABLE.name}, {fate}")
        for test, reason in self.unlisted.items():
            terminalreporter.line(f"{test}: {reason}", red=in_ci(), yellow=not in_ci())


def pytest_configure(config):
    """Watch here, unless this is one of several workers, whose reports come here."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watch(load()), "skips-watch")
