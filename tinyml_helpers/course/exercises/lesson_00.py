"""Exercises of lesson 00: counting what the first network does and holds."""

from __future__ import annotations

from tinyml_helpers.course.check import Verdict, exercise, hint, right

PIXELS, HIDDEN, CLASSES = 784, 32, 10
WIDER = 64
SOLD_KIB = (16, 32, 64, 128, 256, 512, 1024)
CODE_BYTES = 1024


@exercise(wrong=[(25_088,), (25_450,), (320,), (250_880,), (826,), (-1,)])
def first_network_macs(answer: int) -> Verdict:
    """Multiply-accumulates of the network 784-32-10 for one picture."""
    answer = int(answer)
    first, second = PIXELS * HIDDEN, HIDDEN * CLASSES
    if answer == first + second:
        return right(
            f"{first:,} in the first layer and {second} in the second: the first layer is nearly all "
            "of the work. MACs are the course's unit of work, and you now count them by hand."
        )
    if answer == first + second + HIDDEN + CLASSES:
        return hint("Those are the parameters. A bias is added, it is not multiplied by anything.")
    if answer in (first, second):
        return hint("That is one of the two layers. The picture goes through both.")
    if answer == PIXELS * HIDDEN * CLASSES:
        return hint("The layers work one after the other: add their counts, do not multiply them.")
    return hint("Each hidden value multiplies every pixel by a weight of its own: how many products?")


@exercise(wrong=[(16,), (32,), (50.9,), (128,), (256,), (65_536,)])
def flash_for_wider_network(answer: float) -> Verdict:
    """Smallest flash on sale, in KiB, for the network 784-64-10 in int8."""
    answer = float(answer)
    weights = PIXELS * WIDER + WIDER * CLASSES
    needed_bytes = weights + 4 * (WIDER + CLASSES) + CODE_BYTES
    smallest = min(size for size in SOLD_KIB if size * 1024 >= needed_bytes)
    if answer == smallest:
        return right(
            f"{needed_bytes:,} bytes are needed, {smallest * 1024:,} are there. In float32 the "
            f"weights alone would take {4 * weights:,} bytes and a chip four times the size: "
            "that is what 8 bits buy."
        )
    if answer in SOLD_KIB and answer < smallest:
        return hint(f"{answer:.0f} KiB are {answer * 1024:,.0f} bytes, the weights alone {weights:,}.")
    if answer == 4 * smallest:
        return hint("That fits weights of 4 bytes each. How many bytes does an int8 take?")
    if answer in SOLD_KIB:
        return hint("It fits, but a smaller and cheaper one does too.")
    return hint("Count the bytes, then answer with the next larger of the sizes on sale, in KiB.")
