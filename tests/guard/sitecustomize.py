"""Python runs this at its start: with tests/guard on PYTHONPATH, every child process is guarded too."""

import os
import sys

import network_guard

network_guard.watch()

# A bar that appears on a slow machine is no part of a checked output. TQDM_DISABLE turns off the plain
# bar, but not the one that notebooks draw: without that one tqdm takes the plain one.
if os.environ.get("TQDM_DISABLE"):
    sys.modules["tqdm.notebook"] = None
