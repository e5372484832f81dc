"""What a process takes, seen from outside: each limit from both of its sides, and sums by hand."""

import os
import subprocess
import sys

import psutil
import pytest

from tinyml_helpers.classroom.grade import process_usage
from tinyml_helpers.classroom.grade.lockdown import Limits

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
LIMITS = Limits(seconds=5, memory_mib=100, room_mib=2, threads=7)


@pytest.mark.parametrize(
    ("memory_bytes", "threads", "size_bytes", "said"),
    [
        (125 << 20, 7, 2 << 20, ""),  # a quarter more than the process may take by its own limit
        ((125 << 20) + 1, 7, 0, "took more than 100 MiB of memory"),
        (0, 8, 0, "started more than 7 threads"),
        (0, 0, (2 << 20) + 1, "wrote more than 2 MiB of files"),
    ],
)
def test_each_limit_from_both_of_its_sides(
    memory_bytes, threads, size_bytes, said, tmp_path, monkeypatch
):
    monkeypatch.setattr(process_usage, "measure", lambda _: (memory_bytes, threads))
    monkeypatch.setattr(process_usage, "size_bytes", lambda _: size_bytes)
    assert process_usage.find_broken_limit(1, tmp_path, LIMITS) == said


def test_a_process_is_counted_with_all_that_it_started():
    inner = "import time; held = bytearray(60 << 20); print(1, flush=True); time.sleep(60)"
    code = (
        f"import subprocess as s, sys, time; s.Popen([sys.executable, '-c', {inner!r}]); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            child.stdout.readline()
            memory_bytes, threads = process_usage.measure(child.pid)
            family = process_usage.list_processes(child.pid)
            assert family[0].pid == child.pid
            assert len(family) == 2
            assert threads == 2
            assert memory_bytes == pytest.approx(sum(one.memory_info().rss for one in family), rel=0.1)
            assert memory_bytes > 60 << 20
        finally:
            for one in psutil.Process(child.pid).children(recursive=True):
                one.kill()
            child.kill()
    assert process_usage.list_processes(child.pid) == []
    assert process_usage.measure(child.pid) == (0, 0)


def test_files_are_added_up_at_any_depth_and_links_are_not_followed(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    before = process_usage.size_bytes(tmp_path)
    (tmp_path / "a" / "b" / "one").write_bytes(b"x" * 1000)
    (tmp_path / "two").write_bytes(b"x" * 500)
    assert process_usage.size_bytes(tmp_path) == before + 1500
    (tmp_path / "link").symlink_to("/usr")
    assert process_usage.size_bytes(tmp_path) < before + 1600


def test_too_many_files_count_as_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(process_usage, "MOST_ENTRIES", 3)
    for name in "abc":
        (tmp_path / name).touch()
    assert process_usage.size_bytes(tmp_path) == 0
    (tmp_path / "d").touch()
    assert process_usage.size_bytes(tmp_path) > 1 << 60
