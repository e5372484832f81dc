"""Devices: the catalogue's figures, its errors, and whether a model fits."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers import devices
from tinyml_helpers.system import tables


@dataclass(frozen=True)
class Size:
    """A footprint made by hand."""

    flash_bytes: int
    ram_bytes: int


def test_known_figures() -> None:
    nano = devices.get("nano33ble")
    assert (nano.clock_hz, nano.flash_bytes, nano.ram_bytes) == (64_000_000, 1024**2, 256 * 1024)
    assert nano.core == "Cortex-M4F"
    assert devices.get("nucleo_l4r5zi").clock_hz == 120_000_000


def test_catalogue_spans_microcontroller_to_phone() -> None:
    kinds = {device.kind for device in devices.catalogue()}
    assert kinds == {"microcontroller", "single-board computer", "phone"}
    assert any(device.ram_bytes <= 32 * 1024 for device in devices.catalogue())


def test_every_figure_has_a_source_and_a_date() -> None:
    for device in devices.catalogue():
        stated = {name for name in devices._FIGURES if getattr(device, name) is not None}
        assert stated == set(device.sources), device.key
        assert all(len(source) > 10 for source in device.sources.values()), device.key
        assert device.checked.year >= 2026


def test_power_is_what_its_source_computes() -> None:
    """The factors stand in the source; the product must be the figure, to its last digit."""
    assert devices.get("nano33ble").active_mw == pytest.approx(0.052 * 64 * 3.0, rel=0.01)
    assert devices.get("nucleo_u031r8").active_mw == pytest.approx(0.052 * 56 * 3.0, rel=0.01)
    assert devices.get("nucleo_h743zi").active_mw == pytest.approx(0.275 * 480 * 3.3, rel=0.01)
    assert devices.get("esp32s3").active_mw == pytest.approx(72.4 * 3.3, rel=0.01)
    assert devices.get("esp32c3").active_mw == pytest.approx(23 * 3.3)
    assert devices.get("esp32c6").active_mw == pytest.approx(27 * 3.3)
    assert devices.get("esp32c3").sleep_uw == pytest.approx(130 * 3.3)
    assert devices.get("esp32c6").sleep_uw == pytest.approx(180 * 3.3)


def test_a_chip_with_two_kinds_of_cores_is_one_chip() -> None:
    """The RP2350 starts as Arm or as RISC-V: clock and memories are the same."""
    arm, riscv = devices.get("pico2"), devices.get("pico2_riscv")
    for figure in ("chip", "clock_hz", "flash_bytes", "ram_bytes"):
        assert getattr(arm, figure) == getattr(riscv, figure)
    assert arm.core != riscv.core


def test_unknown_device_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"unknown device 'nano': choose one of .*nano33ble"):
        devices.get("nano")


def test_missing_figure_is_printed_as_not_stated() -> None:
    text = repr(devices.get("pico2"))
    assert "active_mw" in text and "not stated" in text
    assert "nRF52840 Product Specification" in repr(devices.get("nano33ble"))
    assert "nRF52840 Product Specification" in devices.get("nano33ble")._repr_html_()


def test_catalogue_prints_as_a_table() -> None:
    catalogue = devices.catalogue()
    lines = repr(catalogue).splitlines()
    assert len(lines) == len(catalogue) + 1
    assert lines[0].split() == " ".join(catalogue.HEADER).split()
    assert [line.split()[0] for line in lines[1:]] == list(catalogue.keys())
    assert catalogue._repr_html_().count("<tr>") == len(catalogue) + 1


def test_html_escapes_what_a_name_contains() -> None:
    odd = replace(devices.get("pico"), name="<b>Pico & co</b>")
    html = devices.Catalogue((odd,))._repr_html_()
    assert "&lt;b&gt;Pico &amp; co&lt;/b&gt;" in html


def test_tables_line_up() -> None:
    text = tables.text_table(("name", "n"), [("a", "1,000"), ("bcdef", "2")])
    assert text.splitlines() == ["name       n", "a      1,000", "bcdef      2"]
    assert tables.html_table(("x",), [("<1>",)]).count("&lt;1&gt;") == 1
    assert "<code>a&lt;b</code> and `c</td>" in tables.html_table(("x",), [("`a<b` and `c",)])


def test_fits_at_the_last_byte() -> None:
    nano = devices.get("nano33ble")
    free_bytes = nano.flash_bytes - nano.system_flash_bytes
    exact = Size(free_bytes - devices.CODE_BYTES, nano.ram_bytes - devices.STACK_BYTES)
    assert devices.fits(exact, nano).ok
    assert not devices.fits(replace(exact, flash_bytes=exact.flash_bytes + 1), nano)
    assert not devices.fits(replace(exact, ram_bytes=exact.ram_bytes + 1), nano)


def test_reasons_carry_numbers() -> None:
    fit = devices.fits(Size(500_000, 6_000), "nucleo_u031r8", code_bytes=0, stack_bytes=0)
    assert repr(fit) == (
        "does not fit Nucleo-U031R8: flash 488.3 KiB of 64.0 KiB (424.3 KiB too much); "
        "RAM 5.9 KiB of 12.0 KiB (51 % left)"
    )
    assert fit.ram_slack_percent == pytest.approx(100 * (1 - 6_000 / 12_288))


def test_bad_reserve_and_bad_key() -> None:
    with pytest.raises(ValueError, match="stack_bytes is -1"):
        devices.fits(Size(1, 1), "pico", stack_bytes=-1)
    with pytest.raises(ValueError, match="unknown device"):
        devices.fits(Size(1, 1), "picco")


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (12_288, "12.0 KiB"), (2**33, "8.0 GiB")],
)
def test_size(n_bytes: int, text: str) -> None:
    assert devices.size(n_bytes) == text


@given(st.integers(0, 2**24), st.integers(0, 2**24), st.integers(0, 2**20))
def test_more_never_fits_better(flash: int, ram: int, more: int) -> None:
    small = devices.fits(Size(flash, ram), "pico")
    large = devices.fits(Size(flash + more, ram + more), "pico")
    assert small.ok or not large.ok
    assert large.flash_slack_percent <= small.flash_slack_percent


def test_what_the_boards_system_takes_is_no_room_for_a_network():
    """Arduino's core leaves 983,040 of 1,048,576 bytes on this board."""
    last = devices.fits(Size(983_040, 1000), "nano33ble", 0, 0)
    over = devices.fits(Size(983_041, 1000), "nano33ble", 0, 0)
    assert last.ok
    assert "system" not in repr(last)
    assert not over.ok
    assert "(6 % left), of which the board's system takes 64.0 KiB" in repr(over)
