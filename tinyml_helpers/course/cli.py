"""Commands of the course: is this machine ready, run the lessons, show what they measured."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyml_helpers.course import doctor as examination
from tinyml_helpers.course import own_data, runner, scoreboard, syllabus
from tinyml_helpers.system import disk_full, folders
from tinyml_helpers.system.shipped_files import DataError

console = Console()


class Profile(StrEnum):
    """How much a lesson trains: within a minute, or all of it."""

    quick = "quick"
    full = "full"


Lessons = Annotated[
    list[int] | None, typer.Option("--lesson", "-l", help="Number of a lesson; may be repeated.")
]


def doctor() -> None:
    """Say whether this machine is ready, what is missing, and how to get it."""
    report = examination.examine()
    table = Table(box=None, show_header=False)
    for finding in report.findings:
        sign, *rest = finding.row
        table.add_row(f"[{'green' if finding.ok else 'red'}]{sign}[/]", *map(escape, rest))
    console.print(table)
    console.print("Ready." if report.ready else "Not ready: see the cures above.")
    raise typer.Exit(not report.ready)


def course(
    lesson: Lessons = None,
    profile: Annotated[Profile, typer.Option(help="quick: a minute a lesson.")] = Profile.quick,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="name=value for the lesson; may be repeated.")
    ] = None,
) -> None:
    """Run the lessons in order; leave notebooks, pages and scoreboard in build/."""
    folders.redirect_to_open_folders()
    chosen = _select(lesson)
    try:
        parameters = own_data.resolve({"profile": profile.value, **_parse(parameter or [])})
    except DataError as error:
        stop(f"{error}")
    folder = own_data.choose_folder(parameters, runner.build_folder())
    failure: Exception | None = None
    for one in chosen:
        console.print(f"{one.number:02d} {one.title}")
        try:
            runner.run(one, parameters, folder, progress=console.is_terminal)
        except (runner.LessonError, OSError) as error:  # or the disk is full
            failure = error
            break
    board = _board()
    try:
        page = runner.write_index(syllabus.lessons(), board, folder)
    except OSError as error:
        stop(why(failure or error))
    if folder != runner.build_folder():
        console.print(_own_table(board.of_own()))
    else:
        console.print(_table(board))
    console.print(f"Look at {page}", soft_wrap=True)
    if failure:
        at = " at" if isinstance(failure, runner.LessonError) else ":"
        stop(f"Stopped{at} {why(failure)} What was run is kept in {folder}.")


def show_scoreboard() -> None:
    """Show what the lessons measured when they last ran on this machine."""
    console.print(_table(_board()))


def _select(numbers: list[int] | None) -> list[syllabus.Lesson]:
    try:
        return syllabus.select(numbers or [])
    except (ValueError, FileNotFoundError) as error:
        stop(f"{error}")


def _board() -> scoreboard.Scoreboard:
    try:
        return scoreboard.collect()
    except ValueError as error:
        stop(f"{error}")


def _parse(pairs: list[str]) -> dict[str, Any]:
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            stop(f"parameter {pair!r} is not name=value, such as seed=1")
        try:
            parsed[name] = json.loads(value)
        except ValueError:
            parsed[name] = value
    return parsed


def _table(board: scoreboard.Scoreboard, title: str = "Scoreboard") -> Table | str:
    if not board.records:
        return repr(board)
    table = Table("lesson", "measured", title=title, title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for record in board.records:
        table.add_row(f"{record.lesson:02d}", record.name, record.figure, record.unit)
    return table


def _own_table(board: scoreboard.Scoreboard) -> Table | str:
    if not board.records:
        return "Nothing was recorded of your own files; the page says what was done with them."
    return _table(board, "Measured on your own files")


def why(error: Exception) -> str:
    """Return what happened, as sentences, with the cure where there was no room."""
    return disk_full.explain(error) or f"{error}."


def stop(sentence: str, code: int = 1) -> NoReturn:
    """End the command with a sentence on standard error."""
    Console(stderr=True).print(sentence, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(code)


def add_to(app: typer.Typer) -> None:
    """Give an application the three commands."""
    app.command()(doctor)
    app.command()(course)
    app.command("scoreboard")(show_scoreboard)
