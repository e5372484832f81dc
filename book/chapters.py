"""The built pages as chapters of one document: for the PDF and the EPUB of `python -m book`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from tqdm import tqdm

# What a reader without a browser is given; the reference, with its search, stays with the pages.
_KEPT = re.compile(
    r"(notebooks|data|book/teach)/|(own_recordings|scoreboard|glossary|devices|how_tested)$"
)
_MOVING = "script, style, iframe, video, a.headerlink, .toctree-wrapper, button, .copybtn"
_PLAYED = "A sound: it is played in the notebook."
_SHOWN = "A page in which you can try it: it is shown in the notebook."


@dataclass(frozen=True)
class Chapter:
    """A page of the book: its `name` without suffix, its title, and what stands in it.

    Attributes:
        key: begins each of its ids, so that no two chapters have one in common.
    """

    key: str
    name: str
    title: str
    body: Tag


def read(book: Path) -> list[Chapter]:
    """Read the pages of a built book in their order; links between them are those of one document.

    A folded solution moves to a chapter of its own at the end, so that nobody reads it by accident.

    Raises:
        FileNotFoundError: there is no built book.
    """
    kept = [(name, text) for name, text in _find_pages(book) if _KEPT.match(name)]
    chapters = [
        _chapter(f"c{number}", name, text)
        for number, (name, text) in enumerate(tqdm(kept, desc="reading", unit="page"), 1)
    ]
    keys = {chapter.name: chapter.key for chapter in chapters}
    for chapter in chapters:
        _link(chapter, keys)
    solutions = _collect_solutions(chapters)
    return [*chapters, solutions] if solutions.body.find("h2") else chapters


def read_language(book: Path) -> str:
    """Return the language of a built book, as its first page names it."""
    found = re.search(r'<html[^>]* lang="([\w-]+)"', (book / "index.html").read_text("utf-8"))
    return found[1] if found else "en"


def _find_pages(book: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of the pages, as each names the next."""
    name = "index.html"
    while name:
        text = (book / name).read_text("utf-8")
        yield name.removesuffix(".html"), text
        following = re.search(r'<link rel="next"[^>]* href="([^"]+)"', text)
        here = posixpath.dirname(name)
        name = posixpath.normpath(posixpath.join(here, following[1])) if following else ""


def _chapter(key: str, name: str, text: str) -> Chapter:
    soup = BeautifulSoup(text, "html.parser")
    body = soup.find("article", class_="bd-article")
    if body is None:
        raise ValueError(f"{name}.html has no article: build the book anew.")
    for frame in body.find_all("iframe"):
        frame.insert_after(_note(soup, _SHOWN))
    for sound in body.find_all("audio"):
        sound.replace_with(_note(soup, _PLAYED))
    for thing in body.select(_MOVING):
        thing.decompose()
    for table in body.select("table, tr, td, th"):
        for old in ("border", "valign", "halign"):
            del table[old]
    for folded in body.find_all("details"):
        folded["open"] = "open"
    for slider in body.select("div.slider"):
        slider.unwrap()
    heading = body.find("h1")
    return Chapter(key, name, heading.get_text(" ", strip=True) if heading else name, body)


def _note(soup: BeautifulSoup, words: str) -> Tag:
    note = soup.new_tag("p", attrs={"class": "moves"})
    note.string = words
    return note


def _link(chapter: Chapter, keys: dict[str, str]) -> None:
    """Point links at chapters, name pictures from the book's folder, and make words of the rest."""
    here = posixpath.dirname(chapter.name)
    for tag in chapter.body.select("[id]"):
        tag["id"] = f"{chapter.key}-{tag['id']}"
    chapter.body["id"] = chapter.key
    for picture in chapter.body.select("img[src]"):
        address = str(picture["src"])
        if not address.startswith("data:"):
            picture["src"] = posixpath.normpath(posixpath.join(here, address.split("?")[0]))
    for link in chapter.body.select("a[href]"):
        page, _, place = str(link["href"]).partition("#")
        if re.match(r"(https?|mailto):", page):
            continue
        name = posixpath.normpath(posixpath.join(here, page)).removesuffix(".html")
        key = keys.get(name) if page else chapter.key
        if key is None:
            link.unwrap()
        else:
            link["href"] = f"#{key}-{place}" if place else f"#{key}"


def _collect_solutions(chapters: Sequence[Chapter]) -> Chapter:
    soup = BeautifulSoup("<article id='solutions'><h1>Solutions</h1></article>", "html.parser")
    end = Chapter("solutions", "solutions", "Solutions", soup.article or Tag(name="article"))
    for chapter in chapters:
        cells = chapter.body.select("div.cell.tag_solution")
        if cells:
            end.body.append(heading := soup.new_tag("h2"))
            heading.string = chapter.title
        for number, cell in enumerate(cells, 1):
            place, back = f"{chapter.key}-solution-{number}", f"{chapter.key}-exercise-{number}"
            words = f"Solution {number}"
            cell.insert_before(_turn(soup, back, place, f"{words} is at the end of the book"))
            end.body.append(_turn(soup, place, back, f"{words}, back to its exercise"))
            end.body.append(cell.extract())
            for folded in cell.select("details"):
                for summary in folded.select("summary"):
                    summary.decompose()
                folded.unwrap()
    return end


def _turn(soup: BeautifulSoup, own: str, other: str, words: str) -> Tag:
    """A line with the id `own` that leads to the id `other`."""
    line = soup.new_tag("p", attrs={"class": "turn", "id": own})
    line.append(link := soup.new_tag("a", href=f"#{other}"))
    link.string = words
    return line
