"""Measure the house and show what breaks its rules.

python -m tests.house [FOLDER]     of this checkout, or of another
python -m tests.house --write      write tests/house/listed.toml anew
"""

import argparse

from . import listed, measure, names
from .source import ROOT, House

parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
parser.add_argument("folder", nargs="?", default=ROOT, help="a checkout of the project")
parser.add_argument("--write", action="store_true", help="write listed.toml anew")
options = parser.parse_args()
house = House(options.folder)
text = listed.as_toml(listed.offenders(house), listed.read() if listed.FILE.exists() else {})
if options.write:
    listed.FILE.write_text(text, "utf-8")
    missing = text.count('= "?"')
    print(f"{listed.FILE.name} is written; reasons to fill in: {missing}")
else:
    print(text)
for what, number in measure.measure(house).items():
    print(f"{what}: {number:,}")
print("circles:", *map(" <-> ".join, measure.circles(house)), sep="\n    ")
print("lines:", measure.lines_by_room(house))
for number, tree in house.lessons.items():
    said = names.taken(house, tree)
    print(f"lesson {number}: {len(said)} names of {len({thing.module for thing in said})} modules")
