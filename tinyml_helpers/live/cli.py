"""`tinyml live`: a network in a page, to draw for, speak to or move."""

from __future__ import annotations

import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(soft_wrap=True, highlight=False)


class Kind(StrEnum):
    """What a page does."""

    drawing = "drawing"
    keywords = "keywords"
    gestures = "gestures"
    detector = "detector"


def live(
    task: Annotated[Kind, typer.Argument(help="What the page does.")],
    out: Annotated[
        Path | None, typer.Option(help="File of the page; live_TASK.html if left out.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="The chip whose cost it shows: see `tinyml devices`.")
    ] = "nano33ble",
    show: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
) -> None:
    """Write a page in which a network of the course draws, hears, feels or sees, and open it.

    The page is one file: it needs no server, no Python and no network, and sends nothing anywhere.
    """
    from tinyml_helpers.live import shipped

    path = out or Path(f"live_{task.value}.html")
    try:
        with console.status(f"Compiling for a page and for {device}"):
            page = shipped.PAGES[task.value](device)
        page.write(path)
    except (ValueError, OSError, RuntimeError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print(f"{page.title}: {path}, {len(page.text) / 1000:,.0f} KB", markup=False)
    if show and not webbrowser.open(path.absolute().as_uri()):
        console.print("No browser opened: open the file in one, or send it to your phone.")


def add_to(app: typer.Typer) -> None:
    """Give an application the command."""
    app.command("live")(live)
