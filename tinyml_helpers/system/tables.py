"""Small tables of text: in plain characters, and as HTML for a notebook."""

import re
from collections.abc import Sequence
from html import escape


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[int] = (0,)) -> str:
    """A table in plain text: the columns `names` to the left, numbers to the right."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = (
        "  ".join(
            cell.ljust(width) if i in names else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in aligned)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[int] = (0,)) -> str:
    """The same as HTML; a number stays in one line with its unit."""
    head = "".join(_cell("th", cell, i in names) for i, cell in enumerate(header))
    body = ("".join(_cell("td", cell, i in names) for i, cell in enumerate(row)) for row in rows)
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in body) + "</table>"


def html_words(text: str) -> str:
    """Text as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _cell(tag: str, text: str, is_name: bool) -> str:
    number = tag == "td" and any(character.isdigit() for character in text)
    style = "text-align:left" if is_name else "white-space:nowrap" if number else ""
    return f'<{tag} style="{style}">{html_words(text)}</{tag}>'
