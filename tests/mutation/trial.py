"""Are the tests awake? Spoil the package in one small place at a time, and see whether a test fails.

    make mutate                                   a sample from each package
    make mutate ARGS="--sample 100 --seed 1"      a larger one, or another one
    make mutate ARGS="--again"                    those that survived last time

A mutant is a copy of the package with one slip in it (slips.py). It is killed if a test fails, or if
the tests do not come to an end. Which tests it meets, coverage.py has measured: those that run its line,
and then, if they all pass, the others of their files; what runs on import meets all of its package.
The checkout is not touched: everything happens in copies. Survivors are listed; those that change
nothing that can be seen stand in equivalent.toml, each with the reason.
"""

import argparse
import copy
import json
import random
import re
import tempfile
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, groupby
from operator import itemgetter
from pathlib import Path

from bench import Bench
from choice import Choice, measure
from mutants import changes, mutant
from tqdm import tqdm

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = [
    f"tinyml_helpers/{room}" for room in ("mcu", "cost", "compress", "usecases", "classroom/grade")
]
MOST_SECONDS, AGAIN_SECONDS = 60.0, 300.0
"""How long all tests that a mutant meets may take, and those that a survivor meets once more."""
PATIENCE = (60.0, 3.0)
"""Seconds that a mutant has, and how many times as long as its tests took when they were measured."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: "killed", "time-out", "survived" or "equivalent"; and by which test."""

    mutant: object
    package: str
    fate: str
    by: str = ""


def places(root, package):
    """Where a package can be changed: for each kind of change (text, change, module), in order."""
    kinds = defaultdict(list)
    for path in sorted((root / package).rglob("*.py")):
        text, module = path.read_text("utf-8"), path.relative_to(root).as_posix()
        for change in changes(text):
            kinds[change.kind].append((text, change, module))
    return kinds


def sample(root, package, count, seed):
    """Mutants of a package by a seed, an equal share of each kind as far as there are so many."""
    kinds, rng = places(root, package), random.Random(f"{seed} {package}")
    for _, one in sorted(kinds.items()):
        rng.shuffle(one)
    found, left = [], sum(map(len, kinds.values()))
    for kind in cycle(sorted(kinds)):
        if len(found) == count or not left:
            return found
        if kinds[kind]:
            left -= 1
            found += filter(None, [mutant(*kinds[kind].pop())])
    return found


def listed(root, wanted):
    """The mutants that a list names by module, by the lines before and after, and by where they are."""
    found = []
    for module, named in groupby(sorted(wanted, key=itemgetter("module")), itemgetter("module")):
        text = (root / module).read_text("utf-8")
        made = [(plain(m), m) for change in changes(text) if (m := mutant(text, change, module))]
        for one in named:
            meant = nearest([told for told, _ in made], one)
            found += [m for told, m in made if told is meant]
    return found


def judge(bench, choice, package, one, most_seconds):
    """Try one mutant on the tests that run its line, then on the others of their files, or packages."""
    direct = choice.running(one.module, one.change.lines) or choice.named(package)
    turns, left = [direct, choice.beside(direct)], most_seconds
    if not one.change.lines:  # a number at the top of a module is felt where no line of it runs
        turns.append(choice.named(package).difference(*turns))
    for tests in turns:
        for part in choice.by_file(tests, one.module):
            chosen = choice.within(part, left)
            if not chosen:
                break
            spent = sum(choice.seconds[test] for test in chosen)
            left -= spent
            ended = bench.spoiled(one, ["-x", *chosen], PATIENCE[0] + PATIENCE[1] * spent)
            if ended.code is None:
                return Verdict(one, package, "time-out", chosen[0].partition("::")[0])
            if ended.code:
                marks = re.findall(r"^(?:FAILED|ERROR) .*", ended.said, re.MULTILINE)
                return Verdict(one, package, "killed", marks[0] if marks else f"code {ended.code}")
    return Verdict(one, package, "survived", f"{most_seconds - left:.0f} s of tests")


def judge_all(root, chosen, folders, state, workers, loaded=None, most_seconds=MOST_SECONDS):
    """Verdicts on mutants, a list of (package, mutant), in the order in which they come."""
    equivalent = known_equivalent()
    with tempfile.TemporaryDirectory(prefix="mutation-") as place:
        rooms = [Path(place) / str(number) for number in range(workers)]
        kept = {} if loaded is None else {"loaded": loaded}
        benches = [Bench(root, room, state / "cache", **kept) for room in rooms]
        choice = Choice(measure(root, benches, folders, state / "map"))

        def one(given):
            package, candidate = given
            if (candidate.module, candidate.before, candidate.after) in equivalent:
                return Verdict(candidate, package, "equivalent")
            bench = benches.pop()
            try:
                return judge(bench, choice, package, candidate, most_seconds)
            finally:
                benches.append(bench)

        with ThreadPoolExecutor(workers) as pool:
            yield from tqdm(pool.map(one, chosen), "mutants", len(chosen), unit="mutant")


