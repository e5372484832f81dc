"""Errors of a threshold, promises that data can carry, templates in bytes and in bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import det_curve

from tinyml_helpers.datasets import DataError
from tinyml_helpers.datasets.images import lfw
from tinyml_helpers.datasets.images.photos import load_photos
from tinyml_helpers.mcu.target import emulator, toolchain
from tinyml_helpers.usecases.faces import embedding, evaluation, templates, verification
from tinyml_helpers.usecases.faces.embedding import FaceError
from tinyml_helpers.usecases.faces.verification import Scores
from tinyml_helpers.usecases.vision import letterbox

HAND = Scores([0.9, 0.5, 0.7, 0.8], [0.1, 0.6, 0.2, 0.3, 0.4])
BEST = embedding.list_embedders()[0]
RANDOM = np.random.default_rng(0)


def unit(dimensions, count=None):
    vectors = RANDOM.standard_normal((count, dimensions) if count else dimensions)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_errors_by_hand():
    assert HAND.false_accept(0.55) == pytest.approx(0.2)
    assert HAND.false_reject(0.55) == 0.25
    assert HAND.false_accept(0.6) == pytest.approx(0.2)  # who reaches the threshold is in
    assert HAND.false_accept(0.61) == 0
    assert HAND.counts(0.55) == (1, 1)
    assert HAND.counts(0.6) == (1, 1)
    assert (HAND.counts(-1), HAND.counts(2)) == ((5, 0), (0, 4))
    assert (HAND.false_accept(-1), HAND.false_reject(-1)) == (1, 0)
    assert (HAND.false_accept(2), HAND.false_reject(2)) == (0, 1)
    assert repr(HAND) == "4 genuine: 0.50 to 0.90; 5 impostor: 0.10 to 0.60"


def test_a_promised_rate_is_kept_by_the_lowest_threshold():
    threshold = HAND.threshold_for(0.2)
    assert HAND.false_accept(threshold) == pytest.approx(0.2)
    assert threshold == pytest.approx(0.4)
    assert HAND.false_accept(0.4) == pytest.approx(0.4)
    assert HAND.false_accept(HAND.threshold_for(0.59)) == pytest.approx(0.4)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 0.19])
def test_a_rate_that_cannot_be_seen_is_refused(rate):
    with pytest.raises(ValueError, match="needs more than 5 impostor scores"):
        HAND.threshold_for(rate)


scores = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30)


@given(scores, scores)
def test_both_errors_are_those_of_scikit_learn(genuine, impostor):
    made = Scores(genuine, impostor)
    truth = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    accept, reject, thresholds = det_curve(truth, np.r_[genuine, impostor])
    for threshold, fpr, fnr in zip(thresholds, accept, reject, strict=True):
        if np.isfinite(threshold):
            assert made.false_accept(threshold) == pytest.approx(fpr)
            assert made.false_reject(threshold) == pytest.approx(fnr)


@given(scores, st.floats(0.05, 0.95))
def test_a_promise_is_always_kept_and_never_stricter_than_needed(impostor, rate):
    made = Scores([0.5], impostor)
    if int(rate * len(impostor) + 1e-9):
        threshold = made.threshold_for(rate)
        assert made.false_accept(threshold) <= rate + 1e-9
        lower = np.nextafter(threshold, -np.inf)
        assert made.false_accept(lower) > rate


def test_equal_error_of_separated_and_of_equal_scores():
    assert Scores([0.8, 0.9], [0.1, 0.2]).equal_error() == (0.8, 0)
    assert Scores([0.1, 0.2], [0.1, 0.2]).equal_error()[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("genuine", "impostor"), [([], [1]), ([1], []), ([np.nan], [0]), ([1], [np.inf])]
)
def test_scores_without_numbers_are_refused(genuine, impostor):
    with pytest.raises(ValueError, match="give one at least, and finite numbers"):
        Scores(genuine, impostor)


def test_what_was_never_seen_may_still_be_three_in_as_many():
    assert verification.upper_limit(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert verification.upper_limit(0, 1) == pytest.approx(0.95)
    assert verification.upper_limit(5, 5) == 1
    # The limit itself makes so few errors as likely as 5 %: summed from the formula.
    limit = verification.upper_limit(2, 50)
    terms = [1, 50, 1225]
    told = sum(n * limit**k * (1 - limit) ** (50 - k) for k, n in enumerate(terms))
    assert told == pytest.approx(0.05)


@pytest.mark.parametrize(("errors", "trials"), [(2, 1), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(errors, trials):
    with pytest.raises(ValueError, match="impossible"):
        verification.upper_limit(errors, trials)


def test_everybody_is_compared_with_everybody():
    enrolled, tried = unit(6, 3), unit(6, 4)
    table = verification.compare_all(enrolled, tried)
    assert table.shape == (4, 3)
    assert table[2, 1] == pytest.approx(float(tried[2] @ enrolled[1]))
    assert verification.compare_all(enrolled[0], tried[0]).shape == (1, 1)
    with pytest.raises(ValueError, match="length is not 1"):
        verification.compare_all(2 * enrolled, tried)
    with pytest.raises(ValueError, match=r"give \[M, D\] and \[N, D\]"):
        verification.compare_all(enrolled[:, :5], tried)


@pytest.mark.parametrize(
    "shapes", [((1, 2, 2), (2, 2)), ((2, 2), (1, 2, 2)), ((1, 2, 2), (1, 2, 2)), ((2, 3), (2, 2))]
)
def test_only_rows_of_vectors_are_compared(shapes):
    first, second = (np.full(shape, 0.5**0.5) for shape in shapes)
    with pytest.raises(ValueError, match=r"give \[M, D\] and \[N, D\]"):
        verification.compare_all(first, second)


def test_pairs_are_compared_by_their_largest_faces():
    photos = load_photos()
    hopper, other = photos["hopper"][60:460, 60:460], photos["astronaut"][:400, 60:460]
    nobody = photos["coffee"][:, :400]
    pairs = np.stack([[hopper, hopper[:, ::-1]], [hopper, other], [hopper, nobody]])
    scores, missing = verification.compare_pairs(pairs, np.array([True, False, True]), BEST)
    assert (len(scores.genuine), len(scores.impostor), missing) == (1, 1, 1)
    assert scores.genuine[0] > scores.impostor[0]
    with pytest.raises(ValueError, match="unknown embedder"):
        verification.compare_pairs(pairs, np.ones(3, bool), "large")
    with pytest.raises(ValueError, match="0 impostor scores"):
        verification.compare_pairs(pairs, np.ones(3, bool), BEST)


@pytest.fixture(scope="module")
def small_trial():
    return evaluation.shoot(load_photos(), ("hopper", "astronaut"), 3, seed=1, strength=0.7)


def test_a_trial_compares_every_shot_with_everybody(small_trial):
    assert repr(small_trial) == "one face found in 6 of 6 shots of 2 people"
    scores = small_trial.scores(BEST)
    assert (len(scores.genuine), len(scores.impostor)) == (6, 6)
    assert scores.genuine.min() > scores.impostor.max()
    first = small_trial.vectors(BEST)[0] @ small_trial.templates(BEST).T
    assert np.abs(scores.genuine - first[0]).min() < 1e-6
    assert np.abs(scores.impostor - first[1]).min() < 1e-6


def test_shots_that_enrolled_somebody_take_no_part_in_the_test(small_trial):
    means = small_trial.templates(BEST, first=2)
    assert np.allclose(np.linalg.norm(means, axis=1), 1)
    scores = small_trial.scores(BEST, means, skip=2)
    last = small_trial.vectors(BEST)[[2, 5]]
    assert np.allclose(scores.genuine, np.sort((last * means).sum(1)))
    with pytest.raises(ValueError, match="3 shots, and 4 are to be averaged"):
        small_trial.templates(BEST, first=4)
    with pytest.raises(ValueError, match="no shot is left after the first 3"):
        small_trial.scores(BEST, skip=3)


def test_a_trial_that_cannot_be_is_refused():
    photos = load_photos()
    with pytest.raises(ValueError, match="needs two people and one shot"):
        evaluation.shoot(photos, ("hopper",), 3)
    with pytest.raises(FaceError, match="no face found"):
        evaluation.shoot(photos, ("hopper", "rocket"), 1)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_the_microcontroller_matches_as_numpy_does(core):
    stored = RANDOM.integers(-127, 128, (3, 40)).astype(np.int8)
    machine = emulator.Machine(toolchain.compile_c(templates.matching_c(40, 3), core))
    for probe in stored:
        run = machine.run({"probe": probe, "stored": stored}, {"sums": "int32"})
        assert run.outputs["sums"].tolist() == (stored.astype(int) @ probe.astype(int)).tolist()
    with pytest.raises(ValueError, match="give one of each at least"):
        templates.matching_c(0, 3)


def test_a_template_in_bytes_by_hand():
    template = templates.quantize([0.5, -1.0, 0.25])
    assert template.values.tolist() == [64, -127, 32]
    assert template.scale == pytest.approx(1 / 127)
    assert len(template.to_bytes()) == 7
    assert template.to_bytes() == np.float32(1 / 127).tobytes() + bytes([64, 129, 32])
    assert templates.similarity(template, template) == pytest.approx((64**2 + 127**2 + 32**2) / 127**2)
    assert "7 bytes" in repr(template)


@given(st.integers(0, 1000))
def test_bytes_compare_as_the_vectors_do(seed):
    a, b = np.random.default_rng(seed).standard_normal((2, 256))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert templates.similarity(templates.quantize(a), templates.quantize(b)) == pytest.approx(
        a @ b, abs=0.01
    )


@pytest.mark.parametrize("vector", [[0, 0], [np.nan, 1], [[1, 2]], 3.0])
def test_what_is_no_vector_makes_no_template(vector):
    with pytest.raises(ValueError, match="one vector of finite numbers"):
        templates.quantize(vector)


def test_templates_of_two_networks_cannot_be_compared():
    with pytest.raises(ValueError, match="2 and 3 values"):
        templates.similarity(templates.quantize([1, 2]), templates.quantize([1, 2, 3]))


def test_bits_agree_as_the_angle_says_and_not_across_salts():
    a, b = np.eye(300)[:2]
    between = (a + b) / np.sqrt(2)  # at 45 degrees to both
    bits = templates.protect([a, b, between], b"salt", 4096)
    table = templates.agreement(bits, bits)
    assert table.shape == (3, 3)
    assert np.diag(table).tolist() == [1, 1, 1]
    assert table[0, 1] == pytest.approx(1 - 90 / 180, abs=0.03)
    assert table[0, 2] == pytest.approx(1 - 45 / 180, abs=0.03)
    other = templates.protect(a, b"pepper", 4096)
    assert templates.agreement(bits[0], other)[0, 0] == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(bits[0], templates.protect(a, b"salt", 4096))


def test_bits_that_cannot_be_made_or_compared_are_refused():
    with pytest.raises(ValueError, match="a salt of one byte"):
        templates.protect([1.0, 2.0], b"")
    with pytest.raises(ValueError, match="one bit at least"):
        templates.protect([1.0, 2.0], b"x", 0)
    with pytest.raises(ValueError, match="8 bits and 9 bits"):
        templates.agreement(np.zeros(8, bool), np.zeros(9, bool))


def wild_home(tmp_path):
    """Photos in the layout of the public set; nothing is fetched."""
    home = tmp_path / "lfw_home"
    (home / "lfw_funneled").mkdir(parents=True)
    (home / "pairsDevTest.txt").write_text("1\nAda_One\t1\t2\nAda_One\t1\tBob_Two\t2\n")
    (home / "pairsDevTrain.txt").write_text("1\nAda_One\t1\t2\n")
    (home / "pairs.txt").write_text("1\nAda_One\t1\t2\n")
    return home


def test_faces_in_the_wild_are_read_by_the_usual_loader(tmp_path):
    home = wild_home(tmp_path)
    for person, shade in (("Ada_One", 40), ("Bob_Two", 200)):
        folder = home / "lfw_funneled" / person
        folder.mkdir()
        for number in (1, 2):
            plain = np.full((250, 250, 3), shade + number, np.uint8)
            Image.fromarray(plain).save(folder / f"{person}_{number:04d}.jpg", quality=100)
    pairs = lfw.load_pairs(folder=tmp_path, fetch=False)
    assert pairs.photos.shape == (2, 2, 160, 160, 3)
    assert pairs.same.tolist() == [True, False]
    assert [int(photo.mean().round()) for photo in pairs.photos[1]] == [41, 202]
    assert "2 pairs of 160 × 160 pixels, 1 of one person" in repr(pairs)


def test_every_embedder_is_measured_in_the_wild(tmp_path):
    home, photos = wild_home(tmp_path), load_photos()
    for person, name in (("Ada_One", "hopper"), ("Bob_Two", "astronaut")):
        (home / "lfw_funneled" / person).mkdir()
        around = embedding.only_face(photos[name])
        half = around.side * 1.1
        x, y = around.box.reshape(2, 2).mean(0) - half
        scale = 250 / (2 * half)
        crop = letterbox.warp(photos[name], [[scale, 0, -scale * x], [0, scale, -scale * y]], 250)
        for number in (1, 2):
            Image.fromarray(crop).save(home / "lfw_funneled" / person / f"{person}_{number:04d}.jpg")
    told = evaluation.verify_on_lfw(str(tmp_path), fetch=False)
    assert told.results == tuple((name, 0.0, 0) for name in embedding.list_embedders())
    assert "patterns: equal error 0.0%, 0 of 2 pairs without two faces" in repr(told)


def test_without_faces_in_the_wild_one_sentence_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="could not be fetched: check the network, or do without it"):
        lfw.load_pairs(folder=tmp_path, fetch=False)
    with pytest.raises(ValueError, match="unknown subset 'all'"):
        lfw.load_pairs("all")
