"""The book: its glossary and the links to it, its pages, its checker of links, a small build of it."""

import errno
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from docutils import nodes
from sphinx.ext.autosummary.generate import _underline

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the book is beside the package, not in it

from book import __main__ as build  # noqa: E402
from book import assemble, counts, docstrings, links, links_to_terms, notebooks, pages, terms, texts  # noqa: E402
from tinyml_helpers import cost, devices  # noqa: E402
from tinyml_helpers.course import syllabus  # noqa: E402
from tinyml_helpers.system import disk_full  # noqa: E402

GLOSSARY = terms.read()
LESSONS = syllabus.lessons()
SMALL = terms.Glossary(
    (
        terms.Entry("RAM", (), (), frozenset(), "Memory that forgets."),
        terms.Entry("scale", ("scaling",), ("to scale",), frozenset({13}), "The `step`."),
        terms.Entry("zero point", (), (), frozenset(), "The integer for 0."),
        terms.Entry("memory", (), (), frozenset(), "What remembers."),
    )
)


def texts_of(lesson):
    cells = syllabus.read_notebook(lesson.path).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Scale and zero points", ["Scale", "zero points"]),
        ("a zero-point, two zero\npoints", ["zero-point", "zero\npoints"]),
        ("memories of RAM, no ram, no PROGRAM, no RAM-disk", ["memories", "RAM"]),
        ("drawn to scale, then a scale", ["scale"]),
        ("scaling, scales, scaled", ["scaling", "scales"]),
    ],
)
def test_a_term_is_found_in_its_forms(text, found):
    assert [text[start:end] for start, end, _ in SMALL.find(text)] == found


def test_a_term_can_be_left_out_of_a_lesson():
    assert [entry.name for *_, entry in SMALL.find("a scale", 13)] == []
    assert [entry.name for *_, entry in SMALL.find("a scale", 2)] == ["scale"]


def test_prose_is_text_outside_of_headings_code_and_links():
    text = "# scale\n\nA *scale*, `scale`, [scale](x.md).\n\n```c\nscale\n```\n\n"
    text += "| scale |\n|---|\n| RAM |\n"
    pieces = list(terms.prose(text))
    assert "scale" in pieces and "RAM" in pieces
    assert "".join(pieces).count("scale") == 2  # in the sentence and at the head of the table


def linked_words(tree):
    return [
        node.astext() for node in tree.findall() if isinstance(node, nodes.inline) and "term" in node
    ]


def test_the_first_use_is_linked_and_nothing_else():
    first = nodes.paragraph("", "", nodes.Text("Scales use RAM. A scale"))
    second = nodes.paragraph("", "", nodes.Text("RAM again, and a zero point"))
    done = set()
    for paragraph in (first, second):
        links_to_terms.link(paragraph.children[0], SMALL, done)
    assert linked_words(first) == ["Scales", "RAM"]
    assert linked_words(second) == ["zero point"]
    assert first.astext() == "Scales use RAM. A scale"
    assert second.children[-1]["reftarget"] == "zero point"


def test_the_glossary_is_in_order_and_clear():
    names = [re.sub(r"[^a-z0-9]", "", e.name.lower().replace("ε", "epsilon")) for e in GLOSSARY.entries]
    assert names == sorted(names)
    for entry in GLOSSARY.entries:
        assert entry.meaning.endswith(".") and len(entry.meaning) <= 260, entry.name


def test_every_term_of_the_glossary_stands_in_a_lesson():
    used = set().union(*(terms.find_used(GLOSSARY, texts_of(it), it.number) for it in LESSONS))
    assert {entry.name for entry in GLOSSARY.entries} - used == set()


# Words that the lessons print bold without meaning a term of the field.
PLAIN = {
    "Shift + Enter", "Exercises", "reliability", "cost", "scale", "Time and energy", "Memory",
    "Device or cloud", "prepare", "permanent", "Random", "At once", "Gradually", "adds", "in pairs",
    "Many", "won", "lost", "hurt", "reference", "your", "basic", "extended", "all", "Your own program",
    "first road", "second road", "voices", "engine", "new engine", "people", "averages",
    "forward elevation", "abduction", "leads", "level", "swing", "not", "adapt", "holds the swings",
    "your own machine", "V1", "V2", "V3", "Depth", "Infrared", "Movement", "beats", "Zeros",
    "Distances", "flat", "leveled", "permuted", "smoothed", "worse", "packed", "no words", "other words",
    "charge", "missed", "Once-for-all", "MCUNet", "MicroNets", "MicroNAS", "μNAS",
}  # fmt: skip


