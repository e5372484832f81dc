"""Carry what the stored lessons measured to the README: its table and its picture."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

from tinyml_helpers.course import scoreboard, syllabus

_ROOT = Path(__file__).parents[2]
_BEGIN = "<!-- scoreboard: written by `make outputs` -->\n"
_END = "<!-- end of scoreboard -->"
# What a reader of the README wants to know; the lessons record more.
FRONT = {
    "start.mismatched_bytes": "int8 network on the emulated Cortex-M4: bytes that differ from numpy",
    "start.instructions": "the same: instructions for one image",
    "constraints.resnet50_mb": "ResNet-50, counted from its architecture",
    "constraints.gpt2_mb": "GPT-2 small, counted from its architecture",
    "constraints.mlperf_worst_error_percent": "latency model: worst of the eight cells it was fitted to",
    "constraints.left_out_worst_percent": "the same: worst when a network is left out",
    "ptq.float.accuracy_percent": "`small` (46,042 parameters) on 10,000 Fashion-MNIST test images",
    "ptq.int8.accuracy_drop_points": "the same in int8: accuracy lost",
    "ptq.int8.size_ratio": "the same in int8: how many times smaller the file is",
    "ptq.int4.accuracy_drop_points": "weights in 4 bits: accuracy lost",
    "ptq.binary.accuracy_drop_points": "weights in one bit, without training for it: accuracy lost",
    "qat.ptq_loss_points": "`tiny` (8,058 parameters), weights in 4 bits after training: accuracy lost",
    "qat.recovered_percent": "the same: how much of the loss two epochs of training return",
    "prune.sparsity_percent": "`large` (584,938 parameters): weights pruned away",
    "prune.accuracy_drop_points": "the same: accuracy lost",
    "prune.gzip_ratio": "the same: how many times smaller its weights are, gzipped",
    "prune.structured.speedup_host": "`large` without half its channels: times faster on the host",
    "prune.structured.accuracy_drop_points": "the same: accuracy lost",
    "distill.gain_points": "`tiny` on 1,200 images, taught by `large`: gain, mean of five pairs",
    "distill.spread_points": "the same: standard deviation of the five gains",
    "tflite.int8.bytes": "`small` as an int8 .tflite file",
    "tflite.int8.accuracy_drop_points": "the same: accuracy lost",
    "tflite.reference_mismatched_bytes": "the same: output bytes in which LiteRT and TFLM differ",
    "tflite.arena_bytes": "the same: RAM that TFLM's interpreter takes",
    "onnx.max_abs_difference": "`small`: largest difference between PyTorch and ONNX Runtime",
    "onnx.int8.agreement_percent": "`small` in int8 ONNX: images that get the class they got in float",
    "mcu.mismatched_bytes": "seven int8 networks on the emulated core: bytes that LiteRT has not",
    "mcu.dscnn.instructions_per_mac": "MLPerf Tiny's keyword network: instructions for a MAC",
    "mcu.dscnn.flash_bytes": "the same: flash, code included",
    "mcu.dscnn.ram_bytes": "the same: RAM, stack included",
    "mcu.speedup_over_cmsis_nn": "the same: times fewer instructions than CMSIS-NN",
    "mcu.structured_pruning.speedup": "`large` without half its channels: times fewer instructions",
    "mcu.unstructured_pruning.speedup": "`small`, three weights in four zero: the same",
    "gesture.accuracy_unseen_people_percent": "seven gestures, people never seen, int8, windows of 4 s",
    "gesture.accuracy_leaking_split_percent": "the same with windows split at random, which leaks",
    "gesture.forest_percent": "the same by a random forest on hand-made features",
    "gesture.model_bytes": "the gesture network as an int8 .tflite file",
    "gesture.mcu.instructions": "the same: from raw samples to an answer",
    "kws.accuracy_voices_percent": "12 classes of keywords, synthetic voices held out",
    "kws.synthetic_only.accuracy_people_percent": "real people, by a network that met none",
    "kws.accuracy_people_percent": "real people, by a descendant of a network that may have met them",
    "kws.model_bytes": "the same as an int8 .tflite file",
    "kws.false_alarms_per_hour": "the same on a stream: false alarms an hour",
    "kws.miss_percent": "the same on a stream: keywords missed",
    "kws.mcu.instructions_per_second_of_audio": "from samples to words: instructions a second",
    "kws.mcu.ram_bytes": "the same: RAM",
    "anomaly.auc": "simulated machines never seen: AUC of the autoencoder",
    "anomaly.partial_auc": "the same, at most one false alarm in ten checks",
    "anomaly.classic_auc": "the same by the Mahalanobis distance",
    "anomaly.int8_auc_difference": "what int8 takes from the autoencoder's AUC",
    "anomaly.false_alarms_per_week": "false alarms a week and machine, budget one",
    "anomaly.model_bytes": "the autoencoder as an int8 .tflite file",
    "anomaly.mcu.instructions": "from raw vibration to a score",
    "detect.tiny.map_percent": "composed scenes, five kinds of objects: mAP at an overlap of a half",
    "detect.tiny.int8_map_drop_points": "the same in int8: lost",
    "detect.tiny.model_bytes": "the same as an int8 .tflite file",
    "face.impostor_max": "simulated shots of three people: highest likeness of two",
    "face.template_bytes": "a face is stored in",
    "privacy.bytes_sent": "five networks with the network cut: bytes that leave",
    "privacy.membership_auc_overfit": "who was in the training set? Attack on an overfitted `tiny`: AUC",
    "privacy.membership_auc_defended": "the same, trained with clipping and noise",
    "privacy.personal_gain_points": "a watch that learns its owner: gain, mean of ten people",
}
# The spine through every technique: a column's heading, and its record for each network.
SPINE = {
    "in float": "qat.{}.float_percent",
    "int8, after training": "qat.{}.ptq8_percent",
    "4-bit weights, after training": "qat.{}.ptq4_percent",
    "4-bit weights, trained for it": "qat.{}.qat4_percent",
    "pruned": "prune.{}.accuracy_percent",
    "of its weights pruned away": "prune.{}.sparsity_percent",
    "distilled from `large`": "distill.{}.accuracy_percent",
}


def reference_path() -> Path:
    """Return the file of the reference scoreboard: what the stored outputs of the lessons show."""
    return _ROOT / "data" / "reference" / "scoreboard.json"


def reference() -> scoreboard.Scoreboard:
    """Return the reference scoreboard, empty before the first `make outputs`."""
    path = reference_path()
    records = json.loads(path.read_text("utf-8")) if path.exists() else []
    return scoreboard.Scoreboard(tuple(scoreboard.Record(**record) for record in records))


def publish(fresh: scoreboard.Scoreboard) -> None:
    """Put fresh records in place of the reference's for the same lessons; renew README and picture."""
    lessons = {record.lesson for record in fresh.records}
    kept = [record for record in reference().records if record.lesson not in lessons]
    records = sorted([*kept, *fresh.records], key=lambda record: record.lesson)
    reference_path().parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(record) for record in records], indent=2) + "\n"
    scoreboard.write_atomically(reference_path(), text)
    (reference_path().parent / "first_network.png").write_bytes(front_picture())
    readme = _ROOT / "README.md"
    scoreboard.write_atomically(readme, with_table(readme.read_text("utf-8"), reference()))


