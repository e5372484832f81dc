"""Every lesson keeps the house style, and its exercises answer as they should."""

import re
import statistics
from pathlib import Path

import pytest

from tinyml_helpers.course import check, syllabus
from tinyml_helpers.course.machine_load import read_load

LESSONS = syllabus.lessons()
# Lessons that no second edition has opened yet: the list only shrinks.
FIRST_EDITION = range(6, 16)
SECOND_EDITION = [lesson for lesson in LESSONS if lesson.number not in FIRST_EDITION]
SECTIONS = ("## Exercises", "## What you measured", "## In the field", "## Next", "## Solutions")


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.name)
def lesson(request):
    return request.param


@pytest.fixture
def cells(lesson):
    return syllabus.cells_to_show(syllabus.read_notebook(lesson.path))


def without_exercises(cells):
    """The cells before the exercises and after them, without the solutions at the end."""
    # The heading may close a longer cell, which is part of the lesson.
    head = next(i for i, cell in enumerate(cells) if "## Exercises" in cell.source)
    tail = next(i for i, cell in enumerate(cells) if "## What you measured" in cell.source)
    end = next(i for i, cell in enumerate(cells) if cell.source.startswith(syllabus.SOLUTIONS))
    return cells[: head + 1] + cells[tail:end]


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def lines(cell):
    lines = [line for line in cell.source.splitlines() if line.strip()]
    return [line for line in lines if line != "# NBVAL_CHECK_OUTPUT"]


def tagged(cells, tag):
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def text_outputs(cells):
    for cell in code(cells):
        for output in cell.outputs:
            yield output.get("text", "")
            yield from (v for k, v in output.get("data", {}).items() if k.startswith("text/"))


def test_it_opens_with_promise_goals_time_and_needs(lesson, cells):
    opening = cells[0].source
    assert opening.startswith(f"# {lesson.number} · {syllabus.TITLES[lesson.number]}\n")
    for part in ("**You will**", "**Before this**:", "**Time**:", "**Needs**:"):
        assert part in opening
    goals = re.findall(r"^- ", opening, re.MULTILINE)
    assert 3 <= len(goals) <= 5


def test_it_asks_for_the_memory_that_it_was_measured_to_take(lesson, cells):
    asked = float(re.search(r"([\d.]+) GB of memory", cells[0].source)[1])
    [measured] = [one for one in read_load().lessons if one.lesson == lesson.number]
    assert measured.peak_mib * 2**20 / 1e9 <= 1.05 * asked


@pytest.fixture(params=SECOND_EDITION, ids=lambda lesson: lesson.name)
def second(request):
    return request.param


@pytest.fixture
def opened(second):
    return syllabus.cells_to_show(syllabus.read_notebook(second.path))


def test_a_second_edition_says_two_honest_times(second):
    alone = r"\d+ minutes to follow a teacher, (\d+) alone with the exercises; .+ to run on 2 cores"
    assert int(re.match(alone, second.time)[1]) > int(re.match(r"\d+", second.time)[0])


def test_a_second_edition_draws_before_its_first_chart(opened):
    def first(pattern):
        found = (i for i, cell in enumerate(code(opened)) if re.search(pattern, cell.source))
        return next(found, len(opened))

    drawn = first(r"(?m)^(lesson_\d\d|draw|drawing|spine)\.\w+\(")
    assert drawn < len(opened)
    assert drawn <= first(r"plots\.finish\(|plt\.subplots\(|\.plot\(")


def test_a_second_edition_of_the_spine_shows_its_card(second, opened):
    shown = any("spine.card()" in cell.source for cell in code(opened))
    assert shown == (second.number >= 2)


def test_a_second_edition_asks_for_guesses_and_for_something_built(opened):
    guesses = sum(cell.source.count("predict(") for cell in code(without_exercises(opened)))
    assert guesses >= 2
    assert sum("(This one builds" in cell.source for cell in opened) == 1


def test_a_second_edition_says_what_it_leaves_out(opened):
    text = "\n".join(cell.source for cell in opened if cell.cell_type == "markdown")
    folded = re.search(r"<summary>(?:<b>)?What this lesson leaves out.*?</details>", text, re.DOTALL)[0]
    assert len(re.findall(r"^- .*\]\(https://", folded, re.MULTILINE)) >= 6


def test_it_has_the_closing_sections_in_order(cells):
    text = "\n".join(cell.source for cell in cells)
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


def test_it_has_one_parameters_cell_with_seed_and_profile(cells):
    parameters = tagged(cells, "parameters")
    assert len(parameters) == 1
    assert parameters[0] is code(cells)[0]
    assert "seed = " in parameters[0].source
    assert 'profile = "quick"' in parameters[0].source


def test_what_brings_it_to_google_colab_stands_before_all_code_and_was_never_run(lesson):
    title, brings, parameters = syllabus.read_notebook(lesson.path).cells[:3]
    assert tagged([title, brings, parameters], "colab") == [brings]
    assert tagged([parameters], "parameters")
    assert (brings.execution_count, brings.outputs) == (None, [])
    assert brings.metadata["slideshow"] == {"slide_type": "skip"}
    assert brings.metadata["jupyter"] == {"source_hidden": True}


