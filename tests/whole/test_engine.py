"""The engine for hours: 3,000 random graphs over all operators.

make whole ARGS="-k graphs"     these alone
"""

import os
import subprocess
import sys

from conditions import ROOT


def test_three_thousand_graphs_equal_the_reference():
    """The same graphs as in `make unit`, and those behind them: seeds 0 to 2,999."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/mcu/test_mcu_graphs.py"]
    environment = {**os.environ, "TINYML_GRAPHS": "3000"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
