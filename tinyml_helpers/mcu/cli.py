"""`tinyml deploy` and `tinyml devices`: any int8 .tflite on a virtual microcontroller, or for a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.console import Console

from tinyml_helpers import devices

_LISTEN_SECONDS = 60
console = Console(soft_wrap=True, highlight=False)


def show_devices() -> None:
    """List the devices that the course knows."""
    console.print(repr(devices.catalogue()), markup=False)


def _show_operators(asked: bool) -> None:
    """Print what the engine can translate, and leave."""
    if not asked:
        return
    from tinyml_helpers.mcu.compiler.lowering import OPERATORS, wide

    console.print(f"{len(OPERATORS)} operators, in int8:", ", ".join(sorted(OPERATORS)), markup=False)
    console.print("In int16, with weights of int8:", ", ".join(sorted(wide.OPERATORS)), markup=False)
    console.print("Operators that only move values take int16 too.", markup=False)
    raise typer.Exit


def _strips(asked: str | None) -> int | Literal["auto"] | None:
    if asked is None or asked == "auto":
        return None if asked is None else "auto"
    if not asked.isdecimal():
        raise ValueError(f"--patches {asked}: give a number of strips, or auto")
    return int(asked)


def _module(path: Path | None) -> Path | None:
    """Refuse another name than that of a module before anything is compiled."""
    if path is not None and path.suffix != ".wasm":
        raise typer.BadParameter(f"{path.name} does not end in .wasm")
    return path


def deploy(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite, or an .onnx in QDQ form.")],
    device: Annotated[str, typer.Option(help="Key of a device: see `tinyml devices`.")] = "nano33ble",
    export: Annotated[Path | None, typer.Option(help="Folder for a project for a real board.")] = None,
    toolchain: Annotated[
        str,
        typer.Option(
            "--for",
            help="Whose project it is: cmsis, arduino, platformio, pico-sdk, zephyr, esp-idf, or c.",
        ),
    ] = "c",
    sensor: Annotated[
        str,
        typer.Option(help="What a sketch reads: motion, or by name bmi270, lsm9ds1 or lsm6ds3."),
    ] = "",
    name: Annotated[str, typer.Option(help="Prefix of the C names: one for each network.")] = "model",
    wasm: Annotated[
        Path | None,
        typer.Option(
            help="File for the same network as WebAssembly; a script for pages goes beside it.",
            callback=_module,
        ),
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="Optimize for size.")] = False,
    packed: Annotated[
        bool,
        typer.Option(
            "--packed", help="Store weights in fewer bytes where that saves flash, code included."
        ),
    ] = False,
    rounding: Annotated[
        Literal["litert", "tflm", "onnx"] | None,
        typer.Option(help="Whose bytes layers give; left out, those of the file's own runtime."),
    ] = None,
    patches: Annotated[
        str | None,
        typer.Option(
            help='Run the first layers in so many strips of rows; "auto": in as few as let RAM suffice.'
        ),
    ] = None,
    operators: Annotated[
        bool,
        typer.Option(
            "--operators",
            help="List the operators that can be translated.",
            callback=_show_operators,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Compile an int8 .tflite or QDQ .onnx for a microcontroller, run it and show what it takes."""
    from tinyml_helpers import mcu
    from tinyml_helpers.mcu.export import check_folder
    from tinyml_helpers.mcu.projects import check_kit
    from tinyml_helpers.mcu.sensors import choose_sensor

    try:
        if export is None and (toolchain != "c" or sensor):
            raise ValueError("--for and --sensor say what to write: give a folder by --export")
        check_kit(toolchain, devices.get(device))
        choose_sensor(sensor, toolchain, devices.get(device))
        if export is not None:
            check_folder(export, name, toolchain)
        with console.status(f"Compiling {model.name} for {device}"):
            optimize = "-Os" if small else "-O2"
            firmware = mcu.build(
                model,
                device,
                name=name,
                optimize=optimize,
                packed=packed,
                rounding=rounding,
                patches=_strips(patches),
            )
        graph = firmware.program.graph
        with console.status(f"Running {firmware.macs:,} MACs"):
            run = firmware.run(*(np.zeros(graph.tensors[i].shape) for i in graph.inputs))
        for table in (firmware, run, run.profile):
            console.print(repr(table), markup=False)
            console.print()
        if export is not None:
            where = firmware.export(export, run, toolchain, sensor)
            console.print(f"A project for a real board is in {where}", markup=False)
        if wasm is not None:
            from tinyml_helpers.mcu.wasm import write_module

            script = write_module(firmware.wasm(), wasm)
            console.print(f"A page calls {wasm} by {script}, which says how", markup=False)
    except (ValueError, OSError, RuntimeError) as error:
        Console(stderr=True).print(_sentence(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError) and error.filename:
        return f"{error.filename} cannot be written ({error.strerror}): give another place"
    return str(error)


board = typer.Typer(help="A board that runs an exported project.", no_args_is_help=True)


@board.command("check")
def check_board(
    project: Annotated[Path, typer.Argument(help="Folder that `tinyml deploy --export --for` wrote.")],
    port: Annotated[str | None, typer.Option(help="Serial port, such as /dev/ttyACM0 or COM3.")] = None,
    from_file: Annotated[Path | None, typer.Option(help="What a serial monitor showed, saved.")] = None,
    row: Annotated[Path | None, typer.Option(help="File for the comparison as JSON.")] = None,
) -> None:
    """Hold the line that a board prints against the emulated run of the same project."""
    from tinyml_helpers.mcu import board_check

    try:
        if (port is None) == (from_file is None):
            raise board_check.LogError("give either --port or --from-file")
        if from_file is not None:
            log = board_check.read_log(from_file)
        else:
            with console.status(f"Listening to {port}, for {_LISTEN_SECONDS} seconds at most"):
                log = board_check.listen(str(port), _LISTEN_SECONDS)
        run = board_check.check_log(log, project)
        console.print(repr(run), markup=False)
        if row is not None:
            row.write_text(json.dumps(run.row), "utf-8")
    except (board_check.LogError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    raise typer.Exit(not run.right)


def add_to(app: typer.Typer) -> None:
    """Give an application the commands."""
    app.command("deploy")(deploy)
    app.command("devices")(show_devices)
    app.add_typer(board, name="board")
