"""Sphinx: docstrings are plain text with `code` in single backticks; make reStructuredText of them."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

_CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
_SPECIAL = re.compile(r"(\*|\||(?<=\w)_(?!\w))")


def escape(line: str) -> str:
    """Double the backticks of a line, and escape what reStructuredText would take for a mark."""
    parts = _CODE.split(line)
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = f"``{part.strip('`')}``"
        else:
            parts[place] = _SPECIAL.sub(r"\\\1", part)
    return "".join(parts)


def convert(lines: list[str]) -> list[str]:
    """A docstring's lines for reStructuredText: indented blocks after "::" or a blank stay code."""
    converted: list[str] = []
    code = False
    for number, line in enumerate(lines):
        indented = line.startswith("    ")
        before = lines[number - 1] if number else ""
        if indented and not before.strip() and not _in_section(lines, number):
            code = True
            if converted and not _literal_opened(converted):
                converted += ["::", ""]
        elif line.strip() and not indented:
            code = False
        converted.append(line if code else escape(line))
    return converted


def _literal_opened(converted: list[str]) -> bool:
    filled = [line for line in converted if line.strip()]
    return bool(filled) and filled[-1].rstrip().endswith("::")


def _in_section(lines: list[str], number: int) -> bool:
    """Whether the last line at the margin opens a section such as "Args:"."""
    margin = next((line for line in reversed(lines[:number]) if line[:1].strip()), "")
    return bool(
        re.fullmatch(r"(Args|Returns|Raises|Yields|Attributes|Source|Note|Example)s?:", margin.strip())
    )


def _process(_: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    del name, options
    if what == "module":
        # Sphinx takes away the margin of all lines but the first, and with it that of an example.
        lines[:] = (thing.__doc__ or "").splitlines()
    lines[:] = [*convert(lines), ""]


class NearestType(SphinxPostTransform):
    """Of several classes of one name, let a signature link the one nearest to it."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        """Change the document in place."""
        names = self.env.domains.python_domain.objects
        for node in list(self.document.findall(addnodes.pending_xref)):
            target = node.get("reftarget", "")
            if node.get("refdomain") != "py" or "." in target or target in names:
                continue
            found = [name for name in names if name.endswith(f".{target}")]
            if len(found) > 1:
                node["reftarget"] = nearest(found, node.get("py:module") or "")


def nearest(names: list[str], module: str) -> str:
    """The name that shares most parts with a module; the first of those that share as much."""

    def shared(name: str) -> int:
        pairs = zip(name.split("."), module.split("."), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    return max(sorted(names), key=shared)


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before napoleon, which reads the sections."""
    app.add_post_transform(NearestType)
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
