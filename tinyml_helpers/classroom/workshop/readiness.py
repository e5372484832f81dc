"""Is this laptop ready for the workshop? `tinyml doctor`, then the first network of lesson 00."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass

from tinyml_helpers import datasets
from tinyml_helpers.course import doctor

DEVICE = "nano33ble"
_EXPECTED = "ankle boot"


@dataclass(frozen=True, repr=False)
class Readiness:
    """The doctor's `report`, what the chip `said` of the first photo, and the `seconds` it took."""

    report: doctor.Report
    said: str
    instructions: int
    seconds: float
    trouble: str = ""

    @property
    def ready(self) -> bool:
        """Whether nothing is amiss."""
        return self.report.ready and self.said == _EXPECTED

    @property
    def line(self) -> str:
        """The one line that a participant sends to the instructor."""
        found = {finding.subject: finding.found for finding in self.report.findings}
        amiss = [finding.subject for finding in self.report.findings if not finding.ok]
        verdict = "READY" if self.ready else f"NOT READY ({', '.join([*amiss, self.trouble][:3])})"
        return (
            f"TinyML {verdict.replace(', )', ')')} | {platform.system()} {platform.machine()} | Python "
            f"{found['Python']} | {found['cores'].split()[0]} cores | {found['memory']} | "
            f"chip: {self.said or 'silent'}, {self.instructions:,} instructions, {self.seconds:.0f} s"
        )

    def __repr__(self) -> str:
        return f"{self.report!r}\n\nSend this line to your instructor:\n\n{self.line}"


def examine() -> Readiness:
    """Examine the machine and run the first network of lesson 00; never raises for what it finds."""
    report = doctor.examine()
    start = time.perf_counter()
    try:
        said, instructions = run_first_network()
    except Exception as error:  # whatever fails on a stranger's laptop belongs in the line
        said, instructions = "", 0
        trouble = f"{type(error).__name__}: {error}".splitlines()[0][:90]
        return Readiness(report, said, instructions, time.perf_counter() - start, trouble)
    trouble = "" if said == _EXPECTED else "wrong answer"
    return Readiness(report, said, instructions, time.perf_counter() - start, trouble)


def run_first_network() -> tuple[str, int]:
    """Compile the network of lesson 00 for the virtual microcontroller and show it the first photo."""
    from tinyml_helpers import mcu

    fashion = datasets.load_fashion()
    firmware = mcu.build(datasets.data_folder() / "models" / "small.tflite", DEVICE)
    run = firmware.run(fashion.test.images[0] / 255)
    return str(fashion.test.classes[run.output.argmax()]).lower(), run.instructions


def main() -> None:
    """Print the report and the line; leave with 0 if everything is ready, else with 1."""
    if hasattr(sys.stdout, "reconfigure"):  # a console that has no ✓ shows a ? instead of failing
        sys.stdout.reconfigure(errors="replace")
    print("Checking this machine; this takes up to a minute ...", flush=True)
    found = examine()
    print(repr(found))
    sys.exit(not found.ready)


if __name__ == "__main__":
    main()
