"""Run trials on many workers: this machine's processes, or a cluster's; each at most once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinyml_helpers.search import trial, trial_log
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.tasks import Task
from tinyml_helpers.search.trial import Trial
from tinyml_helpers.system.folders import WriteError

_SEMAPHORES = 32


class SharedMemoryError(OSError):
    """Processes cannot work together here; the message has the reason and the cure."""


def run(
    task: Task,
    settings: Sequence[Settings],
    store: Path,
    *,
    workers: int = -1,
    cores: Sequence[str] = tuple(trial.CORES),
) -> list[Trial]:
    """Run the trials that a file does not hold yet, and return all of them in the order asked for.

    A finished trial is written at once, by this process alone: interrupted, a search loses no more than
    the trials that were running, and the same call goes on where it stopped.

    Inside `joblib.parallel_config(backend="dask")` trials run on the workers of a Dask cluster, which
    need the same version of the course.

    Args:
        task: what to search for.
        settings: what to try; the same ones twice are tried once.
        store: a file of trials, made if it is not there.
        workers: processes, -1 for as many as there are cores, or as the cluster has workers.
        cores: to measure on, of `trial.CORES`; the first use of each builds a library for it, once.

    Raises:
        ValueError: nothing to try, an unknown core, or a teacher for a task that has none.
        SharedMemoryError: this machine lets no processes work together.
        WriteError: no room for the file of trials.
    """
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    if not settings:
        raise ValueError("no settings to try: give at least one, such as grid(width=(0.5, 1))")
    if task.teacher is None and any(one.teacher for one in settings):
        raise ValueError(f"{task.name} has no teacher: search with teacher=(False,)")
    if unknown := set(cores) - set(trial.CORES):
        raise ValueError(f"no core {sorted(unknown)[0]!r}: choose among {', '.join(trial.CORES)}")
    wanted = {trial.key_of(task, one): one for one in settings}
    known = {one.key: one for one in trial_log.read(store).trials if set(cores) <= set(one.cores)}
    missing = [one for key, one in wanted.items() if key not in known]
    if not missing:
        return [known[key] for key in wanted]
    # Without this a worker would be handed several trials at a time, to be lost or waited for together.
    parallel = Parallel(n_jobs=workers, batch_size=1, return_as="generator_unordered")
    started = len(wanted) - len(missing)
    with tqdm(total=len(wanted), initial=started, unit="trial") as bar, _together():
        done = parallel(delayed(trial.run_trial)(task, one, cores) for one in missing)
        for finished in done:
            trial_log.append(store, finished)
            known[finished.key] = finished
            bar.set_description(f"{finished.settings}: {finished.score:.1f}")
            bar.update()
    return [known[key] for key in wanted]


@contextmanager
def _together() -> Iterator[None]:
    """Say what is missing where processes cannot work together; the system only gives a number."""
    try:
        yield
    except OSError as error:
        if isinstance(error, WriteError) or not (why := _no_semaphores()):
            raise
        raise SharedMemoryError(
            f"several workers need shared memory, and this machine gives none (/dev/shm: {why}): search "
            "with workers=1, which finds the same, or give it some (in Docker: --shm-size=1g)"
        ) from error


def _no_semaphores() -> str:
    """Say why processes cannot share as many semaphores as a few workers need, or ""."""
    from multiprocessing import get_context

    try:
        # Made and thrown away: each takes a file in shared memory as long as it lives.
        _ = [get_context("spawn").Semaphore() for _ in range(_SEMAPHORES)]
    except OSError as error:
        return error.strerror or str(error)
    return ""
