"""Assemble what Sphinx reads: lessons as the book shows them, pages of the project, generated pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from book import addresses, notebooks, pages, sliders

# Folders that have a page of their own, and the names that such a page may have.
FOLDERS = ("notebooks", "data", "book/teach")
_FIRST = ("README.md", "index.md", "workshop.md")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_OUTSIDE = re.compile(r"[a-z]+:|#|/")


class Tree:
    """The folder that Sphinx reads; a file that did not change is not touched."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.written: set[Path] = set()

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file, unless it is there with this content already."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        path = self.folder / name
        self.written.add(path)
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def text(self, name: str, markdown: str) -> None:
        """Write a Markdown page, and copy what it links."""
        self.write(name, self.linked(markdown, name))

    def linked(self, markdown: str, name: str) -> str:
        """Copy the files that a text links; a link to a folder becomes one to its page."""

        def follow(match: re.Match[str]) -> str:
            mark, words, address, place = match[1], match[2], match[3], match[4] or ""
            if _OUTSIDE.match(address):
                return match[0]
            target = (self.root / name).parent.joinpath(address).resolve()
            if not target.is_relative_to(self.root):
                return match[0]
            inside = target.relative_to(self.root).as_posix()
            if target.is_dir():
                page = first_page(target)
                return f"{mark}[{words}]({address.rstrip('/')}/{page})" if inside in FOLDERS else words
            if target.parent == self.root / "book" and target.suffix == ".md":
                return f"{mark}[{words}]({'../' * name.count('/')}{target.name}{place})"
            if target.is_file() and target.suffix not in (".md", ".ipynb"):
                self.write(inside, target.read_bytes())
            return match[0]

        return _LINK.sub(follow, markdown)

    def sweep(self) -> None:
        """Remove what an earlier build wrote and this one did not."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_file() and path not in self.written:
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def first_page(folder: Path) -> str:
    """The page that stands for a folder: the first of `_FIRST` that is there."""
    return next((name for name in _FIRST if (folder / name).exists()), _FIRST[1])


def find_teaching_pages(root: Path) -> list[str]:
    """The pages for those who teach: the one that opens them, then the others as it links them."""
    folder = root / "book" / "teach"
    first = folder / first_page(folder)
    linked = [match[3] for match in _LINK.finditer(first.read_text("utf-8"))] if first.exists() else []
    order = [first.name, *linked]

    def place(path: Path) -> tuple[int, str]:
        return (order.index(path.name) if path.name in order else len(order), path.name)

    return [path.relative_to(root).as_posix() for path in sorted(folder.glob("*.md"), key=place)]


def assemble(root: Path, folder: Path, numbers: Iterable[int] | None = None) -> int:
    """Write the sources of the book into `folder`; return how many files there are.

    Args:
        root: the checkout.
        folder: where to write; what is stale there is removed.
        numbers: lessons to take, all of them if it is None or empty.
    """
    from tinyml_helpers.course import syllabus

    tree = Tree(root, folder)
    lessons = [it for it in syllabus.lessons(root / "notebooks") if not numbers or it.number in numbers]
    alt: dict[str, str] = {}
    for lesson in lessons:
        stored = json.loads(lesson.path.read_text("utf-8"))
        notebook = notebooks.adapt(stored, sliders.read(lesson.number))
        alt |= notebooks.alt_texts(notebook)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = tree.linked(notebooks.source(cell), f"notebooks/{lesson.path.name}")
        tree.write(f"notebooks/{lesson.path.name}", json.dumps(notebook, indent=1))
    tree.write("alt.json", json.dumps(alt, indent=1))
    guides = find_teaching_pages(root)
    for name, markdown in pages.generate(root, lessons, guides):
        tree.text(name, markdown)
    tree.write("api/index.rst", (root / "book" / "api.rst").read_bytes())  # Sphinx makes the rest
    about = sorted(path.name for path in root.glob("*.md") if path.name != "README.md")
    maps = sorted(path.relative_to(root).as_posix() for path in root.glob("tinyml_helpers/*/README.md"))
    package = "tinyml_helpers/README.md"
    below = {"README.md": [*about, package], package: [one.partition("/")[2] for one in maps]}
    if guides:
        below[guides[0]] = [Path(name).name for name in guides[1:]]
    for name in ["README.md", "data/README.md", *about, package, *maps, *guides]:
        text = addresses.without_addresses((root / name).read_text("utf-8"))
        tree.text(name, text + pages.menu(below.get(name, [])))
    tree.sweep()
    return len(tree.written)
