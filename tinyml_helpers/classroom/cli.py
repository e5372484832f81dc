"""Commands for whoever teaches with the course."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

console = Console(soft_wrap=True, highlight=False)
Class = Annotated[
    str,
    typer.Option(
        "--class",
        help="Name of a class, whose learners get constants of their own: the same for `workshop` and "
        "`grade`. Without it all have the same.",
    ),
]


def grade(
    folder: Annotated[Path, typer.Argument(help="Handed-in notebooks: a folder or a file per learner.")],
    out: Annotated[Path, typer.Option(help="CSV file for the result.")] = Path("grades.csv"),
    seconds: Annotated[float, typer.Option(help="Longest time for one exercise.", min=1)] = 60.0,
    memory: Annotated[int, typer.Option(help="Most memory for one exercise, in MiB.", min=256)] = 3072,
    workers: Annotated[int, typer.Option(help="Exercises at the same time.", min=1)] = 1,
    whole: Annotated[bool, typer.Option("--whole", help="Run all cells before an answer.")] = False,
    group: Class = "",
) -> None:
    """Grade handed-in notebooks in locked processes; leave a CSV file."""
    from tinyml_helpers.classroom.grade import grading, lockdown, self_test
    from tinyml_helpers.classroom.grade.report import Journal

    limits = lockdown.Limits(seconds=seconds, memory_mib=memory)
    try:
        if not os.access(out.absolute().parent, os.W_OK):  # said before an hour of grading
            raise ValueError(f"{out} cannot be written: choose a folder that exists and is yours")
        console.print(repr(self_test.examine_protection()), markup=False)
    except (ValueError, OSError, RuntimeError) as error:
        _stop(str(error), error)
    failed: BaseException | None = None
    with Journal(out) as journal:
        try:
            grading.grade(
                folder, limits, workers=workers, whole=whole, group=group,
                progress=console.is_terminal, each=journal.add,
            )  # fmt: skip
        except (KeyboardInterrupt, ValueError, OSError, RuntimeError) as error:
            failed = error
        report = journal.report
        if report.rows:
            console.print()
            console.print(repr(report), markup=False)
            _keep(journal, out)
    if failed:
        said = "stopped" if isinstance(failed, KeyboardInterrupt) else str(failed)
        kept = f"; the {len(report.rows):,} rows that were graded are kept" if report.rows else ""
        _stop(f"{said}{kept}", failed)


def _keep(journal: Any, out: Path) -> None:
    """Write the table; where no file takes it, print it, so that an hour of grading is not lost."""
    try:
        journal.finish()
    except OSError as error:
        console.print(journal.report.csv(), markup=False, end="")
        _stop(
            f"{out} could not be written ({error.strerror or error}): the table stands above. "
            "Make room, and grade again or save what was printed",
            error,
        )
    console.print(f"{len(journal.report.rows):,} rows are in {out}", markup=False)


def _stop(sentence: str, error: BaseException) -> NoReturn:
    Console(stderr=True).print(sentence, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(1) from error


def workshop(
    out: Annotated[Path, typer.Option(help="Folder for the kit: new, empty, or an older kit.")],
    lessons: Annotated[
        str, typer.Option(help="Numbers of the lessons, such as 2,4; all of them if left out.")
    ] = "",
    learners: Annotated[int, typer.Option(help="Size of the class.", min=1)] = 30,
    start: Annotated[str, typer.Option(help="When the day begins.")] = "09:00",
    exercises: Annotated[int, typer.Option(help="Minutes for exercises after a lesson.", min=0)] = 15,
    group: Class = "",
) -> None:
    """Make a workshop kit: learners' notebooks, yours with notes, slides, handouts, quizzes, plan."""
    from tinyml_helpers.classroom.workshop import kit
    from tinyml_helpers.course import syllabus

    try:
        numbers = [int(number) for number in lessons.split(",") if number.strip()]
    except ValueError:
        numbers = [-1]
    try:
        if numbers == [-1]:
            raise ValueError(f"lessons {lessons!r} are not numbers with commas, such as 2,4")
        chosen = syllabus.select(numbers)
        made = kit.make(
            chosen, out, learners, start, exercises, group=group, progress=console.is_terminal
        )
    except (ValueError, OSError) as error:
        _stop(str(error), error)
    console.print(repr(made), markup=False)


def leaderboard(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Tables of `tinyml grade`, and a folder `build/results` for each learner by name."
        ),
    ],
) -> None:
    """Show what a class built and how few instructions it takes: a table for each exercise."""
    from tinyml_helpers.classroom import leaderboard as boards

    try:
        console.print(repr(boards.read(folder)), markup=False)
    except (ValueError, OSError) as error:
        _stop(str(error), error)


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    app.command("grade")(grade)
    app.command("workshop")(workshop)
    app.command("leaderboard")(leaderboard)
