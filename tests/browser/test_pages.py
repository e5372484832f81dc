"""The pages that `make course` leaves in build/: open from the file system, read by everybody."""

import pytest
from accessible import overflows, violations

from tinyml_helpers.course import runner, scoreboard, syllabus

LESSONS = syllabus.lessons()
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """The stored lessons as pages, with the index that links them."""
    folder = tmp_path_factory.mktemp("pages")
    for lesson in LESSONS:
        (folder / lesson.path.name).write_bytes(lesson.path.read_bytes())
        runner.write_page(folder / lesson.path.name, folder / f"{lesson.name}.html")
    runner.write_index(LESSONS, scoreboard.reference(), folder)
    return folder


def test_the_index_leads_to_a_lesson(page, pages, shot, watch):
    page.goto((pages / "index.html").as_uri())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert not violations(page)
        shot(page, f"pages/index_{scheme}")
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    shot(page, "pages/index_phone")
    page.get_by_role("link", name=LESSONS[0].title).click()
    assert page.title() == f"{LESSONS[0].number} · {LESSONS[0].title}"
    assert not watch.errors


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_is_read_by_everybody(lesson, page, pages, shot, watch):
    page.goto((pages / f"{lesson.name}.html").as_uri())
    assert not violations(page)
    pictures = page.locator("img")
    assert pictures.count() >= 3
    assert all(one.get_attribute("alt") for one in pictures.all())
    widths = pictures.evaluate_all("all => all.map(one => one.naturalWidth)")
    assert min(widths) > 0
    shot(page, f"pages/{lesson.name}")
    assert not overflows(page)
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    shot(page, f"pages/{lesson.name}_phone")
    assert not watch.errors


def test_a_solution_opens_by_keyboard(page, pages):
    page.goto((pages / f"{LESSONS[0].name}.html").as_uri())
    solution = page.locator("details.solution").first
    code = solution.locator(".jp-InputArea")
    assert not code.is_visible()
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible()
