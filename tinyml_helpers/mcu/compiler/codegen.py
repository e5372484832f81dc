"""Write a network as readable C: constants in flash, one static arena, one call for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from tqdm.auto import tqdm

from tinyml_helpers.mcu.compiler.arena import ALIGN_BYTES, Arena, plan_with_room
from tinyml_helpers.mcu.compiler.graph import Network, Rounding, find_live_operators
from tinyml_helpers.mcu.compiler.headers import header
from tinyml_helpers.mcu.compiler.kernel_files import check_name, read_kernels
from tinyml_helpers.mcu.compiler.lowering import (
    Layer,
    UnsupportedError,
    count_channels,
    fold_islands,
    fold_padding,
    fold_tables,
    lower,
    trim,
)
from tinyml_helpers.mcu.compiler.lowering.constants import CTYPES, Array
from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH, Address
from tinyml_helpers.mcu.compiler.lowering.packing import PackedLayers
from tinyml_helpers.mcu.compiler.lowering.sharing import share_constants
from tinyml_helpers.mcu.compiler.patches import Proposal, Strips, propose, propose_all

_TARGET = """#if !defined(__ARM_FEATURE_DSP) && !defined(TINYML_EMULATE_DSP)
#error "weights are arranged for a core with DSP instructions: Cortex-M4, M7, M33"
#endif
"""
_ROUNDING = {
    "litert": "",
    "tflm": "#define TINYML_ROUND_AS_TFLM\n",
    "onnx": "#define TINYML_ROUND_ONCE\n",
}


@dataclass(frozen=True, eq=False)
class Program:
    """A network as C.

    Args:
        name: prefix of everything public.
        graph: what it was made from.
        layers: the calls of `<name>_invoke`, in order.
        arena: where the arrays lie.
        files: file name -> text: the network's own C and header, and the kernels that it calls.
        trimmed_channels: of convolutions and dense layers, how many were left out.
        strips: how the first layers run, where they run strip by strip.
    """

    name: str
    graph: Network
    layers: tuple[Layer, ...]
    arena: Arena
    files: Mapping[str, str]
    trimmed_channels: int = 0
    strips: Strips | None = None

    @property
    def macs(self) -> int:
        """Multiplications with a weight in one run."""
        return sum(layer.macs for layer in self.layers)

    @property
    def layer_count(self) -> int:
        """Layers, each counted once in however many strips it runs."""
        return len(find_live_operators(self.graph))

    @property
    def remarks(self) -> str:
        """What was done to make it smaller, a line each."""
        gone = f"\n{self.trimmed_channels:,} channels that are constant or unread are left out"
        return (gone if self.trimmed_channels else "") + (f"\n{self.strips}" if self.strips else "")

    @property
    def calls(self) -> tuple[tuple[str, ...], ...]:
        """The C statements of each layer, in order; `at` is where the arena begins."""
        return tuple(map(tuple, _calls(self.graph, self.layers, self.arena)))

    @property
    def packed_layers(self) -> PackedLayers:
        """The layers whose weights take fewer than 8 bits."""
        return PackedLayers({one.operator.label: one.packed for one in self.layers if one.packed})


def generate(
    graph: Network,
    name: str = "model",
    *,
    dsp: bool = True,
    folded: bool = True,
    trimmed: bool = True,
    packed: bool = False,
    rounding: Rounding | None = None,
    patches: int | None = None,
    room_bytes: int | None = None,
) -> Program:
    """Write a network as C.

    Args:
        graph: the network.
        name: prefix of the public names, a C identifier.
        dsp: whether the core has DSP instructions.
        folded: make each PAD part of the convolution behind it, where that is possible.
        trimmed: leave out channels that are the same for every input, or that nothing reads.
        packed: store weights in fewer bytes, where that saves more than the code for it takes.
        rounding: whose bytes layers give; left out, as the network says.
        patches: of how many strips of rows the first layers run; left out, as `room_bytes` says.
        room_bytes: cut the first layers into as few strips as let the arena fit; left out, into none.

    Returns:
        The program's files: `<name>.c`, `<name>.h` and the kernels.

    Raises:
        UnsupportedError: an operator that cannot be translated.
        ValueError: a name that C does not take, an unknown rounding, more strips than rows.
    """
    graph = replace(graph, rounding=rounding or graph.rounding)
    if graph.rounding not in get_args(Rounding):
        raise ValueError(f"rounding {rounding!r}: choose one of {', '.join(get_args(Rounding))}")
    check_name(name)
    graph = fold_islands(fold_padding(graph) if folded else graph)
    graph = fold_tables(graph) if graph.rounding == "onnx" else graph
    layers = lower(graph, dsp=dsp, packed=packed)
    smaller = trim(graph) if trimmed else graph
    if gone := count_channels(graph) - count_channels(smaller):
        graph, layers = smaller, lower(smaller, dsp=dsp, packed=packed)
    _check_ends(graph, layers)
    graph, layers, arena, strips = _place(graph, layers, dsp, packed, patches, room_bytes)
    code = "\n".join(_source(name, graph, layers, arena, dsp))
    files = {f"{name}.h": header(name, graph, arena), f"{name}.c": code}
    kernels = read_kernels(call.kernel for layer in layers for call in layer.calls)
    kernels["arithmetic.h"] = _ROUNDING[graph.rounding] + kernels["arithmetic.h"]
    return Program(name, graph, layers, arena, {**files, **kernels}, gone, strips)


def _place(
    graph: Network,
    layers: tuple[Layer, ...],
    dsp: bool,
    packed: bool,
    patches: int | None,
    room_bytes: int | None,
) -> tuple[Network, tuple[Layer, ...], Arena, Strips | None]:
    """Give all arrays their places: of whole images, or of strips of the first."""
    wider, arena = plan_with_room(graph, layers)
    whole_bytes = arena.size_bytes
    proposals: Iterable[Proposal] = ()
    if patches is not None:
        proposals = [propose(graph, layers, patches)]
    elif room_bytes is not None and whole_bytes > room_bytes:
        proposals = propose_all(graph, layers)
    best: tuple[Network, tuple[Layer, ...], Arena, Strips | None] = (graph, wider, arena, None)
    for one in tqdm(proposals, "Trying strips", unit=" plans", delay=2, leave=False):
        lowered = lower(graph, dsp=dsp, packed=packed, cut=one.cut)
        found, arena = plan_with_room(one.cut.graph, lowered)
        strips = Strips(one.count, one.layers, whole_bytes, arena.size_bytes)
        if patches is not None or arena.size_bytes < best[2].size_bytes:
            best = one.cut.graph, share_constants(found), arena, strips
        if room_bytes is not None and arena.size_bytes <= room_bytes:
            break
    return best


def _check_ends(graph: Network, layers: Sequence[Layer]) -> None:
    """Inputs and outputs have types that C knows, and every output is computed."""
    computed = {layer.output for layer in layers} | {*graph.inputs, *graph.variables}
    for number in (*graph.inputs, *graph.outputs):
        if graph.tensors[number].dtype not in CTYPES or number not in computed:
            kind = graph.tensors[number].dtype
            raise UnsupportedError(
                f"tensor {number} ({kind}) cannot be an input or output: {', '.join(CTYPES)} can"
            )


def _source(
    name: str, graph: Network, layers: Sequence[Layer], arena: Arena, dsp: bool
) -> Iterator[str]:
    yield f'#include "{name}.h"\n\n#include "kernels.h"\n'
    yield _TARGET if dsp else ""
    for number in sorted({i for layer in layers for i in layer.inputs if graph.tensors[i].data}):
        yield Array(f"tensor_{number}", graph.tensors[number].array).source()
    for layer in layers:
        yield f"/* {layer.operator.type} {layer.operator.position}: {layer.note} */"
        for constant in layer.constants:
            yield constant.source()
    yield f"_Alignas({ALIGN_BYTES}) uint8_t {name}_arena[{name.upper()}_ARENA_BYTES];\n"
    if graph.variables:
        yield from _reset(name, graph, arena)
    yield f"void {name}_invoke(void) {{\n    uint8_t *const at = {name}_arena;"
    if not any(layer.calls for layer in layers):
        yield "    (void)*(volatile uint8_t *)at; /* named nowhere else, linkers drop it */"
    for calls in _calls(graph, layers, arena):
        yield from (f"    {call}" for call in calls)
    yield "}\n"


def _calls(graph: Network, layers: Sequence[Layer], arena: Arena) -> Iterator[list[str]]:
    for n, layer in enumerate(layers):
        given = [[_argument(one, graph, arena, n) for one in call.arguments] for call in layer.calls]
        calls = zip(layer.calls, given, strict=True)
        yield [f"{call.kernel}({', '.join(arguments)});" for call, arguments in calls]


def _reset(name: str, graph: Network, arena: Arena) -> Iterator[str]:
    yield f"void {name}_reset(void) {{"
    for tensor, fill in graph.variables.items():
        start = arena.offset(tensor)
        end = start + graph.tensors[tensor].size_bytes
        yield f"    for (int i = {start}; i < {end}; i++) {name}_arena[i] = {fill};"
    yield "}\n"


def _argument(given: Address | str | int, graph: Network, arena: Arena, layer: int) -> str:
    if not isinstance(given, Address):
        return str(given)
    if given.tensor == SCRATCH:
        there = f"at + {arena.scratch(layer) + given.skipped}"
        return f"({given.ctype} *)({there})" if given.ctype else there
    tensor = graph.tensors[given.tensor]
    if not tensor.data:
        place = arena.offset(tensor.index) + given.skipped
        return f"({given.ctype or CTYPES[tensor.dtype]} *)(at + {place})"
    name = f"tensor_{tensor.index}"
    if not given.skipped and not given.ctype:
        return name
    return f"(const {given.ctype or CTYPES[tensor.dtype]} *)((const uint8_t *){name} + {given.skipped})"
