"""What a newcomer reads first: its links lead somewhere, its commands exist, its versions agree."""

import re
from pathlib import Path

import pytest
import typer
import yaml

import tinyml_helpers
from tinyml_helpers.cli import app

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]


def text(name):
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_its_links_within_the_checkout_lead_somewhere(name):
    targets = re.findall(r"\]\(([^)#]+)", text(name))
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert not missing


@pytest.mark.parametrize("name", PAGES)
def test_its_commands_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.M))
    assert set(re.findall(r"`?\bmake ([a-z-]+)(?= |`|$)", code(text(name)))) <= targets
    commands = typer.main.get_command(app).commands
    assert set(re.findall(r"\btinyml ([a-z]+)", code(text(name)))) <= set(commands)


def code(page):
    """Everything that is set as code in a page."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page, re.S))


def test_every_command_is_in_the_readme_or_its_help():
    for name in typer.main.get_command(app).commands:
        assert f"tinyml {name}" in text("README.md") or name == "outputs", name


def test_one_version_stands_everywhere():
    citation = yaml.safe_load(text("CITATION.cff"))
    newest = re.search(r"^## (\S+) · ", text("CHANGELOG.md"), re.M)[1]
    assert tinyml_helpers.__version__ == citation["version"] == newest


def test_the_citation_has_what_its_schema_requires():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license", "date-released"} <= set(citation)
    assert all("name" in author or "family-names" in author for author in citation["authors"])


def test_the_front_picture_says_in_words_what_it_shows():
    alt = re.search(r"!\[([^\]]*)\]\(data/reference/front\.png\)", text("README.md"))[1]
    assert len(alt.split()) >= 12
