"""Generated C under the address and undefined-behaviour sanitizers, on random and on damaged networks.

    python tests/fuzz/generated.py --count 300

Each array of a network gets memory of its own with forbidden bytes around it: in the arena as it is
shipped they lie side by side, where a step too far would go unseen. The system's gcc or clang is needed:
the compiler of the package has no runtime for the address sanitizer. Outputs are compared with LiteRT's
reference kernels. A damaged network that still builds must compute what LiteRT computes, to the byte.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import seeds

sys.path.insert(0, str(seeds.ROOT))
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
GAP_BYTES = 64


def compiler():
    """The system's C compiler if it has both sanitizers, else None."""
    for name in ("gcc", "clang"):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "bad.c")
            source.write_text(
                "int main(int n, char **v) { char a[4]; volatile int i = 3 + n; a[i] = 1; return a[i]; }"
            )
            program = str(Path(folder, "bad"))
            command = [name, *SANITIZE, str(source), "-o", program]
            built = shutil.which(name) and not subprocess.run(command, capture_output=True).returncode
            if built and subprocess.run([program], capture_output=True).returncode:
                return name
    return None


def spaced(graph, layers):
    """Each layer in one of its forms, and an arena of arrays that share no byte, with gaps between."""
    from tinyml_helpers.mcu.compiler import arena

    forms = tuple((layer, *layer.wider)[n % (1 + len(layer.wider))] for n, layer in enumerate(layers))
    at, blocks = GAP_BYTES, []
    for block in arena._blocks(graph, forms):
        blocks += [replace(piece, offset=at, then=None) for piece in block.pieces]
        at += block.size_bytes + GAP_BYTES
    return forms, arena.Arena(tuple(blocks), at, at)


def allowed(program):
    """Start and exact size of each array in the arena."""
    from tinyml_helpers.mcu.compiler.lowering.context import SCRATCH

    for block in program.arena.blocks:
        if block.tensors == (SCRATCH,):
            yield block.offset, program.layers[block.first].scratch_bytes
        else:
            yield block.offset, max(program.graph.tensors[i].size_bytes for i in block.tensors)


def main_c(programs):
    """A program that reads inputs, runs each network, and writes outputs."""
    lines = ["#include <stdio.h>", "#include <sanitizer/asan_interface.h>"]
    lines += [f'#include "{name}.h"' for name in programs]
    lines += ["int main(void) {"]
    for name, program in programs.items():
        graph, arena = program.graph, program.arena
        lines += [f"  ASAN_POISON_MEMORY_REGION({name}_arena, {arena.size_bytes});"]
        lines += [
            f"  ASAN_UNPOISON_MEMORY_REGION({name}_arena + {at}, {size});"
            for at, size in allowed(program)
        ]
        lines += ["  for (int i = 0; i < 2; i++) {"]
        for i in graph.inputs:
            place = f"{name}_arena + {arena.offset(i)}, 1, {graph.tensors[i].size_bytes}"
            lines += [f"    if (!fread({place}, stdin)) return 3;"]
        lines += [f"    {name}_invoke();"]
        for i in graph.outputs:
            place = f"{name}_arena + {arena.offset(i)}, 1, {graph.tensors[i].size_bytes}"
            lines += [f"    fwrite({place}, stdout);"]
        lines += ["  }"]
    return "\n".join([*lines, "  return 0;", "}", ""])


