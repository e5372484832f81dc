"""The command `tinyml`: the course from any shell, on any system."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyml_helpers.classroom import cli as classroom_cli
from tinyml_helpers.course import cli as course_cli
from tinyml_helpers.course import runner
from tinyml_helpers.live import cli as live_cli
from tinyml_helpers.mcu import cli as mcu_cli
from tinyml_helpers.system import disk_full

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
            course_cli.stop(runner.INTERRUPTED, 130)
        except ModuleNotFoundError as error:
            if str(error.name).startswith(__package__):
                raise
            course_cli.stop(
                f"This needs {error.name}, which comes with what the lessons need: run `make lab` in "
                "a checkout, or `pip install 'tinyml-helpers[lessons]'`."
            )
        except Exception as error:
            if sentence := disk_full.explain(error):
                course_cli.stop(sentence)
            raise


app = typer.Typer(
    cls=Commands,
    help="The TinyML course: run its lessons, look at what they measured.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
course_cli.add_to(app)
mcu_cli.add_to(app)
live_cli.add_to(app)
classroom_cli.add_to(app)


@app.callback()
def prepare() -> None:
    """Show a question mark for a letter that the terminal lacks, rather than stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@app.command()
def inspect(file: Annotated[str, typer.Argument(help="A .tflite or .onnx file.")]) -> None:
    """Look into a model file: operators, tensors, where its bytes go, MACs and working memory."""
    from tinyml_helpers.deploy.model_file import ModelError, read_model

    try:
        content = read_model(file)
    except ModelError as error:
        course_cli.stop(f"{error}")
    try:
        report = _reader(content)(content)
    except ModelError as error:
        course_cli.stop(f"{file}: {error}")
    typer.echo(repr(report))


def _reader(content: bytes) -> Callable[[bytes], ModelReport]:
    """Choose by content: .tflite has an identifier, ONNX has none and must prove to be it."""
    if content[4:8] == b"TFL3":
        from tinyml_helpers.deploy import litert

        return litert.inspect
    from tinyml_helpers.deploy.onnx import export

    return export.inspect


if __name__ == "__main__":
    app()
