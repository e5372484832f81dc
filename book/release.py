"""What a release hands out: the wheel, the workshop kit, the book in three forms, the changelog's words.

make release TAG=v2.0.0
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from book.__main__ import FORMATS

ROOT = Path(__file__).parents[1]


def release_notes(tag: str, root: Path = ROOT) -> str:
    """Return what CHANGELOG.md says of the version behind a tag such as v2.0.0.

    Raises:
        ValueError: the changelog has no such version.
    """
    version = re.escape(tag.removeprefix("v"))
    text = (root / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {version}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(
            f"CHANGELOG.md has no version {tag.removeprefix('v')}: give it a heading first."
        )
    return found[1].strip() + "\n"


def release(tag: str, root: Path = ROOT) -> list[Path]:
    """Leave wheel, workshop kit and book (pages, PDF, EPUB) in build/release; return their paths.

    Raises:
        ValueError: the changelog has no such version.
        subprocess.CalledProcessError: one of them could not be built.
    """
    notes = release_notes(tag, root)
    folder = root / "build" / "release"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = [sys.executable, "-m"]
    wheel = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*python, *wheel, "--wheel-dir", str(folder), "."], cwd=root, check=True)
    forms = [f"--format={form}" for form in FORMATS]
    subprocess.run([*python, "book", *forms], cwd=root, check=True)
    kit = root / "build" / "kit"
    shutil.rmtree(kit, ignore_errors=True)
    subprocess.run([*python, "tinyml_helpers.cli", "workshop", "--out", str(kit)], cwd=root, check=True)
    for name, source in (("workshop-kit", kit), ("book", root / "build" / "book")):
        shutil.make_archive(str(folder / f"tinyml-{name}-{tag}"), "zip", source)
    for form in FORMATS:
        shutil.copy(root / "build" / f"book.{form}", folder / f"tinyml-book-{tag}.{form}")
    (root / "build" / "release-notes.md").write_text(notes, "utf-8")
    return sorted(folder.iterdir())


def main(arguments: list[str]) -> None:
    """Build it and name the files; one sentence where that cannot be."""
    try:
        print(*(path.relative_to(ROOT) for path in release(" ".join(arguments))), sep="\n")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
