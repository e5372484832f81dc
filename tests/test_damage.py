"""Damage: of every shipped file, of caches and records; a full disk; processes that were killed."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tinyml_helpers import datasets, mcu, models
from tinyml_helpers.course import doctor, scoreboard
from tinyml_helpers.deploy import litert, model_file
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.system import folders, shared_folders, shipped_files

FILES = sorted(datasets.manifest())
DATA = datasets.data_folder()


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    """A data folder whose files are links to the real ones: a test replaces the one it damages."""
    folder = tmp_path_factory.mktemp("data")
    for name in (*FILES, "manifest.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(DATA / name)
    return folder


@pytest.fixture
def damaged(linked, monkeypatch):
    """A function that puts other bytes, or a folder, in the place of a file; undone afterwards."""
    monkeypatch.setenv("TINYML_DATA", str(linked))
    touched = []

    def damage(name, content):
        path = linked / name
        path.unlink()
        touched.append(name)
        if content is None:
            path.mkdir()
        elif content != b"gone":
            path.write_bytes(content)

    yield damage
    for name in touched:
        path = linked / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        path.symlink_to(DATA / name)


def flipped(content, place):
    changed = bytearray(content)
    changed[place % len(content)] ^= 1 << (place % 8)
    return bytes(changed)


DAMAGES = {
    "truncated": lambda content, _: content[: len(content) * 2 // 3],
    "one byte short": lambda content, _: content[:-1],
    "one byte long": lambda content, _: content + b"\n",
    "first bit": lambda content, _: flipped(content, 0),
    "middle bit": lambda content, _: flipped(content, len(content) // 2),
    "last bit": lambda content, _: flipped(content, len(content) - 1),
    "emptied": lambda content, _: b"",
    "swapped": lambda content, other: other,
    "unreadable": lambda content, _: None,
    "deleted": lambda content, _: b"gone",
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_is_named_with_its_cure(damaged, damage):
    for place, name in enumerate(FILES):
        alike = [o for o in FILES if Path(o).suffix == Path(name).suffix and o != name]
        other = DATA / (alike or FILES[place - 1 :])[0]
        damaged(name, DAMAGES[damage]((DATA / name).read_bytes(), other.read_bytes()))
        with pytest.raises(datasets.DataError) as caught:
            datasets.read_verified(name)
        assert str(caught.value).startswith(f"data/{name} ")
        assert f"`git checkout -- data/{name}`" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_who_reads_a_model_by_its_path_gets_the_same_error(damaged, linked):
    name = "models/small.tflite"
    # In the weights: nothing but the sum tells.
    damaged(name, flipped((DATA / name).read_bytes(), 40_000))
    for read in (model_file.read_model, litert.inspect, litert.load, mcu.build):
        for path in (linked / name, str(linked / "models" / ".." / name)):
            with pytest.raises(model_file.ModelError, match=r"small\.tflite is damaged.*git checkout"):
                read(path)
    with pytest.raises(datasets.DataError):
        datasets.read_file(linked / name)


def test_a_model_of_ones_own_is_read_as_it_is(linked, monkeypatch, tmp_path):
    monkeypatch.setenv("TINYML_DATA", str(linked))
    for path in (tmp_path / "mine.tflite", linked / "models" / "mine.tflite"):
        path.write_bytes(b"mine")
        assert datasets.read_file(path) == b"mine"
        path.unlink()


LOADERS = {
    "fashion_mnist_train.npz": datasets.load_fashion,
    "gestures.npz": datasets.load_gestures,
    "keywords.npz": datasets.load_keywords,
    "photos.npz": lambda: datasets.load_photos(),
    "shuttle.npz": datasets.load_shuttle,
    "models/small.safetensors": lambda: models.load_trained("small"),
    "models/small-pruned.safetensors": lambda: models.load_trained("small", "pruned"),
    "models/gestures.json": lambda: __import__(
        "tinyml_helpers.usecases.gestures.network", fromlist=["results"]
    ).results(),
    "reference/scoreboard.json": lambda: shipped_files.read_json("reference/scoreboard.json"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("name", LOADERS)
def test_loaders_refuse_a_damaged_file(damaged, name):
    damaged(name, flipped((DATA / name).read_bytes(), 1000))
    with pytest.raises(datasets.DataError, match=rf"{name} is damaged.*git checkout -- data/{name}"):
        LOADERS[name]()


def test_every_bit_of_the_manifest_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_DATA", str(tmp_path))
    good = (DATA / "manifest.json").read_bytes()
    path, stored = tmp_path / "manifest.json", json.loads(good)
    for place in range(0, len(good), 97):
        path.write_bytes(flipped(good, place))
        os.utime(path, ns=(place, place))  # the same moment would hide the change
        try:
            assert datasets.manifest() == stored["files"]  # a blank for a tab, perhaps
        except datasets.DataError as error:
            assert "git checkout -- data/manifest.json" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'{"files": {}}', b"\xff\xfe", b"[" * 100_000, b'{"files": 1, "sha256": 2}'],
)
def test_a_manifest_that_is_none_is_named(tmp_path, monkeypatch, content):
    monkeypatch.setenv("TINYML_DATA", str(tmp_path))
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(datasets.DataError, match=r"manifest\.json.*git checkout -- data/manifest\.json"):
        datasets.manifest()
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(datasets.DataError, match=r"git checkout -- data/manifest\.json.*TINYML_DATA"):
        datasets.manifest()


def test_the_reference_is_verified_before_it_is_shown(monkeypatch, damaged):
    damaged("reference/scoreboard.json", flipped((DATA / "reference/scoreboard.json").read_bytes(), 99))
    monkeypatch.setattr(
        scoreboard,
        "reference_path",
        lambda: shipped_files.data_folder() / "reference" / "scoreboard.json",
    )
    with pytest.raises(datasets.DataError, match=r"reference/scoreboard\.json is damaged"):
        scoreboard.reference()


def test_the_doctor_finds_each(damaged):
    damaged("models/keywords.json", b"{}")
    assert "git checkout -- data/models/keywords.json" in repr(doctor.examine())


# ----- caches

PROGRAM = "volatile int y; int main(void) { y = 3; return 0; }"


@pytest.fixture(scope="module")
def elf():
    """The program, as the real compiler makes it."""
    return toolchain.compile_c(PROGRAM).elf


@pytest.fixture
def runs(tmp_path, monkeypatch, elf):
    """A cache of its own that holds the program, and a quick compiler; the list of its runs."""
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "cache"))
    runs = []

    def compiler(arguments, work):
        runs.append(arguments)
        Path(work, arguments[-1]).write_bytes(elf)

    monkeypatch.setattr(toolchain, "_zig", compiler)
    toolchain.compile_c(PROGRAM)
    return runs


@pytest.mark.parametrize("damage", ["truncated", "middle bit", "emptied", "unsealed", "other seal"])
def test_a_damaged_program_in_the_cache_is_compiled_again(runs, elf, damage):
    (path,) = toolchain.cache_dir().glob("*.elf")
    seal = path.with_name(f"{path.name}.sha256")
    if damage == "unsealed":  # as older versions left them, or a process that was killed in between
        seal.unlink()
    elif damage == "other seal":
        seal.write_bytes(b"\xff" * 64)
    else:
        path.write_bytes(DAMAGES[damage](elf, b""))
    for _ in range(2):
        assert toolchain.compile_c(PROGRAM).elf == elf
        assert len(runs) == 2


def test_a_compiler_that_stumbles_over_its_cache_gets_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    mark = toolchain.cache_dir() / "zig" / "mark"
    mark.parent.mkdir()
    mark.touch()
    answers = [(1, ""), (0, "")]

    def answer(*_):
        code, said = answers.pop(0)
        return subprocess.CompletedProcess([], code, "", said)

    monkeypatch.setattr(toolchain, "_run", answer)
    toolchain._zig([], "")
    assert not mark.exists()
    answers[:] = [(1, "main.c:1:1: error: no such thing")]
    with pytest.raises(toolchain.ToolchainError, match="no such thing"):
        toolchain._zig([], "")
    answers[:] = [(-11, ""), (-11, "")]
    with pytest.raises(toolchain.ToolchainError, match="ended with code -11"):
        toolchain._zig([], "")


# ----- records


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'[{"name": "a.b"',
        b"{}garbage",
        b"\xff\xff",
        b'[{"name": 1, "value": "x", "unit": 2, "lesson": null}]',
        b'[{"name": "a.b", "value": NaN, "unit": "", "lesson": 1}]',
        b'[{"name": "a.b", "value": 1.0, "unit": "", "lesson": 1, "old": 2}]',
        b'{"a": 1}',
        b"[" * 100_000,
    ],
)
def test_damaged_records_are_named_with_the_cure(results, content):
    results.mkdir()
    (results / "01.json").write_bytes(content)
    for use in (scoreboard.collect, lambda: scoreboard.record("a.b", 1, "", lesson=1)):
        with pytest.raises(ValueError, match=r"01\.json is damaged: delete it and run its lesson again"):
            use()
    scoreboard.record("a.b", 1, "", lesson=2)  # the others go on


# ----- a full disk


@pytest.fixture
def full_disk(monkeypatch):
    """Every file takes ten bytes, and then the disk is full."""

    def write_bytes(path, data):
        with path.open("wb") as file:
            file.write(bytes(data)[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def write_text(path, text, *_, **__):
        write_bytes(path, text.encode())

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    monkeypatch.setattr(Path, "write_text", write_text)


def everything(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, request):
    path = tmp_path / "page.html"
    folders.write_atomically(path, "old")
    request.getfixturevalue("full_disk")
    with pytest.raises(
        folders.WriteError, match=r"page\.html was not written \(No space left.*make room"
    ) as told:
        folders.write_atomically(path, "new" * 100)
    # The person chose this folder, and no variable moves it.
    assert f"or choose a folder other than {tmp_path} that you may write to" in str(told.value)
    assert "TINYML" not in str(told.value)
    assert path.read_text() == "old"
    assert everything(tmp_path) == [path]


@pytest.mark.parametrize("variable", ["TINYML_CACHE", "TINYML_RESULTS"])
def test_a_folder_of_the_course_is_named_by_its_variable(tmp_path, monkeypatch, variable, request):
    monkeypatch.setenv(variable, str(tmp_path))
    request.getfixturevalue("full_disk")
    with pytest.raises(folders.WriteError) as told:
        folders.write_atomically(tmp_path / "below" / "file", "new")
    assert str(told.value).endswith(f"choose a folder that you may write to by {variable}")


def test_a_full_disk_keeps_the_records(results, request):
    scoreboard.record("a.b", 1, "", lesson=1)
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match=r"01\.json was not written.*TINYML_RESULTS"):
        scoreboard.record("a.c", 2, "", lesson=1)
    assert [r.name for r in scoreboard.collect().records] == ["a.b"]
    assert everything(results) == [results / "01.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_a_limit_of_the_system_keeps_the_records_whole(results):
    # A real one, which stops in the middle of a file.
    code = """
        import resource
        from tinyml_helpers.course import scoreboard
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
        for number in range(20):
            scoreboard.record(f"a.n{number}", number, "", lesson=1)
    """
    command = [sys.executable, "-B", "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert "WriteError" in run.stderr
    assert "01.json was not written (File too large)" in run.stderr
    names = [record.name for record in scoreboard.collect().records]
    assert names == [f"a.n{number}" for number in range(len(names))]
    assert 3 < len(names) < 20
    assert everything(results) == [results / "01.json"]


def test_a_full_disk_stops_the_compiler_with_a_sentence(tmp_path, monkeypatch, full_disk):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    with pytest.raises(toolchain.ToolchainError, match=r"No space left.*make room in.*TINYML_CACHE"):
        toolchain.compile_c(PROGRAM + "// full")
    assert everything(tmp_path) == []


def test_a_full_disk_leaves_no_half_project(tmp_path, monkeypatch, request):
    firmware = mcu.build(DATA / "models" / "magic_wand.tflite")
    project = firmware.export(tmp_path / "project")
    before = {path: path.read_bytes() for path in everything(project)}
    request.getfixturevalue("full_disk")
    for folder in (project, tmp_path / "other"):
        with pytest.raises(OSError, match="No space left"):
            firmware.export(folder)
    assert {path: path.read_bytes() for path in everything(tmp_path)} == before


def test_an_export_replaces_nobodys_files(tmp_path):
    firmware = mcu.build(DATA / "models" / "magic_wand.tflite")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds README\.md already: give an empty folder"):
        firmware.export(tmp_path)
    assert everything(tmp_path) == [tmp_path / "README.md"]
    (tmp_path / "README.md").unlink()
    firmware.export(tmp_path)
    firmware.export(tmp_path)  # its own are renewed


# ----- processes that are killed


def killed(code, sign):
    """Run code until the file `sign` is there, and kill it as a battery does."""
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[1],
    )
    until = time.monotonic() + 120
    while not sign.exists():
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    child.wait()


def test_a_killed_kernel_leaves_no_lock(results, tmp_path):
    code = f"""
        import pathlib, time
        from tinyml_helpers.system import folders, shared_folders
        folder = pathlib.Path({str(results)!r})
        path = folder / "01.json"
        with shared_folders.lock_folder(folder), folders.replace_when_written(path) as partial:
            partial.write_text("half")
            pathlib.Path({str(tmp_path / "sign")!r}).touch()
            time.sleep(600)
    """
    killed(code, tmp_path / "sign")
    began = time.monotonic()
    scoreboard.record("a.b", 1, "", lesson=1)
    assert time.monotonic() - began < shared_folders._PATIENCE_SECONDS / 2
    assert scoreboard.collect()["a.b"] == 1
    # What it left is not read, and goes when it is a day old.
    (left,) = results.glob("*.partial")
    os.utime(left, (1, 1))
    scoreboard.record("a.b", 2, "", lesson=1)
    assert everything(results) == [results / "01.json"]


def test_a_compiler_that_is_killed_leaves_nothing_that_counts(runs, tmp_path):
    code = f"""
        import pathlib, time
        from tinyml_helpers.mcu.target import toolchain
        def slow(arguments, work):
            pathlib.Path(work, arguments[-1]).write_bytes(b"half")
            pathlib.Path({str(tmp_path / "sign")!r}).touch()
            time.sleep(600)
        toolchain._zig = slow
        toolchain.compile_c("int main(void) {{ return 42; }}")
    """
    killed(code, tmp_path / "sign")
    (left,) = toolchain.cache_dir().glob("work-*")
    os.utime(left, (1, 1))
    assert toolchain.compile_c("int main(void) { return 42; }").symbols["main"]
    assert not left.exists()
