"""The same network with Arm's CMSIS-NN kernels, or with plain loops, in place of ours.

CMSIS-NN's sources come in the wheel of `bakenn` (a dependency of the benchmark only), the one package
of the Python index that was found to carry any; what else lies in the folder and is newer is taken
instead. It has no softmax and no sum there: those few layers stay ours, in every build.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tinyml_helpers.mcu.compiler import arena, codegen
from tinyml_helpers.mcu.compiler.graph import Network, find_live_operators
from tinyml_helpers.mcu.compiler.kernel_files import read_kernels
from tinyml_helpers.mcu.compiler.lowering import Layer, conv
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall
from tinyml_helpers.mcu.compiler.lowering.weights import collect_filters, read_weight_scales
from tinyml_helpers.mcu.compiler.lowering.window import place_window

AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# memcpy of four bytes has to become one load, not a call: kernels run several times slower else.
STRING_H = """#pragma once
#include <stddef.h>
#define memcpy __builtin_memcpy
#define memset __builtin_memset
"""
BAKENN_MODEL = """#include "model.h"

#include "bknn_net.h"
_Alignas(16) uint8_t model_arena[MODEL_ARENA_BYTES];
static _Alignas(16) uint8_t own[BKNN_NET_ARENA_SIZE + 16];
void model_invoke(void) { bknn_net_infer(BKNN_NET_ARENA_SIZE ? own : 0, model_input(), model_output()); }
"""


ZIG = f"clang of ziglang {version('ziglang')}, -O2"


@dataclass(frozen=True)
class Rival:
    """A CMSIS-NN that lies on this machine.

    Args:
        folder: of its sources.
        revision: of its header, such as (16, 0, 0).
        name: package, release where it is stated, revision and date of the header.
    """

    folder: Path
    revision: tuple[int, ...]
    name: str


def find_newest(folder: Path) -> Rival:
    """The newest CMSIS-NN among all packages in a folder, by the revision of its header.

    Raises:
        FileNotFoundError: there is none.
    """
    found = [_rival(header, folder) for header in folder.rglob("arm_nnfunctions.h")]
    if not found:
        raise FileNotFoundError(f"no CMSIS-NN in {folder}: run `make bench`, which fetches one")
    return max(found, key=lambda rival: rival.revision)


def _rival(header: Path, folder: Path) -> Rival:
    text, package = header.read_text("utf-8"), header.relative_to(folder).parts[0]
    revision = re.search(r"\$Revision:\s*V\.?([\d.]+\d)", text)
    date = re.search(r"\$Date:\s*(.+)", text)
    bundles = (folder / package).rglob("bundle.py")
    told = "".join(path.read_text("utf-8") for path in bundles)
    release = re.search(r'CMSIS_NN_VERSION = "([\d.]+)"', told)
    number = revision[1] if revision else "0"
    name = (
        f"CMSIS-NN {release[1] if release else 'of unknown release'} in {package} (header V{number}, "
        f"{date[1].strip() if date else 'no date'})"
    )
    # CMSIS-Core's headers, which it needs, lie beside it or within.
    whole = next(
        (one for one in list(header.parents)[1:4] if any(one.rglob("cmsis_compiler.h"))),
        header.parents[1],
    )
    return Rival(whole, tuple(map(int, number.split("."))), name)


def sources(rival: Rival) -> dict[str, str]:
    """CMSIS-NN as a flat folder of files that needs no C library."""
    paths = [path for path in rival.folder.rglob("*.[ch]") if "bakenn" not in path.name]
    files = {path.name: path.read_text("utf-8") for path in paths}
    angled = {"<string.h>": '"string.h"', "<math.h>": '"empty.h"', "<stdint.h>": "<stdint.h>"}
    for old, new in angled.items():
        files = {
            name: text.replace(f"#include {old}", f"#include {new}") for name, text in files.items()
        }
    return files | {"string.h": STRING_H, "empty.h": ""}


def with_cmsis_nn(graph: Network, rival: Rival) -> codegen.Program:
    """The network with CMSIS-NN's convolutions and fully connected layers."""
    layers, parts = [], ['#include "arm_nnfunctions.h"\nstatic int32_t cmsis_buffer[8192];\n']
    for layer in codegen.lower(graph, dsp=True):
        context = Context(graph, layer.operator, True, f"cmsis_{layer.operator.position}")
        if layer.operator.type in AXIS:
            parts.append(_function(context))
            ends = (Address(layer.inputs[0]), Address(layer.output))
            layer = replace(layer, calls=(KernelCall(context.name, ends),), **_BARE)
        layers.append(layer)
    program = _program(graph, layers)
    files = {**sources(rival), **program.files, "cmsis_layers.h": "\n".join(parts)}
    files["model.c"] = files["model.c"].replace(
        '#include "kernels.h"', '#include "kernels.h"\n#include "cmsis_layers.h"'
    )
    return replace(program, files=files)


def with_plain_loops(graph: Network, *, dsp: bool) -> codegen.Program:
    """The network with plain loops in C for every layer that has weights."""
    layers = []
    for op, layer in zip(find_live_operators(graph), codegen.lower(graph, dsp=dsp), strict=True):
        context = Context(graph, op, dsp, f"{op.type.lower()}_{op.position}")
        if op.type in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            layer = _plain_convolution(context)
        elif op.type == "FULLY_CONNECTED":
            weights = context.constant(1, "int8")
            f = collect_filters(context, weights, read_weight_scales(context, 0))
            layer = conv.lower_any_fully_connected(context, f)
        layers.append(layer)
    return _program(graph, layers)


