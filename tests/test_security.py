"""What SECURITY.md promises: downloads, archives, formats that could act, and emulated programs."""

import ast
import contextlib
import gzip
import hashlib
import importlib.util
import io
import json
import socket
import struct
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tinyml_helpers.datasets import DataError
from tinyml_helpers.mcu.target import emulator, toolchain
from tinyml_helpers.mcu.target.faults import EmulatorError
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.system import download

ROOT = Path(__file__).parents[1]
CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()

# ----- downloads: a server that plays tricks


@contextlib.contextmanager
def server(*replies):
    """Answer each connection on loopback by the next of the functions, which gets the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for reply in replies:
                with contextlib.suppress(OSError):
                    link, _ = listener.accept()
                    with link:
                        link.recv(65536)
                        reply(link)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file.bin"


def sends(body, *headers, length=None, status="200 OK"):
    size = len(body) if length is None else length
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]).encode()
    return lambda link: link.sendall(head + body)


def endless(link):
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        link.sendall(bytes(1 << 16))


def drips(first):
    def reply(link):
        link.sendall(first)
        for _ in range(200):
            link.sendall(b"x")
            time.sleep(0.05)

    return reply


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.4)


def fetched(url, folder, digest=DIGEST, most_bytes=1 << 20):
    return download.fetch(url, digest, folder, most_bytes)


def test_a_whole_file_is_fetched_and_verified(tmp_path):
    with server(sends(CONTENT)) as url:
        assert fetched(url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (sends(CONTENT[:-1] + b"!"), "hash|SHA256"),
        (sends(CONTENT[:500], length=len(CONTENT)), "ended after 500 of 102,400 bytes"),
        (sends(b"", length=1 << 40), "more than 1,048,576"),
        (endless, "more than 1,048,576 bytes arrived"),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n\r\n"), "only .* bytes came in|timed out"),
        (lambda link: time.sleep(1.5), "timed out"),
        (lambda link: link.sendall(b"nonsense\r\n\r\n"), "BadStatusLine|could not fetch"),
        (lambda link: None, "could not fetch"),
        (sends(b"", "Location: file:///etc/hosts", status="302 Found"), "not allowed"),
        (sends(b"", "Location: ftp://127.0.0.1/x", status="302 Found"), "could not fetch"),
        (sends(b"", "Location: data:,x", status="302 Found"), "not allowed"),
        (sends(b"", status="404 Not Found"), "404"),
        (sends(gzip.compress(bytes(1 << 24)), "Content-Encoding: gzip"), "hash|SHA256"),
    ],
)
def test_a_server_that_plays_tricks_is_told_in_one_sentence(tmp_path, impatient, reply, message):
    start = time.monotonic()
    with server(reply) as url, pytest.raises(DataError, match=message):
        fetched(url, tmp_path)
    assert time.monotonic() - start < 30
    assert not (tmp_path / "file.bin").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= len(CONTENT)


def test_a_redirect_loop_ends(tmp_path, impatient):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hop = sends(b"", f"Location: http://127.0.0.1:{port}/", status="302 Found")
    with server(hop, *[hop] * 12) as url, pytest.raises(DataError):
        fetched(url, tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/x", "data:,x", "/etc/hosts"])
def test_wherever_a_file_comes_from_its_digest_decides(tmp_path, url):
    with pytest.raises(DataError, match="could not fetch"):
        fetched(url, tmp_path)
    assert not list(tmp_path.glob("hosts"))


def test_a_broken_download_goes_on_where_it_stopped(tmp_path):
    rest = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 101900\r\n\r\n" + CONTENT[500:]
    broken = sends(CONTENT[:500], length=len(CONTENT))
    with server(broken, lambda link: link.sendall(rest)) as url:
        with pytest.raises(DataError, match="500 bytes are kept"):
            fetched(url, tmp_path)
        assert fetched(url, tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_small_files_have_limits_too(impatient):
    with server(sends(CONTENT)) as url:
        assert download.read(url, len(CONTENT)) == CONTENT
    with server(sends(CONTENT)) as url, pytest.raises(DataError, match="more than 100"):
        download.read(url, 100)
    with server(endless) as url, pytest.raises(DataError, match="bytes arrived"):
        download.read(url, 1 << 20)


def test_no_code_fetches_but_the_one_that_verifies():
    """Only the module with the limits opens addresses, but for scikit-learn's loader of faces."""
    for path in sorted((ROOT / "tinyml_helpers").rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name in ("download.py", "socket_guard.py"):  # the latter shows a careless one
            continue
        for word in ("urlopen", "urlretrieve", "import requests", "pooch.", "fetch_lfw", "http.client"):
            mine = path.name == "cloud.py" or (word, path.name) == ("fetch_lfw", "lfw.py")
            assert word not in text or mine, f"{word} in {path.name}"


# ----- archives


def tar(files, mode="w:gz"):
    """An archive of pairs of a name, or a TarInfo, and content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for member, content in files:
            about = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def odd(name, kind, link=""):
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, link
    return about, b""


HOSTILE = {
    "climbs": [("../out.txt", b"x")],
    "climbs from within": [("a/../../out.txt", b"x")],
    "absolute link": [odd("link", tarfile.SYMTYPE, "/etc"), ("link/out.txt", b"x")],
    "climbing link": [odd("link", tarfile.SYMTYPE, "../.."), ("link/out.txt", b"x")],
    "hard link": [odd("link", tarfile.LNKTYPE, "../../secret")],
    "device": [odd("null", tarfile.CHRTYPE)],
    "pipe": [odd("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_cannot_leave_its_folder(tmp_path, kind):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in").mkdir()
    archive = tmp_path / "in" / "evil.tar.gz"
    archive.write_bytes(tar(HOSTILE[kind]))
    with pytest.raises(DataError, match=r"cannot unpack evil.tar.gz"):
        download.unpack(archive, tmp_path / "in" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evil.tar.gz", "in", "secret"]


def test_names_from_the_root_land_inside(tmp_path):
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar([("/etc/x.txt", b"x"), ("b/y", b"y")], "w"))
    assert (download.unpack(archive, tmp_path / "out") / "etc" / "x.txt").read_bytes() == b"x"


# The two with a clock in their bytes need names: two workers that collect must find the same tests.
@pytest.mark.parametrize(
    "content",
    [b"", b"text", tar([("a", CONTENT)])[:-40], gzip.compress(b"x" * 9999)],
    ids=["empty", "text", "cut short", "no archive"],
)
def test_a_damaged_archive_is_told_and_leaves_nothing(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="cannot unpack"):
        download.unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_old_python_that_cannot_unpack_safely_does_not(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"Python 3\.11\.4 or newer"):
        download.unpack(tmp_path / "a.tar", tmp_path / "out")


# ----- formats that could act

FORBIDDEN = {
    "pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle",
}  # fmt: skip
LOADERS = {
    "torch.load", "joblib.load", "joblib.Memory", "yaml.load", "torch.hub.load",
    "torch.package.PackageImporter",
}  # fmt: skip
ACTS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "pty.spawn"}
# Module -> calls that it may make, and why.
ALLOWED = {
    "tinyml_helpers/classroom/grade/worker.py": {"exec", "compile"},  # runs submissions, locked in
    "tinyml_helpers/classroom/grade/slicing.py": {"compile"},  # to a syntax tree, which is not run
    "data/build/gestures.py": {"pickle"},  # its unpickler builds plain arrays only: see test_gestures.py
}


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def offences(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (name for name in names if name.partition(".")[0] in FORBIDDEN)
        if not isinstance(node, ast.Call):
            continue
        name, options = dotted(node.func), {word.arg: word.value for word in node.keywords}
        off = {key: getattr(value, "value", None) for key, value in options.items()}
        if name in ACTS | LOADERS:
            yield name
        # Without these options numpy and Keras read data only, and subprocess starts no shell.
        wrong = {"allow_pickle": False, "shell": False, "safe_mode": True}
        if any(off[key] is not value for key, value in wrong.items() if key in off):
            yield f"{name} with an unsafe option"
        if name.endswith(("unsafe_load", "full_load", "enable_unsafe_deserialization", "read_pickle")):
            yield name


SOURCES = [
    path
    for folder in ("tinyml_helpers", "data/build", "benchmarks", "book")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / "bootstrap.py"]  # fmt: skip


def test_no_format_that_could_act_is_read_by_any_module():
    assert len(SOURCES) > 150
    found = {}
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        left = set(offences(ast.parse(path.read_text("utf-8")))) - ALLOWED.get(name, set())
        if left:
            found[name] = left
    assert not found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_no_format_that_could_act_is_read_by_a_lesson(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            code = "\n".join(
                "" if line.lstrip()[:1] in "%!" and line.strip() else line for line in lines
            )
            assert not list(offences(ast.parse(code))), code


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from joblib import Memory; import dill", "torch.load('x')", "eval('1')",
        "np.load('x', allow_pickle=True)", "np.load('x', allow_pickle=flag)", "yaml.load(x)",
        "subprocess.run('x', shell=True)",
        "keras.models.load_model('x', safe_mode=False)", "keras.config.enable_unsafe_deserialization()",
        "joblib.Memory('x')",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(code):
    assert list(offences(ast.parse(code)))


def test_shipped_files_hold_no_pickle():
    for path in (ROOT / "data").rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".md"}:
            head = path.read_bytes()[:4]
            assert not (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"), path.name
            assert path.suffix not in {".pt", ".pth", ".pkl", ".h5", ".keras", ".joblib"}, path.name


# ----- the audit


@pytest.mark.parametrize(
    ("packages", "code", "sentence"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 of 1 packages looked up, 0 weak."),
        ([{"name": "a", "skip_reason": "not found"}], 2, "which is not the same as safe"),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "no"}],
            2,
            "Not in the list: b.",
        ),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}],
            1,
            "a 1: X-1, mended in 2",
        ),
    ],
)
def test_an_audit_that_looked_up_nothing_is_no_success(packages, code, sentence, capsys):
    spec = importlib.util.spec_from_file_location("audit", ROOT / "benchmarks" / "audit.py")
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    assert audit.told(packages, {}) == code
    assert sentence in capsys.readouterr().out


# ----- emulated programs

START = "#include <stdint.h>\nvolatile int32_t x;\nint main(void) { x = 1; %s x = 6; return 0; }"
CODE = "*(volatile uint32_t *)%s = 0x47703001; ((void (*)(void))(%s | 1))(); "
HOSTILE_CODE = {
    "code in the page of registers": CODE % ("0xE000E100", "0xE000E100"),
    "code in RAM": CODE % ("0x20000100", "0x20000100"),
    "code at the counter": "((void (*)(void))0xE0001005)();",
    "the last byte of flash": "((void (*)(void))0x080FFFFF)();",
    "beyond flash": "((void (*)(void))0x08100001)();",
    "the end of the world": "((void (*)(void))0xFFFFFFFF)();",
    "a return from an interrupt that never came": "((void (*)(void))0xFFFFFFF9)();",
    "nowhere": "((void (*)(void))1)();",
    "a semihosting call": '__asm__ volatile("bkpt #0xab");',
    "a service call": '__asm__ volatile("svc #0");',
    "sleep": '__asm__ volatile("wfi");',
    "a loop": "for (;;) x++;",
    "all of memory, upwards": "for (uint32_t a = 0x20000000;; a += 4) *(volatile uint32_t *)a = a;",
    "all of memory, downwards": "for (uint32_t a = 0x20001000;; a -= 4) *(volatile uint32_t *)a = a;",
    "a stack elsewhere": '__asm__ volatile("mov sp, %0\\n push {r0}" :: "r"(0x90000000));',
}


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("kind", HOSTILE_CODE)
def test_a_hostile_program_stays_in_its_device(kind, core):
    image = toolchain.compile_c(START % HOSTILE_CODE[kind], core)
    with pytest.raises(EmulatorError):
        emulator.run(image, {}, {"x": "int32"}, limit=200_000)


def test_a_program_that_sleeps_for_ever_has_not_ended():
    image = toolchain.compile_c(START % HOSTILE_CODE["sleep"])
    with pytest.raises(EmulatorError, match=r"in main\(\): it waits for an interrupt"):
        emulator.run(image, {}, {"x": "int32"})


def test_registers_can_be_written_and_the_program_goes_on():
    code = "for (uint32_t a = 0xE000E000; a < 0xE000F000; a += 4) *(volatile uint32_t *)a = ~0u;"
    assert emulator.run(toolchain.compile_c(START % code), {}, {"x": "int32"}).outputs["x"][0] == 6


@pytest.fixture(scope="module")
def image():
    return toolchain.compile_c("int a[4], sum = 3; int main(void) { sum += a[1]; return 0; }")


def rebuilt(image, elf):
    return Image(bytes(elf), image.core, image.flash_limit_bytes, image.ram_limit_bytes)


@pytest.mark.parametrize("address", [0, 0x0800_0000 - 4, 0x0810_0000 - 4, 0x2000_0000, 0xFFFF_FFFC])
def test_a_program_for_another_place_is_refused(image, address):
    elf = bytearray(image.elf)
    (table,) = struct.unpack_from("<I", elf, 28)
    struct.pack_into("<I", elf, table + 12, address)
    if address == 0x0810_0000 - 4:
        struct.pack_into("<I", elf, table + 16, 4096)
    with pytest.raises(ValueError, match="outside of the device's flash"):
        emulator.run(rebuilt(image, elf))


@pytest.mark.parametrize("elf", [b"", b"\x7fELF", b"MZ" * 99, bytes(1000)])
def test_what_is_no_program_is_told(image, elf):
    with pytest.raises(ValueError, match="not a whole linked program"):
        emulator.run(rebuilt(image, elf))


def test_a_variable_of_the_size_of_the_world_is_refused(image):
    from elftools.elf.elffile import ELFFile

    elf = bytearray(image.elf)
    table = ELFFile(io.BytesIO(image.elf)).get_section_by_name(".symtab")
    place = next(i for i, symbol in enumerate(table.iter_symbols()) if symbol.name == "sum")
    struct.pack_into("<I", elf, table["sh_offset"] + 16 * place + 8, 0xFFFF_FFF0)
    with pytest.raises(ValueError, match="'sum' lies outside of the device's memory"):
        emulator.run(rebuilt(image, elf), {}, {"sum": "int32"})


def test_damaged_programs_are_refused_or_run_within_their_limits(image):
    draw = np.random.default_rng(0)
    for _ in range(60):
        elf = bytearray(image.elf)
        for place in [
            *draw.integers(0, len(elf), draw.integers(1, 9)).tolist(),
            int(draw.integers(180)),
        ]:
            elf[place] = int(draw.integers(256))
        with contextlib.suppress(ValueError, EmulatorError):
            damaged = rebuilt(
                image, elf[: int(draw.integers(1, len(elf)))] if draw.random() < 0.1 else elf
            )
            assert repr(damaged)
            emulator.run(damaged, {}, {"sum": "int32"}, limit=50_000)
