"""The report of `make test-latest`: which versions moved, which lesson broke."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "whole"))
import latest

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_cost" name="test_macs"/>
<testcase classname="notebooks.02_post_training_quantization.ipynb" name="Cell 1"/>
<testcase classname="notebooks.02_post_training_quantization.ipynb" name="Cell 2">
<failure message="failed&#10;NameError: no name 'quantize'&#10;">...</failure>
</testcase>
<testcase classname="notebooks.03_quantization_aware_training.ipynb" name="Cell 1"><skipped/></testcase>
</testsuite></testsuites>"""


def test_each_lesson_and_file_of_tests_is_a_part(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT, "utf-8")
    second, third, unit = latest.parts(tmp_path / "report.xml")
    assert second == latest.Part("02_post_training_quantization", 1, "NameError: no name 'quantize'", 1)
    assert third == latest.Part("03_quantization_aware_training", 1, "", 0)
    assert (unit.name, unit.failed) == ("test_cost", 0)


def test_versions_that_differ_are_listed_whatever_the_spelling():
    lock = latest.locked()
    assert {"torch", "typing-extensions", "sqlalchemy"} <= set(lock)
    assert latest.moved({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "1"}) == [
        ("b", "2", "3"),
        ("c", "-", "1"),
    ]


def test_the_report_names_what_broke():
    found = [latest.Part("02_x", 3, "NameError: a | b", 2), latest.Part("03_y", 5, "", 0)]
    text = latest.write([("torch", "2.13.0", "2.14.0")], found)
    assert "8 passed, 2 failed" in text and "| 02_x | 2 | NameError: a / b |" in text
    assert "03_y" not in text and "| torch | 2.13.0 | 2.14.0 |" in text
