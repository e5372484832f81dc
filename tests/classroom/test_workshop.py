"""The workshop kit: editions, notes, slides, handouts, the plan, and a folder that loses nothing."""

import base64
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from typer.testing import CliRunner

from book import readme_results
from tinyml_helpers import cli
from tinyml_helpers.classroom.workshop import (
    answers,
    editions,
    folder,
    handout,
    kit,
    pages,
    readiness,
    schedule,
    slides,
)
from tinyml_helpers.course import check, constants, doctor, machine_load, scoreboard, syllabus

ROOT = Path(__file__).parents[2]
LESSONS = syllabus.lessons()
PIXEL = base64.b64encode(b"\x89PNG any bytes will do here").decode()
OPENING = "# {0} · {1}\n\nA promise.\n\n**You will**\n- see\n\n**Time**: {2} minutes to read\n"


def markdown(text, **metadata):
    return nbformat.v4.new_markdown_cell(text, metadata=metadata)


def code(text, tags=(), **metadata):
    picture = nbformat.v4.new_output(
        "display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": "bars & more"}}
    )
    cell = nbformat.v4.new_code_cell(text, outputs=[picture], execution_count=1)
    cell.metadata.update({"tags": list(tags), **metadata})
    return cell


def said(minutes, notes="Ask first.", kind="slide"):
    return {"tinyml": {"minutes": minutes, "notes": notes}, "slideshow": {"slide_type": kind}}


