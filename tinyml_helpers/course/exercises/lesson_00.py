"""Exercises of lesson 00: counting what the first network does."""

from __future__ import annotations

from tinyml_helpers.course.check import Verdict, exercise, hint, right

PIXELS, HIDDEN, CLASSES = 784, 32, 10


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
