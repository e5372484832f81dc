"""Trials: made, measured, written, resumed, spread over workers."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from tqdm.auto import tqdm

from tinyml_helpers import models, search
from tinyml_helpers.search import ship, trial, trial_log
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.train_and_convert import train_and_convert
from tinyml_helpers.search.trial import OnCore, Trial

ROOT = Path(__file__).parents[2]


def network(width):
    channels = max(2, round(8 * width))
    blocks = [models.separable(channels, channels)]
    return models.classifier(models.conv_bn(1, channels), blocks, channels, 3)


def part(count, who, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = draw.normal(0, 0.3, (count, 1, 8, 8)).astype(np.float32)
    images[np.arange(count), 0, labels] += 2  # the class is the bright row
    return images, labels, [who] * count


def parts():
    return {"train": part(96, "a"), "validation": part(30, "b", 1), "test": part(30, "c", 2)}


@pytest.fixture(scope="module")
def task():
    return replace(search.from_arrays("rows", parts(), network), steps=30)


CORE = ("Cortex-M4F",)


def quick():
    """What stands in for `trial.run_trial`, as a function that a worker can take along."""

    def run(task, settings, cores):
        on = {"Cortex-M4F": OnCore(round(1000 * settings.width), 0, 10, 10, (1, 2))}
        key = trial.key_of(task, settings)
        return Trial(key, task.name, settings, 100 * settings.width, 10, 5, 3, 1, on, 0.1)

    return run


@pytest.fixture
def quick_trials(monkeypatch):
    monkeypatch.setattr(trial, "run_trial", quick())


SETTINGS = search.grid(width=(0.25, 0.5, 0.75, 1.0))


def test_a_trial_is_made_scored_and_measured(task):
    one = trial.run_trial(task, Settings(zeros=0.5, bits=4), CORE)
    assert set(one.cores) == set(CORE)
    assert 0 < one.zeros < one.weights
    assert one.gzip_bytes < one.tflite_bytes
    assert 40 < one.score <= 100
    assert trial.parse(one.line()) == one


def test_what_was_chosen_is_made_with_every_seed_and_none_is_picked(task, tmp_path):
    trials = [trial.run_trial(task, Settings(seed=seed), CORE) for seed in (0, 1)]
    (chosen,) = search.candidates(trials, "nano33ble")
    made = ship.finish(task, chosen)
    assert made.validation == pytest.approx(chosen.scores, abs=0.001)  # trials keep three digits
    assert made.test.seeds == (0, 1)
    first = train_and_convert(task, Settings())  # be it good or bad
    assert made.model.content == first.content
    for seed, score in enumerate(made.test.scores):
        again = train_and_convert(task, Settings(seed=seed))
        assert score == pytest.approx(trial.score(task, again.content, "test"), abs=0.001)
    assert "on the test set of 1 groups; seeds 0, 1, of which the first is in the file" in made.scores
    assert made.write(tmp_path).read_bytes() == made.model.content


def test_bits_zeros_and_channels_are_what_the_network_has(task):
    plain = train_and_convert(task, Settings())
    made = train_and_convert(task, Settings(bits=3, zeros=0.4, removed=0.5))
    assert made.network.stem.conv.out_channels == 4
    for weight in (made.network.stem.conv.weight, made.network.head.weight):
        for row in weight.detach().flatten(1):
            assert len(row.unique()) <= 7  # three bits, symmetric
    assert len(made.content) < len(plain.content)


def test_the_same_settings_give_the_same_network(task):
    assert train_and_convert(task, Settings()).content == train_and_convert(task, Settings()).content
    assert (
        train_and_convert(task, Settings()).content != train_and_convert(task, Settings(seed=1)).content
    )


def test_a_trial_is_known_by_settings_data_and_version(task, monkeypatch):
    key = trial.key_of(task, Settings())
    assert key == trial.key_of(task, Settings())
    others = [
        trial.key_of(task, Settings(seed=1)),
        trial.key_of(replace(task, steps=31), Settings()),
        trial.key_of(
            search.from_arrays("rows", {**parts(), "test": part(30, "c", 3)}, network), Settings()
        ),
    ]
    monkeypatch.setattr(trial, "VERSION", trial.VERSION + 1)
    assert len({key, *others, trial.key_of(task, Settings())}) == 5


def test_one_worker_and_two_find_the_same(task, tmp_path, quick_trials):
    found = [
        search.run(task, SETTINGS, tmp_path / f"{workers}.jsonl", workers=workers, cores=CORE)
        for workers in (1, 2)
    ]
    assert found[0] == found[1]
    assert [one.settings for one in found[0]] == SETTINGS  # in the order asked for


def test_what_is_done_is_not_done_again(task, tmp_path, quick_trials, monkeypatch):
    store = tmp_path / "new" / "trials.jsonl"
    first = search.run(task, SETTINGS[:2], store, workers=1, cores=CORE)
    bars = []
    monkeypatch.setattr("tqdm.auto.tqdm", lambda **given: bars.append(given) or tqdm(**given))

    def broken(task, settings, cores):
        raise RuntimeError(str(settings))

    monkeypatch.setattr(trial, "run_trial", broken)
    assert search.run(task, SETTINGS[:2] * 2, store, workers=1, cores=CORE) == first
    assert not bars  # there was nothing to wait for
    with pytest.raises(RuntimeError, match=r"width 0\.75"):
        search.run(task, SETTINGS, store, workers=1, cores=CORE)
    assert len(bars) == 1


def test_a_trial_without_a_core_that_is_wanted_is_run_again(task, tmp_path, monkeypatch):
    store, ran = tmp_path / "trials.jsonl", []

    def run(task, settings, cores):
        ran.append(tuple(cores))
        made = quick()(task, settings, cores)
        return replace(made, cores={core: made.cores[CORE[0]] for core in cores})

    monkeypatch.setattr(trial, "run_trial", run)
    for cores in (CORE, CORE, (*CORE, "Cortex-M0+"), CORE):
        search.run(task, SETTINGS[:1], store, workers=1, cores=cores)
    assert ran == [CORE, (*CORE, "Cortex-M0+")]
    with pytest.raises(ValueError, match="no core 'Xtensa LX7': choose among"):
        search.run(task, SETTINGS, store, cores=["Xtensa LX7"])


def test_a_torn_line_costs_one_trial_and_damages_no_other(task, tmp_path, quick_trials):
    store = tmp_path / "trials.jsonl"
    whole = search.run(task, SETTINGS, store, workers=1, cores=CORE)
    store.write_bytes(store.read_bytes()[:-40])
    read = trial_log.read(store)
    assert (len(read.trials), read.damaged) == (3, 1)
    assert search.run(task, SETTINGS, store, workers=1, cores=CORE) == whole
    assert (len(trial_log.read(store).trials), trial_log.read(store).damaged) == (4, 1)


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe\n", b"{}\n", b"[1]\n", b'"x"\n', b"null\n", b'{"cores": 3}\n']
)
def test_lines_of_anything_are_counted_and_left_out(task, tmp_path, damage, quick_trials):
    store = tmp_path / "trials.jsonl"
    search.run(task, SETTINGS[:1], store, workers=1, cores=CORE)
    store.write_bytes(damage + store.read_bytes() + b"\n")
    read = trial_log.read(store)
    assert (len(read.trials), read.damaged) == (1, 1)


_KILLED = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
from dataclasses import replace
from pathlib import Path
import test_search_running as here
from tinyml_helpers import search

def slow(task, settings, cores):
    if settings.width > 0.6:
        time.sleep(60)
    return here.quick()(task, settings, cores)

here.trial.run_trial = slow
task = replace(search.from_arrays("rows", here.parts(), here.network), steps=30)
search.run(task, here.SETTINGS, Path({store!r}), workers=1, cores=here.CORE)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_search_that_is_killed_loses_only_what_was_running(task, tmp_path, monkeypatch):
    store = tmp_path / "trials.jsonl"
    code = _KILLED.format(root=str(ROOT), tests=str(Path(__file__).parent), store=str(store))
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TQDM_DISABLE": "1"})
    try:
        patience = time.monotonic() + 120
        while len(trial_log.read(store).trials) < 2 and time.monotonic() < patience:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(trial_log.read(store).trials) == 2
    ran = []

    def run(task, settings, cores):
        ran.append(settings.width)
        return quick()(task, settings, cores)

    monkeypatch.setattr(trial, "run_trial", run)
    search.run(task, SETTINGS, store, workers=1, cores=CORE)
    assert ran == [0.75, 1.0]


_CLUSTER = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from dataclasses import replace
from pathlib import Path
import joblib
import test_search_running as here
from dask.distributed import Client, LocalCluster
from tinyml_helpers import search

here.trial.run_trial = here.quick()
task = replace(search.from_arrays("rows", here.parts(), here.network), steps=30)
with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
    with joblib.parallel_config(backend="dask"):
        search.run(task, here.SETTINGS[:2], Path({store!r}), cores=here.CORE)
"""


