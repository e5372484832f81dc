"""Run lessons; store their outputs in the notebooks, and what they measured in README and results.

python -m book.outputs [--lesson 2 --lesson 3]
"""

from __future__ import annotations

import os
import sys
import tempfile

import typer

from book import readme_results
from tinyml_helpers.course import cli, runner, scoreboard, syllabus

app = typer.Typer(add_completion=False)


@app.command()
def outputs(lesson: cli.Lessons = None) -> None:
    """Run the lessons that were asked for, or all; one that stops is left as it was."""
    # Records of its own: nothing that was measured with other parameters, or by another run beside it.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYML_RESULTS"] = folder
        try:
            for one in syllabus.select(lesson or []):
                runner.refresh_outputs(one)
        except KeyboardInterrupt:
            sys.exit(runner.INTERRUPTED)
        except (ValueError, runner.LessonError, OSError) as error:
            sys.exit(f"Stopped at {cli.why(error)} The notebook is as it was.")
        readme_results.publish(scoreboard.collect())


if __name__ == "__main__":
    app()
