"""Carry what the stored lessons measured to the README: its table and its picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from book import front_picture
from tinyml_helpers.course import retold, scoreboard, syllabus, wording
from tinyml_helpers.datasets import write_manifest
from tinyml_helpers.system.folders import build_folder, write_atomically
from tinyml_helpers.system.shared_folders import lock_folder

_ROOT = Path(__file__).parents[1]
_BEGIN = "<!-- scoreboard: written by `make outputs` -->\n"
_END = "<!-- end of scoreboard -->"
# What a reader of the README can retell: lesson, what, and what was measured, by the names of records.
ROWS = (
    (
        "03",
        "`tiny` with weights in 4 bits: what is lost, and what brings it back",
        "{qat.tiny.ptq4_loss_points:.1f} points; new batch-norm statistics alone return "
        "{qat.tiny.new_batch_norms_recovered_percent:.0f} % of them, two epochs of training "
        "{qat.tiny.qat4_recovered_percent:.0f} %",
    ),
    (
        "04",
        "Instructions on a chip: three weights in four pruned away in `small`, or half the channels "
        "cut from `large`",
        "{prune.small.speedup_mcu:.2f} and {prune.large_slim.speedup_mcu:.2f} times fewer",
    ),
    (
        "08",
        "Seven int8 networks as C on the emulated Cortex-M4: output bytes that LiteRT's reference "
        "has not",
        "{mcu.seven_networks.mismatched_bytes:.0f}",
    ),
    (
        "08",
        "MLPerf Tiny's keyword network (DS-CNN), code included",
        "{mcu.dscnn.flash_bytes:,.0f} bytes of flash, {mcu.dscnn.ram_bytes:,.0f} of RAM; "
        "CMSIS-NN 4.0.0 (2022) takes {mcu.dscnn.instructions_of_cmsis_nn_ratio:.1f} times the "
        "instructions and {mcu.dscnn.time_of_cmsis_nn_ratio:.1f} times as long (both by GCC 12.2, the "
        "best of -O2, -O3 and -Ofast; time estimated for an STM32L4R5)",
    ),
    (
        "09",
        "Ten words, other words and background, from 114 people: right by a network that was trained on "
        "synthetic voices",
        "{kws.synthetic.accuracy_people_percent:.1f} % ({kws.synthetic.accuracy_people_low_percent:.1f} "
        "to {kws.synthetic.accuracy_people_high_percent:.1f})",
    ),
    (
        "10",
        "Seven gestures, each of ten people left out in turn",
        "{gesture.net.nested_unseen_people_percent:.1f} % "
        "({gesture.net.nested_unseen_people_low_percent:.1f} to "
        "{gesture.net.nested_unseen_people_high_percent:.1f}) is what to expect; "
        "{gesture.net.unseen_people_percent:.1f} % ({gesture.net.unseen_people_low_percent:.1f} to "
        "{gesture.net.unseen_people_high_percent:.1f}) for the recipe that was chosen on them; "
        "{gesture.net.leaking_split_percent:.1f} % by a split that leaks",
    ),
    (
        "11",
        "Faults in eight simulated machines never seen: AUC",
        "{anomaly.autoencoder.new_machines_auc:.2f} ({anomaly.autoencoder.new_machines_auc_low:.2f} "
        "to {anomaly.autoencoder.new_machines_auc_high:.2f}) by an autoencoder, "
        "{anomaly.mahalanobis.new_machines_auc:.2f} ({anomaly.mahalanobis.new_machines_auc_low:.2f} "
        "to {anomaly.mahalanobis.new_machines_auc_high:.2f}) by a classic",
    ),
    (
        "14",
        "Who was in the training set? AUC of an attack on one network, trained without and with "
        "differential privacy",
        "{privacy.membership.tanh_plain_auc:.2f} ({privacy.membership.tanh_plain_auc_low:.2f} to "
        "{privacy.membership.tanh_plain_auc_high:.2f}) and {privacy.membership.tanh_dp_auc:.2f} "
        "({privacy.membership.tanh_dp_auc_low:.2f} to {privacy.membership.tanh_dp_auc_high:.2f}, "
        "ε {privacy.membership.tanh_dp_epsilon:.1f})",
    ),
    (
        "15",
        "A gesture network chosen to fit a chip of 16 KiB: three seeds, two people kept out of training "
        "and search (lesson 10 chose the kind of network with all ten in view)",
        "{capstone.gestures.test.worst_seed_percent:.1f} to "
        "{capstone.gestures.test.best_seed_percent:.1f} % in "
        "{capstone.gestures.flash_bytes:,.0f} bytes of flash",
    ),
    (
        "all",
        "All lessons, one after the other, on two cores",
        "{course.minutes:.1f} minutes, at most {course.peak_memory_mib:,.0f} MiB",
    ),
)


def publish(fresh: scoreboard.Scoreboard) -> None:
    """Put fresh records in place of those of the same lessons; renew README, results and picture."""
    with lock_folder(build_folder() / "publish"):  # lessons may be stored beside each other
        _publish(fresh)


def _publish(fresh: scoreboard.Scoreboard) -> None:
    lessons = {record.lesson for record in fresh.records}
    kept = [record for record in scoreboard.reference().records if record.lesson not in lessons]
    records = sorted([*kept, *fresh.records], key=lambda record: record.lesson)
    picture = (
        front_picture.picture()
    )  # before the first write: it reads files that the manifest vouches for
    scoreboard.reference_path().parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(record) for record in records], indent=2) + "\n"
    write_atomically(scoreboard.reference_path(), text)
    write_atomically(scoreboard.reference_path().parent / "front.png", picture)
    write_manifest()
    for name, tables in (("README.md", render_short), ("book/scoreboard.md", render_full)):
        page = _ROOT / name
        write_atomically(page, insert_tables(page.read_text("utf-8"), tables(scoreboard.reference())))


def insert_tables(page: str, tables: str) -> str:
    """Return a page's text with its tables of results made anew.

    Raises:
        ValueError: the text has no place for them.
    """
    if _BEGIN not in page or _END not in page:
        raise ValueError(f"the page has lost its place for results: put back {_BEGIN}{_END}")
    return f"{page.split(_BEGIN)[0]}{_BEGIN}\n{tables}\n\n{_END}{page.split(_END)[1]}"


def render_short(board: scoreboard.Scoreboard) -> str:
    """Return the README's tables: the spine, and the rows of which all records are there."""
    rows = [
        f"| {lesson} | {what} | {filled} |"
        for lesson, what, measured in ROWS
        if (filled := retold.fill(measured, board))
    ]
    table = "\n".join(["| lesson | what | measured |", "|---|---|---|", *rows])
    return f"{_spine_table(board)}\n\n{table}"


def render_full(board: scoreboard.Scoreboard) -> str:
    """Return the tables of the page of results: the spine, then every record by lesson, in words."""
    parts = [_spine_table(board)]
    for number in sorted({record.lesson for record in board.records}):
        title = dict(enumerate(syllabus.TITLES)).get(number, "All lessons")
        rows = [
            f"| {wording.WORDS.get(one.name, '')} | {one.figure} {one.unit} | `{one.name}` |"
            for one in board.of_lesson(number).records
        ]
        head = ["| what | measured | record |", "|---|--:|---|"]
        parts.append("\n".join([f"## {number:02d} · {title}", "", *head, *rows]))
    return "\n\n".join(parts)


def _spine_table(board: scoreboard.Scoreboard) -> str:
    from tinyml_helpers.models import NAMES

    found = {record.name: f"{record.value:.2f}" for record in board.records}
    heads = list(wording.SPINE)
    lines = [f"| correct, in percent | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for model in NAMES:
        cells = [found.get(name.format(model), "–") for name in wording.SPINE.values()]
        lines.append(f"| `{model}` | {' | '.join(cells)} |")
    return "\n".join(lines)
