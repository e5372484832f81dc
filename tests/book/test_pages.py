"""Every page reads well where it is read: as Markdown on a code host, in the pages, in the book."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from markdown_it import MarkdownIt

from book import counts
from tinyml_helpers.course import runner, syllabus

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "book").rglob("*.md"), ROOT / "data" / "README.md"])
LESSONS = syllabus.lessons()


def rendered_text(markdown):
    """The words that a code host shows: no code, no comment."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    inline = [child for token in tokens if token.type == "inline" for child in token.children or []]
    shown = [child.content for child in inline if child.type == "text"]
    blocks = [token.content for token in tokens if token.type == "html_block"]
    return "\n".join([*shown, *(re.sub(r"<!--.*?-->", "", block, flags=re.S) for block in blocks)])


def sentences(markdown):
    """What a page says, block by block: a cell of a table is a block of its own."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        words = "".join(child.content or " " for child in token.children or [])
        yield from re.split(r"(?<=[.!?])\s", words)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_has_no_placeholder_and_no_directive(path):
    markdown = path.read_text("utf-8")
    text = rendered_text(markdown)
    assert not re.findall(r"\$\w+|\{\{.*?\}\}", text)
    assert not re.findall(r"^:{3,}.*|^\(\w+\)=$|\bnot in lesson \d+", text, re.M)
    fences = [t.info for t in MarkdownIt("commonmark").parse(markdown) if t.type == "fence"]
    assert not [info for info in fences if info.startswith("{")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_says_nothing_twice_in_one_sentence(path):
    for sentence in sentences(path.read_text("utf-8")):
        phrases = re.findall(r"\([^()]{12,}\)", sentence)
        assert len(phrases) == len(set(phrases)), sentence


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("| lessons | $lessons |\n", r"\$\w+"),
        ("**AUC** (not in lesson 12): A chance.", "not in lesson"),
        ("::::{grid} 1 2\n", r"^:{3,}"),
    ],
)
def test_what_such_a_test_looks_for_is_seen(markdown, found):
    assert re.search(found, rendered_text(markdown), re.M)


def test_a_sentence_is_one_across_lines_and_no_more_than_one_cell_of_a_table():
    said = [one for one in sentences("It has `a` (version 3)\nand b. More.\n") if one]
    assert said == ["It has a (version 3) and b.", "More."]
    cells = [one for one in sentences("| a (x) | b (x) |\n|---|---|\n| c | d |\n") if one]
    assert cells == ["a (x)", "b (x)", "c", "d"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere_on_a_code_host(path):
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text("utf-8"))
    missing = [t for t in targets if ":" not in t and not (path.parent / t).exists()]
    assert not missing


def test_an_item_of_the_glossary_is_an_item_of_a_list():
    tokens = MarkdownIt("commonmark").parse((ROOT / "book" / "glossary.md").read_text("utf-8"))
    assert sum(token.type == "list_item_open" for token in tokens) > 250


def test_the_page_on_tests_holds_counts_that_are_nearly_those_of_now():
    page = (ROOT / "book" / "how_tested.md").read_text("utf-8")
    now = counts.count(ROOT)
    stored = re.findall(r"([\d,]+)<!-- (\w+) -->", page)
    assert len(stored) >= 16
    for figure, name in stored:
        fresh = int(now[name].replace(",", ""))
        assert abs(int(figure.replace(",", "")) - fresh) <= 0.1 * fresh, f"{name}: run `make book`"


def test_counts_are_renewed_where_they_stand():
    fresh = counts.count(ROOT)["lessons"]
    assert counts.renew("has 7<!-- lessons --> parts", ROOT) == f"has {fresh}<!-- lessons --> parts"


class Folds(HTMLParser):
    """Collects what each <details> holds besides its summary."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts, self.summary = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "details":
            self.open.append("")
        self.summary |= tag == "summary"

    def handle_endtag(self, tag):
        if tag == "details":
            self.texts.append(self.open.pop())
        if tag == "summary":
            self.summary = False

    def handle_data(self, data):
        if self.open and not self.summary:
            self.open[-1] += data


FOLDED = [
    lesson
    for lesson in LESSONS
    if any("<details" in cell.source for cell in syllabus.read_notebook(lesson.path).cells)
]


@pytest.mark.parametrize("lesson", FOLDED, ids=lambda lesson: lesson.name)
def test_folded_text_stays_folded_in_the_pages(lesson, tmp_path):
    notebook = syllabus.read_notebook(lesson.path)
    notebook.cells = [cell for cell in notebook.cells if "<details" in cell.source]
    path = tmp_path / "lesson.ipynb"
    path.write_text(nbformat.writes(notebook), "utf-8")
    runner.write_page(path, tmp_path / "lesson.html")
    folds = Folds((tmp_path / "lesson.html").read_text("utf-8"))
    assert not folds.open
    expected = sum(cell.source.count("<details") for cell in notebook.cells)
    assert len(folds.texts) == expected >= 1
    assert all(len(text.split()) > 10 for text in folds.texts)


def test_the_lessons_that_fold_are_some():
    assert FOLDED
