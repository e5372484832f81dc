import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers.datasets.vibration.simulator import excitation, machines
from tinyml_helpers.datasets.vibration.simulator.bearings import BEARINGS, Bearing
from tinyml_helpers.usecases.anomaly import features


@pytest.mark.parametrize(
    ("bearing", "published"),
    [  # multiples of the running speed, as the test rigs' own pages state them
        (BEARINGS[0], {"inner race": 5.4152, "outer race": 3.5848, "cage": 0.39828, "ball": 4.7135}),
        (BEARINGS[1], {"inner race": 4.9469, "outer race": 3.0530, "cage": 0.3817, "ball": 3.9874}),
    ],
)
def test_fault_orders_are_those_that_the_test_rig_publishes(bearing, published):
    for fault, order in published.items():
        assert bearing.orders[fault] == pytest.approx(order, abs=4e-4)


def test_fault_rates_of_the_ims_rig_at_2000_turns_a_minute():
    rates = BEARINGS[2].rates_hz(2000 / 60)
    assert rates["outer race"] == pytest.approx(236.4, abs=0.1)
    assert rates["inner race"] == pytest.approx(296.9, abs=0.1)


@given(
    st.integers(3, 30),
    st.floats(1, 20),
    st.floats(1.5, 20),
    st.floats(0, 40),
)
def test_both_races_together_are_struck_once_a_ball_and_turn(balls, ball, ratio, angle):
    orders = Bearing("any", balls, ball, ball * ratio, angle).orders
    assert orders["outer race"] + orders["inner race"] == pytest.approx(balls)
    assert orders["outer race"] == pytest.approx(balls * orders["cage"])
    assert orders["cage"] < 0.5


def test_an_impossible_bearing_is_refused():
    with pytest.raises(ValueError, match="smaller than the circle"):
        Bearing("odd", 8, 50, 40)


def clean(fault, bearing=BEARINGS[0], shaft_hz=25.0, size=0.5):
    """A machine with one resonance and hardly any noise."""
    machine = machines.Machine(
        0, bearing, shaft_hz, 0.0, (0.05, 0.02), (excitation.Mode(3000, 0.03, 1.0),), 0.004, 0.0, 1.0
    )
    return machine, machines.record(machine, 24, fault, size, load=1.0, seed=1)


def peak_near(frequency, amplitude, expected, within):
    near = np.abs(frequency - expected) <= within
    return frequency[near][amplitude[near].argmax()], amplitude[near].max()


@pytest.mark.parametrize("fault", ["outer race", "inner race", "ball"])
@pytest.mark.parametrize("bearing", BEARINGS, ids=lambda bearing: bearing.name)
def test_the_envelope_spectrum_has_the_fault_line_where_theory_puts_it(fault, bearing):
    machine, recording = clean(fault, bearing)
    frequency, amplitude = features.envelope_spectrum(recording.samples, 16_000, (2000, 4000))
    expected = bearing.rates_hz(machine.shaft_hz)[fault]
    found, height = peak_near(frequency, amplitude, expected, 3)
    assert found == pytest.approx(expected, abs=2)  # one bin is 1.95 Hz
    assert height > 10 * np.median(amplitude[(frequency > 10) & (frequency < 600)])
    # Above the shaft's first turns nothing is louder; a ball may be as loud a turn of the cage away.
    loudest = frequency[frequency > 60][amplitude[frequency > 60].argmax()]
    aside = bearing.rates_hz(machine.shaft_hz)["cage"] if fault == "ball" else 0
    assert abs(loudest - expected) <= aside + 3


def test_an_inner_race_fault_has_sidebands_a_turn_apart_and_an_outer_race_fault_has_none():
    heights = {}
    for fault in ("inner race", "outer race"):
        machine, recording = clean(fault)
        frequency, amplitude = features.envelope_spectrum(recording.samples, 16_000, (2000, 4000))
        line = machine.bearing.rates_hz(25)[fault]
        centre = peak_near(frequency, amplitude, line, 3)[1]
        side = peak_near(frequency, amplitude, line + 25, 3)[1]
        heights[fault] = side / centre
    assert heights["inner race"] > 0.3 > 3 * heights["outer race"]


