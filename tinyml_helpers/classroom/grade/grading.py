"""From a folder of submissions to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.classroom.grade import calls, submissions
from tinyml_helpers.classroom.grade.lockdown import Limits
from tinyml_helpers.classroom.grade.report import Report, Row
from tinyml_helpers.classroom.grade.sandbox import SCRATCH
from tinyml_helpers.classroom.grade.submissions import Answer, Submission
from tinyml_helpers.classroom.grade.verdicts import Assessors, Judged, judge
from tinyml_helpers.course.constants import Seat, normalize
from tinyml_helpers.system.shared_folders import sweep


@dataclass(frozen=True)
class _Task:
    """One row to be: the submission, lesson and exercise, with an answer, or what to say without."""

    submission: Submission
    lesson: int | None
    exercise: str
    answer: Answer | None
    said: Judged
    signed: str = ""  # the name under which its notebook took a seat in a class


def grade(
    folder: str | Path,
    limits: Limits | None = None,
    *,
    workers: int = 1,
    whole: bool = False,
    group: str = "",
    progress: bool = False,
    each: Callable[[Row], None] | None = None,
) -> Report:
    """Grade every notebook in a folder.

    Args:
        folder: of the submissions: a folder or a file for each learner.
        limits: for each exercise.
        workers: submissions that run at the same time.
        whole: run all cells before an answer, in place of those statements that it needs.
        group: name of the class, whose learners have constants of their own; "" for everybody's.
        progress: show a bar.
        each: is given each row as it comes, so that an end by force loses none.

    Returns:
        A row for each exercise of each lesson that a learner handed in; for a file that cannot be
        graded, one row that says why.

    Raises:
        ValueError: the folder has no notebooks; `workers` is no positive number.
        RuntimeError: this system cannot run submissions.
    """
    from tqdm import tqdm

    if workers < 1:
        raise ValueError(f"{workers} workers: give 1 or more")
    folder = Path(folder).resolve()
    tasks = [task for one in submissions.find(folder) for task in _tasks(one)]
    sweep(Path(tempfile.gettempdir()), f"{SCRATCH}*")
    with Assessors([folder]) as assessors:
        run = _runner(limits or Limits(), folder, whole, group, assessors)
        pool = ThreadPoolExecutor(workers)
        try:
            rows = []
            for row in tqdm(
                pool.map(run, tasks), total=len(tasks), unit="exercise", disable=not progress
            ):
                rows.append(row)
                if each:
                    each(row)
            return Report(tuple(rows))
        finally:  # after Ctrl-C, what waits does not start
            pool.shutdown(cancel_futures=True)


def _tasks(one: Submission) -> Iterator[_Task]:
    if one.number > submissions.MOST_OF_LEARNER:
        said = f"More than {submissions.MOST_OF_LEARNER} files of one learner: the rest was left out."
        yield _Task(one, None, "", None, Judged("error", said))
        return
    try:
        cells = submissions.read_cells(one.path)
    except submissions.UnreadableError as error:
        yield _Task(one, None, "", None, Judged("error", f"The file is {error}."))
        return
    names = submissions.list_exercises(cells)
    signed = next(filter(None, (calls.find_name(cell.source, cell.names) for cell in cells)), "")
    if not names:
        yield _Task(one, None, "", None, Judged("error", "The file has no exercise of the course."))
    for name in names:
        found, lesson = submissions.find_answer(cells, name), submissions.read_exercises()[name][0]
        missing = Judged("not tried", "There is no answer in the file.")
        yield _Task(one, lesson, name, found, missing, signed)


def _runner(
    limits: Limits, folder: Path, whole: bool, group: str, assessors: Assessors
) -> Callable[[_Task], Row]:
    def run(task: _Task) -> Row:
        try:
            said = task.said
            if task.answer:
                seat = Seat(group, task.submission.learner)
                said = judge(task.answer, limits, assessors, [folder], whole, seat)
        except Exception as error:  # one submission may cost its own row, and no other
            said = Judged("error", f"It could not be judged ({type(error).__name__}: {error!s:.200}).")
        one, attempts = task.submission, task.answer.attempts if task.answer else 0
        message = said.message + _name_other(group, task) if said.verdict == "hint" else said.message
        figures = "; ".join(f"{name}={value:g}" for name, value in said.figures.items())
        return Row(
            one.learner, one.file, task.lesson, task.exercise, said.verdict, attempts, message,
            said.seconds, figures,
        )  # fmt: skip

    return run


def _name_other(group: str, task: _Task) -> str:
    """Say that constants were those of another name, where a notebook took a seat under one."""
    learner = task.submission.learner
    if not group or normalize(task.signed) == normalize(learner):
        return ""
    told = f"under the name {task.signed!r:.60}" if task.signed else "without a name in check.join"
    return f" (The notebook was worked on {told}; it was graded as that of {learner!r:.60}.)"
