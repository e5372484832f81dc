"""Follow every link inside the built pages, and list what would come from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# An address in one of these loads something, and the book must load nothing from elsewhere.
LOADING = {("link", "href"), ("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src")}
# These `link`s say where a page belongs, and load nothing.
SAYING = {"canonical", "author", "search", "index", "prev", "next", "copyright", "license"}

_ELSEWHERE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")


class Page(HTMLParser):
    """One page: its `ids`, the addresses that it links, and those that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag names and where it points."""
        found = dict(attrs)
        self.ids |= {value for key in ("id", "name") if (value := found.get(key))}
        for key in ("href", "src"):
            address = found.get(key)
            if address is None:
                continue
            loads = (tag, key) in LOADING and found.get("rel") not in SAYING
            (self.loads if loads else self.links).append(address)


@dataclass(repr=False)
class Report:
    """What was followed: `pages`, `internal` links, `external` addresses and what is `broken`."""

    pages: int = 0
    internal: int = 0
    external: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        """The counts, then each broken link."""
        head = (
            f"{self.internal:,} links inside {self.pages} pages followed, {len(self.broken)} broken; "
            f"{len(self.external)} addresses elsewhere, not followed"
        )
        return "\n".join([head, *(f"  broken: {line}" for line in self.broken)])


class Site:
    """The built pages of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._read: dict[Path, Page] = {}

    @cached_property
    def paths(self) -> list[Path]:
        """All pages, in order; a theme keeps templates of its own among its static files."""
        return sorted(path for path in self.folder.rglob("*.html") if "_static" not in path.parts)

    def page(self, path: Path) -> Page:
        """A page, parsed."""
        if path not in self._read:
            self._read[path] = Page(path.read_text("utf-8"))
        return self._read[path]

    def fault(self, path: Path, address: str) -> str | None:
        """Why a link of the page at `path` leads nowhere; None if it leads somewhere."""
        parts = urlsplit(address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(self.folder):
            return "leaves the book"
        if not target.is_file():
            return "no such file"
        if parts.fragment and target.suffix == ".html":
            anchor = unquote(parts.fragment)
            return None if anchor in self.page(target).ids else "no such place on that page"
        return None


def check(folder: Path) -> Report:
    """Follow every link and address of the pages in `folder` that does not lead elsewhere.

    Links elsewhere are collected, not fetched; but a script, style, font or picture from
    elsewhere is broken, for the book is read without a network.
    """
    site, report = Site(folder), Report()
    for path in site.paths:
        page, report.pages = site.page(path), report.pages + 1
        for address in page.loads + page.links:
            _follow(site, report, path, address, loaded=address in page.loads)
    for path in sorted(folder.rglob("*.css")):
        if found := _ELSEWHERE.findall(path.read_text("utf-8")):
            report.broken += [f"{path.name} -> {found[0]}: comes from elsewhere"]
    _write(folder, report)
    return report


def _follow(site: Site, report: Report, path: Path, address: str, loaded: bool) -> None:
    where = f"{path.relative_to(site.folder).as_posix()} -> {address[:120]}"
    parts = urlsplit(address)
    if parts.scheme in ("data", "mailto", "javascript"):
        return
    if parts.scheme or parts.netloc:
        report.external.add(address)
        if loaded:
            report.broken.append(f"{where}: comes from elsewhere")
        return
    report.internal += 1
    if fault := site.fault(path, address):
        report.broken.append(f"{where}: {fault}")


def _write(folder: Path, report: Report) -> None:
    listed = "\n".join(sorted(report.external)) + "\n"
    (folder / "external_links.txt").write_text(listed, "utf-8")
