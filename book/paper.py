"""The book as one PDF: its chapters joined, and printed by a Chromium of this machine."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from book import chapters
from tinyml_helpers import __version__
from tinyml_helpers.system.folders import write_atomically

STYLE = Path(__file__).parent / "static" / "paper.css"
TITLE = "TinyML, measured"
COVER = f'<header class="cover"><h1>{TITLE}</h1><p>{__version__}</p></header>'
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_MOST_SECONDS = 900
# What is wider than the sheet is made smaller as a whole, so that nothing is cut.
_FIT = """
const sheet = document.body.clientWidth;
for (const one of document.querySelectorAll("table, math, img")) {
  const wide = one.scrollWidth || one.getBoundingClientRect().width;
  if (wide > sheet) one.style.zoom = sheet / wide;
}
"""


def find_browser() -> str:
    """Return the path of a Chromium or Chrome.

    Raises:
        LookupError: this machine has none.
    """
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        raise LookupError("No Chromium or Chrome on this machine: on Debian, apt install chromium")
    return path


def print_book(book: Path, target: Path) -> int:
    """Print a built book into one PDF with page numbers; return how many pages it has.

    It is printed twice: where a chapter begins is known after the first time.

    Raises:
        LookupError: there is no Chromium.
        RuntimeError: Chromium printed nothing.
    """
    browser = find_browser()
    parts = chapters.read(book)
    begins: dict[str, int] = {}
    for _ in tqdm(range(2), desc="printing", unit="time"):
        printed = to_pdf(browser, book, join(book, parts, begins))
        begins = find_pages(printed, [part.key for part in parts])
    write_atomically(target, printed)
    return count_pages(printed)


def join(book: Path, parts: Sequence[chapters.Chapter], begins: Mapping[str, int]) -> str:
    """Return the document: title page, contents with the page each chapter begins on, chapters."""
    lines = "".join(
        f'<li><a href="#{part.key}"><span>{html.escape(part.title)}</span>'
        f'<span class="page">{begins.get(part.key, 0)}</span></a></li>'
        for part in parts
    )
    return (
        f'<!DOCTYPE html><html lang="{chapters.read_language(book)}" data-theme="light"><head>'
        f'<meta charset="utf-8"><title>{TITLE}</title>'
        '<link rel="stylesheet" href="_static/pygments.css">'
        f"<style>{STYLE.read_text('utf-8')}</style></head><body>{COVER}"
        f'<nav><p class="head">Contents</p><ol>{lines}</ol></nav>'
        f"{''.join(str(part.body) for part in parts)}<script>{_FIT}</script></body></html>"
    )


def to_pdf(browser: str, book: Path, document: str) -> bytes:
    """Print a document whose addresses begin in the folder of the book."""
    page, target = book / "_paper.html", book / "_paper.pdf"
    # Chromium refuses its sandbox to root, which is what a container runs as.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    options = ["--headless", "--disable-gpu", "--no-pdf-header-footer", *["--no-sandbox"] * root]
    options += ["--generate-pdf-document-outline", f"--print-to-pdf={target.resolve()}"]
    try:
        page.write_text(document, "utf-8")
        command = [browser, *options, page.resolve().as_uri()]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_MOST_SECONDS
        )
        if not target.exists():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise RuntimeError(f"{browser} printed no PDF: {last}")
        return target.read_bytes()
    finally:
        page.unlink(missing_ok=True)
        target.unlink(missing_ok=True)


def find_pages(pdf: bytes, keys: Sequence[str]) -> dict[str, int]:
    """Return the page, from 1, on which each id lies that a link of the PDF leads to."""
    kids = re.findall(rb"/Kids \[([^\]]*)\]", pdf)
    order = [number for group in kids for number in re.findall(rb"(\d+) 0 R", group)]
    leaves = set(re.findall(rb"(?m)^(\d+) 0 obj\s<</Type /Page\s", pdf))
    pages = {number: place for place, number in enumerate((it for it in order if it in leaves), 1)}
    found = {}
    for key in keys:
        at = re.search(rb"/" + re.escape(key.encode()) + rb" \[(\d+) 0 R /XYZ", pdf)
        if at and at[1] in pages:
            found[key] = pages[at[1]]
    return found


def count_pages(pdf: bytes) -> int:
    """Return the number of pages of a PDF as Chromium writes it."""
    return len(re.findall(rb"/Type /Page\s", pdf))
