"""The course's address stands in one place, and nothing that is published has a stand-in for it."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from book import addresses, release
from tinyml_helpers.course import syllabus

ROOT = Path(__file__).parents[2]
PUBLISHED = [
    *ROOT.glob("*.md"),
    *ROOT.glob("book/**/*.md"),
    *ROOT.glob("book/*.myst"),
    *ROOT.glob("tinyml_helpers/**/README.md"),
    *ROOT.glob(".github/**/*.yml"),
    ROOT / "data" / "README.md",
    ROOT / "CITATION.cff",
    ROOT / ".zenodo.json",
    ROOT / "pyproject.toml",
]
STAND_IN = re.compile(
    r"OWNER/|/REPO\b|YOUR-?(NAME|USER|ORG)|your-?(user|org|name)\b|ADDRESS-OF-THE-COURSE"
    r"|example\.org|\bTODO\b|\bTBD\b"
)
FORM_LINKS = ".github/ISSUE_TEMPLATE/config.yml"
LESSON = "notebooks/01_device_constraints.ipynb"
FILES = ("pyproject.toml", "README.md", "CITATION.cff", ".zenodo.json", FORM_LINKS, LESSON)


@pytest.fixture
def checkout(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_has_a_stand_in_for_an_address(path):
    assert not STAND_IN.search(path.read_text("utf-8"))


def test_no_lesson_has_one():
    for lesson in syllabus.lessons():
        texts = [cell.source for cell in syllabus.read_notebook(lesson.path).cells]
        assert not STAND_IN.search("\n".join(texts)), lesson.name


@pytest.mark.parametrize(
    "text", ["https://github.com/OWNER/course", "[x](https://example.org)", "YOUR-NAME"]
)
def test_a_stand_in_would_be_seen(text):
    assert STAND_IN.search(text)


def test_every_place_agrees_with_the_one_setting():
    urls = addresses.stored()
    if urls:  # what `make publish` would write stands already
        assert addresses.publish(urls["Repository"]) == []
        return
    assert "repository-code" not in (ROOT / "CITATION.cff").read_text("utf-8")
    assert "contact_links" not in (ROOT / ".github/ISSUE_TEMPLATE/config.yml").read_text("utf-8")
    assert "related_identifiers" not in (ROOT / ".zenodo.json").read_text("utf-8")


def test_publishing_writes_every_place_once_and_again_changes_nothing(checkout):
    written = addresses.publish("https://github.com/Ada/tinyml-course.git/", checkout)
    assert {path.relative_to(checkout).as_posix() for path in written} == set(FILES)
    book = "https://ada.github.io/tinyml-course/"
    assert addresses.stored(checkout)["Documentation"] == book
    citation = yaml.safe_load((checkout / "CITATION.cff").read_text("utf-8"))
    assert citation["repository-code"] == "https://github.com/Ada/tinyml-course"
    assert citation["url"] == book
    zenodo = json.loads((checkout / ".zenodo.json").read_text("utf-8"))
    assert [one["identifier"] for one in zenodo["related_identifiers"]][1] == book
    forms = yaml.safe_load((checkout / FORM_LINKS).read_text("utf-8"))
    assert forms["contact_links"][0]["url"] == book
    readme = (checkout / "README.md").read_text("utf-8")
    assert f"{book}try_it.html" in readme
    assert "https://colab.research.google.com/github/Ada/tinyml-course/blob/main/notebooks/" in readme
    assert addresses.publish("https://github.com/Ada/tinyml-course", checkout) == []


def test_another_address_replaces_the_first(checkout):
    addresses.publish("https://github.com/Ada/tinyml-course", checkout)
    addresses.publish("https://github.com/Grace/small", checkout)
    texts = "".join((checkout / name).read_text("utf-8") for name in FILES)
    assert "tinyml-course" not in texts and texts.count("https://github.com/Grace/small/issues") == 1
    assert tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]


@pytest.mark.parametrize(
    "wrong",
    ["", "github.com/a/b", "http://github.com/a/b", "https://github.com/a", "https://github.com/a/b/c",
     "https://elsewhere.net/a/b", "https://github.com/a/b c", 'https://github.com/a/"b'],
)  # fmt: skip
def test_what_is_no_repository_is_refused_before_anything_is_written(checkout, wrong):
    before = {name: (checkout / name).read_bytes() for name in FILES}
    with pytest.raises(ValueError, match="such as https://github"):
        addresses.publish(wrong, checkout)
    assert before == {name: (checkout / name).read_bytes() for name in FILES}


def test_the_book_does_without_badges(checkout):
    addresses.publish("https://github.com/Ada/tinyml-course", checkout)
    page = (checkout / "README.md").read_text("utf-8")
    assert "badge.svg" in page
    bare = addresses.without_addresses(page)
    assert "badge" not in bare and bare.startswith("# TinyML, measured\n")
    assert bare == addresses.without_addresses((ROOT / "README.md").read_text("utf-8"))


# ----- a release


def test_the_notes_of_a_release_are_those_of_its_version(tmp_path):
    text = (
        "# Changelog\n\n## Unreleased\n\nnew\n\n## 1.2.0 · 1 May\n\n- this\n\n## 1.0.0 · old\n\n- that\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert release.release_notes("v1.2.0", tmp_path) == "- this\n"
    assert release.release_notes("v1.0.0", tmp_path) == "- that\n"
    with pytest.raises(ValueError, match=r"no version 1\.2"):
        release.release_notes("v1.2", tmp_path)


def test_a_release_without_its_heading_builds_nothing(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n")
    with pytest.raises(ValueError, match="give it a heading first"):
        release.release("v9.9.9", tmp_path)
    assert not (tmp_path / "build").exists()


# ----- workflows and forms


def documents():
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in WORKFLOWS}


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_alone_and_its_actions_are_fixed(path):
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    uses = re.findall(r"uses: (\S+)( # v[\d.]+)?\n", text)
    assert len(uses) == text.count("uses:")
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) and tag for action, tag in uses)


def test_only_what_has_to_write_may():
    may = {
        (name, scope)
        for name, workflow in documents().items()
        for job in workflow["jobs"].values()
        for scope, right in job.get("permissions", {}).items()
        if right == "write"
    }
    assert may == {
        ("pages.yml", "pages"),
        ("pages.yml", "id-token"),
        ("release.yml", "contents"),
        ("newest.yml", "issues"),
    }


def test_every_make_command_of_a_workflow_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for path in WORKFLOWS:
        assert set(re.findall(r"\bmake ([a-z-]+)", path.read_text("utf-8"))) <= targets, path.name


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[0-9]*.yml")), ids=lambda p: p.stem
)
def test_an_issue_form_has_what_the_host_asks_for(path):
    form = yaml.safe_load(path.read_text("utf-8"))
    assert {"name", "description", "body"} <= set(form)
    fields = form["body"]
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["label"].strip()
        assert field["type"] != "dropdown" or len(set(field["attributes"]["options"])) > 1
    assert any(field.get("validations", {}).get("required") for field in fields)
