"""Sketches that read sensors: compiled by GCC for Arm with stubs of libraries, and run on the host."""

import ctypes
import re
import subprocess
from dataclasses import replace

import board_compilers as boards
import numpy as np
import pytest

from tinyml_helpers import devices, mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.mcu import sensors
from tinyml_helpers.usecases import anomaly
from tinyml_helpers.usecases.gestures import firmware as gestures
from tinyml_helpers.usecases.keywords import firmware as keywords

MODELS = data_folder() / "models"
gcc = pytest.mark.skipif(boards.GCC is None, reason="GCC for Arm is not installed")
STUBS = {
    "Arduino.h": """#pragma once
#include <stdint.h>
struct Printer { void begin(long); void print(const char *); void println(const char *);
    void print(long); void println(long); void print(char); void print(int); };
extern Printer Serial;
void delay(unsigned long);
unsigned long millis();
unsigned long micros();
int analogRead(int);
void analogReadResolution(int);
enum { A0 = 14 };
""",
    "PDM.h": """#pragma once
struct Microphone { void onReceive(void (*)()); int begin(int, int); int available();
    int read(void *, int); };
extern Microphone PDM;
""",
    "Arduino_BMI270_BMM150.h": """#pragma once
struct Motion { int begin(); int readAcceleration(float &, float &, float &);
    int readGyroscope(float &, float &, float &); };
extern Motion IMU;
""",
    "LSM6DS3.h": """#pragma once
#include <stdint.h>
enum { I2C_MODE };
struct LSM6DS3 { LSM6DS3(uint8_t, uint8_t); int begin(); float readFloatAccelX();
    float readFloatAccelY(); float readFloatAccelZ(); float readFloatGyroX(); float readFloatGyroY();
    float readFloatGyroZ(); };
""",
}
STUBS["Arduino_LSM9DS1.h"] = STUBS["Arduino_BMI270_BMM150.h"]


@pytest.fixture(scope="module")
def built():
    made = {}

    def build(chain, device):
        if (chain, device) not in made:
            named = {"gestures": "gestures", "keywords": "kws", "vibration": "vibration"}
            path = MODELS / f"{named.get(chain, 'magic_wand')}.tflite"
            around = None
            if chain == "gestures":
                around = gestures.pipeline(litert.load(path))
            if chain == "keywords":
                around = keywords.pipeline(litert.load(path), threshold=0.5)
            if chain == "vibration":
                one = np.ones(anomaly.features.FEATURES, np.float32)
                scaling = anomaly.detect.Scaling(0 * one, one, one)
                detector = anomaly.firmware.Int8Autoencoder(scaling, litert.load(path))
                around = anomaly.firmware.pipeline(detector, 0 * one, 8192)
            made[chain, device] = mcu.build(path, device, name="net", pipeline=around)
        return made[chain, device]

    return build


def stubs(folder):
    folder.mkdir()
    for name, text in STUBS.items():
        (folder / name).write_text(text)
    return folder


@gcc
@pytest.mark.parametrize(
    ("chain", "sensor", "device"),
    [
        ("keywords", "pdm", "nano33ble"),
        ("keywords", "pdm", "xiao_nrf52840"),
        ("keywords", "analog", "nano33ble"),
        ("gestures", "bmi270", "nano33ble"),
        ("gestures", "lsm9ds1", "nano33ble"),
        ("gestures", "lsm6ds3", "xiao_nrf52840"),
        ("wand", "bmi270", "nano33ble"),
        ("vibration", "analog", "xiao_nrf52840"),
    ],
)
def test_a_sketch_compiles_with_the_library_of_its_sensor(tmp_path, built, chain, sensor, device):
    project = built(chain, device).export(tmp_path / "p", toolchain="arduino", sensor=sensor)
    sketch = project / sensors.EXAMPLE
    flags = ["-mthumb", *boards.CORES["m4"], *boards.CPLUSPLUS, "-Wall", "-Wextra", "-Werror", "-O2"]
    places = [f"-I{stubs(tmp_path / 'stubs')}", f"-I{project / 'src'}"]
    command = ["arm-none-eabi-g++", *flags, *places, "-fsyntax-only", sketch]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    text = sketch.read_text()
    window, hop = (int(re.search(rf"{key} = (\d+)", text)[1]) for key in ("WINDOW", "HOP"))
    sizes = {"keywords": (3200, 3200), "gestures": (1200, 300), "wand": (384, 96)}
    assert (window, hop) == sizes.get(chain, (8192, 8192))
    readme = (project / "README.md").read_text()
    assert f"`{sensors.EXAMPLE}` feeds the network" in readme
    assert sensors.sensors()[sensor]["library"] in readme


@gcc
@pytest.mark.parametrize("chain", ["gestures", "keywords", "vibration"])
@pytest.mark.parametrize("standard", [["-x", "c", "-std=gnu11"], ["-x", "c++", "-std=gnu++14"]])
def test_a_chain_compiles_by_the_standards_of_arduinos_cores(tmp_path, built, chain, standard):
    folder = built(chain, "nano33ble").export(tmp_path / "p", toolchain="arduino") / "src"
    files = sorted(path.name for path in folder.glob("*.c"))
    flags = [*standard, *boards.WARNINGS, "-Os", "-c"]
    assert boards.compile_all("arm-none-eabi-gcc", files, "m4", *flags, folder=folder) == ""


