"""Every reader of files that others wrote, as a function of bytes; what it may raise; its limits."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import seeds

sys.path.insert(0, str(seeds.ROOT))
os.environ.setdefault("TQDM_DISABLE", "1")
NAME = "strange-file"
FIRST_SECONDS = 2  # what the package gives a first run is a minute; afterwards a run takes as long again


@dataclass(frozen=True)
class Target:
    """One reader.

    Args:
        read: is given the path of the damaged file, its content and a folder to work in.
        pool: makes the files to begin with.
        form: how they are damaged, see `mutators.FORMATS`.
        suffix: of the file.
        errors: names of the exceptions that are documented.
        named: whether the message must name the file.
        fork: whether it runs in a process of its own, because native code that crashes is at work.
        count: share of all files, in parts.
    """

    read: Callable
    pool: Callable
    form: str
    suffix: str
    errors: tuple[str, ...]
    named: bool = True
    fork: bool = False
    parts: int = 10


def inspect_tflite(path, content, folder):
    from tinyml_helpers.deploy.tflite import reader, sizes

    file = reader.read(content)
    sizes.bytes_by_part(file), sizes.macs(file), sizes.find_uncounted(file)
    (
        repr(file),
        [str(t) for g in file.graphs for t in g.tensors],
        [str(o) for g in file.graphs for o in g.operators],
    )
    [t.info.row for g in file.graphs for t in g.tensors]


def generate_c(path, content, folder):
    from tinyml_helpers.deploy.model_file import names_the_file
    from tinyml_helpers.mcu.compiler import codegen, graph, lowering

    @names_the_file
    def as_build_does(tflite):
        found = graph.read(tflite)
        repr(found)
        return codegen.generate(lowering.strip_float_ends(found))

    program = as_build_does(path)
    repr(program.arena), sum(map(len, program.files.values()))


def to_float32(path, content, folder):
    from tinyml_helpers.usecases.detection import requantize

    requantize.in_float32(path)


def run_tflite(kernels):
    def read(path, content, folder):
        """What `litert.load` and `run` do, but that the probe's process is this one."""
        import numpy as np

        from tinyml_helpers.deploy import model_file
        from tinyml_helpers.deploy.tflite import interpreter, probe, reader

        graph = reader.read(content).graphs[0]
        with in_another_process():
            try:
                probe._run_once(content, kernels)
            except Exception as error:
                raise model_file.ModelError(f"{path.name}: {error}") from error
        if kernels == "tflm":
            return
        try:
            model = interpreter.Model(content, kernels, graph)
            repr(model)
            raw = np.zeros((3, *model.input.shape[1:]), model.input.dtype)
            if len(model.outputs) == 1:
                model.run(raw[:1])
                model.run(raw)
            model.predict_all(np.ones(raw.shape))
        except model_file.ModelError as error:
            raise model_file.ModelError(f"{path.name}: {error}") from error

    return read


def run_onnx(path, content, folder):
    import numpy as np

    from tinyml_helpers.deploy import model_file
    from tinyml_helpers.deploy.onnx import export
    from tinyml_helpers.deploy.onnx import probe as onnx_probe

    def probe(model):
        with in_another_process():
            if reason := onnx_probe.attempt(model):
                raise model_file.ModelError(reason)

    onnx_probe.probe = probe
    model = export.load(path, export.LEVELS[len(content) % len(export.LEVELS)])
    repr(model)
    shape = [size if isinstance(size, int) else 1 for size in model.input_shape]
    try:
        model.predict(np.zeros(shape, model.dtype))
    except model_file.ModelError as error:
        raise model_file.ModelError(f"{path.name}: {error}") from error


def inspect_onnx(path, content, folder):
    from tinyml_helpers.deploy.onnx import export

    report = export.inspect(path)
    repr(report), report._repr_html_()
    export.list_operators(path), export.strip_notes(path)


def read_sound(path, content, folder):
    from tinyml_helpers.datasets.sound_files import read_sound

    repr(read_sound(path))


def keyword_folder(path, content, folder):
    from tinyml_helpers.datasets.keywords import folder as keyword_folder

    words = folder / "keywords"
    (words / "yes").mkdir(parents=True, exist_ok=True)
    (words / "yes" / f"{NAME}.wav").write_bytes(content)
    (words / "no").mkdir(exist_ok=True)
    (words / "no" / "sound.wav").write_bytes(seeds.sound()[0])
    repr(keyword_folder.load_folder(words, None, 0))


def vibration_sound(path, content, folder):
    from tinyml_helpers.datasets.vibration.folder import cut_alike, read_signal

    cut_alike([read_signal(path)], [True])


def gesture_table(path, content, folder):
    from tinyml_helpers.datasets.gestures import recording_files

    recording_files.read([path])


def zip_file(path, content, folder):
    from tinyml_helpers.system import zip_files

    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        for _, file in zip_files.extract(path, Path(unpacked)):
            assert Path(unpacked).resolve() in file.resolve().parents


def cwru(path, content, folder):
    from tinyml_helpers.datasets import DataError
    from tinyml_helpers.datasets.vibration import matlab
    from tinyml_helpers.datasets.vibration.folder import cut_segments

    with in_another_process():
        try:
            found = matlab.select(content, "_DE_time")
        except Exception as error:
            raise DataError(path.name) from error
    for values in found.values():
        cut_segments(values, 48_000, path.name)


def photo(path, content, folder):
    from tinyml_helpers.datasets.images import photo_files

    small, _ = photo_files.read_scaled(path, 100)
    assert max(small.shape) <= 100
    photo_files.read_image(path)


def lesson(path, content, folder):
    from tinyml_helpers.course import syllabus

    place = folder / "lessons"
    place.mkdir(exist_ok=True)
    (place / f"01_{NAME}.ipynb").write_bytes(content)
    repr(syllabus.lessons(place))


