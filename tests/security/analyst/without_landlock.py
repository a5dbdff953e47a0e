"""Runs the endpoint as under a kernel without Landlock: a seccomp filter answers its system calls with ENOSYS."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _AT_LEAST, _MORE_THAN, _RETURN = 0x20, 0x35, 0x25, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_FIRST, _LAST = 444, 446


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def main() -> None:
    """Install the filter, which programs inherit, and become the endpoint."""
    steps = (
        (_LOAD, 0, 0, 0),  # the number of the system call
        (_AT_LEAST, 0, 2, _FIRST),
        (_MORE_THAN, 1, 0, _LAST),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0
    os.execv(sys.executable, [sys.executable, "-m", "devstack.embedded.clickhouse"])  # noqa: S606


if __name__ == "__main__":
    main()