HOST = """
#include "Arduino.h"
#include "Arduino_BMI270_BMM150.h"
Printer Serial;
Motion IMU;
static unsigned long clock_ms;
static long said[64];
static int count, reading;
static const float *values;
void Printer::begin(long) {}
void Printer::print(const char *) {}
void Printer::println(const char *) {}
void Printer::println(long value) { if (count < 64) said[count++] = value; }
void delay(unsigned long) {}
unsigned long millis() { return clock_ms++; }
int Motion::begin() { return 1; }
int Motion::readAcceleration(float &x, float &y, float &z) {
    const float *at = values + 6 * reading;
    x = at[0]; y = at[1]; z = at[2];
    return 1;
}
int Motion::readGyroscope(float &x, float &y, float &z) {
    const float *at = values + 6 * reading++;
    x = at[3]; y = at[4]; z = at[5];
    return 1;
}
void setup();
void loop();
extern "C" int play(const float *given, int readings, long *into) {
    values = given;
    setup();
    while (reading < readings) loop();
    for (int i = 0; i < 200; i++) loop();
    for (int i = 0; i < count; i++) into[i] = said[i];
    return count;
}
"""


def test_a_sketch_answers_as_the_emulated_chain_does(tmp_path, built):
    """On the host, with a sensor that plays readings: each hop is one run of the emulated firmware."""
    project = built("gestures", "nano33ble").export(tmp_path / "p", toolchain="arduino", sensor="bmi270")
    sketch = f'{HOST}\n#line 1 "stream.ino"\n{(project / sensors.EXAMPLE).read_text()}'
    (tmp_path / "sketch.cpp").write_text(sketch)
    portable = built("gestures", "pico").export(tmp_path / "portable")
    files = [str(path) for path in (portable / "src").glob("*.c")]
    places = [f"-I{stubs(tmp_path / 'stubs')}", f"-I{portable / 'src'}"]
    library = boards.load_on_host(tmp_path, "-fno-rtti", "-nostdlib++", *places, *files, "sketch.cpp")
    rng = np.random.default_rng(0)
    slow = np.cumsum(rng.normal(0, 1500, (350, 6)), axis=0)
    raw = np.clip(slow, -32768, 32767).astype(np.int16)
    real = (raw * np.float32([8 / 32768] * 3 + [2000 / 32768] * 3)).astype(np.float32)
    said = (ctypes.c_long * 64)()
    count = library.play(real.ctypes.data_as(ctypes.c_void_p), len(real), said)
    # What arrives is cut towards zero, so an exact step may come out one lower: take what the C takes.
    steps = real * np.float32(32768) / np.float32([8] * 3 + [2000] * 3)
    seen = steps.astype(np.int32).astype(np.int16)
    windows = [seen[start : start + 200].ravel() for start in range(0, 151, 50)]
    wanted = [run.score for run in built("gestures", "nano33ble").stream(windows)]
    answers, late = list(said)[:count:2], list(said)[1:count:2]
    assert answers == wanted
    assert late == [0] * len(wanted)


@pytest.mark.parametrize(
    ("senses", "device", "name"),
    [
        ("motion", "nano33ble", "bmi270"),
        ("motion", "xiao_nrf52840", "lsm6ds3"),
        ("microphone", "xiao_nrf52840", "pdm"),
        ("vibration", "pico", "analog"),
        ("lsm9ds1", "nano33ble", "lsm9ds1"),
        ("", "pico", ""),
    ],
)
def test_the_board_decides_which_sensor_is_read(senses, device, name):
    assert sensors.choose_sensor(senses, "arduino", devices.get(device)) == name


@pytest.mark.parametrize(
    ("sensor", "toolchain", "device", "said"),
    [
        (
            "motion",
            "arduino",
            "uno_r4",
            "no motion sensor: choose nano33ble or xiao_nrf52840, or",
        ),
        ("bmi270", "arduino", "pico", "no bmi270 sensor: choose nano33ble, or --sensor analog"),
        ("pdm", "arduino", "uno_r4", "choose nano33ble or xiao_nrf52840"),
        ("pdm", "zephyr", "nano33ble", "choose --for arduino"),
        ("radar", "arduino", "nano33ble", "choose one of microphone, motion, vibration, pdm"),
    ],
)
def test_a_board_without_the_sensor_is_refused_with_one_that_has_it(sensor, toolchain, device, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        sensors.choose_sensor(sensor, toolchain, devices.get(device))


def test_a_network_that_takes_features_is_refused_and_nothing_is_written(tmp_path):
    firmware = mcu.build(MODELS / "kws.tflite", name="net")
    with pytest.raises(ValueError, match=r"as lesson 09 does by mcu\.build"):
        firmware.export(tmp_path / "p", toolchain="arduino", sensor="pdm")
    assert not (tmp_path / "p").exists()


def test_a_window_that_leaves_no_room_is_refused(tmp_path, built):
    full = built("keywords", "nano33ble").run(np.zeros(3200, np.int16)).ram_bytes + 6_399
    firmware = replace(
        built("keywords", "nano33ble"), device=replace(devices.get("nano33ble"), ram_bytes=full)
    )
    with pytest.raises(ValueError, match="window of 6,400 bytes does not fit the 6,399 bytes"):
        firmware.export(tmp_path / "p", toolchain="arduino", sensor="microphone")
    assert not (tmp_path / "p").exists()
