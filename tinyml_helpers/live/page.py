"""One self-contained page: a network as WebAssembly, what it sees or hears, and what an answer takes."""

from __future__ import annotations

import base64
import html
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu import wasm

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware
    from tinyml_helpers.mcu.pipeline import Pipeline
    from tinyml_helpers.mcu.run import Run

# To any origin: a frame in a file has none that a browser would give the microphone to.
_ALLOWED = "microphone *; camera *; accelerometer *; gyroscope *"
_WEB = resources.files(__package__) / "web"


@dataclass(frozen=True, repr=False)
class Page:
    """A page that needs nothing else; in a notebook it shows itself.

    Attributes:
        title: its heading.
        text: the HTML, the module inside.
        height: of the frame in a notebook, in pixels.
        chip: what an answer takes on the chip.
    """

    title: str
    text: str
    height: int
    chip: str

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, which any browser opens.

        Raises:
            ValueError: the name does not end in .html.
            OSError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path.name} does not end in .html: a browser would not know what it is")
        path.write_text(self.text, "utf-8")
        return path

    def __repr__(self) -> str:
        """What it is, where no browser shows it."""
        return (
            f'A live page of {len(self.text):,} bytes: {self.title}. page.write("live.html") keeps it.'
        )

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        """A still with its alternative text, for paper and wherever else no page can stand."""
        from matplotlib.figure import Figure

        words = f"{self.title}\nA page that answers in a browser. On the chip:\n{self.chip}"
        figure, png = Figure(figsize=(7, 1.1), dpi=80), io.BytesIO()
        figure.text(0.01, 0.9, words, va="top", fontsize=9, linespacing=1.6)
        figure.savefig(png, format="png")
        return png.getvalue(), {"alt": " ".join(words.split())}

    def _repr_html_(self) -> str:
        """The page in a frame of its own; its network runs in the browser, no kernel is needed."""
        size = f"width:100%;height:{self.height}px;border:0"
        return (
            f'<iframe title="{html.escape(self.title)}" style="{size}" '
            f'allow="{_ALLOWED}" srcdoc="{html.escape(self.text)}">'
            "</iframe>"
        )


@dataclass(frozen=True)
class Task:
    """What a page does with a network.

    Attributes:
        script: name of its script in `web`, which calls `begin`.
        title: the heading.
        about: a sentence or two on what is seen or heard, and what to expect.
        given: what the script is told, as JSON.
        height: of the frame in a notebook, in pixels.
    """

    script: str
    title: str
    about: str
    given: Mapping[str, Any]
    height: int = 640


def make(firmware: Firmware, task: Task, pipeline: Pipeline | None = None) -> Page:
    """Make a page of a firmware.

    The network is run once on the emulated chip, on a test input that goes into the page: when the page
    opens, it computes the same and compares.

    Args:
        firmware: a built network.
        task: what the page does with it.
        pipeline: what stands around the network in the page, where that is not what the firmware has.

    Returns:
        The page.
    """
    inputs, run = _probe(firmware)
    chip = _on_chip(firmware, run)
    checksum = zlib.crc32(b"".join(np.ascontiguousarray(out).tobytes() for out in run.outputs))
    given = {
        "module": encode(wasm.compile_module(firmware.program, pipeline or firmware.pipeline)),
        "probe": {"inputs": [encode(x.tobytes()) for x in inputs], "checksum": f"{checksum:08x}"},
        "task": dict(task.given),
    }
    text = render(
        "page.html.j2",
        given,
        "\n".join((wasm.script(), read("page.js"), read(task.script))),
        title=html.escape(task.title),
        about=html.escape(task.about),
        device=html.escape(firmware.device.name),
        chip=chip,
    )
    return Page(task.title, text, task.height, chip)


def render(template: str, given: Mapping[str, Any], script: str, **texts: str) -> str:
    """Fill a template of `web`, with the style of all pages.

    The page's own scripts are trusted, texts are not: a title may be the name of somebody's file.

    Args:
        template: its name.
        given: what the script reads, as JSON.
        script: all of it.
        texts: the rest, as HTML.
    """
    from jinja2 import Environment

    data = json.dumps(given).replace("</", "<\\/")
    filled = Environment(autoescape=False).from_string(read(template))
    return filled.render(style=read("page.css"), script=script, data=data, **texts)


def encode(content: bytes) -> str:
    """Write bytes as a text of base64, as `bytesOf` in page.js reads them."""
    return base64.b64encode(content).decode()


def read(name: str) -> str:
    """Return the text of a file in `web`."""
    return (_WEB / name).read_text("utf-8")


def _probe(firmware: Firmware) -> tuple[list[npt.NDArray[Any]], Run]:
    """A test input, the same each time, and what the emulated chip makes of it."""
    inputs = list(_inputs(firmware, np.random.default_rng(0)))
    return inputs, firmware.run(*inputs)


def _inputs(firmware: Firmware, draw: np.random.Generator) -> Iterator[npt.NDArray[Any]]:
    if around := firmware.pipeline:
        real = around.dtype.kind == "f"
        noise = draw.standard_normal(around.count) * (1 if real else np.iinfo(around.dtype).max / 8)
        yield noise.astype(around.dtype)
        return
    graph = firmware.program.graph
    for tensor in (graph.tensors[i] for i in graph.inputs):
        if tensor.dtype == "float32":
            yield draw.standard_normal(tensor.shape).astype(np.float32)
        else:
            limits = np.iinfo(tensor.dtype)
            yield draw.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype)


def _on_chip(firmware: Firmware, run: Run) -> str:
    low, high = run.latency_ms
    return (
        f"{run.instructions:,} instructions, {run.cycles.tell(low, high, ',.1f')} ms (estimated), "
        f"{firmware.flash_bytes / 1000:,.1f} KB of flash, {run.ram_bytes / 1000:,.1f} KB of RAM"
    )