def test_its_size_keeps_within_the_house_numbers(cells):
    core = without_exercises(cells)
    counts = [len(lines(cell)) for cell in code(cells)]
    words = sum(len(cell.source.split()) for cell in core if cell.cell_type == "markdown")
    assert 20 <= len(core) <= 44
    assert statistics.median(counts) <= 6
    assert sum(count <= 12 for count in counts) >= 0.9 * len(counts)
    assert max(counts) <= 25
    assert sum(len(lines(cell)) for cell in code(core)) <= 200
    assert 900 <= words <= 2800
    assert sum(line.lstrip().startswith("def ") for cell in code(core) for line in lines(cell)) <= 4


def test_its_code_is_readable_on_half_a_screen(cells):
    for cell in code(cells):
        # The book folds a solution into a box, which is narrower than the page.
        width = 102 if "solution" in cell.metadata.get("tags", ()) else 105
        assert not [line for line in lines(cell) if len(line) > width]


def test_its_figures_say_what_they_show(cells):
    for cell in code(cells):
        if "plt.subplots" in cell.source:
            assert "plots.finish(" in cell.source or "show_image" in cell.source, cell.source


def test_every_widget_is_followed_by_the_same_figure(cells):
    widgets = tagged(cells, "widget")
    assert widgets
    for cell in widgets:
        draw = re.search(r"explore\((\w+)", cell.source)[1]
        following = code(cells)[code(cells).index(cell) + 1]
        assert re.search(rf"^{draw}\(", following.source, re.MULTILINE)
        assert any("image/png" in output.get("data", {}) for output in following.outputs)


def test_it_is_stored_with_clean_outputs(cells):
    assert all(cell.execution_count for cell in code(cells))
    for cell in code(cells):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert not any("widget" in kind for kind in output.get("data", {}))
    for text in text_outputs(cells):
        assert not re.search(r"Warning|Traceback|/home/|/usr/|/tmp/", "".join(text))


def test_it_shows_pictures(cells):
    pictures = sum(
        "image/png" in output.get("data", {}) for cell in code(cells) for output in cell.outputs
    )
    assert pictures >= 3


def test_it_records_and_checks_outputs(lesson, cells):
    source = "\n".join(cell.source for cell in code(cells))
    assert "scoreboard.record(" in source
    assert f"lesson={lesson.number}" in source
    assert source.count("# NBVAL_CHECK_OUTPUT") >= 3


def test_its_exercises_answer_stub_and_solution(cells):
    stubs, solutions = tagged(cells, "exercise"), tagged(cells, "solution")
    assert 2 <= len(stubs) == len(solutions) <= 3
    for stub, solution in zip(stubs, solutions, strict=True):
        # A stub may show its constants first.
        called = [re.findall(r"check\.(\w+)\(", cell.source)[-1] for cell in (stub, solution)]
        assert called[0] == called[1]
        assert called[0] in check.exercises()
        assert "= None" in stub.source
        assert solution.metadata["jupyter"] == {"outputs_hidden": True, "source_hidden": True}
        for cell, verdict in ((stub, "Not tried yet"), (solution, "Right")):
            assert cell.source.startswith("# NBVAL_CHECK_OUTPUT")
            assert verdict in "".join(text_outputs([cell]))


def test_the_solutions_stand_at_the_end_under_one_heading(cells):
    heads = [i for i, cell in enumerate(cells) if "## Solutions" in cell.source]
    assert len(heads) == 1
    assert cells[heads[0] + 1 :] == tagged(cells, "solution")


def test_nothing_depends_on_an_exercise(cells):
    names = {
        name
        for cell in tagged(cells, "exercise")
        for name in re.findall(r"^(\w+) = None", cell.source, re.MULTILINE)
    }
    others = [c for c in code(cells) if not {"exercise", "solution"} & set(c.metadata.get("tags", []))]
    for name in names:
        assert not any(re.search(rf"\b{name}\b", cell.source) for cell in others)


def test_its_links_lead_somewhere(lesson, cells):
    for cell in cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#]+)\)", cell.source):
                assert target.startswith("https://") or (lesson.path.parent / target).exists(), target


def test_the_checkout_has_no_notebook_that_is_not_a_lesson():
    folder = syllabus.notebooks_folder()
    assert {path.name for path in folder.glob("*.ipynb")} == {lesson.path.name for lesson in LESSONS}
    assert [lesson.number for lesson in LESSONS] == list(range(len(LESSONS)))


def test_readme_links_every_lesson_with_its_title_and_time():
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    for one in LESSONS:
        minutes = re.match(r"\d+", one.time)[0]
        row = rf"\| {one.number:02d} \| \[{one.title}\]\(notebooks/{one.path.name}\) .* {minutes} min \|"
        assert re.search(row, readme)
