"""The book as an EPUB 3: the chapters of the PDF, each a file, for readers that flow text."""

from __future__ import annotations

import html
import io
import mimetypes
import uuid
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from book import chapters, paper
from tinyml_helpers import __version__
from tinyml_helpers.system.folders import write_atomically

_XHTML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
    'lang="{language}" xml:lang="{language}" data-theme="light"><head><title>{title}</title>'
    '<link rel="stylesheet" href="pygments.css"/><link rel="stylesheet" href="paper.css"/>'
    "</head><body>{body}</body></html>\n"
)
_CONTAINER = (
    '<?xml version="1.0"?>\n<container version="1.0" '
    'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
    'full-path="book/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>\n'
)
_PACKAGE = (
    '<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" '
    'version="3.0" unique-identifier="book"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:identifier id="book">urn:uuid:{identity}</dc:identifier><dc:title>{title}</dc:title>'
    "<dc:language>{language}</dc:language><dc:creator>the authors of the course</dc:creator>"
    '<meta property="dcterms:modified">{time}</meta></metadata>'
    "<manifest>{items}</manifest><spine>{spine}</spine></package>\n"
)


def write(book: Path, target: Path) -> int:
    """Write a built book as an EPUB; return how many chapters it has.

    Raises:
        FileNotFoundError: there is no built book, or a picture of it is missing.
    """
    parts = chapters.read(book)
    language = chapters.read_language(book)
    files = _link(parts, book)
    texts = {"cover": (paper.TITLE, paper.COVER), "nav": ("Contents", _contents(parts))}
    texts |= {part.key: (part.title, str(part.body)) for part in parts}
    for name, (title, body) in texts.items():
        page = _XHTML.format(language=language, title=html.escape(title), body=body)
        files[f"{name}.xhtml"] = page.encode()
    files["paper.css"] = paper.STYLE.read_bytes()
    files["pygments.css"] = (book / "_static" / "pygments.css").read_bytes()
    files["content.opf"] = _package(files, list(texts), language).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # Readers know the format by this entry: the first one, and not compressed.
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        archive.writestr("META-INF/container.xml", _CONTAINER, zipfile.ZIP_DEFLATED)
        for name, content in files.items():
            archive.writestr(f"book/{name}", content, zipfile.ZIP_DEFLATED)
    write_atomically(target, packed.getvalue())
    return len(parts)


def _link(parts: Sequence[chapters.Chapter], book: Path) -> dict[str, bytes]:
    """Let links name the file of a chapter; return the pictures, by the names they have from now on."""
    homes = {str(tag["id"]): part.key for part in parts for tag in part.body.select("[id]")}
    homes |= {part.key: part.key for part in parts}
    pictures = {}
    for part in parts:
        for link in part.body.select('a[href^="#"]'):
            place = str(link["href"])[1:]
            if homes[place] != part.key:
                link["href"] = f"{homes[place]}.xhtml#{place}"
        for picture in part.body.select("img"):
            source = book / str(picture["src"])
            picture["src"] = f"pictures/{source.name}"
            pictures[f"pictures/{source.name}"] = source.read_bytes()
    return pictures


def _contents(parts: Sequence[chapters.Chapter]) -> str:
    lines = "".join(
        f'<li><a href="{part.key}.xhtml">{html.escape(part.title)}</a></li>' for part in parts
    )
    return f'<nav epub:type="toc"><h1>Contents</h1><ol>{lines}</ol></nav>'


def _package(files: dict[str, bytes], texts: Sequence[str], language: str) -> str:
    """The list of all files and the order in which they are read."""
    items = []
    for number, (name, content) in enumerate(files.items()):
        stem, _, kind = name.rpartition(".")
        media = "application/xhtml+xml" if kind == "xhtml" else mimetypes.guess_type(name)[0]
        marks = ["nav"] * (name == "nav.xhtml") + ["mathml"] * (b"<math" in content)
        told = f' properties="{" ".join(marks)}"' if marks else ""
        key = stem if kind == "xhtml" else f"file{number}"
        items.append(f'<item id="{key}" href="{name}" media-type="{media}"{told}/>')
    return _PACKAGE.format(
        identity=uuid.uuid5(uuid.NAMESPACE_URL, f"{paper.TITLE} {__version__} {language}"),
        title=paper.TITLE,
        language=language,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        items="".join(items),
        spine="".join(f'<itemref idref="{name}"/>' for name in texts),
    )