def known_equivalent():
    """Mutants that change nothing which can be seen: (module, before, after)."""
    given = tomllib.loads((HERE / "equivalent.toml").read_text("utf-8"))
    return {(one["module"], one["before"], one["after"]) for one in given["mutant"]}


def score(root, verdicts, seed):
    """The result as plain data: counts for each package, and who survived."""
    packages = {}
    for package in sorted({verdict.package for verdict in verdicts}):
        fates = Counter(verdict.fate for verdict in verdicts if verdict.package == package)
        packages[package.removeprefix("tinyml_helpers/")] = {
            "places": sum(map(len, places(root, package).values())),
            "mutants": fates.total(),
            "killed": fates["killed"] + fates["time-out"],
            "killed_at_first": fates["killed"] + fates["time-out"],
            "timeouts": fates["time-out"],
            "equivalent": fates["equivalent"],
        }
    left = [plain(verdict.mutant) for verdict in verdicts if verdict.fate == "survived"]
    return {"seed": seed, "packages": packages, "survivors": left}


def plain(one):
    """What a list of mutants says of each."""
    return {"module": one.module, "line": one.change.line, "kind": one.change.kind,
            "before": one.before, "after": one.after}  # fmt: skip


def mended(found, verdicts):
    """A score after its survivors were tried once more; what was killed at first is kept."""
    found = copy.deepcopy(found)
    for verdict in verdicts:
        if verdict.fate != "survived":
            counts = found["packages"][verdict.package.removeprefix("tinyml_helpers/")]
            counts["equivalent" if verdict.fate == "equivalent" else "killed"] += 1
            counts["timeouts"] += verdict.fate == "time-out"
            found["survivors"].remove(nearest(found["survivors"], plain(verdict.mutant)))
    return found


def nearest(those, wanted):
    """Of those that a list names as it names `wanted`, the one that lies nearest to it; or None.

    Lines move when a module is changed, and a module may have the same line twice.
    """
    names = itemgetter("module", "before", "after")
    alike = [one for one in those if names(one) == names(wanted)]
    return min(alike, key=lambda one: abs(one["line"] - wanted.get("line", 0)), default=None)


def percent(found):
    """Killed among those that could be, in percent."""
    of = found["packages"].values()
    killed, all_of_them = (sum(one[name] for one in of) for name in ("killed", "mutants"))
    possible = all_of_them - sum(one["equivalent"] for one in of)
    return 100 * killed / possible if possible else 100.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=30, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--package", action="append", choices=PACKAGES, help="only this one")
    parser.add_argument("--again", action="store_true", help="those that survived last time")
    parser.add_argument("--store", action="store_true", help="keep the score for the page on tests")
    options = parser.parse_args()
    state = ROOT / "build" / "mutation"
    last = state / "score.json"
    before = json.loads(last.read_text("utf-8")) if options.again else None
    if before:
        found = listed(ROOT, before["survivors"])
        of = {one.module: next(p for p in PACKAGES if one.module.startswith(f"{p}/")) for one in found}
        chosen = [(of[one.module], one) for one in found]
    else:
        packages = options.package or PACKAGES
        turns = [[(p, one) for one in sample(ROOT, p, options.sample, options.seed)] for p in packages]
        chosen = [one for turn in zip(*turns, strict=True) for one in turn]
    verdicts = []
    try:
        most_seconds = AGAIN_SECONDS if before else MOST_SECONDS
        for verdict in judge_all(ROOT, chosen, PACKAGES, state, 2, most_seconds=most_seconds):
            verdicts.append(verdict)
            if verdict.fate == "survived":
                tqdm.write(f"survived: {verdict.mutant}")
    finally:  # after Ctrl-C too
        lines = (f"{verdict.fate}: {verdict.mutant}\n    {verdict.by}" for verdict in verdicts)
        (state / "verdicts.txt").write_text("\n".join(lines), "utf-8")
        found = mended(before, verdicts) if before else score(ROOT, verdicts, options.seed)
        last.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if options.store:
        (HERE / "score.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for package, counts in found["packages"].items():
        print(f"{package:14}", *(f"{value:4} {name}" for name, value in counts.items()))
    print(f"{percent(found):.1f} % of those that change anything were killed")
