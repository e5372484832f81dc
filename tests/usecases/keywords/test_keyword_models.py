import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers import datasets, mcu, training
from tinyml_helpers.course import scoreboard
from tinyml_helpers.deploy import litert
from tinyml_helpers.usecases import alarms
from tinyml_helpers.usecases.keywords import augment, streaming
from tinyml_helpers.usecases.keywords import features as keyword_features
from tinyml_helpers.usecases.keywords import network as keyword_network

NETWORKS = {"kws": 36_000, "kws-small": 25_000, "kws-synthetic": 50_000}


def inputs(count, seed=0):
    return torch.rand(count, 1, 50, 10, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def voices():
    return datasets.load_keywords(per_class=15).part("voices")


def test_the_whole_network_has_the_macs_that_the_benchmark_counts():
    state = keyword_network.ds_cnn().state_dict()
    assert state["stem.conv.weight"].shape == (64, 1, 10, 4)
    with torch.no_grad():
        assert keyword_network.ds_cnn().eval()(inputs(2)).shape == (2, 12)
    assert keyword_network.ds_cnn(3, 16).eval()(inputs(1)).shape == (1, 3)
    with pytest.raises(ValueError, match="0 channels"):
        keyword_network.ds_cnn(12, 0)


def test_a_network_is_built_from_its_weights_whatever_its_widths():
    model = keyword_network.ds_cnn(12, 20).eval()
    again = keyword_network.from_state(model.state_dict())
    assert torch.equal(model(inputs(3)), again(inputs(3)))


def test_an_unknown_network_is_refused():
    with pytest.raises(datasets.DataError, match="kws-whale"):
        keyword_network.load_trained("whale")


def test_the_teacher_answers_as_its_tflite_does(voices):
    raw = keyword_features.features(voices.clips)
    ours = keyword_network.load_trained("teacher")(
        torch.from_numpy(keyword_features.network_input(raw))[:, None]
    )
    theirs = litert.load(datasets.read_verified("models/keyword_spotting.tflite"))
    # The public file takes 0 to 225 and answers in float; it is quantized inside.
    says = theirs.predict(225 * keyword_features.network_input(raw)[..., None])
    assert (says.argmax(1) == ours.argmax(1).numpy()).mean() > 0.95


@pytest.mark.parametrize("name", NETWORKS)
def test_the_shipped_networks_keep_their_size_and_their_float_accuracy(name, voices):
    content = datasets.read_verified(f"models/{name}.tflite")
    assert len(content) <= NETWORKS[name]
    model = litert.load(content, "reference")
    assert (model.input.scales[0], model.input.zero_points) == (pytest.approx(1 / 255), (-128,))
    assert (model.output.scales, model.output.zero_points) == ((1 / 256,), (-128,))
    x = keyword_features.network_input(keyword_features.features(voices.clips))
    says = model.predict(x[..., None]).argmax(1)
    float_name = "product" if name == "kws" else name.removeprefix("kws-")
    with torch.no_grad():
        expected = (
            keyword_network.load_trained(float_name)(torch.from_numpy(x)[:, None]).argmax(1).numpy()
        )
    assert (says == expected).mean() > 0.95
    assert (says == voices.labels).mean() > 0.8


@pytest.mark.parametrize("name", NETWORKS)
def test_the_microcontroller_answers_the_same_bytes(name, voices):
    content = datasets.read_verified(f"models/{name}.tflite")
    model = litert.load(content, "reference")
    raw = model.quantize(
        keyword_features.network_input(keyword_features.features(voices.clips[::60]))[..., None]
    )
    firmware = mcu.build(datasets.data_folder() / "models" / f"{name}.tflite", "nano33ble")
    for clip, expected in zip(raw, model.run(raw), strict=True):
        assert (np.asarray(firmware.run(clip).output).ravel() == expected.ravel()).all()


STORED = json.loads((datasets.data_folder() / "models" / "keywords.json").read_text())
FLOAT_NAMES = {
    "kws": "product", "kws-small": "small", "kws-synthetic": "synthetic", "kws-start": "start",
}  # fmt: skip
HEARD_PEOPLE = ("kws", "kws-small", "kws-synthetic", "kws-start", "kws-teacher")


def test_the_recipes_and_figures_are_stored_beside_the_networks():
    for name in NETWORKS:
        entry = STORED[name]
        assert entry["tflite_bytes"] == len(datasets.read_verified(f"models/{name}.tflite"))
        assert not entry["new engine"]["met_in_training"]
        # Nobody's voice is shipped, so these two are only held against each other; what follows runs
        # the networks on all the voices that are.
        assert abs(entry["people"]["float_percent"] - entry["people"]["int8_percent"]) <= 0.5


@pytest.mark.parametrize("name", HEARD_PEOPLE)
def test_each_figure_on_people_follows_from_its_counts(name):
    people = STORED[name]["people"]
    confusion = np.array(people["confusion"])
    clips, right = np.array(people["clips_of_each"]), np.array(people["right_of_each"])
    assert len(clips) == len(right) == people["people"] == 114
    assert (right <= clips).all()
    assert confusion.sum() == people["clips"] == clips.sum() + confusion[-1].sum()
    # The words of each person and the noises, which nobody spoke, are all that is right.
    assert np.trace(confusion) == right.sum() + confusion[-1, -1]
    headline = people["int8_percent" if name in NETWORKS else "float_percent"]
    assert headline == pytest.approx(100 * np.trace(confusion) / people["clips"], abs=0.01)
    interval = streaming.people_interval(people)
    assert interval.value == pytest.approx(headline, abs=0.01)
    assert 1 < interval.half_width < 4


@pytest.mark.parametrize("name", HEARD_PEOPLE)
def test_every_network_heard_the_same_people(name):
    people, first = STORED[name]["people"], STORED["kws"]["people"]
    assert people["clips_of_each"] == first["clips_of_each"]
    assert np.sum(people["confusion"], 1).tolist() == np.sum(first["confusion"], 1).tolist()
    assert people["note"] == first["note"]


@pytest.fixture(scope="module")
def synthetic():
    corpus = datasets.load_keywords()
    parts = {name: corpus.part(name) for name in ("voices", "new engine")}
    # A part of this one, because its features cost a second for a hundred clips.
    parts["engine"] = corpus.part("engine").take(slice(0, None, 4))
    seen = {
        name: keyword_features.network_input(keyword_features.features(part.clips))
        for name, part in parts.items()
    }
    return parts, seen


@pytest.mark.parametrize("name", [*NETWORKS, "kws-start"])
def test_the_stored_figures_on_synthetic_voices_are_those_of_the_networks(name, synthetic):
    parts, seen = synthetic
    for part, clips in parts.items():
        for kind, says in answers(name, seen[part]).items():
            measured = training.balanced_percent(says, clips.labels)
            # The fast kernels round otherwise than the reference ones: up to five clips in a thousand.
            # A quarter of a part has an error of its own, here twice that of 250 clips.
            margin = 0.7 if part != "engine" else 4.5
            assert measured == pytest.approx(STORED[name][part][kind], abs=margin), (part, kind)


def answers(name, seen):
    """What a network says of clips in float, and in int8 where it is shipped so."""
    with torch.no_grad():
        plain = keyword_network.load_trained(FLOAT_NAMES[name])(torch.from_numpy(seen)[:, None]).argmax(
            1
        )
    said = {"float_percent": plain.numpy()}
    if name in NETWORKS:
        model = litert.load(datasets.read_verified(f"models/{name}.tflite"))
        said["int8_percent"] = model.predict(seen[..., None]).argmax(1)
    return said


PEOPLE = os.environ.get("TINYML_PEOPLE")


@pytest.mark.skipif(not PEOPLE, reason="TINYML_PEOPLE names no folder with the test part's words")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_stored_figures_on_people_are_those_of_the_networks(name):
    words = datasets.load_keywords(PEOPLE)
    seen = torch.from_numpy(keyword_features.network_input(keyword_features.features(words.clips)))[
        :, None
    ]
    with torch.no_grad():
        says = keyword_network.load_trained(FLOAT_NAMES[name])(seen).argmax(1).numpy()
    stored = STORED[name]["people"]
    assert len(words) == stored["clips"]
    assert 100 * (says == words.labels).mean() == pytest.approx(stored["float_percent"], abs=0.1)


@pytest.mark.parametrize(("name", "network"), [("kws", "final"), ("kws-synthetic", "synthetic")])
def test_what_the_lesson_recorded_is_what_is_stored(name, network):
    reference = scoreboard.reference()
    people = reference[f"kws.{network}.accuracy_people_percent"]
    assert people == pytest.approx(STORED[name]["people"]["int8_percent"], abs=0.01)


def streams(name):
    counted = STORED[name]["stream"].items()
    return {scene: alarms.TradeOff.load(counts) for scene, counts in counted}


def test_what_the_lesson_recorded_of_the_stream_is_what_is_stored():
    reference, scenes = scoreboard.reference(), streams("kws")
    threshold = scenes["voices"].least_threshold(30)
    for scene in ("new engine", "other words", "no words"):
        tally = scenes[scene].at(threshold)
        record = f"kws.final.{scene.replace(' ', '_')}_false_alarms_per_hour"
        assert reference[record] == pytest.approx(tally.an_hour.value)
        assert reference["kws.final.stream_minutes"] == tally.minutes
    missed = scenes["new engine"].at(threshold).missed_percent
    assert reference["kws.final.new_engine_missed_percent"] == pytest.approx(missed.value)


@pytest.mark.parametrize("name", ["kws", "kws-synthetic"])
def test_higher_thresholds_trade_alarms_for_words(name):
    for counted in streams(name).values():
        alarms_heard = [tally.false_alarms for tally in counted.tallies]
        words = {tally.found + tally.missed for tally in counted.tallies}
        assert len(words) == 1
        assert alarms_heard[0] > alarms_heard[-1]


def test_a_new_stream_has_the_stored_misses_and_alarms():
    scenes = streams("kws")
    threshold = scenes["voices"].least_threshold(30)
    clips = datasets.load_keywords().part("new engine")
    network = litert.load(datasets.read_verified("models/kws.tflite")).predict
    heard = streaming.listen(network, clips.take(clips.words != "silence"), minutes=5, seed=77)
    now, stored = heard.tally(threshold), scenes["new engine"].at(threshold)
    # Four standard deviations of fifty words, and of the alarms of five minutes.
    share = stored.missed_percent.value / 100
    assert abs(now.missed - 50 * share) < 4 * np.sqrt(50 * share * (1 - share))
    expected = stored.an_hour.value / 12
    assert abs(now.false_alarms - expected) < 4 * np.sqrt(expected)


# Alterations


def features(count=4, seed=0):
    rng = np.random.default_rng(seed)
    return augment.raw_features(rng.integers(-8000, 8000, (count, 16_000)).astype(np.int16))


def test_the_input_of_training_is_that_of_the_product_up_to_rounding():
    raw = features()
    ours = augment.as_input(raw)[:, 0].numpy()
    assert np.abs(ours - keyword_features.network_input(raw.numpy().astype(np.int64))).max() < 0.005


def test_two_sounds_at_once_are_the_logarithm_of_the_sum_of_powers():
    rng = np.random.default_rng(0)
    noises = rng.normal(size=(2, 30, 16_000)) * 3000
    together = augment.raw_features((noises[0] + noises[1]).astype(np.int16))
    alone = [augment.raw_features(part.astype(np.int16)) for part in noises]
    mixed = augment.mix(alone[0], alone[1], torch.zeros(30, 1, 1))
    # Frames of noise scatter by some decibels; their mean does not.
    assert abs(float((mixed - together).mean())) < 0.7 * augment.PER_DB


def test_a_sound_mixed_with_one_far_below_stays_itself():
    raw = features()
    mixed = augment.mix(raw, features(seed=1), torch.full((4, 1, 1), 80 * augment.PER_DB))
    assert (mixed - raw).abs().max() < 0.1


def test_without_any_strength_nothing_changes():
    still = augment.Strength((1, 1), 0, 0, 0, 0, 0, (0, 0), 0, 0, 0)
    raw = features()
    out = augment.alter(raw, features(seed=1), torch.Generator().manual_seed(0), still)
    assert (out - raw).abs().max() < 0.01


def test_a_telephone_takes_the_lowest_bands_away():
    """And leaves the middle alone: a network is trained on what phones do, not on its opposite."""
    called = augment.Strength((1, 1), 0, 0, 0, 1, 0, (0, 0), 0, 0, 0)
    raw = features()
    out = augment.alter(raw, features(seed=1), torch.Generator().manual_seed(0), called)
    wanted = torch.tensor([-30.0, -10.0, *7 * [0.0], -15.0]) * augment.PER_DB
    assert (out - (raw + wanted).clamp(min=0)).abs().max() < 0.01
    assert (out < raw - 5 * augment.PER_DB).any()


def test_faster_is_higher():
    seconds = np.arange(16_000) / 16_000
    clip = (9000 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.int16)[None]
    faster = augment.change_speed(clip, ends=(1.25, 1.2500001))[0]
    spectrum = np.abs(np.fft.rfft(faster[3000:13_000]))
    assert abs(spectrum.argmax() * 1.6 - 1250) < 2


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_altered_features_are_finite_and_of_the_same_shape(seed):
    raw = features(6, seed)
    raw[0] = 0  # digital silence
    rng = torch.Generator().manual_seed(seed)
    strong = augment.Strength(echo_chance=1, telephone_chance=1, noise_chance=1)
    out = augment.as_input(augment.alter(raw, features(5, seed + 1), rng, strong))
    assert out.shape == (6, 1, 50, 10)
    assert torch.isfinite(out).all()
    assert 0 <= float(out.min()) <= float(out.max()) <= 1
