"""Files that others wrote: damaged, dishonest, huge. One clear error each, and nothing else happens.

The first tests draw files as tests/fuzz does, which tries a hundred thousand (`make fuzz` goes on from
there); the others keep what was found that way.
"""

import gzip
import io
import json
import shutil
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_maker import Maker, random_network

from tinyml_helpers.course import syllabus
from tinyml_helpers.datasets import DataError
from tinyml_helpers.datasets.gestures import recording_files
from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.datasets.images.fashion_mnist import decode_idx
from tinyml_helpers.datasets.sound_files import MOST_SAMPLES, read_sound
from tinyml_helpers.datasets.vibration import cwru
from tinyml_helpers.datasets.vibration import folder as vibration_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx import export
from tinyml_helpers.deploy.tflite import probe, reader, tflm
from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu import build
from tinyml_helpers.system import untrusted
from tinyml_helpers.usecases.detection import requantize

sys.path.insert(0, str(Path(__file__).with_name("fuzz")))
import generated
import mutate
import targets

QUICK = sorted(
    name
    for name, target in targets.TARGETS.items()
    if not target.fork and name not in ("weights", "sealed")
)


@pytest.mark.parametrize("name", QUICK)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def attack(seed):
        assert targets.attempt(targets.TARGETS[name], mutate.made(name, seed, 0), tmp_path) in (
            "accepted",
            "refused",
        )

    attack()


@pytest.mark.parametrize("name", QUICK)
def test_any_bytes_are_read_or_refused(name, tmp_path):
    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=300))
    def attack(content):
        assert targets.attempt(targets.TARGETS[name], content, tmp_path) in ("accepted", "refused")

    attack()


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# A process of its own


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_what_crashes_hangs_or_eats_memory_does_so_elsewhere(tmp_path, monkeypatch):
    limit = "from tinyml_helpers.system import untrusted; guarded.limit_memory()\n"
    write(tmp_path / "crashing.py", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    write(tmp_path / "hanging.py", "import time; time.sleep(60)")
    write(tmp_path / "hungry.py", limit + "bytes(2 ** 33)")
    write(tmp_path / "echo.py", "import sys; print(sys.stdin.read() + sys.argv[1])")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[1]}")
    assert untrusted.run_isolated("echo", "b", content=b"a", seconds=60).strip() == b"ab"
    with pytest.raises(untrusted.GuardedError, match="SIGSEGV"):
        untrusted.run_isolated("crashing", content=b"", seconds=60)
    with pytest.raises(untrusted.TimeUpError, match=r"not done after 0\.5 s"):
        untrusted.run_isolated("hanging", content=b"", seconds=0.5)
    if sys.platform == "linux":  # other systems do not see to it
        with pytest.raises(untrusted.GuardedError, match="exit code 1"):
            untrusted.run_isolated("hungry", content=b"", seconds=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_system_that_refuses_the_limit_reads_without_it(monkeypatch):
    import resource

    asked = []

    def refuse(*limit):
        asked.append(limit)
        raise ValueError("current limit exceeds maximum limit")  # macOS says so

    monkeypatch.setattr(resource, "setrlimit", refuse)
    untrusted.limit_memory()
    assert asked == [(resource.RLIMIT_AS, (untrusted.MEMORY_BYTES, untrusted.MEMORY_BYTES))]


def test_matlab_files_are_read_by_such_a_process(tmp_path, monkeypatch):
    """SciPy's reader crashed on a damaged one."""

    def crash(*_, **__):
        raise untrusted.GuardedError("SIGSEGV")

    monkeypatch.setattr(untrusted, "run_isolated", crash)
    with pytest.raises(DataError, match=r"97\.mat is no MATLAB file, or a damaged one .*SIGSEGV"):
        cwru.read_cwru(write(tmp_path / "97.mat", b"x"))


def test_strange_text_is_short_and_harmless_in_a_message():
    assert untrusted.one_line("a\x1b[31m\nb" + "c" * 10**6, 20) == "a?[31m b" + "c" * 9 + "..."


# Sound


def wav(rate=16000, channels=1, bits=16, form=1, samples=b"\1\0" * 400, size=None):
    head = struct.pack(
        "<HHIIHH", form, channels, rate, rate * channels * bits // 8 % 2**32, channels * bits // 8, bits
    )
    size = len(samples) if size is None else size
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("rate", [1, 999, 384_001, 1_000_000_007, 2**31 - 1])
def test_a_rate_that_no_recorder_has_is_refused(tmp_path, rate):
    """1 GHz in a file of 3 kB took three minutes and 16 GB to resample."""
    with pytest.raises(DataError, match=r"a\.wav (has .* samples a second|cannot be read)"):
        read_sound(write(tmp_path / "a.wav", wav(rate)))


def test_a_length_that_the_file_only_promises_claims_no_memory(tmp_path):
    import soundfile

    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(1000), 16000)
    content = bytearray(path.read_bytes())
    assert (
        content[4] & 127 == 0
    )  # the first block holds the number of samples, in its last 36 bits before the MD5
    content[8 + 13] |= 15
    with pytest.raises(DataError, match=f"or says so: cut it into files of {MOST_SAMPLES:,}"):
        read_sound(write(path, bytes(content)))


