"""The text of every page in one file, for a search that runs without a server."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

_ARTICLE = re.compile(r'<article class="bd-article".*?</article>', re.S)
_UNREAD = re.compile(r"<(script|style|svg|audio)\b.*?</\1>|<[^>]+>", re.S)


def text_of(page: str) -> str:
    """The words of a page's article, without its markup."""
    article = _ARTICLE.search(page)
    words = html.unescape(_UNREAD.sub(" ", article[0])) if article else ""
    return re.sub(r"\s+", " ", words).strip()


def write(folder: Path) -> int:
    """Write `_static/texts.js` for the pages in `folder`; return how many have a text."""
    texts = {
        path.relative_to(folder).as_posix(): text
        for path in sorted(folder.rglob("*.html"))
        if (text := text_of(path.read_text("utf-8")))
    }
    script = f"window.BOOK_TEXTS = {json.dumps(texts, ensure_ascii=False)};\n"
    (folder / "_static" / "texts.js").write_text(script, "utf-8")
    return len(texts)