def toy(number=1, title="Toy", minutes=12):
    """A lesson with all that a kit looks at."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        markdown(OPENING.format(number, title, minutes), **said(2)),
        code("seed = 0", ["parameters"], slideshow={"slide_type": "skip"}),
        markdown(
            "The end of it.\n\n## First <part>\n\n"
            "See [there](02_other.ipynb), [data](../data/README.md) and [home](01_toy.ipynb#a), "
            "![kept](attachment:x.png)",
            **said(3, "Ask **first**.\n\n- then run"),
        ),
        code(
            "# NBVAL_CHECK_OUTPUT\nprint('<b>')",
            slideshow={"slide_type": "subslide"},
            tinyml={"code": True},
        ),
        code("unshown = 1", slideshow={"slide_type": "-"}),
        markdown("Only spoken.", slideshow={"slide_type": "notes"}),
        markdown("## Exercises\n\n**1.** How many `a`?", **said(5)),
        code("mine = None\ncheck.it(mine)", ["exercise"]),
        markdown("## What you measured\n\n## Next", **said(2)),
        markdown(f"{syllabus.SOLUTIONS}\nFolded."),
        code("check.it(1)", ["solution"], jupyter={"source_hidden": True}),
    ]
    notebook.cells[2].attachments = {"x.png": {"image/png": PIXEL}}
    return notebook


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Two lessons of their own; returns the folder."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    nbformat.write(toy(), notebooks / "01_toy.ipynb")
    nbformat.write(toy(2, "Other", 70), notebooks / "02_other.ipynb")
    monkeypatch.setattr(syllabus, "notebooks_folder", lambda: notebooks)
    return tmp_path


# Notes and timing


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_section_of_a_lesson_has_notes_and_minutes_that_add_up(lesson):
    cells = syllabus.read_notebook(lesson.path).cells
    for cell in cells:
        if cell.source.startswith(syllabus.SOLUTIONS):
            assert "tinyml" not in cell.metadata  # nothing to say: learners open them at home
        elif cell.cell_type == "markdown" and schedule.find_headings(cell.source):
            spoken = cell.metadata.get("tinyml", {})
            assert isinstance(spoken.get("minutes"), int), cell.source[:60]
            assert 0 <= spoken["minutes"] <= 20, cell.source[:60]
            assert len(spoken["notes"].split()) >= 5, cell.source[:60]
        else:
            assert set(cell.metadata.get("tinyml", {})) <= {"code"}
    planned, stated = schedule.minutes(lesson), schedule.stated_minutes(lesson)
    assert 0.8 * stated <= planned <= 1.25 * stated


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_with_slides_shows_its_title_pictures_and_no_solution(lesson):
    notebook = syllabus.read_notebook(lesson.path)
    assert slides.slide_type(notebook.cells[0]) == "slide"
    shown = [cell for cell in notebook.cells if slides.slide_type(cell) not in ("skip", "notes")]
    assert sum(bool(pages.find_pictures(cell)) for cell in shown) >= 2
    assert not any("solution" in cell.metadata.get("tags", []) for cell in shown)


def test_sections_run_on_from_minute_to_minute():
    found = schedule.find_sections(toy())
    assert [(s.start, s.minutes) for s in found] == [(0, 2), (2, 3), (5, 5), (10, 2)]
    assert [s.title for s in found][1:] == ["First <part>", "Exercises", "What you measured · Next"]
    assert schedule.format_clock(found[1]) == "0:02 to 0:05 (3 min)"


def test_a_hash_in_code_is_no_heading():
    assert schedule.find_headings("# A\n\n```sh\n# not one\n```\n## B\n### too small") == ["A", "B"]


def lengths(monkeypatch, *planned):
    """As many lessons as given, of that many minutes."""
    lessons = [
        syllabus.Lesson(i, f"L{i}", "", f"{length} minutes", Path(f"{i}"))
        for i, length in enumerate(planned)
    ]
    monkeypatch.setattr(schedule, "minutes", schedule.stated_minutes)
    return lessons


def test_the_day_has_breaks_and_one_lunch(monkeypatch):
    (plan,) = schedule.plan_days(lengths(monkeypatch, 30, 30, 20, 50, 40), "10:30")
    assert [(slot.clock, slot.what, slot.minutes) for slot in plan] == [
        ("10:30", "0 · L0", 30),
        ("11:00", "1 · L1", 30),
        ("11:30", "Break", 10),
        ("11:40", "2 · L2", 20),
        ("12:00", "Lunch", 60),
        ("13:00", "3 · L3", 50),
        ("13:50", "Break", 10),
        ("14:00", "4 · L4", 40),
        ("14:40", "End", 0),
    ]
    (hands_on,) = schedule.plan_days(lengths(monkeypatch, 30, 20), "14:00", hands_on_minutes=15)
    assert [(slot.clock, slot.what) for slot in hands_on] == [
        ("14:00", "0 · L0"),
        ("14:30", "Exercises of lesson 0"),
        ("14:45", "Break"),
        ("14:55", "1 · L1"),
        ("15:15", "Exercises of lesson 1"),
        ("15:30", "End"),
    ]
    (afternoon,) = schedule.plan_days(lengths(monkeypatch, 30, 40), "14:00")
    assert [slot.what for slot in afternoon] == ["0 · L0", "Break", "1 · L1", "End"]


def test_what_does_not_fit_a_day_goes_to_the_next(monkeypatch):
    plan = schedule.plan_days(lengths(monkeypatch, *[120] * 5), "09:00")
    assert [[slot.lesson for slot in day if slot.lesson is not None] for day in plan] == [
        [0, 1, 2],
        [3, 4],
    ]
    assert plan[1][0].clock == "09:00"
    # A lesson longer than a day still has one.
    assert len(schedule.plan_days(lengths(monkeypatch, 900), "09:00")) == 1


def test_without_notes_a_lesson_takes_its_stated_time(course):
    path = course / "notebooks" / "02_other.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("tinyml", None)
    nbformat.write(notebook, path)
    assert schedule.minutes(syllabus.lessons()[1]) == 70


# Editions


def test_learners_get_no_solution_no_output_and_no_notes():
    notebook = toy()
    edition = editions.make_student_edition(notebook, {"01_toy.ipynb"})
    nbformat.validate(edition)
    assert len(edition.cells) == len(notebook.cells) - 2
    assert not any(cell.source.startswith(syllabus.SOLUTIONS) for cell in edition.cells)
    assert not any("solution" in cell.metadata.get("tags", []) for cell in edition.cells)
    assert not any({"tinyml", "slideshow"} & set(cell.metadata) for cell in edition.cells)
    for cell in edition.cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)
    assert edition.cells[0].source.startswith(notebook.cells[0].source)
    assert edition.cells[1].metadata.tags == ["parameters"]
    assert edition.cells[2].attachments == notebook.cells[2].attachments
    assert (
        "See there, data and [home](01_toy.ipynb#a), ![kept](attachment:x.png)"
        in edition.cells[2].source
    )
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in toy().cells]


def test_every_lesson_has_both_editions(tmp_path):
    names = {lesson.path.name for lesson in LESSONS[:3]}
    for lesson in LESSONS:
        notebook = syllabus.read_notebook(lesson.path)
        learner = editions.make_student_edition(notebook, names)
        text = nbformat.writes(learner)
        assert "image/png" not in text
        assert len(handout.find_questions(learner)) == sum(
            "exercise" in cell.metadata.get("tags", []) for cell in learner.cells
        )
        links = re.findall(r"\]\(([^)#]+\.ipynb)", text)
        assert set(links) <= names
        taught = editions.make_instructor_edition(notebook, names)
        assert len(taught.cells) == len(notebook.cells) - 1
        for edition in (learner, taught):
            assert not any("colab" in cell.metadata.get("tags", []) for cell in edition.cells)
        nbformat.validate(taught)


def test_the_instructor_gets_a_box_under_each_heading_and_open_solutions():
    taught = editions.make_instructor_edition(toy(), {"01_toy.ipynb", "02_other.ipynb"})
    first = taught.cells[2].source
    assert first.startswith("The end of it.\n\n## First <part>\n\n> **🕐 0:02")
    assert "> **🕐 0:02 to 0:05 (3 min)**\n>\n> Ask **first**.\n>\n> - then run\n" in first
    assert "[there](02_other.ipynb)" in first
    solution = next(cell for cell in taught.cells if "solution" in cell.metadata.get("tags", []))
    assert "jupyter" not in solution.metadata
    assert solution.outputs


# Slides and handouts


def test_slides_hold_what_is_marked_and_need_nothing_from_elsewhere(course):
    lesson = syllabus.lessons()[0]
    deck = slides.render_deck(lesson, toy())
    assert deck.count('<section class="slide"') == deck.count("</section>") == 5
    assert "seed = 0" not in deck  # skipped
    assert "The end of it." not in deck  # belongs to the section before
    assert "NBVAL" not in deck
    assert "&lt;b&gt;" in deck
    assert "unshown" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", deck, flags=re.DOTALL)
    assert deck.index("<p>Only spoken.") > deck.index('<aside class="notes">')
    assert 'href="02_other' not in deck
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"(?!data:)", deck)
    assert "http://" not in re.sub(r"<a [^>]*>", "", deck)
    assert 'data-clock="0:02 to 0:05 (3 min)" data-title="First &lt;part&gt;"' in deck
    assert 'alt="bars &amp; more"' in deck


def test_a_lesson_without_marks_has_no_slides(course):
    notebook = toy()
    for cell in notebook.cells:
        cell.metadata.pop("slideshow", None)
    assert not slides.is_marked(notebook)
    with pytest.raises(ValueError, match=r"01_toy.ipynb marks no slides"):
        slides.render_deck(syllabus.lessons()[0], notebook)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_has_a_handout(lesson):
    notebook = syllabus.read_notebook(lesson.path)
    chosen = handout.read_choices().get(f"{lesson.number:02d}", {})
    found = handout.collect(lesson, notebook)
    assert 2 <= len(found.pictures) <= 3
    # Each line still names one cell.
    assert len(found.pictures) == len(chosen.get("pictures", found.pictures))
    assert len(found.formulas) >= 2 or not chosen
    assert 3 <= len(found.goals) <= 5
    assert 2 <= len(found.exercises) <= 3
    assert all(function.does for function in found.functions)
    page = handout.render_handout(lesson, notebook)
    assert not re.search(r"(src|href)=\"(?!data:|https://|#)", page)


def test_a_handout_names_functions_by_what_their_docstrings_say():
    source = "from tinyml_helpers import devices\nfrom tinyml_helpers.course import plots\n"
    source += "plots.finish(1)\ndevices.get('x')\ndevices.get('y')\nnp.zeros(2)"
    found = handout.find_functions([source])
    assert [function.call for function in found] == ["devices.get"]
    assert found[0].does and not found[0].does.endswith(".")


# The folder


def test_a_kit_is_whole_and_its_links_lead_somewhere(course):
    made = kit.make(syllabus.lessons(), course / "kit", learners=3, start="10:00", progress=False)
    assert len(made.files) == 2 * 5 + 6 + 2 + 5  # by lesson, around them, quizzes, guides
    for name in made.files:
        path = course / "kit" / name
        assert path.is_file()
        if path.suffix == ".html":
            for target in re.findall(r'href="([^"#:]+)(?:#[^"]*)?"', path.read_text("utf-8")):
                assert (path.parent / target).exists(), f"{name} -> {target}"
    plan = (course / "kit" / "instructor" / "plan.html").read_text("utf-8")
    assert "3 learners, 1 day." in plan
    assert "The day: 10:00 to" in plan
    assert "<h2>On one server</h2>" in plan
    page = (course / "kit" / "instructor" / "01_toy.html").read_text("utf-8")
    assert '<details class="solution" open>' in page
    assert "Ask <strong>first</strong>" in page


def test_a_rerun_replaces_its_own_files_and_nothing_else(course):
    out = course / "kit"
    both = syllabus.lessons()
    kit.make(both, out, progress=False)
    (out / "mine.txt").write_text("mine")
    (out / "handouts" / "mine.pdf").write_text("mine")
    edited = out / "student" / "01_toy.ipynb"
    edited.write_text("my edits")
    made = kit.make(both[:1], out, progress=False)
    assert made.kept == ("student/01_toy.kept-1.ipynb",)
    assert "student/01_toy.kept-1.ipynb" in repr(made)
    assert (out / "student" / "01_toy.kept-1.ipynb").read_text() == "my edits"
    nbformat.read(edited, as_version=4)
    assert not (out / "student" / "02_other.ipynb").exists()
    assert (out / "mine.txt").exists() and (out / "handouts" / "mine.pdf").exists()
    assert kit.make(both[:1], out, progress=False).kept == ()


def test_a_kit_that_does_not_fit_is_not_begun(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    folder.write_folder(tmp_path / "k", {"a.txt": "old"})
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=100))
    with pytest.raises(
        OSError, match=r"kit takes 0\.0 MB and 0\.0 MB are free\): make room there, or name"
    ):
        folder.write_folder(tmp_path / "new" / "kit", {"a.txt": "x" * 101})
    assert not (tmp_path / "new").exists()
    # What is replaced makes room for itself.
    folder.write_folder(tmp_path / "k", {"a.txt": "x" * 103})
    assert (tmp_path / "k" / "a.txt").read_text("utf-8") == "x" * 103


def test_a_file_that_stands_where_the_kit_writes_is_kept(tmp_path):
    folder.write_folder(tmp_path / "k", {"a.txt": "1"})
    (tmp_path / "k" / "b.txt").write_text("somebody's")
    assert folder.write_folder(tmp_path / "k", {"a.txt": "2", "b.txt": "3"}) == ["b.kept-1.txt"]
    assert (tmp_path / "k" / "b.kept-1.txt").read_text() == "somebody's"
    assert (tmp_path / "k" / "a.txt").read_text() == "2"


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(folder.KitError, match="is not empty and no workshop kit"):
        folder.write_folder(tmp_path, {"a": "1"})
    with pytest.raises(folder.KitError, match="is a file"):
        folder.check_folder(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_marker_cannot_delete_outside_the_kit(tmp_path):
    out, outside = tmp_path / "k", tmp_path / "precious"
    outside.write_text("x")
    folder.write_folder(out, {"a": "1"})
    marker = out / folder.MARKER
    known = folder._digest(b"x")
    marker.write_text(json.dumps({"../precious": [known], str(outside): [known], "a": []}))
    folder.write_folder(out, {"a": "2"})
    assert outside.read_text() == "x"
    marker.write_text("[")
    with pytest.raises(folder.KitError, match="damaged"):
        folder.write_folder(out, {"a": "3"})


def test_a_run_that_was_cut_short_takes_nothing_for_somebodys(tmp_path, monkeypatch):
    out = tmp_path / "k"
    folder.write_folder(out, {"a": "1", "b": "1"})
    whole = folder.write_atomically

    def cut(path, text):
        if path.name == "b":
            raise OSError("no space")
        whole(path, text)

    monkeypatch.setattr(folder, "write_atomically", cut)
    with pytest.raises(OSError, match="no space"):
        folder.write_folder(out, {"a": "2", "b": "2"})
    assert ((out / "a").read_text(), (out / "b").read_text()) == ("2", "1")
    monkeypatch.setattr(folder, "write_atomically", whole)
    assert folder.write_folder(out, {"a": "3", "b": "3"}) == []


def test_the_command_makes_a_kit_and_tells_what_is_wrong(course):
    out = str(course / "kit")
    result = CliRunner().invoke(cli.app, ["workshop", "--out", out, "--lessons", "2", "--learners", "5"])
    assert result.exit_code == 0, result.output
    assert "18 files in" in result.output
    for options, sentence in (
        (["--lessons", "2,x"], "lessons '2,x' are not numbers with commas"),
        (["--lessons", "7"], "no lesson 7: choose one of 1, 2"),
        (["--start", "9 am"], "start '9 am' is not a time of day, such as 09:00"),
        (["--out", str(course)], "is not empty and no workshop kit"),
    ):
        wrong = CliRunner().invoke(cli.app, ["workshop", "--out", out, *options])
        assert wrong.exit_code == 1
        assert sentence in wrong.stderr


# The evening before


def a_report(ok=True):
    subjects = ("Python", "packages", "cores", "memory", "disk", "data")
    findings = (doctor.Finding(s, "2 GiB", ok or s != "data", "cure") for s in subjects)
    return doctor.Report(tuple(findings))


def test_the_line_says_ready_only_if_the_chip_and_the_doctor_agree(monkeypatch):
    monkeypatch.setattr(doctor, "examine", a_report)
    monkeypatch.setattr(readiness, "run_first_network", lambda: ("ankle boot", 4_000_000))
    good = readiness.examine()
    assert good.ready
    assert good.line.startswith("TinyML READY | ")
    assert "chip: ankle boot, 4,000,000 instructions" in good.line
    monkeypatch.setattr(readiness, "run_first_network", lambda: ("coat", 1))
    wrong = readiness.examine()
    assert "TinyML NOT READY (wrong answer)" in wrong.line

    def broken():
        raise RuntimeError("no compiler\nsecond line")

    monkeypatch.setattr(readiness, "run_first_network", broken)
    line = readiness.examine().line
    assert "NOT READY (RuntimeError: no compiler)" in line
    assert "\n" not in line
    monkeypatch.setattr(doctor, "examine", lambda: a_report(ok=False))
    monkeypatch.setattr(readiness, "run_first_network", lambda: ("ankle boot", 1))
    assert "NOT READY (data)" in readiness.examine().line


def test_the_first_network_of_lesson_00_recognises_the_boot():
    said, instructions = readiness.run_first_network()
    assert said == "ankle boot"
    assert instructions > 1_000_000


def test_the_check_tells_what_to_do_where_the_course_is_not_installed():
    script = ROOT / "tinyml_helpers" / "classroom" / "workshop" / "files" / "check.py"
    run = subprocess.run([sys.executable, "-I", "-S", script], capture_output=True, text=True, cwd="/")
    assert run.returncode == 1
    assert "TinyML NOT READY" in run.stderr
    assert "make lab" in run.stderr


# Memory and time


def test_the_load_of_a_class_is_its_heaviest_lesson_times_learners():
    measured = machine_load.Load(
        (machine_load.LessonLoad(0, 500, 10), machine_load.LessonLoad(2, 1436, 30)), 100.0, 2
    )
    assert measured.class_gib([0, 2], 30) == pytest.approx(45.0)
    assert measured.class_gib([0], 2) == pytest.approx(1200 / 1024)
    assert measured.class_gib([5], 2) == pytest.approx(200 / 1024)
    assert {record.name: record.value for record in measured.records} == {
        "course.minutes": 0.7,
        "course.peak_memory_mib": 1436,
    }
    assert "1,436" in repr(measured)
    assert "0.7 minutes, at most 1,436 MiB |" in readme_results.render_short(
        scoreboard.Scoreboard(measured.records)
    )


@pytest.mark.parametrize(
    ("peak", "seconds", "busy", "fits"),
    [(2048, 60, 300, True), (2049, 1, 1, False), (1, 61, 1, False), (1, 1, 301, False)],
)
def test_two_gigabytes_a_minute_and_five_beside_a_neighbour_are_the_limit(peak, seconds, busy, fits):
    one = machine_load.LessonLoad(1, peak, seconds, busy)
    assert one.fits == fits
    assert machine_load.Load((one,)).too_much == (() if fits else (one,))


def test_a_slower_machine_may_take_in_proportion_longer_and_no_more_memory():
    def load(seconds, busy, yardstick, peak=2048):
        return machine_load.LessonLoad(0, peak, seconds, busy, yardstick)

    assert load(120, 600, yardstick=3.0).fits
    assert not load(121, 1, yardstick=3.0).fits and not load(1, 601, yardstick=3.0).fits
    assert not load(61, 1, yardstick=0.1).fits  # a faster one: a minute
    assert not load(1, 1, yardstick=30.0, peak=2049).fits


def test_a_new_measurement_replaces_its_lessons_and_keeps_the_others(tmp_path, monkeypatch):
    path = tmp_path / "memory.json"
    monkeypatch.setattr(machine_load, "_FILE", path)
    assert machine_load.read_load().lessons == ()
    first = (machine_load.LessonLoad(0, 1, 1), machine_load.LessonLoad(1, 2, 2))
    machine_load.store_load(machine_load.Load(first, 90, 2))
    machine_load.store_load(machine_load.Load((machine_load.LessonLoad(1, 3, 3),), 95, 4))
    again = machine_load.read_load()
    assert [(one.lesson, one.peak_mib) for one in again.lessons] == [(0, 1), (1, 3)]
    assert (again.server_mib, again.cores) == (95, 4)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"memory.json is damaged: run `make load` again"):
        machine_load.read_load()


def test_the_measured_loads_keep_the_promise_of_the_course():
    stored = machine_load.read_load()
    assert not stored.too_much  # 2 GiB, a minute, and five minutes beside a busy process
    assert {one.lesson for one in stored.lessons} == {lesson.number for lesson in LESSONS}
    assert all(one.busy_seconds for one in stored.lessons)


def test_memory_is_that_of_a_process_and_all_its_children():
    spec = importlib.util.spec_from_file_location("lessons", ROOT / "benchmarks" / "lessons.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    grandchild = "import time; held = bytearray(150 << 20); print(flush=True); time.sleep(30)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        watch = benchmark.Watch(psutil.Process())
        watch.start()
        until = time.monotonic() + 20
        while watch.peak_mib < 150 and time.monotonic() < until:
            time.sleep(0.05)
        watch.done.set()
        watch.join()
        assert watch.peak_mib > 150
    finally:
        for one in psutil.Process(process.pid).children():
            one.kill()
        process.kill()
        process.wait()
        process.stdout.close()


# ----- answer book and classes


def test_the_answer_book_has_every_exercise_with_solution_and_slips():
    for lesson in LESSONS:
        for one in answers.collect_answers(syllabus.read_notebook(lesson.path)):
            assert one.question and one.looks_for and one.solution, one.name
            assert f"check.{one.name}(" in one.solution
            assert len(one.slips) >= 2, one.name


def test_an_exercise_that_builds_brings_its_own_slips():
    (lesson,) = syllabus.select([8])
    found = {one.name: one for one in answers.collect_answers(syllabus.read_notebook(lesson.path))}
    said = [hint for _, hint in found["dot_product"].slips]
    assert len(said) == len(set(said)) >= 5
    assert found["dot_product"].constants["offset"] == tuple(range(101, 128))
    page = answers.render_answers([lesson], {8: syllabus.read_notebook(lesson.path)}, "spring & co")
    assert "spring &amp; co" in page
    assert "smlad" in page


def test_learners_of_a_class_write_their_name_where_constants_differ(tmp_path):
    for number, asks in ((7, False), (8, True)):
        (lesson,) = syllabus.select([number])
        notebook = syllabus.read_notebook(lesson.path)
        edition = editions.make_student_edition(notebook, set(), "spring 'n' co")
        nbformat.validate(edition)
        seats = [cell for cell in edition.cells if "check.join(" in cell.source]
        assert len(seats) == asks
        plain = editions.make_student_edition(notebook, set())
        assert [c.source for c in plain.cells] == [c.source for c in edition.cells if c not in seats]
    before = edition.cells[: edition.cells.index(seats[0])]
    assert "import check" in before[-1].source
    constants.join("")
    space = {"check": check}
    exec(seats[0].source, space)
    assert constants.seat() == constants.Seat("spring 'n' co", "")
    constants.join("")


def test_a_kit_for_a_class_hides_answers_from_learners(course):
    made = kit.make(syllabus.lessons(), course / "kit", group="spring", progress=False)
    assert "instructor/answers.html" in made.files
    assert "Class <b>spring</b>" in (course / "kit" / "index.html").read_text("utf-8")
    for name in made.files:
        if name.startswith(("student/", "handouts/", "slides/")):
            text = (course / "kit" / name).read_text("utf-8")
            assert "check.it(1)" not in text, name


def test_the_command_makes_a_kit_for_a_class(course):
    out = course / "kit"
    done = CliRunner().invoke(cli.app, ["workshop", "--out", str(out), "--class", "spring"])
    assert done.exit_code == 0, done.output
    assert "spring" in (out / "instructor" / "answers.html").read_text("utf-8")
