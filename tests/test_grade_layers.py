"""The layers of a sandbox say what the system answered, on whatever system this is."""

import errno
import os

import pytest

from tinyml_helpers.course.grade import landlock, namespaces

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")


class Refusing:
    """A C library whose system calls fail."""

    @staticmethod
    def syscall(*_):
        return -1

    prctl = mount = syscall


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EINVAL])
@pytest.mark.parametrize("layer", [landlock, namespaces])
def test_a_call_that_fails_is_told_with_the_reason_of_the_system(layer, number, monkeypatch):
    monkeypatch.setattr(layer.ctypes, "CDLL", lambda *_args, **_named: Refusing)
    monkeypatch.setattr(layer.ctypes, "get_errno", lambda: number)
    call = (lambda: landlock._call(1)) if layer is landlock else (lambda: namespaces._must("prctl", 1))
    with pytest.raises(OSError, match=os.strerror(number)) as told:
        call()
    assert told.value.errno == number


def test_rights_are_given_up_on_linux_alone(monkeypatch):
    monkeypatch.setattr(namespaces.sys, "platform", "darwin")
    with pytest.raises(OSError, match="capabilities are a part of Linux"):
        namespaces.drop_rights()
