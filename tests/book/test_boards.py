"""Pages about boards: every toolchain has its five steps, and a row that somebody sends is shown."""

import json
import re

import pytest

from book import boards
from tinyml_helpers.mcu import board_check, projects

ROW = {
    "name": "net", "model": "0badcafe", "device": "nano33ble", "kit": "arduino", "counter": "DWT",
    "checks": 44, "wrong_checks": 0, "bytes": 4, "wrong_bytes": 0, "cycles": 501_234,
    "stack_bytes": 452, "instructions": 300_000, "cycles_of_the_core": 440_000,
    "cycles_low": 440_000, "cycles_high": 750_000, "emulated_stack_bytes": 424,
}  # fmt: skip


def made(folder, rows):
    (folder / "data" / "reference").mkdir(parents=True)
    (folder / "data" / "reference" / "board_runs.json").write_text(json.dumps({"rows": rows}))
    return dict(boards.pages(folder))


def test_an_empty_table_says_so_and_each_toolchain_has_a_page(tmp_path):
    pages = made(tmp_path, [])
    assert "Nobody has sent a row yet" in pages["boards.md"]
    assert "<!--" not in pages["boards.md"] and pages["boards.md"].count("## Sensors") == 1
    assert set(pages) == {"boards.md", *(f"boards/{kit}.md" for kit in projects.kits())}
    for kit in projects.kits():
        text = pages[f"boards/{kit}.md"]
        assert len(re.findall(r"^\d\. ", text, re.MULTILINE)) == 5
        assert "${" not in text and f"--for {kit} " in text


def test_a_row_is_shown_and_a_strangers_html_is_not(tmp_path):
    text = made(tmp_path / "good", [ROW])["boards.md"]
    assert "| 440,000 to 750,000 | 501,234 (DWT) | 424, measured 452 |" in text
    with pytest.raises(board_check.LogError, match="letters, digits"):
        made(tmp_path / "bad", [{**ROW, "counter": "<script>"}])
