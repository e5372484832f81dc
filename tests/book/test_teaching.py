"""Pages for teachers say what the lessons say: outcomes, plans, minutes; and their pictures are real."""

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from book import __main__ as build
from book import assemble, kit_pictures, teaching
from tinyml_helpers.classroom.workshop import guides, schedule
from tinyml_helpers.course import syllabus

ROOT = Path(__file__).parents[2]
TEACH = ROOT / "book" / "teach"
LESSONS = syllabus.lessons()


def page(name):
    return (TEACH / f"{name}.md").read_text("utf-8")


def rows(markdown, columns):
    """Cells of the rows of a table with so many columns, without head and line."""
    found = [line.strip("|").split("|") for line in markdown.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in found if len(row) == columns]
    return [row for row in cells[1:] if not set("".join(row)) <= set("-:")]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_outcomes_are_those_with_which_a_lesson_opens(lesson):
    """Read here by another way than the page was written: an outcome that drifts is seen."""
    opening = syllabus.read_notebook(lesson.path).cells[0].source
    said = opening.split("**You will**")[1].split("**Before this**")[0]
    promised = [line[2:] for line in said.splitlines() if line.startswith("- ")]
    parts = re.split(r"^## (\d\d) · ", page("outcomes"), flags=re.MULTILINE)
    listed = dict(zip(parts[1::2], parts[2::2], strict=True))[f"{lesson.number:02d}"]
    found = re.findall(r"^- (.+)$", listed.split("\n*Checked by")[0], re.MULTILINE)
    assert found == promised, "run `make book`"
    assert 3 <= len(found) <= 5


def test_marked_parts_are_what_the_lessons_say_now():
    assert teaching.renewed_pages(ROOT) == {}, "run `make book`"