def bold(markdown):
    """Short bold pieces of a text that are no sentence."""
    text = re.sub(r"```.*?```|`[^`]*`", "", markdown, flags=re.S)
    found = re.findall(r"\*\*([^*\n]+)\*\*", text)
    return [piece for piece in found if piece[-1] not in ".:?!" and len(piece.split()) <= 3]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_bold_term_of_a_lesson_is_explained(lesson):
    body = texts_of(lesson).partition("## ")[2]
    missing = {
        piece
        for piece in bold(body)
        if piece not in PLAIN and not any(GLOSSARY.find(piece, lesson.number))
    }
    assert missing == set()


def test_a_form_stands_once():
    path = terms.GLOSSARY
    assert path.read_text("utf-8").startswith("# Glossary")
    with pytest.raises(ValueError, match="is no entry"):
        terms.read(_written("- **broken entry**\n"), _no_senses())
    with pytest.raises(ValueError, match="ram twice"):
        terms.read(_written("- **RAM**: One.\n- **memory** (ram): Two.\n"), _no_senses())
    with pytest.raises(ValueError, match="speaks of AUC"):
        terms.read(_written("- **RAM**: One.\n"))


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "_HERE", tmp_path)


_HERE = ROOT


def _written(text):
    path = _HERE / "glossary.md"
    path.write_text(text, "utf-8")
    return path


def _no_senses():
    path = _HERE / "senses.toml"
    path.write_text("", "utf-8")
    return path


def site(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return links.check(folder)


def test_good_links_are_followed(tmp_path):
    report = site(
        tmp_path,
        one='<a href="two.html#here">x</a><a href="#top">y</a><p id="top"></p><a href="https://a.b/c">z</a>',
        two='<h2 id="here">x</h2><img src="data:image/png;base64,AA==">',
    )
    assert (report.pages, report.internal, report.broken) == (2, 2, [])
    assert report.external == {"https://a.b/c"}
    assert "2 links inside 2 pages followed, 0 broken" in repr(report)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ('<a href="three.html">x</a>', "no such file"),
        ('<a href="one.html#nowhere">x</a>', "no such place"),
        ('<img src="missing.png">', "no such file"),
        ('<a href="../../outside.html">x</a>', "leaves the book"),
        ('<script src="https://cdn.example/x.js"></script>', "comes from elsewhere"),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', "comes from elsewhere"),
    ],
)
def test_a_broken_link_is_reported(tmp_path, page, why):
    report = site(tmp_path, one=page)
    assert len(report.broken) == 1
    assert why in report.broken[0]


def test_a_style_from_elsewhere_is_reported(tmp_path):
    (tmp_path / "good.css").write_text(
        "a { background: url(x.png), url(data:image/png;base64,AA) }", "utf-8"
    )
    assert links.check(tmp_path).broken == []
    (tmp_path / "bad.css").write_text('@font-face { src: url("https://cdn.example/f.woff") }', "utf-8")
    assert links.check(tmp_path).broken == [
        "bad.css -> https://cdn.example/f.woff: comes from elsewhere"
    ]


def cell(source, tags=(), outputs=(), kind="code"):
    return {
        "cell_type": kind,
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": list(outputs),
    }


def test_a_lesson_is_adapted():
    picture = {"data": {"image/png": "AAAA"}, "metadata": {}}
    widget = {"data": {notebooks.WIDGET_VIEW: {}}, "metadata": {}}
    raw = {
        "cells": [
            cell("# 1 · Title\n\n## The *question*", kind="markdown"),
            cell(["# NBVAL_CHECK_OUTPUT\n", "show(1)"], ["solution"]),
            cell("explore()", ["widget"], [widget]),
            cell("install()", ["colab"]),
            cell('plots.finish(ax, title="It is flat", xlabel="x")', outputs=[picture]),
        ]
    }
    texts = notebooks.alt_texts(raw)
    solution, moving, note, *rest = notebooks.adapt(raw, {})["cells"][1:]
    assert len(rest) == 1 and "install" not in rest[0]["source"]
    assert solution["source"] == "show(1)"
    assert "hide-cell" in solution["metadata"]["tags"]
    assert moving["outputs"] == [] and note["source"] == notebooks.MOVES
    assert list(texts.values()) == ["Figure in the section “The question”: It is flat"]


def test_a_text_that_a_figure_brings_is_kept():
    picture = {"data": {"image/png": "AAAA"}, "metadata": {"image/png": {"alt": "Two bars."}}}
    assert list(notebooks.alt_texts({"cells": [cell("x", outputs=[picture])]}).values()) == ["Two bars."]


def test_every_lesson_is_in_the_menu_and_on_the_start_page():
    made = dict(pages.generate(ROOT, LESSONS))
    toctree = made["notebooks/index.md"].split("{toctree}")[1]
    for lesson in LESSONS:
        assert f"\n{lesson.path.name}\n" in toctree
        assert f":link: notebooks/{lesson.name}\n" in made["index.md"]
        assert lesson.promise in made["index.md"]
    assert "$" not in made["how_tested.md"]


