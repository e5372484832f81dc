"""Movements on their way to a decision: in numpy, in C on the host, and on the emulated core."""

import ctypes
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.ensemble import RandomForestClassifier

from tinyml_helpers import mcu
from tinyml_helpers.datasets import load_gestures
from tinyml_helpers.datasets.gestures.recordings import UNITS, Gestures, Recording
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.usecases.gestures import (
    augment,
    features,
    firmware,
    personalize,
    random_forest,
    stream,
    train,
    vote,
)
from tinyml_helpers.usecases.gestures import network as networks

SCALE, ZERO_POINT = 6 / 255, -3


@pytest.fixture(scope="module")
def windows():
    return features.cut(load_gestures().of("2", "6", "9"))


def hard_cases():
    """Windows at the ends of the range, at rest, and random."""
    random = np.random.default_rng(0).integers(-32768, 32768, (30, 200, 6)).astype(np.int16)
    ends = np.stack([np.full((200, 6), value, np.int16) for value in (-32768, 32767, 0, 1, -1)])
    flips = np.tile(np.array([[-32768], [32767]], np.int16), (1, 100, 6))
    return np.concatenate([random, ends, flips])


# ----- windows


def recording(samples, person="a", side="left", label=0):
    raw = np.arange(samples * 6, dtype=np.int16).reshape(samples, 6)
    return Recording(raw, person, side, label, "xy"[label])