def with_bakenn(content: bytes, graph: Network, bakenn: Path) -> codegen.Program | None:
    """The network as `bakenn` writes it in portable C; `None` if it has an operator too many."""
    sys.path.insert(0, str(bakenn))
    from bakenn import compile_tflite
    from bakenn.errors import CompileError

    plain = with_plain_loops(graph, dsp=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            compile_tflite(content, Path(folder), name="net")
        except CompileError:
            return None
        files = {p.name: p.read_text("utf-8") for p in Path(folder).glob("*.[ch]")}
    return replace(plain, files={**files, "model.h": plain.files["model.h"], "model.c": BAKENN_MODEL})


_BARE: Mapping[str, object] = {"constants": (), "scratch_bytes": 0, "in_place": False}


def _plain_convolution(context: Context) -> Layer:
    weights, image = context.constant(1, "int8"), context.input(0)
    depthwise = context.operator.type == "DEPTHWISE_CONV_2D"
    axis, groups = (3, image.shape[3]) if depthwise else (0, image.shape[3] // weights.shape[3])
    rows = weights[0].transpose(2, 0, 1) if depthwise else weights
    f = collect_filters(
        context, rows.reshape(weights.shape[axis], -1), read_weight_scales(context, axis)
    )
    window = place_window(context, (weights.shape[1], weights.shape[2]), weights.shape[axis])
    return conv.lower_any_convolution(context, window, f, groups)


def _program(graph: Network, layers: list[Layer]) -> codegen.Program:
    planned = arena.plan(graph, layers)
    code = "\n".join(codegen._source("model", graph, layers, planned, False))
    files = {"model.h": codegen._header("model", graph, planned), "model.c": code}
    files |= read_kernels(call.kernel for layer in layers for call in layer.calls)
    return codegen.Program("model", graph, tuple(layers), planned, files)


def _function(context: Context) -> str:
    kind, given, output = context.operator.type, context.input(0), context.output
    weights = context.constant(1, "int8")
    rows = weights.reshape(weights.shape[AXIS[kind]], -1)
    f = collect_filters(context, rows, read_weight_scales(context, AXIS[kind]))
    arrays = {
        "weights": ("int8_t", weights.ravel()),
        "bias": ("int32_t", _bias(context, f.bias)),
        "multipliers": ("int32_t", f.multipliers),
        "shifts": ("int32_t", -f.shifts),
    }
    text = "".join(
        f"static const {ctype} {context.name}_{name}[] = {{{', '.join(map(str, values.tolist()))}}};\n"
        for name, (ctype, values) in arrays.items()
    )
    low, high = context.activation_range()
    ends = f".activation = {{{low}, {high}}}"
    offsets = f".input_offset = {-given.zero_point}, .output_offset = {output.zero_point}, {ends}"
    body = _dense(context, offsets) if kind == "FULLY_CONNECTED" else _convolution(context, offsets)
    head = f"static __attribute__((noinline)) void {context.name}(const int8_t *in, int8_t *out)"
    buffer = "    const cmsis_nn_context ctx = {cmsis_buffer, sizeof cmsis_buffer};"
    return f"{text}{head} {{\n{buffer}\n{body}}}\n"


def _bias(context: Context, bias: np.ndarray) -> np.ndarray:
    tensor = context.optional(2)
    return bias if tensor is None else context.constant(2, "int32")


def _dense(context: Context, offsets: str) -> str:
    outputs, inputs = context.input(1).shape
    n, name = context.output.size // outputs, context.name
    return (
        f"    const cmsis_nn_fc_params p = {{{offsets}}};\n"
        f"    const cmsis_nn_per_tensor_quant_params q = {{{name}_multipliers[0], {name}_shifts[0]}};\n"
        f"    const cmsis_nn_dims i = {{{n}, 1, 1, {inputs}}}, f = {{{inputs}, 1, 1, {outputs}}},"
        f" b = {{1, 1, 1, {outputs}}}, o = {{{n}, 1, 1, {outputs}}};\n"
        f"    arm_fully_connected_s8(&ctx, &p, &q, &i, in, &f, {name}_weights, &b, {name}_bias,"
        f" &o, out);\n"
    )


def _convolution(context: Context, offsets: str) -> str:
    name, image, output = context.name, context.input(0).shape, context.output.shape
    shape = context.input(1).shape
    depthwise = context.operator.type == "DEPTHWISE_CONV_2D"
    w = place_window(context, (shape[1], shape[2]), output[3])
    tiles = (
        f".stride = {_tile(w.stride)}, .padding = {_tile(w.padding)}, .dilation = {_tile(w.dilation)}"
    )
    kind = "dw_conv" if depthwise else "conv"
    multiple = f", .ch_mult = {output[3] // image[3]}" if depthwise else ""
    function = "arm_depthwise_conv_wrapper_s8" if depthwise else "arm_convolve_wrapper_s8"
    dims = ", ".join(
        f"{n} = {{{a}, {b}, {c}, {d}}}"
        for n, (a, b, c, d) in (("i", image), ("f", shape), ("b", (1, 1, 1, output[3])), ("o", output))
    )
    quantization = f"{{(int32_t *){name}_multipliers, (int32_t *){name}_shifts}}"
    return (
        f"    const cmsis_nn_{kind}_params p = {{{offsets}, {tiles}{multiple}}};\n"
        f"    const cmsis_nn_per_channel_quant_params q = {quantization};\n"
        f"    const cmsis_nn_dims {dims};\n"
        f"    {function}(&ctx, &p, &q, &i, in, &f, {name}_weights, &b, {name}_bias, &o, out);\n"
    )


def _tile(pair: tuple[int, int]) -> str:
    return f"{{.w = {pair[1]}, .h = {pair[0]}}}"