def test_a_dask_cluster_runs_the_same_search(task, tmp_path, quick_trials):
    store = tmp_path / "dask.jsonl"
    code = _CLUSTER.format(root=str(ROOT), tests=str(Path(__file__).parent), store=str(store))
    # In a process of its own: a cluster's event loop and TensorFlow's threads need not meet here.
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    own = search.run(task, SETTINGS[:2], tmp_path / "own.jsonl", workers=1, cores=CORE)
    found = {one.settings: one for one in trial_log.read(store).trials}
    assert [found[settings] for settings in SETTINGS[:2]] == own


def test_impossible_searches_are_refused_before_they_start(task, tmp_path):
    with pytest.raises(ValueError, match="no settings to try"):
        search.run(task, [], tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="rows has no teacher"):
        search.run(task, [Settings(teacher=True)], tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="rows has no teacher"):
        train_and_convert(task, Settings(teacher=True))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"width": 0}, "width 0"),
        ({"removed": 1.0}, "removed 1.0"),
        ({"zeros": -0.1}, "zeros"),
        ({"bits": 7}, "7 bits"),
    ],
)
def test_wrong_settings_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Settings(**wrong)


def test_a_grid_is_every_combination_once():
    made = search.grid(width=(0.5, 1), bits=(8, 4), seed=(3,))
    assert len(set(made)) == 4
    assert {one.seed for one in made} == {3}
    with pytest.raises(ValueError, match="no setting 'depth': choose among width, removed"):
        search.grid(depth=(1,))