@pytest.mark.parametrize("value", [3e38, 1e10, float("nan"), float("inf")])
def test_values_far_from_full_scale_are_refused(tmp_path, value):
    samples = struct.pack("<f", value) * 400
    with pytest.raises(DataError, match=r"a\.wav holds values that are no numbers, or far from -1 to 1"):
        read_sound(write(tmp_path / "a.wav", wav(bits=32, form=3, samples=samples)))


def test_honest_sound_is_still_read(tmp_path):
    assert len(read_sound(write(tmp_path / "a.wav", wav())).samples) == 400


# Tables

TIME = [i / 8000 for i in range(6000)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s,acceleration_g\n0,nan\nnan,1\n0.0002,1\n", "line 3: it does not hold 2 finite"),
        ("time_s,acceleration_g\n0,1\n1e300,1\n2e300,1\n", "samples in a unit of its time"),
        ("time_s,acceleration_g\n0,1\n1e-300,1\n2e-300,1\n", "samples in a unit of its time"),
        ("time_s,acceleration_g\n" + "\n".join(f"{t},1e300" for t in TIME), "line 3: it does not hold"),
        ("x" * 10**5 + "\n1\n", "holds no columns of numbers"),
        ('"' + "x" * 200_000 + '"\n', "field larger than field limit"),
    ],
)
def test_a_table_of_vibration_that_lies_is_refused_in_a_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as raised:
        vibration_folder.read_signal(write(tmp_path / "a.csv", text))
    assert "a.csv" in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_table_as_spreadsheets_save_it_is_read(tmp_path):
    rows = "\n".join(f"{t},{np.sin(t)}" for t in TIME)
    path = write(tmp_path / "a.csv", f"\ufefftime_s,acceleration_g\n{rows}\n")
    assert len(vibration_folder.read_signal(path).values) == len(TIME)


@pytest.mark.parametrize("value", ["1e300", "-1e14", "nan", "1e999"])
def test_a_movement_beyond_all_sensors_is_refused(tmp_path, value):
    rows = [f"{i / 50},0,0,1,0,0,{value if 99 <= i < 110 else 0}" for i in range(300)]
    path = write(tmp_path / "a.csv", "\n".join(["time_s,ax,ay,az,wx,wy,wz", *rows]))
    with pytest.raises(DataError, match=r"a\.csv, line 101: it does not hold 7 finite numbers up to"):
        recording_files.read([path])


def test_messages_about_tables_stay_short(tmp_path):
    long = "9" * 10**5
    for text in (long, "time_s,ax,ay,az,wx,wy,wz\n" + long, "time_s,ax,ay,az,wx,wy,wz\n" + "x," * 10**4):
        with pytest.raises(DataError) as raised:
            recording_files.read([write(tmp_path / "a.csv", text)])
        assert len(str(raised.value)) < 500


