"""Take the pictures of the page on teaching out of a real kit: a slide and a handout.

    python -m book.kit_pictures

It makes the kit of one lesson, opens it in a Chromium of this machine, and writes `slide.png` and
`handout.png` into book/teach. Needs the extra `browser`.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from book import paper
from tinyml_helpers.classroom.workshop import kit
from tinyml_helpers.course import syllabus
from tinyml_helpers.system.folders import write_atomically

FOLDER = Path(__file__).parent / "teach"
LESSON = 2
MOST_BYTES = 150_000
_SLIDE = (1280, 720)
_A4 = (794, 1123)  # at 96 dots an inch
_SECTION = "One scale for a layer, or one for each channel?"  # its slide with a figure is shown


def take() -> dict[str, bytes]:
    """Return both pictures as PNG, by the names of their files.

    Raises:
        LookupError: there is no Chromium, or the deck has no such slide.
    """
    path = paper.find_browser()
    from playwright.sync_api import sync_playwright

    lessons = syllabus.select([LESSON])
    name = f"{lessons[0].name}.html"
    # Chromium refuses its sandbox to root, which is what a container runs as.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        made = kit.make(lessons, Path(place) / "kit", progress=False)
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        page = browser.new_page(viewport={"width": _SLIDE[0], "height": _SLIDE[1]})
        shots = {"slide.png": _shoot_slide(page, made.folder / "slides" / name)}
        shots["handout.png"] = _shoot_handout(page, made.folder / "handouts" / name)
        browser.close()
    return {name: reduce_colours(shot) for name, shot in shots.items()}


def _shoot_slide(page: Any, file: Path) -> bytes:
    page.goto(file.as_uri())
    page.wait_for_function("document.getElementById('place').textContent !== ''")
    wanted = "s => s.dataset.title === title && s.querySelector('.output_area img')"
    found = page.evaluate(f"title => slides.findIndex({wanted})", _SECTION)
    if found < 0:
        raise LookupError(f"{file.name} has no slide with a figure in {_SECTION!r}: name another")
    page.evaluate("index => show(index, true)", found)
    page.add_style_tag(content="nav, #help { display: none !important }")
    return bytes(page.screenshot())


def _shoot_handout(page: Any, file: Path) -> bytes:
    page.set_viewport_size({"width": _A4[0], "height": _A4[1]})
    page.goto(file.as_uri())
    page.add_style_tag(content=".page { margin: 0 !important; box-shadow: none !important }")
    return bytes(page.locator(".page").screenshot())


def reduce_colours(png: bytes) -> bytes:
    """Return a picture in the most colours, of 256 or fewer, with which it stays below `MOST_BYTES`.

    Raises:
        ValueError: sixteen colours are still too many bytes.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 64, 16):
        small = io.BytesIO()
        # What is thin and coloured, such as a line of a chart, keeps its colour by this method alone.
        reduced = picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE)
        reduced.save(small, "PNG", optimize=True)
        if small.tell() < MOST_BYTES:
            return small.getvalue()
    raise ValueError(f"{small.tell():,} bytes in 16 colours: show less, {MOST_BYTES:,} are allowed")


def main() -> int:
    """Write both pictures; say why not where it cannot be done."""
    try:
        for name, picture in take().items():
            write_atomically(FOLDER / name, picture)
            print(f"{FOLDER / name}, {len(picture):,} bytes")
    except (ImportError, LookupError, ValueError) as error:
        print(f"The pictures are as they were. {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
