"""Run generated networks on the host, many in one library, beside the reference kernels."""

import ctypes
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from operator_cases import CASES, PLAIN
from tflite_maker import framed_network, narrow_network, random_network

from tinyml_helpers.deploy.tflite import probe
from tinyml_helpers.mcu.compiler import codegen, graph
from tinyml_helpers.mcu.compiler.lowering import forms
from tinyml_helpers.mcu.target import toolchain

SANITIZE = ["-fsanitize=undefined", "-fsanitize-trap=undefined"]
FLAGS = {True: ["-DTINYML_EMULATE_DSP"], False: []}


class Reference:
    """LiteRT's kernels: its reference, or its plain ones for what that lacks or gets wrong."""

    def __init__(self, content, plain=False):
        if plain:
            resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self.interpreter = Interpreter(
                model_content=content,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=True,
            )
            self.interpreter.allocate_tensors()
        else:
            self.interpreter = probe.interpreter(content, "reference", keep_all=True)

    def run(self, inputs, tensors):
        self.interpreter.reset_all_variables()
        return self.step(inputs, tensors)

    def step(self, inputs, tensors):
        """As `run`, with what is remembered from the run before."""
        for detail, x in zip(self.interpreter.get_input_details(), inputs, strict=True):
            self.interpreter.set_tensor(detail["index"], x)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(i) for i in tensors]


def programs(contents, dsp, **options):
    """Each network as C under its own prefix."""
    graphs = {f"n{i}": graph.read(content) for i, content in contents.items()}
    return {name: codegen.generate(g, name, dsp=dsp, **options) for name, g in graphs.items()}


def sources(made):
    """All files of several programs, the networks in one file."""
    files, parts = {}, []
    for name, program in made.items():
        text = dict(program.files)
        parts.append(text.pop(f"{name}.c"))
        files |= text

    return files | {f"{n}.c": part for n, part in zip(made, parts, strict=True)}


def library(made, dsp, *flags):
    return ctypes.CDLL(str(toolchain.host_library(sources(made), [*FLAGS[dsp], "-O1", *flags])))


def run(lib, program, x, paint):
    """Outputs of one run, after filling the arena with a pattern."""
    g, arena = program.graph, program.arena
    array = (ctypes.c_uint8 * arena.size_bytes).in_dll(lib, f"{program.name}_arena")
    memory = np.frombuffer(array, np.uint8)
    memory[:] = paint
    start = arena.offset(g.inputs[0])
    if g.variables:
        getattr(lib, f"{program.name}_reset")()
    memory[start : start + x.nbytes] = x.view(np.uint8).ravel()
    getattr(lib, f"{program.name}_invoke")()
    return [read(memory, arena.offset(i), g.tensors[i]) for i in g.outputs]


def read(memory, start, tensor):
    part = memory[start : start + tensor.size_bytes].copy()
    return part.view(tensor.dtype).reshape(tensor.shape)


def inputs(tensor, seed):
    """Random values, and ones from the ends of the range; for floats whole steps in int8."""
    dtype = "int8" if tensor.dtype == "float32" else tensor.dtype
    rng, ends = np.random.default_rng(seed), np.iinfo(dtype)
    yield rng.integers(ends.min, ends.max + 1, tensor.shape).astype(dtype)
    yield rng.choice([ends.min, ends.max], tensor.shape).astype(dtype)


def check(contents, dsp, *flags, plain=False, **options):
    """Count bytes and mismatches of networks against the reference."""
    made = programs(contents, dsp, **options)
    lib = library(made, dsp, *flags)
    compared, wrong = 0, []
    for seed, content in contents.items():
        program, reference = made[f"n{seed}"], Reference(content, plain)
        g = program.graph
        for x in inputs(g.tensors[g.inputs[0]], seed):
            want = reference.run([x], g.outputs)
            for paint in (0x00, 0xA5):
                for a, b in zip(run(lib, program, x, paint), want, strict=True):
                    compared += a.nbytes
                    if a.tobytes() != b.tobytes():
                        wrong.append((seed, [op.type for op in g.operators]))
    return compared, wrong


def main(first, count):
    """As a process of its own: the undefined-behaviour sanitizer ends it at the first finding."""
    forms.CODE_BYTES = {True: {}, False: {}}  # the smallest layer takes the form that it can
    contents = {seed: random_network(seed) for seed in range(first, first + count)}
    contents |= {count + seed: framed_network(seed) for seed in contents}
    for dsp in (True, False):
        compared, wrong = check(contents, dsp, *SANITIZE)
        print(compared, "bytes", len(wrong), "wrong")
        sys.exit(1) if wrong else None
        narrow = {seed: narrow_network(seed) for seed in range(first, first + count)}
        compared, wrong = check(narrow, dsp, *SANITIZE, packed=True)
        print(compared, "bytes of packed weights", len(wrong), "wrong")
        sys.exit(1) if wrong else None
    for plain in (True, False):
        chosen = [make for kind, make in CASES.items() if (kind in PLAIN) == plain]
        contents = {i: make(first + i) for i, make in enumerate(chosen * 3)}
        compared, wrong = check(contents, True, *SANITIZE, plain=plain)
        print(compared, "bytes", len(wrong), "wrong")
        sys.exit(1) if wrong else None


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
