"""The PDF of the book, printed by a real Chromium from a few pages that are hard to print."""

import re
import sys
from pathlib import Path

import pytest
from lab import ROOT

sys.path[:0] = [str(ROOT), str(Path(__file__).parents[1] / "book")]

from small_book import write  # noqa: E402

from book import chapters, paper  # noqa: E402

A4_POINTS = [0, 0, 595, 842]
WIDER = "[...document.querySelectorAll('*')].some(e => e.getBoundingClientRect().right > innerWidth + 1)"


@pytest.fixture
def book(tmp_path):
    return write(tmp_path / "book")


def test_a_book_is_printed_with_contents_links_and_chapters_on_pages_of_their_own(
    browser, book, tmp_path
):
    target = tmp_path / "book.pdf"
    pages = paper.print_book(book, target)
    pdf = target.read_bytes()
    assert pages >= 6  # cover, contents, two lessons, glossary, solutions
    keys = [part.key for part in chapters.read(book)]
    begins = paper.find_pages(pdf, keys)
    assert list(begins) == keys
    assert list(begins.values()) == sorted(set(begins.values()))
    assert begins["c1"] == 3
    assert b"/Dest /c2-exercises" in pdf and b"/Outlines" in pdf
    box = re.search(rb"/MediaBox \[([\d. ]+)\]", pdf)
    assert [round(float(it)) for it in box[1].split()] == A4_POINTS
    assert sorted(path.name for path in book.iterdir() if path.name.startswith("_paper")) == []


def test_nothing_is_wider_than_the_sheet(page, book):
    whole = paper.join(book, chapters.read(book), {})
    cut = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", whole, flags=re.DOTALL)
    page.set_viewport_size({"width": 658, "height": 900})  # 174 mm
    for document, overflows in ((cut, True), (whole, False)):
        (book / "one.html").write_text(document, "utf-8")
        page.goto((book / "one.html").as_uri())
        assert page.evaluate(WIDER) == overflows


def test_a_browser_that_prints_nothing_is_named(book, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\n", "utf-8")
    broken.chmod(0o755)
    with pytest.raises(RuntimeError, match="printed no PDF: no display"):
        paper.to_pdf(str(broken), book, "<p>x")
    assert not (book / "_paper.html").exists()
