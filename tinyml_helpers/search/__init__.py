"""Search for a network that fits a device: trials, the front of the best, budgets, a certificate.

    task = search.get("gestures")
    trials = search.run(task, search.grid(width=(0.5, 1)), Path("trials.jsonl"))
    search.choose(search.candidates(trials, "nano33ble"), search.Budgets(flash_kib=12, score=85))

Lesson 15 walks through it; `from_arrays` makes a task of your own data.
"""

from tinyml_helpers.search.budgets import Budgets, Choice, choose
from tinyml_helpers.search.catalogue import NAMES, from_arrays, get
from tinyml_helpers.search.certificate import Certificate, certify
from tinyml_helpers.search.front import Candidate, Candidates, candidates, on_front
from tinyml_helpers.search.scheduler import run
from tinyml_helpers.search.search_space import Settings, grid
from tinyml_helpers.search.tasks import Examples, Task
from tinyml_helpers.search.trial import CORES, Trial
from tinyml_helpers.search.trial_log import load_trials

__all__ = [
    "CORES",
    "NAMES",
    "Budgets",
    "Candidate",
    "Candidates",
    "Certificate",
    "Choice",
    "Examples",
    "Settings",
    "Task",
    "Trial",
    "candidates",
    "certify",
    "choose",
    "from_arrays",
    "get",
    "grid",
    "load_trials",
    "on_front",
    "run",
]
