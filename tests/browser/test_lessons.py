"""Each lesson's widget in JupyterLab: it appears, obeys the keyboard, and changes its figure."""

import io
import time

import nbformat
import numpy as np
import pytest
import widget_states
from accessible import violations
from lab import ROOT
from person import PATIENCE_MS, failures, open_lab, run_all, stop_kernels, use_theme
from PIL import Image, ImageChops
from reduce import needed_cells, reduced

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET = ".jp-OutputArea-output .widget-vbox"
FIGURE = f"{WIDGET} .widget-html img"
CONTROLS = f"{WIDGET} .noUi-handle, {WIDGET} select"


@pytest.fixture
def kernels(lab):
    yield
    stop_kernels(lab)


def figure(page):
    """What the widget shows: the address of its picture, which holds all its bytes."""
    return page.locator(FIGURE).get_attribute("src")


def press(page, *keys):
    """Press keys and wait until the kernel has drawn what they ask for."""
    before = figure(page)
    for key in keys:
        page.keyboard.press(key)
    return settled(page, before)


def settled(page, before, patience_ms=2000):
    """The figure after a change, or the same where nothing has come for a while."""
    for _ in range(patience_ms // 100):
        if figure(page) != before:
            break
        page.wait_for_timeout(100)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=PATIENCE_MS)
    return figure(page)


def moves(control):
    """The keys that take a control through its range: to its ends, and a step."""
    if control.evaluate("one => one.tagName") == "SELECT":
        options = control.locator("option").count()
        return [["Home"], *[["ArrowDown"]] * (options - 1)]
    return [["End"], ["ArrowLeft"], ["Home"], ["ArrowRight"]]


def value(control):
    slider = control.get_attribute("aria-valuetext")
    return slider if slider is not None else control.input_value()


def put_back(page, control, start):
    """Give a control its first value again, so that the next one is tried as a learner meets it."""
    before = figure(page)
    if control.evaluate("one => one.tagName") == "SELECT":
        control.select_option(start)
    else:
        readout = control.locator("xpath=ancestor::div[contains(@class, 'widget-slider')]")
        readout = readout.locator(".widget-readout")
        readout.fill(start)
        readout.press("Enter")
    settled(page, before)
    assert value(control) == start


