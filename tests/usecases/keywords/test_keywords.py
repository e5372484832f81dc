import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers import datasets, intervals
from tinyml_helpers.datasets.keywords import backgrounds, speech_commands
from tinyml_helpers.datasets.keywords import folder as keyword_folder
from tinyml_helpers.datasets.keywords.clips import COMMANDS, DIGITS, KEYWORD_CLASSES

RATE = 16_000


def tone(seconds=0.4, rate=RATE, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype("f4")


def put(path, samples=None, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone() if samples is None else samples, rate, **options)
    return path


@pytest.fixture(scope="module")
def corpus():
    return datasets.load_keywords()


def test_the_corpus_has_every_class_in_every_part(corpus):
    assert corpus.classes == KEYWORD_CLASSES
    assert corpus.clips.dtype == np.int16
    assert corpus.clips.shape == (len(corpus), RATE)
    for part in ("train", "voices", "engine", "new engine"):
        assert set(corpus.part(part).labels.tolist()) == set(range(12))


def test_no_voice_and_no_engine_is_on_both_sides_of_the_split(corpus):
    spoken = corpus.take(corpus.engines != "formulas")
    train, voices, engine, new = map(spoken.part, ("train", "voices", "engine", "new engine"))
    assert not set(train.voices) & set(voices.voices)
    assert set(voices.engines) <= set(train.engines)
    assert not set(engine.engines) & set(train.engines)
    assert not set(new.engines) & {*train.engines, *engine.engines}
    # A blend of Kokoro is two styles: neither may be known from the other side.
    kokoro = [
        {s for v in p.voices[p.engines == "kokoro"] for s in v.split("*")} for p in (train, voices)
    ]
    assert not kokoro[0] & kokoro[1]
    # A variant of eSpeak is a voice under eight accents.
    variants = [{v.split("+")[1] for v in p.voices[p.engines == "espeak"]} for p in (train, voices)]
    assert not variants[0] & variants[1]


def test_each_clip_holds_its_word_in_the_middle(corpus):
    spoken = corpus.clips[corpus.engines != "formulas"].astype(np.float32)
    edges = np.abs(np.concatenate([spoken[:, :200], spoken[:, -200:]], 1)).max(1)
    assert (np.abs(spoken).max(1) > 3000).all()
    assert (edges < 0.3 * np.abs(spoken).max(1)).mean() > 0.95


def test_the_second_vocabulary_is_the_digits():
    digits = datasets.load_keywords(vocabulary="digits", per_class=6)
    assert digits.classes[:10] == DIGITS
    assert (
        digits.words[digits.labels < 10] == np.array(DIGITS)[digits.labels[digits.labels < 10]]
    ).all()
    assert set(digits.words[digits.labels == 10]) & set(COMMANDS)


def test_wake_words_are_a_vocabulary_without_other_classes():
    wake = datasets.load_keywords(vocabulary="wake words")
    assert set(wake.words) == set(wake.classes) == {"hey jarvis", "alexa"}


def test_the_other_words_are_in_no_class_of_the_networks(corpus):
    other = datasets.load_keywords(vocabulary="other words")
    assert len(other.classes) == 15
    assert not set(other.words) & set(corpus.words)


def test_per_class_limits_each_class_in_each_part():
    few = datasets.load_keywords(per_class=5)
    for part in np.unique(few.split):
        assert (np.bincount(few.part(part).labels) == 5).all()
    again = datasets.load_keywords(per_class=5)
    assert (few.clips == again.clips).all()


@pytest.mark.parametrize("wrong", [{"vocabulary": "colours"}, {"per_class": 0}])
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        datasets.load_keywords(**wrong)


def test_a_part_that_is_not_there_is_refused(corpus):
    with pytest.raises(ValueError, match="engine, train, voices"):
        corpus.part("test")


def test_a_damaged_corpus_is_named_with_its_cure(copied_data):
    path = copied_data / "keywords.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(datasets.DataError, match=r"keywords\.npz.*git checkout"):
        datasets.load_keywords()


# A folder of one's own


def test_a_folder_of_words_at_any_rate_and_length(tmp_path):
    put(tmp_path / "lamp" / "a.wav", tone(0.4))
    put(tmp_path / "lamp" / "b.flac", tone(2.5, 44_100), 44_100)
    put(tmp_path / "Door" / "c.ogg", np.stack([tone(1.0, 48_000)] * 2, 1), 48_000)
    words = datasets.load_keywords(tmp_path)
    assert words.classes == ("door", "lamp")
    assert words.clips.shape == (3, RATE)
    told = repr(words)
    for sentence in ("resampled", "several channels", "shorter than a second", "loudest second"):
        assert sentence in told
    assert not words.skipped


def test_the_pitch_survives_resampling(tmp_path):
    put(tmp_path / "tone" / "a.wav", tone(1.0, 44_100, 1000), 44_100)
    put(tmp_path / "unknown" / "a.wav")
    clip = datasets.load_keywords(tmp_path).clips[0]
    assert abs(int(np.abs(np.fft.rfft(clip)).argmax()) - 1000) <= 1


def test_of_a_long_recording_the_loud_second_stays(tmp_path):
    samples = np.zeros(5 * RATE, np.float32)
    samples[3 * RATE : 3 * RATE + 4000] = tone(0.25)
    put(tmp_path / "alarm" / "a.wav", samples)
    put(tmp_path / "unknown" / "a.wav")
    clip = datasets.load_keywords(tmp_path).clips[0].astype(float)
    assert np.isclose((clip**2).sum(), ((32767 * samples) ** 2).sum(), rtol=0.01)
    heard = np.flatnonzero(np.abs(clip) > 1000)
    assert abs((heard[0] + heard[-1]) / 2 - RATE / 2) < 200


BAD = {
    "empty.wav": lambda p: p.write_bytes(b""),
    "text.wav": lambda p: p.write_text("not a sound"),
    "off.wav": lambda p: put(p, np.zeros(RATE, np.float32)),
    "click.wav": lambda p: put(p, np.ones(1, np.float32)),
    "header.wav": lambda p: p.write_bytes(put(p).read_bytes()[:20]),
    "cut.flac": lambda p: p.write_bytes(put(p).read_bytes()[:1500]),
    "silent.wav": lambda p: put(p, np.zeros(0, np.float32)),
    "nan.wav": lambda p: put(p, np.full(100, np.nan, np.float32), subtype="FLOAT"),
    "song.mp3": lambda p: p.write_bytes(b"ID3"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_listed_and_the_rest_is_read(tmp_path, name):
    put(tmp_path / "yes" / "good.wav")
    put(tmp_path / "no" / "good.wav")
    BAD[name](tmp_path / "yes" / name)
    words = datasets.load_keywords(tmp_path)
    assert len(words) == 2
    assert len(words.skipped) == 1
    assert name in words.skipped[0]
    assert name in repr(words)


def test_files_in_the_wrong_place_are_listed_with_what_to_do(tmp_path):
    put(tmp_path / "yes" / "good.wav")
    put(tmp_path / "no" / "good.wav")
    put(tmp_path / "lost.wav")
    (tmp_path / "yes" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "yes" / "phone.m4a").write_bytes(b"x")
    skipped = " | ".join(datasets.load_keywords(tmp_path).skipped)
    assert "lost.wav: move it into the folder of its word" in skipped
    assert "phone.m4a: not read here; turn it into WAV: ffmpeg -i phone.m4a phone.wav" in skipped
    assert "DS_Store" not in skipped


def test_a_word_without_a_recording_and_a_word_alone_are_refused(tmp_path):
    put(tmp_path / "yes" / "good.wav")
    with pytest.raises(datasets.DataError, match="one word only, 'yes': add a folder for another"):
        datasets.load_keywords(tmp_path)
    (tmp_path / "no").mkdir()
    with pytest.raises(datasets.DataError, match="no usable recording of 'no'"):
        datasets.load_keywords(tmp_path)
    put(tmp_path / "no" / "off.wav", np.zeros(RATE, np.float32))
    with pytest.raises(
        datasets.DataError, match=r"recording of 'no'(?s:.*)off\.wav is silent throughout"
    ):
        datasets.load_keywords(tmp_path)


def wav(samples, *, promised=None):
    """A WAV file of 16 bits whose header promises so many bytes."""
    data = (32767 * samples).astype("<i2").tobytes()
    size = len(data) if promised is None else promised
    whole = min(36 + size, 0xFFFFFFFF)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", size)
    return head + data


@pytest.mark.parametrize("promised", [0, 12_844, 0xFFFFFFFF, 10**9])
def test_a_wav_header_that_was_never_finished_is_read_to_the_files_end(tmp_path, promised):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(tone(), promised=promised))
    sound = datasets.read_sound(path)
    np.testing.assert_allclose(sound.samples, tone(), atol=1e-3)
    assert sound.notes == ("its header is wrong, read to the file's end",)
    path.write_bytes(wav(tone()))
    assert datasets.read_sound(path).notes == ()


def test_sides_that_cancel_each_other_leave_the_louder_one(tmp_path):
    path = put(tmp_path / "a.wav", np.stack([tone(), -0.99 * tone()], 1))
    sound = datasets.read_sound(path)
    np.testing.assert_allclose(sound.samples, tone(), atol=1e-3)
    assert sound.notes == ("its channels cancel each other, the loudest taken",)


@pytest.mark.parametrize("name", ["a.opus", "a.oga"])
def test_ogg_under_its_other_names_is_read(tmp_path, name):
    path = tmp_path / name
    subtype = "OPUS" if name.endswith("opus") else "VORBIS"
    soundfile.write(path, tone(1.0, 48_000), 48_000, format="OGG", subtype=subtype)
    assert datasets.read_sound(path).seconds == pytest.approx(1, abs=0.01)


def test_folders_named_as_the_twelve_classes_get_their_order(tmp_path):
    for word in ("go", "_unknown_", "_background_noise_"):
        put(tmp_path / word / "a.wav", tone(3.0))
    words = datasets.load_keywords(tmp_path)
    assert words.classes == KEYWORD_CLASSES
    # Of the background each whole second is a clip.
    assert np.bincount(words.labels, minlength=12)[[9, 10, 11]].tolist() == [1, 1, 3]


def hash_of(who):
    return hashlib.sha256(who.encode()).hexdigest()[:8]


SPEAKERS = ("ann", "bob", "cem", "dai", "eve", "flo")
LAYOUTS = {
    "word/speaker_n": lambda word, who, n: f"{word}/{who}_{n}.wav",
    "word/speaker-word-n": lambda word, who, n: f"{word}/{who}-{word}-{n}.wav",
    "word/hash": lambda word, who, n: (
        f"{word}/{hashlib.sha256(who.encode()).hexdigest()[:8]}_nohash_{n}.wav"
    ),
    "speaker/word/n": lambda word, who, n: f"{who}/{word}/{n}.wav",
    "word/speaker/n": lambda word, who, n: f"{word}/{who}/{n}.wav",
    "speaker_word_n": lambda word, who, n: f"{who}_{word}_{n}.wav",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_speaker_is_in_both_parts_however_the_files_lie(tmp_path, layout):
    for word in ("yes", "no"):
        for who in SPEAKERS:
            for take in range(2):
                put(tmp_path / LAYOUTS[layout](word, who, take))
    words = datasets.load_keywords(tmp_path)
    assert set(words.words) == {"yes", "no"} and len(words) == 24
    parts = [set(words.voices[words.split == name]) for name in ("train", "test")]
    assert len(set(words.voices)) == 6
    assert not parts[0] & parts[1] and len(parts[1]) == 1
    assert words.caution == ""


def test_digits_in_files_that_begin_with_the_word_are_no_speakers(tmp_path):
    for digit in (0, 7):
        for who in SPEAKERS[:3]:
            put(tmp_path / f"{digit}_{who}_1.wav")
    words = datasets.load_keywords(tmp_path)
    assert words.classes == ("0", "7") and set(words.voices) == set(SPEAKERS[:3])


@pytest.mark.parametrize(
    ("names", "caution"),
    [
        ([f"rec{n:03}" for n in range(10)], "This split flatters: speakers cannot be told"),
        ([f"audio-{n}" for n in range(10)], "This split flatters: speakers cannot be told"),
        ([f"anna_{n}" for n in range(10)], "One voice only (anna)"),
    ],
)
def test_a_split_that_flatters_says_so(tmp_path, names, caution):
    for word in ("yes", "no"):
        for name in names:
            put(tmp_path / word / f"{name}.wav")
    words = datasets.load_keywords(tmp_path)
    assert words.caution.startswith(caution) and caution in repr(words)
    assert words.part("test").caution == words.caution
    for word in ("yes", "no"):
        assert (words.split[words.words == word] == "test").sum() == 2


def test_where_every_word_has_a_speaker_of_its_own_the_split_flatters(tmp_path):
    for word, who in (("yes", "ann"), ("no", "bob")):
        for take in range(5):
            put(tmp_path / word / f"{who}_{take}.wav")
    assert "each word has one speaker only" in datasets.load_keywords(tmp_path).caution


def test_a_folder_without_one_usable_file_says_what_to_put_there(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "a.wav").write_bytes(b"nothing")
    with pytest.raises(datasets.DataError, match=r"no recording.*(?s:.*)a\.wav"):
        datasets.load_keywords(tmp_path)
    with pytest.raises(datasets.DataError, match="no file or folder"):
        datasets.load_keywords(tmp_path / "nowhere")


@given(st.integers(1, 40_000))
@settings(max_examples=30, deadline=None)
def test_any_length_becomes_a_second_that_keeps_the_loudest_sample(length):
    samples = np.random.default_rng(length).normal(size=length).astype("f4")
    samples[length // 2] = 1000
    fitted = keyword_folder.fit_second(samples)
    assert fitted.shape == (RATE,)
    assert fitted.max() == 1000


def test_a_sound_says_what_was_done_to_it(tmp_path):
    path = put(tmp_path / "a.wav", np.stack([tone(1, 44_100), 0 * tone(1, 44_100)], 1), 44_100)
    sound = datasets.read_sound(path)
    assert np.abs(sound.samples).max() == pytest.approx(0.25, abs=0.01)
    assert "resampled from 44,100 Hz" in repr(sound)
    assert "2 channels mixed to one" in repr(sound)
    with pytest.raises(ValueError, match="rate_hz 0"):
        datasets.read_sound(path, 0)


# Backgrounds


def test_backgrounds_are_seeded_varied_and_never_clipped():
    sounds, kinds = backgrounds.backgrounds(28, 3)
    assert (sounds == backgrounds.backgrounds(28, 3)[0]).all()
    assert set(kinds) == set(backgrounds.KINDS)
    assert np.abs(sounds.astype(int)).max() < 32767
    with pytest.raises(ValueError, match="unknown background 'rain'"):
        backgrounds.background("rain", np.random.default_rng(0))


def test_coloured_noise_falls_as_told():
    power = np.abs(np.fft.rfft(backgrounds.coloured_noise(np.random.default_rng(0), 2.0))) ** 2
    ratio = power[200:400].mean() / power[2000:4000].mean()
    assert 60 < ratio < 160  # a factor of ten in frequency, squared


# Speech Commands


def archive_of(folder, extra=()):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, ".")
        for name in extra:
            tar.addfile(tarfile.TarInfo(name))
    return gzip.compress(packed.getvalue(), mtime=0)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A public home on loopback with a tiny Speech Commands; it can resume and it can break off."""
    whole = tmp_path / "whole"
    for word in (*COMMANDS, "bed", "cat"):
        for number in range(6):
            put(whole / word / f"{number:08x}_nohash_0.wav", tone(0.9))
    put(whole / "_background_noise_" / "hiss.wav", tone(4))
    names = {n: [f"{w}/{n:08x}_nohash_0.wav" for w in (*COMMANDS, "bed", "cat")] for n in (4, 5)}
    (whole / "validation_list.txt").write_text("\n".join(names[4]))
    (whole / "testing_list.txt").write_text("\n".join(names[5]))
    content = archive_of(whole)

    class Handler(http.server.BaseHTTPRequestHandler):
        asked: tuple[str | None, ...] = ()
        stop_after: int | None = None
        resumes = True

        def do_GET(self):
            wanted = self.headers.get("Range")
            Handler.asked += (wanted,)
            start = int(wanted[6:-1]) if wanted and Handler.resumes else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : Handler.stop_after])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(speech_commands, "URL", f"http://127.0.0.1:{server.server_port}/words.tar.gz")
    monkeypatch.setattr(speech_commands, "MD5", hashlib.md5(content).hexdigest())
    Handler.content = content
    yield Handler
    server.shutdown()
    server.server_close()


def test_speech_commands_come_in_twelve_classes_with_their_own_lists(home):
    words = datasets.load_keywords("speech_commands")
    assert words.classes == KEYWORD_CLASSES
    assert set(words.voices[(words.split == "test") & (words.engines == "people")]) == {"00000005"}
    counts = np.bincount(words.part("train").labels)
    # Two other words are thinned to the number of one command; backgrounds as many.
    assert counts.tolist() == [4] * 12
    datasets.load_keywords("speech_commands")
    assert len(home.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(home):
    home.stop_after = 1000
    with pytest.raises(datasets.DataError, match=r"try again; 1,000 bytes are kept"):
        datasets.load_keywords("speech_commands")
    home.stop_after = None
    assert len(datasets.load_keywords("speech_commands", per_class=1)) == 36
    assert home.asked == (None, "bytes=1000-")


def test_a_server_that_cannot_resume_sends_the_whole_again(home):
    home.stop_after = 1000
    with pytest.raises(datasets.DataError):
        datasets.load_keywords("speech_commands")
    home.stop_after, home.resumes = None, False
    assert len(datasets.load_keywords("speech_commands", per_class=1)) == 36


def test_a_download_that_arrives_changed_is_refused_and_not_kept(home, monkeypatch):
    monkeypatch.setattr(speech_commands, "MD5", "0" * 32)
    with pytest.raises(datasets.DataError, match="could not fetch words"):
        datasets.load_keywords("speech_commands")
    assert not list(datasets.cache_folder().glob("speech_commands/*.part"))


def test_an_archive_that_climbs_out_of_its_folder_is_refused(tmp_path):
    archive = tmp_path / "evil.tar.gz"
    (tmp_path / "in").mkdir()
    archive.write_bytes(archive_of(tmp_path / "in", ["../../outside.wav"]))
    with pytest.raises(datasets.DataError, match="cannot unpack"):
        speech_commands.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path.parent / "outside.wav").exists()


def test_no_network_is_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    monkeypatch.setattr(speech_commands, "URL", "http://127.0.0.1:9/words.tar.gz")
    with pytest.raises(datasets.DataError, match="check the network and try again"):
        datasets.load_keywords("speech_commands")


def test_what_a_split_by_file_flatters_is_said_as_it_was_measured():
    stored = datasets.read_json("models/own_words_split.json")
    tests = np.array(stored["tests_of_each_voice"])
    by_file, by_voice = (np.array(stored[f"right_by_{name}"]) for name in ("file", "voice"))
    assert tests.sum() == stored["seeds"] * stored["clips"]
    assert (by_file <= tests).all() and (by_voice <= tests).all()
    found = intervals.over_groups(100 * (by_file - by_voice) / tests, "points", "voices")
    told = f"{found.value:.1f} points ({found.low:.1f} to {found.high:.1f}, n = {found.n} voices)"
    root = datasets.data_folder().parent
    assert told in (root / "book" / "own_recordings.md").read_text("utf-8")
    (lesson,) = (root / "notebooks").glob("09_*.ipynb")
    assert told.partition(", n")[0] in lesson.read_text("utf-8")
    figures = told.replace("points ", "points more are right ")
    assert figures in (root / "data" / "README.md").read_text("utf-8")
