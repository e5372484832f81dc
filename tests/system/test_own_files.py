"""A learner's folder is found from where the learner stands."""

import pytest

from tinyml_helpers.system import own_files
from tinyml_helpers.system.shipped_files import DataError


def test_relative_absolute_and_home_are_the_same_folder(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = {own_files.find(name) for name in ("mine", "./mine", "~/mine", mine, f"{mine}/../mine")}
    assert found == {mine.resolve()}


def test_in_a_notebook_a_name_begins_where_jupyter_was_started(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("PWD", str(tmp_path))
    assert own_files.find("mine") == (tmp_path / "mine").resolve()


def test_what_is_nowhere_is_named_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no file or folder 'nothing': looked for .*nothing") as told:
        own_files.find("nothing")
    assert str(tmp_path) in str(told.value)
