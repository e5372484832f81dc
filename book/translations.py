"""Catalogues of the lessons' prose, one for each language and lesson, for `make book LANGUAGE=de`.

    make translations LANGUAGE=de                 # renews the catalogues that are there
    make translations LANGUAGE=fr ARGS="--lesson 0"   # begins one

A catalogue is a gettext file, `book/locale/de/LC_MESSAGES/notebooks/00_start_here.po`, that any editor
of such files opens. What has none stays in English, and so do code and what it printed.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from book import assemble
from tinyml_helpers import __version__
from tinyml_helpers.course import syllabus
from tinyml_helpers.system.folders import write_atomically

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "book" / "locale"
_INDEX = "# Lessons\n\n```{toctree}\n:glob:\n\nnotebooks/*\n```\n"


@dataclass(frozen=True)
class Progress:
    """How far a lesson's catalogue has come; `left` are the sentences to translate, in order."""

    language: str
    lesson: str
    translated: int
    left: tuple[str, ...]

    def __str__(self) -> str:
        whole = self.translated + len(self.left)
        head = f"{self.language}, {self.lesson}: {self.translated} of {whole} translated"
        return "\n".join([head, *(f"  left: {text[:90]}" for text in self.left)])


def languages(locale: Path = LOCALE) -> list[str]:
    """Return the languages that have a catalogue."""
    return sorted(path.name for path in locale.iterdir() if (path / "LC_MESSAGES").is_dir())


def check_language(language: str) -> str:
    """Return a language's code, if it is one.

    Raises:
        ValueError: that is no language, with what one looks like.
    """
    try:
        return str(Locale.parse(language))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"{language!r} is no language: give a code such as de, es or pt_BR") from None


def path_of(language: str, lesson: str, locale: Path = LOCALE) -> Path:
    """Return where a lesson's catalogue is or would be."""
    return locale / language / "LC_MESSAGES" / "notebooks" / f"{lesson}.po"


def read(path: Path, language: str) -> Catalog:
    """Read a catalogue, or begin an empty one."""
    if not path.exists():
        authors, head = "the authors of the course", "# TinyML, measured: the prose of a lesson."
        return Catalog(
            locale=language,
            header_comment=head,
            project="TinyML, measured",
            version=__version__,
            copyright_holder=authors,
            msgid_bugs_address="an issue in the repository",
            last_translator=authors,
            language_team=language,
            fuzzy=False,
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def extract(numbers: Iterable[int], root: Path = ROOT) -> dict[str, Catalog]:
    """Return the sentences of some lessons as they stand: name of the lesson -> empty catalogue.

    Raises:
        subprocess.CalledProcessError: Sphinx could not read a lesson.
    """
    with tempfile.TemporaryDirectory() as work:
        whole, sources, out = (Path(work) / name for name in ("whole", "sources", "out"))
        assemble.assemble(root, whole, numbers)
        # The lessons alone: their sentences need no other page, and Sphinx is done in seconds.
        shutil.copytree(whole / "notebooks", sources / "notebooks")
        shutil.copy(whole / "alt.json", sources)
        (sources / "index.md").write_text(_INDEX, "utf-8")
        settings = ["-b", "gettext", "-q", "-Q", "-c", str(root / "book")]
        command = [sys.executable, "-m", "sphinx", *settings, str(sources), str(out)]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
        return {
            path.stem: read_po(io.BytesIO(path.read_bytes()))
            for path in sorted((out / "notebooks").glob("[0-9]*.pot"))
        }


def renew(old: Catalog, template: Catalog) -> Catalog:
    """Carry translations over to what the lesson says now; a sentence that changed is marked fuzzy."""
    old.update(template, update_creation_date=False)
    return old


def progress(language: str, lesson: str, catalogue: Catalog, template: Catalog) -> Progress:
    """Hold a catalogue against what the lesson says now."""
    wanted = [str(message.id) for message in template if message.id]
    done = {str(m.id) for m in catalogue if m.id and m.string and not m.fuzzy}
    left = tuple(text for text in wanted if text not in done)
    return Progress(language, lesson, len(wanted) - len(left), left)


def as_text(catalogue: Catalog) -> bytes:
    """Return a catalogue as a file: without places, which change with every cell."""
    text = io.BytesIO()
    write_po(text, catalogue, no_location=True, ignore_obsolete=True, include_previous=True, width=100)
    return text.getvalue()


def update(language: str, numbers: Iterable[int] = (), locale: Path = LOCALE) -> Iterator[Progress]:
    """Renew the catalogues of a language, and begin those of the lessons that are named.

    Raises:
        ValueError: that is no language, or it has no catalogue and no lesson was named.
    """
    language = check_language(language)
    begun = [path.stem for path in path_of(language, "", locale).parent.glob("*.po")]
    wanted = [it for it in syllabus.lessons() if it.name in begun or it.number in numbers]
    if not wanted:
        raise ValueError(f'{language} has no catalogue yet: name a lesson, ARGS="--lesson 0"')
    for lesson, template in extract([it.number for it in wanted]).items():
        path = path_of(language, lesson, locale)
        path.parent.mkdir(parents=True, exist_ok=True)
        renewed = renew(read(path, language), template)
        write_atomically(path, as_text(renewed))
        yield progress(language, lesson, renewed, template)


def main() -> None:
    """Renew catalogues, and say what is left to translate."""
    options = argparse.ArgumentParser(prog="python -m book.translations", description=__doc__)
    options.add_argument("--language", required=True, help="such as de, es or pt_BR")
    options.add_argument("--lesson", type=int, action="append", default=[], help="begin this one")
    chosen = options.parse_args()
    try:
        for one in update(chosen.language, chosen.lesson):
            print(one)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
