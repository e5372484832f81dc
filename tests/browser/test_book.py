"""The book of `make book`, opened from the file system: every promise of its pages is tried."""

import json

import pytest
from accessible import overflows, violations
from lab import ROOT

BOOK = ROOT / "build" / "book"
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PAGES = ("index", f"notebooks/{LESSONS[0]}", f"notebooks/{LESSONS[2]}", "glossary")
STORED = ROOT / "book" / "sliders"
MOVING = [f"notebooks/{name}" for name in LESSONS if (STORED / f"{name[:2]}.json").exists()]
PHONE = {"width": 390, "height": 844}
SMALL_LAPTOP = {"width": 1280, "height": 800}

pytestmark = pytest.mark.skipif(
    not (BOOK / "index.html").exists(), reason="no book in build/book: run `make book` first"
)


def address(name):
    return (BOOK / f"{name}.html").as_uri()


def theme(page):
    return page.evaluate("document.documentElement.dataset.theme")


@pytest.mark.parametrize("name", PAGES, ids=lambda name: name.rsplit("/")[-1])
def test_a_page_is_read_by_everybody(name, page, shot, watch):
    page.goto(address(name))
    kept = name.rsplit("/", maxsplit=1)[-1]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        assert not violations(page)
        shot(page, f"book/{kept}_{scheme}")
    assert not overflows(page)
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    shot(page, f"book/{kept}_phone")
    assert not watch.errors


@pytest.mark.parametrize("name", PAGES[1:3], ids=lambda name: name.rsplit("/")[-1])
def test_every_picture_of_a_lesson_has_a_text(name, page):
    page.goto(address(name))
    pictures = page.locator("article img:not([role=img] *)")
    assert pictures.count() >= 3
    for picture in pictures.all():
        if picture.is_visible():  # a slider hides the still that it stands for
            picture.scroll_into_view_if_needed()
        assert len(picture.get_attribute("alt")) >= 12
    # A slider's positions are parts of one picture, and the whole has the text.
    for sheet in page.locator("article [role=img]").all():
        assert len(sheet.get_attribute("aria-label")) >= 12
    page.wait_for_function("[...document.querySelectorAll('article img')].every(p => p.naturalWidth)")


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_line_of_code_is_not_cut_on_a_small_laptop(lesson, page):
    page.set_viewport_size(SMALL_LAPTOP)
    page.goto(address(f"notebooks/{lesson}"))
    cells = page.locator("div.cell_input pre")
    assert cells.count() >= 3
    wide = "pre => pre.scrollWidth > pre.clientWidth + 1 && pre.textContent"
    assert not [cut for cell in cells.all() if (cut := cell.evaluate(wide))]


def test_the_start_page_leads_through_the_lessons_and_back(page, watch):
    page.goto(address("index"))
    card = page.locator(".sd-card", has=page.locator(f'a[href$="{LESSONS[0]}.html"]'))
    card.first.click()
    page.wait_for_url(f"**/{LESSONS[0]}.html")
    page.locator("a.right-next").click()
    page.wait_for_url(f"**/{LESSONS[1]}.html")
    page.locator("a.left-prev").click()
    page.wait_for_url(f"**/{LESSONS[0]}.html")
    assert not watch.errors


def test_the_search_finds_zero_point(page, shot, watch):
    page.goto(address("index"))
    page.keyboard.press("Control+k")
    page.keyboard.type("zero point")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    # Results come one by one.
    page.locator('#search-results a[href*="02_post_training"]').first.wait_for()
    shot(page, "book/search")
    first = page.locator("#search-results a").first
    assert "glossary.html#term-zero-point" in first.get_attribute("href")
    first.click()
    page.locator("article").wait_for()
    assert "zero point" in page.locator("article").inner_text().lower()
    assert not watch.errors


def test_dark_and_light_are_chosen_and_remembered(page):
    page.goto(address("index"))
    for mode in ("Light", "Dark"):
        page.locator(".theme-switch-button:visible").click()
        page.locator(".theme-switch-container").get_by_text(mode, exact=True).locator(
            "visible=true"
        ).click()
        assert theme(page) == mode.lower()
    page.goto(address("glossary"))
    assert theme(page) == "dark"


def test_a_folded_solution_opens_by_keyboard(page):
    page.goto(address(PAGES[1]))
    solution = page.locator("details", has_text="Show the solution").first
    code = solution.locator("pre").first
    assert not code.is_visible()
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible()
    page.keyboard.press("Enter")
    assert not code.is_visible()


@pytest.mark.parametrize("name", MOVING, ids=lambda name: name.rsplit("/")[-1])
def test_a_figure_moves_by_keyboard_without_a_kernel(name, page, shot, watch):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address(name))
    stored = json.loads(STORED.joinpath(f"{name.rpartition('/')[2][:2]}.json").read_text("utf-8"))
    sliders = page.locator("div.slider[data-ready]").all()
    assert len(sliders) == len(stored) > 0
    for i, slider in enumerate(sliders):
        slider.scroll_into_view_if_needed()
        picture = slider.locator(".frame img")
        page.wait_for_function("one => one.naturalWidth > 0", arg=picture.element_handle())
        assert not slider.locator("p.moves").is_visible()
        assert slider.locator("xpath=following::img[contains(@src, 'images')][1]").is_hidden()
        control, frame = slider.locator("input, select").first, slider.locator(".frame")
        seen = []
        for key in ("Home", "ArrowRight", "End"):
            control.focus()
            page.keyboard.press(key)
            seen.append((frame.get_attribute("aria-label"), frame.screenshot()))
        ends = (
            3 if control.get_attribute("type") == "range" else min(3, control.locator("option").count())
        )
        assert len({picture for _, picture in seen}) == len({words for words, _ in seen}) == ends
        assert slider.locator("[aria-live]").inner_text() in seen[-1][0]
        if control.get_attribute("type") == "range":
            assert slider.locator("output").first.inner_text() == control.get_attribute("aria-valuetext")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert not violations(page, "div.slider")
            shot(slider, f"book/{name.rsplit('/')[-1]}_slider_{i}_{scheme}")
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert not watch.errors


def test_a_figure_that_moves_is_a_still_in_print_and_without_a_script(browser, page):
    page.goto(address(MOVING[0]))
    page.emulate_media(media="print")
    assert not page.locator("div.slider").first.is_visible()
    still = ".cell_output .moved img, .cell_output img.moved"
    assert page.locator(still).first.is_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(address(MOVING[0]))
    assert plain.locator("div.slider p.moves").first.is_visible()
    assert plain.locator("div.slider .controls").count() == 0
    context.close()


def test_a_figure_whose_picture_is_missing_stays_a_still(page):
    page.route("**/sliders/*.webp", lambda route: route.abort())
    page.goto(address(MOVING[0]))
    slider = page.locator("div.slider").first
    slider.scroll_into_view_if_needed()
    slider.locator("p.moves").wait_for()
    assert not slider.locator(".controls").is_visible()