def test_every_source_of_the_catalogue_can_be_read_somewhere():
    for device in devices.catalogue():
        for source in device.sources.values():
            assert pages.link_source(source).startswith("["), source


def test_counts_are_those_of_the_files():
    found = counts.count(ROOT)
    assert int(found["lessons"]) == len(LESSONS)
    counted = {name: value for name, value in found.items() if not name.startswith("mutants_")}
    assert all(int(value.replace(",", "")) > 0 for value in counted.values())


def test_the_reference_has_every_room_and_the_answers_of_no_exercise():
    listed = re.findall(r"~tinyml_helpers\.(\w+)", (ROOT / "book" / "api.rst").read_text("utf-8"))
    package = ROOT / "tinyml_helpers"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(listed) == rooms | {path.stem for path in package.glob("[!_]*.py")}
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "book/templates/autosummary"))
    templates.filters["underline"] = _underline
    page = templates.get_template("module.rst").render(
        fullname="tinyml_helpers.course", all_modules=["check", "exercises"]
    )
    assert page.startswith("course\n======\n")
    assert "   check\n" in page and "exercises" not in page


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("a `name` and ``name``", "a ``name`` and ``name``"),
        ("*args of x_ and a|b", "\\*args of x\\_ and a\\|b"),
        ("`a*b` and `x_`", "``a*b`` and ``x_``"),
    ],
)
def test_docstrings_become_restructured_text(line, made):
    assert docstrings.escape(line) == made


def test_an_indented_example_becomes_code():
    lines = ["First line.", "", "    x = f(*a)", "", "Then `x`.", "", "Args:", "    a_: of `b`"]
    assert docstrings.convert(lines) == [
        "First line.", "", "::", "", "    x = f(*a)", "", "Then ``x``.", "", "Args:",
        "    a\\_: of ``b``",
    ]  # fmt: skip


def test_a_signature_links_the_nearest_class():
    names = ["p.cost.boards.Run", "p.mcu.emulator.Run", "p.mcu.report.Run"]
    assert docstrings.nearest(names, "p.mcu.report") == "p.mcu.report.Run"
    assert docstrings.nearest(names, "p.mcu.firmware") == "p.mcu.emulator.Run"
    assert docstrings.nearest(names, "") == "p.cost.boards.Run"


def test_the_search_without_a_server_has_the_words_of_each_page(tmp_path):
    (tmp_path / "_static").mkdir()
    article = '<article class="bd-article"><h1>A &amp; B</h1><script>no()</script><p>words</p></article>'
    (tmp_path / "one.html").write_text(f"<nav>menu</nav>{article}", "utf-8")
    assert texts.write(tmp_path) == 1
    script = (tmp_path / "_static" / "texts.js").read_text("utf-8")
    assert script == 'window.BOOK_TEXTS = {"one.html": "A & B words"};\n'


def test_links_to_files_bring_them_along(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("A", "utf-8")
    tree = assemble.Tree(tmp_path, tmp_path / "out")
    (tmp_path / "other").mkdir()
    links_there = "[a](a.txt), [b](https://x.y), [other](../other), [data](../data)"
    text = tree.linked(links_there, "data/README.md")
    assert (tmp_path / "out" / "data" / "a.txt").read_text("utf-8") == "A"
    assert text == "[a](a.txt), [b](https://x.y), other, [data](../data/index.md)"


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def failed(*_, **__):
    return subprocess.CompletedProcess([], 2, stderr="Traceback\n" * 40)


@pytest.mark.parametrize("where", ["sources", "pages"])
def test_a_full_disk_is_one_sentence_and_spoils_no_page_of_the_course(
    where, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["book", "--out", str(tmp_path / "book")])
    monkeypatch.setattr(build, "renew_counts", lambda: None)
    monkeypatch.setattr(assemble, "assemble", full if where == "sources" else lambda *_: 1)
    monkeypatch.setattr(subprocess, "run", failed)
    monkeypatch.setattr(disk_full, "find_full_disks", lambda *_: [tmp_path])
    assert build.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"The book was not built. No space left on device: make room in {tmp_path},")
    assert said.count("\n") == 1


def test_what_sphinx_says_of_anything_else_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", failed)
    monkeypatch.setattr(disk_full, "find_full_disks", lambda *_: [])
    assert build.run_sphinx(tmp_path, tmp_path, "1") == 2
    assert capsys.readouterr().err == "Traceback\n" * 40


