"""Exercises of lesson 00: counting the first network, and its `layer` in C with fewer instructions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases, constants, firmware_task
from tinyml_helpers.course.check import Verdict, exercise, hint, right

PIXELS, HIDDEN, CLASSES = 784, 32, 10
MACS = PIXELS * HIDDEN + HIDDEN * CLASSES
_PROTOTYPE = (
    "void layer(const int8_t *in, int n_in, int8_t *out, int n_out, int lowest, "
    "const int8_t *weights, const int32_t *bias, int32_t m)"
)
_CALLER = f"""void network(const int8_t *image, int8_t *scores, const int8_t *w1, const int32_t *b1,
             int32_t m1, const int8_t *w2, const int32_t *b2, int32_t m2) {{
    static int8_t hidden[{HIDDEN}];
    layer(image, {PIXELS}, hidden, {HIDDEN}, 0, w1, b1, m1);
    layer(hidden, {HIDDEN}, scores, {CLASSES}, -128, w2, b2, m2);
}}"""

_HEAD = f"{_PROTOTYPE} {{\n"
NAIVE = f"""{_HEAD}    for (int j = 0; j < n_out; j++, weights += n_in) {{
        int32_t sum = bias[j];
        for (int i = 0; i < n_in; i++)
            sum += weights[i] * in[i];
        sum = ((int64_t)sum * m + (1 << 23)) >> 24;
        out[j] = sum < lowest ? lowest : sum > 127 ? 127 : sum;
    }}
}}
"""
_SCALED = """int8_t scaled(int32_t sum, int32_t m, int lowest) {
    sum = ((int64_t)sum * m + (1 << 23)) >> 24;
    return sum < lowest ? lowest : sum > 127 ? 127 : sum;
}
"""
PAIRS = """void layer(const int8_t *in, int n_in, int8_t *out, int n_out, int lowest,
           const int8_t *weights, const int32_t *bias, int32_t m) {
    for (int j = 0; j < n_out; j += 2, weights += 2 * n_in) {
        int32_t sums[2] = {bias[j], bias[j + 1]};
        for (int i = 0; i < n_in; i++)
            for (int k = 0; k < 2; k++) sums[k] += weights[k * n_in + i] * in[i];
        for (int k = 0; k < 2; k++) {
            int32_t sum = ((int64_t)sums[k] * m + (1 << 23)) >> 24;
            out[j + k] = sum < lowest ? lowest : sum > 127 ? 127 : sum;
        }
    }
}"""
OURS = f"""#include <arm_acle.h>
{_SCALED}
int32_t four(int32_t sum, int16x2_t even, int16x2_t odd, const int8_t *weights) {{
    int32_t w;
    __builtin_memcpy(&w, weights, 4);
    return __smlad(odd, __sxtb16(__ror(w, 8)), __smlad(even, __sxtb16(w), sum));
}}
{_HEAD}    for (int j = 0; j < n_out; j += 2, weights += 2 * n_in) {{
        int32_t first = bias[j], second = bias[j + 1], x;
        for (int i = 0; i < n_in; i += 4) {{
            __builtin_memcpy(&x, in + i, 4);
            int16x2_t even = __sxtb16(x), odd = __sxtb16(__ror(x, 8));
            first = four(first, even, odd, weights + i);
            second = four(second, even, odd, weights + n_in + i);
        }}
        out[j] = scaled(first, m, lowest);
        out[j + 1] = scaled(second, m, lowest);
    }}
}}
"""
SCALE = {"arithmetic alone": 1.0, "ours": 1.87, "the compiler's best": 3.21, "the lesson's loop": 3.28}
"""Instructions for each MAC; `tests/course/test_firmware_task.py` measures all but the first, which is
two unpackings of each word of four weights and two SMLAD, the inputs being unpacked once for all
outputs. The compiler's best is the least over plain loops and all its flags."""
MOST_PER_MAC = 2.75


def _layer(x: Any, w: Any, bias: Any, m: int, lowest: int) -> Any:
    """Return what one layer sends on; `w` is a table in one piece, as C has it."""
    return np.clip((_sums(x, w, bias) * int(m) + 2**23) >> 24, lowest, 127)


def _network(
    image: Any, scores: Any, w1: Any, b1: Any, m1: int, w2: Any, b2: Any, m2: int, *, layer: Any = _layer
) -> Any:
    return layer(layer(image, w1, b1, m1, 0), w2, b2, m2, -128)


def _slip(text: str, layer: Any) -> building.Slip:
    return building.Slip(lambda *case: _network(*case, layer=layer), text)


def _sums(x: Any, w: Any, bias: Any) -> Any:
    return np.reshape(w, (len(bias), -1)).astype(np.int64) @ x.astype(np.int64) + bias


def _wrapped(x: Any, w: Any, bias: Any, m: int, lowest: int) -> Any:
    return np.maximum((_sums(x, w, bias) * int(m) + 2**23) >> 24, lowest).astype(np.int8)


def _narrow(x: Any, w: Any, bias: Any, m: int, lowest: int) -> Any:
    product = (_sums(x, w, bias) * int(m) + 2**23).astype(np.int32)
    return np.clip(product >> 24, lowest, 127)


def _without_last_four(x: Any, w: Any, bias: Any, m: int, lowest: int) -> Any:
    return _layer(x[:-4], np.reshape(w, (len(bias), -1))[:, :-4], bias, m, lowest)


