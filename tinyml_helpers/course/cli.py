"""Commands of the course: is this machine ready, run the lessons, show what they measured."""

from __future__ import annotations

import json
import shlex
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psutil
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tinyml_helpers.course import doctor as examination
from tinyml_helpers.course import own_data, pace, retold, runner, scoreboard, syllabus
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
        colour = "yellow" if finding.lacking else "green" if finding.ok else "red"
        table.add_row(f"[{colour}]{sign}[/]", *map(escape, rest))
    console.print(table)
    console.print("Ready." if report.ready else "Not ready: see the cures above.")
    raise typer.Exit(not report.ready)


def course(
    lesson: Lessons = None,
    profile: Annotated[Profile, typer.Option(help="quick: a minute a lesson.")] = Profile.quick,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="name=value for the lesson; may be repeated.")
    ] = None,
    records: Annotated[bool, typer.Option("--records", help="Print every figure, too.")] = False,
) -> None:
    """Run the lessons in order; leave notebooks, pages and scoreboard in build/."""
    folders.redirect_to_open_folders()
    chosen = _select(lesson)
    try:
        parameters = own_data.resolve({"profile": profile.value, **_parse(parameter or [])})
        alike = profile is Profile.quick and not parameter
        start = pace.begin([one.number for one in chosen], alike=alike)
    except (DataError, ValueError) as error:
        stop(f"{error}")
    folder = own_data.choose_folder(parameters, runner.build_folder())
    reached, failure = _run(chosen, parameters, folder, start)
    board = _board()
    try:
        page = runner.write_index(syllabus.lessons(), board, folder)
    except OSError as error:
        stop(why(failure or error))
    if folder == runner.build_folder():
        board = scoreboard.Scoreboard(tuple(r for r in board.records if r.lesson in reached.taken))
        _show_results(board, records)
    else:
        _show_own(board.of_own())
    given = [word for one in parameter or [] for word in ("-p", one)]
    again = shlex.join(["--profile", profile.value, *given])
    minutes = sum(reached.taken.values()) / 60
    console.print(f"\nLessons: {len(reached.taken)}, in {minutes:.1f} minutes. Pages and notebooks:")
    console.print(_link(page), soft_wrap=True)
    if failure:
        at = " at" if isinstance(failure, runner.LessonError) else ":"
        said = f"Stopped{at} {why(failure)} What was run is kept in {folder}."
        stop(said + _next(failure, chosen, again))


def _run(
    chosen: list[syllabus.Lesson], parameters: dict[str, Any], folder: Path, start: pace.Pace
) -> tuple[pace.Pace, Exception | None]:
    """Run lessons until one fails; print each with its minutes, and once why they take so long."""
    reached, told = start, ""
    for one in chosen:
        title, begun = f"{one.number:02d}  {one.title}", time.monotonic()
        try:
            with pace.show_bar(console, title, reached):
                runner.run(one, parameters, folder, progress=False)
        except (runner.LessonError, OSError) as error:  # or the disk is full
            return reached, error
        seconds = time.monotonic() - begun
        reached = reached.after(one.number, seconds)
        console.print(f"{title:<36}{seconds / 60:6.1f} min", markup=False, highlight=False)
        if not told:
            load, processors = psutil.getloadavg()[0], psutil.cpu_count() or 1
            if told := reached.explain_slowness(load, processors):
                console.print(told, style="yellow", soft_wrap=True)
    return reached, None


def _next(failure: Exception, chosen: list[syllabus.Lesson], again: str) -> str:
    """Say what a person does next where a cell of a lesson failed; "" where the failure says it."""
    if not isinstance(failure, runner.LessonError) or not failure.built:
        return ""
    failed = failure.built.lesson
    said = (
        f"\nNext: see the cell that failed, at the end of\n{failure.built.page.absolute().as_uri()}\n"
        "`tinyml doctor` says whether this machine lacks something; then "
        f"`tinyml course --lesson {failed.number} {again}` runs the lesson again."
    )
    if rest := [f"--lesson {one.number}" for one in chosen[chosen.index(failed) + 1 :]]:
        said += f"\nThe others do not need it: tinyml course {' '.join(rest)} {again}"
    return said


def _show_results(board: scoreboard.Scoreboard, records: bool) -> None:
    sentences = retold.retell(board)
    if records:
        _show_table(board)
    if sentences:
        console.print("\nMeasured")
        table = Table.grid(padding=(0, 2))
        for number, sentence in sentences:
            table.add_row(f"{number:02d}", escape(sentence))
        console.print(table, highlight=False)
    if board.records and not records:
        count = len(board.records)
        console.print(f"\nFigures: {count}, by `tinyml scoreboard` or this command with --records.")


def show_scoreboard() -> None:
    """Show what the lessons measured when they last ran on this machine."""
    _show_table(_board())


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


def _show_table(board: scoreboard.Scoreboard) -> None:
    """Print every record; a line that a narrow terminal wraps is still whole."""
    console.print(repr(board), soft_wrap=True, markup=False, highlight=False)


def _show_own(board: scoreboard.Scoreboard) -> None:
    if board.records:
        console.print("Measured on your own files")
        _show_table(board)
    else:
        console.print("Nothing was recorded of your own files; the page says what was done with them.")


def _link(page: Path) -> Text:
    """Return a page's address, which terminals open."""
    address = page.absolute().as_uri()
    return Text(address, style=f"link {address}")


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
