"""What a class takes of one server: arithmetic by hand, what was measured, values for Kubernetes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from book import teaching
from tinyml_helpers.classroom.workshop import class_load, pages
from tinyml_helpers.course import machine_load

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import hub_memory

ROOT = Path(__file__).parents[2]
Learner = class_load.Learner


def a_run(**changed):
    # Alone 400 MiB are 300 of one's own and 100 shared; in a class of four each counts 325.
    fields = dict(
        lesson=0,
        cores=2,
        start_within_seconds=0.0,
        alone=Learner(10.0, 400.0, 400.0),
        learners=(Learner(20.0, 400.0, 325.0), *[Learner(18.0, 390.0, 320.0)] * 3),
        together_mib=1285.0,
    )
    return class_load.ClassRun(**fields | changed)


def test_cores_are_those_with_which_nobody_waits_more_than_five_times_as_long():
    # 20 s on two cores for four: 10 core-seconds each; 50 s may pass.
    assert [a_run().cores_for(learners) for learners in (1, 5, 6, 10, 30, 100)] == [1, 1, 2, 2, 6, 20]


def test_memory_is_what_all_share_once_and_what_each_has():
    assert [a_run().mib_for(learners) for learners in (1, 4, 10)] == pytest.approx([400, 1300, 3100])
    assert a_run().mib_for(4) >= a_run().together_mib
    alone = a_run(learners=(Learner(10.0, 400.0, 410.0),))
    assert alone.mib_for(3) == pytest.approx(1230)
    # Nothing shared, or a class whose learners happened to hold more: no memory below nothing.
    more = a_run(learners=(Learner(20.0, 450.0, 420.0),) * 2)
    assert more.mib_for(10) == pytest.approx(4200)


def test_a_run_says_in_a_sentence_who_waited_how_long_and_who_died():
    assert repr(a_run(lesson=2, start_within_seconds=40.4)) == (
        "4 learners who started lesson 02 within 40 s on 2 cores: nobody's kernel died; the slowest "
        "waited 20 s, 2.0 times as long as one alone (10 s), with 2 to a core; together they "
        "held at most 1.3 GiB, one 325 MiB with shared pages counted in parts, 400 MiB with all of them"
    )
    dead = a_run(learners=(Learner(3.0, 1.0, 1.0, died=True), Learner(20.0, 1.0, 1.0)))
    assert dead.deaths == 1
    assert "at once on 2 cores: 1 of their kernels died" in repr(dead)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    path = tmp_path / "hub.json"
    monkeypatch.setattr(class_load, "_FILE", path)
    return path


def test_what_was_measured_comes_back_and_a_damaged_file_is_refused(stored):
    assert class_load.read_hub_load() == class_load.HubLoad()
    load = class_load.HubLoad((a_run(), a_run(lesson=2)), hub_mib=150.04, jupyterhub="6.1.1")
    class_load.store_hub_load(load)
    again = class_load.read_hub_load()
    assert again.runs == load.runs
    assert (again.hub_mib, again.jupyterhub) == (150.0, "6.1.1")
    needs = again.needs((4, 30))
    assert [(one.learners, one.lesson, one.cores) for one in needs] == [
        (4, 0, 1), (4, 2, 1), (30, 0, 6), (30, 2, 6),
    ]  # fmt: skip
    assert needs[0].gib == pytest.approx((150 + 1300) / 1024)
    for damaged in ("{", '{"runs": [{}]}', "[]", json.dumps({"runs": [], "more": 1})):
        stored.write_text(damaged)
        with pytest.raises(ValueError, match=r"hub.json is damaged: run `make hub` again"):
            class_load.read_hub_load()


def test_the_page_has_a_row_for_each_size_and_says_when_nothing_was_measured(stored):
    assert "Not measured yet: run `make hub`." in teaching.sizes()
    class_load.store_hub_load(class_load.HubLoad((a_run(),), hub_mib=124.0))
    assert "\n| 30 | 00 | 6 | 9.0 GiB |\n" in teaching.sizes()  # 124 + 100 + 30 * 300
    assert f"\n- {a_run()!r}.\n" in teaching.sizes()


def test_the_plan_of_the_day_has_the_class_of_the_day():
    given = dict(lessons=(), days=(), load=machine_load.Load(()), total_gib=0, outlines=(), learners=25)
    given |= dict(sizes=(10, 25), most_times=5)
    measured = class_load.HubLoad((a_run(),), hub_mib=124.0)
    row = r"<td>25</td><td>0</td>\s*<td[^>]*>5</td><td[^>]*>7\.5 GiB</td>"  # 124 + 100 + 25 * 300
    plan = pages.render("plan.html.j2", hub=measured, **given)
    assert re.search(row, plan) and "the slowest waited 20 s" in plan
    assert "run <code>make hub</code>" in pages.render("plan.html.j2", hub=class_load.HubLoad(), **given)


def test_no_kernel_died_and_nobody_held_more_than_the_plan_says():
    for run in class_load.read_hub_load().runs:
        assert run.deaths == 0
        assert run.below_plan
        assert run.together_mib <= run.mib_for(len(run.learners))
    plan = 1024 * machine_load.read_load().class_gib([0], 1)
    assert not a_run(learners=(Learner(1.0, 0.0, plan + 1),)).below_plan


HOLD = "import mmap, sys, time; held = mmap.mmap(-1, 64 << 20); held.write(b'x' * (64 << 20)); {}"
WAIT = "print(flush=True); time.sleep(60)"


@pytest.mark.skipif(sys.platform != "linux", reason="memory in parts is known on Linux alone")
def test_a_page_of_two_processes_counts_once_for_each_and_half_for_each():
    code = HOLD.format("import os; os.fork(); held[:: 4096]; " + WAIT)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        process.stdout.readline(), process.stdout.readline()
        pids = [process.pid, *(one.pid for one in psutil.Process(process.pid).children())]
        both = [hub_memory.held(pid) for pid in pids]
        assert len(both) == 2
        assert all(one.rss_mib > 64 for one in both)
        assert all(one.rss_mib - one.pss_mib > 30 for one in both)
        assert all(one.own_mib < one.pss_mib for one in both)
    finally:
        for one in psutil.Process(process.pid).children():
            one.kill()
        process.kill()
        process.wait()


# Of the chart's values.schema.yaml (jupyterhub/zero-to-jupyterhub-k8s, commit 02dd73d, before 4.3): each
# place that our file uses, with its type there. The schema leaves open what is in FREE.
FREE = {"hub.config", "singleuser.lifecycleHooks.postStart", "singleuser.extraEnv"}
TYPES = {
    "singleuser.image.name": str,
    "singleuser.image.tag": str,
    "singleuser.cpu.guarantee": float | int,
    "singleuser.cpu.limit": float | int,
    "singleuser.memory.guarantee": float | int | str,
    "singleuser.memory.limit": float | int | str,
    "singleuser.defaultUrl": str,
    "singleuser.startTimeout": int,
    "singleuser.storage.capacity": str,
    "singleuser.storage.homeMountPath": str,
    "proxy.https.enabled": bool,
    "proxy.https.hosts": list,
    "proxy.https.letsencrypt.contactEmail": str,
    "cull.enabled": bool,
    "cull.timeout": int,
    "cull.every": int,
    "prePuller.hook.enabled": bool,
    "prePuller.continuous.enabled": bool,
}
VALUES = yaml.safe_load((ROOT / "book" / "teach" / "kubernetes_values.yaml").read_text("utf-8"))


def complaints(values, path=""):
    """What the chart's schema would not take: a name or a type."""
    for name, value in values.items():
        here = f"{path}.{name}".strip(".")
        if here in FREE:
            continue
        elif isinstance(value, dict):
            yield from complaints(value, here)
        elif here not in TYPES or not isinstance(value, TYPES[here]):
            yield f"{here}: {value!r}"


