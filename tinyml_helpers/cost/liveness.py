"""When does a block of working memory come into being, and when may it be overwritten?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinyml_helpers.cost.model import Activation


@dataclass(frozen=True)
class Block:
    """Memory that one operator allocated; views and in-place operators share it."""

    layer: str
    elements: int
    item_bits: int | None


@dataclass(frozen=True)
class Step:
    """One operator: the blocks that it reads, and those that it creates."""

    layer: str
    reads: tuple[int, ...]
    creates: tuple[int, ...]
    fusable: bool


def lifetimes(
    blocks: Mapping[int, Block], steps: Sequence[Step], results: Sequence[int]
) -> tuple[tuple[str, ...], tuple[Activation, ...]]:
    """Work out the first and last step of each block.

    A fusable step whose input is not needed later writes into its input's block and is no step of
    its own. `results` stay alive to the end; inputs (blocks that no step creates) live from the
    first step to their last use.

    Returns:
        The layer of each remaining step, and the blocks that remain.
    """
    steps = _without_unread(steps, results)
    last_use = _last_uses(steps, results)
    home: dict[int, int] = {}
    kept: list[str] = []
    spans: dict[int, tuple[int, int]] = {}
    for index, step in enumerate(steps):
        reads = [home.get(key, key) for key in step.reads if key in blocks]
        if _fuses(step, reads, index, last_use, blocks):
            for key in step.creates:
                home[key] = reads[0]
                last_use[reads[0]] = last_use[key]
        else:
            kept.append(step.layer)
        now = max(len(kept) - 1, 0)
        for key in reads:
            spans[key] = (spans.get(key, (0, 0))[0], now)
        spans |= {key: (now, now) for key in step.creates if key not in home}
    for key in (home.get(key, key) for key in results):
        spans[key] = (spans.get(key, (0, 0))[0], max(len(kept) - 1, 0))
    return tuple(kept) or ("(no operator)",), tuple(
        Activation(blocks[key].layer, blocks[key].elements, *span, blocks[key].item_bits)
        for key, span in spans.items()
    )


def _without_unread(steps: Sequence[Step], results: Sequence[int]) -> list[Step]:
    """Drop by-products that nobody reads: batch statistics, indices of a maximum."""
    read = {key for step in steps for key in step.reads} | set(results)
    return [
        replace(step, creates=step.creates[:1] + tuple(key for key in step.creates[1:] if key in read))
        for step in steps
    ]


def _last_uses(steps: Sequence[Step], results: Sequence[int]) -> dict[int, int]:
    uses = {key: i for i, step in enumerate(steps) for key in (*step.creates, *step.reads)}
    return uses | dict.fromkeys(results, len(steps))


def _fuses(
    step: Step,
    reads: Sequence[int],
    index: int,
    last_use: Mapping[int, int],
    blocks: Mapping[int, Block],
) -> bool:
    if not (step.fusable and len(reads) == 1 and len(step.creates) <= 1):
        return False
    same_size = all(blocks[key].elements == blocks[reads[0]].elements for key in step.creates)
    return same_size and (not step.creates or last_use[reads[0]] == index)