SLIPS = (
    _slip("The half that rounds is missing: add 1 << 23 before the shift.",
          lambda x, w, bias, m, lowest: np.clip(_sums(x, w, bias) * int(m) >> 24, lowest, 127)),
    _slip("Values above 127 must stay at 127; yours go on and wrap round.", _wrapped),
    _slip("sum * m does not fit into 32 bits: make it int64_t first.", _narrow),
    _slip("The bias is missing: each sum begins with its own.", lambda x, w, bias, m, lowest: _layer(
        x, w, 0 * bias, m, lowest)),
    _slip("`lowest` is what the result is at least: 0 in one layer, -128 in the other.",
          lambda x, w, bias, m, lowest: _layer(x, w, bias, m, 0)),
    _slip("`lowest` is what the result is at least: 0 in one layer, -128 in the other.",
          lambda x, w, bias, m, lowest: _layer(x, w, bias, m, -128)),
    _slip("The last four inputs are missing.", _without_last_four),
    _slip("Weights were widened without their sign: 0xFF is -1 here, not 255.",
          lambda x, w, *rest: _layer(x, w.astype(np.int8).view(np.uint8), *rest)),
    _slip("All outputs use the weights of the first: where does the next row begin?",
          lambda x, w, bias, m, lowest: _layer(x, np.tile(w[: len(x)], len(bias)), bias, m, lowest)),
)  # fmt: skip


def _hidden() -> list[cases.Case]:
    """Return networks with a photo each: the first photo is dark, and half of its sums are large."""
    draw = cases.rng("faster_layer")
    found: list[cases.Case] = []
    for brightest in (9, 127, 60, 127, 127):
        image = draw.integers(0, brightest + 1, PIXELS)
        w1 = draw.integers(-127, 128, (HIDDEN, PIXELS))
        w2 = draw.integers(-127, 128, (CLASSES, HIDDEN))
        if not found:
            w1[::2], image[:] = np.abs(w1[::2]), np.maximum(image, 1)
        b1, b2 = draw.integers(-90_000, 90_000, HIDDEN), draw.integers(-9_000, 9_000, CLASSES)
        m1, m2 = (int(draw.integers(low, 2 * low)) for low in (4_000, 40_000))
        scores = np.zeros(CLASSES)
        pixels, out, first, second = (one.ravel().astype(np.int8) for one in (image, scores, w1, w2))
        found.append((pixels, out, first, b1.astype(np.int32), m1, second, b2.astype(np.int32), m2))
    return found


def _task() -> firmware_task.FirmwareTask:
    return firmware_task.FirmwareTask(
        asked=f"`layer` does what the lesson's does, in at most {MOST_PER_MAC} instructions for a MAC.",
        prototype=_PROTOTYPE,
        result="scores",
        arrays={
            "image": ("int8_t", PIXELS),
            "scores": ("int8_t", CLASSES + 4),
            "w1": ("int8_t", HIDDEN * PIXELS),
            "b1": ("int32_t", HIDDEN),
            "w2": ("int8_t", CLASSES * HIDDEN),
            "b2": ("int32_t", CLASSES),
        },
        reference=_network,
        hidden=_hidden(),
        macs=MACS,
        slips=SLIPS,
        scale=SCALE,
        most=MOST_PER_MAC,
        tip="each input is loaded once for every output. Could one load serve two of them?",
        caller=_CALLER,
    )


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
    """Multiply-accumulates of the network 784-32-10 (or as wide as is given) for one picture."""
    count, hidden = float(answer), constants.given("first_network_macs")["hidden"]
    first, second = PIXELS * hidden, hidden * CLASSES
    if count == first + second:
        return right(
            "Nearly all of the work is in the first layer, which looks at every pixel. MACs are the "
            "course's unit of work, and you now count them by hand."
        )
    if count == first + second + hidden + CLASSES:
        return hint("Those are the parameters. A bias is added, it is not multiplied by anything.")
    if count in (first, second):
        return hint("That is one of the two layers. The picture goes through both.")
    if count == PIXELS * hidden * CLASSES:
        return hint("The layers work one after the other: add their counts, do not multiply them.")
    if count == 2 * (first + second):
        return hint("A product and its addition are one MAC, not two.")
    return hint("Each hidden value multiplies every pixel by a weight of its own: how many products?")


@exercise(
    right=[(PAIRS,), (OURS,)],
    wrong=[
        (NAIVE,),
        (NAIVE.replace(" + (1 << 23)", ""),),
        (NAIVE.replace("sum > 127 ? 127 : sum", "sum"),),
        (NAIVE.replace("(int64_t)", ""),),
        (NAIVE.replace("bias[j]", "0"),),
        (NAIVE.replace("sum < lowest ? lowest", "sum < 0 ? 0"),),
        (NAIVE.replace("sum < lowest ? lowest", "sum < -128 ? -128"),),
        (PAIRS.replace("weights += 2 * n_in", "weights += n_in"),),
        (PAIRS.replace("weights[k * n_in + i]", "weights[i]"),),
        (PAIRS.replace("j < n_out", "j < n_out - 2"),),
        (PAIRS.replace("i < n_in", "i < n_in - 4"),),
        (PAIRS.replace("j < n_out", "j < n_out + 2"),),
        (OURS.replace("sxtb16", "uxtb16"),),
        (OURS.replace("i < n_in", "i < n_in - 4"),),
        (f"{_PROTOTYPE} {{ for (int j = 0; j < n_out; j++) out[j] = lowest; }}",),
        (f"{_PROTOTYPE} {{ for (;;) __asm__ volatile(\"\"); }}",),
        (NAIVE.replace("int32_t sum", "sum"),),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)  # fmt: skip
def faster_layer(answer: str) -> Verdict:
    """The lesson's layer in C for a Cortex-M4: the same bytes, below 70,000 instructions a photo."""
    return firmware_task.judge_c(
        _task(),
        answer,
        "A photo now takes fewer than 70,000 instructions. What was saved is loads: an input that is "
        "in a register serves more than one output. SMLAD multiplies two pairs at once, and that is "
        "how lesson 08 goes on.",
    )