def test_settings_say_what_is_not_plain():
    assert str(Settings()) == "width 1"
    said = str(Settings(0.5, 0.25, 0.75, 4, True, 3))
    assert said == "width 0.5, 25% removed, 75% zeros, 4-bit weights, taught"


def test_a_group_in_two_parts_is_refused():
    with pytest.raises(ValueError, match="group 'a' is in train and in test"):
        search.from_arrays("x", {**parts(), "test": part(9, "a")}, network)
    with pytest.raises(ValueError, match="no examples for validation"):
        search.from_arrays("x", {"train": part(9, "a"), "test": part(9, "b")}, network)


def test_an_unknown_task_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown task 'faces': choose one of keywords, gestures"):
        search.get("faces")


@pytest.mark.parametrize("name", ["gestures", "images"])
def test_the_parts_of_a_task_share_no_group(name):
    task = search.get(name)
    groups = [set(task.load(part).groups.tolist()) for part in ("train", "validation", "test")]
    assert all(groups)
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_the_gestures_that_ship_have_three_seeds_each_and_combine_techniques():
    designs = search.candidates(search.load_trials(search.get("gestures")), "nano33ble")
    assert {one.seeds for one in designs} == {(0, 1, 2)}
    knobs = [
        (one.width != 1, one.removed > 0, one.zeros > 0, one.bits < 8, one.teacher)
        for one in (design.settings for design in designs)
    ]
    assert sum(sum(row) > 1 for row in knobs) >= 5
    # The lesson's budgets: the best mean is not what it takes, because something cheaper reaches it.
    choice = search.choose(designs, search.Budgets(14, 4, 7, 70, 80))
    assert choice.best.instructions < choice.leader.instructions
    assert choice.best.high >= choice.leader.low


def test_the_trials_that_ship_are_of_this_version():
    lines = (ROOT / "data" / "reference" / "trials.jsonl").read_text("utf-8").splitlines()
    shipped = [trial.parse(line) for line in lines]
    assert len({one.key for one in shipped}) == len(shipped) >= 20
    for name in search.NAMES:
        mine = [one for one in shipped if one.task == name]
        assert len(search.load_trials(search.get(name))) == len(mine) > 0
    for one in shipped:
        assert set(one.cores) == set(search.CORES)
        assert one.zeros <= one.weights
        assert json.loads(one.line()) == json.loads(json.dumps(asdict(one)))
