"""Carry what the stored lessons measured to the README: its table and its picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tinyml_helpers.course import front, scoreboard, wording
from tinyml_helpers.datasets import read_file, write_manifest
from tinyml_helpers.places import alone, build_folder, write_atomically

_ROOT = Path(__file__).parents[2]
_BEGIN = "<!-- scoreboard: written by `make outputs` -->\n"
_END = "<!-- end of scoreboard -->"
# What a reader of the README wants to know first, by lesson; the lessons record more.
_NAMES = (
    "start.mismatched_bytes",
    "constraints.resnet50_mb",
    "constraints.left_out_worst_percent",
    "ptq.int8.accuracy_drop_points",
    "ptq.binary.accuracy_drop_points",
    "qat.ptq_loss_points",
    "qat.recovered_percent",
    "prune.sparsity_percent",
    "prune.accuracy_drop_points",
    "prune.structured.speedup_host",
    "distill.gain_points",
    "distill.spread_points",
    "tflite.reference_mismatched_bytes",
    "tflite.arena_bytes",
    "onnx.max_abs_difference",
    "mcu.mismatched_bytes",
    "mcu.dscnn.flash_bytes",
    "mcu.dscnn.ram_bytes",
    "mcu.speedup_over_cmsis_nn",
    "mcu.unstructured_pruning.speedup",
    "kws.accuracy_voices_percent",
    "kws.accuracy_engine_percent",
    "kws.synthetic_only.accuracy_people_percent",
    "kws.accuracy_people_percent",
    "kws.model_bytes",
    "gesture.accuracy_unseen_people_percent",
    "gesture.accuracy_leaking_split_percent",
    "anomaly.auc",
    "anomaly.classic_auc",
    "detect.tiny.map_percent",
    "detect.tiny.model_bytes",
    "face.template_bytes",
    "privacy.membership_auc_overfit",
    "privacy.membership_auc_defended",
    "capstone.trials",
    "capstone.budget_met",
)
# Said anew where the line that "the same" leans on is not here.
FRONT = {name: wording.WORDS[name] for name in _NAMES} | {
    "constraints.left_out_worst_percent": "latency of a network left out of the fit: worst error",
    "ptq.int8.accuracy_drop_points": "`small` (46,042 parameters) in int8: accuracy lost",
    "ptq.binary.accuracy_drop_points": "the same with one bit a weight, without training for it",
    "tflite.reference_mismatched_bytes": "`small` in int8: output bytes in which LiteRT and TFLM differ",
    "mcu.dscnn.flash_bytes": "MLPerf Tiny's keyword network: flash, code included",
    "mcu.unstructured_pruning.speedup": "`small`, three weights in four zero: times fewer instructions",
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
    with alone(build_folder() / "publish"):  # lessons may be stored beside each other
        _publish(fresh)


def _publish(fresh: scoreboard.Scoreboard) -> None:
    lessons = {record.lesson for record in fresh.records}
    kept = [record for record in reference().records if record.lesson not in lessons]
    records = sorted([*kept, *fresh.records], key=lambda record: record.lesson)
    reference_path().parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(record) for record in records], indent=2) + "\n"
    write_atomically(reference_path(), text)
    write_atomically(reference_path().parent / "front.png", front.picture())
    write_manifest()
    readme = _ROOT / "README.md"
    write_atomically(readme, with_table(readme.read_text("utf-8"), reference()))


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
