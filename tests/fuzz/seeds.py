"""Undamaged files of every format to begin with, made by code; and a few small ones that ship."""

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
ROOT = Path(__file__).parents[2]
SHIPPED = ("wake_alexa", "gestures", "micro_speech")


def tflite():
    from tflite_maker import random_network

    made = [random_network(seed) for seed in range(60)]
    return made + [(ROOT / "data" / "models" / f"{name}.tflite").read_bytes() for name in SHIPPED]


def networks():
    """Int8 networks only: they are compiled and run."""
    from tflite_maker import random_network

    return [random_network(seed) for seed in range(100, 400)]


def onnx():
    return [_chain(), _chain(quantized=True), _branch(), _outside(), _chain(dynamic=True), _function()]


def _chain(quantized=False, dynamic=False):
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shape = ["N" if dynamic else 1, 2, 5, 5]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    constants = [
        numpy_helper.from_array(rng.normal(size=(3, 2, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(size=3).astype(np.float32), "b"),
        numpy_helper.from_array(rng.normal(size=(27, 4)).astype(np.float32), "m"),
        numpy_helper.from_array(np.array([0, 27]), "shape"),
        numpy_helper.from_array(np.float32(0.1), "s"),
        numpy_helper.from_array(np.int8(3), "z"),
    ]
    first = "x"
    nodes = []
    if quantized:
        nodes += [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        ]
        first = "d"
    nodes += [
        helper.make_node("Conv", [first, "w", "b"], ["c"], kernel_shape=[3, 3], doc_string="a note"),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Reshape", ["r", "shape"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["g"]),
        helper.make_node("Softmax", ["g"], ["y"], axis=-1),
    ]
    return _model(helper.make_graph(nodes, "g", [given], [made], constants))


def _branch():
    from onnx import TensorProto, helper, numpy_helper

    def body(name, kind):
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])
        return helper.make_graph([helper.make_node(kind, ["x"], [name])], name, [], [out])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["yes"]),
        helper.make_node(
            "If", ["yes"], ["y"], then_branch=body("a", "Sin"), else_branch=body("e", "Exp")
        ),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    return _model(
        helper.make_graph(nodes, "g", [given], [made], [numpy_helper.from_array(np.float32(0), "zero")])
    )


def _outside():
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=1, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "64")):
        weight.external_data.add(key=key, value=value)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    return _model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [given], [made], [weight]
        )
    )


def _function():
    from onnx import TensorProto, helper

    function = helper.make_function(
        "mine",
        "twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph(
        [helper.make_node("twice", ["x"], ["y"], domain="mine")], "g", [given], [made]
    )
    model = helper.make_model(
        graph,
        functions=[function],
        ir_version=9,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
    )
    return model.SerializeToString()


def _model(graph):
    from onnx import helper

    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()


