"""The network cut, a cloud on loopback, and models with a seal."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinyml_helpers import datasets
from tinyml_helpers.system import socket_guard
from tinyml_helpers.usecases.privacy import cloud, isolation, same_answers, signing

ROOT = Path(__file__).parents[3]
MODELS = datasets.data_folder() / "models"
# TEST-NET-1 of RFC 5737: nobody has this address, so even a broken guard reaches nobody.
NOWHERE = ("192.0.2.1", 80)


# ----- the guard


def test_connections_and_datagrams_are_refused_and_counted():
    with socket_guard.cut() as guard:
        with (
            socket.socket() as link,
            pytest.raises(socket_guard.NetworkCutError, match=r"192\.0\.2\.1:80"),
        ):
            link.connect(NOWHERE)
        with socket.socket() as link, pytest.raises(socket_guard.NetworkCutError):
            link.connect_ex(NOWHERE)
        with socket.socket(type=socket.SOCK_DGRAM) as link:
            with pytest.raises(socket_guard.NetworkCutError, match="5 bytes were held back"):
                link.sendto(b"hello", NOWHERE)
            with pytest.raises(socket_guard.NetworkCutError):
                link.sendto(b"again", 0, NOWHERE)
    assert guard.attempts == [("192.0.2.1:80", 0)] * 2 + [("192.0.2.1:80", 5)] * 2
    assert guard.bytes_tried == 10
    assert repr(guard) == "4 attempts to reach the network (192.0.2.1:80), 10 bytes held back"


@pytest.mark.skipif(sys.platform == "win32", reason="sendmsg is not there")
def test_a_socket_that_was_connected_before_is_held_too(monkeypatch):
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        try:
            link.connect(NOWHERE)  # a datagram socket only notes the address
        except OSError:  # no road leads there: one that leads here has to count as far away
            link.connect(("127.0.0.1", 9))
            monkeypatch.setattr(socket_guard, "is_local", lambda address: False)
        with socket_guard.cut() as guard:
            for send in (link.send, link.sendall, lambda data: link.sendmsg([data[:2], data[2:]])):
                with pytest.raises(socket_guard.NetworkCutError):
                    send(b"secret")
    assert guard.bytes_tried == 18


def test_names_are_not_looked_up_and_libraries_are_stopped():
    with socket_guard.cut() as guard:
        with pytest.raises(socket_guard.NetworkCutError, match="getaddrinfo"):
            socket.getaddrinfo("example.invalid", 80)
        assert "network is cut" in socket_guard.attempt("http://example.invalid/")
    assert len(guard.attempts) == 2


def test_loopback_and_unix_pairs_work_and_everything_is_put_back():
    before = socket.socket.connect, socket.socket.send, socket.getaddrinfo
    with socket_guard.cut() as guard, socket.create_server(("localhost", 0)) as server:
        with socket.create_connection(server.getsockname()) as link:
            link.sendall(b"ok")
            assert server.accept()[0].recv(2) == b"ok"
        left, right = socket.socketpair()
        left.send(b"x")
        assert right.recv(1) == b"x"
        left.close()
        right.close()
    assert guard.attempts == []
    assert (socket.socket.connect, socket.socket.send, socket.getaddrinfo) == before


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (("127.8.9.1", 1), True),
        (("::1", 1, 0, 0), True),
        (("fe80::1%eth0", 1, 0, 0), False),
        (("localhost", 1), True),
        (("10.0.0.1", 1), False),
        (("localhost.example.com", 1), False),
        ("path", True),
    ],
)
def test_what_is_local(address, local):
    assert socket_guard.is_local(address) is local


# ----- a network that counts and leads nowhere


def isolated(code):
    run = isolation.run_isolated(code)
    if run.why_not:
        pytest.skip(run.why_not)
    return run


SEND = "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(bytes({}), ('192.0.2.1', 9))"


def test_nothing_sent_is_counted_as_nothing():
    run = isolated("print('hello')")
    assert (run.output, run.bytes_sent, run.turned_away) == ("hello", 0, 0)
    assert "lo" in run.interfaces
    said = "0 bytes sent, 0 packets turned away, by the kernel's count (interfaces: lo"
    assert repr(run).startswith(said)


@pytest.mark.parametrize("count", [1, 1000])
def test_what_is_sent_is_counted(count):
    # A datagram has 8 bytes of head, and the packet around it 20.
    assert isolated(SEND.format(count)).bytes_sent == count + 28


def test_connections_and_look_ups_are_counted_too():
    # A connection begins with a packet of 60 bytes, to which nobody answers.
    code = (
        "import socket\n"
        "link = socket.socket()\n"
        "link.settimeout(0.2)\n"
        "print(link.connect_ex(('192.0.2.1', 80)))"
    )
    assert isolated(code).bytes_sent >= 60


def test_a_packet_of_ipv6_finds_no_road_and_is_counted_as_turned_away(monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # the tests' own guard would stop it before
    code = (
        "import socket\n"
        "try: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::1', 9))\n"
        "except OSError as error: print(type(error).__name__)"
    )
    run = isolated(code)
    assert run.output == "OSError"
    assert (run.bytes_sent, run.turned_away) in {(0, 1), (0, 0)}  # 0 where the kernel knows no IPv6


def test_what_is_said_outside_is_not_counted():
    before = isolated("").bytes_sent
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        link.sendto(b"hello", ("127.0.0.1", 9))
    assert (before, isolated("").bytes_sent) == (0, 0)


def test_the_road_is_not_opened_on_the_machines_own_network():
    if not sys.platform.startswith("linux"):
        pytest.skip("no namespaces here")
    routes = Path("/proc/self/net/route").read_text("utf-8")
    with pytest.raises(OSError, match="left as it is"):
        isolation.open_road(str(Path("/proc/self/ns/net").readlink()))
    assert Path("/proc/self/net/route").read_text("utf-8") == routes


def refused(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "unshare: Operation not permitted")
    monkeypatch.setattr(isolation, "_python", lambda code: failed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda patch: patch.setattr(sys, "platform", "darwin"), "a feature of Linux"),
        (lambda patch: patch.setattr(shutil, "which", lambda name: None), "install util-linux"),
        (refused, r"forbidden here \(unshare: Operation not permitted\)"),
    ],
)
def test_what_cannot_be_measured_is_none_and_not_zero(monkeypatch, change, words):
    monkeypatch.setattr(sys, "platform", "linux")
    change(monkeypatch)
    run = isolation.run_isolated("print(1)")
    assert (run.bytes_sent, run.turned_away, run.output) == (None, None, "")
    assert re.search(f"not measured on this system: .*{words}", repr(run))


def lesson(monkeypatch, sent, capsys):
    """Run the lesson's cell on a system where runs come out like `sent`; return records and prints."""
    book = json.loads((ROOT / "notebooks" / "14_privacy_on_the_device.ipynb").read_text("utf-8"))
    (cell,) = [one for one in book["cells"] if "isolation.run_isolated" in "".join(one["source"])]
    recorded = {}
    monkeypatch.setattr(isolation, "run_isolated", lambda code: next(sent))
    board = SimpleNamespace(record=lambda name, value, unit, lesson: recorded.update({name: value}))
    room = SimpleNamespace(isolation=isolation)
    names = {"privacy": room, "scoreboard": board, "files": [], "usual": {}}
    exec("".join(cell["source"]), names)
    return recorded, capsys.readouterr().out