def test_gentle_movements_keep_a_scale_that_the_c_can_hold(windows):
    gentle = replace(windows, raw=(windows.raw // 50).astype(np.int16))
    for seen in (features.calibration_inputs(gentle), features.calibration_inputs(windows)):
        assert len(features.input_gains((seen.max() - seen.min()) / 255)) == 6
    assert features.calibration_inputs(windows).max() > 2  # as they came


def test_windows_start_every_hop_and_end_within_the_recording():
    cut = features.cut(Gestures((recording(500), recording(199), recording(200, label=1)), ("x", "y")))
    assert cut.raw[:, 0, 0].tolist() == [0, 300, 600, 900, 1200, 1500, 1800, 0]
    assert cut.labels.tolist() == [0] * 7 + [1]
    assert cut.recording.tolist() == [0] * 7 + [2]
    assert repr(cut) == "8 windows of 4 s, of 2 recordings, 1 people"


def test_recordings_that_are_too_short_are_told():
    with pytest.raises(ValueError, match="no recording is as long as 200"):
        features.cut(Gestures((recording(150),), ("x",)))
    with pytest.raises(ValueError, match="at least 1"):
        features.cut(Gestures((recording(500),), ("x",)), hop=0)


def test_people_are_taken_and_left(windows):
    assert set(windows.of("6").people) == {"6"}
    assert set(windows.without("6").people) == {"2", "9"}
    assert windows.first(100).raw.shape == (len(windows), 100, 6)


# ----- the front end


def test_mirroring_twice_changes_nothing_and_left_arms_stay():
    raw = hard_cases().astype(np.int32)
    right = np.arange(len(raw)) % 2 == 0
    once = features.mirror(raw, right)
    assert np.array_equal(features.mirror(once, right), raw)
    assert np.array_equal(once[~right], raw[~right])
    assert np.array_equal(once[right][..., 0], -raw[right][..., 0])
    assert np.array_equal(features.mirror(raw[0], True), raw[0] * features.MIRROR)


def test_no_other_signs_make_left_and_right_arms_more_alike():
    """What lesson 10 says of all 64 choices, by means and covariances, whoever is left out."""
    signs = np.array(list(itertools.product((1, -1), repeat=6)))
    shapes = {}
    for one in load_gestures().recordings:
        values = one.values * features.WEIGHTS
        shapes[one.person, one.gesture, one.side] = values.mean(0), np.cov(values.T)
    cost = {person: np.zeros(len(signs)) for person, _, _ in shapes}
    for (person, gesture, side), (mean, spread) in shapes.items():
        if side == "left" and (person, gesture, "right") in shapes:
            other_mean, other_spread = shapes[person, gesture, "right"]
            turned = signs[:, :, None] * other_spread * signs[:, None, :]
            cost[person] += ((mean - signs * other_mean) ** 2).sum(1)
            cost[person] += ((spread - turned) ** 2).sum((1, 2))
    for left_out in cost:
        total = sum(values for person, values in cost.items() if person != left_out)
        assert signs[total.argmin()].tolist() == features.MIRROR.tolist()


def test_gravity_of_a_watch_at_rest_is_gone():
    raw = np.zeros((1, 200, 6), np.int16)
    raw[..., 2] = 4096
    assert not features.subtract_slow_part(raw, [False]).any()


def test_the_low_pass_follows_its_formula():
    raw = hard_cases()[:20] // 4
    arms = raw.reshape(20, 100, 2, 6).astype(float).sum(2)
    level = arms[..., :3].mean(1)
    for moment in range(100):
        level = level + (arms[:, moment, :3] - level) * 19 / 256
        arms[:, moment, :3] -= level
    # The integers round down by less than a unit a step, of which the low-pass forgets most.
    assert np.abs(features.subtract_slow_part(raw, np.zeros(20, bool)) - arms).max() < 2


def test_the_filter_as_a_matrix_is_the_same_filter(windows):
    some = windows.take(slice(0, 50))
    inside = augment.prepare(augment.in_units(some, augment.RECIPE), augment.RECIPE)
    assert np.abs(inside.numpy() - features.network_input(some.raw, some.right)).max() < 1e-3


def test_int8_is_the_float_input_rounded(windows):
    some = windows.take(slice(0, 100))
    real = features.network_input(some.raw, some.right).transpose(0, 2, 3, 1)
    wanted = (real / SCALE + ZERO_POINT).clip(-128, 127)
    assert (
        np.abs(features.quantized_input(some.raw, some.right, SCALE, ZERO_POINT) - wanted).max() < 0.52
    )


def test_a_scale_too_fine_for_32_bits_is_refused():
    with pytest.raises(ValueError, match=r"at least 0\.00"):
        features.input_gains(1e-4)
    with pytest.raises(ValueError, match="input scale 0"):
        features.input_gains(0)
    # The largest product at the smallest scale still fits.
    least = (UNITS / 2 * features.WEIGHTS).max() * 2**20 / 16383
    assert int(features.input_gains(least * 1.001).max()) * 2 * 65536 + 2**19 < 2**31


def model():
    return SimpleNamespace(
        input=Tensor("in", (1, 1, 100, 6), "int8", (SCALE,), (ZERO_POINT,)),
        output=Tensor("out", (1, 7), "int8"),
    )


def host(files):
    return ctypes.CDLL(
        str(toolchain.host_library(files, ["-fsanitize=undefined", "-fsanitize-trap=undefined"]))
    )


def pointer(array):
    return np.ascontiguousarray(array).ctypes.data_as(ctypes.c_void_p)


@pytest.mark.parametrize("right", [False, True])
def test_the_c_on_the_host_gives_the_bytes_of_numpy(windows, right):
    library = host(firmware.pipeline(model(), right=right).files)
    raw = np.concatenate([windows.raw[windows.right == right][:150], hard_cases()])
    wanted = features.quantized_input(raw, np.full(len(raw), right), SCALE, ZERO_POINT)
    got = np.zeros((len(raw), 1, 100, 6), np.int8)
    for one, into in zip(raw, got, strict=True):
        library.motion_features(pointer(one), into.ctypes.data_as(ctypes.c_void_p))
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_the_c_on_the_emulated_core_gives_the_bytes_of_numpy(windows, core):
    main = (
        '#include "motion.h"\n'
        '__attribute__((section(".sensor"))) int16_t samples[1200];\n'
        "int8_t input[600];\n"
        "int main(void) { motion_features(samples, input); return 0; }\n"
    )
    machine = Machine(toolchain.compile_c({**firmware.pipeline(model()).files, "main.c": main}, core))
    raw = np.concatenate([windows.raw[:3], hard_cases()[-3:]])
    wanted = features.quantized_input(raw, np.zeros(6, bool), SCALE, ZERO_POINT)
    for one, bytes_ in zip(raw, wanted, strict=True):
        run = machine.run({"samples": one.ravel()}, {"input": np.int8})
        assert np.array_equal(run.outputs["input"], bytes_.ravel())


# ----- votes


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.int8, st.tuples(st.integers(1, 12), st.just(7))),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([0, 2, 40]),
)
def test_the_vote_in_c_is_the_vote_in_numpy(outputs, votes, margin):
    library = host(firmware.pipeline(model(), votes=votes, margin=margin).files)
    library.motion_forget()
    said = [library.motion_vote(pointer(one)) for one in outputs]
    assert said == vote.vote(outputs, votes, margin).tolist()


