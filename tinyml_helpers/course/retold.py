"""What a reader of the whole course would retell: eight sentences, filled from the records of a run."""

from __future__ import annotations

import re

from tinyml_helpers.course.scoreboard import Scoreboard

_RECORD = re.compile(r"\{([a-z0-9_.]+):([^}]*)\}")
"""A record in a template, and how its value is written: `{start.ram_bytes:,.0f}`."""
# By lesson; each takes records of its own lesson only, and says what they were measured on.
_SENTENCES = {
    0: """
        Your first network (784-32-10, int8) names {start.int8.accuracy_fashion_percent:.1f} % of
        10,000 Fashion-MNIST test photos right. On the emulated Cortex-M4 a photo takes it
        {start.instructions:,.0f} instructions, {start.one_cycle_ms:.1f} to
        {start.two_cycles_ms:.1f} ms at 64 MHz, with {start.flash_bytes:,.0f} bytes of flash and
        {start.ram_bytes:,.0f} of RAM.""",
    2: """
        `small` (46,042 parameters) in float names {ptq.small.float.accuracy_fashion_percent:.2f} %
        of the 10,000 test photos of Fashion-MNIST right. In int8 by PyTorch its file is
        {ptq.small.int8_eager_x86.file_ratio:.1f} times smaller, and
        {ptq.small.int8_eager_x86.drop_fashion_points:.2f} points are lost.""",
    4: """
        Nine weights in ten of `large` (584,938 parameters) pruned away cost
        {prune.large.accuracy_drop_points:.2f} points on 10,000 Fashion-MNIST test photos, and its
        gzipped file is {prune.large.gzip_ratio:.1f} times smaller. Half of its channels cut cost
        {prune.large_slim.accuracy_drop_points:.2f} points, and it takes
        {prune.large_slim.speedup_mcu:.1f} times fewer instructions on the emulated chip.""",
    5: """
        `tiny` (8,058 parameters), trained on 1,200 images, gains
        {distill.tiny_few.distilled_gain_points:.1f} points on 10,000 Fashion-MNIST test photos
        where `large` teaches it: mean of 5 seeds, whose gains spread by
        {distill.tiny_few.distilled_spread_points:.1f}.""",
    8: """
        MLPerf Tiny's keyword network (DS-CNN) as C takes {mcu.dscnn.flash_bytes:,.0f} bytes of
        flash and {mcu.dscnn.ram_bytes:,.0f} of RAM on the emulated Cortex-M4. Of all output bytes
        of seven int8 networks, {mcu.seven_networks.mismatched_bytes:.0f} differ from LiteRT's
        reference.""",
    9: """
        Ten words, other words and background, from 114 people:
        {kws.synthetic.accuracy_people_percent:.1f} %
        ({kws.synthetic.accuracy_people_low_percent:.1f} to
        {kws.synthetic.accuracy_people_high_percent:.1f}) right by a network trained on synthetic
        voices alone, and {kws.final.accuracy_people_percent:.1f} % by one whose teacher has
        probably heard these people; that one takes {kws.final.mcu.ram_bytes:,.0f} bytes of RAM from
        sound to word.""",
    10: """
        Seven gestures, each of ten people left out in turn:
        {gesture.net.nested_unseen_people_percent:.1f} %
        ({gesture.net.nested_unseen_people_low_percent:.1f} to
        {gesture.net.nested_unseen_people_high_percent:.1f}) right. Split at random, which leaks,
        the same windows seem to give {gesture.net.leaking_split_percent:.1f} %.""",
    11: """
        Faults in eight simulated machines never met: AUC {anomaly.autoencoder.new_machines_auc:.2f}
        ({anomaly.autoencoder.new_machines_auc_low:.2f} to
        {anomaly.autoencoder.new_machines_auc_high:.2f}) by an autoencoder of
        {anomaly.autoencoder.int8_file_bytes:,.0f} bytes, {anomaly.mahalanobis.new_machines_auc:.2f}
        by a classic (Mahalanobis distance).""",
}


def fill(template: str, board: Scoreboard) -> str:
    """Return a template with the values of its records, "" where one of them is not there."""
    found = {record.name: record.value for record in board.records}
    if any(name not in found for name, _ in _RECORD.findall(template)):
        return ""
    return _RECORD.sub(lambda one: format(found[one[1]], one[2]), template)


def retell(board: Scoreboard) -> list[tuple[int, str]]:
    """Return number of lesson and sentence, for each lesson whose records are there."""
    filled = [
        (lesson, " ".join(fill(template, board.of_lesson(lesson)).split()))
        for lesson, template in _SENTENCES.items()
    ]
    return [(lesson, sentence) for lesson, sentence in filled if sentence]
