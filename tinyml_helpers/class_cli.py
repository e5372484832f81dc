"""Commands for whoever teaches with the course."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(soft_wrap=True, highlight=False)


def grade(
    folder: Annotated[Path, typer.Argument(help="Handed-in notebooks: a folder or a file per learner.")],
    out: Annotated[Path, typer.Option(help="CSV file for the result.")] = Path("grades.csv"),
    seconds: Annotated[float, typer.Option(help="Longest time for one exercise.", min=1)] = 60.0,
    memory: Annotated[int, typer.Option(help="Most memory for one exercise, in MiB.", min=256)] = 3072,
    workers: Annotated[int, typer.Option(help="Exercises at the same time.", min=1)] = 1,
    whole: Annotated[bool, typer.Option("--whole", help="Run all cells before an answer.")] = False,
) -> None:
    """Grade handed-in notebooks in locked processes; leave a CSV file."""
    from tinyml_helpers.course import grade as grading

    limits = grading.Limits(seconds=seconds, memory_mib=memory)
    try:
        if not os.access(out.absolute().parent, os.W_OK):  # said before an hour of grading
            raise ValueError(f"{out} cannot be written: choose a folder that exists and is yours")
        console.print(repr(grading.protection()), markup=False)
        report = grading.grade(
            folder, limits, workers=workers, whole=whole, progress=console.is_terminal
        )
        report.write(out)
    except (ValueError, OSError, RuntimeError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print()
    console.print(repr(report), markup=False)
    console.print(f"{len(report.rows):,} rows are in {out}", markup=False)


def workshop(
    out: Annotated[Path, typer.Option(help="Folder for the kit: new, empty, or an older kit.")],
    lessons: Annotated[
        str, typer.Option(help="Numbers of the lessons, such as 2,4; all of them if left out.")
    ] = "",
    learners: Annotated[int, typer.Option(help="Size of the class.", min=1)] = 30,
    start: Annotated[str, typer.Option(help="When the day begins.")] = "09:00",
    exercises: Annotated[int, typer.Option(help="Minutes for exercises after a lesson.", min=0)] = 15,
) -> None:
    """Make a workshop kit: learners' notebooks, yours with notes, slides, handouts, plan."""
    from tinyml_helpers.course import syllabus
    from tinyml_helpers.course.kit import workshop as kit

    try:
        numbers = [int(number) for number in lessons.split(",") if number.strip()]
    except ValueError:
        numbers = [-1]
    try:
        if numbers == [-1]:
            raise ValueError(f"lessons {lessons!r} are not numbers with commas, such as 2,4")
        chosen = syllabus.select(numbers)
        made = kit.make(chosen, out, learners, start, exercises, progress=console.is_terminal)
    except (ValueError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print(repr(made), markup=False)


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    app.command("grade")(grade)
    app.command("workshop")(workshop)