def records(path, content, folder):
    from tinyml_helpers.course import scoreboard

    os.environ["TINYML_RESULTS"] = str(folder / "results")
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "01.json").write_bytes(content)
    board = scoreboard.collect()
    repr(board), board._repr_html_()


def idx(path, content, folder):
    from tinyml_helpers.datasets.images.fashion_mnist import decode_idx

    decode_idx(content)


def object_file(path, content, folder):
    from tinyml_helpers.deploy import tvm

    repr(tvm.inspect_object(content))


def weights(path, content, folder):
    import hashlib
    import json

    from tinyml_helpers.models import spine

    data = folder / "data"
    (data / "models").mkdir(parents=True, exist_ok=True)
    original = seeds.weights()[0]
    told = {"bytes": len(original), "sha256": hashlib.sha256(original).hexdigest()}
    if not (data / "manifest.json").exists():
        (data / "manifest.json").write_text(json.dumps({"files": {"models/tiny.safetensors": told}}))
    (data / "models" / "tiny.safetensors").write_bytes(content)
    os.environ["TINYML_DATA"] = str(data)
    try:
        spine.load_trained("tiny")
    finally:
        del os.environ["TINYML_DATA"]
    assert content == original, "damaged weights were loaded"


class in_another_process:  # noqa: N801
    """Marks what the package runs in a process that may crash or hang; the runner forgives it there."""

    marks = None

    def __enter__(self):
        if self.marks is not None:
            self.marks[0] = 1
            self.left = signal.alarm(FIRST_SECONDS)

    def __exit__(self, *_):
        if self.marks is not None:
            self.marks[0] = 0
            signal.alarm(self.left)


MODEL = ("ModelError", "GraphError", "UnsupportedError")
DATA = ("DataError",)
MOVEMENT = (*DATA, "NoGravityError")
TARGETS = {
    "tflite-inspect": Target(
        inspect_tflite, seeds.tflite, "tflite", ".tflite", MODEL, named=False, parts=100
    ),
    "tflite-to-c": Target(generate_c, seeds.tflite, "tflite", ".tflite", MODEL, parts=110),
    "tflite-default": Target(
        run_tflite("default"), seeds.tflite, "tflite", ".tflite", MODEL, named=False, fork=True, parts=25
    ),
    "tflite-reference": Target(
        run_tflite("reference"),
        seeds.tflite,
        "tflite",
        ".tflite",
        MODEL,
        named=False,
        fork=True,
        parts=25,
    ),
    "tflite-tflm": Target(
        run_tflite("tflm"), seeds.tflite, "tflite", ".tflite", MODEL, named=False, fork=True, parts=15
    ),
    "tflite-to-float32": Target(to_float32, seeds.tflite, "tflite", ".tflite", MODEL, parts=15),
    "onnx-inspect": Target(inspect_onnx, seeds.onnx, "onnx", ".onnx", MODEL, parts=100),
    "onnx-run": Target(run_onnx, seeds.onnx, "onnx", ".onnx", MODEL, fork=True, parts=40),
    "sound": Target(read_sound, seeds.sound, "sound", ".wav", DATA, parts=170),
    "keyword-folder": Target(keyword_folder, seeds.sound, "sound", ".wav", DATA, parts=20),
    "vibration-sound": Target(vibration_sound, seeds.vibration_sound, "sound", ".wav", DATA, parts=20),
    "vibration-table": Target(vibration_sound, seeds.vibration, "table", ".csv", DATA, parts=60),
    "gesture-table": Target(gesture_table, seeds.gestures, "table", ".csv", MOVEMENT, parts=70),
    "sensor-json": Target(gesture_table, seeds.sensor_json, "notebook", ".json", MOVEMENT, parts=30),
    "zip": Target(zip_file, seeds.zips, "bytes", ".zip", DATA, parts=20),
    "cwru": Target(cwru, seeds.matlab, "matlab", ".mat", DATA, fork=True, parts=20),
    "photo": Target(photo, seeds.image, "image", ".png", DATA, parts=200),
    "notebook": Target(lesson, seeds.notebook, "notebook", ".ipynb", ("ValueError",), parts=80),
    "records": Target(
        records, seeds.records, "notebook", ".json", ("ValueError",), named=False, parts=20
    ),
    "idx": Target(idx, seeds.packed, "packed", ".gz", DATA, named=False, parts=30),
    "object-file": Target(object_file, seeds.elf, "bytes", ".o", MODEL, named=False, parts=20),
    "weights": Target(weights, seeds.weights, "bytes", ".safetensors", DATA, named=False, parts=10),
}


def attempt(target, content, folder):
    """Read one damaged file, and return "accepted", "refused", or what is wrong in a sentence."""
    path = Path(folder, NAME + target.suffix)
    path.write_bytes(content)
    try:
        target.read(path, content, Path(folder))
    except AssertionError as error:
        return f"FAULT assertion: {error}"
    except Exception as error:
        return judge(target, error)
    except RecursionError:
        return "FAULT RecursionError"
    return "accepted"


def judge(target, error):
    """A documented exception that says in one short line what is wrong with which file."""
    kind, message = type(error).__name__, str(error)
    if kind not in target.errors:
        return f"FAULT {kind}: {message[:200]}"
    # A folder's listing has a line for each file that it skipped.
    if not message.strip() or len(message) > 2000 or message.count("\n") > 12:
        return f"FAULT message of {len(message)} characters: {message[:100]!r}"
    if target.named and NAME not in message:
        return f"FAULT the message names no file: {message[:160]}"
    return "refused"


def folder():
    return tempfile.mkdtemp(prefix="tinyml-fuzz-")
