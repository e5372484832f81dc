"""pyproject.toml, the locks and environment.yml speak of the same set of packages."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyml_helpers.course import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
DECLARED = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS]
LOCKED = doctor.read_requirements()


@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.13.0"])
def test_every_line_of_the_lock_is_exact_and_there_once(python):
    assert all(re.fullmatch(r"==[^,*]+", str(r.specifier)) for r in LOCKED)
    place = {**default_environment(), "python_full_version": python}
    names = [canonicalize_name(r.name) for r in LOCKED if r.marker is None or r.marker.evaluate(place)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "platform", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]
)
def test_the_lock_fits_the_declared_ranges_on_every_system(platform):
    system = {**default_environment(), "sys_platform": platform[0], "platform_machine": platform[1]}

    def there(requirement):
        return requirement.marker is None or requirement.marker.evaluate(system)

    locked = {canonicalize_name(r.name): str(r.specifier)[2:] for r in LOCKED if there(r)}
    for requirement in filter(there, DECLARED):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{name} is not in the locks"
        assert requirement.specifier.contains(locked[name], prereleases=True), name
    assert ("tensorflow-cpu" in locked) != ("tensorflow" in locked)


def test_every_dependency_says_what_it_is_for():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("dependencies = [") : text.index("\ntest = [")]
    for line in block.splitlines():
        if line.strip().startswith('"'):
            assert "#" in line, line


def test_conda_gets_the_same_set_with_its_hashes():
    text = (ROOT / "environment.yml").read_text("utf-8")
    # A list for pip here could not ask for hashes: the course itself has none.
    assert yaml.safe_load(text)["dependencies"] == ["python=3.11", "pip"]
    assert "python bootstrap.py --here" in text
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


def test_the_small_set_has_all_that_its_packages_need():
    text = (ROOT / "requirements-start.txt").read_text("utf-8")
    small = [line for line in text.splitlines() if not line.startswith("#")]
    assert small == sorted(set(small))
    assert set(small) <= {canonicalize_name(r.name) for r in LOCKED}
    # What the package itself needs, what lesson 00 imports, and what sets up and shows it.
    wanted = [Requirement(line).name for line in PROJECT["dependencies"]]
    wanted += [
        "torch",
        "scipy",
        "matplotlib",
        "ipywidgets",
        "jupyterlab",
        "ipykernel",
        "setuptools",
        "uv",
    ]
    assert set(map(canonicalize_name, wanted)) <= {*small, "torch"}
    for name in {*small, "torch"} - {"uv"}:
        for need in map(Requirement, metadata.requires(name) or []):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert canonicalize_name(need.name) in {*small, "torch"}, f"{name} needs {need}"
