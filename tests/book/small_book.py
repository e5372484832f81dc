"""A built book of a few pages, made by hand, with what makes trouble in one document."""

import struct
import zlib

WIDE_CODE = "x = " + " + ".join(f"number_{place}" for place in range(40))
WIDE_TABLE = "<table border=1><tr>" + "<td>immovable_words</td>" * 14 + "</tr></table>"
SOLUTION = (
    '<div class="cell tag_solution"><details class="hide"><summary>Show the solution</summary>'
    "<pre>answer = 42</pre></details></div>"
)
FIRST = f"""<section id="first"><h1>0 · First<a class="headerlink" href="#first">#</a></h1>
<p id="why">A&nbsp;line<br>and <a href="01_second.html#exercises">the other's exercises</a>,
<a href="../api/index.html">the reference</a>, <a href="https://example.org/x">elsewhere</a>,
<a href="#why">here</a>, <a href="../glossary.html">glossary</a>.</p>
<p><img src="../_images/dot.png" alt="A dot, drawn for the test"></p>
<section id="exercises"><h2>Exercises</h2>{SOLUTION}</section>
<audio controls src="x.wav"></audio><iframe srcdoc="x"></iframe><script>1 < 2</script></section>"""
SECOND = f"""<h1>1 · Second &amp; last</h1><h2 id="exercises">Exercises</h2><pre>{WIDE_CODE}</pre>
{WIDE_TABLE}"""


def png(width, height):
    rows = zlib.compress(b"".join(b"\0" + b"\x60" * width for _ in range(height)))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def write(folder):
    """Write the pages in the order index, lesson 0, lesson 1, glossary, reference."""
    pages = {
        "index": ("Start", "notebooks/00_first.html"),
        "notebooks/00_first": (FIRST, "01_second.html"),
        "notebooks/01_second": (SECOND, "../glossary.html"),
        "glossary": ("<h1>Glossary</h1><p id='exercises'>a word</p>", "api/index.html"),
        "api/index": ("<h1>Reference</h1>", None),
    }
    for name, (body, following) in pages.items():
        path = folder / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        link = f'<link rel="next" title="t" href="{following}" />' if following else ""
        path.write_text(
            f'<!DOCTYPE html>\n<html lang="de" data-theme="auto"><head>{link}</head><body>'
            f'<article class="bd-article">{body}</article></body></html>',
            "utf-8",
        )
    (folder / "_images").mkdir()
    (folder / "_images" / "dot.png").write_bytes(png(1400, 40))
    (folder / "_static").mkdir()
    (folder / "_static" / "pygments.css").write_text("pre { color: #111 }", "utf-8")
    return folder
