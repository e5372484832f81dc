"""Sphinx: what a lesson's pages need beyond their notebook: texts of figures, words for absent links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform


class DescribePictures(SphinxTransform):
    """Give each picture of a lesson the text that `alt.json` beside the sources has for it."""

    default_priority = 400  # before Sphinx collects images and renames them

    def apply(self, **_: Any) -> None:
        """Change the document in place."""
        texts: dict[str, str] = self.config.picture_texts
        for picture in self.document.findall(nodes.image):
            if text := texts.get(Path(picture.get("uri", "")).stem):
                picture["alt"] = text


class LeaveWords(SphinxPostTransform):
    """In a book of some lessons, make words of a link to one that it leaves out."""

    default_priority = 5  # before MyST resolves its references

    def run(self, **_: Any) -> None:
        """Change the document in place; a lesson that is there is no file to MyST any more."""
        for link in list(self.document.findall(addnodes.pending_xref)) if self.config.partial else []:
            if ".ipynb" in link.get("reftarget", ""):
                link.replace_self(link.children)


def _read_texts(app: Sphinx, config: Any) -> None:
    path = Path(app.srcdir) / "alt.json"
    config.picture_texts = json.loads(path.read_text("utf-8")) if path.exists() else {}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step and where it reads."""
    app.add_config_value("picture_texts", {}, "")
    # Not used, but a change of it makes Sphinx read all sources anew.
    app.add_config_value("book_code", "", "env")
    app.add_config_value("partial", False, "env")
    app.connect("config-inited", _read_texts)
    app.add_post_transform(LeaveWords)
    app.add_transform(DescribePictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
