"""The tasks of the course that a search can be run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyml_helpers.search import tasks_anomaly, tasks_classification
from tinyml_helpers.search.tasks import Task

NAMES = ("keywords", "gestures", "vibration", "images")


def get(name: str) -> Task:
    """Return a task of the course: "keywords", "gestures", "vibration" or "images".

    Raises:
        ValueError: there is no such task.
    """
    known: Mapping[str, Callable[[], Task]] = {
        "keywords": tasks_classification.keywords,
        "gestures": tasks_classification.gestures,
        "vibration": tasks_anomaly.vibration,
        "images": tasks_classification.images,
    }
    if name not in known:
        raise ValueError(f"unknown task {name!r}: choose one of {', '.join(known)}, or build a Task")
    return known[name]()
