"""Recordings of movements as phones, boards and apps write them: every right value is known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml_helpers.datasets import DataError, load_gestures
from tinyml_helpers.datasets.gestures import recording_files, units
from tinyml_helpers.datasets.gestures.recordings import AXES, UNITS

G = 9.80665
SHIPPED = load_gestures().recordings
WAVE = next(one for one in SHIPPED if one.gesture == "upright row")
SECONDS = 16
EXACT = (WAVE.raw * UNITS)[: SECONDS * 50]
TIME = np.arange(SECONDS * 50) / 50
DIALECTS = ((",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."))


def table(names, columns, separator=",", decimal=".", form="%.9g"):
    lines = [separator.join(names)] if names else []
    for row in zip(*columns, strict=True):
        fields = [one if isinstance(one, str) else form % one for one in row]
        lines.append(separator.join(field.replace(".", decimal) for field in fields))
    return "\n".join(lines) + "\n"


def full(time=TIME, values=EXACT, names=("time_s", *AXES), **form):
    return table(names, [time, *values.T], **form)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def read(folder, text, name="anna_left_wave_1.csv"):
    return recording_files.read([write(Path(folder) / name, text)])


def agrees(raw, rotation=True):
    count = min(len(raw), len(EXACT))
    assert count > 0.95 * len(EXACT)
    columns = 6 if rotation else 3
    expected = np.round(EXACT / UNITS)[:count, :columns]
    return np.abs(raw[:count, :columns] - expected).max() <= 2


# As each tool writes it


def test_edge_impulse_gives_milliseconds_metres_and_degrees(tmp_path):
    names = ("timestamp", "accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ")
    values = EXACT * ([G] * 3 + [180 / np.pi] * 3)
    raw, notes = read(tmp_path, full(1000 * TIME, values, names))
    assert agrees(raw)
    assert notes == ("time in milliseconds", "acceleration in m/s²", "rotation in degrees a second")


def test_edge_impulse_without_a_gyroscope_leaves_rotation_at_zero(tmp_path):
    text = table(("timestamp", "accX", "accY", "accZ"), [1000 * TIME, *(G * EXACT[:, :3]).T])
    raw, notes = read(tmp_path, text)
    assert agrees(raw, rotation=False) and not raw[:, 3:].any()
    assert "no gyroscope: rotation is left at zero" in notes


def sensor_file(values, zero=1_700_000_000_000_000_000, start=0.0, time=TIME):
    """A file of Sensor Logger: nanoseconds since 1970, seconds since the start, z, y, x."""
    stamps = [str(zero + round(1e9 * moment)) for moment in time]
    return table(("time", "seconds_elapsed", "z", "y", "x"), [stamps, time + start, *values.T[::-1]])


def linear_and_gravity():
    """What moves the wrist, and the pull of the earth, in m/s²; together they are what was recorded."""
    from scipy.signal import butter, sosfiltfilt

    slow = sosfiltfilt(butter(2, 0.3, fs=50, output="sos"), EXACT[:, :3], axis=0)
    return G * (EXACT[:, :3] - slow), G * slow


@pytest.mark.parametrize("accelerometer", ["TotalAcceleration", "Accelerometer"])
def test_sensor_logger_puts_each_sensor_into_a_file_of_one_folder(tmp_path, accelerometer):
    for name in ("anna_left_wave", "bob_left_circle"):
        folder = tmp_path / f"{name}-2026-01-02_10-20-30"
        write(folder / f"{accelerometer}.csv", sensor_file(G * EXACT[:, :3]))
        write(folder / "Gyroscope.csv", sensor_file(EXACT[:, 3:]))
        write(folder / "Gravity.csv", sensor_file(linear_and_gravity()[1]))
        write(folder / "Metadata.csv", "version,device\n1,phone\n")
        write(folder / "Magnetometer.csv", sensor_file(EXACT[:, :3]))
        (folder / "Location.gpx").write_text("<gpx/>")
    own = load_gestures(tmp_path)
    assert own.classes == ("circle", "wave") and own.people == ("anna", "bob")
    assert all(agrees(one.raw) for one in own.recordings)
    assert len(own.skipped) == 6
    assert "Location.gpx: no table" in repr(own) and "Metadata.csv: holds no movement" in repr(own)


def test_gravity_in_a_file_of_its_own_is_added_where_it_lacks(tmp_path):
    linear, gravity = linear_and_gravity()
    for name in ("anna_left_wave_1", "bob_left_circle_1"):
        folder = tmp_path / name
        write(folder / "Accelerometer.csv", sensor_file(linear))
        write(folder / "Gravity.csv", sensor_file(gravity))
    assert agrees(load_gestures(tmp_path).recordings[0].raw, rotation=False)


def test_two_sensors_that_start_apart_are_joined_by_their_clock(tmp_path):
    late = 37  # samples
    pull = sensor_file(G * EXACT[:, :3])
    turn = sensor_file(EXACT[late:, 3:], start=late / 50, time=TIME[: len(TIME) - late])
    paths = [write(tmp_path / "a_left_b_1_Accelerometer.csv", pull)]
    paths.append(write(tmp_path / "a_left_b_1_Gyroscope.csv", turn))
    raw, _ = recording_files.read(paths)
    assert abs(len(raw) - (len(EXACT) - late)) <= 1
    assert np.abs(raw - np.round(EXACT / UNITS)[late : late + len(raw)]).max() <= 2


def test_two_sensors_of_different_moments_are_refused(tmp_path):
    pull = write(tmp_path / "Accelerometer.csv", sensor_file(G * EXACT[:, :3]))
    turn = write(tmp_path / "Gyroscope.csv", sensor_file(EXACT[:, 3:], start=1000.0))
    with pytest.raises(DataError, match=r"0\.0 s, together with Gyroscope\.csv"):
        recording_files.read([pull, turn])


@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), ("\t", "."), (";", "."), (";", ","), ("\t", ",")]
)
def test_phyphox_in_each_of_its_separators(tmp_path, separator, decimal):
    names = ["Time (s)", *(f"Acceleration {axis} (m/s^2)" for axis in "xyz"),
             "Absolute acceleration (m/s^2)"]  # fmt: skip
    pull = G * EXACT[:, :3]
    columns = [TIME, *pull.T, np.linalg.norm(pull, axis=1)]
    quoted = [f'"{name}"' for name in names]
    raw, notes = read(tmp_path, table(quoted, columns, separator, decimal, "%.9E"))
    assert agrees(raw, rotation=False)
    assert "acceleration in m/s²" in notes
    names = ["Time (s)", *(f"Gyroscope {axis} (rad/s)" for axis in "xyz")]
    turn = table([f'"{name}"' for name in names], [TIME, *EXACT[:, 3:].T], separator, decimal, "%.9E")
    paths = [tmp_path / "anna_left_wave_1.csv", write(tmp_path / "Gyroscope.csv", turn)]
    assert agrees(recording_files.read(paths)[0])


def test_a_serial_capture_has_no_names_and_begins_in_the_middle_of_a_line(tmp_path):
    text = "0.98,0.1\n" + full(names=()) + "16.02,0.1,0."
    raw, notes = read(tmp_path, text)
    assert agrees(raw)
    assert notes == ("garbled lines left out",)


@pytest.mark.parametrize("names", [(), ("aX", "aY", "aZ", "gX", "gY", "gZ")])
def test_a_sketch_that_prints_no_time_tells_its_rate_in_the_name(tmp_path, names):
    raw, notes = read(tmp_path, table(names, EXACT.T), "anna_left_wave_1_50hz.csv")
    assert agrees(raw) and notes == ()


def test_dates_are_times(tmp_path):
    start = datetime(2026, 1, 2, 10, 20, 30, tzinfo=UTC)
    stamps = [(start + timedelta(seconds=float(moment))).isoformat() for moment in TIME]
    stamps = [stamp.replace("+00:00", "Z") for stamp in stamps]
    lines = [
        f"{stamp}," + ",".join(f"{v:.6f}" for v in row) for stamp, row in zip(stamps, EXACT, strict=True)
    ]
    raw, _ = read(tmp_path, "\n".join([",".join(("timestamp", *AXES)), *lines]))
    assert agrees(raw)


# Whatever the separator, the unit, the rate and the order


@settings(max_examples=60, deadline=None)
@given(
    dialect=st.sampled_from(DIALECTS),
    time=st.sampled_from([1.0, 1e3, 1e6, 1e9]),
    start=st.sampled_from([0.0, 12.5, 1_000_000.0]),
    pull=st.sampled_from([1.0, G, 1000.0]),
    turn=st.sampled_from([1.0, 180 / np.pi]),
    order=st.permutations(range(7)),
    which=st.integers(0, len(SHIPPED) - 1),
)
def test_separators_units_and_orders_change_nothing(
    tmp_path_factory, dialect, time, start, pull, turn, order, which
):
    exact = (SHIPPED[which].raw * UNITS)[: SECONDS * 50]
    columns = [time * TIME + time * start, *(exact * ([pull] * 3 + [turn] * 3)).T]
    names = ["time", "accX", "accY", "accZ", "gyroX", "gyroY", "gyroZ"]
    text = table([names[i] for i in order], [columns[i] for i in order], *dialect, form="%.17g")
    raw, _ = read(tmp_path_factory.mktemp("own"), text)
    expected = np.round(exact / UNITS)
    assert len(raw) >= len(expected) - 1
    assert np.abs(raw - expected[: len(raw)]).max() <= 2


@pytest.mark.parametrize("rate_hz", [12.5, 25, 31.25, 52, 100, 104, 119, 200, 400, 1000])
def test_any_rate_becomes_fifty_hertz(tmp_path, rate_hz):
    time = np.arange(int(SECONDS * rate_hz)) / rate_hz
    slow = np.column_stack(
        [np.sin(time / 3), np.cos(time / 3), 0.2 * np.sin(2 * time), *np.cos([time, 2 * time, time / 2])]
    )
    raw, _ = read(tmp_path, full(time, slow))
    at = np.arange(len(raw)) / 50
    exact = np.column_stack(
        [np.sin(at / 3), np.cos(at / 3), 0.2 * np.sin(2 * at), *np.cos([at, 2 * at, at / 2])]
    )
    middle = slice(50, 350)
    assert abs(len(raw) - 50 * SECONDS) <= 4
    np.testing.assert_allclose((raw * UNITS)[middle], exact[middle], atol=0.03)


@pytest.mark.parametrize("burst", [2, 5, 8])
def test_samples_that_arrive_in_bursts_are_taken_for_even(tmp_path, burst):
    arrival = TIME[np.minimum(np.arange(len(TIME)) // burst * burst, len(TIME) - 1)]
    raw, notes = read(tmp_path, full(arrival + 0.0005 * (np.arange(len(TIME)) % burst)))
    assert agrees(raw)
    assert notes == ("samples came in bursts, taken for even",)


def test_jitter_of_half_a_step_is_no_burst(tmp_path):
    jitter = np.random.default_rng(0).uniform(-0.004, 0.004, len(TIME))
    raw, notes = read(tmp_path, full(TIME + jitter + 1))
    assert len(raw) > 790 and notes == ()


def test_a_lost_sample_is_drawn_straight_and_counted_and_a_gap_is_refused(tmp_path):
    kept = np.ones(len(TIME), bool)
    kept[[100, 200, 201]] = False
    raw, notes = read(tmp_path, full(TIME[kept], EXACT[kept]))
    assert notes == ("lost samples drawn straight",)
    assert np.abs(raw[:100] - np.round(EXACT / UNITS)[:100]).max() <= 2
    kept[200:230] = False
    with pytest.raises(DataError, match=r"gap of 0\.62 s at 3\.98 s: cut"):
        read(tmp_path, full(TIME[kept], EXACT[kept]))


def test_a_serial_line_lost_now_and_then_is_left_out_and_many_are_refused(tmp_path):
    lines = full().splitlines()
    lines[200] = "4.0,0.1,#"
    raw, notes = read(tmp_path, "\n".join(lines))
    assert len(raw) == len(EXACT) and np.abs(raw - np.round(EXACT / UNITS))[:199].max() <= 2
    assert notes == ("garbled lines left out", "lost samples drawn straight")
    for place in range(100, 140, 4):
        lines[place] = "?,?"
    with pytest.raises(DataError, match=r"line 101: it does not hold 7 finite numbers.*10 lines"):
        read(tmp_path, "\n".join(lines))


def pieces(seconds=6):
    """The shipped recordings in g and rad/s, cut into pieces."""
    for one in SHIPPED:
        values = one.raw * UNITS
        yield from (
            values[k : k + 50 * seconds] for k in range(0, len(values) - 50 * seconds, 50 * seconds)
        )


def test_the_bounds_hold_for_what_ships_with_room_to_spare():
    """What book/own_recordings.md says that was measured."""
    pulls, rests, shares, turns = [], [], [], []
    for values in pieces():
        length = np.linalg.norm(values[:, :3], axis=1)
        slow = units._slow(values[:, :3], 50)
        direction = units._slow(values[:, :3], 50, 2.0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        turning = np.linalg.norm(np.gradient(direction, 1 / 50, axis=0), axis=1)
        pulls.append(np.median(length))
        rests.append(np.percentile(length, 10))
        shares.append(np.median(np.linalg.norm(slow, axis=1)) / pulls[-1])
        turns.append(np.median(np.linalg.norm(values[:, 3:], axis=1)) / np.median(turning))
    assert len(pulls) == 744
    assert (min(pulls), max(pulls)) == pytest.approx((0.955, 2.617), abs=0.001)
    assert max(rests) == pytest.approx(1.254, abs=0.001) and max(rests) < units._MOST_AT_REST_G
    assert min(shares) == pytest.approx(0.422, abs=0.001) and min(shares) > units._SLOW_SHARE
    assert (min(turns), max(turns)) == pytest.approx((0.46, 9.9), abs=0.3)
    assert max(turns) < units._MOST_TURNS < np.rad2deg(min(turns))


# What is refused, with its cure


def test_every_shipped_recording_has_gravity_and_none_without_is_taken(tmp_path):
    from scipy.signal import butter, sosfiltfilt

    high = butter(2, 0.3, "high", fs=50, output="sos")
    for number, one in enumerate(SHIPPED[::10]):
        values = one.raw * UNITS
        time = np.arange(len(values)) / 50
        raw, _ = read(tmp_path, full(time, values), f"a_left_{number}.csv")
        assert len(raw) == len(values)
        values[:, :3] = sosfiltfilt(high, values[:, :3], axis=0)
        for unit in (1, G, 1000):
            scaled = values * [*[unit] * 3, 1, 1, 1]
            with pytest.raises(DataError, match="no gravity in its acceleration"):
                read(tmp_path, full(time, scaled), f"a_left_{number}.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (full(names=("time_s", "ax", "ax", "az", "b", "c", "d")), "no columns ax"),
        (full(names=("moment", *AXES)), "no column of time"),
        (table(("ax", "ay", "az"), EXACT[:, :3].T), "no column of time: name it time_s"),
        (table((), EXACT.T), "6 columns without names: write time_s,ax"),
        (full(TIME / 100), "record at 12.5 to 1,000 Hz"),
        (full(TIME * 5), "record at 12.5 to 1,000 Hz"),
        (full(np.where(TIME < 4, TIME, TIME - 4)), "time does not move forward"),
        (full(values=EXACT * [4096, 4096, 4096, 1, 1, 1]), "counts of a sensor"),
        (full(values=EXACT * [1, 1, 1, 1e4, 1e4, 1e4]), "a rotation of .* taken for deg/s"),
        (full(TIME[:200], EXACT[:200]), r"lasts 4\.0 s: record at least 15 s"),
        (table(("time_s", "wx", "wy", "wz"), [TIME, *EXACT[:, 3:].T]), "gyroscope only"),
        ("", "no columns of numbers"),
        ("\x00" * 500, "no columns of numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_cure(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as told:
        read(tmp_path, text)
    assert "anna_left_wave_1.csv" in str(told.value)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("anna_left_wave_1.csv", ("anna", "left", "wave")),
        ("anna_left_arm_up.csv", ("anna", "left", "arm_up")),
        ("anna_left_arm_up_2.txt", ("anna", "left", "arm_up")),
        ("anna_maria_RIGHT_Wave_3b.csv", ("anna_maria", "right", "wave")),
        ("anna/left/wave_1.csv", ("anna", "left", "wave")),
        ("anna/wave_1.csv", ("anna", "", "wave")),
        ("wave.3k2j1.csv", ("", "", "wave")),
        ("arm_up.3k2j1.csv", ("", "", "arm_up")),
        ("anna_left_wave-2026-01-02_10-20-30.csv", ("anna", "left", "wave")),
        ("anna_left_wave_1/Accelerometer.csv", ("anna", "left", "wave")),
        ("anna_left_wave_1/Linear Accelerometer.csv", ("anna", "left", "wave")),
    ],
)
def test_a_name_tells_person_side_and_gesture(name, parts):
    from tinyml_helpers.datasets.gestures import folder

    assert folder._parts(folder._name(Path(name))) == parts


def test_two_movements_of_several_words_stay_two(tmp_path):
    write(tmp_path / "anna_left_arm_up.csv", full())
    write(tmp_path / "bob_left_arm_down.csv", full())
    assert load_gestures(tmp_path).classes == ("arm_down", "arm_up")


def test_what_a_name_leaves_out_is_said(tmp_path):
    for name in ("wave.1", "wave.2", "wave.3", "circle.1", "circle.2"):
        write(tmp_path / f"{name}.csv", full())
    own = load_gestures(tmp_path)
    assert {one.side for one in own.recordings} == {"right"}
    assert "no side in the name, taken for the right arm: 5 recordings" in repr(own)
    assert "nobody in the name, taken for one person: 5 recordings" in own._repr_html_()
    assert own.people == ("take 1", "take 2")
    assert "One person alone (you): takes are held back in place of people" in repr(own)


def test_one_person_alone_records_each_movement_twice(tmp_path):
    for name in ("wave_1", "wave_2", "circle_1"):
        write(tmp_path / f"anna_left_{name}.csv", full())
    with pytest.raises(DataError, match=r"alone \(anna\), with one recording of 'circle': record each"):
        load_gestures(tmp_path)
