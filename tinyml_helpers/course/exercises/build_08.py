"""What lesson 08 asks to build: a dot product in C, in few instructions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases, constants, firmware_task
from tinyml_helpers.course.check import Verdict, exercise

_MOST = 1024
_PROTOTYPE = "int32_t dot(const int8_t *x, const int8_t *w, int32_t n)"

NAIVE = """#include <stdint.h>

int32_t dot(const int8_t *x, const int8_t *w, int32_t n) {
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (x[i] + OFFSET) * w[i];
    return sum;
}
"""
OURS = """#include <arm_acle.h>
int32_t dot(const int8_t *x, const int8_t *w, int32_t n) {
    int32_t sum = 0, a, b;
    for (; n >= 4; n -= 4, x += 4, w += 4) {
        __builtin_memcpy(&a, x, 4), __builtin_memcpy(&b, w, 4);
        sum = __smlad(__sxtab16(OFFSET << 16 | OFFSET, a), __sxtb16(b), sum);
        sum = __smlad(__sxtab16(OFFSET << 16 | OFFSET, __ror(a, 8)), __sxtb16(__ror(b, 8)), sum);
    }
    for (; n > 0; n--) sum += (*x++ + OFFSET) * *w++;
    return sum;
}"""
APART = """#include <arm_acle.h>
int32_t dot(const int8_t *x, const int8_t *w, int32_t n) {
    int32_t sum = 0, weights = 0, i = 0;
    for (; i + 4 <= n; i += 4) {
        int32_t a, b;
        __builtin_memcpy(&a, x + i, 4), __builtin_memcpy(&b, w + i, 4);
        int16x2_t even = __sxtb16(b), odd = __sxtb16(__ror(b, 8));
        sum = __smlad(__sxtb16(a), even, __smlad(__sxtb16(__ror(a, 8)), odd, sum));
        weights = __smlad(even, 0x00010001, __smlad(odd, 0x00010001, weights));
    }
    for (; i < n; i++) sum += x[i] * w[i], weights += w[i];
    return sum + OFFSET * weights;
}
"""
SCALE = {"arithmetic alone": 1.5, "ours": 2.35, "the compiler's best": 4.53, "a plain loop": 5.54}
"""Instructions for each MAC; `tests/course/test_firmware_task.py` measures all but the first, which is
two unpackings of each word of four bytes and two SMLAD: six instructions for four products. The
compiler's best is the least over plain loops and all its flags."""
MOST_PER_MAC = 3.0


def _sum(x: Any, w: Any, n: int, offset: int) -> int:
    return int(((x[:n].astype(np.int64) + offset) * w[:n]).sum())


def _reference(x: Any, w: Any, n: int) -> int:
    return _sum(x, w, n, _offset())


def _offset() -> int:
    return int(constants.given("dot_product")["offset"])


def _in_bits(value: int, bits: int) -> int:
    """Return what is left of a number in so many bits, with its sign."""
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


SLIPS = (
    building.Slip(lambda x, w, n: _sum(x, w, n, 0), "The offset is missing: it is added to each x."),
    building.Slip(lambda x, w, n: _sum(x, w, n, -_offset()), "The offset is added, not taken away."),
    building.Slip(
        lambda x, w, n: _sum(x, w, n, 0) + _offset(), "The offset is added to each x, not to the sum."
    ),
    building.Slip(
        lambda x, w, n: _sum(x, w, n // 4 * 4, _offset()),
        "What is left over when n is no multiple of four is missing.",
    ),
    building.Slip(
        lambda x, w, n: _sum(x, w, n // 2 * 2, _offset()),
        "What is left over when n is odd is missing.",
    ),
    building.Slip(
        lambda x, w, n: _sum(x, w, n + -n % 4, _offset()),
        "It reads past the end when n is no multiple of four.",
    ),
    building.Slip(lambda x, w, n: _in_bits(_reference(x, w, n), 16), "The sum needs 32 bits."),
    building.Slip(lambda x, w, n: _in_bits(_reference(x, w, n), 8), "The sum needs 32 bits."),
    building.Slip(
        lambda x, w, n: int(((x[:n].astype(np.int8) + np.int8(0)).view(np.uint8).astype(int)
                             + _offset()) @ w[:n].view(np.uint8).astype(int)),
        "Bytes were widened without their sign: 0xFF is -1 here, not 255.",
    ),
)  # fmt: skip


def _hidden() -> list[cases.Case]:
    """Return lengths around the traps, the extremes, and a long one, which is counted."""
    draw = cases.rng("dot_product")
    lengths = (0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 33, 100)
    found: list[cases.Case] = []
    for n in lengths:
        # What lies behind the end is not zero, and wrong to read.
        found.append((_bytes(draw, n + 4), _bytes(draw, n + 4), n))
    low = np.full(64, -128, np.int8)
    found.append((np.full(64, 127, np.int8), low, 64))
    found.append((_bytes(draw, _MOST), _bytes(draw, _MOST), _MOST))
    return found


def _bytes(draw: np.random.Generator, count: int) -> Any:
    return draw.integers(-128, 128, count).astype(np.int8)


def _task() -> firmware_task.FirmwareTask:
    return firmware_task.FirmwareTask(
        asked=f"`dot` returns the sum of (x[i] + {_offset()}) * w[i] over n bytes.",
        prototype=_PROTOTYPE,
        result="int32_t",
        arrays={"x": ("int8_t", _MOST + 4), "w": ("int8_t", _MOST + 4)},
        reference=_reference,
        hidden=_hidden(),
        macs=_MOST,
        slips=SLIPS,
        scale=SCALE,
        most=MOST_PER_MAC,
        tip="how many bytes does a load bring?",
    )


def with_offset(text: str, offset: int = 128) -> str:
    """Return one of the C texts above with a number in place of OFFSET."""
    return text.replace("OFFSET", str(offset))


@exercise(
    right=[(with_offset(OURS),), (with_offset(APART),)],
    wrong=[
        (with_offset(NAIVE),),
        (NAIVE,),
        (with_offset(NAIVE, 127),),
        (with_offset(NAIVE, 0),),
        (with_offset(NAIVE, -128),),
        (with_offset(NAIVE).replace("i < n", "i < n / 4 * 4"),),
        (with_offset(NAIVE).replace("i < n", "i <= n"),),
        (with_offset(NAIVE).replace("int32_t sum", "int16_t sum"),),
        (with_offset(OURS).replace("for (; n > 0; n--) sum += (*x++ + 128) * *w++;", ""),),
        (with_offset(OURS).replace("sxtb16", "uxtb16"),),
        (f"{_PROTOTYPE} {{ return 0; }}",),
        (f"{_PROTOTYPE} {{ for (;;) __asm__ volatile(\"\"); }}",),
        (f"{_PROTOTYPE} {{ return *(volatile int32_t *)0x40000000; }}",),
        (f"{_PROTOTYPE} {{ return dot(x, w, n + 1) + 1; }}",),
        (with_offset(NAIVE).replace("return sum;", "return sum"),),
        (with_offset(NAIVE).replace("int32_t dot", "int8_t dot"),),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)  # fmt: skip
def dot_product(answer: str) -> Verdict:
    """A dot product of int8 with an offset, in C for a Cortex-M4: all bytes, few instructions."""
    return firmware_task.judge_c(
        _task(),
        answer,
        "A load brings four bytes, and SMLAD multiplies two pairs; the rest unpacks. The course's "
        "kernels go on from here: they unpack the inputs once for four filters.",
    )
