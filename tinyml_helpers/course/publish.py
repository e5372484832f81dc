"""Carry what the stored lessons measured to the README: its table and its picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tinyml_helpers.course import front, scoreboard
from tinyml_helpers.datasets import read_file, write_manifest

_ROOT = Path(__file__).parents[2]
_BEGIN = "<!-- scoreboard: written by `make outputs` -->\n"
_END = "<!-- end of scoreboard -->"
# What a reader of the README wants to know first, by lesson; the lessons record more.
FRONT = {
    "start.mismatched_bytes": "int8 network on the emulated Cortex-M4: bytes that differ from numpy",
    "constraints.resnet50_mb": "ResNet-50, counted from its architecture",
    "constraints.left_out_worst_percent": "latency of a network left out of the fit: worst error",
    "ptq.int8.accuracy_drop_points": "`small` (46,042 parameters) in int8: accuracy lost",
    "ptq.binary.accuracy_drop_points": "the same with one bit a weight, without training for it",
    "qat.ptq_loss_points": "`tiny` (8,058 parameters), weights in 4 bits after training: accuracy lost",
    "qat.recovered_percent": "the same: how much of the loss two epochs of training return",
    "prune.sparsity_percent": "`large` (584,938 parameters): weights pruned away",
    "prune.accuracy_drop_points": "the same: accuracy lost",
    "prune.structured.speedup_host": "`large` without half its channels: times faster on the host",
    "distill.gain_points": "`tiny` on 1,200 images, taught by `large`: gain, mean of five pairs",
    "distill.spread_points": "the same: standard deviation of the five gains",
    "tflite.reference_mismatched_bytes": "`small` in int8: output bytes in which LiteRT and TFLM differ",
    "tflite.arena_bytes": "the same: RAM that TFLM's interpreter takes",
    "onnx.max_abs_difference": "`small`: largest difference between PyTorch and ONNX Runtime",
    "mcu.mismatched_bytes": "seven int8 networks on the emulated core: bytes that LiteRT has not",
    "mcu.dscnn.flash_bytes": "MLPerf Tiny's keyword network: flash, code included",
    "mcu.dscnn.ram_bytes": "the same: RAM, stack included",
    "mcu.speedup_over_cmsis_nn": "the same: times fewer instructions than CMSIS-NN",
    "mcu.unstructured_pruning.speedup": "`small`, three weights in four zero: times fewer instructions",
    "kws.accuracy_voices_percent": "12 classes of keywords, synthetic voices held out",
    "kws.synthetic_only.accuracy_people_percent": "real people, by a network that met none",
    "kws.accuracy_people_percent": "real people, by a descendant of a network that may have met them",
    "kws.model_bytes": "the same as an int8 .tflite file",
    "gesture.accuracy_unseen_people_percent": "seven gestures, people never seen, int8, windows of 4 s",
    "gesture.accuracy_leaking_split_percent": "the same with windows split at random, which leaks",
    "anomaly.auc": "simulated machines never seen: AUC of the autoencoder",
    "anomaly.classic_auc": "the same by the Mahalanobis distance",
    "detect.tiny.map_percent": "composed scenes, five kinds of objects: mAP at an overlap of a half",
    "detect.tiny.model_bytes": "the same as an int8 .tflite file",
    "face.template_bytes": "a face is stored in",
    "privacy.membership_auc_overfit": "who was in the training set? Attack on an overfitted `tiny`: AUC",
    "privacy.membership_auc_defended": "the same, trained with clipping and noise",
    "capstone.trials": "gestures on a watch: trials behind the choice",
    "capstone.budget_met": "the same: all five budgets met, on people never seen (1 is yes)",
}
# What `make load` measures of all lessons together; kept under the number after the last lesson.
COURSE = {
    "course.minutes": "every lesson, one after the other, on two cores",
    "course.peak_memory_mib": "the lesson that takes most memory",
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
    records = json.loads(read_file(path)) if path.exists() else []
    return scoreboard.Scoreboard(tuple(scoreboard.Record(**record) for record in records))


def publish(fresh: scoreboard.Scoreboard) -> None:
    """Put fresh records in place of the reference's for the same lessons; renew README and picture."""
    lessons = {record.lesson for record in fresh.records}
    kept = [record for record in reference().records if record.lesson not in lessons]
    records = sorted([*kept, *fresh.records], key=lambda record: record.lesson)
    reference_path().parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(record) for record in records], indent=2) + "\n"
    scoreboard.write_atomically(reference_path(), text)
    scoreboard.write_atomically(reference_path().parent / "front.png", front.picture())
    write_manifest()
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
        f"| {_place(found[name])} | {what} | {found[name].figure} {found[name].unit}".rstrip() + " |"
        for name, what in (FRONT | COURSE).items()
        if name in found
    ]
    table = "\n".join(["| lesson | what | measured |", "|---|---|---|", *rows])
    return f"{before}{_BEGIN}\n{_spine_table(board)}\n\n{table}\n\n{_END}{after}"


def _place(record: scoreboard.Record) -> str:
    return "all" if record.name in COURSE else f"{record.lesson:02d}"


def _spine_table(board: scoreboard.Scoreboard) -> str:
    from tinyml_helpers.models import NAMES

    found = {record.name: f"{record.value:.2f}" for record in board.records}
    lines = [f"| correct, in percent | {' | '.join(SPINE)} |", "|---|" + "--:|" * len(SPINE)]
    for model in NAMES:
        cells = [found.get(name.format(model), "–") for name in SPINE.values()]
        lines.append(f"| `{model}` | {' | '.join(cells)} |")
    return "\n".join(lines)