def with_table(readme: str, board: scoreboard.Scoreboard) -> str:
    """Return the README's text with its table of results made anew.

    Raises:
        ValueError: the text has no place for the table.
    """
    if _BEGIN not in readme or _END not in readme:
        raise ValueError(f"README.md has lost its place for the table: put back {_BEGIN}{_END}")
    before, after = readme.split(_BEGIN)[0], readme.split(_END)[1]
    found = {record.name: record for record in board.records}
    rows = [
        f"| {found[name].lesson:02d} | {what} | {found[name].figure} {found[name].unit}".rstrip() + " |"
        for name, what in FRONT.items()
        if name in found
    ]
    table = "\n".join(["| lesson | what | measured |", "|---|---|---|", *rows])
    return f"{before}{_BEGIN}\n{_spine_table(board)}\n\n{table}\n\n{_END}{after}"


def _spine_table(board: scoreboard.Scoreboard) -> str:
    from tinyml_helpers.models import NAMES

    found = {record.name: f"{record.value:.2f}" for record in board.records}
    lines = [f"| correct, in percent | {' | '.join(SPINE)} |", "|---|" + "--:|" * len(SPINE)]
    for model in NAMES:
        cells = [found.get(name.format(model), "–") for name in SPINE.values()]
        lines.append(f"| `{model}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def front_picture() -> bytes:
    """Return the first still that follows the widget of lesson 00, as PNG."""
    cells = syllabus.read_notebook(syllabus.lessons()[0].path).cells
    tagged = [i for i, cell in enumerate(cells) if "widget" in cell.metadata.get("tags", [])]
    outputs = (output for cell in cells[tagged[0] :] for output in cell.get("outputs", []))
    picture = next(o.data["image/png"] for o in outputs if "image/png" in o.get("data", {}))
    return base64.b64decode(picture)
