"""The glossary: its file, how its words are found in a text, and where each first stands.

An item of `glossary.md` is an entry: `- **scale** (scaling): The distance ...`. In the parentheses stand
other forms of the word; regular plurals and a capital at the start of a sentence need not be listed.
`senses.toml` has the phrases in which a word means something else ("drawn to scale"), and the lessons
that use it in another sense.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

GLOSSARY = Path(__file__).parent / "glossary.md"
SENSES = Path(__file__).parent / "senses.toml"
_ITEM = "- **"
_ENTRY = re.compile(r"- \*\*(?P<name>[^*]+)\*\*(?: \((?P<forms>[^)]+)\))?: (?P<meaning>.+)")


@dataclass(frozen=True)
class Entry:
    """One term: its `name`, other `forms`, phrases and lessons that are `not_this`, its `meaning`."""

    name: str
    forms: tuple[str, ...]
    not_this: tuple[str, ...]
    not_in: frozenset[int]
    meaning: str

    @property
    def plain(self) -> str:
        """The meaning without marks, for a tooltip."""
        return self.meaning.replace("`", "").replace("*", "")


@dataclass(frozen=True)
class Glossary:
    """All entries, in the order of the file."""

    entries: tuple[Entry, ...]

    @cached_property
    def by_form(self) -> dict[str, Entry]:
        """The entry of each form, in lower case and with blanks for hyphens."""
        named = ((form, entry) for entry in self.entries for form in (entry.name, *entry.forms))
        return {re.sub(r"[\s-]+", " ", form).lower(): entry for form, entry in named}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        phrases = [(phrase, False) for entry in self.entries for phrase in entry.not_this]
        phrases += [(form, True) for entry in self.entries for form in (entry.name, *entry.forms)]
        # The longest first: "zero point" before "point".
        phrases.sort(key=lambda phrase: len(phrase[0]), reverse=True)
        found = "|".join(_alternative(text, term) for text, term in phrases)
        return re.compile(rf"(?<![\w-])(?:{found})(?![\w-])")

    def find(self, text: str, lesson: int | None = None) -> Iterator[tuple[int, int, Entry]]:
        """Yield start, end and entry of each term in a lesson's text, in order; terms never overlap."""
        for match in self._pattern.finditer(text):
            entry = self.entry_of(match[0])
            if entry and lesson not in entry.not_in:
                yield match.start(), match.end(), entry

    def entry_of(self, words: str) -> Entry | None:
        """The entry of some words as they stand in a text, a plural perhaps; None for no term."""
        key = re.sub(r"[\s-]+", " ", words).lower()
        singulars = (key, key.removesuffix("s"), key.removesuffix("es"), f"{key.removesuffix('ies')}y")
        return next((self.by_form[one] for one in singulars if one in self.by_form), None)


def _alternative(phrase: str, term: bool) -> str:
    first, rest = phrase[0], re.escape(phrase[1:])
    rest = re.sub(r"\\ |\\-", r"(?:\\s+|-)", rest)
    start = f"[{first}{first.upper()}]" if first.islower() else re.escape(first)
    if not term or not phrase[-1].isalpha():
        return start + rest
    if phrase.endswith("y"):
        return f"{start}{rest[:-1]}(?:y|ies)"
    return f"{start}{rest}(?:s|es)?"


def read(path: Path = GLOSSARY, senses: Path = SENSES) -> Glossary:
    """Read the glossary.

    Raises:
        ValueError: an item is no entry, two entries share a form, or a sense belongs to no entry.
    """
    others = tomllib.loads(senses.read_text("utf-8"))
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith(_ITEM)]
    entries = [_entry(line, others) for line in lines]
    if lost := sorted(others.keys() - {entry.name for entry in entries}):
        raise ValueError(f"{senses.name} speaks of {', '.join(lost)}: {path.name} has no such entry")
    forms = [form.lower() for entry in entries for form in (entry.name, *entry.forms)]
    if twice := sorted({form for form in forms if forms.count(form) > 1}):
        raise ValueError(f"{path.name} has {', '.join(twice)} twice: keep one")
    return Glossary(tuple(entries))


def _entry(line: str, senses: Mapping[str, Any]) -> Entry:
    found = _ENTRY.fullmatch(line.rstrip())
    if not found:
        raise ValueError(f"{line[:50]!r} is no entry: write - **term** (forms): meaning")
    listed = [form.strip() for form in (found["forms"] or "").split(",") if form.strip()]
    other = senses.get(found["name"], {})
    phrases, lessons = tuple(other.get("phrases", ())), frozenset(other.get("lessons", ()))
    return Entry(found["name"], tuple(listed), phrases, lessons, found["meaning"])


def prose(markdown: str) -> Iterator[str]:
    """Yield the pieces of a Markdown text in which terms are linked: no heading, code or link."""
    from markdown_it import MarkdownIt

    heading = False
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        heading = token.type == "heading_open" or (heading and token.type != "heading_close")
        if token.type == "inline" and not heading:
            yield from _outside_links(token.children or [])


def _outside_links(tokens: list[Any]) -> Iterator[str]:
    depth = 0
    for token in tokens:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not depth:
            yield token.content


def find_used(glossary: Glossary, markdown: str, lesson: int | None = None) -> set[str]:
    """The names of the terms that the prose of a lesson uses."""
    return {entry.name for piece in prose(markdown) for _, _, entry in glossary.find(piece, lesson)}


def lesson_number(name: str) -> int | None:
    """The number at the start of a notebook's name, such as notebooks/02_...; None if there is none."""
    found = re.search(r"(?:^|/)(\d\d)_", name)
    return int(found[1]) if found else None
