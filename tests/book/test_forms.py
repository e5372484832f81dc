"""The book as one document: its chapters, the EPUB, and what is said where no PDF can be printed."""

import posixpath
import re
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_book import write

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the book is beside the package, not in it

from book import __main__ as build  # noqa: E402
from book import chapters, ebook, paper  # noqa: E402

PDF = b"""1 0 obj
<</Type /Pages
/Kids [7 0 R 2 0 R]>>
endobj
2 0 obj
<</Type /Page
/X 1>>
endobj
7 0 obj
<</Type /Page
/X 1>>
endobj
<</c1 [7 0 R /XYZ 0 1 0]
/c10 [2 0 R /XYZ 0 1 0]>>
"""


@pytest.fixture
def book(tmp_path):
    return write(tmp_path / "book")


@pytest.fixture
def parts(book):
    return chapters.read(book)


def test_the_chapters_come_in_the_order_of_the_pages_and_without_the_reference(parts):
    titles = [part.title for part in parts]
    assert titles == ["0 · First", "1 · Second & last", "Glossary", "Solutions"]


def test_every_link_leads_to_the_place_of_its_own_page(parts):
    ids = [tag["id"] for part in parts for tag in [part.body, *part.body.select("[id]")]]
    assert len(ids) == len(set(ids))
    links = {link.get_text(): link["href"] for link in parts[0].body.select("a")}
    assert links.pop("Solution 1 is at the end of the book") in {f"#{one}" for one in ids}
    assert links == {
        "the other's exercises": "#c2-exercises",
        "elsewhere": "https://example.org/x",
        "here": "#c1-why",
        "glossary": "#c3",
    }
    assert "the reference" in parts[0].body.get_text()


def test_a_solution_stands_at_the_end_and_not_in_its_lesson(parts):
    assert "answer = 42" not in parts[0].body.get_text()
    end = parts[-1].body
    assert "answer = 42" in end.get_text() and not end.find("details")
    back = end.find("a", string=re.compile("back to its exercise"))["href"]
    assert parts[0].body.find(id=back[1:]) is not None


def test_what_moves_or_sounds_is_said_in_words(parts):
    body = parts[0].body
    assert not body.select("script, iframe, audio, .headerlink")
    assert [note.get_text() for note in body.select("p.moves")] == [
        "A sound: it is played in the notebook.",
        "A page in which you can try it: it is shown in the notebook.",
    ]


def test_a_page_without_an_article_is_refused(book):
    (book / "glossary.html").write_text("<p>cut", "utf-8")
    with pytest.raises(ValueError, match=r"glossary\.html has no article"):
        chapters.read(book)


@pytest.fixture
def epub(book, tmp_path):
    target = tmp_path / "book.epub"
    assert ebook.write(book, target) == 4
    with zipfile.ZipFile(target) as archive:
        yield archive


def test_an_epub_begins_with_its_kind_uncompressed(epub):
    first = epub.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert epub.read("mimetype") == b"application/epub+zip"
    container = ElementTree.fromstring(epub.read("META-INF/container.xml"))
    assert container[0][0].get("full-path") in epub.namelist()


def test_the_package_lists_each_file_and_reads_all_chapters(epub):
    package = ElementTree.fromstring(epub.read("book/content.opf"))
    space = "{http://www.idpf.org/2007/opf}"
    items = {it.get("id"): it.attrib for it in package.iter(f"{space}item")}
    listed = {f"book/{it['href']}" for it in items.values()}
    assert listed == {it for it in epub.namelist() if it.startswith("book/")} - {"book/content.opf"}
    assert {it["media-type"] for it in items.values()} == {
        "application/xhtml+xml", "text/css", "image/png"
    }  # fmt: skip
    assert [it["href"] for it in items.values() if it.get("properties") == "nav"] == ["nav.xhtml"]
    order = [items[it.get("idref")]["href"] for it in package.iter(f"{space}itemref")]
    assert order == [f"{it}.xhtml" for it in ("cover", "nav", "c1", "c2", "c3", "solutions")]
    assert package.findtext(".//{http://purl.org/dc/elements/1.1/}language") == "de"


def test_each_file_is_xml_and_each_address_in_it_is_there(epub):
    pages = {it: ElementTree.fromstring(epub.read(it)) for it in epub.namelist() if "xhtml" in it}
    ids = {name: {tag.get("id") for tag in page.iter()} for name, page in pages.items()}
    seen = 0
    for name, page in pages.items():
        for tag in page.iter():
            address = tag.get("href") or tag.get("src")
            if address is None or address.startswith("https:"):
                continue
            file, _, place = address.partition("#")
            home = posixpath.join("book", file) if file else name
            assert home in epub.namelist()
            assert not place or place in ids[home]
            seen += 1
    assert seen >= 20


def test_a_picture_that_is_missing_stops_the_epub(book, tmp_path):
    (book / "_images" / "dot.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"dot\.png"):
        ebook.write(book, tmp_path / "book.epub")
    assert not (tmp_path / "book.epub").exists()


def test_the_page_of_a_chapter_is_read_from_the_order_of_the_pages():
    assert paper.find_pages(PDF, ["c1", "c10", "c2"]) == {"c1": 1, "c10": 2}
    assert paper.count_pages(PDF) == 2


def test_without_a_browser_a_pdf_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["book", "--format", "pdf"])
    with pytest.raises(SystemExit) as stopped:
        build.read_options()
    assert stopped.value.code == 2
    assert "apt install chromium" in capsys.readouterr().err


@pytest.mark.parametrize("partial", [True, False])
def test_a_link_to_a_lesson_that_a_partial_book_leaves_out_becomes_words(partial, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    (source / "index.md").write_text("# Start\n\nOn to [the next](notebooks/01_b.ipynb#x).\n", "utf-8")
    failed = build.run_sphinx(source, out, "1", partial=partial)
    assert bool(failed) == (not partial)
    if partial:
        told = (out / "index.html").read_text("utf-8")
        assert "the next" in told and "01_b.ipynb" not in told
