"""Words in a stream, at times that are known."""

import ctypes
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.usecases.keywords import detector, features, firmware, mix
from tinyml_helpers.usecases.keywords.detector import Detection, Spoken

WORDS = ("yes", "no")


def scores(*peaks, count=100):
    """One window every 0.1 s; a peak is (window, class, score), all else goes to a third class."""
    table = np.zeros((count, 3))
    table[:, 2] = 0.5
    for window, word, score in peaks:
        table[window] = [0, 0, 1 - score]
        table[window, word] = score
    return table, np.arange(count) / 10


def test_a_window_of_the_stream_is_what_the_clip_gives_alone():
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal(5 * 16_000) * np.linspace(50, 9000, 80_000)).astype(np.int16)
    seen = detector.cut_windows(samples, hop=7)
    assert seen.end_s[0] == 1.01
    assert np.allclose(np.diff(seen.end_s), 0.14)
    for i in (0, 5, len(seen.end_s) - 1):
        end = round(seen.end_s[i] * 16_000)
        assert np.array_equal(seen.features[i], features.features(samples[end - features.SAMPLES : end]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: detector.cut_windows(np.zeros(16_000, np.int16)),
            "16000 samples: a window takes 16160",
        ),
        (lambda: detector.cut_windows(np.zeros(20_000, np.int16), 0), "hop of 0"),
        (lambda: detector.smooth(np.zeros((3, 2)), 0), "width of 0"),
        (
            lambda: mix.mix_scene([np.ones(16_000, np.int16)] * 3, WORDS, 2, np.random.default_rng()),
            "fewer",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_smoothing_averages_what_came_before():
    table = np.array([[4.0], [0], [2], [0]])
    assert detector.smooth(table, 2).ravel().tolist() == [2, 2, 1, 1]
    assert detector.smooth(table, 1).tolist() == table.tolist()


def test_one_word_is_reported_once_and_the_next_after_the_pause():
    table, ends = scores((10, 0, 0.9), (12, 0, 0.9), (15, 1, 0.9), (20, 1, 0.95), (40, 0, 0.6))
    found = detector.detect(table, ends, WORDS, 0.8, silent=10)
    assert found == [Detection(1.0, "yes", 0.9), Detection(2.0, "no", 0.95)]


def test_a_class_that_is_no_word_never_reports():
    table, ends = scores()
    assert detector.detect(table, ends, WORDS, 0.1) == []


def test_hits_misses_and_false_alarms_at_known_times():
    spoken = [Spoken(1, 1.5, "yes"), Spoken(5, 5.5, "no"), Spoken(8, 8.5, "yes")]
    found = [
        Detection(1.4, "yes", 0.9),  # a hit, before the word has ended
        Detection(2.2, "yes", 0.9),  # the same word again
        Detection(5.2, "yes", 0.9),  # the wrong word
        Detection(9.2, "yes", 0.9),  # a hit, 0.7 s late
    ]
    outcome = detector.judge(found, spoken, seconds=1800)
    assert [hit.time_s for hit in outcome.hits] == [1.4, 9.2]
    assert outcome.missed == (spoken[1],)
    assert [alarm.time_s for alarm in outcome.false_alarms] == [2.2, 5.2]
    assert outcome.miss_percent == pytest.approx(100 / 3)
    assert outcome.false_alarms_per_hour == 4
    assert repr(outcome).startswith("2 words found, 1 missed (33.3 %), 2 false alarms in 30.0 minutes")


def test_too_late_is_a_miss_and_a_false_alarm():
    outcome = detector.judge([Detection(2.4, "yes", 1)], [Spoken(1, 1.5, "yes")], 60, late_s=0.8)
    assert (len(outcome.hits), len(outcome.missed), len(outcome.false_alarms)) == (0, 1, 1)


def test_silence_has_no_misses():
    assert detector.judge([], [], 60).miss_percent == 0


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1), st.floats(0.5, 1)), max_size=20),
    st.lists(st.floats(0, 9), max_size=8),
)
def test_every_word_is_hit_or_missed_and_every_report_is_a_hit_or_an_alarm(peaks, starts):
    table, ends = scores(*peaks)
    spoken = [Spoken(start, start + 0.5, "yes") for start in sorted(starts)]
    found = detector.detect(table, ends, WORDS, 0.7, silent=10)
    outcome = detector.judge(found, spoken, 10)
    assert len(outcome.hits) + len(outcome.missed) == len(spoken)
    assert len(outcome.hits) + len(outcome.false_alarms) == len(found)
    assert all(b.time_s - a.time_s > 0.99 for a, b in itertools.pairwise(found))


