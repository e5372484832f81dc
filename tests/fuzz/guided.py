"""Look for files that break the readers, led by which lines of the package each file reaches (atheris).

    make fuzz                                  ten seconds for each reader
    make fuzz TARGET=sound FUZZ_SECONDS=3600

What was learnt is kept in build/fuzz/corpus and begun with the next time. A file that breaks a reader is
kept in build/fuzz/faults; `python tests/fuzz/guided.py --again FILE --target sound` reads it again.
Readers whose work C++ libraries do are driven by mutate.py instead, which survives their crashes.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import seeds
import targets
from mutators import mutate

OUT = seeds.ROOT / "build" / "fuzz"
ATHERIS = "atheris==3.0.0"
ELSEWHERE = (
    f"{ATHERIS} cannot be installed: it needs a network once, Linux and Python 3.11 to 3.13; or run "
    "`python tests/fuzz/mutate.py`, which needs none of that"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [name for name, target in targets.TARGETS.items() if not target.fork]
    parser.add_argument("--target", choices=["all", *names], default="all")
    parser.add_argument("--seconds", type=int, default=10, help="for each reader")
    parser.add_argument("--again", type=Path, help="a file to read once more")
    options = parser.parse_args()
    if options.again:
        target, content = targets.TARGETS[options.target], options.again.read_bytes()
        return print(targets.attempt(target, content, targets.folder()))
    install()
    if options.target != "all":
        return fuzz(options.target, options.seconds)
    broken = []
    for name in names:
        command = [sys.executable, __file__, "--target", name, "--seconds", str(options.seconds)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        runs = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        print(f"{name:18} {runs[-1] if runs else 'BROKEN: see build/fuzz/faults'}", flush=True)
        broken += [] if done.returncode == 0 else [name, done.stderr[-2000:]]
    return "\n".join(broken)


def install():
    """Put atheris beside the other things that were built, once."""
    place = OUT / "packages"
    sys.path.insert(0, str(place))
    if (place / "atheris").exists():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    if subprocess.run([*command, "--target", str(place), ATHERIS], stderr=subprocess.DEVNULL).returncode:
        sys.exit(ELSEWHERE)


def fuzz(name, seconds):
    """Never returns: libFuzzer ends the process."""
    target, folder, pool = targets.TARGETS[name], targets.folder(), targets.TARGETS[name].pool()
    corpus, faults = OUT / "corpus" / name, OUT / "faults"
    for place in (corpus, faults):
        place.mkdir(parents=True, exist_ok=True)
    for seed in pool:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    import atheris

    with atheris.instrument_imports(include=["tinyml_helpers", "nbformat"]):
        targets.attempt(target, pool[0], folder)

    def test(content):
        outcome = targets.attempt(target, content, folder)
        if outcome not in ("accepted", "refused"):
            raise RuntimeError(outcome)

    def change(content, most, seed):
        rng = random.Random(seed)
        if rng.random() < 0.5 and content:
            return mutate(rng, [content, *pool], target.form)[:most]
        return atheris.Mutate(content, most)

    options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=3000", "-max_len=1000000"]
    options += [f"-artifact_prefix={faults}/{name}-", "-print_final_stats=0"]
    atheris.Setup([sys.argv[0], str(corpus), *options], test, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