def test_what_is_stale_is_swept(tmp_path):
    tree = assemble.Tree(tmp_path, tmp_path / "out")
    tree.write("old/page.md", "x")
    tree.written.clear()
    tree.write("new.md", "y")
    tree.sweep()
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["new.md"]


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    """One lesson and the glossary, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("book")
    source, out = folder / "source", folder / "out"
    lesson = LESSONS[0]
    notebook = json.loads(lesson.path.read_text("utf-8"))
    (source / "notebooks").mkdir(parents=True)
    for one in notebook["cells"]:
        if one["cell_type"] == "markdown":
            one["source"] = re.sub(r"\[([^]]*)\]\(0[1-9]_\w+\.ipynb\)", r"\1", "".join(one["source"]))
    (source / "alt.json").write_text(json.dumps(notebooks.alt_texts(notebook)), "utf-8")
    (source / "notebooks" / lesson.path.name).write_text(
        json.dumps(notebooks.adapt(notebook, {})), "utf-8"
    )
    (source / "glossary.md").write_text(pages.glossary_page(GLOSSARY, [lesson]), "utf-8")
    (source / "api").mkdir()
    reference = "Package\n=======\n\n.. autosummary::\n   :toctree: .\n   :recursive:\n\n"
    reference += "   ~tinyml_helpers.cost\n"
    (source / "api" / "index.rst").write_text(reference, "utf-8")
    formula = "# Start\n\nA formula: $a^2$.\n\n```{toctree}\nglossary\napi/index\n"
    (source / "index.md").write_text(f"{formula}notebooks/{lesson.name}\n```\n", "utf-8")
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "book")]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(out)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    yield out
    shutil.rmtree(folder)


def test_a_small_book_builds_without_a_warning(tiny_book):
    report = links.check(tiny_book)
    assert report.broken == []
    page = (tiny_book / "notebooks" / "00_start_here.html").read_text("utf-8")
    assert "Show the solution" in page and 'class="moves"' in page
    assert "NBVAL_CHECK_OUTPUT" not in page
    assert "<math" in (tiny_book / "index.html").read_text("utf-8")


def test_each_module_has_a_page_that_its_room_links(tiny_book):
    package = ROOT / "tinyml_helpers" / "cost"
    # A module that bears the name of what its package hands on would be explained on the package's page.
    modules = {path.stem for path in package.glob("[!_]*.py")} - set(cost.__all__)
    pages_there = {path.stem for path in (tiny_book / "api").glob("*.html")}
    assert pages_there == {"index", "tinyml_helpers.cost"} | {
        f"tinyml_helpers.cost.{n}" for n in modules
    }
    room = (tiny_book / "api" / "tinyml_helpers.cost.html").read_text("utf-8")
    for name in modules:
        assert f'href="tinyml_helpers.cost.{name}.html#module-tinyml_helpers.cost.{name}"' in room
    for name in cost.__all__:
        assert f'id="tinyml_helpers.cost.{name}"' in room
    assert 'id="tinyml_helpers.cost.Path"' not in room
    page = (tiny_book / "api" / "tinyml_helpers.cost.latency.html").read_text("utf-8")
    assert 'id="tinyml_helpers.cost.latency.estimate"' in page
    assert "Raises" in page


def test_the_small_book_links_its_terms(tiny_book):
    page = (tiny_book / "notebooks" / "00_start_here.html").read_text("utf-8")
    linked = re.findall(r'href="(\.\./glossary\.html#term-[^"]+)" title="([^"]+)"', page)
    expected = terms.find_used(GLOSSARY, texts_of(LESSONS[0]), 0)
    assert len(linked) == len({address for address, _ in linked}) == len(expected)
    for heading in re.findall(r"<h[1-6].*?</h[1-6]>", page, re.S):
        assert "glossary.html#term" not in heading


def test_each_figure_of_the_small_book_has_a_text(tiny_book):
    page = (tiny_book / "notebooks" / "00_start_here.html").read_text("utf-8")
    pictures = re.findall(r"<img [^>]*_images/[^>]*>", page)
    assert pictures
    for picture in pictures:
        assert len(re.search(r'alt="([^"]*)"', picture)[1]) > 15


def test_pages_whose_source_is_gone_go(tmp_path):
    sources, out = tmp_path / "sources", tmp_path / "out"
    for name in ("index.md", "notebooks/00_a.ipynb", "api/p.q.rst"):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).touch()
    kept = ["index", "notebooks/00_a", "api/p.q", "search", "genindex", "_static/frame"]
    for name in (*kept, "api/p.old", "old"):
        (out / f"{name}.html").parent.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.html").touch()
    build.sweep_pages(sources, out)
    left = {path.relative_to(out).as_posix().removesuffix(".html") for path in out.rglob("*.html")}
    assert left == set(kept)
