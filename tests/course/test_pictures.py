"""Every picture that a lesson stores says in words what it shows, for those who cannot see it."""

import html
import re

import pytest

from tinyml_helpers.course import runner, syllabus

LESSONS = syllabus.lessons()
KINDS = ("image/png", "image/jpeg", "image/svg+xml", "image/gif")


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.name)
def lesson(request):
    return request.param


@pytest.fixture
def outputs(lesson):
    cells = syllabus.read_notebook(lesson.path).cells
    return [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(outputs):
    for output in outputs:
        for kind in KINDS:
            if kind in output.get("data", {}):
                yield output["data"], output["metadata"].get(kind, {})


def in_a_frame(data):
    """Whether a picture stands in for a live page, where no browser shows one."""
    return "<iframe title=" in "".join(data.get("text/html", ""))


def test_every_figure_has_a_text(outputs):
    for data, metadata in pictures(outputs):
        text = metadata.get("alt", "")
        assert len(text) >= 12, f"{data.get('text/plain')}: run `make outputs`"
        assert not text.startswith("<Figure")
        # What editors show that do not read the metadata; a live page says itself what it is.
        assert data["text/plain"] == text or in_a_frame(data)


def images(page):
    return re.findall(r"<(?:img|canvas)\b[^>]*>", page)


def test_pictures_in_tables_and_prose_have_a_text(lesson, outputs):
    cells = syllabus.read_notebook(lesson.path).cells
    parts = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    parts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    for part in parts:
        assert all(re.search(r'\balt="[^"]{3,}"', tag) for tag in images(part))
        assert not re.search(r"!\[\s*\]\(", part)
        for tag in re.findall(r"<svg\b[^>]*>", part):
            assert 'role="img"' in tag
            assert "aria-label=" in tag


def test_the_page_of_a_lesson_hands_the_texts_on(lesson, outputs, tmp_path):
    page = tmp_path / "lesson.html"
    runner.write_page(lesson.path, page)
    found = [html.unescape(one) for one in re.findall(r'<img\b[^>]*?\balt="([^"]*)"', page.read_text())]
    told = [(data, metadata.get("alt")) for data, metadata in pictures(outputs)]
    assert found == [alt for data, alt in told if not in_a_frame(data)]
