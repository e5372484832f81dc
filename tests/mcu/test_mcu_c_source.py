"""The one writer of C: its examples, and what a compiler reads back."""

import ctypes
import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.target import toolchain


def test_the_examples_hold():
    ran = doctest.testmod(c_source)
    assert (ran.failed, ran.attempted > 5) == (0, True)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_read_back(value):
    text = c_source.literal(value)
    assert text.endswith("f")
    assert set(text) & set(".e")  # `1f` is no C
    assert np.float32(float(text[:-1])).tobytes() == np.float32(value).tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, np.float32(np.inf)])
def test_what_c_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="cannot be written as a float of C"):
        c_source.literal(value)


@pytest.mark.parametrize("count", [1, 24, 25, 26, 1000])
def test_long_arrays_break_into_lines(count):
    text = c_source.array("int8_t", "a", np.full(count, 77))
    assert text.startswith(f"static const int8_t a[{count}] = {{\n    77,")
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("77,") == count


def test_a_compiler_reads_the_same_numbers():
    draw = np.random.default_rng(0)
    floats = np.concatenate([draw.normal(0, 10.0 ** draw.integers(-40, 38, 300)), [0, -0.0, 1, 1 / 3]])
    floats = floats.astype(np.float32)
    integers = np.array([[-(2**31), 2**31 - 1], [-1, 0]])
    source = "\n".join(
        [
            c_source.defines({"HIGH": 9, "SCALE": 2.0}),
            "#include <stdint.h>",
            "typedef struct { int32_t low, high; float scale; } row;",
            c_source.array("float", "floats", floats),
            c_source.array("int32_t", "integers", integers),
            c_source.array("row", "rows", [c_source.braces([-5, 6, 0.1]), c_source.braces([7, 8, 1.0])]),
            c_source.struct("row", "one", [c_source.fields(low=-3, high="HIGH"), ".scale = SCALE"]),
            "const float *get_floats(void) { return floats; }",
            "const int32_t *get_integers(void) { return integers[0]; }",
            "float sum(void) { return rows[0].low + rows[1].high + rows[1].scale; }",
            "float other(void) { return one.low + one.high + one.scale; }",
        ]
    )
    library = ctypes.CDLL(str(toolchain.host_library({"a.c": source}, [])))
    library.get_floats.restype = ctypes.POINTER(ctypes.c_float * len(floats))
    library.get_integers.restype = ctypes.POINTER(ctypes.c_int32 * 4)
    library.sum.restype = library.other.restype = ctypes.c_float
    assert np.array(library.get_floats().contents, np.float32).tobytes() == floats.tobytes()
    assert [*library.get_integers().contents] == integers.ravel().tolist()
    assert (library.sum(), library.other()) == (-5 + 8 + 1, -3 + 9 + 2)
