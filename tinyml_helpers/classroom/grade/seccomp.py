"""Linux: a filter in front of the kernel, for this process and for good.

No other process can be started, no socket opened, nobody signalled, no file's rights or owner changed.
The filter asks for nothing but Linux on x86-64 or 64-bit Arm, so it works in most containers too.

Source: Documentation/userspace-api/seccomp_filter.rst of the Linux kernel; numbers from its headers.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

# name, number on x86-64, number on 64-bit Arm; "-" where the system call does not exist.
TABLE = """
fork 57 -; vfork 58 -; execve 59 221; execveat 322 281; setsid 112 157; setpgid 109 154
tkill 200 130; pidfd_open 434 434; pidfd_getfd 438 438; pidfd_send_signal 424 424
ptrace 101 117; process_vm_readv 310 270; process_vm_writev 311 271; process_madvise 440 440
kcmp 312 272; setpriority 141 140; sched_setscheduler 144 119; sched_setparam 142 118
sched_setattr 314 274; ioprio_set 251 30; migrate_pages 256 238; move_pages 279 239
socket 41 198; connect 42 203; bind 49 200; listen 50 201; accept 43 202; accept4 288 242
io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427; bpf 321 280
perf_event_open 298 241; userfaultfd 323 282; keyctl 250 219; add_key 248 217; request_key 249 218
memfd_create 319 279; memfd_secret 447 447; shmget 29 194; msgget 68 186; semget 64 190; mq_open 240 180
mount 165 40; umount2 166 39; pivot_root 155 41; chroot 161 51; move_mount 429 429; open_tree 428 428
fsopen 430 430; fsconfig 431 431; fsmount 432 432; fspick 433 433; mount_setattr 442 442
unshare 272 97; setns 308 268; chmod 90 -; fchmod 91 52; fchmodat 268 53; fchmodat2 452 452
chown 92 -; fchown 93 55; lchown 94 -; fchownat 260 54; truncate 76 45; mknod 133 -; mknodat 259 33
setxattr 188 5; lsetxattr 189 6; fsetxattr 190 7; setxattrat 463 463; removexattr 197 14
lremovexattr 198 15; fremovexattr 199 16; removexattrat 466 466; utime 132 -; utimes 235 -
futimesat 261 -; utimensat 280 88; name_to_handle_at 303 264; open_by_handle_at 304 265
quotactl 179 60; acct 163 89; swapon 167 224; swapoff 168 225; reboot 169 142; kexec_load 246 104
kexec_file_load 320 294; init_module 175 105; finit_module 313 273; delete_module 176 106
settimeofday 164 170; clock_settime 227 112; adjtimex 159 171; clock_adjtime 305 266
sethostname 170 161; setdomainname 171 162; personality 135 92; ioperm 173 -; iopl 172 -; vhangup 153 58
"""
ON_SELF = """
kill 62 129; tgkill 234 131; rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240; prlimit64 302 261
sched_setaffinity 203 122
"""
"""Allowed where the first argument names this very process; for `ZERO_IS_SELF` also where it is 0."""
ZERO_IS_SELF = ("prlimit64", "sched_setaffinity")
REFUSED_VALUES = {
    # Whom the kernel signals when a file can be read, and with which signal: SIGKILL for the grader.
    "fcntl 72 25": (1, (8, 10, 15)),  # F_SETOWN, F_SETSIG, F_SETOWN_EX
    "ioctl 16 29": (1, (0x8901, 0x8902)),  # FIOSETOWN, SIOCSPGRP
    "prctl 157 167": (0, (1,)),  # PR_SET_PDEATHSIG: a process ends with its grader
}
"""System call -> which argument, and the values of it that are refused."""
CLONES = "clone 56 220; clone3 435 435"
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _GREATER, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # the words of classic BPF
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ARGUMENT_BYTES = 8
_CLONE_THREAD, _X32 = 0x10000, 0x40000000
_EPERM, _ENOSYS = 1, 38
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2  # of prctl


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("words", ctypes.c_char_p))


def numbers(table: str, column: int) -> dict[str, int]:
    """Read one column of a table of system calls: 0 for x86-64, 1 for 64-bit Arm."""
    rows = [row.split() for line in table.strip().splitlines() for row in line.split(";")]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}


def program(column: int, architecture: int, process: int) -> bytes:
    """Assemble the filter.

    Args:
        column: of the table.
        architecture: the kernel's name of it; calls by another way in are refused.
        process: number of the process that may signal itself.
    """
    refuse = (_RETURN, 0, 0, _REFUSE | _EPERM)
    words = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), refuse]
    words += [(_LOAD, 0, 0, _NUMBER), (_GREATER, 0, 1, _X32), refuse]
    for number in numbers(TABLE, column).values():
        words += [(_EQUAL, 0, 1, number), refuse]
    for name, number in numbers(ON_SELF, column).items():
        zero = 0 if name in ZERO_IS_SELF else process
        argument = [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 2, 0, process), (_EQUAL, 1, 0, zero)]
        words += [(_EQUAL, 0, 5, number), *argument, refuse, (_RETURN, 0, 0, _ALLOW)]
    for table, (place, values) in REFUSED_VALUES.items():
        [number] = numbers(table, column).values()
        # As the kernel reads it: these take 32 bits of the argument.
        tests = [word for value in values for word in ((_EQUAL, 0, 1, value), refuse)]
        words += [(_EQUAL, 0, 2 + len(tests), number)]
        words += [(_LOAD, 0, 0, _FIRST_ARGUMENT + _ARGUMENT_BYTES * place), *tests]
        words += [(_RETURN, 0, 0, _ALLOW)]
    clone, clone3 = numbers(CLONES, column).values()
    # The C library falls back from clone3, whose flags a filter cannot see, to clone.
    words += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _REFUSE | _ENOSYS)]
    words += [(_EQUAL, 0, 4, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_SET, 0, 1, _CLONE_THREAD)]
    words += [(_RETURN, 0, 0, _ALLOW), refuse, (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *word) for word in words)


def filter_calls() -> None:
    """Put the filter in front of this process.

    Raises:
        OSError: this system has no such filter.
    """
    if not sys.platform.startswith("linux") or platform.machine() not in _ARCHITECTURES:
        raise OSError("filters of system calls are there on Linux, on x86-64 and 64-bit Arm")
    words = program(*_ARCHITECTURES[platform.machine()], os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    made = _Program(len(words) // 8, words)
    for arguments in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SET_SECCOMP, _FILTER, ctypes.byref(made), 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
