"""What several tests need: a copy of the data to damage, and no more threads than one."""

import shutil

import pytest
import torch

from tinyml_helpers import datasets

torch.set_num_threads(1)


@pytest.fixture
def copied_data(tmp_path, monkeypatch):
    """A copy of data/ that a test may damage; the package reads it instead of the real one."""
    copy = tmp_path / "data"
    shutil.copytree(datasets.data_folder(), copy, ignore=shutil.ignore_patterns("build"))
    monkeypatch.setenv("TINYML_DATA", str(copy))
    return copy


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder for records."""
    monkeypatch.setenv("TINYML_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"
