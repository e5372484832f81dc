"""A page that says what was asked for and what was measured; what failed is shown as failed."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.search.budgets import HEADER, BudgetLine, Budgets
from tinyml_helpers.search.front import Candidate
from tinyml_helpers.system.tables import text_table

_COLOURS = {"met": "#00694B", "FAILED": "#B03A00", "unknown": "#5A5A5A"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:2em auto;padding:0 1em}}
td,th{{padding:.2em .8em .2em .3em;vertical-align:top}}
@media print{{body{{margin:0}}}}
</style></head><body>{body}</body></html>
"""


@dataclass(frozen=True, repr=False)
class Certificate:
    """Budgets against what was measured, and all that it takes to measure it again.

    Args:
        title: of the page.
        lines: every budget.
        facts: what the figures rest on, by name: device, file, data, seed and versions.
    """

    title: str
    lines: tuple[BudgetLine, ...]
    facts: Mapping[str, str]

    @property
    def met(self) -> bool:
        """True if every budget was met; one that cannot be checked is not."""
        return bool(self.lines) and all(line.verdict == "met" for line in self.lines)

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        if not self.lines:
            return "No budget was set"
        count = sum(line.verdict == "met" for line in self.lines)
        failed = any(line.verdict == "FAILED" for line in self.lines)
        rest = "" if self.met else ": NOT MET" if failed else "; the rest cannot be checked"
        return f"{count} of {len(self.lines)} budgets met{rest}"

    def __repr__(self) -> str:
        rows = text_table(HEADER, [line.row() for line in self.lines], names=(0, 3))
        facts = text_table(("", ""), list(self.facts.items()), names=(0, 1))
        return f"{self.title}\n{self.verdict}\n{rows}\n{facts}"

    def _repr_html_(self) -> str:
        cells = [
            "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in line.row()[:3])
            + f"<td style='text-align:left;color:white;background:{_COLOURS[line.verdict]}'>"
            f"<b>{line.verdict}</b></td>"
            for line in self.lines
        ]
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in (*HEADER[:3], "verdict"))
        facts = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left;overflow-wrap:anywhere'>{html.escape(value)}</td></tr>"
            for name, value in self.facts.items()
        )
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        return (
            f"<h2>{html.escape(self.title)}</h2><p><b>{html.escape(self.verdict)}.</b></p>"
            f"<table><tr>{head}</tr>{body}</table><h3>Measured on</h3><table>{facts}</table>"
        )

    def markdown(self) -> str:
        """The page as Markdown."""
        rows = [" | ".join(line.row()) for line in self.lines]
        facts = [f"{name} | {value.replace('|', '/')}" for name, value in self.facts.items()]
        lines = [f"# {self.title}", "", f"**{self.verdict}.**", ""]
        lines += ["| budget | allowed | measured | verdict |", "|---|---|---|---|"]
        lines += [f"| {row} |" for row in rows]
        lines += ["", "## Measured on", "", "| | |", "|---|---|", *(f"| {row} |" for row in facts)]
        return "\n".join([*lines, ""])

    def save(self, folder: Path) -> Path:
        """Write certificate.html and certificate.md into a folder, made if need be; return the first."""
        folder.mkdir(parents=True, exist_ok=True)
        page = _PAGE.format(title=html.escape(self.title), body=self._repr_html_())
        (folder / "certificate.html").write_text(page, "utf-8")
        (folder / "certificate.md").write_text(self.markdown(), "utf-8")
        return folder / "certificate.html"


def certify(
    title: str, measured: Candidate, budgets: Budgets, content: bytes, facts: Mapping[str, str]
) -> Certificate:
    """Hold a finished network against its budgets.

    Args:
        title: of the page.
        measured: what the finished network takes, its scores those on the test set, one for each seed;
            the worst of them is held against the budget.
        budgets: that were set before.
        content: of the .tflite file.
        facts: what else the page shall say, such as data and seed.
    """
    from importlib.metadata import version

    device = measured.device
    packages = ("torch", "ai-edge-litert", "ziglang", "unicorn")
    stated = {
        "device": f"{device.name}: {device.chip}, {device.core} at {device.clock_hz / 1e6:.0f} MHz",
        "how": "instructions, flash and RAM counted on the virtual microcontroller; ms and uJ estimated "
        "from them, the worse end of the band; the score of the worst seed",
        "file": f"{len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}",
        "design": str(measured.settings),
        "instructions": f"{measured.instructions:,}",
        **facts,
        "made with": ", ".join(f"{name} {version(name)}" for name in packages),
    }
    return Certificate(title, budgets.lines(measured), stated)
