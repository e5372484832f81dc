"""What holds on this machine: not what was asked for, but what an attacker is refused."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinyml_helpers.classroom.grade.lockdown import Limits
from tinyml_helpers.classroom.grade.sandbox import Sandbox, StoppedError
from tinyml_helpers.system.tables import text_table

_REFUSED = """
import fcntl, os, socket, time
def refused(attack):
    try:
        attack()
    except (OSError, MemoryError, ValueError):
        return True
    return False
"""
_ATTACKS = """
def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(("192.0.2.1", 9))  # of TEST-NET-1: nobody's
def fork():
    if not os.fork():
        os._exit(0)
def own():
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())
check.attacks({
    "reach the network": refused(connect),
    "change a file outside of its own folder": refused(lambda: open(PLACE + "/new", "w").close()),
    "read another submission": refused(lambda: open(PLACE + "/secret").read()),
    "signal the grader": refused(lambda: os.kill(os.getppid(), 0)),
    "have the kernel signal the grader": refused(own),
    "start another process": refused(fork),
})
"""
# These are stopped from outside, where the system does not refuse them: hence the wait.
_FLOODS = {
    "take more memory than it may": "x = b'x' * (800 << 20); time.sleep(1)",
    "write more than it may": "open('big', 'wb').write(bytes(8 << 20)); time.sleep(1)",
}
_LIMITS = Limits(seconds=30, memory_mib=512, room_mib=4)
Outcome = Literal["refused", "stopped", "possible"]


@dataclass(frozen=True, repr=False)
class Protection:
    """What a submission cannot do here.

    Args:
        outcomes: what was attempted -> "refused" by the system, "stopped" by the grader, or "possible".
        held: layers in place.
        why_not: layer that is not in place -> why.
    """

    outcomes: dict[str, Outcome]
    held: tuple[str, ...]
    why_not: dict[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether no attempt succeeded."""
        return "possible" not in self.outcomes.values()

    def __repr__(self) -> str:
        """Show what was tried, then the layers, then what is missing."""
        rows = list(self.outcomes.items())
        lines = [text_table(["what a submission tries here", "is"], rows, (0, 1))]
        lines.append(f"Layers in place: {', '.join(self.held) or 'none'}.")
        lines += [f"Not in place: {name} ({why})." for name, why in self.why_not.items()]
        if not self.is_whole:
            lines.append(
                "This system does not hold hostile code. Grade only what people whom you trust wrote, "
                "or grade on Linux 5.13 or newer, or in a virtual machine that you can throw away."
            )
        return "\n".join(lines)


def examine_protection() -> Protection:
    """Start a process as for a submission, and let it try what it must not do.

    Raises:
        RuntimeError: it does not start, or does not come back.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place, "secret").write_text("an answer", "utf-8")
        attacks = f"PLACE = {place!r}\n{_REFUSED}{_ATTACKS}"
        with Sandbox(_LIMITS, [Path(place)]) as sandbox:
            locked, said = sandbox.locked, _answer(sandbox, attacks)
    outcomes: dict[str, Outcome] = {
        str(name): "refused" if result is True else "possible" for name, result in said["dict"]
    }
    outcomes |= {attack: _flood(code) for attack, code in _FLOODS.items()}
    return Protection(outcomes, tuple(locked["held"]), dict(locked["why_not"]))


def _flood(code: str) -> Outcome:
    source = f"{_REFUSED}def flood():\n    {code}\ncheck.attacks(refused(flood))"
    with Sandbox(_LIMITS) as sandbox:
        try:
            return "refused" if _answer(sandbox, source) is True else "possible"
        except StoppedError:
            return "stopped"


def _answer(sandbox: Sandbox, source: str) -> Any:
    said = sandbox.ask({"before": [], "answer": source, "name": "attacks", "whole": False})
    if "answer" not in said:
        raise RuntimeError(f"the trial of the protection failed: {said.get('raised')}")
    return said["answer"][0]
