"""`tinyml live`: a network in a page. `tinyml record`, `tinyml words`: your words, to a firmware."""

from __future__ import annotations

import shlex
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tinyml_helpers.live.kinds import Kind

if TYPE_CHECKING:
    from tinyml_helpers.live.page import Page

console = Console(soft_wrap=True, highlight=False)


def live(
    what: Annotated[
        str,
        typer.Argument(help=f"A page of the course ({', '.join(Kind)}), or a .tflite file of yours."),
    ],
    task: Annotated[
        Kind | None, typer.Option(help="What a page of your file does; numbers in and out if left out.")
    ] = None,
    classes: Annotated[
        str, typer.Option(help="Names of your network's outputs, with commas between.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="File of the page; live_NAME.html if left out.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="The chip whose cost it shows: see `tinyml devices`.")
    ] = "nano33ble",
    show: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
) -> None:
    """Write a page in which a network, the course's or yours, hears, feels, guards or sees, and open it.

    The page is one file: it needs no server, no Python and no network, and sends nothing anywhere.
    """
    path = out or Path(f"live_{Path(what).stem}.html")
    try:
        with console.status(f"Compiling for a page and for {device}"):
            page = _make_page(what, device, task, classes)
        page.write(path)
    except (ValueError, OSError, RuntimeError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print(f"{page.title}: {path}, {len(page.text) / 1000:,.0f} KB", markup=False)
    if show and not webbrowser.open(path.absolute().as_uri()):
        console.print("No browser opened: open the file in one, or send it to your phone.")


def _make_page(what: str, device: str, task: Kind | None, classes: str) -> Page:
    from tinyml_helpers.live import own_model, shipped

    if what.endswith(".tflite"):
        names = [name.strip() for name in classes.split(",")] if classes else []
        return own_model.make_page(Path(what), device, task, names)
    pages = {kind.value: make for kind, make in shipped.PAGES.items()}
    if what not in pages:
        known = ", ".join(pages)
        raise ValueError(f"{what!r} is no page of the course: give one of {known}, or a .tflite file")
    if task or classes:
        raise ValueError(f"--task and --classes are for a .tflite file: {what} has its own")
    return pages[what](device)


def record_words(
    words: Annotated[str, typer.Option(help="Words, with commas between: blue,green.")],
    by: Annotated[str, typer.Option(help="Who speaks: the page can change it.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the recordings; more are added.")] = Path(
        "my_words"
    ),
    count: Annotated[int, typer.Option(min=1, help="Of each word, by each speaker.")] = 10,
    show: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Record your words in a page of this computer, as WAV files for `tinyml words`.

    The page counts down, shows how loud it is, plays what was recorded, and keeps what you keep. Other
    words, `unknown`, are asked for too: a network needs them to say "none of yours".
    """
    from tinyml_helpers.live import recorder

    try:
        running = recorder.record(words, by, out=out, count=count)
    except (ValueError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print(f"{running!r}\nRecord at {running.address} and end it by Ctrl-C.", markup=False)
    if show:
        webbrowser.open(running.address)
    try:
        running.wait()
    except KeyboardInterrupt:
        running.stop()
    console.print(
        f"\n{running!r}\nNext: tinyml words {shlex.quote(str(out))} --out my_firmware", markup=False
    )


def words(
    folder: Annotated[Path, typer.Argument(help="A folder with a folder of recordings for each word.")],
    out: Annotated[Path, typer.Option(help="Folder for all that is made: new, or empty.")],
    device: Annotated[str, typer.Option(help="Key of a device: see `tinyml devices`.")] = "nano33ble",
    steps: Annotated[int, typer.Option(min=1, help="Steps of training; 600 take minutes.")] = 600,
    seed: Annotated[int, typer.Option(help="Of training.")] = 0,
    voices: Annotated[
        str,
        typer.Option(help="Language, such as en, in which espeak-ng adds voices to train on."),
    ] = "",
) -> None:
    """Train a keyword spotter on your words: int8 file, report, live page and a project for a board.

    Record each word thirty times, by several people (`tinyml record` asks for them one by one), with
    the speaker in the name: blue/anna_1.wav. A folder named unknown holds other words.
    """
    from tinyml_helpers import datasets, devices
    from tinyml_helpers.live import own_words
    from tinyml_helpers.usecases import keywords

    try:
        devices.get(device)  # refused before minutes of training
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"{out} exists and is not empty: give a new folder by --out")
        spoken = datasets.load_keywords(folder)
        if voices:
            spoken = keywords.voices.add_voices(spoken, voices, seed)
        console.print(repr(spoken), markup=False)
        report = own_words.deliver(spoken, out, device, steps=steps, seed=seed)
    except (ValueError, OSError, RuntimeError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    console.print(report, markup=False)
    console.print(f"\nIn {out}: words.tflite, report.txt, live.html to open in a browser, and project/")


def add_to(app: typer.Typer) -> None:
    """Give an application the three commands."""
    app.command("live")(live)
    app.command("record")(record_words)
    app.command("words")(words)
