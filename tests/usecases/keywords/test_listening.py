"""Networks that listen: scenes of words, short training, pictures, and what never stops costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tinyml_helpers import training
from tinyml_helpers.datasets.keywords.clips import COMMANDS, KEYWORD_CLASSES, SAMPLES, Keywords
from tinyml_helpers.mcu.reports import duty
from tinyml_helpers.mcu.target import timing
from tinyml_helpers.usecases import alarms
from tinyml_helpers.usecases.keywords import features, figures, mix, network, streaming, train

SECONDS = np.arange(SAMPLES) / 16_000


def tones(count, words=KEYWORD_CLASSES[:11]):
    """Each word a tone of its own, half a second long."""
    labels = np.arange(count) % len(words)
    hertz = 150 * 1.35 ** labels[:, None]
    clips = 9_000 * np.sin(2 * np.pi * hertz * SECONDS) * (abs(SECONDS - 0.5) < 0.25)
    text = np.array([words[label] for label in labels])
    who = np.full(count, "tone")
    places = np.array([KEYWORD_CLASSES.index(word) for word in text])
    return Keywords(clips.astype(np.int16), places, KEYWORD_CLASSES, text, who, who, who, "tones")


def knows_tones(inputs):
    """Score by the nearest of the tones that it has been shown."""
    shown = tones(11)
    seen = features.network_input(features.features(shown.clips))[..., None]
    middle = seen[:, 20:30].mean(1)
    loudest = inputs[:, 15:35].mean(1)
    apart = ((loudest[:, None] - middle[None]) ** 2).sum((2, 3))
    scores = np.zeros((len(inputs), 12))
    scores[:, shown.labels] = np.exp(-apart) / np.exp(-apart).sum(1, keepdims=True)
    return scores


# ----- scenes


@pytest.mark.parametrize("peak", [1, 500, 32767])
def test_each_word_has_its_place_and_a_loudness_of_its_own(peak):
    clip = np.zeros(4000, np.int16)
    clip[1000:3000:2], clip[1001:3000:2] = peak, -peak
    sound, spoken = mix.mix_scene([clip] * 4, list("abcd"), 4.0, np.random.default_rng(0), noise_db=80)
    assert len(sound) == 64_000
    assert [one.word for one in spoken] == list("abcd")
    for number, one in enumerate(spoken):
        first, last = round(one.start_s * 16_000), round(one.end_s * 16_000)
        assert number * 16_000 <= first
        assert last < (number + 1) * 16_000
        assert last - first == 1999
        assert 4_900 < np.abs(sound[first : last + 1].astype(int)).max() < 20_100
    loud = np.abs(sound.astype(int)) > 1000
    assert loud.sum() == 4 * 2000


def test_noise_rises_and_falls_by_six_decibels_at_most():
    sound, spoken = mix.mix_scene([], [], 60.0, np.random.default_rng(0), noise_db=30)
    parts = sound[: 60 * 16_000].reshape(-1, 1600).astype(float)
    # Its peaks are about four times its mean level.
    level = 4 * np.sqrt((parts**2).mean(1)) / (10_000 * 10 ** (-30 / 20))
    assert spoken == []
    assert 0.4 < level.min() < 0.8
    assert 1.25 < level.max() < 2.5


def test_one_clip_that_is_longer_than_its_share_is_too_long():
    short, long = np.ones(10, np.int16), np.ones(8001, np.int16)
    with pytest.raises(ValueError, match=r"2 clips of up to 8001 samples do not fit into 1\.0 s"):
        mix.mix_scene([short, long], ["a", "b"], 1.0, np.random.default_rng(0))
    sound, _ = mix.mix_scene([short, long[1:]], ["a", "b"], 1.0, np.random.default_rng(0))
    assert len(sound) == 16_000


@pytest.fixture(scope="module")
def session():
    return streaming.listen(knows_tones, tones(44), minutes=1, seed=3)


def test_a_scene_has_the_words_it_was_asked_for(session):
    assert (len(session.said), len(session.keys), session.seconds) == (20, 10, 60)
    assert {word.word for word in session.keys} <= set(COMMANDS)
    assert repr(session) == "1 minutes, 20 words, 10 of them to be found, 295 windows"


def test_thresholds_trade_misses_for_false_alarms(session):
    low, high = session.at(0.1), session.at(0.99)
    assert low.false_alarms_per_hour >= high.false_alarms_per_hour
    assert low.miss_percent <= high.miss_percent
    counted = session.trade_off()
    chosen = counted.least_threshold(0)
    assert session.at(chosen).false_alarms_per_hour == 0
    assert counted.least_threshold(-1) == 1


def test_a_scene_without_words_of_the_vocabulary_has_none_to_miss():
    others = tones(40).take(np.arange(10, 40, 11))
    quiet = streaming.listen(knows_tones, others, minutes=0.5, share=0)
    assert quiet.keys == ()
    assert quiet.at(0.5).miss_percent == 0
    with pytest.raises(ValueError, match="no commands"):
        streaming.listen(knows_tones, others, minutes=0.5)


def test_noise_makes_a_network_worse():
    right = streaming.accuracy_under_noise({"a": knows_tones}, tones(22), (60, -20))
    assert streaming.measure_accuracy(knows_tones, tones(22)).value == pytest.approx(100)
    assert right["a"][60] > 90
    assert right["a"][-20] < 60


def test_every_class_counts_alike():
    labels, found = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert training.balanced_percent(found, labels) == 50
    clips = tones(4, ("yes", "yes", "yes", "no"))
    assert streaming.accuracy_interval(np.zeros(4, int), clips).value == pytest.approx(50)


def test_the_interval_knows_that_the_clips_of_a_voice_resemble_each_other():
    clips = tones(200, ("yes",))
    found = np.repeat(np.arange(20) % 2, 10)  # one voice in two is always misunderstood
    alone = streaming.accuracy_interval(found, clips)
    by_voice = streaming.accuracy_interval(
        found, replace(clips, voices=np.repeat(np.arange(20), 10).astype(str))
    )
    assert (alone.value, by_voice.value) == pytest.approx((50, 50))
    assert (alone.n, alone.things) == (200, "clips")
    assert by_voice.n == 20
    assert by_voice.half_width > 2.5 * alone.half_width


def test_where_all_is_right_the_interval_does_not_end_at_the_figure():
    few, many = tones(4, ("yes",)), tones(40, ("yes",))
    many = replace(many, voices=np.repeat(np.arange(10), 4).astype(str))
    right, wrong = np.zeros(40, int), np.ones(40, int)
    # By hand, with all of n right: n / (n + 1.96**2) to 100.
    by_clip = streaming.accuracy_interval(np.zeros(4, int), few)
    assert (by_clip.value, by_clip.high, by_clip.n) == pytest.approx((100, 100, 4))
    assert by_clip.low == pytest.approx(100 * 4 / 7.8415, abs=0.01)
    by_voice = streaming.accuracy_interval(right, many)
    assert (by_voice.low, by_voice.n) == pytest.approx((100 * 10 / 13.8415, 10), abs=0.01)
    assert repr(by_voice) == "100.0 % (72.2 to 100.0, n = 10 voices and noises)"
    none = streaming.accuracy_interval(wrong, many)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, 100 * 3.8415 / 13.8415), abs=0.01)
    one_wrong = streaming.accuracy_interval(np.eye(1, 40, dtype=int)[0], many)
    assert one_wrong.value == pytest.approx(97.5)
    assert 0 < one_wrong.half_width < by_voice.half_width


def test_people_are_counted_as_people_and_noises_apart():
    counts = {"clips_of_each": [4, 6], "right_of_each": [4, 3], "confusion": [[7, 3], [1, 9]]}
    found = streaming.people_interval(counts)
    assert found.value == pytest.approx(80)
    assert (found.n, found.things) == (2, "people, 10 noises")
    assert found.low < 80 < found.high


# Alarms


def test_a_trade_off_is_stored_and_read_and_added(session):
    counted = session.trade_off()
    again = alarms.TradeOff.load(counted.stored())
    assert again == counted
    both = counted + again
    assert both.at(0.5).minutes == 2 * counted.at(0.5).minutes
    assert both.at(0.5).false_alarms == 2 * len(session.at(0.5).false_alarms)
    assert (alarms.TradeOff.empty() + counted) == counted
    with pytest.raises(ValueError, match=r"threshold 0.123"):
        counted.at(0.123)
    with pytest.raises(ValueError, match="70 thresholds"):
        alarms.TradeOff.load({"minutes": 1, "found": [1], "missed": [1], "false_alarms": [1]})


def test_an_alarm_that_was_not_heard_leaves_a_rate_possible():
    silent = alarms.Tally(8, 2, 0, 10)
    assert silent.an_hour.value == 0
    assert silent.an_hour.high == pytest.approx(18, abs=0.1)
    assert silent.missed_percent.value == 20
    assert alarms.Tally(0, 0, 3, 60).missed_percent is None
    assert "no word to miss" in repr(alarms.Tally(0, 0, 3, 60))


def test_training_learns_tones_and_repeats_itself():
    torch.manual_seed(0)
    first, second = network.ds_cnn(channels=8), network.ds_cnn(channels=8)
    second.load_state_dict(first.state_dict())
    data = tones(44)
    history = train.fit(first, data, steps=20, learning_rate=2e-2)
    train.fit(second, data, steps=20, learning_rate=2e-2)
    assert history.losses[-1] < 0.9 * history.losses[0]
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_training_without_anything_is_refused():
    with pytest.raises(ValueError, match="44 clips, 0 steps"):
        train.fit(network.ds_cnn(), tones(44), steps=0)


def test_a_start_gets_a_head_for_other_classes():
    assert train.load_start(5).head.out_features == 5
    assert train.load_start().head.out_features == 12


def test_spoilt_features_begin_with_the_clean_ones():
    clip, noises = tones(1).clips[0], tones(5).clips
    spoilt = train.alter_clip(clip, noises, 3)
    assert spoilt.shape == (4, 50, 10)
    assert np.array_equal(spoilt[0], features.features(clip))
    assert not torch.equal(spoilt[0], spoilt[1])


def test_a_wake_word_takes_three_frames_a_step():
    steps = features.wake_word_steps(tones(1).clips[0])
    raw = features.micro_frontend(tones(1).clips[0], features.WAKE_WORD)
    assert steps.shape == (32, 1, 3, 40)
    assert steps[0, 0, 0, 0] == max(-128, round(int(raw[0, 0]) / 25.6 * 255 / 26) - 128)


class FiftyMilliseconds:
    instructions = 1_000_000
    latency_ms = (50.0, 100.0)
    energy_uj = (500.0, 1000.0)
    cycles = timing.Cycles(1, 0, 0, 0, 1, 2, None, "")


def test_what_never_stops_is_counted_by_the_second():
    second = duty.AlwaysOn(FiftyMilliseconds(), sound_s=0.2)
    assert second.instructions_per_second == 5_000_000
    assert second.realtime_factor == (0.25, 0.5)
    assert second.energy_uj_per_second == (2500, 5000)
    # 2.5 and 5 mW at 3 V are 0.83 and 1.67 mA; with 0.65 mA of the microphone 1.48 and 2.32 mA.
    assert second.current_ma == pytest.approx((0.8333, 1.6667), abs=1e-4)
    assert second.coin_cell_days == pytest.approx((225 / 2.31667 / 24, 225 / 1.48333 / 24), rel=1e-4)
    assert "4.0 to 6.3 days" in repr(second)


@pytest.fixture
def plt():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_pictures_of_sound_show_it_upright(plt):
    clip = tones(1).clips[0]
    raw = features.features(clip)
    filters = features.mel_filters(10, 20, 4000)
    first, second = figures.waves([clip, -clip])
    assert np.array_equal(first.lines[0].get_ydata(), clip)
    assert np.array_equal(second.lines[0].get_ydata(), -clip)
    pictures = figures.spectrograms([raw, raw], ("a", "b"), steps_ms=(20, 10))
    assert [axis.get_title() for axis in pictures] == ["a", "b"]
    steps = figures.steps(clip[:480], np.arange(257), filters, raw)
    assert steps[0].lines[0].get_xdata()[-1] == pytest.approx(479 / 16)  # ms
    assert steps[1].lines[0].get_xdata()[-1] == 8000
    assert len(steps[2].lines) == 10
    for axis, seconds in zip((*pictures, steps[3]), (1, 0.5, 1), strict=True):
        (image,) = axis.images
        assert np.array_equal(image.get_array(), raw.T)
        assert (image.origin, image.get_extent()) == ("lower", [0, seconds, -0.5, 9.5])
    for axis in (first, second, *pictures, *steps):
        low, high = axis.get_ylim()
        assert low < high


def test_confusions_say_each_share_of_what_was_said(plt):
    left, right = figures.confusions({"a": np.eye(3), "b": [[1, 3, 0], [0, 2, 0], [1, 0, 199]]}, "xyz")
    assert [text.get_text() for text in left.texts] == ["100"] * 3
    said = {text.get_position(): text.get_text() for text in right.texts}
    assert said == {(0, 0): "25", (1, 0): "75", (1, 1): "100", (2, 2): "100"}  # 0.5 % is left out
    for labels in (left.get_xticklabels(), left.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["x", "y", "z"]


def test_an_excerpt_writes_each_word_over_its_sound(session, plt):
    top, below = figures.excerpt(session, 10, 20, 0.5)
    there = [word for word in session.said if 10 <= word.start_s < 29.5]
    assert [text.get_text() for text in top.texts] == [word.word for word in there]
    outcome = session.at(0.5)
    found = [one for one in (*outcome.hits, *outcome.false_alarms) if 10 <= one.time_s < 29.5]
    assert [(text.get_position()[0], text.get_text()) for text in below.texts] == [
        (one.time_s, one.word) for one in found
    ]
    assert len(there) > 3
    assert below.get_xlim() == (10, 30)
    for axis in (top, below):
        low, high = axis.get_ylim()
        assert all(low < text.get_position()[1] < high for text in axis.texts)
    sound = top.lines[0].get_ydata()
    assert top.get_ylim()[0] < sound.min() < sound.max() < top.texts[0].get_position()[1]


def bar_ends(container):
    """From where to where each bar of a dot goes: across, then up."""
    return [bar.get_segments()[0].tolist() for bar in container.lines[2]]


def test_a_trade_off_marks_one_threshold_with_the_interval_of_both(session, plt):
    """On a logarithmic axis no bar can begin at 0: it begins at half an alarm an hour."""
    often = alarms.TradeOff(tuple(alarms.Tally(8, 2, 40, 60) for _ in alarms.THRESHOLDS))
    silent = alarms.TradeOff(tuple(alarms.Tally(0, 0, 0, 10) for _ in alarms.THRESHOLDS))
    axis = figures.trade_off(plt.subplots()[1], {"often": often, "none": silent}, 0.5)
    assert axis.get_legend_handles_labels()[1] == ["often", "none (no command)"]
    dot, triangle = axis.containers
    here = often.at(0.5)
    rate, missed = here.an_hour, here.missed_percent
    assert (rate.value, missed.value) == (40, 20)
    across, up = bar_ends(dot)
    np.testing.assert_allclose(across, [[rate.low, 20], [rate.high, 20]])
    np.testing.assert_allclose(up, [[40, missed.low], [40, missed.high]])
    possible = silent.at(0.5).an_hour.high
    np.testing.assert_allclose(bar_ends(triangle)[0], [[0.5, -7], [possible, -7]])
    assert axis.get_ylim() == (-12, 80)
    both = figures.trade_off(plt.subplots()[1], {"one": session.trade_off()}, 0.5)
    assert both.get_legend_handles_labels()[1] == ["one"]


def test_dots_stand_at_their_figure_with_its_interval(plt):
    figure = streaming.accuracy_interval(np.repeat(np.arange(20) % 2, 2), tones(40))
    other = streaming.accuracy_interval(np.zeros(4, int), tones(4))
    axis = figures.dots(plt.subplots()[1], {"net": {"a": figure, "b": other}, "other": {"b": figure}})
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    bottom, top = axis.get_ylim()
    assert top < bottom  # a list is read from above
    first, second = axis.containers
    assert first.lines[0].get_xdata().tolist() == [figure.value, other.value]
    assert first.lines[2][0].get_segments()[0][:, 0].tolist() == pytest.approx([figure.low, figure.high])
    assert second.lines[0].get_ydata().tolist() == pytest.approx([1.08])
