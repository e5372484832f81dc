"""The header of a network: its ends, and how numbers get in and out of them."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.compiler.arena import Arena
from tinyml_helpers.mcu.compiler.graph import Network
from tinyml_helpers.mcu.compiler.lowering.constants import CTYPES

FOR_C_PLUS_PLUS = '#ifdef __cplusplus\nextern "C" {\n#endif\n', "#ifdef __cplusplus\n}\n#endif\n"
"""What stands before declarations of C that C++ reads too, and behind them."""
_FROM_REAL = Template("""/* The nearest step, halves away from zero, as TensorFlow Lite rounds. */
static inline int8_t ${place}_from_real(float real) {
    const float steps = real / ${PLACE}_SCALE;
    if (!(steps > -256.0f)) return -128;
    if (steps > 256.0f) return 127;
    const int whole = (int)steps;
    const float rest = steps - (float)whole;
    const int value = whole + (rest >= 0.5f) - (rest <= -0.5f) + ${PLACE}_ZERO_POINT;
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}""")
_TO_REAL = Template("""static inline float ${place}_to_real(int8_t value) {
    return ${PLACE}_SCALE * (float)(value - ${PLACE}_ZERO_POINT);
}""")


def header(name: str, graph: Network, arena: Arena) -> str:
    """Write `<name>.h`: the arena, each input and output with its size and scale, and the calls.

    Args:
        name: prefix of everything public.
        graph: the network.
        arena: where its tensors lie.
    """
    before, behind = FOR_C_PLUS_PLUS
    lines = [
        "/* An int8 network as C. Fill the inputs, call invoke, read the outputs. An input does not",
        "   outlive the call: fill it again before the next. */",
        f"#ifndef {name.upper()}_H",
        f"#define {name.upper()}_H",
        "#include <stdint.h>",
        f"\n{before}",
        f"#define {name.upper()}_ARENA_BYTES {arena.size_bytes}",
        f"extern uint8_t {name}_arena[{name.upper()}_ARENA_BYTES];",
        "",
    ]
    for kind, numbers in (("input", graph.inputs), ("output", graph.outputs)):
        for i, number in enumerate(numbers):
            lines += _access(name, f"{kind}{i or ''}", graph.tensors[number], arena.offset(number))
    if graph.variables:
        lines += ["/* Forget all that was heard or seen: call it before the first invoke. */"]
        lines += [f"void {name}_reset(void);"]
    return "\n".join([*lines, f"void {name}_invoke(void);", f"\n{behind}#endif", ""])


def _access(name: str, port: str, tensor: Tensor, offset: int) -> Iterator[str]:
    shape = " x ".join(map(str, tensor.shape)) or "1"
    yield f"/* {port}: {shape} of {tensor.dtype} */"
    values: dict[str, float] = {"COUNT": tensor.size}
    if tensor.scales:
        values |= {"SCALE": tensor.scale, "ZERO_POINT": tensor.zero_point}
    yield c_source.defines(values, f"{name}_{port}_".upper()).rstrip("\n")
    ctype = CTYPES[tensor.dtype]
    address = f"({ctype} *)({name}_arena + {offset})"
    yield f"static inline {ctype} *{name}_{port}(void) {{ return {address}; }}"
    if tensor.scales and tensor.dtype == "int8":
        convert = _FROM_REAL if port.startswith("input") else _TO_REAL
        yield convert.substitute(place=f"{name}_{port}", PLACE=f"{name}_{port}".upper())
    yield ""