def test_the_values_for_kubernetes_are_such_as_the_chart_takes():
    assert list(complaints(VALUES)) == []
    wrong = {"cull": {"timeout": "1h"}, "singleuser": {"memory": {"limits": "3G"}}}
    assert list(complaints(wrong)) == ["cull.timeout: '1h'", "singleuser.memory.limits: '3G'"]


def test_the_values_for_kubernetes_guarantee_what_was_measured():
    learner, measured = VALUES["singleuser"], machine_load.read_load()
    gib = {name: float(size.removesuffix("G")) for name, size in learner["memory"].items()}
    heaviest = max(one.peak_mib for one in measured.lessons) + measured.server_mib
    assert gib["limit"] * 1024 > heaviest
    for run in class_load.read_hub_load().runs:
        assert gib["guarantee"] * 1024 >= run.pss_mib
        assert learner["cpu"]["guarantee"] >= run.cores_for(100) / 100 * 0.9
    assert learner["extraEnv"]["OMP_NUM_THREADS"] == "1"
    assert learner["extraEnv"]["TINYML_RESULTS"].startswith(learner["storage"]["homeMountPath"])
    page = (ROOT / "book" / "teach" / "jupyterhub.md").read_text("utf-8")
    assert "(kubernetes_values.yaml)" in page and "SharedPasswordAuthenticator.user_password" in page
