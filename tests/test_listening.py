"""Networks that listen: scenes of words, short training, pictures, and what never stops costs."""

import numpy as np
import pytest
import torch

from tinyml_helpers.datasets.keywords import COMMANDS, KEYWORD_CLASSES, SAMPLES, Keywords
from tinyml_helpers.mcu import always_on
from tinyml_helpers.models import keywords
from tinyml_helpers.signals import audio, keyword_training, listening, sound_picture

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
    seen = audio.network_input(audio.features(shown.clips))[..., None]
    middle = seen[:, 20:30].mean(1)
    loudest = inputs[:, 15:35].mean(1)
    apart = ((loudest[:, None] - middle[None]) ** 2).sum((2, 3))
    scores = np.zeros((len(inputs), 12))
    scores[:, shown.labels] = np.exp(-apart) / np.exp(-apart).sum(1, keepdims=True)
    return scores


@pytest.fixture(scope="module")
def session():
    return listening.listen(knows_tones, tones(44), minutes=1, seed=3)


def test_a_scene_has_the_words_it_was_asked_for(session):
    assert (len(session.said), len(session.keys), session.seconds) == (20, 10, 60)
    assert {word.word for word in session.keys} <= set(COMMANDS)
    assert repr(session) == "1 minutes, 20 words, 10 of them to be found, 295 windows"


def test_thresholds_trade_misses_for_false_alarms(session):
    low, high = session.at(0.1), session.at(0.99)
    assert low.false_alarms_per_hour >= high.false_alarms_per_hour
    assert low.miss_percent <= high.miss_percent
    chosen = session.least_threshold(0)
    assert session.at(chosen).false_alarms_per_hour == 0
    assert session.least_threshold(-1) == 1


def test_a_scene_without_words_of_the_vocabulary_has_none_to_miss():
    others = tones(40).take(np.arange(10, 40, 11))
    quiet = listening.listen(knows_tones, others, minutes=0.5, share=0)
    assert quiet.keys == ()
    assert quiet.at(0.5).miss_percent == 0
    with pytest.raises(ValueError, match="no words of the vocabulary"):
        listening.listen(knows_tones, others, minutes=0.5)


def test_noise_makes_a_network_worse():
    right = listening.under_noise({"a": knows_tones}, tones(22), (60, -20))
    assert listening.correct_percent(knows_tones, tones(22)) == 100
    assert right["a"][60] > 90
    assert right["a"][-20] < 60


def test_every_class_counts_alike():
    labels, found = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert listening.balanced_percent(found, labels) == 50


def test_training_learns_tones_and_repeats_itself():
    torch.manual_seed(0)
    first, second = keywords.ds_cnn(channels=8), keywords.ds_cnn(channels=8)
    second.load_state_dict(first.state_dict())
    data = tones(44)
    history = keyword_training.fit(first, data, steps=20, learning_rate=2e-2)
    keyword_training.fit(second, data, steps=20, learning_rate=2e-2)
    assert history.losses[-1] < 0.9 * history.losses[0]
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_training_without_anything_is_refused():
    with pytest.raises(ValueError, match="44 clips, 0 steps"):
        keyword_training.fit(keywords.ds_cnn(), tones(44), steps=0)


def test_a_start_gets_a_head_for_other_classes():
    assert keyword_training.start(5).head.out_features == 5
    assert keyword_training.start().head.out_features == 12


def test_spoilt_features_begin_with_the_clean_ones():
    clip, noises = tones(1).clips[0], tones(5).clips
    spoilt = keyword_training.spoilt(clip, noises, 3)
    assert spoilt.shape == (4, 50, 10)
    assert np.array_equal(spoilt[0], audio.features(clip))
    assert not torch.equal(spoilt[0], spoilt[1])


def test_a_wake_word_takes_three_frames_a_step():
    steps = audio.wake_word_steps(tones(1).clips[0])
    raw = audio.micro_frontend(tones(1).clips[0], audio.WAKE_WORD)
    assert steps.shape == (32, 1, 3, 40)
    assert steps[0, 0, 0, 0] == max(-128, round(int(raw[0, 0]) / 25.6 * 255 / 26) - 128)


class FiftyMilliseconds:
    instructions = 1_000_000
    latency_ms = (50.0, 100.0)
    energy_uj = (500.0, 1000.0)


def test_what_never_stops_is_counted_by_the_second():
    second = always_on.AlwaysOn(FiftyMilliseconds(), sound_s=0.2)
    assert second.instructions_per_second == 5_000_000
    assert second.realtime_factor == (0.25, 0.5)
    assert second.energy_uj_per_second == (2500, 5000)
    # 225 mAh * 3 V = 2,430 J; 5 mW for 486,000 s are 5.6 days.
    assert second.coin_cell_days == pytest.approx((5.625, 11.25))
    assert "5.6 to 11.2 days" in repr(second)


def test_pictures_are_drawn(session):
    import matplotlib.pyplot as plt

    clip = tones(1).clips[0]
    raw = audio.features(clip)
    filters = audio.mel_filters(10, 20, 4000)
    assert len(sound_picture.waves([clip, clip])) == 2
    assert len(sound_picture.spectrograms([raw, raw], ("a", "b"))) == 2
    assert len(sound_picture.steps(clip[:480], np.ones(257), filters, raw)) == 4
    assert len(sound_picture.confusions({"a": np.eye(3), "b": np.ones((3, 3))}, "xyz")) == 2
    top, below = sound_picture.excerpt(session, 0, 30, 0.5)
    assert {text.get_text() for text in top.texts} <= {word.word for word in session.said}
    assert below.get_xlim() == (0, 30)
    axis = sound_picture.trade_off(plt.subplots()[1], {"one": session}, 0.5)
    assert axis.get_legend_handles_labels()[1] == ["one"]
    plt.close("all")