def test_the_lesson_records_both_counts(monkeypatch, capsys):
    runs = iter([isolation.Isolated("", 1028, 0, ("lo",)), isolation.Isolated("{}", 0, 0, ("lo",))])
    recorded, said = lesson(monkeypatch, runs, capsys)
    assert list(recorded.values()) == [1028, 0]
    assert "same answers: True" in said


def test_the_lesson_records_nothing_where_nothing_was_measured(monkeypatch, capsys):
    cannot = isolation.Isolated("", None, None, (), "a feature of Linux")
    recorded, said = lesson(monkeypatch, iter([cannot, cannot]), capsys)
    assert recorded == {}
    assert "not measured on this system: a feature of Linux" in said
    assert "nothing is recorded" in said


def test_code_that_fails_is_told():
    isolated("")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        isolation.run_isolated("1 / 0")


def test_networks_answer_alike_with_and_without_a_network():
    files = [MODELS / "tiny.tflite", MODELS / "vibration.tflite"]
    usual = same_answers.digest(files)
    with socket_guard.cut():
        assert same_answers.digest(files) == usual
    assert set(usual) == {"tiny", "vibration"}
    assert same_answers.digest(files, seed=1) != usual


# ----- the cloud


@pytest.fixture
def served():
    with cloud.serve(lambda image: int(image.sum()), (2, 2)) as one:
        yield one


