"""Sphinx: link each term of the glossary where a lesson first uses it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from book import terms

# Inside of these a word is left alone: headings, code, formulas, what is a link already.
APART = (
    nodes.title, nodes.literal, nodes.literal_block, nodes.doctest_block, nodes.raw, nodes.comment,
    nodes.reference, addnodes.pending_xref, addnodes.download_reference, nodes.math, nodes.math_block,
)  # fmt: skip


class LinkTerms(SphinxTransform):
    """Turn the first use of each term in a lesson into a reference to the glossary."""

    default_priority = 700

    def apply(self, **_: Any) -> None:
        """Change the document in place; documents that are no lessons stay as they are."""
        lesson = terms.lesson_number(self.env.docname)
        if lesson is None:
            return
        self.env.note_dependency(str(terms.GLOSSARY))
        glossary: terms.Glossary = self.config.glossary_terms
        linked: set[str] = set()
        for text in list(self.document.findall(nodes.Text)):
            if not _apart(text):
                link(text, glossary, linked, lesson)


def _apart(node: nodes.Node) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, APART):
            return True
    return False


def link(
    text: nodes.Text, glossary: terms.Glossary, linked: set[str], lesson: int | None = None
) -> None:
    """Replace terms of `text` that are not in `linked` yet by references, and add them to it."""
    words, pieces, done = str(text), [], 0
    for start, end, entry in glossary.find(words, lesson):
        if entry.name in linked:
            continue
        linked.add(entry.name)
        pieces += [nodes.Text(words[done:start]), reference(words[start:end], entry)]
        done = end
    if pieces:
        pieces.append(nodes.Text(words[done:]))
        text.parent.replace(text, [piece for piece in pieces if piece.astext()])


def reference(words: str, entry: terms.Entry) -> addnodes.pending_xref:
    """A reference from some words to their entry, which Sphinx resolves at the end."""
    inner = nodes.inline(words, words, classes=["term"], term=entry.name)
    options = {"refdomain": "std", "reftype": "term", "reftarget": entry.name, "refexplicit": True}
    return addnodes.pending_xref("", inner, **options, refwarn=True)


class ExplainTerms(SphinxPostTransform):
    """Give each reference to a term its meaning as a tooltip."""

    default_priority = 50  # after references are resolved

    def run(self, **_: Any) -> None:
        """Change the document in place."""
        glossary: terms.Glossary = self.config.glossary_terms
        for inner in self.document.findall(nodes.inline):
            if "term" in inner and isinstance(inner.parent, nodes.reference):
                inner.parent["reftitle"] = _meaning(glossary, inner["term"])


def _meaning(glossary: terms.Glossary, name: str) -> str:
    entry = glossary.entry_of(name)
    return entry.plain if entry else ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both steps."""
    app.add_config_value("glossary_terms", None, "")
    app.connect("config-inited", _read_glossary)
    app.connect("env-updated", _write_again)
    app.add_transform(LinkTerms)
    app.add_post_transform(ExplainTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_again(_app: Sphinx, env: Any) -> list[str]:
    # Sphinx forgets the index entries of pages that it does not write: the search would miss all terms.
    return sorted({"glossary"} & env.found_docs)


def _read_glossary(_: Sphinx, config: Any) -> None:
    config.glossary_terms = terms.read()