def looks(page, control):
    """The control as it looks, with the ring that the focus draws around it."""
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    clip = {
        "x": box["x"] - 6, "y": box["y"] - 6, "width": box["width"] + 12, "height": box["height"] + 12,
    }  # fmt: skip
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def tab_to(page, control):
    """Reach a control with the Tab key alone."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if control.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("the Tab key does not reach the control")


def assert_name(page, control):
    """A screen reader can say what the control is for."""
    name = control.evaluate(
        "one => one.getAttribute('aria-label') || [...one.labels || []].map(l => l.textContent).join()"
    )
    assert name.strip()
    return name


def assert_focus_is_seen(page, control, before):
    after = looks(page, control)
    assert after.size == before.size
    changed = np.asarray(ImageChops.difference(before, after)).max(axis=2) > 30
    assert changed.sum() >= 20, "nothing shows that the control has the focus"


def assert_figure_is_whole(page):
    """It has a sensible size, says what it shows, and nothing of it is cut off."""
    picture = page.locator(FIGURE)
    size = picture.evaluate("one => [one.naturalWidth, one.naturalHeight]")
    assert 300 <= size[0] <= 1000
    assert 100 <= size[1] <= 900
    assert len(picture.get_attribute("alt")) > 20
    cut = picture.evaluate(
        """one => {
            const me = one.getBoundingClientRect();
            for (let box = one.parentElement; !box.matches(".jp-Cell"); box = box.parentElement) {
                const outer = box.getBoundingClientRect();
                const hides = getComputedStyle(box).overflow !== "visible";
                if (hides && (me.right > outer.right + 1 || me.bottom > outer.bottom + 1)) return true;
                if (hides && box.scrollHeight > box.clientHeight + 2) return true;
            }
            return Math.abs(me.width / me.height - one.naturalWidth / one.naturalHeight) > 0.02;
        }"""
    )
    assert not cut, "the figure is cut off or distorted"


def try_control(page, control):
    """Move one control through its range by keyboard; the figure must follow."""
    before = looks(page, control)
    page.locator(".jp-CodeCell.jp-mod-active").first.focus()
    tab_to(page, control)
    assert_focus_is_seen(page, control, before)
    start = value(control)
    seen, values = {figure(page)}, {start}
    for keys in moves(control):
        seen.add(press(page, *keys))
        values.add(value(control))
        assert not failures(page)
        assert_figure_is_whole(page)
    assert len(values) >= 2, "the keyboard does not move the control"
    assert len(seen) >= 2, "the figure does not follow the control"
    put_back(page, control, start)


def widgets_of(path):
    """How many cells of a lesson hold a widget."""
    cells = nbformat.read(path, as_version=4).cells
    return sum(map(widget_states.is_widget, cells))


def with_one_widget(notebook, number):
    """A notebook without its other widgets, and without the plain figures after them."""
    cells = notebook.cells
    places = [i for i, cell in enumerate(cells) if widget_states.is_widget(cell)]
    gone = {place + step for place in places if place != places[number] for step in (0, 1)}
    notebook.cells = [cell for i, cell in enumerate(cells) if i not in gone]
    return notebook


@pytest.mark.parametrize(
    ("path", "number"),
    [(path, number) for path in LESSONS for number in range(max(1, widgets_of(path)))],
    ids=lambda given: given.stem if hasattr(given, "stem") else str(given),
)  # fmt: skip
def test_every_widget_moves_by_keyboard_and_changes_its_figure(path, number, lab, page, shot, kernels):
    name = f"{path.stem}_widget.ipynb"
    lesson = with_one_widget(nbformat.read(path, as_version=4), number)
    nbformat.write(reduced(lesson, widget_states.place(path, number)), lab.folder / name)
    open_lab(page, lab, f"/tree/{name}")
    use_theme(page, "light")
    run_all(page)
    assert not failures(page)
    widgets = page.locator(WIDGET)
    widgets.first.wait_for()
    assert widgets.count() == 1
    widgets.first.scroll_into_view_if_needed()
    page.locator(".jp-CodeCell", has=widgets).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Escape")
    assert_figure_is_whole(page)
    shot(widgets.first, f"widgets/{path.stem}_{number}_light")
    controls = page.locator(CONTROLS)
    assert controls.count()
    for control in controls.all():
        assert_name(page, control)
        try_control(page, control)
    assert not violations(page, WIDGET)
    shot(widgets.first, f"widgets/{path.stem}_{number}_moved")
    use_theme(page, "dark")
    assert not violations(page, WIDGET)
    shot(page, f"widgets/{path.stem}_{number}_dark")


def test_a_newcomer_runs_lesson_00(lab, page, shot, watch, kernels):
    open_lab(page, lab)
    page.locator(".jp-DirListing-item", has_text="00_start_here.ipynb").dblclick()
    page.locator(".jp-Notebook h1", has_text="Start here").wait_for()
    run_all(page)
    assert not failures(page)
    shot(page, "lab/00_light")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    page.wait_for_selector(".jp-mod-dirty", state="detached")
    cells = saved(lab.folder / "00_start_here.ipynb")
    assert all(cell.execution_count for cell in cells)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    pictures = page.locator(".jp-OutputArea img")
    assert pictures.count() >= 4
    assert all(one.get_attribute("alt") for one in pictures.all())
    use_theme(page, "dark")
    shot(page, "lab/00_dark")


def saved(path, patience_s=20):
    """The code cells of a notebook that was just saved, when it is written."""
    time.sleep(1)
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_the_reduced_lesson_has_what_its_widget_needs():
    cells = [
        nbformat.v4.new_code_cell(source, metadata={"tags": tags})
        for source, tags in (
            ("import numpy as np\nused = []", []),
            ("unused = np.zeros(3)", []),
            ("used.append(1)", []),
            ("used.append(2)", ["exercise"]),
            ("%matplotlib inline\nhelper = lambda: used", []),
            ("def draw(a=1):\n    return np, helper()\nexplore(draw, a=(0, 2))", ["widget"]),
            ("draw()", []),
            ("used.clear()", []),
        )
    ]
    kept = [cell.source.splitlines()[-1] for cell in needed_cells(cells)]
    assert kept == [
        "used = []", "used.append(1)", "helper = lambda: used", "explore(draw, a=(0, 2))", "draw()",
    ]  # fmt: skip


WRONG = """def mine(w1, b1, w2):
    factor = (w1.abs().amax(1) / w2.abs().amax(0)).sqrt()
    factor[~factor.isfinite() | (factor == 0)] = 1
    return w1 / factor[:, None], b1, w2 * factor

check.equalize_layers(mine)"""
RIGHT = """def mine(w1, b1, w2):
    factor = (w1.abs().amax(1) / w2.abs().amax(0)).sqrt()
    factor[~factor.isfinite() | (factor == 0)] = 1
    return w1 / factor[:, None], b1 / factor, w2 * factor

check.equalize_layers(mine)"""


def answer(page, cell, text):
    """Put an answer in place of what stands in a cell, run it, and return the verdict."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)
    page.keyboard.press("Shift+Enter")
    cell.locator(".jp-InputPrompt", has_text="*").wait_for(state="detached", timeout=PATIENCE_MS)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=PATIENCE_MS)
    return cell.locator(".jp-OutputArea-output").inner_text()


def test_a_learner_builds_wrongly_then_rightly(lab, page, shot, kernels):
    """The exercise of lesson 02 that builds, as learners do it: a slip, its hint, the answer."""
    [path] = [path for path in LESSONS if path.name.startswith("02_")]
    lesson = nbformat.read(path, as_version=4)
    [stub] = [
        cell for cell in lesson.cells
        if "exercise" in cell.metadata.get("tags", ()) and "equalize_layers" in cell.source
    ]  # fmt: skip
    stub.update(outputs=[], execution_count=None)
    first = nbformat.v4.new_code_cell("import torch\nfrom tinyml_helpers.course import check")
    small = nbformat.v4.new_notebook(cells=[first, stub], metadata=lesson.metadata)
    nbformat.write(small, lab.folder / "exercise.ipynb")
    open_lab(page, lab, "/tree/exercise.ipynb")
    run_all(page)
    cell = page.locator(".jp-CodeCell").nth(1)
    assert "Not tried yet" in cell.locator(".jp-OutputArea-output").inner_text()
    said = answer(page, cell, WRONG)
    assert "Hint" in said and "bias" in said
    shot(page, "lab/exercise_hint")
    assert "Right" in answer(page, cell, RIGHT)
    assert not failures(page)
    shot(page, "lab/exercise_right")