def test_tables_of_gigabytes_are_refused_unread(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", "time_s")
    monkeypatch.setattr(
        untrusted.Path, "stat", lambda _, **__: type("S", (), {"st_size": 10**10, "st_mode": 0o100644})()
    )
    for read in (
        lambda path: recording_files.read([path]),
        vibration_folder.read_signal,
    ):
        with pytest.raises(DataError, match=r"a\.csv has 10,000,000,000 bytes"):
            read(path)


def test_a_packed_file_that_grows_without_end_is_refused():
    with pytest.raises(DataError, match="not a gzipped IDX file"):
        decode_idx(gzip.compress(b"\0\0\x08\x01\x10\0\0\0" + bytes(100_000_000), 1))
    whole = gzip.compress(b"\0\0\x08\x01\0\0\0\x05hello" * 50)
    for place in range(10, len(whole)):
        for value in (0, 255):
            damaged = bytearray(whole)
            damaged[place] = value
            try:
                decode_idx(bytes(damaged))
            except DataError as error:
                assert str(error)


# Photos


def picture(mode, size, form):
    from PIL import Image

    packed = io.BytesIO()
    Image.new(mode, size).save(packed, form)
    return packed.getvalue()


def test_no_other_program_is_started_for_a_photo(monkeypatch):
    """Pillow hands PostScript to Ghostscript."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(DataError, match="cannot be read as an image"):
        photo_files.read_image(picture("RGB", (30, 30), "EPS"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_usual_photos_are_read(form):
    assert photo_files.read_image(picture("RGB", (30, 40), form)).shape == (40, 30, 3)


def test_a_transparent_photo_takes_little_more_memory_than_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 2000, 4), np.uint8)
    tracemalloc.start()
    flat = photo_files.read_image(pixels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120_000_000  # 18 million are the result
    part = pixels[:100].astype(np.float64)
    opaque = part[..., 3:] / 255
    np.testing.assert_array_equal(flat[:100], np.round(part[..., :3] * opaque + 255 * (1 - opaque)))


def test_a_bomb_is_told_in_one_error_without_a_warning(recwarn):
    content = picture("1", (13_000, 13_000), "PNG")
    assert len(content) < 100_000
    with pytest.raises(DataError, match="13000 × 13000 pixels, more than 64 million"):
        photo_files.read_image(content)
    assert not recwarn.list


# Notebooks

OPENING = "# 1 · Title\n\nPromise.\n\n**Time**: 5 min\n"


def notebook(**changes):
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": OPENING}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **changes})


@pytest.mark.parametrize(
    "text",
    [
        notebook(cells=[]),
        notebook(cells=[{"cell_type": "markdown", "id": "a", "metadata": {}}]),
        notebook(cells=[{"cell_type": "markdown", "id": "a", "metadata": {}, "source": 5}]),
        notebook(cells={"0": 1}),
        notebook(cells=None),
        notebook(nbformat="4"),
        notebook(nbformat=10**30),
        "[" * 100_000,
        "[]",
        "null",
        "\0",
        notebook().replace("# 1", "# " + "1" * 5000),
    ],
    ids=lambda text: text[:40],
)
def test_a_notebook_that_is_no_lesson_is_named(tmp_path, text):
    write(tmp_path / "01_strange.ipynb", text)
    with pytest.raises(ValueError, match=r"01_strange\.ipynb (is not a notebook|does not open)"):
        syllabus.lessons(tmp_path)


def test_a_notebook_of_100_mb_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(syllabus, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match="is not a notebook"):
        syllabus.read_notebook(write(tmp_path / "a.ipynb", notebook()))


# .tflite


def dense(shape=(1, 4), scale=0.5, dtype="int8", name=None):
    net = Maker()
    given = net.tensor(shape, scale, dtype=dtype)
    weights = net.tensor((2, 4), 0.5, data=np.ones((2, 4)))
    made = net.tensor((shape[0] if shape else 1, 2), 1.0)
    net.operator("FULLY_CONNECTED", [given, weights, -1], made)
    if name is not None:
        net.graph.tensors[1].name = name
    return net, [given], [made]


def packed_model(*args, **options):
    net, inputs, outputs = dense(*args, **options)
    return net.content(inputs, outputs)


def test_every_error_about_a_model_names_its_file(tmp_path):
    path = write(tmp_path / "strange.tflite", packed_model()[:-40])
    text = write(tmp_path / "strange.onnx", b"<html>")
    readers = [litert.load, litert.inspect, requantize.in_float32, build]
    readers += [tflm.measure_arena] if tflm.is_available() else []
    for read in readers:
        with pytest.raises(ModelError, match=r"strange\.tflite: the file is damaged"):
            read(path)
    for read in (
        export.load,
        export.inspect,
        export.list_operators,
        export.strip_notes,
        export.optimize,
    ):
        with pytest.raises(ModelError, match=r"strange\.onnx: "):
            read(str(text))
    with pytest.raises(ModelError) as raised:
        litert.load(path.read_bytes())
    assert str(raised.value).startswith("the file is damaged")


def test_the_type_of_an_error_stays():
    net, inputs, outputs = dense()
    net.graph.operators[0].inputs = [outputs[0], 1, -1]
    with pytest.raises(ModelError, match="reads tensor 2 before anything writes it") as raised:
        build(net.content(inputs, outputs))
    assert type(raised.value).__name__ == "GraphError"


def test_a_view_of_nothing_is_refused():
    net, inputs, outputs = dense()
    net.operator("RESHAPE", [], net.tensor((2,), 1.0))
    with pytest.raises(ModelError, match="RESHAPE"):
        build(net.content(inputs, outputs))


def test_a_name_as_long_as_the_file_does_not_fill_the_screen():
    net, inputs, outputs = dense(name="x" * 100_000)
    net.graph.tensors[1].shape = [-1, 4]
    with pytest.raises(ModelError, match="and shape") as raised:
        reader.read(net.content(inputs, outputs))
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("kernels", litert.available_kernels())
def test_a_model_that_fixes_its_batch_at_five_takes_any_number(kernels):
    model = litert.load(packed_model((5, 4)), kernels)
    for count in (1, 5, 7):
        raw = (4 * (np.arange(4 * count) % 5)).astype(np.int8).reshape(count, 4)
        sums = raw.sum(1, dtype=int)[:, None] // 4
        np.testing.assert_array_equal(model.run(raw), np.tile(sums, 2))


def test_ends_that_no_array_fits_are_refused():
    for model, message in (
        (packed_model((0, 4)), "it has no batch, or no values"),
        (packed_model(scale=0.0), "its scale is 0"),
    ):
        with pytest.raises(ModelError, match=message + r"|interpreter"):
            litert.load(model)


def test_scales_without_zero_points_count_from_zero():
    tensor = Tensor("t", (1, 2), "int8", (0.5,))
    np.testing.assert_array_equal(tensor.quantized(np.float32([[1, 1e30]])), [[2, 127]])
    np.testing.assert_array_equal(tensor.real(np.int8([[2, -2]])), [[1, -1]])
    np.testing.assert_array_equal(Tensor("t", (1,), "float32", (0.0,)).quantized(np.float32([7])), [7])


@pytest.mark.skipif(not tflm.is_available(), reason=tflm.MISSING)
def test_tflm_never_runs_in_this_process(monkeypatch):
    """It reads four sizes of an image that has three: a crash, or none, by what lies behind them."""
    monkeypatch.setattr(probe, "interpreter", lambda *_: pytest.fail("TFLM was started here"))
    model = litert.load(packed_model(), "tflm")
    np.testing.assert_array_equal(model.run(np.full((3, 4), 4, np.int8)), np.full((3, 2), 4))
    with pytest.raises(ModelError, match="measure it on a microcontroller"):
        model.latency_ms()


# .onnx


def onnx_model(nodes, constants=(), shape=(1, 4), opsets=(("", 17), ("strange", 1))):
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*one) for one in opsets], ir_version=9
    )


def test_an_operator_that_borrows_a_name_of_onnx_is_looked_into():
    from onnx import helper

    for inputs in (["x"], ["x"] * 9):
        for kind in ("Conv", "Gemm", "QLinearConv", "DequantizeLinear", "QuantizeLinear"):
            content = onnx_model(
                [helper.make_node(kind, inputs, ["y"], domain="strange")]
            ).SerializeToString()
            assert export.inspect(content).operators == {kind: 1}
            repr(export.inspect(content))


def test_a_name_that_is_no_text_is_refused():
    from onnx import helper

    content = onnx_model([helper.make_node("Relu", ["x"], ["y"], name="NAME")]).SerializeToString()
    with pytest.raises(ModelError, match="a name in it is no text"):
        export.inspect(content.replace(b"NAME", b"\xff\xfe\xfd\xfc"))


def outside(location, inside_a_node):
    from onnx import TensorProto, helper

    scale = TensorProto(name="s", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    scale.external_data.add(key="location", value=location)
    nodes = [helper.make_node("Constant", [], ["s"], value=scale)] if inside_a_node else []
    nodes += [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    return onnx_model(nodes, [] if inside_a_node else [scale]).SerializeToString()


@pytest.mark.parametrize("inside_a_node", [False, True])
@pytest.mark.parametrize("location", ["secret.bin", "../secret.bin", "/etc/hostname"])
def test_files_beside_a_model_are_not_read_by_looking_into_it(
    tmp_path, monkeypatch, location, inside_a_node
):
    (tmp_path / "here").mkdir()
    for place in (tmp_path, tmp_path / "here"):
        write(place / "secret.bin", struct.pack("<f", 1234.5))
    monkeypatch.chdir(tmp_path / "here")
    content = outside(location, inside_a_node)
    told = export.inspect(content)
    assert "1234" not in repr(told)
    assert any(location in note for note in told.notes)
    with pytest.raises(ModelError, match="some constants lie in files beside the model"):
        export.load(content)
    if location != "secret.bin":
        with pytest.raises(ModelError, match=r"m\.onnx: ONNX Runtime refuses"):
            export.load(write(tmp_path / "here" / "m.onnx", content))


def test_a_model_of_176_bytes_that_wants_400_gb_does_not_get_them_here():
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["t"], keepdims=0),
        helper.make_node("Add", ["x", "t"], ["y"]),
    ]
    model = onnx_model(nodes, [numpy_helper.from_array(np.array([10**11]), "n")]).SerializeToString()
    with pytest.raises(ModelError, match="ONNX Runtime"):
        export.load(model)


def test_an_input_that_no_memory_holds_is_refused():
    from onnx import helper

    model = onnx_model([helper.make_node("Relu", ["x"], ["y"])], shape=(2**40, 2**40))
    with pytest.raises(ModelError, match="no array is as large as its input"):
        export.load(model.SerializeToString())


# The C that is generated


@pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("clang")), reason="no gcc, no clang")
@pytest.mark.parametrize("dsp", [True, False])
def test_generated_c_stays_inside_of_its_arrays(dsp, monkeypatch):
    cc = generated.compiler()
    if cc is None:
        pytest.skip("this compiler has no address sanitizer")
    contents = {seed: random_network(seed) for seed in range(31_000, 31_006)}
    compared, wrong, ran = generated.check(contents, dsp, cc)
    assert wrong == []
    assert compared > 500
    assert ran == 6
    if dsp:  # the watch is awake: an array that is one byte shorter than it should be is noticed
        whole = generated.allowed
        monkeypatch.setattr(
            generated, "allowed", lambda program: ((at, size - 1) for at, size in whole(program))
        )
        assert "AddressSanitizer" in generated.check({1: contents[31_000]}, dsp, cc)[1][0]