def test_a_vote_forgets_what_lay_before_rest():
    outputs = np.array([[9, 0], [9, 0], [0, 0], [0, 5], [0, 5]])
    still = [False, False, True, False, False]
    assert vote.vote(outputs, 5, still=still).tolist() == [0, 0, -1, 1, 1]
    assert vote.vote(outputs, 5).tolist() == [0, 0, 0, 0, 0]
    assert vote.vote(outputs[:2], 5, margin=10).tolist() == [-1, -1]


def test_scores_by_hand():
    cut = features.cut(Gestures((recording(400), recording(300, label=1)), ("x", "y")))
    outputs = np.eye(2)[[0, 0, 1, 0, 0, 1, 0, 0]]  # 5 windows of x, 3 of y
    scores = vote.score_people(outputs, cut, 3)
    # Windows: 4/5 and 1/3. Votes of three: x x x, and one of y which is wrong.
    assert scores.window_percent[0] == pytest.approx(100 * (4 / 5 + 1 / 3) / 2)
    assert scores.vote_percent[0] == pytest.approx(50)
    assert "mean" in repr(scores)
    assert vote.vote_leads(outputs, cut, 3) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 3])


def test_votes_stay_within_their_recording_by_hand():
    # Windows: 5 of x, 2 and 4 of y. Votes of three: x x y, then y, which is too short, then y x.
    movements = (recording(400), recording(250, label=1), recording(350, label=1))
    cut = features.cut(Gestures(movements, ("x", "y")))
    outputs = np.eye(2)[[0, 0, 0, 1, 1, *[1, 1], *[1, 1, 0, 0]]]
    scores = vote.score_people(outputs, cut, 3)
    assert scores.window_percent[0] == pytest.approx(100 * (3 / 5 + 4 / 6) / 2)
    assert scores.vote_percent[0] == pytest.approx(100 * (2 / 3 + 2 / 3) / 2)
    first, second = vote.score_people(np.eye(2)[[1] * 11], cut, 3), vote.score_people(outputs, cut, 1)
    assert first.vote_percent[0] == pytest.approx(50)  # always y: all of y, none of x
    assert second.vote_percent == second.window_percent  # one window votes alone


def test_rest_is_still_and_movement_is_not(windows):
    rest = np.random.default_rng(0).normal(0, 20, (3, 200, 6)).astype(np.int16)
    assert vote.is_still(rest).all()
    assert not vote.is_still(windows.raw).any()


# ----- augmentation and personal traits


def test_rotations_turn_and_do_not_stretch():
    turns = augment.draw_rotations(200, (30.0, 15.0, 15.0), torch.Generator().manual_seed(0))
    assert torch.allclose(turns @ turns.mT, torch.eye(3).expand(200, 3, 3), atol=1e-5)
    angles = torch.rad2deg(torch.arccos(((turns.diagonal(dim1=1, dim2=2).sum(1)) - 1) / 2))
    assert 20 < float(angles.mean()) < 45
    values = torch.randn(200, 10, 6)
    turned = augment.rotate(values, turns)
    assert torch.allclose(turned[..., 3:].norm(dim=-1), values[..., 3:].norm(dim=-1), atol=1e-4)
    by_hand = torch.einsum("nij,ntj->nti", turns, values[..., :3])
    assert torch.allclose(turned[..., :3], by_hand, atol=1e-5)