def test_a_scene_holds_its_clips_where_it_says():
    click = np.zeros(8_000, np.int16)
    click[2_000:4_000] = 20_000
    samples, spoken = mix.mix_scene(
        [click] * 6, list("abcdef"), 12, np.random.default_rng(1), noise_db=40
    )
    assert len(samples) == 12 * 16_000
    assert [place.word for place in spoken] == list("abcdef")
    for i, place in enumerate(spoken):
        assert 2 * i <= place.start_s < place.end_s <= 2 * i + 2
        inside = samples[round(place.start_s * 16_000) : round(place.end_s * 16_000)]
        assert np.abs(inside.astype(int)).min() > 4_000
    outside = np.abs(samples[: round(spoken[0].start_s * 16_000)].astype(int))
    assert 0 < outside.mean() < 500


def model(classes):
    return SimpleNamespace(
        input=Tensor("in", (1, 50, 10, 1), "int8", (1 / 255,), (-128,)),
        output=Tensor("out", (1, classes), "int8"),
    )


@pytest.fixture(scope="module")
def library():
    pipeline = firmware.pipeline(model(3), words=2, threshold=0.6, width=3, hop=7, silent=4)
    assert (pipeline.before, pipeline.after) == ("keyword_hop", "keyword_word")
    assert (pipeline.samples, pipeline.count) == ("int16_t", 7 * 320)
    return ctypes.CDLL(str(toolchain.host_library(pipeline.files)))


def address(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def test_c_sees_the_windows_of_numpy(library):
    rng = np.random.default_rng(2)
    samples = (rng.standard_normal(3 * 16_000) * np.linspace(9000, 50, 48_000)).astype(np.int16)
    got = np.empty((50, 10), np.int8)
    # The device has heard nothing before: the first window is the first hop after zeros.
    before = np.zeros(features.SAMPLES - 7 * 320, np.int16)
    seen = detector.cut_windows(np.concatenate([before, samples]), hop=7)
    for i in range(len(samples) // (7 * 320)):
        library.keyword_hop(
            address(np.ascontiguousarray(samples[i * 7 * 320 : (i + 1) * 7 * 320])), address(got)
        )
        assert np.array_equal(got, features.quantized_input(seen.features[i], 1 / 255, -128))


def test_c_reports_the_words_of_numpy(library):
    rng = np.random.default_rng(3)
    bytes_out = rng.integers(-128, 128, (400, 3)).astype(np.int8)
    bytes_out[::2, 2] = -128
    reported = [library.keyword_word(address(row)) for row in np.ascontiguousarray(bytes_out)]
    scores = detector.smooth((bytes_out.astype(float) + 128) / 256, 3)
    found = detector.detect(scores, np.arange(400), WORDS, 0.6, silent=4)
    assert {i: WORDS[word] for i, word in enumerate(reported) if word >= 0} == {
        int(one.time_s): one.word for one in found
    }
    assert len(found) > 20


def test_the_wake_words_front_end_in_c_is_numpys_without_noise_reduction_and_gain():
    plain = replace(features.WAKE_WORD, noise_reduction=False, gain_control=False)
    pipeline = firmware.wake_word_pipeline(model(1))
    assert (pipeline.before, pipeline.count, pipeline.after) == ("wake_hop", 480, None)
    library = ctypes.CDLL(str(toolchain.host_library(pipeline.files)))
    rng = np.random.default_rng(5)
    samples = (rng.standard_normal(20 * 480) * np.linspace(9000, 50, 20 * 480)).astype(np.int16)
    got = np.empty((3, 40), np.int8)
    before = np.zeros(320, np.int16)  # the first window lies in what came before the first sample
    raw = features.micro_frontend(np.concatenate([before, samples]), plain)
    loud = np.abs(np.concatenate([before, samples]).astype(int))
    for step, piece in enumerate(samples.reshape(20, 480)):
        library.wake_hop(address(np.ascontiguousarray(piece)), address(got))
        peak = loud[step * 480 : step * 480 + 800].max()
        seen = features.raise_level(raw[3 * step : 3 * step + 3], peak, plain.log_shift)
        assert np.array_equal(got, features.quantized_input(seen, 1 / 255, -128))


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"threshold": 1.5}, "threshold 1.5"), ({"words": 13}, "13 words"), ({"hop": 0}, "hop of 0")],
)
def test_a_stream_that_cannot_be_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        firmware.pipeline(model(12), **{"threshold": 0.8, **bad})


def test_noise_has_the_ratio_that_was_asked_for():
    clips = np.round(3000 * np.sin(np.arange(2 * 16_000).reshape(2, -1) / 5)).astype(np.int16)
    noisy = mix.add_noise(clips, 10, np.random.default_rng(4))
    added = noisy.astype(float) - clips
    ratio = 10 * np.log10((clips.astype(float) ** 2).mean(1) / (added**2).mean(1))
    assert np.allclose(ratio, 10, atol=0.1)
    loud = mix.add_noise((clips * 10).astype(np.int16), -10, np.random.default_rng(4))
    assert np.abs(loud.astype(int)).max() == 32767
