"""The front of a search, budgets and the certificate."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyml_helpers import devices, search
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.trial import OnCore, Trial

NANO = devices.get("nano33ble")


def trial(score=90.0, seed=0, instructions=640_000, core="Cortex-M4F", task="t", **settings):
    made = Settings(seed=seed, **settings)
    on = {core: OnCore(instructions, 1000, 10 * 1024, 2 * 1024, (instructions, 2 * instructions))}
    return Trial(f"{made}{seed}", task, made, score, instructions // 100, 500, 100, 0, on, 1.0)


def brute_force(costs):
    def beaten(i):
        return any(
            all(a <= b for a, b in zip(costs[j], costs[i], strict=True))
            and any(a < b for a, b in zip(costs[j], costs[i], strict=True))
            for j in range(len(costs))
        )

    return [not beaten(i) for i in range(len(costs))]


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(0, 4))
)
def test_the_front_is_that_of_brute_force(costs):
    assert search.on_front(costs).tolist() == brute_force(costs.tolist())


@given(hnp.arrays(np.float64, (8, 3), elements=st.floats(0, 10, width=16)))
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(costs):
    kept = search.on_front(costs)
    assert kept.any()
    for cost in costs[~kept]:
        assert (costs[kept] <= cost).all(1).any()


@pytest.mark.parametrize("costs", [[1, 2, 3], [[1.0, float("nan")]], 3])
def test_what_is_no_table_of_numbers_has_no_front(costs):
    with pytest.raises(ValueError, match="give a row of numbers for each point"):
        search.on_front(costs)


def test_trials_of_one_design_become_one_candidate():
    trials = [trial(90.0, 0), trial(92.0, 1, instructions=641_000), trial(80.0, width=0.5)]
    first, second = search.candidates(trials, "nano33ble")
    assert (first.score, first.low, first.high) == (91.0, 90.0, 92.0)
    assert (first.scores, first.seeds) == ((90.0, 92.0), (0, 1))
    swapped = search.candidates(reversed(trials), "nano33ble")[0]
    assert (swapped.scores, swapped.seeds) == (first.scores, first.seeds)
    assert first.instructions == 641_000  # the worst seed counts
    assert str(second.settings) == "width 0.5"
    low, high = second.latency_ms  # 640,000 and 1,280,000 cycles at 64 MHz
    assert (low, high) == (10.0, 20.0)
    assert second.energy_uj == (100.0, 200.0)  # at 10 mW


def test_candidates_print_score_spread_and_bytes():
    text = repr(search.candidates([trial(90.0, 0), trial(92.0, 1)], "nano33ble"))
    assert "91.0 (90.0 to 92.0)" in text
    assert "(" not in repr(search.candidates([trial(90.0)], "nano33ble"))
    assert "20.00" in text


def test_a_core_that_no_trial_measured_is_named():
    with pytest.raises(ValueError, match=r"Raspberry Pi Pico is a Cortex-M0\+: trials were measured on"):
        search.candidates([trial()], "pico")


def test_tasks_are_not_mixed():
    with pytest.raises(ValueError, match="trials of a, b"):
        search.candidates([trial(task="a"), trial(task="b")], "nano33ble")


def three():
    made = [
        trial(95.0, instructions=1_280_000, width=2.0),
        trial(90.0, instructions=640_000),
        trial(70.0, instructions=160_000, width=0.25),
    ]
    return search.candidates(made, "nano33ble")


def seeds(*scores, **settings):
    return [trial(score, seed, **settings) for seed, score in enumerate(scores)]


WIDE = {"width": 2.0, "instructions": 900_000}
PLAIN = {"width": 1.0, "instructions": 640_000}
CUT = {"removed": 0.5, "instructions": 300_000}
NARROW = {"width": 0.25, "instructions": 160_000}


@pytest.mark.parametrize(
    ("cut", "chosen"),
    [
        # The leader is width 1: 91 on average, from 88 to 94.
        (
            (87.0, 88.5),
            "width 1, 50% removed",
        ),  # its best seed reaches the leader's worst: not told apart
        ((88.0, 80.0), "width 1, 50% removed"),  # touches
        ((87.0, 87.9), "width 1"),  # told apart
    ],
)
def test_the_cheapest_that_seeds_do_not_tell_from_the_best_is_chosen(cut, chosen):
    trials = [*seeds(88.0, 94.0, **PLAIN), *seeds(*cut, **CUT), *seeds(60.0, 61.0, **NARROW)]
    trials += seeds(89.0, 90.0, **WIDE)  # close as well, and dearer
    choice = search.choose(search.candidates(trials, "nano33ble"), search.Budgets(score=55))
    assert str(choice.best.settings) == chosen
    assert str(choice.leader.settings) == "width 1"
    assert choice.allowed == 4
    assert choice.best in choice.close
    assert "The best mean has width 1: 91.0 (88.0 to 94.0)." in repr(choice)


def test_one_lucky_seed_does_not_choose():
    # Best single score 95, best mean 92: neither a budget nor the choice goes by the lucky one.
    found = search.candidates(seeds(95.0, 80.0, **WIDE) + seeds(92.0, 92.0, **PLAIN), "nano33ble")
    choice = search.choose(found, search.Budgets(score=85))
    assert (choice.best.score, choice.allowed) == (92.0, 1)
    assert choice.reason.endswith("No other design's seeds reach it.")


def test_a_budget_for_the_score_has_to_hold_for_the_worst_seed():
    (one,) = search.candidates(seeds(84.0, 90.0), "nano33ble")
    (line,) = search.Budgets(score=85).lines(one)
    assert (line.measured, line.verdict) == (84.0, "FAILED")


def test_of_equal_costs_the_better_mean_is_chosen():
    found = search.candidates(seeds(90.0, 92.0) + seeds(91.0, 92.0, bits=4), "nano33ble")
    assert str(search.choose(found, search.Budgets()).best.settings) == "width 1, 4-bit weights"


def test_the_best_score_within_the_budgets_is_chosen():
    choice = search.choose(three(), search.Budgets(latency_ms=25))
    assert choice
    assert choice.best.score == 90.0
    assert choice.allowed == 2
    assert choice.advice == ""


def test_of_equal_scores_the_cheaper_is_chosen():
    found = search.candidates([trial(), trial(width=0.5, instructions=500_000)], "nano33ble")
    assert search.choose(found, search.Budgets(score=50)).best.instructions == 500_000


def test_no_budgets_allow_everything():
    assert search.choose(three(), search.Budgets()).best.score == 95.0


def test_impossible_budgets_name_the_nearest_miss_and_what_to_relax():
    choice = search.choose(three(), search.Budgets(latency_ms=19, score=89))
    assert not choice
    assert choice.nearest.score == 90.0
    assert {line.name for line in choice.relax} == {"latency", "score"}
    assert choice.advice == "Relax one: latency from 19 to 20 ms or score from 89 to 70."
    assert "FAILED" in repr(choice)
    assert "Relax one" in choice._repr_html_()


def test_where_no_single_budget_is_to_blame_all_are_named():
    choice = search.choose(three(), search.Budgets(ram_kib=1, latency_ms=1, score=99))
    assert choice.relax == ()
    assert choice.advice.startswith("No single budget is to blame. The nearest miss needs")
    for word in ("RAM from 1 to 2 KiB", "latency", "score"):
        assert word in choice.advice


def by_hand(trials, latency, score, ram):
    """Designs that meet three budgets, and the one to choose, from what was measured alone.

    Trials: lists of (score, instructions) of a design's seeds; 64 MHz, and at most two cycles each.
    """
    allowed = [
        seeds
        for seeds in trials
        if max(count for _, count in seeds) * 2 / 64e6 * 1e3 <= latency
        and min(points for points, _ in seeds) >= score
        and (ram is None or ram >= 2)
    ]
    leader = max(allowed, key=lambda seeds: np.mean([points for points, _ in seeds]), default=None)
    if leader is None:
        return 0, None
    worst = min(points for points, _ in leader)
    close = [seeds for seeds in allowed if max(points for points, _ in seeds) >= worst]
    return len(allowed), min(close, key=lambda seeds: max(count for _, count in seeds))


# Distinct counts, so that nothing but them decides; scores and budgets near each other meet and miss.
MEASURED = st.lists(
    st.lists(st.tuples(st.integers(60, 99), st.integers(1, 50)), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


@given(
    MEASURED, st.integers(1, 60), st.integers(60, 99), st.one_of(st.none(), st.sampled_from([1.9, 2, 3]))
)
def test_what_is_chosen_is_what_a_filter_by_hand_chooses(measured, latency, score, ram):
    measured = [
        [(points, 32_000 * count + 64 * number) for points, count in seeds]
        for number, seeds in enumerate(measured)
    ]
    means = [np.mean([points for points, _ in seeds]) for seeds in measured]
    assume(len(set(means)) == len(means))
    trials = [
        trial(float(points), seed, instructions=count, width=0.5 + 0.5 * number)
        for number, seeds in enumerate(measured)
        for seed, (points, count) in enumerate(seeds)
    ]
    budgets = search.Budgets(latency_ms=latency, score=score, ram_kib=ram)
    choice = search.choose(search.candidates(trials, "nano33ble"), budgets)
    allowed, best = by_hand(measured, latency, score, ram)
    assert choice.allowed == allowed
    assert bool(choice) == (best is not None)
    if best:
        assert choice.best.scores == tuple(float(points) for points, _ in best)
        assert choice.best.instructions == max(count for _, count in best)


@given(
    st.floats(0.5, 100), st.floats(1, 100), st.one_of(st.none(), st.floats(1, 50)),
)  # fmt: skip
def test_each_way_out_of_impossible_budgets_works(latency, score, ram):
    budgets = search.Budgets(latency_ms=latency, score=score, ram_kib=ram)
    choice = search.choose(three(), budgets)
    for line in choice.relax:
        key = {"latency": "latency_ms", "score": "score", "RAM": "ram_kib"}[line.name]
        assert search.choose(three(), replace(budgets, **{key: line.measured}))


def test_without_a_stated_power_energy_is_unknown_and_fails_nothing():
    pico = replace(NANO, key="x", active_mw=None)
    found = search.candidates([trial()], pico)
    choice = search.choose(found, search.Budgets(energy_uj=1))
    assert choice
    (line,) = choice.budgets.lines(choice.best)
    assert line.row() == ("energy", "≤ 1 uJ", "not stated", "unknown")


def test_no_candidates_is_an_error():
    with pytest.raises(ValueError, match="run some trials"):
        search.choose([], search.Budgets())


@pytest.mark.parametrize(
    "wrong", [{"flash_kib": 0}, {"latency_ms": -1}, {"score": 101}, {"ram_kib": float("nan")}]
)
def test_wrong_budgets_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        search.Budgets(**wrong)


def certificate(**budgets):
    (one,) = search.candidates([trial(88.5)], "nano33ble")
    facts = {"data": "<set> & |pipes|", "seed": "7"}
    return search.certify("a title", one, search.Budgets(**budgets), b"model", facts)


def test_a_certificate_says_what_held_and_what_it_rests_on(tmp_path):
    made = certificate(flash_kib=12, score=88)
    assert made.met
    assert made.verdict == "2 of 2 budgets met"
    # sha256 of b"model"
    digest = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    page = made.save(tmp_path / "new" / "folder")
    for text in (page.read_text("utf-8"), (page.parent / "certificate.md").read_text("utf-8")):
        for word in ("a title", "Arduino Nano 33 BLE", digest, "10 KiB", "≤ 12 KiB", "88.5", "640,000"):
            assert word in text
        assert "FAILED" not in text
    assert "&lt;set&gt; &amp; |pipes|" in page.read_text("utf-8")
    assert "| <set> & /pipes/ |" in (page.parent / "certificate.md").read_text("utf-8")


def test_a_failed_budget_is_shown_as_failed():
    made = certificate(latency_ms=10, score=80)
    assert not made.met
    assert made.verdict == "1 of 2 budgets met: NOT MET"
    assert "FAILED" in made.markdown()
    assert "<b>FAILED</b>" in made._repr_html_()


def test_a_budget_that_cannot_be_checked_is_not_met():
    (one,) = search.candidates([trial(88.5)], replace(NANO, key="x", active_mw=None))
    budgets = search.Budgets(energy_uj=10, score=80)
    made = search.certify("a title", one, budgets, b"model", {})
    assert not made.met
    assert made.verdict == "1 of 2 budgets met; the rest cannot be checked"


def test_no_budgets_certify_nothing():
    made = certificate()
    assert not made.met
    assert made.verdict == "No budget was set"


def test_a_date_is_not_needed_to_repeat_it():
    assert str(date.today().year) not in certificate(score=1).markdown()