def build(programs, dsp, folder, cc):
    """Compile networks and their program with both sanitizers."""
    from mcu_host import FLAGS, sources

    files = sources(programs) | {"main.c": main_c(programs)}
    for name, text in files.items():
        Path(folder, name).write_text(text, "utf-8")
    # The course's compiler is clang, whose built-in functions gcc spells differently in places.
    command = [
        cc,
        "-O1",
        "-g",
        "-std=gnu17",
        "-w",
        *SANITIZE,
        *FLAGS[dsp],
        *(n for n in files if n.endswith(".c")),
    ]
    done = subprocess.run([*command, "-o", "networks"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return Path(folder, "networks")


def generated(content, name, dsp):
    """A network as C with its arrays apart, its first layers in strips; None if it is refused."""
    from tinyml_helpers.deploy.model_file import ModelError
    from tinyml_helpers.mcu.compiler import codegen, graph
    from tinyml_helpers.mcu.compiler.patches import find_stages

    together, codegen.plan_with_room = codegen.plan_with_room, spaced
    try:
        found = graph.read(content)
        if sum(t.size for t in found.tensors) > 1 << 20:
            return None
        program = codegen.generate(found, name, dsp=dsp)
        rows = [found.tensors[s[-1].outputs[0]].shape[1] for s in find_stages(found)]
        count = 1 + int(name[1:]) % max(rows, default=1)
        return codegen.generate(found, name, dsp=dsp, patches=count) if count > 1 else program
    except ModelError:
        return None
    finally:
        codegen.plan_with_room = together


def expected(content, program, inputs):
    """What LiteRT's reference kernels compute, by a process that may crash: None if it does."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            from mcu_host import Reference

            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            reference = Reference(content)
            made = [reference.run(given, program.graph.outputs) for given in inputs]
            with os.fdopen(write, "wb") as file:
                file.write(b"".join(array.tobytes() for arrays in made for array in arrays))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    size = sum(program.graph.tensors[i].size_bytes for i in program.graph.outputs)
    return said if len(said) == len(inputs) * size else None


def noise(program, seed):
    """Two inputs: random bytes, and the ends of their range."""
    rng = np.random.default_rng(seed)
    shapes = [program.graph.tensors[i] for i in program.graph.inputs]
    if any(t.dtype != "int8" for t in shapes):
        return None
    return [
        [rng.integers(-128, 128, t.shape).astype(np.int8) for t in shapes],
        [rng.choice([-128, 127], t.shape).astype(np.int8) for t in shapes],
    ]


def check(contents, dsp, cc):
    """Run networks under the sanitizers; return how many bytes were compared, and what was wrong."""
    programs, inputs, want = {}, {}, {}
    for i, content in contents.items():
        name = f"n{i}"
        program = generated(content, name, dsp)
        given = program and noise(program, i)
        answer = given and expected(content, program, given)
        if answer:
            programs[name], inputs[name], want[name] = program, given, answer
    if not programs:
        return 0, [], 0
    with tempfile.TemporaryDirectory() as folder:
        program = build(programs, dsp, folder, cc)
        given = b"".join(x.tobytes() for name in programs for run in inputs[name] for x in run)
        done = subprocess.run(
            [program], input=given, capture_output=True, env={"ASAN_OPTIONS": "detect_leaks=0"}
        )
    if done.returncode:
        return 0, [done.stderr.decode("utf-8", "replace")[:1500]], len(programs)
    return *compare(done.stdout, programs, want), len(programs)


def compare(printed, programs, want):
    at, wrong = 0, []
    for name, program in programs.items():
        size = len(want[name])
        if printed[at : at + size] != want[name]:
            wrong.append(f"{name}: {', '.join(op.type for op in program.graph.operators)}")
        at += size
    return at, wrong


def damaged(number):
    from mutators import tflite
    from tflite_maker import random_network

    rng = random.Random(f"damaged {number}")
    return tflite(rng, random_network(rng.randrange(3000)), [])


def main():
    from tflite_maker import random_network

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--count", type=int, default=300, help="random networks, and as many damaged ones"
    )
    parser.add_argument("--kind", action="append", choices=["random", "damaged"])
    parser.add_argument("--first", type=int, default=20_000)
    parser.add_argument("--together", type=int, default=50, help="networks in one program")
    options = parser.parse_args()
    cc = compiler()
    if cc is None:
        sys.exit("no gcc or clang with address sanitizer on this machine: install gcc")
    failed = False
    kinds = {"random": random_network, "damaged": damaged}
    for kind, make in ((kind, kinds[kind]) for kind in options.kind or kinds):
        for first in range(options.first, options.first + options.count, options.together):
            last = min(first + options.together, options.first + options.count)
            contents = {i: make(i) for i in range(first, last)}
            for dsp in (True, False):
                compared, wrong, ran = check(contents, dsp, cc)
                failed |= bool(wrong)
                which = f"{kind} {first}-{last - 1}, {'with' if dsp else 'without'} DSP"
                told = f"{which}: {ran} networks ran, {compared:,} bytes compared"
                print(told, *wrong, sep="\n    ", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
