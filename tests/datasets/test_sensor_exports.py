"""Exports as JSON and zip: read as the CSV of the same recording is, and bounded where hostile."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyml_helpers.datasets import DataError, load_gestures, load_keywords, load_vibration, sensor_json
from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.datasets.vibration.folder import read_signal
from tinyml_helpers.system import zip_files

G = 9.80665
SHIPPED = load_gestures().recordings
EXACT = (SHIPPED[0].raw * UNITS)[: 16 * 50]
TIME = np.arange(len(EXACT)) / 50
NAMES = ("anna_left_wave_1", "bob_left_circle_1")


def sensor_logger(values=EXACT):
    """As the app writes it: an array, one object for each sample, all values as text."""
    samples = []
    parts = (("Accelerometer", 0 * values[:, :3]), ("TotalAcceleration", G * values[:, :3]))
    for sensor, part in (*parts, ("Gyroscope", values[:, 3:])):
        for moment, (x, y, z) in zip(TIME, part, strict=True):
            nanoseconds = 1_700_000_000_000_000_000 + round(1e9 * moment)
            sample = {"sensor": sensor, "time": f"{nanoseconds}", "seconds_elapsed": f"{moment:.9f}"}
            samples.append(sample | {"z": f"{z:.9f}", "y": f"{y:.9f}", "x": f"{x:.9f}"})
    samples.append({"sensor": "Location", "time": "1", "seconds_elapsed": "1.3", "latitude": "0.0"})
    return json.dumps(samples)


def edge_impulse(**changes):
    """As its data acquisition format has it."""
    units = [("acc", "m/s2", G)] * 3 + [("gyr", "deg/s", 180 / np.pi)] * 3
    sensors = [
        {"name": f"{name}{axis}", "units": unit}
        for (name, unit, _), axis in zip(units, "XYZXYZ", strict=True)
    ]
    rows = (EXACT * [worth for *_, worth in units]).tolist()
    payload = {"device_name": "x", "interval_ms": 20, "sensors": sensors, "values": rows, **changes}
    return json.dumps({"protected": {"ver": "v1"}, "signature": "0", "payload": payload})


def csv(values=EXACT, columns=("x", "y", "z")):
    lines = [",".join(("seconds_elapsed", *columns))]
    for moment, row in zip(TIME, values, strict=True):
        lines.append(",".join(f"{value:.9g}" for value in (moment, *row)))
    return "\n".join(lines)


def zipped(files, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


APP = {
    "Accelerometer.csv": csv(0 * EXACT[:, :3]),
    "TotalAcceleration.csv": csv(G * EXACT[:, :3]),
    "Gyroscope.csv": csv(EXACT[:, 3:]),
    "Metadata.csv": "version,device\n1,phone",
    "__MACOSX/._Gyroscope.csv": "junk",
}
COLUMNS = [
    f"{sensor} {axis} ({unit})"
    for sensor, unit in (("Acceleration", "m/s^2"), ("Gyroscope", "rad/s"))
    for axis in "xyz"
]
PHYPHOX = {
    "Raw Data.csv": csv(EXACT * ([G] * 3 + [1] * 3), COLUMNS),
    "meta/device.csv": "property,value\nversion,1",
    "meta/time.csv": "event,time\nSTART,0",
}


def agrees(raw):
    expected = np.round(EXACT / UNITS)
    return abs(len(raw) - len(expected)) <= 1 and np.abs(raw - expected[: len(raw)]).max() <= 2


@pytest.mark.parametrize("content", [sensor_logger(), edge_impulse()], ids=["Sensor Logger", "Edge"])
def test_movements_as_json_are_those_of_the_csv(tmp_path, content):
    for name in NAMES:
        (tmp_path / f"{name}.json").write_text(content)
    own = load_gestures(tmp_path)
    assert own.people == ("anna", "bob") and own.classes == ("circle", "wave")
    assert all(agrees(one.raw) for one in own.recordings)


@pytest.mark.parametrize("files", [APP, PHYPHOX], ids=["Sensor Logger", "phyphox"])
def test_a_zip_file_of_an_app_is_one_recording(tmp_path, files):
    for name in NAMES:
        (tmp_path / f"{name}-2026-01-02_10-20-30.zip").write_bytes(zipped(files))
    own = load_gestures(tmp_path)
    assert own.people == ("anna", "bob") and own.classes == ("circle", "wave")
    assert all(agrees(one.raw) for one in own.recordings)
    assert "holds no movement" in repr(own) and "__MACOSX" not in repr(own)


def test_a_zip_of_many_recordings_is_refused_with_the_cure(tmp_path):
    export = {f"{part}/wave.{n}.json": edge_impulse() for part in ("training", "testing") for n in "12"}
    (tmp_path / "export.zip").write_bytes(zipped(export))
    with pytest.raises(DataError, match=r"export.zip holds several recordings: unpack it; name it"):
        load_gestures(tmp_path)


def test_a_machine_as_json_gives_its_acceleration_in_g(tmp_path):
    for name, content in (("a.json", edge_impulse()), ("b.json", sensor_logger())):
        (tmp_path / name).write_text(content)
        signal = read_signal(tmp_path / name)
        assert signal.rate_hz == pytest.approx(50)
        np.testing.assert_allclose(signal.values, EXACT[:, :3], atol=1e-5)


def test_where_a_zip_is_not_read_the_cure_is_to_unpack_it(tmp_path):
    (tmp_path / "healthy").mkdir()
    (tmp_path / "healthy" / "fan.zip").write_bytes(zipped(APP))
    with pytest.raises(DataError, match=r"healthy/fan.zip: unpack it, and put the accelerometer's file"):
        load_vibration(tmp_path)
    with pytest.raises(DataError, match=r"healthy/fan.zip: not read here; unpack it, with a folder for"):
        load_keywords(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("{}", "no recording of Sensor Logger or Edge Impulse"),
        ("7", "no recording of Sensor Logger or Edge Impulse"),
        ("[]", "no samples of Accelerometer"),
        ('[{"sensor": ["Accelerometer"]}, 5, null]', "no samples of Accelerometer"),
        (edge_impulse(interval_ms=0), "no sensors, interval_ms and values"),
        (edge_impulse(interval_ms="fast"), "no sensors, interval_ms and values"),
        (edge_impulse(interval_ms=10**400), "no sensors, interval_ms and values"),
        (edge_impulse(sensors=[]), "does not hold 0 values in each row"),
        (edge_impulse(values=[[1, 2]]), "does not hold 6 values in each row"),
        (edge_impulse(values=[1, 2, 3]), "does not hold 6 values in each row"),
        (edge_impulse(values=[]), "does not hold 6 values in each row"),
    ],
)
def test_json_that_is_no_recording_is_refused_with_the_cure(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=f"^a.json.*{message}.*: export it as CSV"):
        sensor_json.read_tables(tmp_path / "a.json")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("payload", "sensors", "values", "interval_ms", "sensor", "x", "name")),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_gives_tables_or_one_clear_error(tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps(value))
    try:
        assert sensor_json.read_tables(tmp_path / "a.json")
    except DataError as error:
        assert "a.json" in str(error)


# Hostile zip files


def test_names_in_a_zip_lead_nowhere_else(tmp_path):
    names = ("../../up.csv", "/root.csv", "c:\\x\\y:z.csv", "d/", "e/.hidden")
    (tmp_path / "a.zip").write_bytes(zipped({name: name[:2] for name in names}))
    found = zip_files.extract(tmp_path / "a.zip", tmp_path / "out")
    assert [place.as_posix() for place, _ in found] == ["up.csv", "root.csv", "c:/x/y:z.csv"]
    assert all((tmp_path / "out").resolve() in path.resolve().parents for _, path in found)
    assert [path.read_text() for _, path in found] == ["..", "/r", "c:"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped({"a.csv": bytes(20_000_000)}))
    assert (tmp_path / "a.zip").stat().st_size < 30_000
    monkeypatch.setattr(zip_files, "MOST_UNPACKED_BYTES", 10_000_000)
    with pytest.raises(DataError, match=r"a.zip unpacks to 1 files of 20,000,000 bytes.*unpack it"):
        zip_files.extract(tmp_path / "a.zip", tmp_path / "out")
    monkeypatch.setattr(zip_files, "MOST_MEMBERS", 2)
    (tmp_path / "b.zip").write_bytes(zipped({f"{n}.csv": "" for n in range(3)}))
    with pytest.raises(DataError, match="unpacks to 3 files"):
        zip_files.extract(tmp_path / "b.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zip_that_understates_its_size_writes_no_more_than_it_says(tmp_path):
    content = bytearray(zipped({"a.csv": bytes(1_000_000)}))
    for sign, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.index(sign) + place
        content[at : at + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip cannot be unpacked"):
        zip_files.extract(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.csv")) <= 10


@pytest.mark.parametrize("change", ["damaged", "locked", "unusual", "no zip"])
def test_a_zip_that_cannot_be_unpacked_says_so_in_a_sentence(tmp_path, change):
    content = bytearray(zipped({"a.csv": csv()}))
    if change == "damaged":
        content[60] ^= 255
    elif change == "locked":
        for sign, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            content[content.index(sign) + place] |= 1
    elif change == "unusual":
        content = zipped({"a.csv": csv()}, zipfile.ZIP_LZMA)
    else:
        content = b"no zip at all"
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"^a.zip (cannot be|is packed).*unpack it yourself"):
        zip_files.extract(tmp_path / "a.zip", tmp_path / "out")
