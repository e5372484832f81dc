"""Times and energies measured on real boards: what the estimates are calibrated and checked on."""

from dataclasses import dataclass

V05 = "MLPerf Tiny v0.5, reference submission: TensorFlow Lite Micro 2.3.1 with CMSIS-NN, GCC 6"
V12 = "MLPerf Tiny v1.2, STMicroelectronics: X-CUBE-AI 9.0, GCC 10.3"
V13 = "MLPerf Tiny v1.3, STMicroelectronics: X-CUBE-AI 10.2, GCC 12.3 (on the L4R5 IAR 8.50)"
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

UNSEEN = (
    *_runs(
        "nucleo_l4r5zi_p",
        "optimized",
        120_000_000,
        V13,
        {
            "keyword spotting": (43.42, 1430.7),
            "image classification": (165.7, 5496),
            "visual wake words": (89.43, 3029.8),
            "anomaly detection": (4.794, 160.42),
        },
    ),
    *_runs(
        "nucleo_u575zi",
        "optimized",
        160_000_000,
        V13,
        {
            "keyword spotting": (28.99, 664.42),
            "image classification": (109.5, 2565.2),
            "visual wake words": (59.27, 1372.2),
            "anomaly detection": (3.210, 77.24),
        },
    ),
    *_runs(
        "nucleo_u385rg",
        "optimized",
        96_000_000,
        V13,
        {
            "keyword spotting": (48.30, 245.34),
            "image classification": (182.4, 965.58),
            "visual wake words": (98.74, 518.98),
            "anomaly detection": (5.410, 31.83),
        },
    ),
)
"""Twelve cells that nothing in this package is fitted to; two of the boards are not in the catalogue.

1 / the median of five throughputs (performance/results.json), and the median energy that
energy/results.txt states, in mlcommons/tiny_results_v1.3, closed/STMicroelectronics. The L4R5ZI-P is
the sister of the board in `CALIBRATION` (the same chip, here with a switched supply at 3 V); the U3 and
the U5 are a Cortex-M33. Of the U575, the cells of v1.2 gave `latency.SPEEDS` its Cortex-M33.
"""
