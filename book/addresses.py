"""The course's public addresses, written wherever they are needed.

    make publish ADDRESS=https://github.com/NAME/REPOSITORY

The setting is `[project.urls]` in pyproject.toml, which a package index shows. As long as it is not
there, no page has an address of the course, and none has a stand-in for one. The workflows call the
first on the host itself, with the repository's own address.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
_COLAB = "https://colab.research.google.com/github"
_OPENS, _CLOSES = "<!-- addresses: written by `make publish` -->", "<!-- end of addresses -->"


def addresses(repository: str) -> dict[str, str]:
    """Return what `[project.urls]` says for a repository: name -> address.

    The book's address is the one that GitHub gives to a repository's pages.

    Raises:
        ValueError: that is no address of a repository on GitHub, with one that would be.
    """
    parts = urlsplit(repository.rstrip("/").removesuffix(".git"))
    names = parts.path.strip("/").split("/")
    plain = all(re.fullmatch(r"[\w.-]+", name, re.ASCII) for name in names)
    if parts.scheme != "https" or parts.netloc != "github.com" or len(names) != 2 or not plain:
        raise ValueError(
            f"{repository!r} is not the address of a repository: give one such as "
            "https://github.com/NAME/REPOSITORY."
        )
    home = f"https://github.com/{names[0]}/{names[1]}"
    return {
        "Documentation": f"https://{names[0].lower()}.github.io/{names[1]}/",
        "Repository": home,
        "Issues": f"{home}/issues",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
    }


def stored(root: Path = ROOT) -> dict[str, str]:
    """Return `[project.urls]` as it stands; empty before the course has an address."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    urls: dict[str, str] = project.get("urls", {})
    return urls


def publish(repository: str, root: Path = ROOT) -> list[Path]:
    """Write the addresses wherever they are needed; return the files that changed.

    Raises:
        ValueError: that is no address of a repository on GitHub.
    """
    urls = addresses(repository)
    lessons = (path.relative_to(root).as_posix() for path in root.glob("notebooks/*.ipynb"))
    renewed = {
        "pyproject.toml": _in_project,
        "README.md": _in_readme,
        "CITATION.cff": _in_citation,
        ".zenodo.json": _in_zenodo,
        ".github/ISSUE_TEMPLATE/config.yml": _in_issue_forms,
        **dict.fromkeys(sorted(lessons), _in_lesson),
    }
    changed = []
    for name, renew in renewed.items():
        path = root / name
        before = path.read_text("utf-8")
        after = renew(before, urls)
        if after != before:
            path.write_text(after, "utf-8")
            changed.append(path)
    return changed


def without_addresses(page: str) -> str:
    """Return a page without its badges: the book asks nobody for a picture."""
    return re.sub(rf"{re.escape(_OPENS)}.*?{re.escape(_CLOSES)}\n+", "", page, flags=re.DOTALL)


def _in_project(text: str, urls: dict[str, str]) -> str:
    lines = "".join(f'{name} = "{address}"\n' for name, address in urls.items())
    text = re.sub(r"\[project\.urls\]\n(?:\w+ = .+\n)+\n", "", text)
    head, mark, rest = text.partition("[project.scripts]\n")
    return f"{head}[project.urls]\n{lines}\n{mark}{rest}"


def _in_readme(text: str, urls: dict[str, str]) -> str:
    home, book = urls["Repository"], urls["Documentation"]
    badges = (
        f"[![tests]({home}/actions/workflows/tests.yml/badge.svg)]({home}/actions/workflows/tests.yml)\n"
        f"[![book]({home}/actions/workflows/pages.yml/badge.svg)]({book})\n\n"
        f"**[Try it]({book}try_it.html)** in this browser · "
        f"**[Read lesson 00]({book}notebooks/00_start_here.html)** now · "
        f"**[Open it in Google Colab]({_COLAB}{urlsplit(home).path}/blob/main/"
        "notebooks/00_start_here.ipynb)**\n"
    )
    start, end = text.index(_OPENS), text.index(_CLOSES)
    return f"{text[:start]}{_OPENS}\n{badges}{text[end:]}"


def _in_citation(text: str, urls: dict[str, str]) -> str:
    text = re.sub(r"^(?:repository-code|url): .*\n", "", text, flags=re.MULTILINE)
    lines = f'repository-code: "{urls["Repository"]}"\nurl: "{urls["Documentation"]}"\n'
    return text.replace("license: MIT\n", f"license: MIT\n{lines}")


def _in_zenodo(text: str, urls: dict[str, str]) -> str:
    record = json.loads(text)
    record["related_identifiers"] = [
        {"identifier": urls["Repository"], "relation": "isSupplementTo", "scheme": "url"},
        {"identifier": urls["Documentation"], "relation": "isDocumentedBy", "scheme": "url"},
    ]
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _in_issue_forms(text: str, urls: dict[str, str]) -> str:
    own = text.partition("contact_links:")[0]
    return (
        f"{own}contact_links:\n"
        "  - name: Read the lessons\n"
        f"    url: {urls['Documentation']}\n"
        "    about: The book, with search, a glossary, and networks that answer in the page\n"
    )


def _in_lesson(text: str, urls: dict[str, str]) -> str:
    # In the text as it is stored, so that a lesson changes in this line alone.
    return re.sub(r'(?<="course = )\\"[^"]*\\"', rf'\\"{urls["Repository"]}\\"', text)


def main(arguments: list[str]) -> None:
    """Write them and name the files that changed; one sentence where that cannot be."""
    try:
        changed = publish(" ".join(arguments))
    except ValueError as error:
        sys.exit(str(error))
    print(*(path.relative_to(ROOT) for path in changed), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
