"""What breaks a rule of tests/test_house.py, found anew, and the list of what may: listed.toml."""

import tomllib
from collections import Counter
from pathlib import Path

from . import lessons, names, parameters, quantizers, reach
from .source import cell_sources

FILE = Path(__file__).with_name("listed.toml")
# Rooms that serve one subject or one reader each, so that one lesson is enough.
OF_ONE_SUBJECT = ("usecases", "live", "search", "classroom", "course.exercises", "course.drawings")
HEAD = """\
# What does not keep a rule of tests/test_house.py, and why it may. The lists shrink: an entry that no
# longer breaks its rule fails the tests, and so does something new.
#
#     python -m tests.house           shows what breaks each rule now
#     python -m tests.house --write   writes it here; reasons of what was listed stay
"""


def of_one_lesson(house):
    """Modules outside the rooms of one subject that one lesson alone uses, or nobody.

    A user is a lesson, `tinyml`, the book, the scripts of data/build or the benchmarks. Two of them
    are enough, and so is the command, which serves all. The front of a room counts with the room.
    """
    fronts = {module.rpartition(".")[0] for module in house.paths}
    return sorted(
        module
        for module, users in reach.users_of_modules(house).items()
        if module not in fronts
        and not any(f"{module}.".startswith(f"{one}.") for one in OF_ONE_SUBJECT)
        and len(users) < 2
        and "tinyml" not in users
    )


def of_lessons(house):
    """Rule of readable code -> {number of a lesson: how often it breaks it}."""
    found = {rule: Counter() for rule in lessons.ALL_RULES}
    for number, notebook in house.notebooks.items():
        for rule, _ in lessons.offences(list(cell_sources(notebook))):
            found[rule][number] += 1
    return {rule: dict(sorted(count.items())) for rule, count in found.items()}


def offenders(house):
    """Name of a list -> what belongs to it now."""
    return {
        "serves one lesson": of_one_lesson(house),
        "same name in a room": sorted(names.twice(house)),
        "alone in a short file": sorted(names.alone(house)),
        "quantizes by itself": quantizers.quantizers(house),
        "parameters that nobody gives": parameters.never_given(house),
        "lessons": of_lessons(house),
    }


def read():
    return tomllib.loads(FILE.read_text("utf-8"))


def names_of(entries):
    """What a list of the file holds: with a reason each, or without."""
    return entries.get("names", entries)


def as_toml(found, known):
    """The lists as a file; reasons come from what is known, and "?" stands where one is missing."""
    lines = [HEAD]
    for title, entries in found.items():
        if title == "lessons":
            for rule, counts in entries.items():
                lines += [f'["lessons"."{rule}"]', *(f'"{n}" = {c}' for n, c in counts.items()), ""]
        elif title == "parameters that nobody gives":
            lines += [f'["{title}"]', "names = [", *(f'    "{one}",' for one in entries), "]", ""]
        else:
            reasons = known.get(title, {})
            lines += [f'["{title}"]', *(f'"{one}" = "{reasons.get(one, "?")}"' for one in entries), ""]
    return "\n".join(lines).rstrip() + "\n"
