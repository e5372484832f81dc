"""Times and energies measured on real boards: what the estimates are calibrated and checked on."""

from dataclasses import dataclass

V05 = "MLPerf Tiny v0.5, reference submission: TensorFlow Lite Micro 2.3.1 with CMSIS-NN, GCC 6"
V12 = "MLPerf Tiny v1.2, STMicroelectronics: X-CUBE-AI 9.0, GCC 10.3"
PICO = "raspberrypi/pico-tflmicro, benchmark_results.txt: one core, SDK clock, CMSIS-NN"
ESP = "espressif/esp-tflite-micro, README: person detection with ESP-NN"


@dataclass(frozen=True)
class Run:
    """One network on one board; energy is missing where it was not measured."""

    task: str
    device: str
    engine: str
    clock_hz: int
    latency_ms: float
    energy_uj: float | None
    source: str


def _runs(
    device: str, engine: str, clock_hz: int, source: str, cells: dict[str, tuple[float, float]]
) -> tuple[Run, ...]:
    return tuple(
        Run(task, device, engine, clock_hz, time, energy, source)
        for task, (time, energy) in cells.items()
    )


CALIBRATION = (
    *_runs(
        "nucleo_l4r5zi",
        "reference",
        120_000_000,
        V05,
        {
            "keyword spotting": (180.5, 7374),
            "image classification": (704.2, 29207),
            "visual wake words": (603.1, 24313),
            "anomaly detection": (10.4, 416),
        },
    ),
    *_runs(
        "nucleo_l4r5zi",
        "optimized",
        120_000_000,
        V12,
        {
            "keyword spotting": (43.1, 1820),
            "image classification": (165.0, 6919),
            "visual wake words": (88.8, 3895),
            "anomaly detection": (5.25, 203),
        },
    ),
)
"""The eight cells that the coefficients of `latency.ENGINES` are fitted to."""

OTHER_CORES = (
    *_runs(
        "nucleo_u575zi",
        "optimized",
        160_000_000,
        V12,
        {
            "keyword spotting": (28.88, 656),
            "image classification": (110.4, 2579),
            "visual wake words": (58.90, 1355),
            "anomaly detection": (3.41, 81.9),
        },
    ),
    *_runs(
        "nucleo_h7a3zi",
        "optimized",
        280_000_000,
        V12,
        {
            "keyword spotting": (11.32, 1376),
            "image classification": (40.68, 5090),
            "visual wake words": (23.76, 2965),
            "anomaly detection": (1.22, 165.7),
        },
    ),
    Run("person detection", "pico", "reference", 125_000_000, 782.0, None, PICO),
    Run("person detection", "esp32s3", "optimized", 240_000_000, 54.0, None, ESP),
)
"""Ten more cells that give the speed of other cores, relative to the Cortex-M4F.

"person detection" is the visual wake words network on grey images: 7,157,888 MACs.
"""