def test_the_spectrum_has_the_shafts_harmonics_and_the_resonance_where_they_belong():
    _, recording = clean("unbalance", size=0.0)
    frequency, amplitude = features.spectrum(recording.samples, 16_000)
    for number, level in ((1, 0.05), (2, 0.02)):
        found, height = peak_near(frequency, amplitude, 25 * number, 4)
        assert found == pytest.approx(25 * number, abs=2)
        assert height / machines.COUNTS_PER_G == pytest.approx(level, rel=0.2)
    high = frequency > 500
    smooth = np.convolve(amplitude, np.ones(41) / 41, "same")
    assert frequency[high][smooth[high].argmax()] == pytest.approx(3000, rel=0.05)


def test_an_unbalance_raises_the_first_harmonic_with_its_size():
    heights = []
    for size in (0.0, 1.0):
        _, recording = clean("unbalance", size=size)
        heights.append(peak_near(*features.spectrum(recording.samples, 16_000), 25, 4)[1])
    assert heights[1] / heights[0] == pytest.approx(4, rel=0.05)


def test_a_single_push_rings_down_at_the_damping_it_should():
    push = np.zeros((1, 16_000), np.float32)
    push[0, 100] = 1
    rung = excitation.ring(push, (excitation.Mode(500, 0.02, 1.0),))[0]
    cycle = 16_000 / 500
    early, late = (
        np.abs(rung[int(100 + n * cycle) : int(100 + (n + 1) * cycle)]).max() for n in (5, 15)
    )
    # Ten cycles take exp(-2 pi zeta 10).
    assert late / early == pytest.approx(np.exp(-2 * np.pi * 0.02 * 10), rel=0.03)


def test_the_load_zone_is_full_in_the_middle_and_empty_behind():
    np.testing.assert_allclose(
        excitation.load_distribution([0, np.pi / 2, np.pi]), [1, 0, 0], atol=1e-12
    )
    assert excitation.load_distribution(np.pi / 3) == pytest.approx(0.5**1.5)


def test_blows_slip_so_that_their_lines_fade_towards_higher_harmonics():
    machine, recording = clean("outer race")
    line = machine.bearing.rates_hz(25)["outer race"]
    frequency, amplitude = features.envelope_spectrum(recording.samples, 16_000, (2000, 4000))
    first, fourth = (peak_near(frequency, amplitude, n * line, 2 * n)[1] for n in (1, 4))
    assert fourth < 0.6 * first


def test_a_seed_gives_the_same_segments_and_another_seed_gives_others():
    machine = machines.draw(3)
    assert machine == machines.draw(3) != machines.draw(4)
    first = machines.record(machine, 20, "ball", 0.3, seed=5).samples
    np.testing.assert_array_equal(first, machines.record(machine, 20, "ball", 0.3, seed=5).samples)
    assert (first != machines.record(machine, 20, "ball", 0.3, seed=6).samples).any()


def test_warmth_age_and_load_do_what_they_are_said_to():
    machine = machines.draw(1)

    def level(**state):
        return np.median(
            features.rms(machines.record(machine, 40, seed=2, **{"load": 0.6, **state}).samples)
        )

    plain = level()
    assert level(temperature_c=40.0) > 1.05 * plain
    assert level(age=1.0) > 1.15 * plain
    speeds = machines.record(machine, 2, load=[0.3, 1.0]).shaft_hz
    assert speeds[1] < speeds[0] < machine.shaft_hz


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, "rust"), "unknown fault 'rust': choose one of healthy"),
        ((0,), "count is too small"),
        ((1, "ball", -0.1), "size_mm is too small"),
    ],
)
def test_nonsense_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        machines.record(machines.draw(0), *arguments)


def test_it_says_that_it_is_a_simulation():
    assert "simulated" in repr(machines.draw(0))
    assert "simulated" in repr(machines.record(machines.draw(0), 1))
