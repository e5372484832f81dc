"""What is installed is what was locked; no known weakness is in it unless a reason is written down."""

import importlib.util
import json
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tinyml_helpers.course import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
DECLARED = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS]
LOCKED = doctor.read_requirements()
ADVISORIES = tomllib.loads((ROOT / "benchmarks" / "advisories.toml").read_text("utf-8"))["advisory"]


def module(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def locked(package):
    """Return the versions of that package in the locks: more than one where Pythons differ."""
    wanted = canonicalize_name(package)
    return [str(r.specifier)[2:] for r in LOCKED if canonicalize_name(r.name) == wanted]


# ----- the lock


def test_every_package_of_the_lock_has_the_hashes_of_its_files():
    blocks = re.split(r"\n(?=[\w.-]+==)", "\n" + (ROOT / "requirements.lock").read_text("utf-8"))[1:]
    assert len(blocks) == len(LOCKED) - 2
    seen = []
    for block in blocks:
        assert re.fullmatch(r"\S+==\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", block), (
            block
        )
        seen += re.findall(r"sha256:(\w+)", block)
    assert len(seen) == len(set(seen))


def test_only_pytorch_is_without_hashes_and_says_why():
    text = (ROOT / "requirements-torch.lock").read_text("utf-8")
    assert re.findall(r"^([\w.-]+)==[\d.]+$", text, re.MULTILINE) == ["torch", "torchvision"]
    assert "--hash" not in text and "CPU" in text.splitlines()[0]


SYSTEMS = [
    ("linux", "posix", "Linux", "x86_64"),
    ("linux", "posix", "Linux", "aarch64"),
    ("darwin", "posix", "Darwin", "arm64"),
    ("win32", "nt", "Windows", "AMD64"),
]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: f"{s[2]}-{s[3]}")
def test_the_lock_has_all_that_its_packages_need(system, python):
    # It is installed without looking at dependencies, so what it lacks would be missing.
    names = ("sys_platform", "os_name", "platform_system", "platform_machine")
    ends = {"python_version": python, "python_full_version": f"{python}.0"}
    place = {**default_environment(), **dict(zip(names, system, strict=True)), **ends}

    def here(requirement, extras=()):
        marker = requirement.marker
        return marker is None or any(marker.evaluate({**place, "extra": e}) for e in ("", *extras))

    chosen = {canonicalize_name(r.name): str(r.specifier)[2:] for r in LOCKED if here(r)}
    todo, seen = [r for r in DECLARED if here(r)], set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        assert name in chosen, f"{wanted} is not in the lock"
        assert wanted.specifier.contains(chosen[name], prereleases=True), wanted
        if (name, *sorted(wanted.extras)) in seen:
            continue
        seen.add((name, *sorted(wanted.extras)))
        try:
            # Their metadata differ in name alone.
            needs = metadata.requires("tensorflow-cpu" if name == "tensorflow" else name) or []
        except metadata.PackageNotFoundError:  # one for another system
            continue
        todo += [r for r in map(Requirement, needs) if here(r, wanted.extras)]
    assert len(seen) > 150


INDEX = [
    {
        "name": "b",
        "version": "2",
        "wheels": [
            {"url": f"https://host/b-2-{tags}.whl", "hashes": {"sha256": digest}}
            for tags, digest in [  # the first four fit
                ("cp311-cp311-manylinux_2_28_x86_64", "1"),
                ("cp313-cp313-macosx_11_0_arm64", "2"),
                ("cp38-abi3-win_amd64", "3"),
                ("py3-none-any", "4"),
                ("cp310-cp310-manylinux_2_28_x86_64", "5"),
                ("cp313-cp313t-win_amd64", "6"),
                ("cp312-cp312-musllinux_1_2_x86_64", "7"),
                ("cp312-cp312-macosx_11_0_x86_64", "8"),
                ("pp311-pypy311_pp73-win_amd64", "9"),
            ]
        ],
        "sdist": {"url": "https://host/b-2.tar.gz", "hashes": {"sha256": "0"}},
    },
    {
        "name": "a",
        "version": "1",
        "marker": 'sys_platform == "win32"',
        "sdist": {"url": "https://host/a-1.tar.gz", "hashes": {"sha256": "a"}},
    },
]  # fmt: skip


def test_the_lock_keeps_its_order_its_versions_and_the_files_that_a_system_can_take():
    lock = module("lock")
    before = "# words\nB==2 ; sys_platform != 'none' \\\n    --hash=sha256:old\n"
    assert lock.locked(lock.heads(before), INDEX) == (
        "# words\nB==2 ; sys_platform != 'none'"
        + "".join(f" \\\n    --hash=sha256:{digest}" for digest in "01234")
        + "\na==1 ; sys_platform == 'win32' \\\n    --hash=sha256:a\n"
    )


# ----- known weaknesses


def is_affected(advisory, version):
    return any(SpecifierSet(one).contains(version, prereleases=True) for one in advisory["affected"])


def admitted(advisory, specifier):
    """Return a version that both admit, if there is one: then one of their lower ends is such."""
    texts = [str(specifier), *advisory["affected"]]
    ends = {Version(end) for end in re.findall(r"(?:>=|==|<=)\s*([\w.]+)", ",".join(texts))}
    both = (
        v for v in sorted(ends) if specifier.contains(v, prereleases=True) and is_affected(advisory, v)
    )
    return next(both, None)


