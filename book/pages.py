"""Pages that are made from what the project knows: start, lessons, glossary, devices, results, tests."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from book import boards, counts, notebooks, terms
from tinyml_helpers.live.kinds import Kind

HERE = Path(__file__).parent
PARTS = {
    "Begin": range(0, 2),
    "Compress": range(2, 6),
    "Deploy": range(6, 9),
    "Listen, move, look": range(9, 14),
    "Keep it private, put it together": range(14, 16),
}


def generate(
    root: Path, lessons: Sequence[Any], guides: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yield name and text of each page, for lessons as `syllabus.lessons` reads them.

    `guides` are the pages for those who teach, if there are any; the first opens them.
    """
    start = (HERE / "start.myst").read_text("utf-8").replace("<!-- picture -->", front(root))
    start = start.replace("<!-- teach -->", "\n".join(guides[:1]))
    yield "index.md", start.replace("<!-- lessons -->", cards(lessons))
    yield "notebooks/index.md", lesson_list(lessons)
    tried = (HERE / "try_it.myst").read_text("utf-8").replace("<!-- pages -->", live_list())
    yield "try_it.md", tried.replace("<!-- web -->", web_table(root))
    yield "glossary.md", glossary_page(terms.read(), lessons)
    yield "devices.md", _at_the_root("devices.md") + device_tables()
    yield from boards.pages(root)
    yield "own_recordings.md", _at_the_root("own_recordings.md")
    yield "scoreboard.md", _at_the_root("scoreboard.md")
    facts = counts.renew(_at_the_root("how_tested.md"), root)
    yield "how_tested.md", re.sub(r"<!-- \w+ -->", "", facts)


def live_list() -> str:
    """A list of the live pages; they are no sources of Sphinx, so the links are plain HTML."""
    items = "\n".join(f'<li><a href="live/{kind}.html">{kind.invitation}</a></li>' for kind in Kind)
    return f"```{{raw}} html\n<ul>\n{items}\n</ul>\n```"


def web_table(root: Path) -> str:
    """What a run takes in a page and what a visitor downloads, here and with LiteRT.js, as measured."""
    told = json.loads((root / "data" / "reference" / "web.json").read_text("utf-8"))
    about, rows = told["about"], []
    for name, one in told["networks"].items():
        runs, loaded = one["runs"], one["downloads"]
        times = [f"{sorted(run['ms'])[len(run['ms']) // 2]:.2f}" for run in runs.values()]
        sizes = [
            f"{loaded[it]['bytes'] / 1000:,.0f} ({loaded[it]['gzip_bytes'] / 1000:,.0f})"
            for it in loaded
        ]
        wrong = [
            f"{runs[f'{it}, Chromium']['wrong']} of {runs[f'{it}, Chromium']['compared']}"
            for it in loaded
        ]
        rows.append((name, f"{one['macs'] / 1e6:.1f}", *times, *sizes, *wrong))
    header = (
        "network", "million MACs", "our C on the host, ms", "our page in node, ms",
        "our page in Chromium, ms", "LiteRT.js, ms", "our download, KB (gzip)",
        "LiteRT.js, KB (gzip)", "our outputs that differ", "LiteRT.js",
    )  # fmt: skip
    return (
        f"Our C as WebAssembly beside LiteRT.js {about['LiteRT.js']}, Google's runtime for pages, on "
        "the same `.tflite` with float at its ends. Milliseconds of one thread's processor time a run, "
        "the middle of three rounds; a difference is an output that is not bit for bit that of LiteRT's "
        "reference kernels. LiteRT.js computes with the processor's vector instructions, "
        "which our portable C does not use, so it is faster, for a far larger download. Measured on "
        f"{about['date']}: {about['processor']}, {about['cores']} cores shared with other work (load "
        f"{about['load_before']} to {about['load_after']}), Chromium {about['Chromium']}, node "
        f"{about['node']}, {about['compiler']}. `make bench` measures it on your machine.\n\n"
        + _table(header, rows)
    )


def _at_the_root(name: str) -> str:
    """A page of this folder as the book has it, one level up: its links climb no more."""
    return (HERE / name).read_text("utf-8").replace("](../", "](")


def front(root: Path) -> str:
    """The picture at the head of the README, with its text and its caption.

    Raises:
        ValueError: the README has none.
    """
    readme = (root / "README.md").read_text("utf-8")
    found = re.search(r"!\[([^]]+)\]\(([^)]+\.png)\)\n\n\*(.+)\*\n", readme)
    if not found:
        raise ValueError("README.md has no picture with a caption below it")
    return (
        f"```{{image}} {found[2]}\n:alt: {found[1]}\n:class: front\n```\n\n"
        f'<p class="caption">{found[3]}</p>'
    )


