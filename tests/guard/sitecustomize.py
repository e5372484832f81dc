"""Python runs this at its start: with tests/guard on PYTHONPATH, every child process is guarded too."""

import network_guard

network_guard.watch()
