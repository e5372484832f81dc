"""Make the kit: both editions, slides, handouts, quizzes, the evening before, the plan of the day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.workshop import (
    answers,
    class_load,
    editions,
    folder,
    guides,
    handout,
    pages,
    schedule,
    slides,
)
from tinyml_helpers.classroom.workshop.quiz import gift, qti
from tinyml_helpers.course import machine_load, runner
from tinyml_helpers.course.syllabus import Lesson, read_notebook

_FILES = Path(__file__).parent / "files"
# A quotation that opens with the clock, which stands alone in bold, is a box of notes.
_BOX_STYLE = """<style>
.jp-RenderedHTMLCommon blockquote:has(> p:first-child > strong:only-child) {
  border-left: .3em solid #E69F00; background: #fff8e1; color: #1b1b1b; padding: .5em 1em;
}
</style></head>"""


@dataclass(frozen=True)
class Kit:
    """A kit that was written: its `folder`, the `files` in it, and what of somebody's was `kept`."""

    folder: Path
    files: tuple[str, ...]
    kept: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [f"{len(self.files)} files in {self.folder}; open {self.folder / 'index.html'}"]
        lines += [f"changed since it was made, so kept: {name}" for name in self.kept]
        return "\n".join(lines)


def make(
    lessons: Sequence[Lesson],
    out: Path,
    learners: int = 30,
    start: str = "09:00",
    hands_on_minutes: int = 15,
    *,
    group: str = "",
    progress: bool = True,
) -> Kit:
    """Make a kit for lessons and put it into a folder.

    Args:
        lessons: the lessons of the workshop, in order.
        out: a folder that is new, empty or a kit.
        learners: how many, for memory totals.
        start: when the day begins, such as "09:00".
        hands_on_minutes: time for the exercises after each lesson.
        group: name of the class, whose learners get constants of their own; "" for everybody's.
        progress: show a bar, a step for each lesson.

    Raises:
        KitError: the folder holds something else.
        ValueError: `learners` or `start` makes no sense.
    """
    from tqdm import tqdm

    if learners < 1:
        raise ValueError(f"a class of {learners} learners: give 1 or more")
    folder.check_folder(out)
    plan = schedule.plan_days(lessons, start, hands_on_minutes)
    names = {lesson.path.name for lesson in lessons}
    files: dict[str, str | bytes] = {}
    notebooks = {lesson.number: read_notebook(lesson.path) for lesson in lessons}
    for lesson in tqdm(lessons, desc="workshop kit", unit="lesson", disable=not progress):
        files |= _lesson(lesson, notebooks[lesson.number], names, group)
    files |= _around(lessons, notebooks, learners, plan) | _quizzes(lessons)
    files["instructor/answers.html"] = answers.render_answers(lessons, notebooks, group)
    about = guides.read_guides()
    files |= {guide.path: guides.render_guide(guide) for guide in about}
    files["index.html"] = pages.render(
        "kit.html.j2", lessons=lessons, files=files, learners=learners, guides=about, group=group
    )
    kept = folder.write_folder(out, files)
    return Kit(out, tuple(sorted(files)), tuple(kept))


def _lesson(lesson: Lesson, notebook: Any, names: set[str], group: str) -> dict[str, str]:
    """Return the files of one lesson."""
    taught = editions.make_instructor_edition(notebook, names)
    files = {
        f"student/{lesson.path.name}": _text(editions.make_student_edition(notebook, names, group)),
        f"instructor/{lesson.path.name}": _text(taught),
        f"instructor/{lesson.name}.html": _page(taught, names),
        f"handouts/{lesson.name}.html": handout.render_handout(lesson, notebook),
    }
    if slides.is_marked(notebook):
        files[f"slides/{lesson.name}.html"] = slides.render_deck(lesson, notebook)
    return files


def _around(
    lessons: Sequence[Lesson],
    notebooks: dict[int, Any],
    learners: int,
    days: tuple[tuple[schedule.Slot, ...], ...],
) -> dict[str, str]:
    """Return the files that belong to the workshop as a whole."""
    measured = machine_load.read_load()
    numbers = [lesson.number for lesson in lessons]
    peaks = [one.peak_mib for number in numbers if (one := measured.of(number))]
    needed_gib = (max(peaks, default=machine_load.MOST_MIB) + measured.server_mib) / 1024
    outlines = [(lesson, schedule.find_sections(notebooks[lesson.number])) for lesson in lessons]
    plan = pages.render(
        "plan.html.j2",
        lessons=lessons,
        days=days,
        learners=learners,
        load=measured,
        total_gib=measured.class_gib(numbers, learners),
        hub=class_load.read_hub_load(),
        sizes=sorted({*class_load.SIZES, learners}),
        most_times=class_load.MOST_TIMES,
        outlines=[(lesson, parts) for lesson, parts in outlines if parts],
    )
    # A laptop needs as much again for its system and a browser.
    evening = pages.render(
        "evening.html.j2", lessons=lessons, memory_gib=max(4, 4 * math.ceil(needed_gib / 2))
    )
    return {
        "instructor/plan.html": plan,
        "instructor/jupyterhub_config.py": (_FILES / "jupyterhub_config.py").read_text("utf-8"),
        "student/evening_before.html": evening,
        "student/check.py": (_FILES / "check.py").read_text("utf-8"),
    }


def _quizzes(lessons: Sequence[Lesson]) -> dict[str, str | bytes]:
    """Return the question bank of the lessons, for one platform and for the others."""
    return {
        "quiz/tinyml-quiz.gift": gift.write_gift(lessons),
        "quiz/tinyml-quiz-qti.zip": qti.write_qti(lessons),
    }


def _text(notebook: Any) -> str:
    import nbformat

    return str(nbformat.writes(notebook)) + "\n"


def _page(notebook: Any, names: set[str]) -> str:
    """Return the instructor's edition as a page, solutions unfolded."""
    body, _ = runner.page_exporter().from_notebook_node(notebook)
    body = body.replace('<details class="solution">', '<details class="solution" open>')
    for name in names:
        body = body.replace(f'href="{name}', f'href="{Path(name).stem}.html')
    return str(body.replace("</head>", _BOX_STYLE, 1))