def test_playing_faster_turns_faster():
    long = torch.zeros(64, train.LONG, 6)
    long[..., 0] = torch.arange(train.LONG)
    long[..., 3] = 1.0
    recipe = augment.Recipe(degrees=(0.0, 0.0, 0.0))
    played = augment.augment(long, recipe, torch.Generator().manual_seed(0))
    speed = played[:, 1, 0] - played[:, 0, 0]
    assert speed.min() >= 1 / 1.3 - 1e-3
    assert speed.max() <= 1.3 + 1e-3
    assert torch.allclose(played[:, 0, 3], speed, atol=1e-3)


def test_a_turned_watch_is_found_and_turned_back(windows):
    from scipy.spatial.transform import Rotation

    others, own = windows.without("6"), windows.of("6").take(windows.of("6").right)
    before = personalize.watch_rotation(own, others).magnitude()
    arms = features.mirror(own.raw, own.right).reshape(len(own), -1, 3)
    turned = arms @ Rotation.from_euler("x", 50, degrees=True).as_matrix().T
    raw = features.mirror(turned.reshape(own.raw.shape), own.right).clip(-32768, 32767).astype(np.int16)
    moved = features.Windows(raw, own.right, own.labels, own.people, own.recording, own.classes)
    found = np.degrees(personalize.watch_rotation(moved, others).magnitude())
    assert abs(found - 50) < np.degrees(before) + 2
    back = personalize.turn_back(moved, moved, others)
    assert np.degrees(personalize.watch_rotation(back, others).magnitude()) < 1


def test_turns_and_errors_by_hand(windows):
    answers = windows.labels.copy()
    wrong = np.flatnonzero((windows.people == "6") & windows.right)[:3]
    answers[wrong] = (answers[wrong] + 1) % len(windows.classes)
    table = personalize.measure_turns(windows, answers)
    for _, row in table.iterrows():
        mine = (windows.people == row.person) & (windows.right == (row.arm == "right"))
        missed = 3 if (row.person, row.arm) == ("6", "right") else 0
        assert row.correct == pytest.approx(100 * (1 - missed / mine.sum()))
        rotation = personalize.watch_rotation(windows.take(mine), windows.without(row.person))
        assert row.turned == pytest.approx(np.degrees(rotation.magnitude()))
    pairs = zip(windows.people.tolist(), windows.right.tolist(), strict=True)
    assert set(zip(table.person, table.arm == "right", strict=True)) == set(pairs)
    found = personalize.count_errors(windows, answers, "6")
    assert found.windows.sum() == 3
    done, said = found.index[0]
    assert windows.classes.index(said) == (windows.classes.index(done) + 1) % len(windows.classes)
    assert personalize.count_errors(windows, answers, "2").empty


def test_the_start_shares_no_sample_with_what_follows(windows):
    mine = windows.of("9")
    own, later = (mine.take(part) for part in personalize.split_at_10_s(mine))
    assert len(own) == 7 * 14  # windows that end by 10 s: starts at 0 to 6 s, in 14 recordings
    for number in np.unique(own.recording):
        last = own.raw[own.recording == number][-1]
        first = later.raw[later.recording == number][0]
        whole = windows.raw[windows.recording == number]
        ends = np.flatnonzero((whole == last).all((1, 2)))[0] * 50 + 200
        assert np.flatnonzero((whole == first).all((1, 2)))[0] * 50 >= ends


def test_first_and_later_windows_of_a_recording(windows):
    first, later = personalize.split_at_10_s(windows)
    one = windows.recording == windows.recording[0]
    # Windows of 4 s, one a second: seven end by 10 s (0 to 6), and those from 10 s on are later.
    assert np.flatnonzero(first[one]).tolist() == list(range(7))
    assert np.flatnonzero(later[one])[0] == 10


# ----- the forest


def test_the_forest_in_c_votes_as_scikit_learn_does(windows):
    described = random_forest.features(windows.raw, windows.right)
    assert described.shape == (len(windows), len(random_forest.NAMES))
    forest = RandomForestClassifier(8, random_state=0).fit(described[::2], windows.labels[::2])
    wanted = random_forest.count_votes(forest, described, 7).argmax(1)
    for right in (False, True):
        files = random_forest.forest_c_files(forest, right=right)
        library = host({name: text for name, text in files.items() if name != "forest_main.c"})
        mine = np.flatnonzero(windows.right == right)
        assert [library.forest_classify(pointer(windows.raw[i])) for i in mine] == wanted[mine].tolist()
    machine = Machine(toolchain.compile_c(random_forest.forest_c_files(forest, right=True)))
    one = np.flatnonzero(windows.right)[0]
    run = machine.run({"samples": windows.raw[one].ravel()}, {"score": np.int32})
    assert run.outputs["score"][0] == wanted[one]