def cards(lessons: Sequence[Any]) -> str:
    """A grid of the lessons by part: title, promise and time, each a link."""
    texts = []
    for part, numbers in PARTS.items():
        chosen = [lesson for lesson in lessons if lesson.number in numbers]
        if chosen:
            grid = "\n".join(_card(lesson) for lesson in chosen)
            texts.append(f"### {part}\n\n:::::{{grid}} 1 2 2 3\n:gutter: 3\n{grid}\n:::::\n")
    return "\n".join(texts)


def _card(lesson: Any) -> str:
    return (
        f"::::{{grid-item-card}} {lesson.number:02d} · {lesson.title}\n"
        f":link: notebooks/{lesson.name}\n:link-type: doc\n\n{lesson.promise}\n\n"
        f":::{{card-footer}}\n{short_time(lesson.time)}\n:::\n::::"
    )


def short_time(time: str) -> str:
    """The time of a lesson for a card: what comes before the time it takes to run."""
    return time.split(" to read")[0].split(",")[0].rstrip(".")


def lesson_list(lessons: Sequence[Any]) -> str:
    """The page above the lessons: what each promises, and its time; and their order."""
    rows = "\n".join(
        f"| {it.number:02d} | [{it.title}]({it.path.name}) | {it.promise} | {short_time(it.time)} |"
        for it in lessons
    )
    return (
        "# Lessons\n\nEach lesson stands alone, with the outputs that it printed when it was run. "
        "To run and change it, open it in JupyterLab (`make lab`).\n\n"
        f"| | lesson | what it promises | time to read |\n|---|---|---|---|\n{rows}\n"
        + menu([it.path.name for it in lessons])
    )


def menu(names: Sequence[str]) -> str:
    """A part of the menu: the pages below one, in order; "" if there are none."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n" if names else ""


def glossary_page(glossary: terms.Glossary, lessons: Sequence[Any]) -> str:
    """The glossary by letter, with the lesson in which each term first stands."""
    first: dict[str, Any] = {}
    for lesson in lessons:
        cells = json.loads(lesson.path.read_text("utf-8"))["cells"]
        text = "\n\n".join(notebooks.source(cell) for cell in cells if cell["cell_type"] == "markdown")
        for name in terms.find_used(glossary, text, lesson.number):
            first.setdefault(name, lesson)
    text, letter = (HERE / "glossary.md").read_text("utf-8").split("- **", 1)[0], ""
    for entry in glossary.entries:
        if initial(entry.name) != letter:
            letter = initial(entry.name)
            text += f"\n## {letter}\n"
        text += (
            f"\n```{{glossary}}\n{entry.name}\n    {entry.meaning}{_where(first.get(entry.name))}\n```\n"
        )
    return text


def initial(name: str) -> str:
    """The heading under which a term stands."""
    first = name.lstrip(".")[0]
    return "0-9" if first.isdigit() else {"ε": "E"}.get(first, first.upper())


def _where(lesson: Any) -> str:
    return f" *First in [lesson {lesson.number:02d}](notebooks/{lesson.path.name}).*" if lesson else ""


def device_tables() -> str:
    """Each device with its figures, their sources and where those can be read."""
    from tinyml_helpers import devices

    catalogue = devices.catalogue()
    rows = [tuple(cell.replace("not stated", "–") for cell in device.row()) for device in catalogue]
    text = _table(catalogue.HEADER, rows)
    for device in catalogue:
        rows = [
            (FIGURES[name], _figure(device, name), link_source(device.sources[name]))
            for name in FIGURES
            if name in device.sources
        ]
        rows += [
            (f"flash: {name.replace('_', ' ')}", f"{value}", link_source(source))
            for name, (value, source) in device.memory.items()
        ]
        text += f"\n## {device.name}\n\n`{device.key}`: {device.chip}, {device.core}, {device.kind}. "
        text += f"Checked on {device.checked}.\n\n{_table(('figure', 'value', 'source'), rows)}"
    return text


FIGURES = {
    "clock_hz": "clock", "flash_bytes": "flash", "ram_bytes": "RAM", "active_mw": "power at work",
    "sleep_uw": "power asleep", "coremark_per_mhz": "CoreMark per MHz",
}  # fmt: skip
_UNITS = {"active_mw": " mW", "sleep_uw": " µW"}


def _figure(device: Any, name: str) -> str:
    from tinyml_helpers import devices

    value = getattr(device, name)
    if name.endswith("_bytes"):
        return devices.size(value)
    return f"{value / 1e6:,.0f} MHz" if name == "clock_hz" else f"{value:,g}{_UNITS.get(name, '')}"


def datasheets() -> dict[str, str]:
    """Where each document can be read, by how its name begins."""
    return tomllib.loads((HERE / "datasheets.toml").read_text("utf-8"))


def link_source(source: str) -> str:
    """The text of a source, the document's name linked if its place is known."""
    for name, address in sorted(datasheets().items(), key=lambda pair: -len(pair[0])):
        if source.startswith(name):
            return f"[{name}]({address}){source.removeprefix(name)}"
    return source


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
