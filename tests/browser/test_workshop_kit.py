"""The workshop kit in a browser: handouts on one printed page, slides that fit and can be steered."""

import re

import pytest

from tinyml_helpers.classroom.workshop import guides, handout, kit, slides
from tinyml_helpers.course import syllabus

LESSONS = syllabus.lessons()
MARKED = [one for one in LESSONS if slides.is_marked(syllabus.read_notebook(one.path))]
LINE_MM = 7


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_handout_is_one_page_with_room_for_notes(page, watch, tmp_path, lesson):
    file = tmp_path / "handout.html"
    file.write_text(handout.render_handout(lesson, syllabus.read_notebook(lesson.path)), "utf-8")
    page.goto(file.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
    room_mm = page.evaluate("document.querySelector('.notes').offsetHeight / 96 * 25.4")
    assert room_mm >= 2 * LINE_MM
    beyond = (
        "[...document.querySelectorAll('.page *')].filter(e => e.getBoundingClientRect().right > {})"
    )
    edge = page.evaluate("document.querySelector('.page').getBoundingClientRect().right")
    assert page.evaluate(beyond.format(edge) + ".length") == 0
    blank = "[...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt).length"
    assert page.evaluate(blank) == 0
    assert not watch.errors


@pytest.mark.parametrize("lesson", MARKED, ids=lambda lesson: lesson.name)
def test_every_slide_fits_its_screen(page, watch, tmp_path, lesson):
    file = tmp_path / "slides.html"
    file.write_text(slides.render_deck(lesson, syllabus.read_notebook(lesson.path)), "utf-8")
    for width, height in ((1280, 720), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(file.as_uri())
        page.wait_for_function("document.getElementById('place').textContent !== ''")
        parts = "const i = s.querySelector('.inner'); return i.offsetHeight > s.clientHeight"
        clipped = page.evaluate(f"slides.map(s => {{ {parts} }}).flatMap((c, n) => c ? [n + 1] : [])")
        assert clipped == [], f"{width} x {height}"
    smallest = page.evaluate("Math.min(...slides.map(s => +s.style.getPropertyValue('--k')))")
    assert smallest >= 0.45
    assert not watch.errors


def test_slides_are_steered_by_keys_and_tell_the_speaker(page, watch, tmp_path):
    file = tmp_path / "slides.html"
    file.write_text(slides.render_deck(MARKED[0], syllabus.read_notebook(MARKED[0].path)), "utf-8")
    page.goto(file.as_uri())
    where = page.locator("#place")
    count = page.evaluate("slides.length")
    assert where.inner_text() == f"1 / {count}"
    page.keyboard.press("End")
    assert where.inner_text() == f"{count} / {count}"
    page.keyboard.press("Home")
    page.get_by_role("button", name="On").press("Enter")
    while where.inner_text() == f"1 / {count}":  # fragments first
        page.keyboard.press("ArrowRight")
    assert page.url.endswith("#2")
    assert not page.locator(".slide.now .notes").is_visible()
    page.keyboard.press("n")
    assert page.locator(".slide.now .notes").is_visible()
    page.keyboard.press("n")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    title = page.evaluate("slides[1].dataset.title")
    assert title in speaker.locator("#title").inner_text()
    assert "since the start" in speaker.locator("#time").inner_text()
    before = where.inner_text()
    for _ in range(10):  # the speaker's keys move the slides
        speaker.keyboard.press("PageDown")
    assert where.inner_text() != before
    assert speaker.locator("#notes").inner_text().strip()
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == count
    assert not watch.errors


def test_the_pages_of_a_kit_stand_on_their_own(page, watch, tmp_path):
    kit.make(LESSONS[:1], tmp_path / "kit", progress=False)
    own = [guide.path.removesuffix(".html") for guide in guides.read_guides()]
    lesson = f"instructor/{LESSONS[0].name}"
    for name in ("index", "instructor/plan", "student/evening_before", lesson, *own):
        for width in (1200, 400):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto((tmp_path / "kit" / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
    page.set_viewport_size({"width": 1200, "height": 800})
    page.goto((tmp_path / "kit" / "student" / "evening_before.html").as_uri())
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))) == 1
    assert not watch.errors