def test_features_by_hand():
    raw = np.zeros((1, 200, 6), np.int16)
    raw[0, :, 3] = np.repeat(np.tile([1, -1], 50), 2)  # after halving +2, -2, +2 ...
    raw[0, :, 4] = -raw[0, :, 3]
    got = dict(zip(random_forest.NAMES, random_forest.features(raw, [False])[0], strict=True))
    assert got["wx spread"] == 100 * 100 * 4
    assert (got["wx lowest"], got["wx highest"], got["wx change"], got["wx turns"]) == (
        -2,
        2,
        99 * 4,
        99,
    )
    assert (got["wy with wx"], got["wz with wx"]) == (-1, 0)


def test_a_forest_grown_by_leaves_is_refused(windows):
    described = random_forest.features(windows.raw, windows.right)
    forest = RandomForestClassifier(2, max_leaf_nodes=40, random_state=0).fit(described, windows.labels)
    with pytest.raises(ValueError, match="max_leaf_nodes"):
        random_forest.forest_c_files(forest)


# ----- streams


@pytest.fixture(scope="module")
def flow():
    return stream.join(load_gestures().of("6").arm("right"), seed=1)


def test_a_stream_has_every_movement_with_rest_before_it(flow):
    assert len(flow.starts) == 7
    assert sorted(flow.truth[list(flow.starts)]) == list(range(7))
    assert (flow.truth[[start - 1 for start in flow.starts]] == vote.NONE).all()
    raw, ends = flow.windows()
    assert len(raw) == len(ends) == (len(flow.raw) - 200) // 50 + 1
    with pytest.raises(ValueError, match="one person and one arm"):
        stream.join(load_gestures().of("6"))


def test_a_perfect_network_is_judged_perfect(flow):
    _, ends = flow.windows()
    oracle = np.eye(7)[np.maximum(flow.truth[ends - 1], 0)]
    judged = stream.judge(flow, oracle, 1)
    assert (judged.correct_percent, judged.rest_percent, judged.changes_a_minute) == (100, 100, 0)
    assert max(judged.delays_s) < 2  # the next window, and once more where it is still rest
    never = stream.judge(flow, np.roll(oracle, 1, axis=1), 1)
    assert never.correct_percent == 0
    assert np.isinf(never.delays_s).sum() >= 6


# ----- the whole chain


@pytest.mark.parametrize("device", ["nano33ble", "pico"])
def test_raw_samples_become_an_answer_byte_by_byte(windows, device):
    tflite = networks_file()
    reference = litert.load(tflite, "reference")
    port = reference.input.scales[0], reference.input.zero_points[0]
    built = mcu.build(tflite, device, pipeline=firmware.pipeline(reference))
    some = windows.take(np.flatnonzero(~windows.right)[::120])
    expected = reference.run(features.quantized_input(some.raw, some.right, *port))
    for raw, bytes_ in zip(some.raw, expected, strict=True):
        run = built.run(raw)
        assert np.array_equal(run.output.ravel(), bytes_)
        assert run.score == bytes_.argmax()


def networks_file():
    from tinyml_helpers.datasets import read_verified

    return read_verified("models/gestures.tflite")


def test_the_twin_in_keras_says_what_the_network_says(windows):
    inputs = features.network_input(windows.raw[:20], windows.right[:20])
    for options in ({}, {"separable": True}, {"maximum": False, "axes": 3}):
        torch.manual_seed(0)
        network = networks.build(**options).eval()
        part = inputs[:, : options.get("axes", 6)]
        twin = networks.keras_twin(network)(part.transpose(0, 2, 3, 1))
        assert np.abs(np.array(twin) - network(torch.from_numpy(part)).detach().numpy()).max() < 1e-4
