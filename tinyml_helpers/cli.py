"""The command `tinyml`: the course from any shell, on any system."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyml_helpers.classroom import cli as classroom_cli
from tinyml_helpers.course import doctor as examination
from tinyml_helpers.course import own_data, runner, scoreboard, syllabus
from tinyml_helpers.live import cli as live_cli
from tinyml_helpers.mcu import cli as mcu_cli
from tinyml_helpers.system import disk_full, folders
from tinyml_helpers.system.shipped_files import DataError

if TYPE_CHECKING:
    from tinyml_helpers.deploy.model_report import ModelReport


class Commands(typer.core.TyperGroup):
    """The commands; where a disk is full or closed, each ends with one sentence, whatever it was at."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            _stop(runner.INTERRUPTED, 130)
        except ModuleNotFoundError as error:
            if str(error.name).startswith(__package__):
                raise
            _stop(
                f"This needs {error.name}, which comes with what the lessons need: run `make lab` in "
                "a checkout, or `pip install 'tinyml-helpers[lessons]'`."
            )
        except Exception as error:
            if sentence := disk_full.explain(error):
                _stop(sentence)
            raise


app = typer.Typer(
    cls=Commands,
    help="The TinyML course: run its lessons, look at what they measured.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
console = Console()
mcu_cli.add_to(app)
live_cli.add_to(app)
classroom_cli.add_to(app)


class Profile(StrEnum):
    """How much a lesson trains: within a minute, or all of it."""

    quick = "quick"
    full = "full"


Lessons = Annotated[
    list[int] | None, typer.Option("--lesson", "-l", help="Number of a lesson; may be repeated.")
]


@app.callback()
def prepare() -> None:
    """Show a question mark for a letter that the terminal lacks, rather than stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@app.command()
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


@app.command()
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
        _stop(f"{error}")
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
        _stop(why(failure or error))
    if folder != runner.build_folder():
        console.print(_own_table(board.of_own()))
    else:
        console.print(_table(board))
    console.print(f"Look at {page}", soft_wrap=True)
    if failure:
        at = " at" if isinstance(failure, runner.LessonError) else ":"
        _stop(f"Stopped{at} {why(failure)} What was run is kept in {folder}.")


@app.command()
def inspect(file: Annotated[str, typer.Argument(help="A .tflite or .onnx file.")]) -> None:
    """Look into a model file: operators, tensors, where its bytes go, MACs and working memory."""
    from tinyml_helpers.deploy.model_file import ModelError, read_model

    try:
        content = read_model(file)
    except ModelError as error:
        _stop(f"{error}")
    try:
        report = _reader(content)(content)
    except ModelError as error:
        _stop(f"{file}: {error}")
    typer.echo(repr(report))


@app.command("scoreboard")
def show_scoreboard() -> None:
    """Show what the lessons measured when they last ran on this machine."""
    console.print(_table(_board()))


def _reader(content: bytes) -> Callable[[bytes], ModelReport]:
    """Choose by content: .tflite has an identifier, ONNX has none and must prove to be it."""
    if content[4:8] == b"TFL3":
        from tinyml_helpers.deploy import litert

        return litert.inspect
    from tinyml_helpers.deploy.onnx import export

    return export.inspect


def _select(numbers: list[int] | None) -> list[syllabus.Lesson]:
    try:
        return syllabus.select(numbers or [])
    except (ValueError, FileNotFoundError) as error:
        _stop(f"{error}")


def _board() -> scoreboard.Scoreboard:
    try:
        return scoreboard.collect()
    except ValueError as error:
        _stop(f"{error}")


def _parse(pairs: list[str]) -> dict[str, Any]:
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            _stop(f"parameter {pair!r} is not name=value, such as seed=1")
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


def _stop(sentence: str, code: int = 1) -> NoReturn:
    Console(stderr=True).print(sentence, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