def test_the_cloud_answers_and_bytes_are_counted(served):
    call = served.classify(np.array([[1, 2], [3, 4]], np.uint8))
    assert (call.answer, call.error) == (10, "")
    # The head is 62 bytes with the length's one digit: counted by hand.
    assert (
        call.sent_bytes == len("POST /classify HTTP/1.1\r\nHost: cloud\r\nContent-Length: 4\r\n\r\n") + 4
    )
    assert call.received_bytes > 20
    assert served.seen == [bytes([1, 2, 3, 4])]
    assert repr(call).startswith("class 10, ")
    page = socket_guard.attempt("http://{}:{}/".format(*served.address))
    assert page == "Unsupported method ('GET')"


def test_a_cloud_that_waits_leaves_the_processor_to_others(monkeypatch):
    """It looks up fifty times a second; without a pause it would be a hundred thousand times."""
    turns = []
    monkeypatch.setattr(cloud.ThreadingHTTPServer, "service_actions", lambda _: turns.append(1))
    with cloud.serve(lambda image: 0, (1,)) as one:
        time.sleep(0.3)
        assert len(turns) < 100
        assert one.classify(np.zeros(1, np.uint8)).answer == 0
    assert turns


@pytest.mark.parametrize(
    ("fault", "message"),
    [("down", "Refused"), ("slow", "timed out|Timeout"), ("broken", "not whole")],
)
def test_faults_are_told_and_pass(served, fault, message):
    image = np.zeros((2, 2), np.uint8)
    served.fault = fault
    call = served.classify(image, 0.25 if fault == "slow" else 5.0)
    assert call.answer is None
    assert re.search(message, call.error)
    served.fault = ""
    assert served.classify(image).answer == 0


def test_a_wrong_size_is_refused_by_the_server(served):
    call = served.classify(np.zeros(3, np.uint8))
    assert call.answer is None
    assert "not whole" in call.error


def test_an_unknown_fault_names_the_known(served):
    with pytest.raises(ValueError, match="unknown fault 'fire': choose one of '', 'down'"):
        served.fault = "fire"


# ----- the seal


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes((MODELS / "tiny.tflite").read_bytes())
    return path


KEY = bytes(range(32))


def test_the_seal_is_the_standard_one():
    # RFC 4231, test case 6 has a longer key; its digest is published.
    text = b"Test Using Larger Than Block-Size Key - Hash Key First"
    known = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    assert signing.seal(text, b"\xaa" * 131).hex() == known


def test_a_sealed_model_is_sound_and_a_changed_one_is_not(model):
    content = model.read_bytes()
    mark, changed = signing.seal(content, KEY), bytearray(content)
    changed[len(changed) // 2] ^= 1
    assert signing.is_sound(content, mark, KEY)
    assert not signing.is_sound(bytes(changed), mark, KEY)
    for other_key, short in ((bytes(32), mark), (KEY, b""), (KEY, mark[:-1])):
        assert not signing.is_sound(content, short, other_key)
    with pytest.raises(ValueError, match="a key of 4 bytes"):
        signing.seal(content, b"1234")


# ----- the flash


def test_weights_are_read_out_of_the_flash():
    from tinyml_helpers import mcu
    from tinyml_helpers.usecases.privacy import flash_dump

    firmware = mcu.build(MODELS / "small.tflite", "nano33ble", trimmed=False)
    start, content = flash_dump.read_flash(firmware)
    assert len(content) == firmware.flash_bytes
    assert start == 0x0800_0000
    packed = np.frombuffer(flash_dump.find_weights(firmware, "conv_2d_12_weights"), np.uint8)
    read = packed.reshape(64, 32, 2, 4).swapaxes(1, 2).reshape(128, 128).copy()
    read[:, ::2] ^= 0x80
    original = next(t.array for t in firmware.source.tensors if t.data and t.size == 128**2)
    assert np.array_equal(read.view(np.int8), original.reshape(128, 128))
    with pytest.raises(ValueError, match=r"no symbol 'secret': tables of weights are conv_2d_0_weights"):
        flash_dump.find_weights(firmware, "secret")
    assert len(flash_dump.draw_flash(firmware)) == 2


def test_the_radio_and_what_survives(served, capfd):
    # 1,000 bytes at 62,500 a second take 16 ms; at 24.3 mW that is 0.3888 mJ.
    assert cloud.Call(1, 900, 100, 1.0).radio_mj == pytest.approx(0.3888)
    counts = served.count_answers([np.zeros((2, 2), np.uint8)])
    assert counts == {"no fault": 1, "down": 0, "slow": 0, "broken": 0}
    assert served.fault == ""
    import time

    time.sleep(1.1)  # the slow answer finds nobody
    assert capfd.readouterr().err == ""
