"""The pages for teachers that a kit takes along: plans, outcomes, the rubric, the quizzes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.classroom.workshop import pages
from tinyml_helpers.system.folders import CHECKOUT

_FOLDER = CHECKOUT / "book" / "teach"
_NAMES = ("semester", "two_days", "outcomes", "capstone_rubric", "quizzes")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Guide:
    """A page of `book/teach`: its `name`, its `title`, and its Markdown below the title."""

    name: str
    title: str
    markdown: str

    @property
    def path(self) -> str:
        """Where it lies in a kit."""
        return f"instructor/{self.name}.html"


def read_guides() -> tuple[Guide, ...]:
    """Return the pages that the checkout has, in order; none where they are not beside the package."""
    return tuple(_read())


def _read() -> Iterator[Guide]:
    for name in _NAMES:
        path: Path = _FOLDER / f"{name}.md"
        if path.exists():
            title, _, rest = path.read_text("utf-8").removeprefix("# ").partition("\n")
            yield Guide(name, title, rest)


def render_guide(guide: Guide) -> str:
    """Return a page as HTML; links to others of these pages stay, those to the checkout become text."""

    def follow(found: re.Match[str]) -> str:
        name = found[2].removesuffix(".md")
        return f"[{found[1]}]({name}.html)" if name in _NAMES else found[1]

    text = re.sub(r"<!--.*?-->", "", guide.markdown, flags=re.DOTALL)
    return pages.render("guide.html.j2", title=guide.title, text=_LINK.sub(follow, text))
