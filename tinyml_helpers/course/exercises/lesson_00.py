"""Exercises of lesson 00: counting what the first network does and holds."""

from __future__ import annotations

from tinyml_helpers.course.check import Verdict, exercise, hint, right

PIXELS, HIDDEN, CLASSES = 784, 32, 10
WIDER = 64
SOLD_KIB = (16, 32, 64, 128, 256)
CODE_BYTES = 1024


@exercise(
    right=[(25_408,), (25_408.0,)],
    wrong=[
        *((count,) for count in (25_088, 320, 25_450, 250_880, 50_816, 826, 25_407, 25_409)),
        (25_408.5,),
        (0,),
        (-1,),
    ],
)
def first_network_macs(answer: int) -> Verdict:
    """Multiply-accumulates of the network 784-32-10 for one picture."""
    count = float(answer)
    first, second = PIXELS * HIDDEN, HIDDEN * CLASSES
    if count == first + second:
        return right(
            "Nearly all of the work is in the first layer, which looks at every pixel. MACs are the "
            "course's unit of work, and you now count them by hand."
        )
    if count == first + second + HIDDEN + CLASSES:
        return hint("Those are the parameters. A bias is added, it is not multiplied by anything.")
    if count in (first, second):
        return hint("That is one of the two layers. The picture goes through both.")
    if count == PIXELS * HIDDEN * CLASSES:
        return hint("The layers work one after the other: add their counts, do not multiply them.")
    if count == 2 * (first + second):
        return hint("A product and its addition are one MAC, not two.")
    return hint("Each hidden value multiplies every pixel by a weight of its own: how many products?")


@exercise(
    right=[(64,), (64.0,)],
    wrong=[*((kib,) for kib in (16, 32, 128, 256, 50.9, 51, 65_536, 52_136)), (0,), (-64,)],
)
def flash_for_wider_network(answer: float) -> Verdict:
    """Smallest flash on sale, in KiB, for the network 784-64-10 in int8."""
    kib = float(answer)
    weights = PIXELS * WIDER + WIDER * CLASSES
    needed_bytes = weights + 4 * (WIDER + CLASSES) + CODE_BYTES
    smallest = min(size for size in SOLD_KIB if size * 1024 >= needed_bytes)
    if kib == smallest:
        return right(
            "Weights, biases and code fit, with some room to spare. In float32 the weights would take "
            "four times as much, and so would the chip: that is what 8 bits buy."
        )
    if kib in SOLD_KIB and kib < smallest:
        return hint(f"{kib:.0f} KiB are {kib * 1024:,.0f} bytes, and the weights alone need more.")
    if kib == 4 * smallest:
        return hint("That fits weights of four bytes each. How many bytes does an int8 take?")
    if kib in SOLD_KIB:
        return hint("It fits, but a smaller and cheaper one does too.")
    return hint("Count the bytes, then answer with the next larger of the sizes on sale, in KiB.")