def test_each_advisory_is_written_so_that_it_can_be_checked():
    assert len({a["id"] for a in ADVISORIES}) == len(ADVISORIES)
    for one in ADVISORIES:
        assert set(one) <= {"id", "package", "affected", "fixed", "what", "source", "open", "accepted"}
        assert locked(one["package"]), one["package"]
        assert one["source"].startswith("https://") and one["what"].endswith(".")
        operators = [s.operator for text in one["affected"] for s in SpecifierSet(text)]
        assert operators and set(operators) <= {">=", "<", "<=", "=="}
        assert one["fixed"] or one["open"], f"{one['id']}: neither mended nor said to be open"
        assert not one["fixed"] or not is_affected(one, one["fixed"])


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda a: a["id"])
def test_no_locked_and_no_admitted_version_is_known_to_be_weak_without_a_reason(advisory):
    name = canonicalize_name(advisory["package"])
    weak = [version for version in locked(name) if is_affected(advisory, version)]
    assert bool(weak) == ("accepted" in advisory), f"{name} {weak} in the lock: {advisory['what']}"
    for declared in DECLARED:
        if canonicalize_name(declared.name) == name and not weak:
            lowest = admitted(advisory, declared.specifier)
            assert lowest is None, f"pyproject.toml admits {name} {lowest}: {advisory['what']}"


@pytest.mark.parametrize(
    ("affected", "specifier", "version"),
    [
        (["<13"], ">=12,<14", "12"),
        (["<13"], ">=13,<14", None),
        (["<4.5.11", ">=4.6.0,<4.6.4"], ">=4.5.11,<5", "4.6.0"),
        (["<=2.10.0"], ">=2.10,<3", "2.10"),
        (["==2.13.0"], ">=2.12,<3", "2.13.0"),
        (["<2"], "<3", None),
    ],
)
def test_a_lower_bound_that_admits_a_weak_version_is_found(affected, specifier, version):
    found = admitted({"affected": affected}, SpecifierSet(specifier))
    assert found == (version and Version(version))


def test_every_declared_package_has_a_lower_bound_or_a_version():
    for declared in DECLARED:
        assert {s.operator for s in declared.specifier} & {">=", "=="}, declared


PACKAGES = [
    {"name": "Torch", "version": "1", "vulns": [{"id": "X-1", "aliases": ["Y-1"], "fix_versions": []}]}
]


def test_an_accepted_weakness_is_told_with_its_reason_and_is_no_failure(capsys):
    told = module("audit").told
    assert told(PACKAGES, {("torch", "Y-1"): "It is never loaded."}) == 0
    assert "accepted: It is never loaded." in capsys.readouterr().out
    assert told(PACKAGES, {("onnx", "Y-1"): "It is never loaded."}) == 1


def test_the_audit_asks_about_each_lock_and_fails_if_one_is_not_answered(monkeypatch, capsys):
    audit, asked = module("audit"), []

    def run(command, **_):
        asked.append(command[-1])
        package = {"name": command[-1], "version": "1", "vulns": []}
        answer = json.dumps({"dependencies": [package]}) if answers[command[-1]] else ""
        return subprocess.CompletedProcess(command, 0, answer, "no network")

    monkeypatch.setattr(subprocess, "run", run)
    answers = dict.fromkeys(audit.LOCKS, True)
    assert audit.main() == 0
    assert asked == ["requirements.lock", "requirements-torch.lock"]
    assert "2 of 2 packages looked up, 0 weak." in capsys.readouterr().out
    answers["requirements-torch.lock"] = False
    assert audit.main() == 2
    assert "Not audited" in capsys.readouterr().out


def test_the_audit_reads_the_reasons():
    accepted = {(canonicalize_name(a["package"]), a["id"]) for a in ADVISORIES if "accepted" in a}
    assert accepted and set(module("audit").accepted()) == accepted


# ----- the workflows

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def test_three_systems_and_three_pythons_run_files_that_there_are():
    job = yaml.safe_load(WORKFLOWS["tests"].read_text("utf-8"))["jobs"]["tests"]
    systems, pythons = (job["strategy"]["matrix"][name] for name in ("system", "python"))
    assert [one.split("-")[0] for one in systems] == ["ubuntu", "macos", "windows"]
    assert pythons == ["3.11", "3.12", "3.13"]
    commands = " ".join(step.get("run", "") for step in job["steps"])
    lessons = [sorted(ROOT.glob(pattern)) for pattern in re.findall(r"notebooks/\S+", commands)]
    assert [len(found) for found in lessons] == [4, 1]
    for file in re.findall(r"\bbootstrap\.py|tests/sanitize\.cfg", commands):
        assert (ROOT / file).exists()


def test_the_audit_runs_weekly_and_whenever_the_locks_change():
    workflow = yaml.safe_load(WORKFLOWS["audit"].read_text("utf-8"))
    steps = workflow["jobs"]["audit"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make audit"]
    # YAML reads the word `on` as a truth value.
    triggers = workflow[True]
    assert "schedule" in triggers
    for files in (triggers["push"]["paths"], triggers["pull_request"]["paths"]):
        assert {"requirements.lock", "requirements-torch.lock"} <= set(files)
        assert all((ROOT / path).exists() for path in files)