def test_a_part_that_is_stale_is_written_anew_and_nothing_else(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "book" / "teach"
    folder.mkdir(parents=True)
    for path in TEACH.glob("*.md"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    stale = page("two_days").replace("| 09:00 | 0 · ", "| 07:00 | 0 · ")
    assert stale != page("two_days")
    (folder / "two_days.md").write_text(stale, "utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    build.renew_teaching()
    assert (folder / "two_days.md").read_text("utf-8") == page("two_days")
    assert capsys.readouterr().out == "two_days.md: renewed from the lessons\n"


def test_the_semester_teaches_every_lesson_and_fits_its_hours():
    weeks = rows(page("semester").split("## What counts")[0], 4)
    assert [int(week[0]) for week in weeks] == list(range(1, 15))
    minutes = {lesson.number: schedule.minutes(lesson) for lesson in LESSONS}
    taught = []
    for _, in_class, in_lab, to_hand_in in weeks:
        assert in_lab and to_hand_in
        numbers = [int(found) for found in re.findall(r"\[(\d\d)\]\(\.\./\.\./notebooks/\1_", in_class)]
        # Two hours, of which half are left for questions, the quiz and solutions.
        assert sum(minutes[number] for number in numbers) <= 80
        taught += numbers
    assert [number for number in taught if number != 15] == list(range(15))
    assert set(taught) == set(minutes)


def test_the_shares_of_the_marks_add_up():
    shares = [int(row[1].rstrip(" %")) for row in rows(page("semester").split("## What counts")[1], 3)]
    assert sum(shares) == 100 and len(shares) == 4


def test_the_two_days_are_the_plan_of_their_command():
    text = page("two_days")
    numbers = re.search(r"--lessons ([\d,]+) --start 09:00 --exercises (\d+)", text)
    assert numbers[1] == ",".join(map(str, teaching.TWO_DAYS))
    assert int(numbers[2]) == teaching.HANDS_ON_MINUTES
    days = schedule.plan_days(syllabus.select(list(teaching.TWO_DAYS)), "09:00", int(numbers[2]))
    assert len(days) == 2
    listed = [tuple(row) for row in rows(text, 3) if re.match(r"\d\d:\d\d", row[0])]
    assert listed == [(s.clock, s.what, str(s.minutes or "")) for day in days for s in day]
    # An hour for the quiz on the first day, an afternoon for the capstone on the second.
    assert days[0][-1].clock <= "16:15" and days[1][-1].clock <= "15:00"


def test_the_rubric_has_a_level_for_every_point_of_every_criterion():
    rubric = page("capstone_rubric").partition("| points | grade |")[0]
    criteria = rows(rubric, 5)
    assert len(criteria) == 6
    assert all(len(cell) > 10 for row in criteria for cell in row)
    names = {re.match(r"\*\*(\w+)\*\*", row[0])[1] for row in criteria}
    assert names == {"Budgets", "Trials", "Choice", "Score", "Chip", "Honesty"}
    grades = [list(map(int, re.findall(r"\d+", row[0]))) for row in rows(page("capstone_rubric"), 2)]
    assert grades[0][1] == 3 * len(criteria)
    assert all(low[1] == high[0] - 1 for high, low in pairwise(grades[:-1]))


def test_a_kit_takes_the_plans_along_and_leads_nowhere_else():
    found = guides.read_guides()
    assert [guide.title for guide in found][:2] == ["A semester", "Two days"]
    assert all((TEACH / f"{guide.name}.md").exists() for guide in found)
    there = {f"{guide.name}.html" for guide in found} | {"../index.html"}
    for guide in found:
        shown = guides.render_guide(guide)
        links = set(re.findall(r'href="([^"#]+)"', shown))
        assert {link for link in links if not link.startswith("http")} <= there
        assert "written by" not in shown
        assert "<table>" in shown or guide.name == "outcomes"


def test_where_the_pages_are_not_beside_the_package_a_kit_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(guides, "_FOLDER", tmp_path)
    assert guides.read_guides() == ()


@pytest.mark.parametrize("name", ["slide.png", "handout.png"])
def test_a_picture_of_the_kit_is_small_and_said_in_words(name):
    alt = re.search(rf"!\[([^\]]+)\]\({name}\)", page("README"))[1]
    assert len(alt.split()) >= 12
    assert (TEACH / name).stat().st_size < kit_pictures.MOST_BYTES
    with Image.open(TEACH / name) as picture:
        assert min(picture.size) >= 540
        counts = picture.convert("RGB").getcolors(1 << 24)
        assert len(counts) >= 8  # no blank page


def test_a_picture_that_is_too_large_loses_colours_and_then_is_refused():
    noise = Image.effect_noise((1000, 1000), 120).convert("RGB")
    content = io.BytesIO()
    noise.save(content, "PNG")
    with pytest.raises(ValueError, match=r"bytes in 16 colours: show less, 150,000 are allowed"):
        kit_pictures.reduce_colours(content.getvalue())
    quiet = io.BytesIO()
    Image.new("RGB", (300, 300), "white").save(quiet, "PNG")
    assert len(kit_pictures.reduce_colours(quiet.getvalue())) < 2000


def test_without_a_browser_the_pictures_stay_and_the_command_says_so(monkeypatch, capsys):
    monkeypatch.setattr(kit_pictures.paper.shutil, "which", lambda _: None)
    assert kit_pictures.main() == 1
    assert "as they were. No Chromium" in capsys.readouterr().err


def test_the_menu_has_the_pages_as_the_first_one_links_them(tmp_path):
    folder = tmp_path / "book" / "teach"
    folder.mkdir(parents=True)
    for name in ("a.md", "b.md", "c.md", "z.md"):
        (folder / name).write_text("# A page\n", "utf-8")
    (folder / "README.md").write_text("# First\n\n[c](c.md), [a](a.md#there), [c](c.md)\n", "utf-8")
    found = [Path(name).name for name in assemble.find_teaching_pages(tmp_path)]
    assert found == ["README.md", "c.md", "a.md", "b.md", "z.md"]
    assert assemble.find_teaching_pages(tmp_path / "elsewhere") == []