def sound():
    import soundfile

    rng = np.random.default_rng(1)
    made = []
    for form, subtype, rate, channels in (
        ("WAV", "PCM_16", 16000, 1),
        ("WAV", "PCM_16", 44100, 2),
        ("WAV", "FLOAT", 48000, 1),
        ("WAV", "PCM_U8", 8000, 1),
        ("WAVEX", "PCM_24", 22050, 2),
        ("RF64", "PCM_16", 16000, 1),
        ("WAV", "ULAW", 8000, 1),
        ("WAV", "IMA_ADPCM", 16000, 1),
        ("WAV", "DOUBLE", 16000, 1),
        ("FLAC", "PCM_16", 16000, 1),
        ("OGG", "VORBIS", 16000, 1),
        ("OGG", "OPUS", 48000, 1),
        ("FLAC", "PCM_24", 96000, 2),
        ("AIFF", "PCM_16", 16000, 1),
        ("W64", "PCM_16", 16000, 1),
    ):
        file = io.BytesIO()
        soundfile.write(file, rng.uniform(-0.5, 0.5, (rate // 3, channels)), rate, subtype, format=form)
        made.append(file.getvalue())
    return made


def vibration_sound():
    """Long enough for one segment, and quick enough for a bearing."""
    import soundfile

    made = []
    for form, subtype, rate in (
        ("WAV", "PCM_16", 16000),
        ("WAV", "FLOAT", 8000),
        ("FLAC", "PCM_16", 8000),
    ):
        file = io.BytesIO()
        soundfile.write(file, 0.3 * np.sin(np.arange(rate * 6 // 10)), rate, subtype, format=form)
        made.append(file.getvalue())
    return made


def gestures():
    rng = np.random.default_rng(2)
    time = np.arange(800) / 50
    values = rng.normal(size=(800, 6)) * 0.1 + [0, 0, 1, 0, 0, 0]
    lines = ["time_s,ax,ay,az,wx,wy,wz"]
    lines += [",".join(f"{v:.4f}" for v in (t, *row)) for t, row in zip(time, values, strict=True)]
    text = "\n".join(lines)
    european = text.replace(",", ";").replace(".", ",")
    phone = ["time,seconds_elapsed,z,y,x"]
    phone += [
        f"{10**18 + round(1e9 * t)},{t},{w[2]},{w[1]},{w[0]}" for t, w in zip(time, values, strict=True)
    ]
    spreadsheet = ("\ufeff" + text.replace("\n", "\r\n")).encode()
    return [
        text.encode(),
        spreadsheet,
        _slower(time, values),
        european.encode(),
        "\n".join(phone).encode(),
        "\n".join(lines[1:]).replace(",", "\t").encode("utf-16"),
    ]


def sensor_json():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(400, 6)) * 0.1 + [0, 0, 9.81, 0, 0, 0]
    names = ("accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ")
    sensors = [{"name": name, "units": "m/s2" if name[0] == "a" else "deg/s"} for name in names]
    payload = {"interval_ms": 40, "sensors": sensors, "values": values.round(3).tolist()}
    phone = [
        {"sensor": sensor, "seconds_elapsed": f"{n / 25}", "z": f"{w[2]:.3f}", "y": "0", "x": "0.1"}
        for sensor in ("TotalAcceleration", "Gyroscope")
        for n, w in enumerate(values)
    ]
    return [json.dumps({"payload": payload}).encode(), json.dumps(phone).encode()]


def zips():
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name in ("Accelerometer.csv", "meta/time.csv", "../../up.csv"):
                archive.writestr(name, "time_s,x,y,z\n" + "0,0,0,1\n" * 30)
        made.append(file.getvalue())
    return made


def _slower(time, values):
    lines = ["wx,wy,wz,note,ax,ay,az,time_s"]
    lines += [
        f"{w[3]},{w[4]},{w[5]},{w[0]},{w[0]},{w[1]},{w[2]},{t * 1.3}"
        for t, w in zip(time, values, strict=True)
    ]
    return "\n".join(lines).encode()


def vibration():
    time = np.arange(4200) / 8000
    wave = np.sin(2000 * time)
    made = []
    for unit in ("acceleration_g", "acceleration_ms2"):
        rows = "\n".join(f"{t:.6f},{a:.5f}" for t, a in zip(time, wave, strict=True))
        made.append(f"time_s,{unit}\n{rows}\n".encode())
    slow = "\n".join(f"{5 * i};{a:.4f};0,1;9,8".replace(".", ",") for i, a in enumerate(wave[:1100]))
    return [*made, f"t (ms);x;y;z\n{slow}\n".encode()]


def matlab():
    from scipy.io import savemat

    made = []
    for compressed in (False, True):
        file = io.BytesIO()
        savemat(
            file,
            {"X097_DE_time": np.linspace(0, 1, 9000)[:, None], "X097RPM": 1796, "note": "rig"},
            do_compression=compressed,
        )
        made.append(file.getvalue())
    file = io.BytesIO()
    savemat(file, {"X097_DE_time": np.linspace(0, 1, 9000)[:, None]}, format="4")
    return [*made, file.getvalue()]


def image():
    from PIL import Image

    rng = np.random.default_rng(3)
    colour = Image.fromarray(rng.integers(0, 256, (24, 30, 3), np.uint8))
    made = []
    kinds = [
        ("PNG", colour),
        ("PNG", colour.convert("P")),
        ("PNG", colour.convert("LA")),
        ("PNG", colour.convert("1")),
        ("PNG", Image.fromarray(rng.integers(0, 65536, (24, 30)).astype(np.uint16))),
        ("PNG", colour.convert("RGBA")),
        ("JPEG", colour),
        ("JPEG", colour.convert("CMYK")),
        ("WEBP", colour),
        ("GIF", colour),
        ("BMP", colour),
        ("TIFF", colour),
        ("PPM", colour),
        ("TGA", colour),
        ("ICO", colour),
        ("AVIF", colour),
        ("PCX", colour),
        ("SGI", colour),
        ("DDS", colour),
        ("ICNS", colour),
        ("JPEG2000", colour),
        ("MPO", colour),
        ("EPS", colour),
        ("QOI", colour),
    ]
    for form, picture in kinds:
        file = io.BytesIO()
        try:
            picture.save(file, form)
        except (OSError, KeyError):  # this Pillow cannot write it
            continue
        made.append(file.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    colour.save(file, "JPEG", exif=exif, progressive=True)
    made.append(file.getvalue())
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        file = io.BytesIO()
        colour.save(file, "TIFF", compression=compression)
        made.append(file.getvalue())
    return made


def notebook():
    lesson = {
        "cells": [
            {
                "cell_type": "markdown",
                "id": "a",
                "metadata": {},
                "source": ["# 1 · Title\n", "\n", "Promise.\n", "\n", "**Time**: 5 min\n"],
            },
            {
                "cell_type": "code",
                "id": "b",
                "metadata": {"tags": ["parameters"]},
                "execution_count": 1,
                "source": "seed = 0",
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["x\n"]},
                    {
                        "output_type": "execute_result",
                        "execution_count": 1,
                        "metadata": {},
                        "data": {"text/plain": "1"},
                    },
                ],
            },
        ],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "x"},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "language": "python",
                        "input": ["1"],
                        "outputs": [],
                        "metadata": {},
                    },
                    {"cell_type": "heading", "level": 1, "source": ["t"], "metadata": {}},
                ]
            }
        ],
    }
    return [json.dumps(lesson).encode(), json.dumps(lesson, indent=1).encode(), json.dumps(old).encode()]


def records():
    one = {"name": "a.b", "value": 1.5, "unit": "ms", "lesson": 1}
    return [json.dumps([one, {**one, "name": "a.c", "value": 3}]).encode()]


def packed():
    head = b"\0\0\x08\x03" + np.array([3, 28, 28], ">u4").tobytes()
    return [gzip.compress(head + bytes(3 * 784)), gzip.compress(b"\0\0\x08\x01\0\0\0\x05hello")]


def elf():
    from tinyml_helpers.mcu.target import toolchain

    image = toolchain.compile_c("static const int t[3] = {1,2,3}; int main(void) { return t[1]; }")
    content = image.elf if isinstance(getattr(image, "elf", None), bytes) else b""
    plain = toolchain.host_library({"one.c": "int t[9]; int f(int i) { return t[i]; }"}).read_bytes()
    return [one for one in (content, plain) if one]


def weights():
    return [(ROOT / "data" / "models" / "tiny.safetensors").read_bytes()]
