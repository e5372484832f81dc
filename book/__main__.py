"""Build the book into build/book: assemble its sources, run Sphinx, follow every link."""

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from book import assemble, counts, ebook, links, paper, teaching, texts, translations
from tinyml_helpers.live import shipped
from tinyml_helpers.system import disk_full, folders

ROOT = Path(__file__).parents[1]
FORMATS = ("pdf", "epub")
_SPHINX_OWN = ("genindex.html", "search.html", "py-modindex.html")


def main() -> int:
    """Build; return 0 if there is no warning and no broken link, and say so where there is no room."""
    try:
        return build()
    except OSError as error:
        if not (sentence := disk_full.explain(error)):
            raise
        print(f"The book was not built. {sentence}", file=sys.stderr)
        return 1


def build() -> int:
    """Assemble, run Sphinx, check links; return 0 if there is no warning and no broken link."""
    chosen = read_options()
    out = chosen.out
    start = time.perf_counter()
    renew_counts()
    renew_teaching()
    sources = out.with_name(f"{out.name}-source")
    pages = assemble.assemble(ROOT, sources, chosen.lesson)
    print(f"{pages} sources assembled in {time.perf_counter() - start:.0f} s", flush=True)
    if failed := run_sphinx(sources, out, chosen.jobs, chosen.language, partial=bool(chosen.lesson)):
        return failed
    sweep_pages(sources, out)
    write_live_pages(out / "live")
    texts.write(out)
    report = links.check(out)
    print(report)
    if report.broken:
        return 1
    print(f"{out / 'index.html'}, {time.perf_counter() - start:.0f} s", flush=True)
    for form in chosen.format:
        write_as(form, out)
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line; what cannot be done ends here, before any work."""
    parser = argparse.ArgumentParser(prog="python -m book", description=__doc__)
    parser.add_argument("--lesson", type=int, action="append", help="only this lesson (may be repeated)")
    parser.add_argument("--out", type=Path, help="folder of the pages: build/book, or build/book-de")
    parser.add_argument("--language", default="en", help="prose from its catalogues in book/locale")
    parser.add_argument("--jobs", default="2", help="processes that write pages")
    parser.add_argument(
        "--format", action="append", default=[], choices=FORMATS, help="one file, too (may be repeated)"
    )
    chosen = parser.parse_args()
    spoken = [] if chosen.language == "en" else [chosen.language]
    if unknown := set(spoken).difference(translations.languages()):
        parser.error(
            f"no catalogue for {unknown.pop()}: there are {', '.join(translations.languages())}"
        )
    if "pdf" in chosen.format:
        try:
            paper.find_browser()
        except LookupError as error:
            parser.error(f"the PDF is printed by a browser. {error}")
    chosen.out = chosen.out or ROOT / "build" / "-".join(["book", *spoken])
    return chosen


def write_as(form: str, out: Path) -> None:
    """Write the built pages as one file beside their folder."""
    target = out.with_name(f"{out.name}.{form}")
    if form == "pdf":
        print(f"{target}, {paper.print_book(out, target)} pages")
    else:
        print(f"{target}, {ebook.write(out, target)} chapters")


def write_live_pages(folder: Path) -> None:
    """Write the pages in which networks of the course run, beside those of Sphinx."""
    folder.mkdir(exist_ok=True)
    for kind, make in shipped.PAGES.items():
        make("nano33ble").write(folder / f"{kind}.html")


def renew_counts() -> None:
    """Write fresh counts into the page on tests, which is read on a code host as it stands."""
    page = ROOT / "book" / "how_tested.md"
    before = page.read_text("utf-8")
    after = counts.renew(before, ROOT)
    if after != before and os.access(page, os.W_OK):
        folders.write_atomically(page, after)
        print(f"{page.name}: counts renewed")


def renew_teaching() -> None:
    """Write outcomes and plans anew into the pages for teachers, where lessons have changed."""
    for page, after in teaching.renewed_pages(ROOT).items():
        if os.access(page, os.W_OK):
            folders.write_atomically(page, after)
            print(f"{page.name}: renewed from the lessons")


def sweep_pages(sources: Path, out: Path) -> None:
    """Remove pages of an earlier build whose source is gone; Sphinx leaves them, with their links."""
    for page in out.rglob("*.html"):
        name = page.relative_to(out)
        source = sources / name.with_suffix("")
        kept = any(
            source.with_name(f"{source.name}{kind}").exists() for kind in (".md", ".ipynb", ".rst")
        )
        if not kept and name.parts[0] not in _SPHINX_OWN and not name.parts[0].startswith("_"):
            page.unlink()


def run_sphinx(
    sources: Path, out: Path, jobs: str, language: str = "en", *, partial: bool = False
) -> int:
    """Run Sphinx with warnings as errors; return its exit status.

    In a partial book a link to a lesson that it leaves out becomes words, without a warning.

    Raises:
        OSError: there is no room, of which Sphinx tells in a traceback.
    """
    doctrees = out.with_name(f"{out.name}-doctrees")
    options = ["-b", "html", "-W", "--keep-going", "-j", jobs, "-d", doctrees, "-c", ROOT / "book"]
    if partial:
        options += ["-D", "partial=1"]
    if language != "en":
        # A copy, because Sphinx compiles the catalogues where they lie.
        catalogues = out.with_name(f"{out.name}-locale")
        shutil.copytree(translations.LOCALE, catalogues, dirs_exist_ok=True)
        options += ["-D", f"language={language}", "-D", f"locale_dirs={catalogues}"]
    command = [sys.executable, "-m", "sphinx", *options, sources, out]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode and disk_full.find_full_disks(sources):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
